//! Why an append is not accepted, and the checks that need nothing but the transaction itself.

use uuid::Uuid;

use crate::event::StreamName;
use crate::limits::{self, Limits};
use crate::position::{Position, SegmentId, Version};
use crate::record;
use crate::transaction::{ExpectedVersion, StreamWrite, Transaction};

/// Why an append was not accepted. Nothing of the transaction is in the log, except after [`AppendError::Stopped`],
/// which also answers transactions whose sync failed: whether they are in the log is known after the next open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The transaction holds no event, or a stream write without one.
    #[error("the transaction holds no event")]
    Empty,
    /// A name or tag is empty.
    #[error("{what} is empty")]
    EmptyName {
        /// Which one.
        what: &'static str,
    },
    /// Something exceeds its limit.
    #[error("{what} is {actual}, the limit is {limit}")]
    TooLarge {
        /// What, with its unit.
        what: &'static str,
        /// The most that is accepted.
        limit: usize,
        /// What was asked.
        actual: usize,
    },
    /// The same id stands on two events of the transaction.
    #[error("the id {id} stands on two events of the transaction")]
    IdRepeated {
        /// The id.
        id: Uuid,
    },
    /// A stream is not as expected.
    #[error("stream {stream} is at version {actual}, not as expected")]
    WrongVersion {
        /// The stream.
        stream: StreamName,
        /// What the transaction expected.
        expected: ExpectedVersion,
        /// The version of its last event, [`Version::NONE`] without any.
        actual: Version,
    },
    /// The condition does not hold, or an event that cannot be read leaves that open.
    #[error(
        "an event that the condition excludes, or that cannot be read and may be such, lies at position {position}, behind {after}"
    )]
    ConditionFailed {
        /// The newest event that matches, or may.
        position: Position,
        /// The condition's bound.
        after: Position,
    },
    /// An id is in the log already, with other content or without the rest of this transaction.
    #[error(
        "the id {id} was used before, at position {position}, in another transaction or with other content"
    )]
    IdReused {
        /// The id.
        id: Uuid,
        /// Where it is.
        position: Position,
    },
    /// There is no space on the disk. Reads go on, and appends are accepted again once there is.
    #[error("the disk is full")]
    DiskFull,
    /// Too many transactions are waiting.
    #[error("too many transactions are waiting")]
    Busy,
    /// Something the append needs cannot be had now, such as an open file.
    #[error("cannot append now: {reason}")]
    Unavailable {
        /// What failed.
        reason: String,
    },
    /// Whether it may be appended depends on a segment that lies in the archive: a repeated id, or a condition that reaches
    /// so far back. The segment is being fetched.
    #[error("segment {segment} is needed to decide, and is being fetched from the archive")]
    Archived {
        /// The segment.
        segment: SegmentId,
    },
    /// A write or a sync failed. Nothing is accepted until the log is opened again.
    #[error("the log stopped accepting events: {reason}")]
    Stopped {
        /// What failed.
        reason: String,
    },
    /// The log is closing.
    #[error("the log is closing")]
    Closed,
}

/// The four kinds of answer that a caller treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendErrorKind {
    /// The request itself is at fault: it will never be accepted as it is.
    Refused,
    /// The log has moved on: read again, decide again.
    Conflict,
    /// Try later.
    Unavailable,
    /// Stop and look.
    Corrupt,
}

impl AppendError {
    /// Which kind of answer it is.
    pub fn kind(&self) -> AppendErrorKind {
        match self {
            AppendError::Empty
            | AppendError::EmptyName { .. }
            | AppendError::TooLarge { .. }
            | AppendError::IdRepeated { .. } => AppendErrorKind::Refused,
            AppendError::WrongVersion { .. }
            | AppendError::ConditionFailed { .. }
            | AppendError::IdReused { .. } => AppendErrorKind::Conflict,
            AppendError::DiskFull
            | AppendError::Busy
            | AppendError::Unavailable { .. }
            | AppendError::Archived { .. }
            | AppendError::Closed => AppendErrorKind::Unavailable,
            AppendError::Stopped { .. } => AppendErrorKind::Corrupt,
        }
    }
}

/// Holds a transaction against the limits. Returns the bytes that it takes in a segment at most.
pub(crate) fn check(transaction: &Transaction, limits: &Limits) -> Result<usize, AppendError> {
    if transaction.writes.is_empty()
        || transaction
            .writes
            .iter()
            .any(|write| write.events.is_empty())
    {
        return Err(AppendError::Empty);
    }
    at_most(
        "the number of events",
        transaction.event_count(),
        limits.transaction_events_max,
    )?;
    if let Some(condition) = &transaction.condition {
        let clauses = condition.query.items.iter();
        let clauses = clauses.map(|item| {
            item.streams.len()
                + item.aggregate_types.len()
                + item.event_types.len()
                + item.tags.len()
        });
        at_most(
            "the number of clauses in the condition",
            clauses.sum(),
            limits::QUERY_CLAUSES_MAX,
        )?;
    }
    let mut bytes = record::COMMIT_BYTES;
    for write in &transaction.writes {
        bytes += check_write(write, limits)?;
    }
    at_most(
        "the transaction in bytes",
        bytes,
        limits.transaction_bytes_max,
    )?;
    Ok(bytes)
}

fn check_write(write: &StreamWrite, limits: &Limits) -> Result<usize, AppendError> {
    name(
        "the aggregate type",
        "the aggregate type in bytes",
        &write.stream.aggregate_type,
        limits::TYPE_NAME_BYTES_MAX,
    )?;
    name(
        "the aggregate id",
        "the aggregate id in bytes",
        &write.stream.aggregate_id,
        limits::AGGREGATE_ID_BYTES_MAX,
    )?;
    let mut bytes = 64 + write.stream.aggregate_type.len() + write.stream.aggregate_id.len();
    for event in &write.events {
        name(
            "the event type",
            "the event type in bytes",
            &event.event_type,
            limits::TYPE_NAME_BYTES_MAX,
        )?;
        at_most("the data in bytes", event.data.len(), limits.data_bytes_max)?;
        at_most(
            "the metadata in bytes",
            event.metadata.len(),
            limits::METADATA_BYTES_MAX,
        )?;
        at_most("the number of tags", event.tags.len(), limits::TAGS_MAX)?;
        let mut tag_bytes = 0;
        for tag in &event.tags {
            name("a tag", "a tag in bytes", tag, limits::TAG_BYTES_MAX)?;
            tag_bytes += 1 + tag.len();
        }
        // The type's name record is counted for each event, since any of them may be the first of its type.
        bytes += record::event_bytes(tag_bytes, event.metadata.len(), event.data.len())
            + 32
            + event.event_type.len();
    }
    Ok(bytes)
}

fn name(
    what: &'static str,
    in_bytes: &'static str,
    name: &str,
    limit: usize,
) -> Result<(), AppendError> {
    if name.is_empty() {
        return Err(AppendError::EmptyName { what });
    }
    at_most(in_bytes, name.len(), limit)
}

fn at_most(what: &'static str, actual: usize, limit: usize) -> Result<(), AppendError> {
    if actual > limit {
        Err(AppendError::TooLarge {
            what,
            limit,
            actual,
        })
    } else {
        Ok(())
    }
}

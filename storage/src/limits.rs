//! Every bound of the log, by name.

use crate::log::Log;

/// Bytes a segment is preallocated with at most, unless [`LogOptions`](crate::LogOptions) says otherwise (the server has 64 MiB,
/// `events.segment_bytes_max`); a larger transaction makes a larger segment.
pub const SEGMENT_BYTES_MAX: u64 = 32 << 20;
/// Bytes the first segments are preallocated with: a small log stays small on disk.
pub const SEGMENT_BYTES_MIN: u64 = 4 << 20;
/// Bytes in an aggregate type's or event type's name.
pub const TYPE_NAME_BYTES_MAX: usize = 255;
/// Bytes in an aggregate id.
pub const AGGREGATE_ID_BYTES_MAX: usize = 1_024;
/// Bytes in a tag.
pub const TAG_BYTES_MAX: usize = 255;
/// Tags on an event.
pub const TAGS_MAX: usize = 255;
/// Bytes of metadata on an event.
pub const METADATA_BYTES_MAX: usize = u16::MAX as usize;
/// Distinct event types, and distinct aggregate types, in a log.
pub const TYPES_MAX: usize = u16::MAX as usize;
/// Clauses (streams, types and tags, over all items) in a query.
pub const QUERY_CLAUSES_MAX: usize = 4_096;

/// Bounds on what one append may carry. Those that the format needs are constants of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of data on an event. Default 1 MiB; at most 16 MiB.
    pub data_bytes_max: usize,
    /// Events in a transaction. Default 10,000.
    pub transaction_events_max: usize,
    /// Bytes of a transaction as encoded. Default 32 MiB; the server has `http.batch_bytes_max` where that is more, which is
    /// 64 MiB unless set, and 1 GiB at most. A segment has to stay below 4 GiB.
    pub transaction_bytes_max: usize,
    /// Transactions waiting for the writer before an append is refused as unavailable. Default 4,096.
    pub queue_transactions_max: usize,
}

impl Log {
    /// The bounds that its appends are held against, for whoever cuts transactions to them.
    pub fn limits(&self) -> Limits {
        self.shared.options.limits
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            data_bytes_max: 1 << 20,
            transaction_events_max: 10_000,
            transaction_bytes_max: 32 << 20,
            queue_transactions_max: 4_096,
        }
    }
}

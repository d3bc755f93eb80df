//! Appends batches: what is new as it is, what is there already by what the log lacks of it.

use storage::{
    AppendError, ExpectedVersion, NewEvent, Position, ReadError, StreamName, StreamWrite,
    Transaction,
};

use crate::compare::Comparer;
use crate::depot::Depot;
use crate::finding::Findings;
use crate::held::{Counting, Held, held};
use crate::made::{Batch, Portion, Standing};
use crate::settle::settle;

/// Events in a transaction; the log's default limit is twice as many.
const TRANSACTION_EVENTS_MAX: usize = 5_000;
/// Bytes of a payload that may be too large for the log.
const LARGE_BYTES: usize = 64 << 10;
/// Bytes of events in a transaction.
const TRANSACTION_BYTES_MAX: usize = 8 << 20;

/// Why a batch is not in the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The log does not accept events.
    #[error("the log does not accept events")]
    Append(#[source] AppendError),
    /// An event is larger than the settings allow.
    #[error(
        "{stream} has an event of {bytes} bytes, more than the log's settings allow ({limit}); raise events.data_bytes_max"
    )]
    TooLarge {
        /// The aggregate.
        stream: StreamName,
        /// How large the event is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// The log cannot be read back.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
}

/// The side that appends.
pub(crate) struct Appender<'a> {
    depot: &'a dyn Depot,
    comparer: Comparer,
    pub(crate) findings: Findings,
    /// Events appended.
    pub(crate) appended: u64,
    /// Events that were there.
    pub(crate) there: u64,
    /// The last of those appended.
    pub(crate) last: Position,
}

impl<'a> Appender<'a> {
    pub(crate) fn new(depot: &'a dyn Depot) -> Self {
        Appender {
            depot,
            comparer: Comparer::default(),
            findings: Findings::default(),
            appended: 0,
            there: 0,
            last: depot.log().durable_position(),
        }
    }

    /// Appends what the log lacks of a batch, in its order.
    pub(crate) fn take(&mut self, batch: Batch) -> Result<(), StoreError> {
        let known: Vec<&Portion> = batch
            .portions
            .iter()
            .filter(|portion| must_look(portion))
            .collect();
        let mut held = match known.is_empty() {
            true => Vec::new(),
            false => held(self.depot, &known, Counting::Imported)?,
        }
        .into_iter();
        let mut open = Open::default();
        for portion in batch.portions {
            let made = portion.events.len() as u64;
            let expected = match portion.standing {
                Standing::New => ExpectedVersion::NoStream,
                Standing::Continued | Standing::Known | Standing::Log => ExpectedVersion::Any,
            };
            let events = match must_look(&portion) {
                true => self.lacking(&portion, held.next().unwrap_or_default()),
                false => portion.events,
            };
            self.there += made.saturating_sub(events.len() as u64);
            if open.take(StreamWrite {
                stream: portion.stream,
                expected,
                events,
            }) {
                self.append(&mut open)?;
            }
        }
        self.append(&mut open)
    }

    fn lacking(&mut self, portion: &Portion, held: Held) -> Vec<NewEvent> {
        if portion.standing == Standing::Known {
            let last = self.depot.log().durable_position();
            return settle(portion, held, last, &mut self.comparer, &mut self.findings);
        }
        lacking_rows(portion, &held)
    }

    fn append(&mut self, open: &mut Open) -> Result<(), StoreError> {
        let open = std::mem::take(open);
        if open.writes.is_empty() {
            return Ok(());
        }
        let transaction = Transaction {
            writes: open.writes,
            condition: None,
        };
        let receipt = self
            .depot
            .append(transaction)
            .map_err(|error| match error {
                AppendError::TooLarge { limit, actual, .. } if actual == open.largest.1 => {
                    StoreError::TooLarge {
                        stream: open.largest.0.unwrap_or_else(|| StreamName::new("", "")),
                        bytes: actual,
                        limit,
                    }
                }
                error => StoreError::Append(error),
            })?;
        self.appended += receipt.events.len() as u64;
        self.last = self.last.max(receipt.last_position());
        Ok(())
    }
}

/// The rows of an imported log that are not in the log as they are: new ones, and those that say something else now.
fn lacking_rows(portion: &Portion, held: &Held) -> Vec<NewEvent> {
    let mut lacking = Vec::new();
    for (place, event) in portion.events.iter().enumerate() {
        let there = event.id.and_then(|id| held.imported.get(&id));
        match (there, portion.expected.get(place)) {
            (None, _) => lacking.push(event.clone()),
            (Some(data), Some(expected)) if *data != event.data => {
                let id = expected.restated_id();
                if !held.imported.contains_key(&id) {
                    let mut restated = event.clone();
                    restated.id = Some(id);
                    lacking.push(restated);
                }
            }
            (Some(_), _) => {}
        }
    }
    lacking
}

/// Whether it must be looked what the log has of a portion.
fn must_look(portion: &Portion) -> bool {
    matches!(portion.standing, Standing::Known | Standing::Log)
}

/// A transaction that is being put together.
#[derive(Default)]
struct Open {
    writes: Vec<StreamWrite>,
    events: usize,
    bytes: usize,
    /// The stream with the largest payload, where that is large, and its bytes.
    largest: (Option<StreamName>, usize),
}

impl Open {
    /// Adds a write; whether the transaction is full then.
    fn take(&mut self, write: StreamWrite) -> bool {
        self.events += write.events.len();
        let largest = write
            .events
            .iter()
            .map(|event| event.data.len())
            .max()
            .unwrap_or(0);
        if largest > self.largest.1.max(LARGE_BYTES) {
            self.largest = (Some(write.stream.clone()), largest);
        }
        self.bytes += write
            .events
            .iter()
            .map(|event| event.data.len() + event.metadata.len())
            .sum::<usize>();
        match self.writes.last_mut() {
            _ if write.events.is_empty() => {}
            Some(last) if last.stream == write.stream => last.events.extend(write.events),
            _ => self.writes.push(write),
        }
        self.events >= TRANSACTION_EVENTS_MAX || self.bytes >= TRANSACTION_BYTES_MAX
    }
}

//! Brings a log to the size that a question is about.

use storage::{ExpectedVersion, Log, StreamWrite, Transaction};

use crate::BenchError;
use crate::event::{self, EventMaker};

/// What to fill a log with.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// How many events.
    pub events: u64,
    /// Over how many streams, taken in turns.
    pub streams: u64,
    /// How many events a transaction, and so a group, holds.
    pub events_per_transaction: u64,
}

/// Appends the events, the number of the first being `first`.
///
/// # Errors
/// [`BenchError::Append`] when the log refuses.
pub fn fill(log: &Log, first: u64, fill: &Fill) -> Result<(), BenchError> {
    let maker = EventMaker::new();
    let names: Vec<_> = (0..fill.streams).map(event::stream).collect();
    let mut number = first;
    let end = first + fill.events;
    while number < end {
        let count = fill.events_per_transaction.min(end - number);
        let mut writes: Vec<StreamWrite> = Vec::new();
        for number in number..number + count {
            let at = usize::try_from(number % fill.streams).unwrap_or(0);
            let event = maker.event(number);
            match writes.last_mut() {
                Some(write) if fill.streams == 1 => write.events.push(event),
                _ => writes.push(StreamWrite {
                    stream: names[at].clone(),
                    expected: ExpectedVersion::Any,
                    events: vec![event],
                }),
            }
        }
        log.append(Transaction {
            writes,
            condition: None,
        })?;
        number += count;
    }
    Ok(())
}

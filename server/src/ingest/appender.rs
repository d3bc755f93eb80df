//! Appends the events of an input, in its order, and tells apart what is new, what the log has, and what it refuses.
//!
//! One transaction after the other: with several under way, one that is refused would let those behind it overtake it, and
//! a stream's versions would no longer be in the order of the file. While one is made durable the next is being read.

use std::thread;
use std::time::Duration;
use storage::{
    AppendError, AppendErrorKind, ExpectedVersion, Log, Position, Receipt, StreamWrite, Transaction,
};
use uuid::Uuid;

use super::run::{BadLine, BadLines};
use crate::envelope::Envelope;

/// How often a log that has no room for a moment is asked again, and how long after.
const BUSY_RETRIES_MAX: u32 = 100;
const BUSY_WAIT: Duration = Duration::from_millis(20);

/// An event, and the line it came from.
pub(super) type Lined = (u64, Envelope);

/// What became of a stretch of the input.
#[derive(Debug, Default)]
pub(super) struct Appended {
    pub(super) new: u64,
    pub(super) duplicates: u64,
    pub(super) refused: Vec<BadLine>,
    /// The last event that is in the log.
    pub(super) last: Option<(Uuid, Position)>,
}

/// Why appending does not go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// The log does not accept events now.
    Unavailable(AppendError),
    /// An event was refused, and bad lines are not to be skipped.
    Refused,
}

/// Appends `events` in order. A transaction that is refused is cut in halves, between two lines, until the lines at fault
/// stand alone: what a line becomes goes in whole or not at all.
pub(super) fn append_in_order(
    log: &Log,
    events: &[Lined],
    policy: BadLines,
    appended: &mut Appended,
) -> Result<(), Halt> {
    let Some((line, _)) = events.first() else {
        return Ok(());
    };
    let error = match append(log, events) {
        Ok(receipt) => {
            let count = receipt.events.len() as u64;
            if receipt.duplicate {
                appended.duplicates += count;
            } else {
                appended.new += count;
            }
            if let Some(last) = receipt.events.last() {
                appended.last = Some((last.id, last.position));
            }
            return Ok(());
        }
        Err(error) if !is_at_fault(&error) => return Err(Halt::Unavailable(error)),
        Err(error) => error,
    };
    if let Some(at) = between_lines(events) {
        let (first, second) = events.split_at(at);
        append_in_order(log, first, policy, appended)?;
        return append_in_order(log, second, policy, appended);
    }
    if let Some((there, missing)) = partly_there(log, events) {
        let refused = appended.refused.len();
        append_in_order(log, &there, policy, appended)?;
        if appended.refused.len() == refused {
            append_in_order(log, &missing, policy, appended)?;
        }
        return Ok(());
    }
    appended.refused.push(BadLine {
        line: *line,
        reason: error.to_string(),
    });
    if policy == BadLines::Stop {
        Err(Halt::Refused)
    } else {
        Ok(())
    }
}

/// Where to cut: where a line ends, as near the middle as can be. Nowhere if all events are of one line.
fn between_lines(events: &[Lined]) -> Option<usize> {
    let pairs = events.iter().zip(events.iter().skip(1));
    let ends = (1..).zip(pairs).filter(|(_, (one, next))| one.0 != next.0);
    ends.map(|(at, _)| at)
        .min_by_key(|at| events.len().abs_diff(2 * at))
}

/// What the log has of a line's events, and what it lacks, where both is the case: an earlier run made less of the line, by
/// another mapping, or an earlier version took a part of it.
fn partly_there(log: &Log, events: &[Lined]) -> Option<(Vec<Lined>, Vec<Lined>)> {
    if events.len() < 2 {
        return None;
    }
    let is_there = |(_, envelope): &Lined| {
        let found = envelope.event.id.map(|id| log.position_of(id));
        matches!(found, Some(Ok(Some(_))))
    };
    let (there, missing): (Vec<Lined>, Vec<Lined>) = events.iter().cloned().partition(is_there);
    (!there.is_empty() && !missing.is_empty()).then_some((there, missing))
}

/// Whether the transaction itself is at fault, so that a part of it may be accepted.
fn is_at_fault(error: &AppendError) -> bool {
    matches!(
        error.kind(),
        AppendErrorKind::Refused | AppendErrorKind::Conflict
    )
}

fn append(log: &Log, events: &[Lined]) -> Result<Receipt, AppendError> {
    let mut retries = 0;
    loop {
        match log.append(transaction_of(events)) {
            Err(AppendError::Busy) if retries < BUSY_RETRIES_MAX => {
                retries += 1;
                thread::sleep(BUSY_WAIT);
            }
            outcome => return outcome,
        }
    }
}

/// One write for each run of events of the same stream.
fn transaction_of(events: &[Lined]) -> Transaction {
    let mut writes: Vec<StreamWrite> = Vec::new();
    for (_, envelope) in events {
        let expected = envelope.expected.unwrap_or(ExpectedVersion::Any);
        match writes.last_mut() {
            Some(write) if expected == ExpectedVersion::Any && write.stream == envelope.stream => {
                write.events.push(envelope.event.clone());
            }
            _ => writes.push(StreamWrite {
                stream: envelope.stream.clone(),
                expected,
                events: vec![envelope.event.clone()],
            }),
        }
    }
    Transaction {
        writes,
        condition: None,
    }
}

//! Events that cannot be read: what an export lacks, and whether some of it can be read again.
//!
//! The files of a span lack what was damaged when they were written. States are folded anew by every export, and so lack what is
//! damaged now, even where files of events hold it from before. What can be read again is written anew.

use std::collections::BTreeSet;

use storage::{Direction, Log, Position, Query, ReadError, ReadRequest};

use crate::error::LakeError;
use crate::manifest::{Gap, Manifest};
use crate::plan::Range;

/// What the log gives of that which an earlier export lacked.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// What still cannot be read.
    pub(crate) gaps: BTreeSet<Gap>,
    /// Spans whose files lack something that can be read.
    pub(crate) mended: Vec<Range>,
    /// Whether states lack something that can be read.
    pub(crate) states_mended: bool,
}

/// Looks again for what an export lacked, in all states and in the first `kept` spans: those that would stay as they are.
pub(crate) fn look_again(log: &Log, before: &Manifest, kept: usize) -> Result<Looked, LakeError> {
    let mut looked = Looked::default();
    for gap in &before.gaps {
        // Backwards, for that goes by the index of a segment, as reading a stream does: states must be able to read it.
        let request = ReadRequest {
            direction: Direction::Backward,
            ..within(gap.from, gap.to)
        };
        let missing = add_gaps(log, &request, &mut looked.gaps)?;
        looked.states_mended |= missing < gap.positions();
    }
    let spans = before.events[..kept].iter();
    for span in spans.filter(|span| span.unreadable > 0) {
        let missing = add_gaps(log, &within(span.from, span.to), &mut looked.gaps)?;
        if missing < span.unreadable {
            looked.mended.push(span.range());
        }
    }
    Ok(looked)
}

/// Adds what segments had lost when their indexes were made, up to a position. Nobody knows any more whose events these were, so
/// that all streams may be read without coming upon them.
pub(crate) fn add_lost(
    log: &Log,
    position: Position,
    gaps: &mut BTreeSet<Gap>,
) -> Result<(), LakeError> {
    // No event is of this type, so a reader gives nothing but what may have been of any.
    let request = ReadRequest {
        query: Query::event_types([""]),
        ..within(Position::FIRST.get(), position.get())
    };
    add_gaps(log, &request, gaps)?;
    Ok(())
}

fn within(from: u64, to: u64) -> ReadRequest {
    ReadRequest {
        from: Position::new(from),
        to: Position::new(to),
        ..ReadRequest::default()
    }
}

/// Adds what of a request cannot be read, and gives how many events that is.
fn add_gaps(log: &Log, request: &ReadRequest, gaps: &mut BTreeSet<Gap>) -> Result<u64, LakeError> {
    let range = Range {
        from: request.from.get(),
        to: request.to.get(),
    };
    let mut reader = log.read(request)?;
    let mut missing = 0;
    while let Some(event) = reader.next() {
        match event {
            Ok(_) => {}
            Err(ReadError::Damaged { first, last, .. }) => {
                let gap = Gap::within(range, first.get(), last.get());
                missing += gap.positions();
                gaps.insert(gap);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(missing)
}

/// The same positions in as few gaps as may be, in order: several readers may have come upon one, each from its side.
pub(crate) fn joined(gaps: &BTreeSet<Gap>) -> Vec<Gap> {
    let mut joined: Vec<Gap> = Vec::new();
    for gap in gaps {
        match joined.last_mut() {
            Some(last) if gap.from <= last.to.saturating_add(1) => last.to = last.to.max(gap.to),
            _ => joined.push(*gap),
        }
    }
    joined
}

/// How many events that are.
pub(crate) fn count(gaps: &[Gap]) -> u64 {
    gaps.iter().map(|gap| gap.positions()).sum()
}

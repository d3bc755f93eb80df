//! Which positions go into which span of files. Pure.
//!
//! Spans are ranges of positions of one length, so that an export never has to look at what an earlier one finished. Only
//! the last span is open: the next export writes it anew, with what came since.

/// Events of a whole span, unless somebody has a reason for another number: what one export at most reads again, and what one
/// file at most holds.
pub const SPAN_EVENTS: u64 = 250_000;

/// A range of positions, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Range {
    /// The first position.
    pub(crate) from: u64,
    /// The last position.
    pub(crate) to: u64,
}

impl Range {
    /// Whether nothing can be added to it any more.
    fn is_whole(self, span_events: u64) -> bool {
        self.to + 1 - self.from >= span_events
    }
}

/// The ranges to write so that everything up to `durable` is exported. `done` are the ranges of the last export, in order.
///
/// Gives how many of `done` stay as they are, and what is to be written behind them.
pub(crate) fn plan(done: &[Range], durable: u64, span_events: u64) -> (usize, Vec<Range>) {
    let end = done.last().map_or(0, |last| last.to);
    if durable <= end {
        return (done.len(), Vec::new());
    }
    let kept = match done.last() {
        Some(last) if !last.is_whole(span_events) => done.len() - 1,
        _ => done.len(),
    };
    let mut from = done[..kept].last().map_or(0, |last| last.to) + 1;
    let mut wanted = Vec::new();
    while from <= durable {
        let to = durable.min(from + span_events - 1);
        wanted.push(Range { from, to });
        from = to + 1;
    }
    (kept, wanted)
}

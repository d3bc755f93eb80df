//! Spans of time, and how many of them meet.

use crate::calendar;

#[cfg(test)]
mod tests;

/// A span of time: from `start` on and before `end`, microseconds since 1970 UTC. Never empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    start: i64,
    end: i64,
}

impl Span {
    /// The span between two moments; `None` if it would be empty.
    pub fn new(start: i64, end: i64) -> Option<Self> {
        (start < end).then_some(Span { start, end })
    }

    /// The span between two times as text; `None` if one is missing or the span would be empty.
    pub fn of_text(start: Option<&str>, end: Option<&str>) -> Option<Self> {
        let moment = |text: Option<&str>| text.and_then(calendar::parse_time);
        Span::new(moment(start)?, moment(end)?)
    }

    /// The span of what began at `start` and goes on `now`: it ends when it was planned to, or later, with the present, but
    /// at most a day later: what nobody has ended by then was forgotten, and would be in the way for ever. What began no
    /// earlier than it was to end takes as long as it was planned to. It is never nothing.
    pub fn under_way(start: i64, planned: Option<Span>, now: i64) -> Self {
        let end = match planned {
            Some(planned) if planned.end > start => planned.end,
            Some(planned) => start.saturating_add(planned.length()),
            None => start.saturating_add(calendar::MINUTE),
        };
        Span {
            start,
            end: end.max(now.min(end.saturating_add(calendar::DAY))),
        }
    }

    /// Its first moment.
    pub fn start(self) -> i64 {
        self.start
    }

    /// The first moment after it.
    pub fn end(self) -> i64 {
        self.end
    }

    /// How long it is, in microseconds.
    pub fn length(self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether some moment is in both. Spans that only touch do not meet.
    pub fn meets(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The moments that are in both.
    pub fn intersection(self, other: Span) -> Option<Span> {
        Span::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// The span as a person reads it.
    pub fn shown(self) -> String {
        let minute = |moment| calendar::format_time(moment)[..16].replace('T', " ");
        format!("{} to {} UTC", minute(self.start), minute(self.end))
    }
}

/// How many of `others` are there at once, at most, at some moment of `within`.
pub fn most_at_once(within: Span, others: impl IntoIterator<Item = Span>) -> usize {
    let mut edges = Vec::new();
    for span in others {
        if let Some(shared) = within.intersection(span) {
            edges.push((shared.start, 1_isize));
            edges.push((shared.end, -1));
        }
    }
    // At the same moment what ends goes before what begins.
    edges.sort_unstable();
    let (mut now, mut most) = (0_isize, 0_isize);
    for (_, step) in edges {
        now += step;
        most = most.max(now);
    }
    most.unsigned_abs()
}

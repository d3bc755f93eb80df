//! What a decision knows beside the state: who asks, and when.

/// Who gives a command, and when. Nothing below the edge reads a clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked<'a> {
    /// When: microseconds since 1970 UTC.
    pub now: i64,
    /// The account that asks.
    pub by: &'a str,
}

impl Asked<'_> {
    /// The moment as events write it.
    pub fn time(&self) -> String {
        crate::calendar::format_time(self.now)
    }
}

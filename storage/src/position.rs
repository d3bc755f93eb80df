//! The numbers that name a place in the log, each a type of its own.
//!
//! They do not mix: a [`Position`] counts events in the whole log, a [`Version`] counts events in one stream,
//! an offset is bytes in one file. Arithmetic goes through named, checked methods.

use std::fmt;

#[cfg(test)]
mod tests;

/// An event's place in the whole log: dense, in commit order, the first event is 1.
///
/// [`Position::START`] (0) is the place before the first event: "nothing read yet", "the log is empty".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position(u64);

impl Position {
    /// Before the first event.
    pub const START: Position = Position(0);
    /// The first event.
    pub const FIRST: Position = Position(1);
    /// Above every position that can occur: an open upper bound.
    pub const MAX: Position = Position(u64::MAX);

    /// The position with this number.
    pub const fn new(number: u64) -> Self {
        Position(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position after this one; stays at [`Position::MAX`].
    #[must_use]
    pub const fn next(self) -> Self {
        Position(self.0.saturating_add(1))
    }

    /// The position before this one; stays at [`Position::START`].
    #[must_use]
    pub const fn previous(self) -> Self {
        Position(self.0.saturating_sub(1))
    }

    /// The position `count` events further on; stays at [`Position::MAX`].
    #[must_use]
    pub const fn advanced_by(self, count: u64) -> Self {
        Position(self.0.saturating_add(count))
    }

    /// How many events lie from here up to `later`; 0 when `later` is not later.
    pub const fn distance_to(self, later: Position) -> u64 {
        later.0.saturating_sub(self.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// An event's place in its stream: dense, the first event is 1. [`Version::NONE`] (0) is a stream without events.
///
/// A stream holds at most `u32::MAX` events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Version(u32);

impl Version {
    /// No event yet.
    pub const NONE: Version = Version(0);
    /// The first event of a stream.
    pub const FIRST: Version = Version(1);
    /// The highest version a stream can reach.
    pub const MAX: Version = Version(u32::MAX);

    /// The version with this number.
    pub const fn new(number: u32) -> Self {
        Version(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The version after this one, or `None` at [`Version::MAX`].
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(Version(number)),
            None => None,
        }
    }

    /// How many events lie from here up to `later`; 0 when `later` is not later.
    pub const fn distance_to(self, later: Version) -> u32 {
        later.0.saturating_sub(self.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A segment's number: dense, the first segment of a log is 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SegmentId(u64);

impl SegmentId {
    /// The first segment of a log.
    pub const FIRST: SegmentId = SegmentId(1);
    /// Above every segment.
    pub const MAX: SegmentId = SegmentId(u64::MAX);

    /// The segment with this number.
    pub const fn new(number: u64) -> Self {
        SegmentId(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The segment after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        SegmentId(self.0 + 1)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:012}", self.0)
    }
}

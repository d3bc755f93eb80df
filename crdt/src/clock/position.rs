//! A place in the depot's log, as far as causality needs it.

use crate::wire::{DecodeError, Reader, Wire, Writer};
use std::fmt;

/// The number of a log record: dense, the first is 1; 0 is before the first. At most 2^53 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition(u64);

impl LogPosition {
    /// Before the first record: nothing was seen.
    pub const START: LogPosition = LogPosition(0);

    /// The position with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Wire for LogPosition {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.0);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.exact("log position").map(Self)
    }
}

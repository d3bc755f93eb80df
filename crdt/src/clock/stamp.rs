//! The hybrid logical stamp: milliseconds and a counter in one number that sorts.

use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Milliseconds since 1970 in the upper 48 bits, a counter in the lower 16.
///
/// The counter orders writes within one millisecond and carries into the milliseconds when it is full, so a stamp is a
/// plain number: larger is later. Source: Kulkarni et al., *Logical Physical Clocks*, 2014.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

const COUNTER_BITS: u32 = 16;

impl Stamp {
    /// Before every write.
    pub const ZERO: Stamp = Stamp(0);
    /// After every write.
    pub const MAX: Stamp = Stamp(u64::MAX);
    /// Largest millisecond count a stamp can carry: the year 10889.
    pub const MILLIS_MAX: u64 = (1 << 48) - 1;

    /// 2020-01-01 in milliseconds: where encodings start to count, so that a present time is two bytes shorter.
    pub const EPOCH_MILLIS: u64 = 1_577_836_800_000;

    /// The stamp of `millis` (cut at [`Stamp::MILLIS_MAX`]) and `counter`.
    pub const fn new(millis: u64, counter: u16) -> Self {
        let millis = if millis > Self::MILLIS_MAX {
            Self::MILLIS_MAX
        } else {
            millis
        };
        Self((millis << COUNTER_BITS) | counter as u64)
    }

    /// The stamp with these 64 bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its 64 bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    /// The place within the millisecond.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lower 16 bits are the counter"
    )]
    pub const fn counter(self) -> u16 {
        self.0 as u16
    }

    /// The next stamp; the counter carries into the milliseconds. Stays at [`Stamp::MAX`].
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The stamp before. Stays at [`Stamp::ZERO`].
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The last stamp of a millisecond.
    #[must_use]
    pub const fn end_of_millisecond(millis: u64) -> Self {
        Self::new(millis, u16::MAX)
    }

    /// This stamp moved into `[earliest, latest]` (earliest wins when they cross).
    #[must_use]
    pub fn clamped(self, earliest: Stamp, latest: Stamp) -> Self {
        self.min(latest).max(earliest)
    }
}

/// Eight bytes big-endian: byte order is stamp order.
impl Wire for Stamp {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.0.to_be_bytes());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.raw(8)?;
        Ok(Self(u64::from_be_bytes(
            bytes.try_into().map_err(|_| DecodeError::UnexpectedEnd)?,
        )))
    }
}

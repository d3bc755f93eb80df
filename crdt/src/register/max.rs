//! The max register with a correction epoch: a reading that only rises, and can still be mended.
//!
//! A plain maximum is poisoned for ever by one typo. Here an authorised correction opens a new epoch, and the epoch
//! counts first: within one epoch the register only rises, a correction may lower it.

use crate::lattice::Lattice;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// The greatest (epoch, value) seen. A mileage in kilometres, operating hours, cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MaxRegister {
    reading: Option<(u32, i64)>,
}

impl MaxRegister {
    /// A register with this reading.
    pub const fn of(epoch: u32, value: i64) -> Self {
        Self {
            reading: Some((epoch, value)),
        }
    }

    /// The greatest value of the latest epoch.
    pub fn value(&self) -> Option<i64> {
        self.reading.map(|(_, value)| value)
    }

    /// How often the reading was corrected.
    pub fn epoch(&self) -> u32 {
        self.reading.map_or(0, |(epoch, _)| epoch)
    }

    /// Reports a reading in the current epoch and returns the delta. A lower reading has no effect.
    pub fn raise(&mut self, value: i64) -> Self {
        let delta = Self::of(self.epoch(), value);
        self.join(&delta);
        delta
    }

    /// Replaces the reading, up or down, by opening a new epoch, and returns the delta. At the last epoch (2^32 - 1)
    /// it can only raise.
    pub fn correct(&mut self, value: i64) -> Self {
        let delta = Self::of(self.epoch().saturating_add(1), value);
        self.join(&delta);
        delta
    }
}

impl Lattice for MaxRegister {
    fn join(&mut self, other: &Self) {
        self.reading = self.reading.max(other.reading);
    }

    fn is_included_in(&self, other: &Self) -> bool {
        self.reading <= other.reading
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        Box::new(self.reading.iter().map(|reading| Self {
            reading: Some(*reading),
        }))
    }
}

/// 0 for no reading; else epoch plus one, then the value as a signed number.
impl Wire for MaxRegister {
    fn encode(&self, writer: &mut Writer) {
        match self.reading {
            None => writer.varint(0),
            Some((epoch, value)) => {
                writer.varint(u64::from(epoch) + 1);
                writer.signed(value);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.varint()?.checked_sub(1) {
            None => Ok(Self::default()),
            Some(epoch) => {
                let epoch =
                    u32::try_from(epoch).map_err(|_| DecodeError::OutOfRange { what: "epoch" })?;
                Ok(Self::of(epoch, reader.signed()?))
            }
        }
    }
}

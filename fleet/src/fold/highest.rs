//! A value that only rises, and that a correction may set right.

use serde::{Deserialize, Serialize};

use crate::event::Stamp;

/// Most readings kept aside from the one that counts. Past it, a correction may miss the readings that were dropped.
pub const READINGS_MAX: usize = 128;

/// A counter of the real world, like an odometer: the highest reading since the last correction.
///
/// Readings come in any order, late ones too, and a maximum does not mind. But a typo would poison a bare maximum for
/// ever, so a correction at a time T makes everything read at or before T void and starts again from its own value.
/// When a correction itself arrives late, the readings after its time must still be known; for that it suffices to keep
/// those readings that no later one reaches. As long as readings rise, that is one.
///
/// The value depends only on the set of readings and corrections, never on their order (within [`READINGS_MAX`]).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Highest {
    correction: Option<Reading>,
    /// Stamps rise strictly, values fall strictly; all stamps are after the correction's.
    readings: Vec<Reading>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Reading {
    stamp: Stamp,
    value: i64,
}

impl Highest {
    /// Takes in a reading.
    pub fn read(&mut self, value: i64, stamp: Stamp) {
        if self
            .correction
            .is_some_and(|correction| stamp <= correction.stamp)
        {
            return;
        }
        let place = self
            .readings
            .partition_point(|reading| reading.stamp < stamp);
        if self
            .readings
            .get(place)
            .is_some_and(|later| later.value >= value)
        {
            return;
        }
        let kept = self.readings[..place].partition_point(|earlier| earlier.value > value);
        let reading = Reading { stamp, value };
        if kept < place {
            // The place of the first that it reaches; as long as readings rise, that is the only one.
            self.readings[kept] = reading;
            self.readings.drain(kept + 1..place);
        } else {
            self.readings.insert(place, reading);
        }
        if self.readings.len() > READINGS_MAX {
            // The first is what counts now and the last is the newest; one between them is missed least.
            self.readings.remove(READINGS_MAX / 2);
        }
    }

    /// Takes in a correction: what was read at or before its stamp is void.
    pub fn correct(&mut self, value: i64, stamp: Stamp) {
        if self
            .correction
            .is_some_and(|correction| stamp <= correction.stamp)
        {
            return;
        }
        self.readings.retain(|reading| reading.stamp > stamp);
        self.correction = Some(Reading { stamp, value });
    }

    /// The value, counting only what came after `since`.
    pub fn value_since(&self, since: Stamp) -> Option<i64> {
        let reading = self.readings.iter().find(|reading| reading.stamp > since);
        let correction = self
            .correction
            .iter()
            .find(|correction| correction.stamp > since);
        reading
            .into_iter()
            .chain(correction)
            .map(|reading| reading.value)
            .max()
    }

    /// The value.
    pub fn value(&self) -> Option<i64> {
        self.value_since(Stamp::NEVER)
    }
}

//! What happened: four events a vehicle and day over five years, in the order of time.

use fleet::calendar::{DAY, HOUR};

use crate::seed::SplitMix64;

/// 2021-11-01T00:00:00Z.
pub(super) const FIRST: i64 = 1_635_724_800_000_000;
const SEED: u64 = 7;
/// Depots, and kinds of events.
pub(super) const DEPOTS: u64 = 25;
pub(super) const KINDS: u64 = 12;
/// Amounts lie below this.
pub(super) const AMOUNT_MAX: u64 = 64_000;

/// How large the fleet is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fleet {
    pub(super) vehicles: u64,
    pub(super) days: u64,
}

/// One of a vehicle's four events of a day.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// It goes down in the morning, one day in twenty.
    Down,
    /// It runs.
    Runs,
    /// Its odometer is read, at so many kilometres.
    Read(i32),
    /// Something befalls it.
    Incident { failure: bool },
    /// An order is made for it; the next one of the same number closes it.
    OrderMade(u64),
    /// The order is closed, at this cost in hundredths.
    OrderClosed(u64, i64),
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happened {
    pub(super) at: i64,
    pub(super) vehicle: u64,
    pub(super) what: What,
}

impl Fleet {
    pub(super) fn events(self) -> u64 {
        self.vehicles * self.days * 4
    }

    /// The end of the last day.
    pub(super) fn end(self) -> i64 {
        FIRST + i64::try_from(self.days).unwrap_or(0) * DAY
    }

    /// Calls `visit` with each event, day by day, in the order of time within each hour.
    pub(super) fn each<E>(self, mut visit: impl FnMut(Happened) -> Result<(), E>) -> Result<(), E> {
        let mut chance = SplitMix64::new(SEED);
        let mut orders = 0;
        for day in 0..self.days {
            let begin = FIRST + i64::try_from(day).unwrap_or(0) * DAY;
            for hour in [4, 6, 12, 20] {
                for vehicle in 0..self.vehicles {
                    let draw = chance.draw();
                    let what = self.what(day, hour, draw, &mut orders);
                    let at = begin + hour * HOUR + i64::try_from(vehicle).unwrap_or(0) * 1_000_000;
                    visit(Happened { at, vehicle, what })?;
                }
            }
        }
        Ok(())
    }

    fn what(self, day: u64, hour: i64, draw: u64, orders: &mut u64) -> What {
        match hour {
            4 if draw.is_multiple_of(20) => What::Down,
            4 | 6 => What::Runs,
            12 => What::Read(i32::try_from(day * 400 + draw % 300).unwrap_or(0)),
            _ if draw % 10 < 3 => What::Incident {
                failure: draw.is_multiple_of(3),
            },
            _ if draw % 10 < 6 => {
                *orders += 1;
                What::OrderMade(*orders)
            }
            // Closes one of those that were made long enough ago, or makes nothing new of it.
            _ if *orders > self.vehicles * 2 => {
                let number = *orders - self.vehicles - draw % (self.vehicles / 2 + 1);
                let cost = i64::try_from(draw % 900_000).unwrap_or(0);
                What::OrderClosed(number, cost)
            }
            _ => What::Incident { failure: false },
        }
    }
}

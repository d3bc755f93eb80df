//! The month that a report is of.

use chrono_tz::Tz;
use fleet::calendar;
use storage::Timestamp;

use crate::figures::{Interval, edges, local_month};
use crate::http::problem::{Kind, Problem};

/// Within every month, in whatever zone: microseconds from its first moment in UTC.
const INTO_THE_MONTH: i64 = 14 * 86_400_000_000;

/// A month of the depot's time.
#[derive(Clone, Debug)]
pub(super) struct Month {
    /// As it was asked for, `2026-10`.
    pub period: String,
    /// Its first moment, microseconds UTC.
    pub from: i64,
    /// The first moment of the next.
    pub until: i64,
}

impl Month {
    /// The month that `period` names.
    ///
    /// # Errors
    /// When it names none; parameters are checked before.
    pub(super) fn of(period: &str, zone: Tz) -> Result<Self, Problem> {
        let none = || Problem::new(Kind::BadRequest, format!("'{period}' is no month"));
        let (first, _) = calendar::parse_month(period).ok_or_else(none)?;
        let within = Timestamp::from_micros(first + INTO_THE_MONTH);
        let behind = Timestamp::from_micros(within.micros() + 1);
        let edges = edges(zone, Interval::Month, within, behind, 1).ok_or_else(none)?;
        match edges.as_slice() {
            [from, until, ..] => Ok(Month {
                period: period.to_owned(),
                from: *from,
                until: *until,
            }),
            _ => Err(none()),
        }
    }

    /// The name of the month of `now`.
    pub(super) fn present(now: Timestamp, zone: Tz) -> String {
        local_month(zone, now.micros())
    }

    /// Whether the month holds this moment.
    pub(super) fn holds(&self, micros: i64) -> bool {
        (self.from..self.until).contains(&micros)
    }
}

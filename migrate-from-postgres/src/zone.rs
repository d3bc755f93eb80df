//! The time zone that the old server's sessions had: what a client's time without a zone is to be understood in.
//!
//! Times that the old server wrote itself are UTC whatever the session said; times that clients sent with a zone were
//! turned into the session's before the zone was dropped.

use std::str::FromStr;

use chrono::{DateTime, LocalResult, TimeZone};
use chrono_tz::Tz;

/// A time zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Zone {
    /// The one that was documented.
    #[default]
    Utc,
    /// Another.
    Named(Tz),
}

/// A clock's time as a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Understood {
    /// Microseconds since 1970 UTC.
    At(i64),
    /// The clock showed it twice, as summer time ended: the first time.
    Twice(i64),
    /// No clock showed it, as summer time began: the moment an hour later on the clock.
    Never(i64),
}

/// No zone has this name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no time zone is called {0}; names are those of the IANA database, Europe/Berlin")]
pub struct UnknownZone(String);

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        if matches!(
            name.to_ascii_uppercase().as_str(),
            "UTC" | "ETC/UTC" | "GMT" | "ETC/GMT" | "ZULU" | "ETC/UCT"
        ) {
            return Ok(Zone::Utc);
        }
        match Tz::from_str(name) {
            Ok(zone) => Ok(Zone::Named(zone)),
            Err(_) => Err(UnknownZone(name.to_owned())),
        }
    }
}

impl Zone {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Zone::Utc => "UTC",
            Zone::Named(zone) => zone.name(),
        }
    }

    /// What a clock of this zone shows at a moment: microseconds since 1970-01-01T00:00:00 of that clock.
    pub fn clock_at(self, moment: i64) -> i64 {
        let Zone::Named(zone) = self else {
            return moment;
        };
        let time = DateTime::from_timestamp_micros(moment);
        time.map_or(moment, |time| {
            let local = time.with_timezone(&zone).naive_local();
            local.and_utc().timestamp_micros()
        })
    }

    /// The moment when a clock of this zone shows `clock`: microseconds since 1970-01-01T00:00:00 of that clock.
    pub fn understand(self, clock: i64) -> Understood {
        let Zone::Named(zone) = self else {
            return Understood::At(clock);
        };
        let Some(naive) = DateTime::from_timestamp_micros(clock).map(|time| time.naive_utc())
        else {
            return Understood::At(clock);
        };
        match zone.from_local_datetime(&naive) {
            LocalResult::Single(time) => Understood::At(time.timestamp_micros()),
            LocalResult::Ambiguous(first, _) => Understood::Twice(first.timestamp_micros()),
            LocalResult::None => {
                let later = zone.from_local_datetime(&(naive + chrono::TimeDelta::hours(1)));
                let moment = later
                    .earliest()
                    .map_or(clock, |time| time.timestamp_micros());
                Understood::Never(moment)
            }
        }
    }
}

#[cfg(test)]
mod tests;

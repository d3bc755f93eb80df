//! Times as they stand in an operator's file: the clock on the wall, in the zone where it hangs.
//!
//! Once a year a wall clock skips an hour and once it shows an hour twice. A time in the skipped hour never was: it is read
//! by the clock before the change (02:30 becomes what 03:30 is after it). A time in the doubled hour is the first of the
//! two. Both rules give one answer, always the same, and keep the order of a file that was written without a doubt.
//!
//! Zones are those of the IANA time zone database, as compiled into chrono-tz.

use chrono::{NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;
use storage::Timestamp;

use crate::rfc3339;

/// How far back to look for the clock before a change. Larger than every hour that was ever skipped; the second reaches
/// behind the one day that Samoa skipped in 2011.
const BEFORE_CHANGE: [TimeDelta; 2] = [TimeDelta::hours(3), TimeDelta::hours(27)];

/// How texts of one kind are read.
#[derive(Clone, Debug)]
pub(super) struct LocalTime {
    /// In strftime's letters; `None`: RFC 3339, which names its offset itself.
    format: Option<String>,
    zone: Tz,
}

impl LocalTime {
    /// By this format, by the clocks of this zone.
    pub(super) fn new(format: Option<&str>, zone: Option<&str>) -> Result<Self, String> {
        let zone_name = zone.unwrap_or("UTC");
        let zone = zone_name
            .parse()
            .map_err(|_| format!("there is no time zone {zone_name:?}"))?;
        if let Some(format) = format
            && chrono::format::StrftimeItems::new(format)
                .any(|item| item == chrono::format::Item::Error)
        {
            return Err(format!("{format:?} is no format of a time"));
        }
        Ok(LocalTime {
            format: format.map(str::to_owned),
            zone,
        })
    }

    /// The moment that this text means.
    pub(super) fn parse(&self, text: &str) -> Result<Timestamp, String> {
        let Some(format) = &self.format else {
            return rfc3339::parse(text).map_err(|error| format!("the time {text:?} {error}"));
        };
        let local = NaiveDateTime::parse_from_str(text, format)
            .map_err(|error| format!("the time {text:?} does not read like {format:?}: {error}"))?;
        let utc = self
            .utc_of(local)
            .ok_or_else(|| format!("the time {text:?} cannot be placed in {}", self.zone))?;
        Ok(Timestamp::from_micros(utc.and_utc().timestamp_micros()))
    }

    fn utc_of(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        if let Some(known) = self.zone.from_local_datetime(&local).earliest() {
            return Some(known.naive_utc());
        }
        let offsets = BEFORE_CHANGE.iter().filter_map(|back| {
            let before = local.checked_sub_signed(*back)?;
            Some(
                self.zone
                    .from_local_datetime(&before)
                    .earliest()?
                    .offset()
                    .fix(),
            )
        });
        offsets
            .filter_map(|offset| local.checked_sub_offset(offset))
            .next()
    }
}

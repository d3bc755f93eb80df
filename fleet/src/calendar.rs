//! Calendar dates and RFC 3339 times as numbers, and back. Pure: what time it is now is asked elsewhere.
//!
//! Times are microseconds since 1970-01-01T00:00:00Z without leap seconds; days count from 1970-01-01. The proleptic
//! Gregorian calendar in integer arithmetic follows Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
//! `days_from_civil` and `civil_from_days`.

#[cfg(test)]
mod tests;

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day.
pub const DAY: i64 = 24 * HOUR;

/// The first year that a time or date may lie in.
pub const YEAR_MIN: i64 = 1;
/// The last year that a time or date may lie in.
pub const YEAR_MAX: i64 = 9999;

/// A date of the proleptic Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Date {
    /// [`YEAR_MIN`] to [`YEAR_MAX`].
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 28, 29, 30 or 31.
    pub day: i64,
}

impl Date {
    /// The date with these parts; `None` where the calendar has none.
    pub fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let exists = (YEAR_MIN..=YEAR_MAX).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        exists.then_some(Date { year, month, day })
    }

    /// Days since 1970-01-01.
    #[inline]
    pub fn days(self) -> i64 {
        // The year begins in March here, so that the leap day is its last.
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The date that lies `days` days after 1970-01-01. The year may leave the range of [`Date::new`].
    #[inline]
    pub fn from_days(days: i64) -> Self {
        let shifted = days.saturating_add(719_468);
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Date { year, month, day }
    }

    /// 0 (Monday) to 6 (Sunday).
    pub fn weekday(self) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.days() + 3).rem_euclid(7)
    }

    /// The first microsecond of this day, UTC.
    pub fn micros(self) -> i64 {
        self.days() * DAY
    }
}

/// The date of the moment `micros`, UTC.
pub fn date_of(micros: i64) -> Date {
    Date::from_days(micros.div_euclid(DAY))
}

/// The date that a time stands for where it is a date alone: midnight UTC, as which [`parse_time`] reads one.
pub fn date_alone(micros: i64) -> Option<Date> {
    (micros.rem_euclid(DAY) == 0).then(|| date_of(micros))
}

/// Reads `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    Date::new(
        digits(&bytes[..4])?,
        digits(&bytes[5..7])?,
        digits(&bytes[8..])?,
    )
}

/// Reads a time: RFC 3339, the same without an offset (taken as UTC) or without seconds, or a date alone (its first
/// microsecond). Digits past the microsecond are cut. `None` for anything else, and for years out of range, also when
/// only the offset carries the moment there.
pub fn parse_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() == 10 {
        return parse_date(text).map(Date::micros);
    }
    let date = parse_date(text.get(..10)?)?;
    if !matches!(bytes.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let (clock, rest) = parse_clock(bytes.get(11..)?)?;
    let moment = date.micros() + clock - parse_offset(rest)?;
    (YEAR_MIN..=YEAR_MAX)
        .contains(&date_of(moment).year)
        .then_some(moment)
}

/// Writes a moment as `YYYY-MM-DDTHH:MM:SS.ffffffZ`. Moments before year 1 or after year 9999 are held at those ends.
pub fn format_time(micros: i64) -> String {
    let earliest = Date {
        year: YEAR_MIN,
        month: 1,
        day: 1,
    }
    .micros();
    let latest = Date {
        year: YEAR_MAX,
        month: 12,
        day: 31,
    }
    .micros()
        + DAY
        - 1;
    let held = micros.clamp(earliest, latest);
    let date = date_of(held);
    let of_day = held.rem_euclid(DAY);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        date.year,
        date.month,
        date.day,
        of_day / HOUR,
        of_day % HOUR / MINUTE,
        of_day % MINUTE / SECOND,
        of_day % SECOND
    )
}

/// The month of the moment `micros`, UTC, as `YYYY-MM`.
pub fn month_of(micros: i64) -> String {
    let date = date_of(micros);
    format!("{:04}-{:02}", date.year, date.month)
}

/// Reads `YYYY-MM` and gives the first microsecond of that month and of the next, UTC.
pub fn parse_month(text: &str) -> Option<(i64, i64)> {
    if text.len() != 7 {
        return None;
    }
    let first = parse_date(&format!("{text}-01"))?;
    let days = days_in_month(first.year, first.month);
    Some((first.micros(), first.micros() + days * DAY))
}

/// Writes a date as `YYYY-MM-DD`.
pub fn format_date(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// Reads `HH:MM[:SS[.f…]]` and gives microseconds of the day and what follows.
fn parse_clock(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let hour = digits(bytes.get(..2)?)?;
    let minute = digits(bytes.get(3..5)?)?;
    if bytes[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let mut rest = bytes.get(5..)?;
    let mut micros = hour * HOUR + minute * MINUTE;
    if rest.first() == Some(&b':') {
        let second = digits(rest.get(1..3)?)?;
        if second > 59 {
            return None;
        }
        micros += second * SECOND;
        rest = rest.get(3..)?;
        if matches!(rest.first(), Some(b'.' | b',')) {
            let length = rest[1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if length == 0 {
                return None;
            }
            let kept = length.min(6);
            let fraction = digits(&rest[1..=kept])?;
            micros += (kept..6).fold(fraction, |value, _| value * 10);
            rest = &rest[1 + length..];
        }
    }
    Some((micros, rest))
}

/// Reads what follows the clock: nothing, `Z`, or `±HH:MM`. Gives microseconds east of UTC.
fn parse_offset(bytes: &[u8]) -> Option<i64> {
    match bytes {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hour, minute) = match rest {
                [_, _, b':', _, _] => (digits(&rest[..2])?, digits(&rest[3..])?),
                [_, _, _, _] => (digits(&rest[..2])?, digits(&rest[2..])?),
                [_, _] => (digits(rest)?, 0),
                _ => return None,
            };
            if hour > 23 || minute > 59 {
                return None;
            }
            let east = hour * HOUR + minute * MINUTE;
            Some(if *sign == b'-' { -east } else { east })
        }
        _ => None,
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0_i64, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

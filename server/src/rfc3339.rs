//! Times at the edge: RFC 3339 text outside, [`Timestamp`] inside.
//!
//! Every answer carries times as `2019-03-01T08:15:30.123456Z`: UTC, always six decimals, always `Z`. What is read is
//! wider: any offset, a date alone, and a time without an offset, which is taken as UTC. Years 1 to 9999 only, so that
//! whatever was accepted can be written back.
//!
//! Written by hand because it is done twice for every event of an answer: a library's formatter costs more than
//! reading the event from the log.

use storage::Timestamp;

#[cfg(test)]
mod tests;

/// Bytes of a written timestamp.
pub const TEXT_BYTES: usize = 27;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

/// The earliest time that can be written: the first microsecond of year 1.
pub const EARLIEST: Timestamp = Timestamp::from_micros(-62_135_596_800 * MICROS_PER_SECOND);
/// The latest time that can be written: the last microsecond of year 9999.
pub const LATEST: Timestamp = Timestamp::from_micros(253_402_300_800 * MICROS_PER_SECOND - 1);

/// Why a text is not a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TimestampError {
    /// Not the shape of RFC 3339.
    #[error("is not an ISO 8601 date or time, like 2019-03-01T08:15:30Z or 2019-03-01")]
    Shape,
    /// The shape fits, a number in it does not: month 13, 30 February, hour 24.
    #[error("names a day or a time of day that does not exist")]
    Calendar,
    /// Outside the years 1 to 9999, or beyond them in UTC.
    #[error("lies outside the years 1 to 9999")]
    Range,
}

/// Appends `time` as text; one outside the years 1 to 9999 is written as the nearest time inside.
pub fn write(time: Timestamp, out: &mut Vec<u8>) {
    out.extend_from_slice(&text(time));
}

/// `time` as text, in a string of its own.
pub fn to_string(time: Timestamp) -> String {
    text(time).iter().map(|byte| char::from(*byte)).collect()
}

/// The 27 ASCII bytes of `time`.
pub fn text(time: Timestamp) -> [u8; TEXT_BYTES] {
    let micros = time.clamp(EARLIEST, LATEST).micros();
    let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_PER_DAY));
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (of_day / MICROS_PER_SECOND, of_day % MICROS_PER_SECOND);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let pairs = [
        (0, year / 100),
        (2, year),
        (5, month),
        (8, day),
        (11, seconds / 3_600),
        (14, seconds / 60 % 60),
        (17, seconds % 60),
        (20, fraction / 10_000),
        (22, fraction / 100),
        (24, fraction),
    ];
    for (place, number) in pairs {
        text[place..place + 2].copy_from_slice(&digits_of(number));
    }
    text
}

/// The last two digits of a number that is not negative.
fn digits_of(number: i64) -> [u8; 2] {
    let number = u8::try_from(number % 100).unwrap_or(0);
    [b'0' + number / 10, b'0' + number % 10]
}

/// Reads a time: `YYYY-MM-DD`, or that with `T` or a space and `hh:mm`, `hh:mm:ss` or `hh:mm:ss.f…`, then nothing
/// (UTC), `Z` or an offset `±hh:mm`, `±hhmm`, `±hh`. Decimals below the microsecond are cut off. A leap second is read
/// as the second after it. A space in the place of the offset's `+` is read as `+`: that is what an unescaped `+`
/// in a query string has become by the time it is read.
///
/// # Errors
/// See [`TimestampError`].
pub fn parse(text: &str) -> Result<Timestamp, TimestampError> {
    let mut reader = Digits {
        rest: text.as_bytes(),
    };
    let year = reader.number(4)?;
    reader.expect(b"-")?;
    let month = reader.number(2)?;
    reader.expect(b"-")?;
    let day = reader.number(2)?;
    let mut micros = 0;
    let mut offset_minutes = 0;
    if !reader.rest.is_empty() {
        reader.expect(b"Tt ")?;
        micros = time_of_day(&mut reader)?;
        offset_minutes = offset(&mut reader)?;
    }
    if !reader.rest.is_empty() {
        // `12024-…` fails above at the first dash; here it is rubbish behind a whole time.
        return Err(TimestampError::Shape);
    }
    if year == 0 {
        return Err(TimestampError::Range);
    }
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return Err(TimestampError::Calendar);
    }
    let total = days_from_civil(year, month, day) * MICROS_PER_DAY + micros
        - offset_minutes * 60 * MICROS_PER_SECOND;
    let time = Timestamp::from_micros(total);
    if time < EARLIEST || time > LATEST {
        return Err(TimestampError::Range);
    }
    Ok(time)
}

/// Microseconds since midnight.
fn time_of_day(reader: &mut Digits<'_>) -> Result<i64, TimestampError> {
    let hour = reader.number(2)?;
    reader.expect(b":")?;
    let minute = reader.number(2)?;
    let mut second = 0;
    let mut fraction = 0;
    if reader.rest.first() == Some(&b':') {
        reader.expect(b":")?;
        second = reader.number(2)?;
        if matches!(reader.rest.first(), Some(b'.' | b',')) {
            reader.expect(b".,")?;
            fraction = reader.fraction()?;
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return Err(TimestampError::Calendar);
    }
    Ok((hour * 3_600 + minute * 60 + second) * MICROS_PER_SECOND + fraction)
}

/// Minutes east of Greenwich; 0 where none is given.
fn offset(reader: &mut Digits<'_>) -> Result<i64, TimestampError> {
    let sign = match reader.rest.first() {
        None => return Ok(0),
        Some(b'Z' | b'z') => {
            reader.expect(b"Zz")?;
            return Ok(0);
        }
        Some(b'-') => -1,
        _ => 1,
    };
    reader.expect(b"+- ")?;
    let hours = reader.number(2)?;
    if reader.rest.first() == Some(&b':') {
        reader.expect(b":")?;
    }
    let minutes = if reader.rest.is_empty() {
        0
    } else {
        reader.number(2)?
    };
    if hours > 23 || minutes > 59 {
        return Err(TimestampError::Calendar);
    }
    Ok(sign * (hours * 60 + minutes))
}

/// What is left of the text.
struct Digits<'a> {
    rest: &'a [u8],
}

impl Digits<'_> {
    /// Exactly `count` digits, of which there are at most four.
    fn number(&mut self, count: usize) -> Result<i64, TimestampError> {
        let Some((digits, rest)) = self.rest.split_at_checked(count) else {
            return Err(TimestampError::Shape);
        };
        self.rest = rest;
        digits.iter().try_fold(0, |number, digit| match digit {
            b'0'..=b'9' => Ok(number * 10 + i64::from(digit - b'0')),
            _ => Err(TimestampError::Shape),
        })
    }

    /// One byte that is among `allowed`.
    fn expect(&mut self, allowed: &[u8]) -> Result<(), TimestampError> {
        match self.rest.split_first() {
            Some((byte, rest)) if allowed.contains(byte) => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(TimestampError::Shape),
        }
    }

    /// The decimals of a second as microseconds: at least one digit, those after the sixth are dropped.
    fn fraction(&mut self) -> Result<i64, TimestampError> {
        let length = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if length == 0 {
            return Err(TimestampError::Shape);
        }
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok((0..6).fold(0, |micros, place| {
            micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'))
        }))
    }
}

const fn is_leap_year(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to this day of the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`. Years begin in March
/// there, so that the leap day is a year's last; an era is 400 years of 146,097 days.
pub(crate) const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The (year, month, day) this many days after 1970-01-01; the inverse of [`days_from_civil`], from the same source.
pub(crate) const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
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
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

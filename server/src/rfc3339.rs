//! Times at the edge: RFC 3339 text outside, [`Timestamp`] inside.
//!
//! Every answer carries times as `2019-03-01T08:15:30.123456Z`: UTC, always six decimals, always `Z`. What is read is
//! wider: any offset, a date alone, and a time without an offset, which is taken as UTC. Years 1 to 9999 only, so that
//! whatever was accepted can be written back.
//!
//! Written by hand because it is done twice for every event of an answer: a library's formatter costs more than
//! reading the event from the log.

use fleet::calendar::{DAY, Date, HOUR, MINUTE, SECOND};
use storage::Timestamp;

#[cfg(test)]
mod tests;

/// Bytes of a written timestamp.
pub const TEXT_BYTES: usize = 27;

/// The earliest time that can be written: the first microsecond of year 1.
pub const EARLIEST: Timestamp = Timestamp::from_micros(-62_135_596_800 * SECOND);
/// The latest time that can be written: the last microsecond of year 9999.
pub const LATEST: Timestamp = Timestamp::from_micros(253_402_300_800 * SECOND - 1);

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
    let date = Date::from_days(micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    let (seconds, fraction) = (of_day / SECOND, of_day % SECOND);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let pairs = [
        (0, date.year / 100),
        (2, date.year),
        (5, date.month),
        (8, date.day),
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
    let date = Date::new(year, month, day).ok_or(TimestampError::Calendar)?;
    let time = Timestamp::from_micros(date.micros() + micros - offset_minutes * MINUTE);
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
    Ok(hour * HOUR + minute * MINUTE + second * SECOND + fraction)
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

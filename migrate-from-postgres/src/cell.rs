//! A column's value: from the bytes of the wire to what a field of an event can hold. Pure.

use std::borrow::Cow;

use fleet::calendar::{self, Date};
use serde_json::Value;

use crate::finding::Treatment;
use crate::json;
use crate::shape::Wire;
use crate::source::value::{self, Moment};
use crate::tables::Kind;
use crate::zone::{Understood, Zone};

/// A value that a field can hold, or the text of one that it cannot.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Uuid([u8; 16]),
    Whole(i64),
    Real(f64),
    Truth(bool),
    /// Microseconds since 1970 UTC, in the years 1 to 9999.
    Time(i64),
    /// JSON as it stood there, and whether PostgreSQL itself has checked it.
    Json(&'a [u8], bool),
    /// What the field cannot hold.
    Odd(Cow<'a, str>, Treatment),
}

/// A value, and what there is to say about how it was read.
pub(crate) type Read<'a> = (Cell<'a>, Option<Treatment>);

/// Reads the bytes of a column that is meant as `kind` and came as `wire`. Clients' times without a zone are
/// understood in `zone`.
pub(crate) fn read<'a>(kind: Kind, wire: Wire, bytes: &'a [u8], zone: Zone) -> Read<'a> {
    let read = match wire {
        Wire::Uuid => <[u8; 16]>::try_from(bytes)
            .ok()
            .map(|uuid| (Cell::Uuid(uuid), None)),
        Wire::Bool => value::boolean(bytes).map(|truth| (Cell::Truth(truth), None)),
        Wire::Integer => value::integer(bytes).map(|number| match kind {
            // JSON has one kind of number, but 84 and 84.0 are not written alike.
            #[expect(
                clippy::cast_precision_loss,
                reason = "a measurement, and the column is a float elsewhere"
            )]
            Kind::Real => (Cell::Real(number as f64), None),
            _ => (Cell::Whole(number), None),
        }),
        Wire::Float => value::float(bytes).map(real),
        Wire::Numeric => numeric(bytes),
        Wire::Timestamp => value::timestamp(bytes).map(|moment| match kind {
            Kind::ClientTime => time(moment, zone),
            _ => time(moment, Zone::Utc),
        }),
        Wire::TimestampTz => value::timestamp(bytes).map(|moment| time(moment, Zone::Utc)),
        Wire::Date => value::date(bytes).map(|moment| time(moment, Zone::Utc)),
        Wire::Jsonb => value::jsonb(bytes).map(|text| (Cell::Json(text, true), None)),
        Wire::Json => Some((Cell::Json(bytes, true), None)),
        Wire::Text => Some(text(kind, bytes)),
    };
    read.unwrap_or_else(|| odd(String::from_utf8_lossy(bytes), Treatment::ValueUnreadable))
}

fn odd(text: Cow<'_, str>, treatment: Treatment) -> Read<'_> {
    (Cell::Odd(text, treatment), Some(treatment))
}

fn real<'a>(number: f64) -> Read<'a> {
    if number.is_finite() {
        return (Cell::Real(number), None);
    }
    let text = match number {
        _ if number.is_nan() => "NaN",
        _ if number > 0.0 => "Infinity",
        _ => "-Infinity",
    };
    odd(text.into(), Treatment::NotANumber)
}

fn numeric<'a>(bytes: &[u8]) -> Option<Read<'a>> {
    let mut digits = Vec::with_capacity(16);
    let is_number = value::numeric(bytes, &mut digits)?;
    let digits = String::from_utf8(digits).ok()?;
    Some(match is_number {
        true => (Cell::Text(digits.into()), None),
        false => odd(digits.into(), Treatment::NotANumber),
    })
}

fn time<'a>(moment: Moment, zone: Zone) -> Read<'a> {
    let clock = match moment {
        Moment::Infinity => return odd("infinity".into(), Treatment::TimeOutOfRange),
        Moment::NegativeInfinity => return odd("-infinity".into(), Treatment::TimeOutOfRange),
        Moment::At(clock) => clock,
    };
    let (micros, note) = match zone.understand(clock) {
        Understood::At(micros) => (micros, None),
        Understood::Twice(micros) => (micros, Some(Treatment::TimeTwice)),
        Understood::Never(micros) => (micros, Some(Treatment::TimeNever)),
    };
    match in_range(micros) {
        true => (Cell::Time(micros), note),
        false => odd(far_time(micros).into(), Treatment::TimeOutOfRange),
    }
}

fn in_range(micros: i64) -> bool {
    (calendar::YEAR_MIN..=calendar::YEAR_MAX).contains(&calendar::date_of(micros).year)
}

/// A time that RFC 3339 has no room for, years before the first counted from 0 down.
fn far_time(micros: i64) -> String {
    let Date { year, month, day } = calendar::date_of(micros);
    let of_day = micros.rem_euclid(calendar::DAY);
    let (hour, minute) = (
        of_day / calendar::HOUR,
        of_day % calendar::HOUR / calendar::MINUTE,
    );
    let seconds = of_day % calendar::MINUTE;
    format!(
        "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{:06}Z",
        seconds / calendar::SECOND,
        seconds % calendar::SECOND
    )
}

/// Reads what came as text: words and texts as they are, all else as PostgreSQL's text form of it.
fn text(kind: Kind, bytes: &[u8]) -> Read<'_> {
    let (text, note) = match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) => (String::from_utf8_lossy(bytes), Some(Treatment::TextNotUtf8)),
    };
    let parsed = match kind {
        Kind::Text => return (Cell::Text(text), note),
        Kind::Code(words) => return word(text, words, note),
        Kind::Word(words) => {
            let lower = match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                true => Cow::Owned(text.to_lowercase()),
                false => text,
            };
            return word(lower, words, note);
        }
        Kind::Json => return (Cell::Json(bytes, false), note),
        Kind::Money => decimal(&text),
        Kind::Uuid => uuid::Uuid::parse_str(&text)
            .ok()
            .map(|uuid| (Cell::Uuid(uuid.into_bytes()), None)),
        Kind::Whole => whole(&text).map(|number| (Cell::Whole(number), None)),
        Kind::Real => text.parse().ok().map(real),
        Kind::Truth => truth(&text).map(|truth| (Cell::Truth(truth), None)),
        Kind::Time | Kind::ClientTime => {
            calendar::parse_time(&text).map(|micros| (Cell::Time(micros), None))
        }
    };
    match parsed {
        Some((Cell::Odd(shown, treatment), _)) => odd(shown.into_owned().into(), treatment),
        Some((cell, note)) => (owned(cell), note),
        None => odd(text, Treatment::ValueUnreadable),
    }
}

fn owned<'a>(cell: Cell<'_>) -> Cell<'a> {
    match cell {
        Cell::Null | Cell::Json(..) | Cell::Odd(..) => Cell::Null,
        Cell::Text(text) => Cell::Text(text.into_owned().into()),
        Cell::Uuid(uuid) => Cell::Uuid(uuid),
        Cell::Whole(number) => Cell::Whole(number),
        Cell::Real(number) => Cell::Real(number),
        Cell::Truth(truth) => Cell::Truth(truth),
        Cell::Time(micros) => Cell::Time(micros),
    }
}

fn word<'a>(text: Cow<'a, str>, words: &[&str], note: Option<Treatment>) -> Read<'a> {
    let unknown = !words.contains(&&*text);
    let note = note.or(unknown.then_some(Treatment::UnknownWord));
    (Cell::Text(text), note)
}

/// A whole number, also one that a patched column gives a fraction of zeros.
fn whole(text: &str) -> Option<i64> {
    match text.split_once('.') {
        Some((number, zeros)) if zeros.bytes().all(|byte| byte == b'0') => number.parse().ok(),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

/// An amount that a patched column holds otherwise than as `numeric`.
fn decimal(text: &str) -> Option<Read<'static>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty()
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain && digits.bytes().filter(|byte| *byte == b'.').count() <= 1 {
        return Some((Cell::Text(text.to_owned().into()), None));
    }
    let number: f64 = text.parse().ok()?;
    match number.is_finite() {
        true => Some((Cell::Text(format!("{number}").into()), None)),
        false => Some(real(number)),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "t" | "true" | "TRUE" | "1" | "yes" | "y" | "on" => Some(true),
        "f" | "false" | "FALSE" | "0" | "no" | "n" | "off" => Some(false),
        _ => None,
    }
}

/// Appends a value as an event holds it; `false`, with nothing appended, where it is null or a field cannot hold it.
pub(crate) fn put(cell: &Cell<'_>, out: &mut Vec<u8>) -> Result<bool, Treatment> {
    match cell {
        Cell::Null | Cell::Odd(..) => return Ok(false),
        Cell::Text(text) => json::put_string(text, out),
        Cell::Uuid(bytes) => json::put_uuid(bytes, out),
        Cell::Whole(number) => json::put_integer(*number, out),
        Cell::Real(number) => json::put_real(*number, out),
        Cell::Truth(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Cell::Time(micros) => json::put_time(*micros, out),
        Cell::Json(text, _) if is_null(text) => return Ok(false),
        Cell::Json(text, is_checked) => {
            if !json::put_compact(text, *is_checked, out) {
                json::put_string(&String::from_utf8_lossy(text), out);
                return Err(Treatment::JsonUnreadable);
            }
        }
    }
    Ok(true)
}

/// Whether a JSON text says nothing. The type `json` keeps the blanks around it as they were written.
pub(crate) fn is_null(text: &[u8]) -> bool {
    text.trim_ascii() == b"null"
}

/// Appends a value as a reader of the folded state sees it, to be compared; `false` as in [`put`].
pub(crate) fn put_seen(cell: &Cell<'_>, out: &mut Vec<u8>) -> bool {
    let Cell::Json(text, _) = cell else {
        return put(cell, out).unwrap_or(true);
    };
    if matches!(*text, b"[]" | b"{}") {
        out.extend_from_slice(text);
        return true;
    }
    let mut compact = Vec::with_capacity(text.len());
    match put(cell, &mut compact) {
        Ok(false) => false,
        Ok(true) => {
            match serde_json::from_slice::<Value>(&compact) {
                Ok(value) => json::put_value(&value, out),
                Err(_) => out.extend_from_slice(&compact),
            }
            true
        }
        Err(_) => {
            out.extend_from_slice(&compact);
            true
        }
    }
}

#[cfg(test)]
mod tests;

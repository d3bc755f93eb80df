//! A value as a column takes it: the text form of `COPY`. Pure.

use fleet::calendar::{self, Date};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::target::TargetColumn;
use crate::tables::Kind;
use crate::zone::Zone;

/// What became of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spelled {
    /// It was appended.
    Whole,
    /// Something like it was appended.
    Altered,
    /// Nothing of it can be written; nothing was appended.
    Not,
}

/// Appends a value that is not null, meant as `kind`, as this column takes it. Times of clients go into columns without
/// a zone as `zone` shows them.
pub(super) fn put(
    value: &Value,
    kind: Kind,
    column: &TargetColumn,
    zone: Zone,
    out: &mut Vec<u8>,
) -> Spelled {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => match column.kind.as_str() {
            "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => {
                i32::from(*truth).to_string()
            }
            _ => truth.to_string(),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    match column.kind.as_str() {
        "enum" => {
            let mut labels = column.labels.iter();
            match labels.find(|label| label.eq_ignore_ascii_case(&text)) {
                Some(label) => put_escaped(label, out),
                None => Spelled::Not,
            }
        }
        "json" | "jsonb" => put_escaped(&json(value, &column.kind), out),
        "uuid" => when(uuid::Uuid::try_parse(&text).is_ok(), &text, out),
        "int2" => when(text.parse::<i16>().is_ok(), &text, out),
        "int4" => when(text.parse::<i32>().is_ok(), &text, out),
        "int8" => when(text.parse::<i64>().is_ok(), &text, out),
        "float4" | "float8" | "numeric" => when(text.parse::<f64>().is_ok(), &text, out),
        "bool" => when(
            matches!(text.as_str(), "true" | "false" | "t" | "f" | "1" | "0"),
            &text,
            out,
        ),
        "timestamp" | "timestamptz" | "date" => match moment(&text, kind, &column.kind, zone) {
            Some(text) => put_escaped(&text, out),
            None => Spelled::Not,
        },
        _ => {
            let text = match (kind, value) {
                (Kind::Json, _) => json(value, "json"),
                _ => text,
            };
            put_text(&text, column.chars_max, out)
        }
    }
}

/// Appends the plainest value that the column takes, for one that must have some: 0, false, an empty text, this moment.
pub(super) fn put_plainest(column: &TargetColumn, at: i64, out: &mut Vec<u8>) {
    let text = match column.kind.as_str() {
        "enum" => column.labels.first().cloned().unwrap_or_default(),
        "json" | "jsonb" => "{}".to_owned(),
        "uuid" => uuid::Uuid::nil().to_string(),
        "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" => "0".to_owned(),
        "bool" => "false".to_owned(),
        "timestamp" | "timestamptz" | "date" => calendar::format_time(at),
        _ => String::new(),
    };
    put_escaped(&text, out);
}

fn when(fits: bool, text: &str, out: &mut Vec<u8>) -> Spelled {
    match fits {
        true => put_escaped(text, out),
        false => Spelled::Not,
    }
}

/// JSON as it was taken in: what no strict reader took then stands as a string of what it was.
fn json(value: &Value, kind: &str) -> String {
    if let Value::String(text) = value
        && is_lenient_only(text)
        && (kind == "json" || !text.contains("\\u"))
    {
        return text.clone();
    }
    value.to_string()
}

/// Whether a text is JSON to PostgreSQL and to no strict reader.
pub(super) fn is_lenient_only(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok() && serde_json::from_str::<Value>(text).is_err()
}

/// A moment as PostgreSQL reads it, whatever its year.
fn moment(text: &str, kind: Kind, column: &str, zone: Zone) -> Option<String> {
    if matches!(text, "infinity" | "-infinity") {
        return Some(text.to_owned());
    }
    let micros = calendar::parse_time(text).or_else(|| far_time(text))?;
    let is_local = column == "timestamp" && kind == Kind::ClientTime;
    let micros = if is_local {
        zone.clock_at(micros)
    } else {
        micros
    };
    let Date { year, month, day } = calendar::date_of(micros);
    if (calendar::YEAR_MIN..=calendar::YEAR_MAX).contains(&year) {
        return Some(calendar::format_time(micros));
    }
    // Years before the first are counted down from 0 here, and from 1 before Christ there.
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    let of_day = micros.rem_euclid(calendar::DAY);
    let (hour, minute) = (
        of_day / calendar::HOUR,
        of_day % calendar::HOUR / calendar::MINUTE,
    );
    let (second, micro) = (
        of_day % calendar::MINUTE / calendar::SECOND,
        of_day % calendar::SECOND,
    );
    Some(format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micro:06}+00{era}"
    ))
}

/// A time outside the years 1 to 9999, as an import spells it: microseconds since 1970 UTC.
fn far_time(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (date, time) = rest.strip_suffix('Z')?.split_once('T')?;
    let mut numbers = date.split('-').map(|number| number.parse::<i64>().ok());
    let date = Date {
        year: sign * numbers.next()??,
        month: numbers.next()??,
        day: numbers.next()??,
    };
    // The time of day is spelled as in every other year.
    let of_day = calendar::parse_time(&format!("1970-01-01T{time}Z"))?;
    date.micros().checked_add(of_day)
}

fn put_text(text: &str, chars_max: Option<usize>, out: &mut Vec<u8>) -> Spelled {
    let longest = chars_max.and_then(|max| text.char_indices().nth(max));
    let kept = longest.map_or(text, |(end, _)| &text[..end]);
    match kept.contains('\0') {
        true => put_escaped(&kept.replace('\0', "\u{fffd}"), out),
        false => put_escaped(kept, out),
    };
    match kept.len() == text.len() && !kept.contains('\0') {
        true => Spelled::Whole,
        false => Spelled::Altered,
    }
}

/// Appends a text with what `COPY` sets apart escaped.
pub(super) fn put_escaped(text: &str, out: &mut Vec<u8>) -> Spelled {
    for &byte in text.as_bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            other => out.push(other),
        }
    }
    Spelled::Whole
}

#[cfg(test)]
mod tests;

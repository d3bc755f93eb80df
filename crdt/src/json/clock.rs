//! Times and vector clocks in JSON.

use super::{JsonError, member, object, replica, whole};
use crate::clock::{Dot, DotContext, Run, Stamp, VectorClock};
use crate::replica::Replica;
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};

/// A stamp as RFC 3339 in UTC: milliseconds as a fraction, and a counter as six more digits when it is not 0.
///
/// So a stamp survives JSON, and the text sorts as the stamp does within one millisecond's notation.
pub fn stamp_to_text(stamp: Stamp) -> String {
    let millis = i64::try_from(stamp.millis()).unwrap_or(i64::MAX);
    let time = DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let text = time.to_rfc3339_opts(SecondsFormat::Millis, true);
    match stamp.counter() {
        0 => text,
        counter => format!("{}{counter:06}Z", text.trim_end_matches('Z')),
    }
}

/// The stamp that a time means: RFC 3339 with any offset, without one (taken as UTC), or a date alone. Six digits below
/// the millisecond are the counter; fewer, as other clients write microseconds, count as the counter's microseconds.
/// `None` for anything else, for times before 1970, and for years of five digits, which RFC 3339 has no text for.
pub fn stamp_from_text(text: &str) -> Option<Stamp> {
    let time = parse_time(text).filter(|time| time.year() <= 9_999)?;
    let millis = u64::try_from(time.timestamp_millis())
        .ok()
        .filter(|millis| *millis <= Stamp::MILLIS_MAX)?;
    let below = time.timestamp_subsec_nanos() % 1_000_000;
    let counter = if fraction_digits(text) > 6 {
        below
    } else {
        below / 1000
    };
    Some(Stamp::new(
        millis,
        u16::try_from(counter).unwrap_or(u16::MAX),
    ))
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"));
    let naive = naive.ok().or_else(|| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    });
    naive.map(|naive| naive.and_utc())
}

fn fraction_digits(text: &str) -> usize {
    let Some((_, fraction)) = text.split_once('.') else {
        return 0;
    };
    fraction.bytes().take_while(u8::is_ascii_digit).count()
}

/// A vector clock as `{device_id, clocks}`. The owner is present from the start, with 0.
pub fn vector_clock_to_json<R: Replica>(clock: &VectorClock<R>, owner: &R) -> Json {
    let mut clocks = Map::new();
    clocks.insert(owner.to_text(), json!(0));
    clocks.extend(
        clock
            .iter()
            .map(|(replica, count)| (replica.to_text(), json!(count))),
    );
    json!({ "device_id": owner.to_text(), "clocks": clocks })
}

/// A vector clock from `{device_id, clocks}` or from the flat `{device: count}`.
///
/// # Errors
/// [`JsonError`] for anything else.
pub fn vector_clock_from_json<R: Replica>(json: &Json) -> Result<VectorClock<R>, JsonError> {
    let map = object(json, "")?;
    let clocks = match map.get("clocks") {
        Some(clocks @ Json::Object(_)) => object(clocks, "clocks")?,
        _ => map,
    };
    let mut clock = VectorClock::new();
    for (name, count) in clocks {
        let device = R::from_text(name).ok_or_else(|| JsonError::at(name, "a device id"))?;
        clock.raise(device, whole(count, name)?);
    }
    Ok(clock)
}

/// A context as `{device: [[first, last], …]}`.
pub(super) fn context_to_json<R: Replica>(context: &DotContext<R>) -> Json {
    let runs = |runs: &[Run]| {
        Json::Array(
            runs.iter()
                .map(|run| json!([run.first, run.last]))
                .collect(),
        )
    };
    Json::Object(
        context
            .runs()
            .map(|(replica, of)| (replica.to_text(), runs(of)))
            .collect(),
    )
}

/// The inverse of [`context_to_json`]; runs may come in any order and overlap.
pub(super) fn context_from_json<R: Replica>(json: &Json) -> Result<DotContext<R>, JsonError> {
    let mut context = DotContext::new();
    for (name, runs) in object(json, "context")? {
        let device = R::from_text(name).ok_or_else(|| JsonError::at(name, "a device id"))?;
        for run in super::array(runs, name)? {
            let [first, last] = super::array(run, name)?.as_slice() else {
                return Err(JsonError::at(name, "pairs of first and last"));
            };
            let run = Run {
                first: whole(first, name)?,
                last: whole(last, name)?,
            };
            if run.first == 0 || run.first > run.last {
                return Err(JsonError::at(name, "pairs of first and last, from 1"));
            }
            context.insert_run(device.clone(), run);
        }
    }
    Ok(context)
}

/// The dot in members `device_id` and `counter`.
pub(super) fn dot_from_json<R: Replica>(map: &Map<String, Json>) -> Result<Dot<R>, JsonError> {
    let device = replica(member(map, "device_id")?, "device_id")?;
    match whole(member(map, "counter")?, "counter")? {
        0 => Err(JsonError::at("counter", "a number from 1")),
        counter => Ok(Dot::new(device, counter)),
    }
}

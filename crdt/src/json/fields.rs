//! Registers and counters in JSON, in the contract's shapes.

use super::clock::{stamp_from_text, stamp_to_text, vector_clock_to_json};
use super::{JsonError, member, object, replica, scalar, text};
use crate::clock::{Stamp, VectorClock};
use crate::counter::{GrowCounter, PnCounter};
use crate::entity::ValueType;
use crate::register::LwwRegister;
use crate::replica::Replica;
use crate::value::Value;
use serde_json::{Map, Value as Json, json};

/// `{device_id, clock}` of a state that `owner` hands out, for the members that follow.
pub(super) fn envelope<R: Replica>(owner: &R) -> Map<String, Json> {
    let mut map = Map::new();
    map.insert("device_id".into(), json!(owner.to_text()));
    map.insert(
        "clock".into(),
        vector_clock_to_json(&VectorClock::new(), owner),
    );
    map
}

pub(super) fn write_to_json<R: Replica>(value: &Value, stamp: Stamp, replica: &R) -> Json {
    let value = scalar::value_to_json(value);
    json!({ "value": value, "timestamp": stamp_to_text(stamp), "device_id": replica.to_text() })
}

pub(super) fn write_from_json<R: Replica>(
    json: &Json,
    of: &ValueType,
) -> Result<(Stamp, R, Value), JsonError> {
    let map = object(json, "")?;
    let time = text(member(map, "timestamp")?, "timestamp")?;
    let stamp = stamp_from_text(time).ok_or_else(|| JsonError::at("timestamp", "a time"))?;
    let device = replica(member(map, "device_id")?, "device_id")?;
    let value = scalar::value_from_json(member(map, "value")?, of)
        .map_err(|error| error.inside("value"))?;
    Ok((stamp, device, value))
}

/// A register as `{device_id, clock, value: null | {value, timestamp, device_id}}`.
pub fn lww_to_json<R: Replica>(register: &LwwRegister<R>, owner: &R) -> Json {
    let mut map = envelope(owner);
    let write = register
        .write()
        .map(|write| write_to_json(&write.value, write.stamp, &write.replica));
    map.insert("value".into(), write.unwrap_or(Json::Null));
    Json::Object(map)
}

/// A register from the contract's shape, or from `{value, timestamp, node_id}` as the guide shows it.
///
/// # Errors
/// [`JsonError`] for another shape, a time that is none, or a value the type refuses.
pub fn lww_from_json<R: Replica>(json: &Json, of: &ValueType) -> Result<LwwRegister<R>, JsonError> {
    let map = object(json, "")?;
    if let Some(node) = map.get("node_id") {
        let mut write = map.clone();
        write.insert("device_id".into(), node.clone());
        let (stamp, device, value) = write_from_json(&Json::Object(write), of)?;
        return Ok(LwwRegister::of(stamp, device, value));
    }
    match member(map, "value")? {
        Json::Null => Ok(LwwRegister::default()),
        write => {
            let (stamp, device, value) =
                write_from_json(write, of).map_err(|error| error.inside("value"))?;
            Ok(LwwRegister::of(stamp, device, value))
        }
    }
}

/// A counter as `{device_id, clock, counters: {device: sum}}`.
pub fn grow_counter_to_json<R: Replica>(counter: &GrowCounter<R>, owner: &R) -> Json {
    let mut map = envelope(owner);
    let counters = counter
        .iter()
        .map(|(replica, count)| (replica.to_text(), json!(count)));
    map.insert("counters".into(), Json::Object(counters.collect()));
    Json::Object(map)
}

/// A counter from the contract's shape.
///
/// # Errors
/// [`JsonError`] for another shape or a negative sum.
pub fn grow_counter_from_json<R: Replica>(json: &Json) -> Result<GrowCounter<R>, JsonError> {
    let map = object(json, "")?;
    let mut counter = GrowCounter::default();
    for (name, count) in object(member(map, "counters")?, "counters")? {
        let device = R::from_text(name).ok_or_else(|| JsonError::at(name, "a device id"))?;
        let count = count
            .as_u64()
            .ok_or_else(|| JsonError::at(name, "a sum that is not negative"))?;
        crate::lattice::Lattice::join(&mut counter, &GrowCounter::of(device, count));
    }
    Ok(counter)
}

/// A counter as `{device_id, clock, increments, decrements}`, each half a growing counter.
pub fn pn_counter_to_json<R: Replica>(counter: &PnCounter<R>, owner: &R) -> Json {
    let mut map = envelope(owner);
    map.insert(
        "increments".into(),
        grow_counter_to_json(counter.increments(), owner),
    );
    map.insert(
        "decrements".into(),
        grow_counter_to_json(counter.decrements(), owner),
    );
    Json::Object(map)
}

/// A counter from the contract's shape.
///
/// # Errors
/// As [`grow_counter_from_json`].
pub fn pn_counter_from_json<R: Replica>(json: &Json) -> Result<PnCounter<R>, JsonError> {
    let map = object(json, "")?;
    let half =
        |name: &str| grow_counter_from_json(member(map, name)?).map_err(|error| error.inside(name));
    Ok(PnCounter::of(half("increments")?, half("decrements")?))
}

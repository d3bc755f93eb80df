//! The JSON form, for clients of the documented HTTP contract and for people.
//!
//! Shapes are the contract's: a vector clock as `{device_id, clocks}` (the flat `{device: count}` is read too), a
//! register as `{device_id, clock, value: {value, timestamp, device_id}}`, a set as elements with tags and tombstones,
//! counters by device. What the contract cannot say (dots, concurrent values, correction epochs) stands in members
//! beside them, which an older client passes over. A state without `context` comes from such a client: see
//! [`FieldJson`].
//!
//! Binary is the canonical form; JSON is for exchange and is not compared byte by byte.

mod clock;
mod entity;
mod fields;
mod scalar;
mod tagged_set;

pub use clock::{stamp_from_text, stamp_to_text, vector_clock_from_json, vector_clock_to_json};
pub use entity::{EntityJson, FieldJson, entity_from_json, entity_to_json};
pub use fields::{
    grow_counter_from_json, grow_counter_to_json, lww_from_json, lww_to_json, pn_counter_from_json,
    pn_counter_to_json,
};
pub use scalar::{value_from_json, value_to_json};
pub use tagged_set::TaggedSet;

use serde_json::{Map, Value as Json};
use thiserror::Error;

/// Why JSON is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: expected {expected}")]
pub struct JsonError {
    /// Where: member names with dots between.
    pub path: String,
    /// What should be there.
    pub expected: &'static str,
}

impl JsonError {
    fn at(path: &str, expected: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            expected,
        }
    }

    /// The same error inside `member`.
    fn inside(mut self, member: &str) -> Self {
        self.path = if self.path.is_empty() {
            member.to_owned()
        } else {
            format!("{member}.{}", self.path)
        };
        self
    }
}

fn object<'json>(json: &'json Json, path: &str) -> Result<&'json Map<String, Json>, JsonError> {
    json.as_object()
        .ok_or_else(|| JsonError::at(path, "an object"))
}

fn array<'json>(json: &'json Json, path: &str) -> Result<&'json Vec<Json>, JsonError> {
    json.as_array()
        .ok_or_else(|| JsonError::at(path, "an array"))
}

fn text<'json>(json: &'json Json, path: &str) -> Result<&'json str, JsonError> {
    json.as_str().ok_or_else(|| JsonError::at(path, "a string"))
}

fn member<'json>(map: &'json Map<String, Json>, name: &str) -> Result<&'json Json, JsonError> {
    map.get(name)
        .ok_or_else(|| JsonError::at(name, "this member"))
}

fn replica<R: crate::replica::Replica>(json: &Json, path: &str) -> Result<R, JsonError> {
    R::from_text(text(json, path)?).ok_or_else(|| JsonError::at(path, "a device id"))
}

/// A count or counter: a whole number from 0 to 2^53 - 1.
fn whole(json: &Json, path: &str) -> Result<u64, JsonError> {
    let number = json
        .as_u64()
        .filter(|number| *number <= crate::wire::EXACT_INTEGER_MAX);
    number.ok_or_else(|| JsonError::at(path, "a whole number below 2^53"))
}

#[cfg(test)]
mod tests;

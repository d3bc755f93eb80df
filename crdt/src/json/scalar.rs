//! Values in JSON: as themselves where JSON has them.

use super::JsonError;
use crate::entity::ValueType;
use crate::value::{Real, Value};
use serde_json::{Value as Json, json};
use std::fmt::Write;

/// A value as JSON. Bytes are `{"$bytes": hex}`, infinities `{"$real": "inf"}` or `{"$real": "-inf"}`.
pub fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) => json!(number),
        Value::Real(real) if real.get().is_finite() => json!(real.get()),
        Value::Real(real) => json!({ "$real": if real.get() > 0.0 { "inf" } else { "-inf" } }),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => {
            let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            json!({ "$bytes": hex })
        }
    }
}

/// The value that JSON means for a field of this type. A whole number is read as a float where the type is one, since
/// JavaScript writes 1.0 as 1.
///
/// # Errors
/// Arrays, other objects, numbers beyond 64 bits, or a value the type refuses.
pub fn value_from_json(json: &Json, of: &ValueType) -> Result<Value, JsonError> {
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), of) {
            (Some(number), ValueType::Real) => real(number as f64)?,
            (Some(number), _) => Value::Int(number),
            (None, ValueType::Int { .. }) => {
                return Err(JsonError::at("", "a whole number of 64 bits"));
            }
            (None, _) => real(number.as_f64().unwrap_or(f64::NAN))?,
        },
        Json::String(text) => Value::text(text),
        Json::Object(map) if map.len() == 1 => match (map.get("$bytes"), map.get("$real")) {
            (Some(Json::String(hex)), _) => Value::Bytes(from_hex(hex)?.into()),
            (_, Some(Json::String(text))) if text == "inf" => real(f64::INFINITY)?,
            (_, Some(Json::String(text))) if text == "-inf" => real(f64::NEG_INFINITY)?,
            _ => return Err(JsonError::at("", "a scalar")),
        },
        Json::Array(_) | Json::Object(_) => return Err(JsonError::at("", "a scalar")),
    };
    match of.refusal(&value) {
        None => Ok(value),
        Some(reason) => Err(JsonError::at("", reason)),
    }
}

fn real(number: f64) -> Result<Value, JsonError> {
    Real::new(number)
        .map(Value::Real)
        .ok_or_else(|| JsonError::at("", "a number"))
}

fn from_hex(hex: &str) -> Result<Vec<u8>, JsonError> {
    let refuse = || JsonError::at("$bytes", "lower-case hexadecimal");
    if !hex.len().is_multiple_of(2)
        || !hex
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    {
        return Err(refuse());
    }
    let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16).unwrap_or(0)).unwrap_or(0);
    Ok(hex
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, half| (byte << 4) | digit(half)))
        .collect())
}

/// A set's element as a member name: text as it is, everything else as JSON text.
pub(super) fn element_to_text(value: &Value, of: &ValueType) -> String {
    match (value, of) {
        (Value::Text(text), ValueType::Text { .. } | ValueType::Enum(_)) => text.to_string(),
        (value, _) => value_to_json(value).to_string(),
    }
}

/// The inverse of [`element_to_text`].
pub(super) fn element_from_text(text: &str, of: &ValueType) -> Result<Value, JsonError> {
    let json = match of {
        ValueType::Text { .. } | ValueType::Enum(_) => json!(text),
        _ => serde_json::from_str(text).map_err(|_| JsonError::at("", "a scalar as JSON text"))?,
    };
    let value = value_from_json(&json, of)?;
    if value.is_null() {
        Err(JsonError::at("", "an element other than null"))
    } else {
        Ok(value)
    }
}

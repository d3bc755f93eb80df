//! The values that registers hold and sets contain: scalars with a total order and one binary form.
//!
//! Composite data is not a value: a list of things that change one by one is a set or a map of the entity.

use crate::wire::{DecodeError, Reader, TEXT_BYTES_MAX, Wire, Writer};
use std::cmp::Ordering;

/// A float that is never NaN and never negative zero, so that equality, order and bytes agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Real(f64);

impl Real {
    /// The float, with negative zero made positive; `None` for NaN.
    pub fn new(number: f64) -> Option<Self> {
        if number.is_nan() {
            return None;
        }
        // Adding positive zero maps -0.0 to 0.0 and leaves every other number alone.
        Some(Self(number + 0.0))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Real {}

impl Ord for Real {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::hash::Hash for Real {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A scalar. The derived order (null, booleans, integers, floats, text, bytes; then by content, text and bytes
/// bytewise) is the last tie-break between two writes with the same stamp and device, so every language must agree on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing: a cleared field.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A float other than NaN.
    Real(Real),
    /// UTF-8, at most [`TEXT_BYTES_MAX`] bytes.
    Text(Box<str>),
    /// Bytes, at most [`TEXT_BYTES_MAX`].
    Bytes(Box<[u8]>),
}

impl Value {
    /// Text.
    pub fn text(text: &str) -> Self {
        Value::Text(text.into())
    }

    /// Whether this is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const REAL: u8 = 4;
const TEXT: u8 = 5;
const BYTES: u8 = 6;

/// One tag byte, then: nothing (null, false, true), a zigzag number, 8 bytes big-endian, or length and content.
impl Wire for Value {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Value::Null => writer.byte(NULL),
            Value::Bool(false) => writer.byte(FALSE),
            Value::Bool(true) => writer.byte(TRUE),
            Value::Int(number) => {
                writer.byte(INT);
                writer.signed(*number);
            }
            Value::Real(real) => {
                writer.byte(REAL);
                real.encode(writer);
            }
            Value::Text(text) => {
                writer.byte(TEXT);
                writer.text(text);
            }
            Value::Bytes(bytes) => {
                writer.byte(BYTES);
                writer.bytes(bytes);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.byte()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => Value::Int(reader.signed()?),
            REAL => Value::Real(Real::decode(reader)?),
            TEXT => Value::Text(reader.text("text", TEXT_BYTES_MAX)?.into()),
            BYTES => Value::Bytes(reader.bytes("bytes", TEXT_BYTES_MAX)?.into()),
            tag => {
                return Err(DecodeError::UnknownTag {
                    what: "value",
                    found: tag.into(),
                });
            }
        })
    }
}

impl Wire for Real {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.0.to_bits().to_be_bytes());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.raw(8)?;
        let bits = u64::from_be_bytes(bytes.try_into().map_err(|_| DecodeError::UnexpectedEnd)?);
        let number = f64::from_bits(bits);
        match Real::new(number) {
            Some(real) if real.0.to_bits() == bits => Ok(real),
            _ => Err(DecodeError::NotCanonical { what: "float" }),
        }
    }
}

//! The table of an entity: fields, their numbers, how they merge and what they hold.

use crate::value::{Real, Value};
use crate::wire::{DecodeError, Reader, TEXT_BYTES_MAX, Wire, Writer};

/// What a field may hold. It types the wire, so values travel without a tag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueType {
    /// True or false.
    Bool,
    /// A whole number, both ends included.
    Int {
        /// Smallest value allowed.
        min: i64,
        /// Largest value allowed.
        max: i64,
    },
    /// A float, never NaN.
    Real,
    /// UTF-8 up to this many bytes (and never more than [`TEXT_BYTES_MAX`]).
    Text {
        /// Longest text, in bytes.
        bytes_max: usize,
    },
    /// One of these texts; travels as its index, so the order is part of the format and entries are only appended.
    Enum(&'static [&'static str]),
    /// Any scalar, tagged.
    Any,
}

impl ValueType {
    /// Why `value` does not fit; null fits every type (a cleared field).
    pub(crate) fn refusal(&self, value: &Value) -> Option<&'static str> {
        match (self, value) {
            (_, Value::Null)
            | (ValueType::Bool, Value::Bool(_))
            | (ValueType::Real, Value::Real(_)) => None,
            (ValueType::Int { min, max }, Value::Int(number)) => {
                (!(*min..=*max).contains(number)).then_some("number out of range")
            }
            (ValueType::Text { bytes_max }, Value::Text(text)) => {
                (text.len() > (*bytes_max).min(TEXT_BYTES_MAX)).then_some("text too long")
            }
            (ValueType::Enum(names), Value::Text(text)) => {
                (!names.contains(&text.as_ref())).then_some("not one of the allowed values")
            }
            (ValueType::Any, Value::Text(text)) => {
                (text.len() > TEXT_BYTES_MAX).then_some("text too long")
            }
            (ValueType::Any, Value::Bytes(bytes)) => {
                (bytes.len() > TEXT_BYTES_MAX).then_some("bytes too long")
            }
            (ValueType::Any, _) => None,
            _ => Some("value of another type"),
        }
    }

    /// Writes a value that [`ValueType::refusal`] accepts and that is not null (except for [`ValueType::Any`]).
    pub(crate) fn encode(&self, value: &Value, writer: &mut Writer) {
        match (self, value) {
            (ValueType::Bool, Value::Bool(truth)) => writer.byte(u8::from(*truth)),
            (ValueType::Int { .. }, Value::Int(number)) => writer.signed(*number),
            (ValueType::Real, Value::Real(real)) => real.encode(writer),
            (ValueType::Text { .. }, Value::Text(text)) => writer.text(text),
            (ValueType::Enum(names), Value::Text(text)) => {
                writer.count(
                    names
                        .iter()
                        .position(|name| **name == **text)
                        .unwrap_or(names.len()),
                );
            }
            (_, value) => value.encode(writer),
        }
    }

    /// Reads what [`ValueType::encode`] wrote.
    pub(crate) fn decode(
        &self,
        number: u16,
        reader: &mut Reader<'_>,
    ) -> Result<Value, DecodeError> {
        let value = match self {
            ValueType::Bool => match reader.byte()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                tag => {
                    return Err(DecodeError::UnknownTag {
                        what: "truth",
                        found: tag.into(),
                    });
                }
            },
            ValueType::Int { .. } => Value::Int(reader.signed()?),
            ValueType::Real => Value::Real(Real::decode(reader)?),
            ValueType::Text { bytes_max } => {
                Value::text(reader.text("text", (*bytes_max).min(TEXT_BYTES_MAX))?)
            }
            ValueType::Enum(names) => {
                let index = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
                let name = names.get(index).ok_or(DecodeError::Field {
                    number,
                    reason: "no such enum value",
                })?;
                Value::text(name)
            }
            ValueType::Any => Value::decode(reader)?,
        };
        match self.refusal(&value) {
            None => Ok(value),
            Some(reason) => Err(DecodeError::Field { number, reason }),
        }
    }
}

/// How a field merges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Last writer wins; what lost is forgotten.
    Lww(ValueType),
    /// Last writer wins; concurrent losers stay visible until someone who saw them writes.
    MultiValue(ValueType),
    /// A reading that only rises, with a correction epoch.
    Max,
    /// A sum that only grows.
    GrowCounter,
    /// A sum.
    Counter,
    /// A truth where a concurrent "on" wins.
    Flag,
    /// An add-wins set of values.
    Set(ValueType),
    /// Keyed items, each with multi-value fields of these rows (only [`Kind::MultiValue`] is allowed inside).
    Map {
        /// The type of the keys.
        key: ValueType,
        /// The fields of an item.
        items: &'static [FieldRow],
    },
}

/// One field of an entity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldRow {
    /// Its number on the wire: at least 1, never reused. Numbers below 32 cost one byte.
    pub number: u16,
    /// Its name in JSON.
    pub name: &'static str,
    /// How it merges and what it holds.
    pub kind: Kind,
}

impl FieldRow {
    /// A row.
    pub const fn new(number: u16, name: &'static str, kind: Kind) -> Self {
        Self { number, name, kind }
    }
}

/// An entity: its name, the name of its key in JSON, its fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EntityTable {
    /// Its number on the wire, unique in a schema.
    pub number: u16,
    /// The entity type, as in events: `Vehicle`.
    pub name: &'static str,
    /// The member that carries the entity's id in JSON: `asset_id`.
    pub key: &'static str,
    /// The fields, numbers rising.
    pub fields: &'static [FieldRow],
}

impl EntityTable {
    /// A table; checked when it is a constant, so a wrong table does not compile.
    ///
    /// # Panics
    /// When field numbers do not rise from 1, or a map's item field is not [`Kind::MultiValue`].
    pub const fn new(
        number: u16,
        name: &'static str,
        key: &'static str,
        fields: &'static [FieldRow],
    ) -> Self {
        check_rows(fields, false);
        Self {
            number,
            name,
            key,
            fields,
        }
    }

    /// The field with this number.
    #[inline]
    pub fn field(&self, number: u16) -> Option<&'static FieldRow> {
        find_row(self.fields, number)
    }

    /// The field with this name.
    pub fn field_named(&self, name: &str) -> Option<&'static FieldRow> {
        self.fields.iter().find(|row| row.name == name)
    }
}

/// The row with this number among rising rows; without gaps it is found at once.
#[inline]
pub(crate) fn find_row(rows: &'static [FieldRow], number: u16) -> Option<&'static FieldRow> {
    let guess = rows
        .get(usize::from(number).wrapping_sub(1))
        .filter(|row| row.number == number);
    guess.or_else(|| {
        rows.binary_search_by_key(&number, |row| row.number)
            .ok()
            .and_then(|index| rows.get(index))
    })
}

const fn check_rows(rows: &'static [FieldRow], inside_map: bool) {
    let mut last = 0;
    let mut index = 0;
    while index < rows.len() {
        assert!(rows[index].number > last, "field numbers rise from 1");
        last = rows[index].number;
        match rows[index].kind {
            Kind::MultiValue(_) => {}
            Kind::Map { items, .. } => {
                assert!(!inside_map, "maps do not nest");
                check_rows(items, true);
            }
            _ => assert!(!inside_map, "an item's fields are multi-value registers"),
        }
        index += 1;
    }
}

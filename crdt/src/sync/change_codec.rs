//! The bytes of a change: what its field's row already says is not repeated.

use crate::clock::{LogPosition, Stamp};
use crate::entity::{Change, FieldRow, Kind, ValueType};
use crate::value::Value;
use crate::wire::{DecodeError, Reader, Wire as _, Writer};

/// Two bits that tell the changes of one kind of field apart.
pub(super) fn verb_of(change: &Change) -> u8 {
    match change {
        Change::Set(Value::Null) | Change::Disable | Change::Remove(_) | Change::Drop { .. } => 1,
        Change::Put {
            value: Value::Null, ..
        }
        | Change::RemoveSeen { .. } => 2,
        _ => 0,
    }
}

/// Appends the content of a change that fits `row`.
pub(super) fn encode_change(change: &Change, row: &FieldRow, writer: &mut Writer) {
    match (change, row.kind) {
        (Change::Set(value), Kind::Lww(of) | Kind::MultiValue(of)) if !value.is_null() => {
            of.encode(value, writer)
        }
        (Change::Add(amount), _) => writer.signed(*amount),
        (Change::Raise { epoch, value }, _) => {
            writer.varint((*epoch).into());
            writer.signed(*value);
        }
        (Change::Insert(member) | Change::Remove(member), Kind::Set(of)) => {
            of.encode(member, writer)
        }
        (Change::RemoveSeen { member, upto, at }, Kind::Set(of)) => {
            of.encode(member, writer);
            upto.encode(writer);
            at.encode(writer);
        }
        (Change::Put { key, field, value }, Kind::Map { key: of, items }) => {
            of.encode(key, writer);
            writer.varint((*field).into());
            if let Some(held) = item_type(items, *field).filter(|_| !value.is_null()) {
                held.encode(value, writer);
            }
        }
        (Change::Drop { key }, Kind::Map { key: of, .. }) => of.encode(key, writer),
        _ => {}
    }
}

/// Reads the content of the change that `verb` means for `row`, and checks it.
pub(super) fn decode_change(
    verb: u8,
    row: &FieldRow,
    reader: &mut Reader<'_>,
) -> Result<Change, DecodeError> {
    let number = row.number;
    let change = match (row.kind, verb) {
        // Whatever a type reads fits it.
        (Kind::Lww(of) | Kind::MultiValue(of), 0) => {
            return match of.decode(number, reader)? {
                Value::Null => Err(DecodeError::NotCanonical { what: "null" }),
                value => Ok(Change::Set(value)),
            };
        }
        (Kind::Lww(_) | Kind::MultiValue(_), 1) => return Ok(Change::Set(Value::Null)),
        (Kind::Max, 0) => Change::Raise {
            epoch: reader.varint_u32("epoch")?,
            value: reader.signed()?,
        },
        (Kind::GrowCounter | Kind::Counter, 0) => Change::Add(reader.signed()?),
        (Kind::Flag, 0) => Change::Enable,
        (Kind::Flag, 1) => Change::Disable,
        (Kind::Set(of), 0) => Change::Insert(of.decode(number, reader)?),
        (Kind::Set(of), 1) => Change::Remove(of.decode(number, reader)?),
        (Kind::Set(of), 2) => Change::RemoveSeen {
            member: of.decode(number, reader)?,
            upto: LogPosition::decode(reader)?,
            at: LogPosition::decode(reader)?,
        },
        (Kind::Map { key: of, items }, 0 | 2) => {
            let key = of.decode(number, reader)?;
            let field = reader.varint_u16("item field")?;
            let held = item_type(items, field).ok_or(DecodeError::Field {
                number: field,
                reason: "no such item field",
            })?;
            let value = if verb == 2 {
                Value::Null
            } else {
                held.decode(field, reader)?
            };
            Change::Put { key, field, value }
        }
        (Kind::Map { key: of, .. }, 1) => Change::Drop {
            key: of.decode(number, reader)?,
        },
        _ => {
            return Err(DecodeError::UnknownTag {
                what: "verb",
                found: verb.into(),
            });
        }
    };
    // A tagged value can be null where the verb says it is not; that would be a second spelling.
    if verb_of(&change) != verb {
        return Err(DecodeError::NotCanonical { what: "null" });
    }
    match change.check(row) {
        Ok(()) => Ok(change),
        Err(_) => Err(DecodeError::Field {
            number,
            reason: "the change does not fit",
        }),
    }
}

fn item_type(items: &'static [FieldRow], field: u16) -> Option<ValueType> {
    match crate::entity::find_row(items, field)?.kind {
        Kind::MultiValue(of) => Some(of),
        _ => None,
    }
}

/// Stamps that follow each other, each told against the one before, the first against [`Stamp::EPOCH_MILLIS`].
#[derive(Clone, Copy, Debug)]
pub(super) struct StampCodec {
    millis: u64,
}

impl Default for StampCodec {
    fn default() -> Self {
        Self {
            millis: Stamp::EPOCH_MILLIS,
        }
    }
}

impl StampCodec {
    /// Writes a stamp: zigzag difference of milliseconds, doubled, plus one when a counter follows.
    pub(super) fn encode(&mut self, stamp: Stamp, writer: &mut Writer) {
        let distance = stamp.millis().cast_signed() - self.millis.cast_signed();
        self.millis = stamp.millis();
        let zigzag = ((distance << 1) ^ (distance >> 63)).cast_unsigned();
        let counter = stamp.counter();
        writer.varint((zigzag << 1) | u64::from(counter != 0));
        if counter != 0 {
            writer.varint(counter.into());
        }
    }

    /// Reads what [`StampCodec::encode`] wrote.
    pub(super) fn decode(&mut self, reader: &mut Reader<'_>) -> Result<Stamp, DecodeError> {
        let number = reader.varint()?;
        let zigzag = number >> 1;
        let distance = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        let millis = self.millis.checked_add_signed(distance);
        self.millis = millis
            .filter(|millis| *millis <= Stamp::MILLIS_MAX)
            .ok_or(DecodeError::OutOfRange { what: "time" })?;
        let counter = if number & 1 == 0 {
            0
        } else {
            reader.varint_u16("stamp counter")?
        };
        if number & 1 == 1 && counter == 0 {
            return Err(DecodeError::NotCanonical {
                what: "stamp counter",
            });
        }
        Ok(Stamp::new(self.millis, counter))
    }
}

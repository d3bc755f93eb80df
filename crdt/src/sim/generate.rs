//! Random changes that fit a table.

use super::Random;
use crate::entity::{Change, FieldRow, Kind, ValueType};
use crate::value::{Real, Value};

/// A value of this type, never null, from a small range so that writers meet.
pub(crate) fn random_value(random: &mut Random, of: &ValueType) -> Value {
    match of {
        ValueType::Bool => Value::Bool(random.chance(50)),
        ValueType::Int { min, .. } => Value::Int(min + i64::try_from(random.below(4)).unwrap_or(0)),
        ValueType::Real => Real::new([0.0, 1.5, -2.25, f64::INFINITY][random.index(4)])
            .map_or(Value::Null, Value::Real),
        ValueType::Text { .. } => {
            Value::text(["", "pads", "Öl", "x/y", "wheel 3"][random.index(5)])
        }
        ValueType::Enum(names) => Value::text(names[random.index(names.len())]),
        ValueType::Any => match random.below(4) {
            0 => Value::Bool(true),
            1 => Value::Int(-5),
            2 => Value::Bytes([0, 255, 7][..random.index(4)].into()),
            _ => Value::text("crack"),
        },
    }
}

fn value_or_null(random: &mut Random, of: &ValueType) -> Value {
    if random.chance(15) {
        Value::Null
    } else {
        random_value(random, of)
    }
}

/// A change that fits `row`. `epoch` is what the writer sees of a max register.
pub(crate) fn random_change(random: &mut Random, row: &FieldRow, epoch: u32) -> Change {
    match row.kind {
        Kind::Lww(of) | Kind::MultiValue(of) => Change::Set(value_or_null(random, &of)),
        Kind::Max => {
            let correction = u32::from(random.chance(10));
            Change::Raise {
                epoch: epoch + correction,
                value: i64::try_from(random.below(1000)).unwrap_or(0),
            }
        }
        Kind::GrowCounter => Change::Add(i64::try_from(random.below(5)).unwrap_or(0)),
        Kind::Counter => Change::Add(i64::try_from(random.below(9)).unwrap_or(0) - 4),
        Kind::Flag => {
            if random.chance(50) {
                Change::Enable
            } else {
                Change::Disable
            }
        }
        Kind::Set(of) => {
            let member = random_value(random, &of);
            if random.chance(60) {
                Change::Insert(member)
            } else {
                Change::Remove(member)
            }
        }
        Kind::Map { key: of, items } => {
            let key = random_value(random, &of);
            if random.chance(25) {
                return Change::Drop { key };
            }
            let item = items[random.index(items.len())];
            let Kind::MultiValue(of) = item.kind else {
                unreachable!("tables allow nothing else")
            };
            Change::Put {
                key,
                field: item.number,
                value: value_or_null(random, &of),
            }
        }
    }
}

//! What can happen to a field: the operations that devices send, the same for the reference and the collapsed form.

use super::table::find_row;
use super::{FieldRow, Kind};
use crate::clock::LogPosition;
use crate::value::Value;
use thiserror::Error;

/// One change of one field. What it removes or replaces is decided by what its writer had seen, not by its content.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Writes a register; null clears it.
    Set(Value),
    /// Adds to a counter.
    Add(i64),
    /// Reports a reading of a max register in a correction epoch; a new epoch is a correction.
    Raise {
        /// The epoch the writer had seen, or one more to correct.
        epoch: u32,
        /// The reading.
        value: i64,
    },
    /// Adds a member to a set.
    Insert(Value),
    /// Removes a member from a set.
    Remove(Value),
    /// Removes of a member what a whole state says that its sender saw removed: the additions at or below `upto`, and
    /// the one that the log has at `at`. Unlike [`Change::Remove`] it claims nothing of its device's own past: a state
    /// may come late, behind an addition that its device made after it. Made by the server, never by a tablet.
    RemoveSeen {
        /// The member.
        member: Value,
        /// The highest position that the state says its sender had seen, at most the operation's `base`.
        upto: LogPosition,
        /// Where the addition stands that the state's tombstone names; 0 where it names none that the log has.
        at: LogPosition,
    },
    /// Turns a flag on.
    Enable,
    /// Turns a flag off.
    Disable,
    /// Writes one field of an item of a map, creating the item.
    Put {
        /// The item.
        key: Value,
        /// The item's field.
        field: u16,
        /// The value; null clears it but keeps the item.
        value: Value,
    },
    /// Removes an item from a map.
    Drop {
        /// The item.
        key: Value,
    },
}

/// Why a change does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// The table has no field of this number.
    #[error("no field has number {number}")]
    UnknownField {
        /// The number.
        number: u16,
    },
    /// The field merges in another way.
    #[error("field {name} does not take this kind of change")]
    WrongKind {
        /// The field.
        name: &'static str,
    },
    /// The value does not fit the field's type.
    #[error("field {name}: {reason}")]
    InvalidValue {
        /// The field.
        name: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl Change {
    /// The value that this writes into a register, of the entity or of an item.
    pub(crate) fn written(&self) -> Option<&Value> {
        match self {
            Change::Set(value) | Change::Put { value, .. } => Some(value),
            _ => None,
        }
    }

    /// Checks this change against its field.
    ///
    /// # Errors
    /// [`ChangeError::WrongKind`], [`ChangeError::InvalidValue`], or [`ChangeError::UnknownField`] for an item's field.
    pub fn check(&self, row: &FieldRow) -> Result<(), ChangeError> {
        let refuse = |reason: Option<&'static str>| match reason {
            None => Ok(()),
            Some(reason) => Err(ChangeError::InvalidValue {
                name: row.name,
                reason,
            }),
        };
        let no_null = |value: &Value| value.is_null().then_some("a member or key cannot be null");
        match (self, row.kind) {
            (Change::Set(value), Kind::Lww(of) | Kind::MultiValue(of)) => refuse(of.refusal(value)),
            (Change::Add(amount), Kind::GrowCounter) => {
                refuse((*amount < 0).then_some("this counter only grows"))
            }
            (Change::Add(_), Kind::Counter)
            | (Change::Raise { .. }, Kind::Max)
            | (Change::Enable | Change::Disable, Kind::Flag) => Ok(()),
            (
                Change::Insert(member) | Change::Remove(member) | Change::RemoveSeen { member, .. },
                Kind::Set(of),
            ) => refuse(no_null(member).or_else(|| of.refusal(member))),
            (Change::Put { key, field, value }, Kind::Map { key: of, items }) => {
                let item =
                    find_row(items, *field).ok_or(ChangeError::UnknownField { number: *field })?;
                let Kind::MultiValue(held) = item.kind else {
                    return Err(ChangeError::WrongKind { name: item.name });
                };
                refuse(
                    no_null(key)
                        .or_else(|| of.refusal(key))
                        .or_else(|| held.refusal(value)),
                )
            }
            (Change::Drop { key }, Kind::Map { key: of, .. }) => {
                refuse(no_null(key).or_else(|| of.refusal(key)))
            }
            _ => Err(ChangeError::WrongKind { name: row.name }),
        }
    }
}

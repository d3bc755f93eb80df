//! What became of an operation: one verdict each, with a reason a program can read.

use crate::clock::LogPosition;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// Why a request was refused. Facts are never refused for an invariant. Closed: codes are only appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// The state machine has no such move from the current state.
    IllegalTransition,
    /// The user's role may not write this field.
    NotAuthorised,
    /// No entity has this handle.
    UnknownEntity,
    /// The entity was deleted.
    DeletedEntity,
    /// The entity left the device's scope before the operation's base.
    OutOfScope,
    /// The field, the kind of change or the value does not fit the table.
    InvalidValue,
    /// The lease does not cover the quantity.
    EscrowExhausted,
    /// The client's schema cannot express what the server needs.
    SchemaTooOld,
    /// The device sends more than its share.
    Rate,
    /// The device is quarantined.
    QuarantinedDevice,
    /// The set or map has as many members as it may have.
    TooLarge,
    /// Another copy of the device's store brought the same operation before.
    AlreadyHere,
}

/// Why an operation waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hold {
    /// The reading is not plausible (a mileage that rises by 9,000 km in a day).
    Implausible,
    /// The user's grant was withdrawn after the operation's base.
    GrantWithdrawn,
    /// The device opened more conflicts than its budget.
    ConflictBudget,
    /// The device was revoked before the operation arrived.
    DeviceRevoked,
}

/// What admission changed before it applied an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Adjustment {
    /// The claimed time was outside what causality proves.
    Clock,
    /// Authority moved the write before or behind a concurrent one.
    Authority,
}

/// The fate of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stands in the log and shows.
    Applied(LogPosition),
    /// It stands in the log; a concurrent write won over it (it is a sibling, or lost).
    Superseded(LogPosition),
    /// It stands in the log with another stamp than claimed.
    Adjusted(LogPosition, Adjustment),
    /// It stands in the log for the record only and changed nothing.
    Rejected(LogPosition, Rejection),
    /// It stands in the log and waits; an approval is a later record.
    Held(LogPosition, Hold),
    /// It was received before, and its verdict was acknowledged.
    Duplicate,
}

impl Verdict {
    /// Where the log has the operation; `None` for a duplicate.
    pub fn position(&self) -> Option<LogPosition> {
        match self {
            Verdict::Applied(position)
            | Verdict::Superseded(position)
            | Verdict::Adjusted(position, _)
            | Verdict::Rejected(position, _)
            | Verdict::Held(position, _) => Some(*position),
            Verdict::Duplicate => None,
        }
    }

    /// The same verdict at another position: the one that the log gave.
    #[must_use]
    pub fn at(self, position: LogPosition) -> Self {
        match self {
            Verdict::Applied(_) => Verdict::Applied(position),
            Verdict::Superseded(_) => Verdict::Superseded(position),
            Verdict::Adjusted(_, code) => Verdict::Adjusted(position, code),
            Verdict::Rejected(_, code) => Verdict::Rejected(position, code),
            Verdict::Held(_, code) => Verdict::Held(position, code),
            Verdict::Duplicate => Verdict::Duplicate,
        }
    }

    /// Whether the operation is part of the state.
    pub fn is_folded(&self) -> bool {
        matches!(
            self,
            Verdict::Applied(_) | Verdict::Superseded(_) | Verdict::Adjusted(..)
        )
    }
}

const REJECTIONS: [Rejection; 12] = [
    Rejection::IllegalTransition,
    Rejection::NotAuthorised,
    Rejection::UnknownEntity,
    Rejection::DeletedEntity,
    Rejection::OutOfScope,
    Rejection::InvalidValue,
    Rejection::EscrowExhausted,
    Rejection::SchemaTooOld,
    Rejection::Rate,
    Rejection::QuarantinedDevice,
    Rejection::TooLarge,
    Rejection::AlreadyHere,
];
const HOLDS: [Hold; 4] = [
    Hold::Implausible,
    Hold::GrantWithdrawn,
    Hold::ConflictBudget,
    Hold::DeviceRevoked,
];
const ADJUSTMENTS: [Adjustment; 2] = [Adjustment::Clock, Adjustment::Authority];

impl Rejection {
    /// The code of this name.
    pub fn of(code: &str) -> Option<Self> {
        REJECTIONS.into_iter().find(|known| known.code() == code)
    }

    /// The stable name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Rejection::IllegalTransition => "illegal_transition",
            Rejection::NotAuthorised => "not_authorised",
            Rejection::UnknownEntity => "unknown_entity",
            Rejection::DeletedEntity => "deleted_entity",
            Rejection::OutOfScope => "out_of_scope",
            Rejection::InvalidValue => "invalid_value",
            Rejection::EscrowExhausted => "escrow_exhausted",
            Rejection::SchemaTooOld => "schema_too_old",
            Rejection::Rate => "rate",
            Rejection::QuarantinedDevice => "quarantined_device",
            Rejection::TooLarge => "too_large",
            Rejection::AlreadyHere => "already_here",
        }
    }
}

impl Hold {
    /// The code of this name.
    pub fn of(code: &str) -> Option<Self> {
        HOLDS.into_iter().find(|known| known.code() == code)
    }

    /// The stable name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Hold::Implausible => "implausible",
            Hold::GrantWithdrawn => "grant_withdrawn",
            Hold::ConflictBudget => "conflict_budget",
            Hold::DeviceRevoked => "device_revoked",
        }
    }
}

impl Adjustment {
    /// The code of this name.
    pub fn of(code: &str) -> Option<Self> {
        ADJUSTMENTS.into_iter().find(|known| known.code() == code)
    }

    /// The stable name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Adjustment::Clock => "clock",
            Adjustment::Authority => "authority",
        }
    }
}

/// A tag, then the position, then the code's number.
impl Wire for Verdict {
    fn encode(&self, writer: &mut Writer) {
        let (tag, code) = match self {
            Verdict::Duplicate => (0, None),
            Verdict::Applied(_) => (1, None),
            Verdict::Superseded(_) => (2, None),
            Verdict::Adjusted(_, code) => (3, ADJUSTMENTS.iter().position(|known| known == code)),
            Verdict::Rejected(_, code) => (4, REJECTIONS.iter().position(|known| known == code)),
            Verdict::Held(_, code) => (5, HOLDS.iter().position(|known| known == code)),
        };
        writer.byte(tag);
        if let Some(position) = self.position() {
            position.encode(writer);
        }
        if let Some(code) = code {
            writer.count(code);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tag = reader.byte()?;
        if tag == 0 {
            return Ok(Verdict::Duplicate);
        }
        if tag > 5 {
            return Err(DecodeError::UnknownTag {
                what: "verdict",
                found: tag.into(),
            });
        }
        let position = LogPosition::decode(reader)?;
        Ok(match tag {
            1 => Verdict::Applied(position),
            2 => Verdict::Superseded(position),
            3 => Verdict::Adjusted(position, decode_code(&ADJUSTMENTS, reader)?),
            4 => Verdict::Rejected(position, decode_code(&REJECTIONS, reader)?),
            _ => Verdict::Held(position, decode_code(&HOLDS, reader)?),
        })
    }
}

fn decode_code<T: Copy>(known: &[T], reader: &mut Reader<'_>) -> Result<T, DecodeError> {
    let found = reader.varint()?;
    let code = usize::try_from(found)
        .ok()
        .and_then(|index| known.get(index));
    code.copied().ok_or(DecodeError::UnknownTag {
        what: "code",
        found,
    })
}

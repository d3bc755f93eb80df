//! One operation of a device: what it did, when by its clock, and what it had seen.

use super::change_codec::encode_change;
use super::chain::Chain;
use crate::clock::{LogPosition, Stamp};
use crate::collapsed::Handle;
use crate::entity::{Change, EntityTable, FieldRow};
use crate::wire::Writer;

/// Which entity an operation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityRef {
    /// One the server named.
    Known(Handle),
    /// One that this device created by its operation of this number, and whose handle it did not know then.
    Created(u64),
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq)]
pub enum OperationBody {
    /// Creates an entity of the table with this number. Creating one that exists changes nothing.
    Create {
        /// The table's number.
        table: u16,
        /// The entity's id; see [`crate::collapsed::EntityId`].
        id: Box<[u8]>,
    },
    /// Changes one field of an entity.
    Change {
        /// Which entity.
        entity: EntityRef,
        /// Which field.
        field: u16,
        /// How.
        change: Change,
    },
}

/// An operation. (device, `seq`) is its id for ever.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The device's own count: 1, 2, 3 … without gaps.
    pub seq: u64,
    /// The log head at which the device's view was whole.
    pub base: LogPosition,
    /// The device's claim of when; rises from operation to operation.
    pub stamp: Stamp,
    /// The user who did it, as the server numbers users; 0 for the device itself.
    pub user: u32,
    /// What it does.
    pub body: OperationBody,
}

impl Operation {
    /// The chain after this operation. `row` is the changed field's row (`None` for a creation).
    ///
    /// The bytes chained: base, user, stamp (8 bytes), then 0, table and id, or 1 (known) or 2 (created), the number,
    /// the field and the change as a frame writes it.
    pub(crate) fn chained(&self, before: Chain, row: Option<&FieldRow>, scratch: &mut Writer) -> Chain {
        scratch.clear();
        scratch.varint(self.base.get());
        scratch.varint(self.user.into());
        scratch.raw(&self.stamp.bits().to_be_bytes());
        match &self.body {
            OperationBody::Create { table, id } => {
                scratch.byte(0);
                scratch.varint((*table).into());
                scratch.bytes(id);
            }
            OperationBody::Change { entity, field, change } => {
                let (tag, number) = match entity {
                    EntityRef::Known(handle) => (1, u64::from(handle.0)),
                    EntityRef::Created(seq) => (2, *seq),
                };
                scratch.byte(tag);
                scratch.varint(number);
                scratch.varint((*field).into());
                if let Some(row) = row {
                    let verb = super::change_codec::verb_of(change);
                    scratch.byte(verb);
                    encode_change(change, row, scratch);
                }
            }
        }
        before.after(scratch.as_bytes())
    }

    /// The row this operation changes, in the entity's table.
    pub(crate) fn row<'table>(&self, table: Option<&'table EntityTable>) -> Option<&'table FieldRow> {
        match &self.body {
            OperationBody::Create { .. } => None,
            OperationBody::Change { field, .. } => table?.field(*field),
        }
    }
}

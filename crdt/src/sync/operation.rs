//! One operation of a device: what it did, when by its clock, and what it had seen.

use super::chain::Chain;
use super::change_codec::encode_change;
use crate::clock::{LogPosition, Stamp};
use crate::collapsed::Handle;
use crate::entity::{Change, EntityTable, FieldRow};
use crate::replica::DeviceId;
use crate::wire::Writer;

/// Which entity an operation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityRef {
    /// One the server named.
    Known(Handle),
    /// One that this device created, and whose handle it did not know then. It names its table, so that operations can
    /// be read even when the server knows that number of the device as something else.
    Created {
        /// The number of the creating operation.
        seq: u64,
        /// The table's number.
        table: u16,
    },
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

/// What an operation was called before its device learnt that its store had been copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Former {
    /// The number of the copied store.
    pub device: DeviceId,
    /// The operation's number there.
    pub seq: u64,
    /// The chain after the operation under that number: the same in every copy that holds it.
    pub chain: u64,
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
    /// Set when it was renumbered: two copies of a store may both bring it, and it must count once.
    pub former: Option<Former>,
    /// What it does.
    pub body: OperationBody,
}

impl Operation {
    /// The chain after this operation. `row` is the changed field's row (`None` for a creation).
    ///
    /// The bytes chained (what it was called before is not part of them): base, user, stamp (8 bytes), then 0, table and id, or 1 and the handle, or 2, the creating
    /// operation and its table; the field and the change as a frame writes it.
    pub(crate) fn chained(
        &self,
        before: Chain,
        row: Option<&FieldRow>,
        scratch: &mut Writer,
    ) -> Chain {
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
            OperationBody::Change {
                entity,
                field,
                change,
            } => {
                match entity {
                    EntityRef::Known(handle) => {
                        scratch.byte(1);
                        scratch.varint(handle.0.into());
                    }
                    EntityRef::Created { seq, table } => {
                        scratch.byte(2);
                        scratch.varint(*seq);
                        scratch.varint((*table).into());
                    }
                }
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
    pub(crate) fn row<'table>(
        &self,
        table: Option<&'table EntityTable>,
    ) -> Option<&'table FieldRow> {
        match &self.body {
            OperationBody::Create { .. } => None,
            OperationBody::Change { field, .. } => table?.field(*field),
        }
    }
}

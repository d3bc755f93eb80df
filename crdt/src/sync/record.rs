//! What the log holds of the protocol: everything admission decided, so that folding it again decides nothing.

use super::chain::Chain;
use super::operation::{Operation, OperationBody};
use super::verdict::Verdict;
use crate::clock::{LogPosition, Stamp};
use crate::collapsed::{Handle, Made, Origin};
use crate::entity::Change;
use crate::replica::DeviceId;

/// One record. Its position is its place in the log: the first is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The server's time of admission, in milliseconds since 1970; never falls from record to record.
    pub time_ms: u64,
    /// What happened.
    pub body: RecordBody,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordBody {
    /// A device was registered: `device` is new.
    Registered {
        /// Its number.
        device: DeviceId,
    },
    /// A device stopped counting for compaction (not seen for too long), or was revoked.
    Expired {
        /// Its number.
        device: DeviceId,
    },
    /// An operation was admitted, whatever its verdict.
    Operation {
        /// Whose.
        device: DeviceId,
        /// As received.
        operation: Operation,
        /// The entity it was about; `None` when it was refused before one was found.
        handle: Option<Handle>,
        /// The stamp everyone compares.
        stamp: Stamp,
        /// The writer's authority over the field.
        rank: u8,
        /// The chain after it.
        chain: Chain,
        /// The device had received the verdicts up to this operation.
        acknowledged: u64,
        /// Its fate.
        verdict: Verdict,
    },
    /// The server created an entity.
    Created {
        /// The table's number.
        table: u16,
        /// The entity's id.
        id: Box<[u8]>,
    },
    /// The server wrote a field: an HTTP request, an approval, a correction.
    Written {
        /// Which entity.
        handle: Handle,
        /// Which field.
        field: u16,
        /// How.
        change: Change,
        /// What the writer had seen: the head, or the base of an approved operation.
        base: LogPosition,
        /// The stamp everyone compares.
        stamp: Stamp,
        /// The writer's authority over the field.
        rank: u8,
    },
    /// An entity was deleted for good.
    Deleted {
        /// Which entity.
        handle: Handle,
    },
    /// Removal markers at or below `horizon` were dropped.
    Compacted {
        /// The position every counting device had acknowledged.
        horizon: LogPosition,
    },
}

impl RecordBody {
    /// The change of a folded operation that the log has at `position`.
    pub(super) fn made(&self, position: LogPosition) -> Option<Made<'_>> {
        let RecordBody::Operation {
            device,
            operation,
            stamp,
            rank,
            verdict,
            ..
        } = self
        else {
            return None;
        };
        let OperationBody::Change { field, change, .. } = &operation.body else {
            return None;
        };
        verdict.is_folded().then_some(Made {
            origin: Origin {
                device: *device,
                base: operation.base,
                position,
            },
            stamp: *stamp,
            rank: *rank,
            field: *field,
            change,
        })
    }
}

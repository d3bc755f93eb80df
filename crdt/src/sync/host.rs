//! What the protocol asks of its surroundings: the log's times and chains, and the domain's judgement.

use super::chain::Chain;
use super::operation::Operation;
use super::record::RecordBody;
use super::verdict::{Hold, Rejection};
use crate::clock::LogPosition;
use crate::collapsed::{After, CollapsedEntity, Handle};
use crate::entity::{Change, EntityTable, FieldRow};
use crate::replica::DeviceId;

/// A change that waits for judgement. It already fits its field's table row.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Whose device.
    pub device: DeviceId,
    /// The operation as received.
    pub operation: &'a Operation,
    /// The entity's short name.
    pub handle: Handle,
    /// The entity as it is now.
    pub entity: &'a CollapsedEntity,
    /// The entity's id.
    pub id: &'a [u8],
    /// The field's row.
    pub row: &'static FieldRow,
    /// The change.
    pub change: &'a Change,
}

/// What the domain says to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Apply it, with this authority over the field (0 where the field has no precedence).
    Allow {
        /// Higher wins between concurrent writes.
        rank: u8,
    },
    /// Apply it: somebody who decides alone has held it against the present state, so it replaces what is there even
    /// where its writer had not seen that.
    Decided,
    /// Keep it for a person.
    Hold(Hold),
    /// Refuse it.
    Reject(Rejection),
}

/// The domain: who may write what, and which requests the state allows.
pub trait Judge {
    /// Judges one change against the state it meets. Must not depend on anything but its arguments and settings that
    /// the log also records.
    fn judge(&self, request: &Request<'_>) -> Judgement;

    /// Judges the creation of an entity. The rank is not used.
    fn judge_creation(
        &self,
        device: DeviceId,
        operation: &Operation,
        table: &'static EntityTable,
    ) -> Judgement;
}

/// The log and the domain.
pub trait Host: Judge {
    /// The admission time of the record at `position`, in milliseconds since 1970; 0 is never asked.
    fn time_of(&self, position: LogPosition) -> u64;

    /// The chain that the log has after the device's operation `seq`; `None` when there is none. Asked only when a
    /// device's chain does not fit, and of an operation that its device sends under another number than before.
    fn chain_at(&self, device: DeviceId, seq: u64) -> Option<Chain>;

    /// Hears of each operation that was admitted, in order, with its entity as it is then. The default does nothing.
    fn admitted(&self, operation: &RecordBody, entity: Option<&After<'_>>) {
        let _ = (operation, entity);
    }
}

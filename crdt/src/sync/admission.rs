//! Admission: what a push must satisfy, and how each operation is judged. Pure decisions; [`super::Depot`] folds them.

use super::chain::Chain;
use super::depot::Depot;
use super::device::Device;
use super::frame::{Basis, Frame, FrameHead, Tables};
use super::host::{Host, Judgement, Request};
use super::operation::{EntityRef, Former, Operation, OperationBody};
use super::record::{Record, RecordBody};
use super::verdict::{Adjustment, Rejection, Verdict};
use crate::clock::{LogPosition, Stamp};
use crate::collapsed::{CollapsedEntity, CollapsedField, Handle, Origin, StoreError};
use crate::entity::{Change, FieldRow};
use crate::replica::DeviceId;
use crate::rule::{Rule, holds};
use crate::wire::{DecodeError, Writer};
use thiserror::Error;

/// Most members a set may have, and most items a map.
const MEMBERS_MAX: usize = 10_000;

/// Who pushes, as the session knows it, and when.
#[derive(Clone, Copy, Debug)]
pub struct PushRequest {
    /// The device of the authenticated session.
    pub device: DeviceId,
    /// The complete point of the authenticated cursor that the frame came with: its operations cannot have seen more,
    /// and it was written against this (see [`Basis`]).
    pub served: LogPosition,
    /// The server's time, in milliseconds since 1970.
    pub now_ms: u64,
}

/// Why a whole frame is refused. Nothing of it was admitted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PushError {
    /// The bytes are no frame.
    #[error("the frame does not decode")]
    Malformed(#[from] DecodeError),
    /// No such device was registered.
    #[error("device {0} is not registered")]
    UnknownDevice(DeviceId),
    /// Operations before this frame are missing.
    #[error("operations are missing: send from {send_from}")]
    Gap {
        /// The first missing operation.
        send_from: u64,
    },
    /// An operation claims to have seen more than was ever served to its device.
    #[error("operation {seq} claims to have seen {base}, served was {served}")]
    BaseNotServed {
        /// Which operation.
        seq: u64,
        /// Its claim.
        base: LogPosition,
        /// The truth.
        served: LogPosition,
    },
    /// Another store used these numbers: this one was copied or restored. The device takes a new number, keeps what is
    /// agreed as sent, and pushes the rest under its new number. A frame that comes with another cursor than the one it
    /// was written against looks the same.
    #[error("the device's store was copied or restored: operations agree up to {agreed}")]
    Cloned {
        /// The last operation of this frame, or before it, that the log has with the same content.
        agreed: u64,
        /// Everything the device's number created up to there.
        created: Vec<(u64, Handle)>,
    },
    /// An entity is damaged in memory: fold the log again.
    #[error("an operation could not be folded")]
    Store(#[from] StoreError),
}

impl Depot {
    /// What the frame of a request was written against.
    pub(super) fn basis(&self, request: &PushRequest, host: &dyn Host) -> Basis {
        match request.served {
            LogPosition::START => Basis::START,
            served => Basis::new(served, host.time_of(served)),
        }
    }

    /// The chains after each operation of a frame, from the chain before it.
    fn chains(&self, frame: &Frame, before: Chain) -> Vec<Chain> {
        let mut scratch = Writer::new();
        let mut chain = before;
        let operations = frame.operations.iter();
        operations
            .map(|operation| {
                chain = self.chained(operation, chain, &mut scratch);
                chain
            })
            .collect()
    }

    /// The chain after an operation.
    pub(super) fn chained(
        &self,
        operation: &Operation,
        before: Chain,
        scratch: &mut Writer,
    ) -> Chain {
        let table = match &operation.body {
            OperationBody::Create { .. } => None,
            OperationBody::Change { entity, .. } => self.table_of(*entity),
        };
        operation.chained(before, operation.row(table), scratch)
    }

    /// Checks what a frame says before its operations are read: they may name entities that missing ones create.
    pub(super) fn check_head(
        &self,
        head: &FrameHead,
        request: &PushRequest,
    ) -> Result<(), PushError> {
        let device = self.known_device(request)?;
        if head.first > device.seen + 1 && head.has_operations && holds(Rule::NoGaps) {
            return Err(PushError::Gap {
                send_from: device.seen + 1,
            });
        }
        Ok(())
    }

    fn known_device(&self, request: &PushRequest) -> Result<&Device, PushError> {
        let device = self.devices.get(&request.device);
        device.ok_or(PushError::UnknownDevice(request.device))
    }

    /// Checks what makes the operations of a frame admissible as a whole. Answers the chain before the first one.
    pub(super) fn check_frame(
        &self,
        frame: &Frame,
        basis: &Basis,
        request: &PushRequest,
        host: &dyn Host,
    ) -> Result<Chain, PushError> {
        let device = self.known_device(request)?;
        if let Some(operation) = frame
            .operations
            .iter()
            .find(|operation| operation.base > request.served)
        {
            let (seq, base) = (operation.seq, operation.base);
            return Err(PushError::BaseNotServed {
                seq,
                base,
                served: request.served,
            });
        }
        let Some(first) = frame.operations.first().map(|operation| operation.seq) else {
            return Ok(device.chain);
        };
        let log = LogChains {
            number: request.device,
            device,
            host,
        };
        let before = log.after(first - 1);
        let begins = before.unwrap_or(device.chain);
        if holds(Rule::ChainChecked) && first <= device.seen + 1 {
            let begins_there = before.map(|chain| chain.check(basis)) == Some(frame.chain);
            // Nearly always the frame goes on where the log ends, and there is nothing else to compare.
            if !begins_there || first <= device.seen {
                let chains = self.chains(frame, begins);
                check_chain(frame, first, begins_there, &chains, &log)?;
            }
        }
        Ok(begins)
    }

    /// Judges one new operation against the present state: the record that admits it.
    pub(super) fn judge(
        &self,
        operation: Operation,
        chain: Chain,
        acknowledged: u64,
        request: &PushRequest,
        host: &dyn Host,
    ) -> Record {
        let (handle, rank, stamp, verdict) = match &operation.body {
            OperationBody::Create { table, .. } => (
                None,
                0,
                operation.stamp,
                self.judge_creation(&operation, *table, request, host),
            ),
            OperationBody::Change {
                entity,
                field,
                change,
            } => {
                let target = (*entity, *field, change);
                let judged = self.judge_change(&operation, chain, target, request, host);
                let handle = self.handle_of(request.device, *entity);
                match judged {
                    Ok(admitted) => (handle, admitted.rank, admitted.stamp, admitted.verdict),
                    Err(verdict) => (handle, 0, operation.stamp, verdict),
                }
            }
        };
        Record {
            time_ms: request.now_ms.max(self.last_time_ms),
            body: RecordBody::Operation {
                device: request.device,
                operation,
                handle,
                stamp,
                rank,
                chain,
                acknowledged,
                verdict,
            },
        }
    }

    fn judge_creation(
        &self,
        operation: &Operation,
        table: u16,
        request: &PushRequest,
        host: &dyn Host,
    ) -> Verdict {
        let position = self.head.next();
        let Some(table) = self.store.table(table) else {
            return Verdict::Rejected(position, Rejection::InvalidValue);
        };
        match host.judge_creation(request.device, operation, table) {
            Judgement::Allow { .. } | Judgement::Decided => Verdict::Applied(position),
            Judgement::Hold(code) => Verdict::Held(position, code),
            Judgement::Reject(code) => Verdict::Rejected(position, code),
        }
    }

    fn judge_change(
        &self,
        operation: &Operation,
        chain: Chain,
        (entity, field, change): (EntityRef, u16, &Change),
        request: &PushRequest,
        host: &dyn Host,
    ) -> Result<Admitted, Verdict> {
        let position = self.head.next();
        let reject = |code| Verdict::Rejected(position, code);
        if self.came_before(operation, chain, request, host) {
            return Err(reject(Rejection::AlreadyHere));
        }
        let handle = self
            .handle_of(request.device, entity)
            .ok_or(reject(Rejection::UnknownEntity))?;
        let (table, id) = self
            .store
            .name(handle)
            .ok_or(reject(Rejection::UnknownEntity))?;
        // Its frame was read by the table of an entity that the server named; one that the device created itself may be of
        // another table than the operation says.
        let fits = |row: &&FieldRow| match entity {
            EntityRef::Known(_) => true,
            EntityRef::Created { .. } => change.check(row).is_ok(),
        };
        let row = table.field(field).filter(fits);
        let row = row.ok_or(reject(Rejection::InvalidValue))?;
        if let Change::RemoveSeen { upto, .. } = change
            && *upto > operation.base
        {
            return Err(reject(Rejection::InvalidValue));
        }
        let state = self
            .store
            .get(handle)
            .map_err(|_| reject(Rejection::DeletedEntity))?;
        if let Some(code) = limit_refusal(&state, row, change) {
            return Err(reject(code));
        }
        let asked = Request {
            device: request.device,
            operation,
            handle,
            entity: &state,
            id,
            row,
            change,
        };
        let (rank, decided) = match host.judge(&asked) {
            Judgement::Allow { rank } => (rank, false),
            Judgement::Decided => (0, true),
            Judgement::Hold(code) => return Err(Verdict::Held(position, code)),
            Judgement::Reject(code) => return Err(reject(code)),
        };
        let base = if decided { self.head } else { operation.base };
        let origin = Origin {
            device: request.device,
            base,
            position,
        };
        let bracketed = self.bracketed(operation, request, host);
        let effective = state.effective_stamp(&origin, field, change, bracketed, rank);
        let verdict = if effective.by_authority {
            Verdict::Adjusted(position, Adjustment::Authority)
        } else if bracketed == operation.stamp {
            Verdict::Applied(position)
        } else {
            Verdict::Adjusted(position, Adjustment::Clock)
        };
        Ok(Admitted {
            rank,
            stamp: effective.stamp,
            verdict,
        })
    }

    /// Whether an operation came before. What another copy of the store has heard of is remembered by the log alone; this
    /// one may still bring it, where it began anew and was told of nothing.
    fn came_before(
        &self,
        operation: &Operation,
        chain: Chain,
        request: &PushRequest,
        host: &dyn Host,
    ) -> bool {
        let in_log = |former: Former| {
            let device = self.devices.get(&former.device)?;
            let log = LogChains {
                number: former.device,
                device,
                host,
            };
            (former.seq > 0).then(|| log.after(former.seq))?
        };
        self.came_to(request.device, operation, chain).is_some()
            || operation
                .former
                .is_some_and(|former| in_log(former) == Some(Chain(former.chain)))
    }

    /// The claimed stamp moved into what causality proves: not before the data its writer had seen, not after now.
    fn bracketed(&self, operation: &Operation, request: &PushRequest, host: &dyn Host) -> Stamp {
        if !holds(Rule::StampBracket) {
            return operation.stamp;
        }
        let earliest_ms = match operation.base {
            LogPosition::START => self
                .devices
                .get(&request.device)
                .map_or(0, |device| device.registered_ms),
            base => host.time_of(base),
        };
        operation.stamp.clamped(
            Stamp::new(earliest_ms, 0),
            Stamp::end_of_millisecond(request.now_ms),
        )
    }
}

struct Admitted {
    rank: u8,
    stamp: Stamp,
    verdict: Verdict,
}

/// Bounds that no judge should have to think of.
fn limit_refusal(entity: &CollapsedEntity, row: &FieldRow, change: &Change) -> Option<Rejection> {
    match (entity.field(row.number)?, change) {
        (CollapsedField::Set(set), Change::Insert(member)) => {
            (set.len() >= MEMBERS_MAX && !set.contains(member)).then_some(Rejection::TooLarge)
        }
        (CollapsedField::Map(map), Change::Put { key, .. }) => {
            (map.len() >= MEMBERS_MAX && map.get(key).is_none()).then_some(Rejection::TooLarge)
        }
        (CollapsedField::Counter(sum, _), Change::Add(amount)) => sum
            .checked_add(*amount)
            .is_none()
            .then_some(Rejection::InvalidValue),
        _ => None,
    }
}

/// The chains that the log has of one device.
struct LogChains<'a> {
    number: DeviceId,
    device: &'a Device,
    host: &'a dyn Host,
}

impl LogChains<'_> {
    /// The chain after the device's operation `seq`, if the log has it.
    fn after(&self, seq: u64) -> Option<Chain> {
        match seq {
            0 => Some(Chain::of(self.number)),
            seq if seq == self.device.seen => Some(self.device.chain),
            seq => {
                let unheard = self.device.unheard(seq).map(|waiting| waiting.chain);
                unheard.or_else(|| self.host.chain_at(self.number, seq))
            }
        }
    }
}

/// Compares the device's chain with the log's where both have one: before the frame, and at the end of what the log has
/// seen of it.
fn check_chain(
    frame: &Frame,
    first: u64,
    begins_there: bool,
    chains: &[Chain],
    log: &LogChains<'_>,
) -> Result<(), PushError> {
    let device = log.device;
    let told = |seq: u64| {
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        chains.get(index).copied()
    };
    let last = first + chains.len() as u64 - 1;
    let common = device.seen.min(last);
    if begins_there && (common < first || told(common) == log.after(common)) {
        return Ok(());
    }
    let agreed = if begins_there {
        let mut fallen = (first..=common).rev();
        fallen
            .find(|seq| told(*seq) == log.after(*seq))
            .unwrap_or(first - 1)
    } else if frame.acknowledged < first - 1 {
        // Nothing here agrees. Unjudged operations before this frame may: they must be told first, or what the log
        // already has of them would be sent again under another number.
        return Err(PushError::Gap {
            send_from: frame.acknowledged + 1,
        });
    } else {
        first - 1
    };
    let created = device
        .created
        .range(..=agreed)
        .map(|(seq, handle)| (*seq, *handle))
        .collect();
    Err(PushError::Cloned { agreed, created })
}

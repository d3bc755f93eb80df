//! The server's side: a fold of the log that also decides what is appended to it.
//!
//! Every decision becomes a [`Record`] and is folded by [`Depot::replay`], live and after a restart alike, so folding
//! the log again gives the same depot. Append the records durably before answering; when that fails, drop the depot and
//! fold the log again.

use super::admission::{PushError, PushRequest};
use super::answer::PushAnswer;
use super::chain::Chain;
use super::device::{DeviceStatus, Devices, Unheard};
use super::frame::{Frame, FrameHead, Tables};
use super::host::Host;
use super::operation::{EntityRef, Former, Operation, OperationBody};
use super::record::{Record, RecordBody};
use super::shared::SharedPages;
use super::trial::MetAgain;
use super::verdict::{Rejection, Verdict};
use crate::clock::{LogPosition, Stamp};
use crate::collapsed::{After, EntityStore, Handle, Made, Origin, SERVER, StoreError};
use crate::entity::{Change, EntityTable};
use crate::replica::DeviceId;
use crate::rule::{Rule, holds};
use crate::wire::Writer;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The state of one depot's sync: devices and entities, folded from the log.
#[derive(Debug)]
pub struct Depot {
    pub(super) store: EntityStore,
    pub(super) devices: Devices,
    pub(super) head: LogPosition,
    /// The highest horizon whose markers were dropped: devices behind it need the manifest.
    pub(super) floor: LogPosition,
    pub(super) last_time_ms: u64,
    /// Operations that came under a second number after their device's store had been copied, with what each came to
    /// when it was here first.
    pub(super) renumbered: BTreeMap<Former, Verdict>,
    /// Pages of the present state that several devices may ask for.
    pub(super) pages: SharedPages,
    /// In a trial, what it added to `renumbered`; `None` outside one.
    pub(super) trial: Option<Vec<Former>>,
    /// Room for the bytes by which operations are chained.
    scratch: Writer,
    /// Room for the operations of a frame; empty.
    operations: Vec<Operation>,
}

impl Depot {
    /// An empty depot for entities of these tables. `decoded_max`: see [`EntityStore::new`].
    pub fn new(tables: &'static [&'static EntityTable], decoded_max: usize) -> Self {
        Self {
            store: EntityStore::new(tables, decoded_max),
            devices: Devices::default(),
            head: LogPosition::START,
            floor: LogPosition::START,
            last_time_ms: 0,
            renumbered: BTreeMap::new(),
            pages: SharedPages::default(),
            trial: None,
            scratch: Writer::new(),
            operations: Vec::new(),
        }
    }

    /// The position of the last record.
    pub fn head(&self) -> LogPosition {
        self.head
    }

    /// Devices whose complete point is below this get the manifest.
    pub fn floor(&self) -> LogPosition {
        self.floor
    }

    /// The entities.
    pub fn store(&self) -> &EntityStore {
        &self.store
    }

    /// Packs all entities, for example before a snapshot or when the depot is idle.
    pub fn pack_all(&mut self) {
        self.store.pack_all();
    }

    /// What is known of a device.
    pub fn device(&self, device: DeviceId) -> Option<DeviceStatus> {
        self.devices.get(&device).map(|device| DeviceStatus {
            seen: device.seen,
            acknowledged: device.acknowledged,
            verdicts_waiting: device.all_unheard().len(),
            expired: device.expired,
            chain: device.chain,
        })
    }

    /// What became of a device's operation; `Duplicate` once the device has said that it knows.
    pub fn verdict(&self, device: DeviceId, seq: u64) -> Verdict {
        self.known_verdict(device, seq)
    }

    /// The handle of the entity that an operation of this device means.
    pub fn resolve(&self, device: DeviceId, entity: EntityRef) -> Option<Handle> {
        self.handle_of(device, entity)
    }

    /// The number that the next registered device gets.
    pub fn next_device(&self) -> DeviceId {
        self.devices.next()
    }

    /// Registers the next device number.
    ///
    /// # Errors
    /// [`StoreError`]; see [`Depot::replay`].
    pub fn register(&mut self, now_ms: u64) -> Result<(DeviceId, Record), StoreError> {
        let device = self.devices.next();
        self.record(now_ms, RecordBody::Registered { device })
            .map(|record| (device, record))
    }

    /// Admits a frame: its records, in order, and the answer. Repeating a push changes nothing.
    ///
    /// # Errors
    /// A [`PushError`] refuses the frame whole.
    pub fn push(
        &mut self,
        bytes: &[u8],
        request: &PushRequest,
        host: &dyn Host,
    ) -> Result<(Vec<Record>, PushAnswer), PushError> {
        let (head, rest) = FrameHead::decode(bytes)?;
        self.check_head(&head, request)?;
        let basis = self.basis(request, host);
        let room = std::mem::take(&mut self.operations);
        let mut frame = Frame::decode_behind(&head, rest, &basis, self, room)?;
        let mut chain = self.check_frame(&frame, &basis, request, host)?;
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut answer = PushAnswer {
            verdicts: Vec::with_capacity(frame.operations.len()),
            created: Vec::new(),
        };
        let mut records = Vec::with_capacity(frame.operations.len());
        let met_again = self.met_again(&frame.operations, request.device);
        for operation in frame.operations.drain(..) {
            chain = self.chained(&operation, chain, &mut scratch);
            let seq = operation.seq;
            let seen = self
                .devices
                .get(&request.device)
                .map_or(0, |device| device.seen);
            let verdict = if seq <= seen && holds(Rule::DedupBySeq) {
                self.known_verdict(request.device, seq)
            } else {
                self.unpack(request.device, &operation);
                records.push(self.judge(operation, chain, frame.acknowledged, request, host));
                match records.last_mut() {
                    Some(record) => self.admit(record, &met_again, host)?,
                    None => Verdict::Duplicate,
                }
            };
            answer.verdicts.push((seq, verdict));
            if let Some(handle) = self.created_by(request.device, seq) {
                answer.created.push((seq, handle));
            }
        }
        (self.scratch, self.operations) = (scratch, frame.operations);
        if self.trial.is_none()
            && let Some(device) = self.devices.get_mut(&request.device)
        {
            device.acknowledge_verdicts(frame.acknowledged);
        }
        Ok((records, answer))
    }

    /// Unpacks the entity that an operation changes, so that judging and folding it need not each do so. What cannot be
    /// unpacked is refused by the judge.
    fn unpack(&mut self, device: DeviceId, operation: &Operation) {
        if let OperationBody::Change { entity, .. } = &operation.body
            && let Some(handle) = self.handle_of(device, *entity)
        {
            let _ = self.store.edit(handle);
        }
    }

    /// Folds a judged operation, or goes past it where a trial can do without. Answers what its device is told.
    fn admit(
        &mut self,
        record: &mut Record,
        met_again: &MetAgain,
        host: &dyn Host,
    ) -> Result<Verdict, StoreError> {
        let position = self.head.next();
        let is_folded = self.trial.is_none() || met_again.includes(record);
        // Whether a write shows is known once it is folded; the record says it, for the audit.
        let shown = if is_folded {
            self.fold(record)?.unwrap_or(Verdict::Duplicate)
        } else {
            self.go_past(record)
        };
        let RecordBody::Operation {
            device,
            operation,
            handle,
            chain,
            verdict,
            ..
        } = &mut record.body
        else {
            return Ok(shown);
        };
        *verdict = shown;
        let told = self.told(*device, operation, *chain, shown);
        let entity = handle.or_else(|| self.created_by(*device, operation.seq));
        let named = entity.and_then(|handle| {
            let (_, id) = self.store.name(handle)?;
            Some((id, self.store.get(handle).ok()?))
        });
        let made = record.body.made(position);
        let after = named
            .as_ref()
            .map(|(id, entity)| After::new(id, entity, made, is_folded));
        host.admitted(&record.body, after.as_ref());
        Ok(told)
    }

    /// A write of the server itself. `base` is the head for an HTTP request, the operation's base for an approval.
    /// The caller has checked the change against the table.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn write(
        &mut self,
        handle: Handle,
        field: u16,
        change: Change,
        base: LogPosition,
        rank: u8,
        now_ms: u64,
    ) -> Result<Record, StoreError> {
        let origin = Origin {
            device: SERVER,
            base,
            position: self.head.next(),
        };
        let claimed = Stamp::new(now_ms, 0);
        let stamp = self
            .store
            .get(handle)?
            .effective_stamp(&origin, field, &change, claimed, rank)
            .stamp;
        self.record(
            now_ms,
            RecordBody::Written {
                handle,
                field,
                change,
                base,
                stamp,
                rank,
            },
        )
    }

    /// Creates an entity of the server itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn create(&mut self, table: u16, id: &[u8], now_ms: u64) -> Result<Record, StoreError> {
        self.record(
            now_ms,
            RecordBody::Created {
                table,
                id: id.into(),
            },
        )
    }

    /// Deletes an entity for good. Users archive by a field; this is for what must really go.
    ///
    /// # Errors
    /// [`StoreError::Unknown`].
    pub fn delete(&mut self, handle: Handle, now_ms: u64) -> Result<Record, StoreError> {
        self.record(now_ms, RecordBody::Deleted { handle })
    }

    /// Stops counting a device for compaction: it was not seen for too long, or was revoked. It may still come back.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn expire(&mut self, device: DeviceId, now_ms: u64) -> Result<Record, StoreError> {
        self.record(now_ms, RecordBody::Expired { device })
    }

    /// The position that every device that counts has acknowledged; the head when none counts.
    pub fn stable(&self) -> LogPosition {
        let counting = self.devices.values().filter(|device| !device.expired);
        counting
            .map(|device| device.acknowledged)
            .min()
            .unwrap_or(self.head)
    }

    /// Drops the removal markers that every device that counts has passed. `None` when there is nothing new to drop.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn compact(&mut self, now_ms: u64) -> Result<Option<Record>, StoreError> {
        let horizon = self.stable();
        if horizon <= self.floor && holds(Rule::MarkersUntilStable) {
            return Ok(None);
        }
        self.record(now_ms, RecordBody::Compacted { horizon })
            .map(Some)
    }

    /// Folds one record: the only way the state changes. Records come in log order, without gaps.
    ///
    /// # Errors
    /// [`StoreError`] when a record names an entity that the records before it did not make, or memory is damaged: the
    /// log is not what this depot wrote.
    pub fn replay(&mut self, record: &Record) -> Result<(), StoreError> {
        self.fold(record).map(|_| ())
    }

    /// Folds one record at the position that a shared log gave it. Positions may leave gaps, where the log holds what is
    /// not of this protocol, and may repeat, where one entry of the log changes several fields of one entity.
    ///
    /// # Errors
    /// As [`Depot::replay`]. A position behind the head is a fault of the caller: it is taken for the head.
    pub fn replay_at(
        &mut self,
        position: LogPosition,
        record: &Record,
    ) -> Result<Verdict, StoreError> {
        let folded = self.fold_at(position.max(self.head), record)?;
        Ok(folded.unwrap_or(Verdict::Duplicate))
    }

    /// Raises the head over entries of a shared log that are not of this protocol.
    pub fn advance_to(&mut self, position: LogPosition) {
        if position > self.head {
            self.head = position;
            self.pages.clear();
        }
    }

    #[inline]
    fn record(&mut self, now_ms: u64, body: RecordBody) -> Result<Record, StoreError> {
        let record = Record {
            time_ms: now_ms.max(self.last_time_ms),
            body,
        };
        self.fold(&record)?;
        Ok(record)
    }

    fn fold(&mut self, record: &Record) -> Result<Option<Verdict>, StoreError> {
        self.fold_at(self.head.next(), record)
    }

    fn fold_at(
        &mut self,
        position: LogPosition,
        record: &Record,
    ) -> Result<Option<Verdict>, StoreError> {
        self.pages.clear();
        let mut verdict = None;
        match &record.body {
            RecordBody::Registered { device } => {
                if !self.devices.add(*device, record.time_ms) {
                    return Err(StoreError::DeviceOrder(*device));
                }
            }
            RecordBody::Expired { device } => {
                if let Some(device) = self.devices.get_mut(device) {
                    device.expired = true;
                }
            }
            RecordBody::Operation { .. } => {
                verdict = Some(self.fold_operation(&record.body, position)?)
            }
            RecordBody::Created { table, id } => {
                if let Some(table) = self.store.table(*table) {
                    self.store.create(table, id, position);
                }
            }
            RecordBody::Written {
                handle,
                field,
                change,
                base,
                stamp,
                rank,
            } => {
                let made = Made {
                    origin: Origin {
                        device: SERVER,
                        base: *base,
                        position,
                    },
                    stamp: *stamp,
                    rank: *rank,
                    field: *field,
                    change,
                };
                self.store.apply(*handle, &made)?;
            }
            RecordBody::Deleted { handle } => self.store.delete(*handle, position)?,
            RecordBody::Compacted { horizon } => {
                let purged = if holds(Rule::MarkersUntilStable) {
                    *horizon
                } else {
                    self.head
                };
                self.store.purge(purged, *horizon)?;
                self.floor = self.floor.max(*horizon);
            }
        }
        self.head = position;
        self.last_time_ms = record.time_ms;
        Ok(verdict)
    }

    fn fold_operation(
        &mut self,
        body: &RecordBody,
        position: LogPosition,
    ) -> Result<Verdict, StoreError> {
        let RecordBody::Operation {
            device,
            operation,
            handle,
            chain,
            acknowledged,
            verdict,
            ..
        } = body
        else {
            unreachable!("the caller matched the kind of record")
        };
        let mut verdict = verdict.at(position);
        let mut created = None;
        match &operation.body {
            OperationBody::Create { table, id } => {
                let known = self.store.table(*table).filter(|_| verdict.is_folded());
                created = known.map(|known| self.store.create(known, id, position));
            }
            OperationBody::Change { .. } => {
                if let (Some(handle), Some(made)) = (handle, body.made(position)) {
                    let shows = self.store.apply(*handle, &made)?;
                    if !shows && !matches!(verdict, Verdict::Adjusted(..)) {
                        verdict = Verdict::Superseded(position);
                    }
                }
            }
        }
        let told = self.told(*device, operation, *chain, verdict);
        if let Some(former) = operation.former
            && let Entry::Vacant(first) = self.renumbered.entry(former)
        {
            first.insert(told);
            if let Some(added) = &mut self.trial {
                added.push(former);
            }
        }
        let Some(device) = self.devices.get_mut(device) else {
            return Ok(verdict);
        };
        device.pass(operation.seq, *chain);
        // Nothing of it is asked for within a trial, which need not take it back then.
        if self.trial.is_none() {
            device.acknowledge_verdicts(*acknowledged);
            if holds(Rule::VerdictsPersist) {
                device.keep(Unheard {
                    seq: operation.seq,
                    chain: *chain,
                    verdict: told,
                });
            }
        }
        if let Some(handle) = created {
            device.created.insert(operation.seq, handle);
        }
        Ok(verdict)
    }

    /// What the device hears of an operation that was judged so. One that is here already came to what it came to then,
    /// which nobody may have heard: the answer was lost, or the store that had it is gone.
    fn told(
        &self,
        device: DeviceId,
        operation: &Operation,
        chain: Chain,
        judged: Verdict,
    ) -> Verdict {
        let Some(first) = self.came_to(device, operation, chain) else {
            return judged;
        };
        // A creation is judged each time: where it comes to something else now, that is what holds.
        let holds_still = match operation.body {
            OperationBody::Create { .. } => first.is_folded() == judged.is_folded(),
            OperationBody::Change { .. } => {
                matches!(judged, Verdict::Rejected(_, Rejection::AlreadyHere))
            }
        };
        if holds_still { first } else { judged }
    }

    /// What an operation came to that came before under the same name: from another copy of the store, or from this one
    /// before it began anew, when the answer was lost. `None` when none did.
    pub(super) fn came_to(
        &self,
        device: DeviceId,
        operation: &Operation,
        chain: Chain,
    ) -> Option<Verdict> {
        let Some(former) = operation.former else {
            // A copy that began anew may have been first.
            let own = Former {
                device,
                seq: operation.seq,
                chain: chain.0,
            };
            return self.renumbered.get(&own).copied();
        };
        if let Some(first) = self.renumbered.get(&former) {
            return Some(*first);
        }
        let came = self.devices.get(&former.device)?.unheard(former.seq)?;
        (came.chain.0 == former.chain).then_some(came.verdict)
    }

    fn known_verdict(&self, device: DeviceId, seq: u64) -> Verdict {
        self.devices
            .get(&device)
            .and_then(|device| device.unheard(seq))
            .map_or(Verdict::Duplicate, |waiting| waiting.verdict)
    }

    fn created_by(&self, device: DeviceId, seq: u64) -> Option<Handle> {
        self.devices
            .get(&device)
            .and_then(|device| device.created.get(&seq))
            .copied()
    }

    pub(super) fn handle_of(&self, device: DeviceId, entity: EntityRef) -> Option<Handle> {
        match entity {
            EntityRef::Known(handle) => Some(handle),
            EntityRef::Created { seq, .. } => self.created_by(device, seq),
        }
    }
}

impl Tables for Depot {
    fn table_of_handle(&self, handle: Handle) -> Option<&'static EntityTable> {
        self.store.table_of(handle)
    }

    fn table_numbered(&self, number: u16) -> Option<&'static EntityTable> {
        self.store.table(number)
    }
}

/// The number of an operation, for logs.
impl std::fmt::Display for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "operation {} at base {}", self.seq, self.base)
    }
}

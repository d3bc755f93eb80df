//! What really happened, kept apart from what the protocol believes; and the claims that both must satisfy.

use super::world::{Device, Failure, World};
use crate::clock::{Dot, LogPosition, Stamp};
use crate::collapsed::{
    CollapsedEntity, CollapsedField, EntityView, Handle, SERVER, updates_since,
};
use crate::entity::{EntityState, EntityTable, FieldState, Kind};
use crate::lattice::Lattice;
use crate::register::winner_of;
use crate::replica::DeviceId;
use crate::store::DotStore;
use crate::sync::{
    Depot, Operation, OperationBody, Record, RecordBody, Rejection, Tablet, Verdict,
};
use std::collections::{BTreeMap, BTreeSet};

/// The true history.
#[derive(Default)]
pub(super) struct Truth {
    /// Positions of records that changed each entity, rising, with their device.
    touched: BTreeMap<Handle, Vec<(LogPosition, DeviceId)>>,
    /// Operations that were made and stored: identity and true time.
    made: BTreeMap<u32, u64>,
    /// Operations whose verdict never had to be heard: lost with a store, or agreed upon after a copy.
    excused: BTreeSet<u32>,
    /// Operations that may never reach the log: lost with a store.
    lost: BTreeSet<u32>,
    last_identity: u32,
}

impl Truth {
    pub(super) fn next_identity(&mut self) -> u32 {
        self.last_identity += 1;
        self.last_identity
    }

    pub(super) fn made(&mut self, identity: u32, now_ms: u64) {
        self.made.insert(identity, now_ms);
    }

    pub(super) fn unmade(&mut self, identity: u32) {
        self.made.remove(&identity);
    }

    /// A store was replaced by an older one: what only it held is gone with it.
    pub(super) fn lose(&mut self, lost: &Tablet, kept: &Tablet) {
        let kept: BTreeSet<_> = kept.waiting().map(|operation| operation.user).collect();
        for operation in lost
            .waiting()
            .filter(|operation| !kept.contains(&operation.user))
        {
            self.lost.insert(operation.user);
            self.excused.insert(operation.user);
        }
    }

    /// Changes of an entity whose creation was refused do not survive a renumbering; the tablet shows them.
    pub(super) fn refused(&mut self, operations: &[Operation]) {
        self.lost
            .extend(operations.iter().map(|operation| operation.user));
        self.excused
            .extend(operations.iter().map(|operation| operation.user));
    }

    /// After a copy was noticed, the operations agreed upon count as sent; their verdicts are not asked for again.
    pub(super) fn excuse(&mut self, tablet: &Tablet, agreed: u64) {
        let sent = tablet.waiting().filter(|operation| operation.seq <= agreed);
        self.excused.extend(sent.map(|operation| operation.user));
    }

    pub(super) fn note(&mut self, position: LogPosition, record: &Record, depot: &Depot) {
        let touched = match &record.body {
            RecordBody::Operation {
                device,
                handle: Some(handle),
                verdict,
                ..
            } if verdict.is_folded() => Some((*handle, *device)),
            RecordBody::Written { handle, .. } => Some((*handle, SERVER)),
            _ => None,
        };
        // What shows nothing (a removal of what is not there) is not sent, so nobody can or need receive it.
        if let Some((handle, device)) =
            touched.filter(|(handle, _)| shows_since(depot, *handle, position))
        {
            self.touched
                .entry(handle)
                .or_default()
                .push((position, device));
        }
    }

    /// C1 and C2: the device's claim to have seen everything up to `base` is true, and outside a download it claims no
    /// less than it has.
    pub(super) fn check_claim(
        &self,
        device: &Device,
        handle: Handle,
        log: &[Record],
    ) -> Result<(), Failure> {
        let tablet = &device.tablet;
        let received = device.received.get(&handle).copied().unwrap_or_default();
        let none = Vec::new();
        let touched = self.touched.get(&handle).unwrap_or(&none);
        let foreign = |position: &LogPosition, by: &DeviceId| {
            *position <= tablet.base() && *by != tablet.device()
        };
        if let Some((position, _)) = touched
            .iter()
            .find(|(position, by)| foreign(position, by) && *position > received)
        {
            return Err(format!(
                "C1 base {} claims record {position}, received up to {received}",
                tablet.base()
            ));
        }
        let between_downloads = tablet.cursor().complete == tablet.cursor().reached;
        if between_downloads && received > tablet.base() {
            return Err(format!(
                "C2 base {} is below what was received: {received} of {}",
                tablet.base(),
                log.len()
            ));
        }
        Ok(())
    }
}

fn shows_since(depot: &Depot, handle: Handle, position: LogPosition) -> bool {
    let Ok(entity) = depot.store().get(handle) else {
        return false;
    };
    let before = LogPosition::new(position.get() - 1);
    let mut shows = false;
    for (_, field) in entity.fields() {
        updates_since(field, before, &mut |_| shows = true);
    }
    shows
}

/// Every claim about the end of a run.
pub(super) fn check_end(world: &mut World) -> Result<(), Failure> {
    check_log(world)?;
    check_rebuild(world)?;
    check_reference(world)?;
    check_devices(world)
}

/// Every operation stands in the log once, its stamp in its bracket, and its device heard its verdict.
fn check_log(world: &World) -> Result<(), Failure> {
    let truth = &world.truth;
    let mut found = BTreeMap::new();
    let mut next_seq: BTreeMap<DeviceId, u64> = BTreeMap::new();
    for (index, record) in world.log.iter().enumerate() {
        let RecordBody::Operation {
            device,
            operation,
            stamp,
            verdict,
            ..
        } = &record.body
        else {
            continue;
        };
        // Creating what exists changes nothing, so it may come from each copy.
        let copy = matches!(verdict, Verdict::Rejected(_, Rejection::AlreadyHere))
            || matches!(operation.body, OperationBody::Create { .. });
        if copy && found.contains_key(&operation.user) {
            // Another copy of the store brought it before.
        } else if found.insert(operation.user, *verdict).is_some() {
            return Err(format!(
                "P26 operation {} of device {device} is in the log twice",
                operation.user
            ));
        }
        let next = next_seq.entry(*device).or_insert(1);
        if operation.seq != *next {
            return Err(format!(
                "P27 device {device} has {} after {}",
                operation.seq,
                *next - 1
            ));
        }
        *next += 1;
        if verdict.is_folded() && matches!(operation.body, OperationBody::Change { .. }) {
            check_stamp(
                world,
                index,
                operation.base,
                *stamp,
                truth.made.get(&operation.user).copied(),
            )?;
        }
    }
    for identity in truth.made.keys() {
        let Some(verdict) = found.get(identity) else {
            if truth.lost.contains(identity) {
                continue;
            }
            return Err(format!(
                "P26 operation {identity} was made and is not in the log"
            ));
        };
        let heard: Vec<_> = world
            .devices
            .iter()
            .filter_map(|device| device.heard.get(identity))
            .collect();
        if !heard.contains(&verdict) && !truth.excused.contains(identity) {
            return Err(format!(
                "P34 operation {identity}: the log says {verdict:?}, its device heard {heard:?}"
            ));
        }
    }
    Ok(())
}

/// C9: the bracket contains the true time, and the stamp stays in it up to the few ticks of the overwrite rule.
fn check_stamp(
    world: &World,
    index: usize,
    base: LogPosition,
    stamp: Stamp,
    made_ms: Option<u64>,
) -> Result<(), Failure> {
    let time_at = |position: LogPosition| {
        usize::try_from(position.get())
            .ok()
            .and_then(|index| index.checked_sub(1))
            .and_then(|index| world.log.get(index))
    };
    let earliest = time_at(base).map_or(0, |record| record.time_ms);
    let latest = world.log[index].time_ms;
    let Some(made_ms) = made_ms else {
        return Ok(());
    };
    if !(earliest..=latest).contains(&made_ms) {
        return Err(format!(
            "C9 made at {made_ms}, bracket {earliest}..={latest}"
        ));
    }
    // Authority may put a write one tick before a concurrent one, which is itself in its own bracket.
    if stamp.millis() > latest + 1 {
        return Err(format!("C9 stamp {} beyond {latest}", stamp.millis()));
    }
    Ok(())
}

/// C6: the log alone gives the same depot.
fn check_rebuild(world: &World) -> Result<(), Failure> {
    let rebuilt = world.rebuilt()?;
    if rebuilt.head() != world.depot.head() || rebuilt.floor() != world.depot.floor() {
        return Err("C6 head or floor differ".into());
    }
    for handle in (0..world.depot.store().handles()).map(Handle) {
        let live = world.depot.store().packed_fields(handle).ok();
        if live != rebuilt.store().packed_fields(handle).ok() {
            return Err(format!("C6 entity {handle:?} differs after a rebuild"));
        }
    }
    Ok(())
}

/// C3, C4, C5, P14: the collapsed entities equal the reference, fed with what each operation claims to have seen.
fn check_reference(world: &World) -> Result<(), Failure> {
    for handle in world.depot.store().live() {
        let entity = world
            .depot
            .store()
            .get(handle)
            .map_err(|error| error.to_string())?;
        let reference = reference_of(world, handle, entity.table())?;
        compare(handle, &entity, &reference)?;
    }
    Ok(())
}

/// One folded change with what it contributed.
struct Delta {
    position: LogPosition,
    device: DeviceId,
    state: EntityState<DeviceId>,
}

/// Folds the entity's records with dots and contexts instead of positions.
fn reference_of(
    world: &World,
    handle: Handle,
    table: &EntityTable,
) -> Result<EntityState<DeviceId>, Failure> {
    let mut deltas: Vec<Delta> = Vec::new();
    for (index, record) in world.log.iter().enumerate() {
        let position = LogPosition::new(index as u64 + 1);
        // The server has no numbers of its own: its position serves as one.
        let (device, number, base, field, change, stamp) = match &record.body {
            RecordBody::Operation {
                device,
                operation,
                handle: Some(of),
                stamp,
                verdict,
                ..
            } if *of == handle && verdict.is_folded() => {
                let OperationBody::Change { field, change, .. } = &operation.body else {
                    continue;
                };
                (
                    *device,
                    operation.seq,
                    operation.base,
                    *field,
                    change,
                    *stamp,
                )
            }
            RecordBody::Written {
                handle: of,
                field,
                change,
                base,
                stamp,
                ..
            } if *of == handle => (SERVER, position.get(), *base, *field, change, *stamp),
            _ => continue,
        };
        let mut known = EntityState::default();
        for delta in deltas
            .iter()
            .filter(|delta| delta.device == device || delta.position <= base)
        {
            known.join(&delta.state);
        }
        let dot = Dot::new(device, number);
        let state = known
            .apply(table, field, dot, stamp, change)
            .map_err(|error| format!("P14 {error}"))?;
        deltas.push(Delta {
            position,
            device,
            state,
        });
    }
    // Any order does: fold them backwards.
    let mut reference = EntityState::default();
    for delta in deltas.iter().rev() {
        reference.join(&delta.state);
    }
    Ok(reference)
}

fn compare(
    handle: Handle,
    entity: &CollapsedEntity,
    reference: &EntityState<DeviceId>,
) -> Result<(), Failure> {
    for row in entity.table().fields {
        let held = entity.field(row.number);
        let wanted = reference.field(row.number);
        if !fields_agree(&row.kind, held, wanted) {
            return Err(format!(
                "C3-C5 {handle:?} {}: {held:?} but the reference has {wanted:?}",
                row.name
            ));
        }
    }
    Ok(())
}

/// Whether both forms show the same.
pub(crate) fn fields_agree(
    kind: &Kind,
    held: Option<&CollapsedField>,
    wanted: Option<&FieldState<DeviceId>>,
) -> bool {
    match (held, wanted) {
        (None, None) => true,
        (None, Some(FieldState::Lww(_) | FieldState::Max(_)))
        | (Some(CollapsedField::Max(..)), None) => false,
        // A change that was refused everywhere leaves no field here, and bottom there.
        (None, Some(state)) => fields_agree(kind, Some(&empty(kind)), Some(state)),
        (Some(CollapsedField::Register(register)), wanted) => match wanted {
            Some(FieldState::Lww(state)) => {
                let winner = register
                    .winner()
                    .map(|write| (write.stamp, write.device, &write.value));
                winner
                    == state
                        .write()
                        .map(|write| (write.stamp, write.replica, &write.value))
            }
            Some(FieldState::MultiValue(writes)) => registers_agree(register, writes),
            _ => register.is_empty(),
        },
        (Some(CollapsedField::Max(reading, _)), Some(FieldState::Max(state))) => reading == state,
        (Some(CollapsedField::Counter(sum, _)), wanted) => match wanted {
            Some(FieldState::Counter(state)) => i128::from(*sum) == state.value(),
            Some(FieldState::GrowCounter(state)) => {
                u128::try_from(*sum).is_ok_and(|sum| sum == state.value())
            }
            _ => *sum == 0,
        },
        (Some(CollapsedField::Flag(set)), wanted) => {
            set.is_empty() == !matches!(wanted, Some(FieldState::Flag(dots)) if !dots.is_empty())
        }
        (Some(CollapsedField::Set(set)), wanted) => match wanted {
            Some(FieldState::Set(members)) => {
                set.members().eq(members.iter().map(|(member, _)| member))
            }
            _ => set.is_empty(),
        },
        (Some(CollapsedField::Map(map)), wanted) => match wanted {
            Some(FieldState::Map(items)) => {
                map.items()
                    .map(|(key, _)| key)
                    .eq(items.iter().map(|(key, _)| key))
                    && map.items().all(|(key, item)| {
                        let Some(fields) = items.get(key) else {
                            return false;
                        };
                        item.fields()
                            .iter()
                            .map(|(number, _)| number)
                            .eq(fields.iter().map(|(number, _)| number))
                            && item.fields().iter().all(|(number, register)| {
                                fields
                                    .get(number)
                                    .is_some_and(|writes| registers_agree(register, writes))
                            })
                    })
            }
            _ => map.is_empty(),
        },
        _ => false,
    }
}

fn empty(kind: &Kind) -> CollapsedField {
    match kind {
        Kind::Lww(_) | Kind::MultiValue(_) => {
            CollapsedField::Register(crate::collapsed::CollapsedRegister::default())
        }
        Kind::Max => {
            CollapsedField::Max(crate::register::MaxRegister::default(), LogPosition::START)
        }
        Kind::GrowCounter | Kind::Counter => CollapsedField::Counter(0, LogPosition::START),
        Kind::Flag => CollapsedField::Flag(Box::default()),
        Kind::Set(_) => CollapsedField::Set(Box::default()),
        Kind::Map { .. } => CollapsedField::Map(Box::default()),
    }
}

/// The winner is the reference's, and the siblings are exactly its other maximal writes.
fn registers_agree(
    register: &crate::collapsed::CollapsedRegister,
    writes: &crate::store::DotFun<DeviceId, crate::register::StampedValue>,
) -> bool {
    let of_write =
        |write: &crate::collapsed::Write| (write.stamp, write.device, write.value.clone());
    let mut held: Vec<_> = register
        .winner()
        .into_iter()
        .chain(register.siblings())
        .map(of_write)
        .collect();
    let mut wanted: Vec<_> = writes
        .iter()
        .map(|(dot, write)| (write.stamp, dot.replica, write.value.clone()))
        .collect();
    let shown = register.winner().map(of_write);
    let best =
        winner_of(writes).map(|(dot, write)| (write.stamp, dot.replica, write.value.clone()));
    held.sort();
    wanted.sort();
    held == wanted
        && (shown == best
            || held.len()
                != held
                    .iter()
                    .map(|write| (write.0, write.1))
                    .collect::<BTreeSet<_>>()
                    .len())
}

/// C7: every device shows what the server has.
fn check_devices(world: &World) -> Result<(), Failure> {
    let live: Vec<_> = world.depot.store().live().collect();
    for (index, device) in world.devices.iter().enumerate() {
        let known: Vec<_> = device
            .tablet
            .entities()
            .map(|(handle, _, _)| handle)
            .collect();
        if known != live {
            return Err(format!(
                "C7 device {index} has {known:?} instead of {live:?}"
            ));
        }
        for handle in &live {
            let entity = world
                .depot
                .store()
                .get(*handle)
                .map_err(|error| error.to_string())?;
            let wanted = EntityView::of(&entity);
            let confirmed = device.tablet.confirmed(*handle);
            if confirmed != Some(&wanted) {
                return Err(format!(
                    "C7 device {index} {handle:?}: {confirmed:?} instead of {wanted:?}"
                ));
            }
        }
    }
    Ok(())
}

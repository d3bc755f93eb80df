//! All entities of a depot: packed at rest, decoded while they are edited, indexed by where they last changed.
//!
//! The index is "latest position per entity", not the log: a range scan from a cursor is already the folded answer,
//! for a cursor of any age. Nothing here is durable; it is folded from the log and can be packed into a snapshot.

mod changes;
mod saved;
mod slot;

use self::changes::Changes;
use self::slot::{Decoded, Held, Slot};
use super::Made;
use super::entity::{CollapsedEntity, CollapsedField, Folded, Undo};
use super::register::WriteUndo;
use crate::clock::LogPosition;
use crate::entity::EntityTable;
use crate::replica::DeviceId;
use crate::wire::DecodeError;
use hashbrown::HashTable;
use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use thiserror::Error;

/// An entity's short name: dense, from 0, in order of creation; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u32);

/// Longest entity id, in bytes.
pub const ENTITY_ID_BYTES_MAX: usize = 200;

/// An entity's own id: a UUID's 16 bytes or a business key's UTF-8, at most [`ENTITY_ID_BYTES_MAX`] bytes.
pub type EntityId<'a> = &'a [u8];

/// Why the store cannot do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// No entity has this handle, or it was deleted.
    #[error("no entity {0:?}")]
    Unknown(Handle),
    /// A device was registered out of turn: the log is not what a depot wrote.
    #[error("device {0} is not the next one")]
    DeviceOrder(DeviceId),
    /// Packed bytes do not decode: the memory or the snapshot they came from is damaged.
    #[error("entity {handle:?} is damaged")]
    Damaged {
        /// Which.
        handle: Handle,
        /// How.
        source: DecodeError,
    },
}

/// The entities of one depot.
#[derive(Debug)]
pub struct EntityStore {
    tables: &'static [&'static EntityTable],
    slots: Vec<Slot>,
    /// Handles by hash of (table, id); the id itself is read from the slot.
    by_id: HashTable<u32>,
    hasher: RandomState,
    changes: Changes,
    /// Where removals left markers, rising, and in which entities, until they are purged.
    markers: VecDeque<(LogPosition, Handle)>,
    decoded: usize,
    decoded_max: usize,
    /// What a trial has changed so far; `None` outside one.
    trial: Option<Trial>,
}

/// How to take back what was changed since a trial began. The index of changes is left alone meanwhile.
#[derive(Debug, Default)]
struct Trial {
    handles: u32,
    /// Every change: of which entity, where that had last changed, of which field, and how it is taken back.
    changes: Vec<(Handle, LogPosition, u16, Option<Undo>)>,
    /// Fields that were copied whole: once each, since a list of thousands may be changed by a thousand operations.
    copied: BTreeSet<(Handle, u16)>,
    /// How many markers there were before.
    markers: usize,
}

impl EntityStore {
    /// An empty store for entities of these tables. At most about `decoded_max` entities stay decoded after an edit; a
    /// decoded entity of 20 fields takes about three times the memory of a packed one.
    pub fn new(tables: &'static [&'static EntityTable], decoded_max: usize) -> Self {
        Self {
            tables,
            slots: Vec::new(),
            by_id: HashTable::new(),
            hasher: RandomState::new(),
            changes: Changes::default(),
            markers: VecDeque::new(),
            decoded: 0,
            decoded_max,
            trial: None,
        }
    }

    /// The table with this number.
    pub fn table(&self, number: u16) -> Option<&'static EntityTable> {
        self.tables
            .iter()
            .find(|table| table.number == number)
            .copied()
    }

    /// How many handles were given out, deleted entities included.
    pub fn handles(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// The handle of the entity with this id, deleted or not.
    pub fn find(&self, table: &EntityTable, id: EntityId<'_>) -> Option<Handle> {
        let hash = self.hasher.hash_one((table.number, id));
        self.by_id
            .find(hash, |handle| self.is_named(*handle, table.number, id))
            .map(|handle| Handle(*handle))
    }

    /// Adds an entity created by the record at `position`; an id that exists keeps its handle.
    pub fn create(
        &mut self,
        table: &'static EntityTable,
        id: EntityId<'_>,
        position: LogPosition,
    ) -> Handle {
        if let Some(handle) = self.find(table, id) {
            return handle;
        }
        let handle = self.handles();
        let decoded = Decoded::new(id, position, table);
        self.add(Slot {
            changed: position,
            held: Held::Packed(table.number, decoded.pack()),
        });
        self.changes.push(position, Handle(handle));
        let hash = self.hasher.hash_one((table.number, id));
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_id
            .insert_unique(hash, handle, |handle| rehash(slots, hasher, *handle));
        Handle(handle)
    }

    /// Adds the next slot. Room is made by an eighth: doubling would leave a quarter of it empty on average.
    fn add(&mut self, slot: Slot) {
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact((self.slots.len() / 8).max(16));
        }
        self.slots.push(slot);
    }

    /// The entity's table, deleted or not.
    pub fn table_of(&self, handle: Handle) -> Option<&'static EntityTable> {
        self.table(self.slots.get(handle.0 as usize)?.held.table())
    }

    /// The entity's table and id, deleted or not.
    pub fn name(&self, handle: Handle) -> Option<(&'static EntityTable, EntityId<'_>)> {
        let slot = self.slots.get(handle.0 as usize)?;
        Some((self.table(slot.held.table())?, slot.held.id()?))
    }

    /// Where the entity last changed.
    pub fn changed(&self, handle: Handle) -> Option<LogPosition> {
        self.slots.get(handle.0 as usize).map(|slot| slot.changed)
    }

    /// Where the entity was created.
    pub fn created(&self, handle: Handle) -> Option<LogPosition> {
        self.slots.get(handle.0 as usize)?.held.created()
    }

    /// Whether there is an entity of this handle that was not deleted.
    pub fn is_live(&self, handle: Handle) -> bool {
        self.slots
            .get(handle.0 as usize)
            .is_some_and(|slot| !slot.held.is_deleted())
    }

    /// The live handles, rising.
    pub fn live(&self) -> impl Iterator<Item = Handle> {
        (0..self.handles())
            .map(Handle)
            .filter(|handle| self.is_live(*handle))
    }

    /// Reads an entity. A packed one is decoded for the caller and stays packed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get(&self, handle: Handle) -> Result<Cow<'_, CollapsedEntity>, StoreError> {
        let slot = self
            .slots
            .get(handle.0 as usize)
            .ok_or(StoreError::Unknown(handle))?;
        match &slot.held {
            Held::Deleted(..) => Err(StoreError::Unknown(handle)),
            Held::Decoded(decoded) => Ok(Cow::Borrowed(&decoded.entity)),
            Held::Packed(table, bytes) => {
                let table = self.table(*table).ok_or(StoreError::Unknown(handle))?;
                Decoded::unpack(table, bytes)
                    .map(|decoded| Cow::Owned(decoded.entity))
                    .map_err(|source| StoreError::Damaged { handle, source })
            }
        }
    }

    /// Decodes an entity for editing and keeps it decoded.
    pub(crate) fn edit(&mut self, handle: Handle) -> Result<&mut CollapsedEntity, StoreError> {
        let index = handle.0 as usize;
        if let Some(Slot {
            held: Held::Packed(table, bytes),
            ..
        }) = self.slots.get(index)
        {
            let table = self.table(*table).ok_or(StoreError::Unknown(handle))?;
            let decoded = Decoded::unpack(table, bytes)
                .map_err(|source| StoreError::Damaged { handle, source })?;
            if self.decoded >= self.decoded_max {
                self.pack_all();
            }
            self.decoded += 1;
            self.slots[index].held = Held::Decoded(Box::new(decoded));
        }
        match self.slots.get_mut(index).map(|slot| &mut slot.held) {
            Some(Held::Decoded(decoded)) => Ok(&mut decoded.entity),
            _ => Err(StoreError::Unknown(handle)),
        }
    }

    /// Folds one admitted change. Answers whether it shows.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is changed then.
    pub(crate) fn apply(&mut self, handle: Handle, made: &Made<'_>) -> Result<bool, StoreError> {
        let Folded { wins, marked } = if self.trial.is_none() {
            self.edit(handle)?.fold(made, None)
        } else {
            let mut trial = self.trial.take().unwrap_or_default();
            let folded = self.try_change(&mut trial, handle, made);
            self.trial = Some(trial);
            folded?
        };
        let position = made.origin.position;
        self.touch(handle, position);
        if marked {
            self.mark(position, handle);
        }
        Ok(wins)
    }

    /// Notes that the entity holds a removal marker of this position.
    fn mark(&mut self, position: LogPosition, handle: Handle) {
        if self.markers.back() != Some(&(position, handle)) {
            self.markers.push_back((position, handle));
        }
    }

    /// From here on changes can be taken back. Deletions and purges are no part of a trial, and nobody asks meanwhile
    /// what changed since a position.
    pub(crate) fn begin_trial(&mut self) {
        self.trial = Some(Trial {
            handles: self.handles(),
            markers: self.markers.len(),
            ..Trial::default()
        });
    }

    /// Takes back everything since [`EntityStore::begin_trial`]: creations and changes at positions behind all others.
    pub(crate) fn end_trial(&mut self) {
        let Some(trial) = self.trial.take() else {
            return;
        };
        self.markers.truncate(trial.markers);
        for (handle, changed, number, undo) in trial.changes.into_iter().rev() {
            // It could be read when it was changed, and what was read is packed rightly.
            if let Some(undo) = undo
                && let Ok(entity) = self.edit(handle)
            {
                entity.undo(number, undo);
            }
            if let Some(slot) = self.slots.get_mut(handle.0 as usize) {
                slot.changed = changed;
            }
        }
        while self.handles() > trial.handles
            && let Some(slot) = self.slots.pop()
        {
            let handle = self.handles();
            let id = slot.held.id().unwrap_or_default();
            let hash = self.hasher.hash_one((slot.held.table(), id));
            if let Ok(entry) = self.by_id.find_entry(hash, |held| *held == handle) {
                entry.remove();
            }
            let created = slot.held.created().unwrap_or_default();
            self.changes.forget(created, Handle(handle));
            if matches!(slot.held, Held::Decoded(_)) {
                self.decoded -= 1;
            }
        }
    }

    /// Changes a field in a trial, and notes how to take it back. An entity that the trial created goes as a whole.
    fn try_change(
        &mut self,
        trial: &mut Trial,
        handle: Handle,
        made: &Made<'_>,
    ) -> Result<Folded, StoreError> {
        let number = made.field;
        let changed = self.changed(handle).unwrap_or_default();
        let is_new = handle.0 >= trial.handles;
        let entity = self.edit(handle)?;
        if is_new {
            return Ok(entity.fold(made, None));
        }
        let is_register = matches!(entity.field(number), Some(CollapsedField::Register(_)));
        let copied = (!is_register && trial.copied.insert((handle, number)))
            .then(|| Undo::Field(entity.field(number).cloned()));
        let mut write = WriteUndo::default();
        let folded = entity.fold(made, is_register.then_some(&mut write));
        let undo = if is_register {
            Some(Undo::Write(write))
        } else {
            copied
        };
        trial.changes.push((handle, changed, number, undo));
        Ok(folded)
    }

    /// Deletes an entity for good: its handle and id stay known, its content goes.
    ///
    /// # Errors
    /// [`StoreError::Unknown`].
    pub fn delete(&mut self, handle: Handle, position: LogPosition) -> Result<(), StoreError> {
        if !self.is_live(handle) {
            return Err(StoreError::Unknown(handle));
        }
        self.touch(handle, position);
        self.mark(position, handle);
        let slot = &mut self.slots[handle.0 as usize];
        if matches!(slot.held, Held::Decoded(_)) {
            self.decoded -= 1;
        }
        slot.held = slot.held.deleted();
        Ok(())
    }

    /// The entities changed after `from`, in order of their last change.
    pub fn changed_since(&self, from: LogPosition) -> impl Iterator<Item = (LogPosition, Handle)> {
        self.changes
            .behind(from)
            .filter(|(position, handle)| self.changed(*handle) == Some(*position))
    }

    /// Drops the removal markers at or below `horizon`. `stable` is what devices are told: those behind it get a set
    /// whole, or the list of what lives.
    pub(crate) fn purge(
        &mut self,
        horizon: LogPosition,
        stable: LogPosition,
    ) -> Result<(), StoreError> {
        let passed = self
            .markers
            .partition_point(|(position, _)| *position <= horizon);
        let passed: Vec<_> = self.markers.drain(..passed).collect();
        let mut purged = BTreeSet::new();
        for (position, handle) in passed {
            if self.is_live(handle) {
                // Once takes all of an entity's markers.
                if purged.insert(handle) {
                    self.edit(handle)?.purge(horizon, stable);
                }
            } else if self
                .changed(handle)
                .is_some_and(|changed| changed <= horizon)
            {
                // Nothing of a deleted entity is left to send: it leaves the index of changes.
                self.changes.forget(position, handle);
            }
        }
        Ok(())
    }

    /// Packs every decoded entity.
    pub fn pack_all(&mut self) {
        for slot in &mut self.slots {
            if let Held::Decoded(decoded) = &slot.held {
                slot.held = Held::Packed(decoded.entity.table().number, decoded.pack());
            }
        }
        self.decoded = 0;
    }

    /// The canonical bytes of one entity at rest, without its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn packed_fields(&self, handle: Handle) -> Result<Vec<u8>, StoreError> {
        let entity = self.get(handle)?;
        Ok(entity.to_packed())
    }

    #[inline]
    fn touch(&mut self, handle: Handle, position: LogPosition) {
        let Some(slot) = self.slots.get_mut(handle.0 as usize) else {
            return;
        };
        slot.changed = position;
        if self.trial.is_none() {
            self.changes.push(position, handle);
            if self.changes.is_stale(self.slots.len()) {
                let slots = &self.slots;
                self.changes.drop_stale(|position, handle| {
                    let slot = slots.get(handle.0 as usize);
                    slot.is_some_and(|slot| slot.changed == position)
                });
            }
        }
    }

    fn is_named(&self, handle: u32, table: u16, id: EntityId<'_>) -> bool {
        let slot = self.slots.get(handle as usize);
        slot.is_some_and(|slot| slot.held.table() == table && slot.held.id() == Some(id))
    }
}

fn rehash(slots: &[Slot], hasher: &RandomState, handle: u32) -> u64 {
    let slot = slots.get(handle as usize);
    slot.map_or(0, |slot| {
        hasher.hash_one((slot.held.table(), slot.held.id().unwrap_or_default()))
    })
}

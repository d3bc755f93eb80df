//! The whole store as bytes, for a checkpoint beside the log, and back.
//!
//! Entities go as they rest, so saving costs a copy of the packed bytes and reading them back decodes none of them. The
//! bytes are believed only as far as memory safety goes: whoever keeps them guards them by a checksum.

use super::slot::{Held, Slot, read_name};
use super::{EntityStore, Handle, rehash};
use crate::clock::LogPosition;
use crate::entity::EntityTable;
use crate::wire::{DecodeError, EXACT_INTEGER_MAX, Reader, Writer};
use std::hash::BuildHasher as _;

/// Longest packed entity that is read back, in bytes.
const ENTITY_BYTES_MAX: usize = 1 << 30;
/// Its content is gone, its id is not.
const DELETED: u8 = 1;
/// Nothing of it is left to send.
const UNLISTED: u8 = 2;
const FLAGS: u8 = DELETED | UNLISTED;

impl EntityStore {
    /// Appends everything that [`EntityStore::restore`] needs.
    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.count(self.slots.len());
        for (index, slot) in self.slots.iter().enumerate() {
            let handle = Handle(u32::try_from(index).unwrap_or(u32::MAX));
            let mut flags = 0;
            if slot.held.is_deleted() {
                flags |= DELETED;
            }
            if !self.changes.lists(slot.changed, handle) {
                flags |= UNLISTED;
            }
            writer.byte(flags);
            writer.varint(slot.held.table().into());
            let created = slot.held.created().unwrap_or_default();
            writer.varint(slot.changed.get().saturating_sub(created.get()));
            match &slot.held {
                Held::Packed(_, bytes) | Held::Deleted(_, bytes) => writer.bytes(bytes),
                Held::Decoded(decoded) => writer.bytes(&decoded.pack()),
            }
        }
        writer.count(self.markers.len());
        let mut before = 0;
        for (position, handle) in &self.markers {
            writer.varint(position.get().saturating_sub(before));
            writer.varint(handle.0.into());
            before = position.get();
        }
    }

    /// Reads what [`EntityStore::save`] wrote, of a store with these tables.
    ///
    /// # Errors
    /// Bytes that are none, and entities of tables that are not among these.
    pub(crate) fn restore(
        tables: &'static [&'static EntityTable],
        decoded_max: usize,
        reader: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let mut store = EntityStore::new(tables, decoded_max);
        let count = reader.count(6)?;
        store.slots.reserve(count);
        let mut listed = Vec::with_capacity(count);
        for index in 0..count {
            let handle = u32::try_from(index).map_err(|_| out_of_range("handle"))?;
            listed.extend(store.restore_slot(handle, reader)?);
        }
        listed.sort_unstable();
        for (position, handle) in listed {
            store.changes.push(position, handle);
        }
        let mut before = 0;
        for _ in 0..reader.count(2)? {
            before = later(before, reader.varint()?)?;
            let handle = Handle(reader.varint_u32("handle")?);
            if handle.0 >= store.handles() {
                return Err(out_of_range("handle"));
            }
            store.mark(LogPosition::new(before), handle);
        }
        Ok(store)
    }

    /// Answers the entity's last change, if something of it is left to send.
    fn restore_slot(
        &mut self,
        handle: u32,
        reader: &mut Reader<'_>,
    ) -> Result<Option<(LogPosition, Handle)>, DecodeError> {
        let flags = reader.byte()?;
        if flags & !FLAGS != 0 {
            let found = flags.into();
            return Err(DecodeError::UnknownTag {
                what: "entity flags",
                found,
            });
        }
        let table = reader.varint_u16("table")?;
        if self.table(table).is_none() {
            let found = table.into();
            return Err(DecodeError::UnknownTag {
                what: "table",
                found,
            });
        }
        let since = reader.varint()?;
        let bytes: Box<[u8]> = reader.bytes("entity", ENTITY_BYTES_MAX)?.into();
        let (created, id) = read_name(&mut Reader::new(&bytes))?;
        let changed = LogPosition::new(later(created.get(), since)?);
        let hash = self.hasher.hash_one((table, id));
        if self
            .by_id
            .find(hash, |held| self.is_named(*held, table, id))
            .is_some()
        {
            return Err(DecodeError::NotCanonical { what: "entity id" });
        }
        let held = if flags & DELETED != 0 {
            Held::Deleted(table, bytes)
        } else {
            Held::Packed(table, bytes)
        };
        self.slots.push(Slot { changed, held });
        let (slots, hasher) = (&self.slots, &self.hasher);
        debug_assert!(slots.last().is_some_and(|slot| slot.held.id().is_some()));
        self.by_id
            .insert_unique(hash, handle, |handle| rehash(slots, hasher, *handle));
        Ok((flags & UNLISTED == 0).then_some((changed, Handle(handle))))
    }
}

fn out_of_range(what: &'static str) -> DecodeError {
    DecodeError::OutOfRange { what }
}

fn later(before: u64, by: u64) -> Result<u64, DecodeError> {
    before
        .checked_add(by)
        .filter(|position| *position <= EXACT_INTEGER_MAX)
        .ok_or(out_of_range("log position"))
}

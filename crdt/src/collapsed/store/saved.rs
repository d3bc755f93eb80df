//! The whole store as bytes, for a checkpoint beside the log, and back.
//!
//! Entities go as they rest, so saving costs a copy of the packed bytes and reading them back decodes none of them. The
//! bytes are believed only as far as memory safety goes: whoever keeps them guards them by a checksum.

use super::{EntityStore, Handle, Held, Slot, id_of, pack, rehash};
use crate::clock::LogPosition;
use crate::collapsed::ENTITY_ID_BYTES_MAX;
use crate::entity::EntityTable;
use crate::wire::{DecodeError, EXACT_INTEGER_MAX, Reader, Wire as _, Writer};
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
            if matches!(slot.held, Held::Deleted(_)) {
                flags |= DELETED;
            }
            if self.by_change.get(&slot.changed) != Some(&handle) {
                flags |= UNLISTED;
            }
            writer.byte(flags);
            writer.varint(slot.table.into());
            slot.created.encode(writer);
            writer.varint(slot.changed.get().saturating_sub(slot.created.get()));
            match &slot.held {
                Held::Packed(bytes) | Held::Deleted(bytes) => writer.bytes(bytes),
                Held::Decoded(decoded) => writer.bytes(&pack(&decoded.id, &decoded.entity)),
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
        for index in 0..count {
            let handle = u32::try_from(index).map_err(|_| out_of_range("handle"))?;
            store.restore_slot(handle, reader)?;
        }
        let mut before = 0;
        for _ in 0..reader.count(2)? {
            before = later(before, reader.varint()?)?;
            let handle = Handle(reader.varint_u32("handle")?);
            if handle.0 >= store.handles() {
                return Err(out_of_range("handle"));
            }
            store.markers.insert(LogPosition::new(before), handle);
        }
        Ok(store)
    }

    fn restore_slot(&mut self, handle: u32, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
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
        let created = LogPosition::decode(reader)?;
        let changed = LogPosition::new(later(created.get(), reader.varint()?)?);
        let bytes: Box<[u8]> = reader.bytes("entity", ENTITY_BYTES_MAX)?.into();
        let id = Reader::new(&bytes).bytes("entity id", ENTITY_ID_BYTES_MAX)?;
        let hash = self.hasher.hash_one((table, id));
        if self
            .by_id
            .find(hash, |held| self.is_named(*held, table, id))
            .is_some()
        {
            return Err(DecodeError::NotCanonical { what: "entity id" });
        }
        let held = if flags & DELETED != 0 {
            Held::Deleted(bytes)
        } else {
            Held::Packed(bytes)
        };
        self.slots.push(Slot {
            created,
            changed,
            held,
            table,
        });
        let (slots, hasher) = (&self.slots, &self.hasher);
        debug_assert!(slots.last().is_some_and(|slot| id_of(&slot.held).is_some()));
        self.by_id
            .insert_unique(hash, handle, |handle| rehash(slots, hasher, *handle));
        if flags & UNLISTED == 0 && self.by_change.insert(changed, Handle(handle)).is_some() {
            return Err(DecodeError::NotCanonical { what: "change" });
        }
        Ok(())
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

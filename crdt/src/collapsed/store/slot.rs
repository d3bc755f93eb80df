//! One entity in memory: packed at rest, decoded while it is edited, or what is left of it once it is deleted.

use super::{ENTITY_ID_BYTES_MAX, EntityId};
use crate::clock::LogPosition;
use crate::collapsed::{CollapsedEntity, packed};
use crate::entity::EntityTable;
use crate::wire::{DecodeError, Reader, Wire as _, Writer};

/// An entity, and where it last changed.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) changed: LogPosition,
    pub(super) held: Held,
}

/// See the module.
#[derive(Debug)]
pub(super) enum Held {
    /// The table's number; where it was created, its id, its fields.
    Packed(u16, Box<[u8]>),
    Decoded(Box<Decoded>),
    /// As [`Held::Packed`], without fields: "deleted" must stay different from "unknown".
    Deleted(u16, Box<[u8]>),
}

/// An entity that is being edited.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) id: Box<[u8]>,
    pub(super) created: LogPosition,
    pub(super) entity: CollapsedEntity,
}

impl Held {
    /// The table's number.
    pub(super) fn table(&self) -> u16 {
        match self {
            Held::Packed(table, _) | Held::Deleted(table, _) => *table,
            Held::Decoded(decoded) => decoded.entity.table().number,
        }
    }

    /// The entity's id; `None` in damaged memory.
    pub(super) fn id(&self) -> Option<EntityId<'_>> {
        match self {
            Held::Decoded(decoded) => Some(&decoded.id),
            Held::Packed(_, bytes) | Held::Deleted(_, bytes) => {
                let (_, id) = read_name(&mut Reader::new(bytes)).ok()?;
                Some(id)
            }
        }
    }

    /// Where it was created; `None` in damaged memory.
    pub(super) fn created(&self) -> Option<LogPosition> {
        match self {
            Held::Decoded(decoded) => Some(decoded.created),
            Held::Packed(_, bytes) | Held::Deleted(_, bytes) => {
                LogPosition::decode(&mut Reader::new(bytes)).ok()
            }
        }
    }

    pub(super) fn is_deleted(&self) -> bool {
        matches!(self, Held::Deleted(..))
    }

    /// What is left of it.
    pub(super) fn deleted(&self) -> Held {
        let created = self.created().unwrap_or_default();
        let id = self.id().unwrap_or_default();
        Held::Deleted(
            self.table(),
            write_name(created, id).into_bytes().into_boxed_slice(),
        )
    }
}

impl Decoded {
    /// One that nobody wrote yet.
    pub(super) fn new(id: EntityId<'_>, created: LogPosition, table: &'static EntityTable) -> Self {
        Self {
            id: id.into(),
            created,
            entity: CollapsedEntity::new(table),
        }
    }

    pub(super) fn pack(&self) -> Box<[u8]> {
        let mut writer = write_name(self.created, &self.id);
        packed::encode(&self.entity, self.created, &mut writer);
        writer.into_bytes().into_boxed_slice()
    }

    pub(super) fn unpack(table: &'static EntityTable, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let (created, id) = read_name(&mut reader)?;
        Ok(Self {
            id: id.into(),
            created,
            entity: packed::decode(table, created, &mut reader)?,
        })
    }
}

fn write_name(created: LogPosition, id: EntityId<'_>) -> Writer {
    let mut writer = Writer::new();
    created.encode(&mut writer);
    writer.bytes(id);
    writer
}

/// Reads what [`write_name`] wrote.
pub(super) fn read_name<'a>(
    reader: &mut Reader<'a>,
) -> Result<(LogPosition, EntityId<'a>), DecodeError> {
    let created = LogPosition::decode(reader)?;
    Ok((created, reader.bytes("entity id", ENTITY_ID_BYTES_MAX)?))
}

impl CollapsedEntity {
    /// The canonical bytes of the fields: as an entity rests in the store, but with positions told from the log's start.
    pub fn to_packed(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        packed::encode(self, LogPosition::START, &mut writer);
        writer.into_bytes()
    }

    /// Reads what [`CollapsedEntity::to_packed`] wrote.
    ///
    /// # Errors
    /// Bytes that are not canonical, or that do not fit the table.
    pub fn from_packed(table: &'static EntityTable, bytes: &[u8]) -> Result<Self, DecodeError> {
        packed::decode(table, LogPosition::START, &mut Reader::new(bytes))
    }
}

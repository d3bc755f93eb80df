//! The bytes of a page: columns, so that like stands beside like and compresses.
//!
//! Four columns: entities (handle gap, slot count), heads (field and verb), writes (stamp, device), values. The layout is
//! drawn in `docs/CRDT_SYNC.md`.

use super::change_codec::StampCodec;
use super::cursor::Cursor;
use super::digest::Digest;
use super::frame::Tables;
use super::operation::EntityRef;
use super::page::{Page, Slot};
use crate::clock::{LogPosition, Stamp};
use crate::collapsed::{
    ENTITY_ID_BYTES_MAX, EntityView, FieldView, Handle, RegisterView, SIBLINGS_MAX, Update,
    ViewWrite,
};
use crate::entity::{EntityTable, FieldRow, Kind, ValueType, find_row};
use crate::register::MaxRegister;
use crate::replica::DeviceId;
use crate::value::Value;
use crate::wire::{DecodeError, EXACT_INTEGER_MAX, INPUT_BYTES_MAX, Reader, Wire, Writer};
use std::collections::{BTreeMap, BTreeSet};

const FORMAT: u8 = 2;
const MANIFEST: u8 = 1;
const DIGEST: u8 = 2;

/// Verbs of a register: a value, a cleared one, or one with siblings.
const VALUE: u8 = 0;
const CLEARED: u8 = 1;
const CONFLICT: u8 = 2;
/// Verbs of a set or map.
const PRESENT: u8 = 0;
const ABSENT: u8 = 1;
const WHOLE: u8 = 2;

/// The columns being written.
#[derive(Default)]
struct Columns {
    entities: Writer,
    heads: Writer,
    writes: Writer,
    values: Writer,
    stamps: StampCodec,
}

impl Columns {
    fn slot(&mut self, row: &FieldRow, update: &Update) {
        match (update, row.kind) {
            (
                Update::Whole(FieldView::Register(register)),
                Kind::Lww(of) | Kind::MultiValue(of),
            ) => {
                self.register(row.number, register, &of);
            }
            (Update::Whole(FieldView::Max(reading)), _) => {
                self.head(row.number, VALUE);
                reading.encode(&mut self.values);
            }
            (Update::Whole(FieldView::Counter(sum)), _) => {
                self.head(row.number, VALUE);
                self.values.signed(*sum);
            }
            (Update::Whole(FieldView::Flag(on)), _) => {
                self.head(row.number, if *on { PRESENT } else { ABSENT })
            }
            (Update::Whole(FieldView::Set(members)), Kind::Set(of)) => {
                self.head(row.number, WHOLE);
                self.heads.count(members.len());
                members
                    .iter()
                    .for_each(|member| of.encode(member, &mut self.values));
            }
            (
                Update::Whole(FieldView::Map(items)),
                Kind::Map {
                    key: of,
                    items: rows,
                },
            ) => {
                self.head(row.number, WHOLE);
                self.heads.count(items.len());
                for (key, item) in items {
                    of.encode(key, &mut self.values);
                    self.item(rows, item);
                }
            }
            (Update::Member(member, present), Kind::Set(of)) => {
                self.head(row.number, if *present { PRESENT } else { ABSENT });
                of.encode(member, &mut self.values);
            }
            (
                Update::Item(key, item),
                Kind::Map {
                    key: of,
                    items: rows,
                },
            ) => {
                self.head(row.number, if item.is_some() { PRESENT } else { ABSENT });
                of.encode(key, &mut self.values);
                if let Some(item) = item {
                    self.item(rows, item);
                }
            }
            _ => {}
        }
    }

    fn head(&mut self, number: u16, verb: u8) {
        self.heads
            .varint((u64::from(number) << 2) | u64::from(verb));
    }

    fn item(&mut self, rows: &'static [FieldRow], item: &BTreeMap<u16, RegisterView>) {
        self.heads.count(item.len());
        for (number, register) in item {
            if let Some(Kind::MultiValue(of)) = find_row(rows, *number).map(|row| row.kind) {
                self.register(*number, register, &of);
            }
        }
    }

    fn register(&mut self, number: u16, register: &RegisterView, of: &ValueType) {
        if !register.siblings.is_empty() || register.lost_siblings {
            self.head(number, CONFLICT);
            self.heads.varint(
                ((register.siblings.len() as u64) << 1) | u64::from(register.lost_siblings),
            );
            self.tagged_write(&register.winner);
            register
                .siblings
                .iter()
                .for_each(|sibling| self.tagged_write(sibling));
        } else {
            let cleared = register.winner.value.is_null();
            self.head(number, if cleared { CLEARED } else { VALUE });
            self.write(&register.winner);
            if !cleared {
                of.encode(&register.winner.value, &mut self.values);
            }
        }
    }

    fn write(&mut self, write: &ViewWrite) {
        self.stamps.encode(write.stamp, &mut self.writes);
        write.device.encode(&mut self.writes);
    }

    /// In a conflict each value carries its tag, since some siblings may be null.
    fn tagged_write(&mut self, write: &ViewWrite) {
        self.write(write);
        write.value.encode(&mut self.values);
    }
}

/// Appends the canonical bytes of a whole view, for digests and tests.
pub(super) fn encode_view(table: &'static EntityTable, view: &EntityView, writer: &mut Writer) {
    let mut columns = Columns::default();
    for (number, field) in &view.fields {
        if let Some(row) = table.field(*number) {
            columns.slot(row, &Update::Whole(field.clone()));
        }
    }
    for column in [&columns.heads, &columns.writes, &columns.values] {
        writer.bytes(column.as_bytes());
    }
}

impl Page {
    /// The canonical bytes.
    pub fn encode(&self, tables: &dyn Tables) -> Vec<u8> {
        let mut columns = Columns::default();
        let mut last = 0;
        let created = |handle: Handle| {
            self.created
                .binary_search_by_key(&handle, |(created, _, _)| *created)
                .ok()
                .and_then(|at| self.created.get(at))
        };
        for (handle, slots) in &self.entities {
            let table = match created(*handle) {
                Some((_, table, _)) => tables.table_numbered(*table),
                None => tables.table_of(EntityRef::Known(*handle)),
            };
            columns
                .entities
                .varint(u64::from(handle.0.wrapping_sub(last)));
            columns.entities.count(slots.len());
            last = handle.0;
            for slot in slots {
                if let Some(row) = table.and_then(|table| table.field(slot.field)) {
                    columns.slot(row, &slot.update);
                }
            }
        }
        let mut writer = Writer::new();
        self.encode_head(&mut writer);
        writer.count(self.entities.len());
        for column in [&columns.entities, &columns.heads, &columns.writes] {
            writer.bytes(column.as_bytes());
        }
        writer.raw(columns.values.as_bytes());
        writer.into_bytes()
    }

    fn encode_head(&self, writer: &mut Writer) {
        writer.byte(FORMAT);
        self.from.encode(writer);
        writer.varint(self.upto.get().saturating_sub(self.from.reached.get()));
        writer.varint(self.head.get().saturating_sub(self.upto.get()));
        if self.is_last() {
            writer.varint(self.head_ms.saturating_sub(Stamp::EPOCH_MILLIS));
        }
        let manifest = if self.manifest.is_some() { MANIFEST } else { 0 };
        writer.byte(manifest | if self.digest.is_some() { DIGEST } else { 0 });
        writer.count(self.created.len());
        let mut last = 0;
        for (handle, table, id) in &self.created {
            writer.varint(u64::from(handle.0.wrapping_sub(last)));
            last = handle.0;
            writer.varint((*table).into());
            writer.bytes(id);
        }
        encode_handles(&self.deleted, writer);
        if let Some(manifest) = &self.manifest {
            encode_handles(manifest, writer);
        }
        if let Some(digest) = &self.digest {
            writer.raw(&digest.0.to_be_bytes());
        }
    }

    /// Reads a page. `tables` knows what the device knows; entities created by this page are known from it.
    ///
    /// # Errors
    /// Bytes that are not canonical, or that name entities or fields nobody knows.
    pub fn decode(bytes: &[u8], tables: &dyn Tables) -> Result<Self, DecodeError> {
        if bytes.len() > INPUT_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                what: "page",
                limit: INPUT_BYTES_MAX,
            });
        }
        let mut reader = Reader::new(bytes);
        let mut page = Self::decode_head(&mut reader)?;
        let count = usize::try_from(reader.varint()?).map_err(|_| DecodeError::UnexpectedEnd)?;
        let entities = reader.bytes("column", INPUT_BYTES_MAX)?;
        let heads = reader.bytes("column", INPUT_BYTES_MAX)?;
        let writes = reader.bytes("column", INPUT_BYTES_MAX)?;
        let mut entities = Reader::new(entities);
        let mut open = OpenColumns {
            heads: Reader::new(heads),
            writes: Reader::new(writes),
            values: Reader::new(reader.rest()),
            stamps: StampCodec::default(),
        };
        let mut last = None;
        for _ in 0..count {
            let handle = decode_handle(&mut last, &mut entities)?;
            let created = page
                .created
                .binary_search_by_key(&handle, |(created, _, _)| *created)
                .ok();
            let table = match created.and_then(|at| page.created.get(at)) {
                Some((_, table, _)) => tables.table_numbered(*table),
                None => tables.table_of(EntityRef::Known(handle)),
            };
            let table = table.ok_or(DecodeError::OutOfRange { what: "handle" })?;
            let slots = usize::try_from(entities.varint()?).unwrap_or(usize::MAX);
            if slots == 0 || slots > open.heads.rest().len() {
                return Err(DecodeError::UnexpectedEnd);
            }
            let mut held = Vec::with_capacity(slots);
            for _ in 0..slots {
                held.push(open.slot(table)?);
            }
            page.entities.push((handle, held));
        }
        for column in [&entities, &open.heads, &open.writes, &open.values] {
            column.finish()?;
        }
        Ok(page)
    }

    fn decode_head(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            FORMAT => {}
            format => {
                return Err(DecodeError::UnknownTag {
                    what: "page format",
                    found: format.into(),
                });
            }
        }
        let from = Cursor::decode(reader)?;
        let upto = from.reached.get() + reader.exact("upto")?;
        let head = upto + reader.exact("head")?;
        if head > EXACT_INTEGER_MAX {
            return Err(DecodeError::OutOfRange { what: "head" });
        }
        let head_ms = if upto == head {
            let since = reader.varint()?;
            let head_ms = since.checked_add(Stamp::EPOCH_MILLIS);
            let head_ms = head_ms.filter(|millis| *millis <= Stamp::MILLIS_MAX);
            head_ms.ok_or(DecodeError::OutOfRange { what: "time" })?
        } else {
            0
        };
        let flags = reader.byte()?;
        if flags & !(MANIFEST | DIGEST) != 0 {
            return Err(DecodeError::UnknownTag {
                what: "page flags",
                found: flags.into(),
            });
        }
        let mut created = Vec::new();
        let mut last = None;
        for _ in 0..reader.count(4)? {
            let handle = decode_handle(&mut last, reader)?;
            let table = reader.varint_u16("table")?;
            created.push((
                handle,
                table,
                reader.bytes("entity id", ENTITY_ID_BYTES_MAX)?.into(),
            ));
        }
        let deleted = decode_handles(reader)?;
        let manifest = if flags & MANIFEST == 0 {
            None
        } else {
            Some(decode_handles(reader)?)
        };
        let digest = if flags & DIGEST == 0 {
            None
        } else {
            let bytes = reader
                .raw(16)?
                .try_into()
                .map_err(|_| DecodeError::UnexpectedEnd)?;
            Some(Digest(u128::from_be_bytes(bytes)))
        };
        let (upto, head) = (LogPosition::new(upto), LogPosition::new(head));
        Ok(Self {
            from,
            upto,
            head,
            head_ms,
            created,
            entities: Vec::new(),
            deleted,
            manifest,
            digest,
        })
    }
}

fn encode_handles(handles: &[Handle], writer: &mut Writer) {
    writer.count(handles.len());
    let mut last = 0;
    for handle in handles {
        writer.varint(u64::from(handle.0.wrapping_sub(last)));
        last = handle.0;
    }
}

fn decode_handles(reader: &mut Reader<'_>) -> Result<Vec<Handle>, DecodeError> {
    let count = reader.count(1)?;
    let mut handles = Vec::with_capacity(count);
    let mut last = None;
    for _ in 0..count {
        handles.push(decode_handle(&mut last, reader)?);
    }
    Ok(handles)
}

/// A handle as the distance to the one before; only the first distance may be 0.
fn decode_handle(last: &mut Option<u32>, reader: &mut Reader<'_>) -> Result<Handle, DecodeError> {
    let distance = reader.varint_u32("handle")?;
    if distance == 0 && last.is_some() {
        return Err(DecodeError::NotCanonical { what: "handles" });
    }
    let handle = last
        .unwrap_or(0)
        .checked_add(distance)
        .ok_or(DecodeError::OutOfRange { what: "handle" })?;
    *last = Some(handle);
    Ok(Handle(handle))
}

/// The columns being read.
struct OpenColumns<'input> {
    heads: Reader<'input>,
    writes: Reader<'input>,
    values: Reader<'input>,
    stamps: StampCodec,
}

impl OpenColumns<'_> {
    fn slot(&mut self, table: &'static EntityTable) -> Result<Slot, DecodeError> {
        let (number, verb) = self.head()?;
        let row = table.field(number).ok_or(DecodeError::Field {
            number,
            reason: "no such field",
        })?;
        let update = match row.kind {
            Kind::Lww(of) | Kind::MultiValue(of) => {
                Update::Whole(FieldView::Register(self.register(number, verb, &of)?))
            }
            Kind::Max if verb == VALUE => {
                Update::Whole(FieldView::Max(MaxRegister::decode(&mut self.values)?))
            }
            Kind::GrowCounter | Kind::Counter if verb == VALUE => {
                Update::Whole(FieldView::Counter(self.values.signed()?))
            }
            Kind::Flag if verb <= ABSENT => Update::Whole(FieldView::Flag(verb == PRESENT)),
            Kind::Set(of) => match verb {
                PRESENT | ABSENT => {
                    Update::Member(of.decode(number, &mut self.values)?, verb == PRESENT)
                }
                WHOLE => Update::Whole(FieldView::Set(self.members(number, &of)?)),
                _ => return Err(unknown_verb(verb)),
            },
            Kind::Map { key: of, items } => match verb {
                PRESENT => {
                    let key = of.decode(number, &mut self.values)?;
                    Update::Item(key, Some(self.item(items)?))
                }
                ABSENT => Update::Item(of.decode(number, &mut self.values)?, None),
                WHOLE => Update::Whole(FieldView::Map(self.items(number, &of, items)?)),
                _ => return Err(unknown_verb(verb)),
            },
            _ => return Err(unknown_verb(verb)),
        };
        Ok(Slot {
            field: number,
            update,
        })
    }

    fn head(&mut self) -> Result<(u16, u8), DecodeError> {
        let head = self.heads.varint()?;
        let number = u16::try_from(head >> 2).map_err(|_| DecodeError::OutOfRange {
            what: "field number",
        })?;
        Ok((number, (head & 3) as u8))
    }

    fn members(&mut self, number: u16, of: &ValueType) -> Result<BTreeSet<Value>, DecodeError> {
        let mut members = BTreeSet::new();
        for _ in 0..self.heads.varint()? {
            let member = of.decode(number, &mut self.values)?;
            if members.last().is_some_and(|last| *last >= member) {
                return Err(DecodeError::NotCanonical { what: "members" });
            }
            members.insert(member);
        }
        Ok(members)
    }

    fn items(
        &mut self,
        number: u16,
        of: &ValueType,
        rows: &'static [FieldRow],
    ) -> Result<BTreeMap<Value, BTreeMap<u16, RegisterView>>, DecodeError> {
        let mut items = BTreeMap::new();
        for _ in 0..self.heads.varint()? {
            let key = of.decode(number, &mut self.values)?;
            if items.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(DecodeError::NotCanonical { what: "items" });
            }
            items.insert(key, self.item(rows)?);
        }
        Ok(items)
    }

    fn item(
        &mut self,
        rows: &'static [FieldRow],
    ) -> Result<BTreeMap<u16, RegisterView>, DecodeError> {
        let mut item = BTreeMap::new();
        for _ in 0..self.heads.varint()? {
            let (number, verb) = self.head()?;
            let Some(Kind::MultiValue(of)) = find_row(rows, number).map(|row| row.kind) else {
                return Err(DecodeError::Field {
                    number,
                    reason: "no such item field",
                });
            };
            if item
                .last_key_value()
                .is_some_and(|(last, _)| *last >= number)
            {
                return Err(DecodeError::NotCanonical { what: "item" });
            }
            item.insert(number, self.register(number, verb, &of)?);
        }
        Ok(item)
    }

    fn register(
        &mut self,
        number: u16,
        verb: u8,
        of: &ValueType,
    ) -> Result<RegisterView, DecodeError> {
        if verb == CONFLICT {
            return self.conflict(number, of);
        }
        let (stamp, device) = self.write()?;
        let value = match verb {
            VALUE => of.decode(number, &mut self.values)?,
            CLEARED => Value::Null,
            _ => return Err(unknown_verb(verb)),
        };
        if value.is_null() != (verb == CLEARED) {
            return Err(DecodeError::NotCanonical { what: "null" });
        }
        let winner = ViewWrite {
            value,
            stamp,
            device,
        };
        Ok(RegisterView {
            winner,
            siblings: Vec::new(),
            lost_siblings: false,
        })
    }

    fn conflict(&mut self, number: u16, of: &ValueType) -> Result<RegisterView, DecodeError> {
        let head = self.heads.varint()?;
        let count = usize::try_from(head >> 1).unwrap_or(usize::MAX);
        let lost_siblings = head & 1 == 1;
        if count > SIBLINGS_MAX || (count == 0 && !lost_siblings) {
            return Err(DecodeError::NotCanonical { what: "siblings" });
        }
        let winner = self.tagged_write(number, of)?;
        let mut siblings = Vec::with_capacity(count);
        for _ in 0..count {
            siblings.push(self.tagged_write(number, of)?);
        }
        Ok(RegisterView {
            winner,
            siblings,
            lost_siblings,
        })
    }

    fn tagged_write(&mut self, number: u16, of: &ValueType) -> Result<ViewWrite, DecodeError> {
        let (stamp, device) = self.write()?;
        let value = Value::decode(&mut self.values)?;
        match of.refusal(&value) {
            None => Ok(ViewWrite {
                value,
                stamp,
                device,
            }),
            Some(reason) => Err(DecodeError::Field { number, reason }),
        }
    }

    fn write(&mut self) -> Result<(Stamp, DeviceId), DecodeError> {
        Ok((
            self.stamps.decode(&mut self.writes)?,
            DeviceId::decode(&mut self.writes)?,
        ))
    }
}

fn unknown_verb(verb: u8) -> DecodeError {
    DecodeError::UnknownTag {
        what: "verb",
        found: verb.into(),
    }
}

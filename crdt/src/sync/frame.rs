//! A frame: the operations a device pushes in one body.

use super::chain::ChainCheck;
use super::change_codec::{decode_change, encode_change, verb_of};
use super::operation::{EntityRef, Former, Operation, OperationBody};
use crate::clock::{LogPosition, Stamp};
use crate::collapsed::{ENTITY_ID_BYTES_MAX, Handle};
use crate::entity::EntityTable;
use crate::replica::DeviceId;
use crate::wire::{DecodeError, EXACT_INTEGER_MAX, Reader, TEXT_BYTES_MAX, Wire, Writer};

/// Longest frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Most operations in one frame.
pub const OPERATIONS_MAX: usize = 1000;

/// Bytes of an operation that room is made by.
const OPERATION_BYTES_USUAL: usize = 24;

/// The format number, above the two flags of the first byte.
const FORMAT: u8 = 2;
/// Verdicts before the first operation have not all been received.
const UNACKNOWLEDGED: u8 = 1;
/// The first operation's base is not the basis.
const OTHER_BASE: u8 = 2;
/// Field number 0 marks what is not a field: these are its verbs.
const CONTROL_USER: u8 = 0;
const CONTROL_BASE: u8 = 1;
const CONTROL_CREATE: u8 = 2;
const CONTROL_RARE: u8 = 3;
/// What [`CONTROL_RARE`] introduces.
const RARE_COUNTER: u8 = 1;
const RARE_FORMER: u8 = 2;

/// Operations of one device with rising numbers, and what the server needs to place them. Whose they are says the
/// session, and the chain: it begins with the device's number.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Every verdict up to this operation was received.
    pub acknowledged: u64,
    /// What is told of the chain after the operation before the first one here.
    pub chain: ChainCheck,
    /// The operations: numbers rise by one, bases never fall.
    pub operations: Vec<Operation>,
}

/// What both sides know before a frame is written, so that it need not say it: where the device's last whole download
/// ended (the cursor that the frame comes with), and when the log took the record there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The complete point of the cursor.
    pub position: LogPosition,
    time_ms: u64,
}

impl Basis {
    /// Of a device that has downloaded nothing.
    pub const START: Basis = Basis::new(LogPosition::START, 0);

    /// `time_ms` is the server's time at `position`, in milliseconds since 1970; what is before
    /// [`Stamp::EPOCH_MILLIS`], as at the start, counts as that.
    pub const fn new(position: LogPosition, time_ms: u64) -> Self {
        let is_before = position.get() == 0 || time_ms < Stamp::EPOCH_MILLIS;
        let time_ms = if is_before {
            Stamp::EPOCH_MILLIS
        } else {
            time_ms
        };
        Self { position, time_ms }
    }

    /// The server's time, never before [`Stamp::EPOCH_MILLIS`].
    pub const fn time_ms(self) -> u64 {
        self.time_ms
    }
}

/// Where [`Frame::decode`] learns the table of an entity.
pub trait Tables {
    /// The table of a known entity.
    fn table_of_handle(&self, handle: Handle) -> Option<&'static EntityTable>;

    /// The table with this number.
    fn table_numbered(&self, number: u16) -> Option<&'static EntityTable>;

    /// The table of an entity, however it is named.
    fn table_of(&self, entity: EntityRef) -> Option<&'static EntityTable> {
        match entity {
            EntityRef::Known(handle) => self.table_of_handle(handle),
            EntityRef::Created { table, .. } => self.table_numbered(table),
        }
    }
}

impl Frame {
    /// The canonical bytes against `basis`. Layout: format and flags, first number, `first - 1 - acknowledged`, three
    /// bytes of the chain, the distance of the base, then the operations; `docs/CRDT_SYNC.md` draws them.
    pub fn encode(&self, basis: &Basis, tables: &dyn Tables) -> Vec<u8> {
        let mut writer = Writer::new();
        let first = self.operations.first();
        let seq = first.map_or(self.acknowledged + 1, |operation| operation.seq);
        let base = first.map_or(basis.position, |operation| operation.base);
        let unacknowledged = seq.saturating_sub(1).saturating_sub(self.acknowledged);
        let mut head = FORMAT << 2;
        if unacknowledged > 0 {
            head |= UNACKNOWLEDGED;
        }
        if base != basis.position {
            head |= OTHER_BASE;
        }
        writer.byte(head);
        writer.varint(seq);
        if unacknowledged > 0 {
            writer.varint(unacknowledged);
        }
        self.chain.encode(&mut writer);
        if base != basis.position {
            let distance = base.get().cast_signed() - basis.position.get().cast_signed();
            writer.signed(distance);
        }
        let mut state = Running::new(base, basis);
        for operation in &self.operations {
            state.encode(operation, tables, &mut writer);
        }
        writer.into_bytes()
    }

    /// Reads a frame that was written against `basis`.
    ///
    /// # Errors
    /// Bytes that are not canonical, bases that fall, entities or fields that no table has, anything beyond
    /// [`FRAME_BYTES_MAX`] or [`OPERATIONS_MAX`].
    pub fn decode(bytes: &[u8], basis: &Basis, tables: &dyn Tables) -> Result<Self, DecodeError> {
        let (head, rest) = FrameHead::decode(bytes)?;
        Self::decode_behind(&head, rest, basis, tables, Vec::new())
    }

    /// Reads what stands behind the head. `room` is an empty list to put the operations into.
    pub(super) fn decode_behind(
        head: &FrameHead,
        mut reader: Reader<'_>,
        basis: &Basis,
        tables: &dyn Tables,
        room: Vec<Operation>,
    ) -> Result<Self, DecodeError> {
        let base = if head.has_other_base {
            let distance = reader.signed()?;
            let base = basis.position.get().checked_add_signed(distance);
            let base = base.filter(|base| *base <= EXACT_INTEGER_MAX && distance != 0);
            LogPosition::new(base.ok_or(DecodeError::OutOfRange { what: "base" })?)
        } else {
            basis.position
        };
        if reader.is_at_end() && (head.has_other_base || head.acknowledged != head.first - 1) {
            return Err(DecodeError::NotCanonical { what: "frame" });
        }
        let fit = reader.rest().len() / OPERATION_BYTES_USUAL + 1;
        let mut operations = room;
        operations.reserve(fit.min(OPERATIONS_MAX));
        let mut state = Running::new(base, basis);
        let mut seq = head.first;
        while !reader.is_at_end() {
            if operations.len() >= OPERATIONS_MAX {
                return Err(DecodeError::TooLarge {
                    what: "frame",
                    limit: OPERATIONS_MAX,
                });
            }
            operations.push(state.decode(seq, tables, &mut reader)?);
            // The first one's base is told in the head alone.
            if seq == head.first && state.base != base {
                return Err(DecodeError::NotCanonical { what: "base" });
            }
            seq += 1;
        }
        Ok(Self {
            acknowledged: head.acknowledged,
            chain: head.chain,
            operations,
        })
    }
}

/// What stands before the operations: enough to see that a frame came too early, when its entities may be unknown.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHead {
    pub(super) first: u64,
    acknowledged: u64,
    chain: ChainCheck,
    has_other_base: bool,
    /// Whether anything follows.
    pub(super) has_operations: bool,
}

impl FrameHead {
    /// Reads the head up to the chain.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, Reader<'_>), DecodeError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                what: "frame",
                limit: FRAME_BYTES_MAX,
            });
        }
        let mut reader = Reader::new(bytes);
        let head = reader.byte()?;
        if head >> 2 != FORMAT {
            return Err(DecodeError::UnknownTag {
                what: "frame format",
                found: (head >> 2).into(),
            });
        }
        let first = reader.exact("seq")?;
        let unacknowledged = if head & UNACKNOWLEDGED == 0 {
            0
        } else {
            match reader.exact("acknowledged")? {
                0 => {
                    return Err(DecodeError::NotCanonical {
                        what: "acknowledged",
                    });
                }
                unacknowledged => unacknowledged,
            }
        };
        let acknowledged = first
            .checked_sub(1)
            .and_then(|before| before.checked_sub(unacknowledged));
        let acknowledged = acknowledged.ok_or(DecodeError::OutOfRange {
            what: "acknowledged",
        })?;
        if first > EXACT_INTEGER_MAX - OPERATIONS_MAX as u64 {
            return Err(DecodeError::OutOfRange { what: "seq" });
        }
        let chain = ChainCheck::decode(&mut reader)?;
        let head = Self {
            first,
            acknowledged,
            chain,
            has_other_base: head & OTHER_BASE != 0,
            has_operations: !reader.is_at_end(),
        };
        Ok((head, reader))
    }
}

/// What the operation before said, which the next one need not repeat.
struct Running {
    base: LogPosition,
    user: u32,
    handle: u32,
    millis: u64,
    /// The counter that a stamp of the same millisecond has if nothing is said.
    counter: u16,
}

impl Running {
    fn new(base: LogPosition, basis: &Basis) -> Self {
        Self {
            base,
            user: 0,
            handle: 0,
            millis: basis.time_ms,
            counter: 0,
        }
    }

    fn encode(&mut self, operation: &Operation, tables: &dyn Tables, writer: &mut Writer) {
        if operation.user != self.user {
            self.user = operation.user;
            writer.byte(CONTROL_USER);
            writer.varint(operation.user.into());
        }
        if operation.base != self.base {
            writer.byte(CONTROL_BASE);
            writer.varint(operation.base.get().wrapping_sub(self.base.get()));
            self.base = operation.base;
        }
        if let Some(former) = &operation.former {
            writer.raw(&[CONTROL_RARE, RARE_FORMER]);
            former.device.encode(writer);
            writer.varint(former.seq);
            writer.raw(&former.chain.to_be_bytes());
        }
        let counter = operation.stamp.counter();
        if counter != self.expected_counter(operation.stamp.millis()) {
            writer.raw(&[CONTROL_RARE, RARE_COUNTER]);
            writer.varint(counter.into());
        }
        match &operation.body {
            OperationBody::Create { table, id } => {
                writer.byte(CONTROL_CREATE);
                self.encode_time(operation.stamp, writer);
                writer.varint((*table).into());
                writer.bytes(id);
            }
            OperationBody::Change {
                entity,
                field,
                change,
            } => {
                writer.varint((u64::from(*field) << 2) | u64::from(verb_of(change)));
                self.encode_entity(*entity, operation.seq, writer);
                self.encode_time(operation.stamp, writer);
                if let Some(row) = tables
                    .table_of(*entity)
                    .and_then(|table| table.field(*field))
                {
                    encode_change(change, row, writer);
                }
            }
        }
    }

    /// A known handle: zigzag difference to the one before, doubled. A created one: how many operations ago, doubled,
    /// plus one, then its table.
    fn encode_entity(&mut self, entity: EntityRef, seq: u64, writer: &mut Writer) {
        match entity {
            EntityRef::Known(handle) => {
                let distance = i64::from(handle.0) - i64::from(self.handle);
                self.handle = handle.0;
                let zigzag = ((distance << 1) ^ (distance >> 63)).cast_unsigned();
                writer.varint(zigzag << 1);
            }
            EntityRef::Created {
                seq: created,
                table,
            } => {
                writer.varint((seq.wrapping_sub(created) << 1) | 1);
                writer.varint(table.into());
            }
        }
    }

    /// Several changes of one moment are ticks of one clock: each counts one more than the one before.
    fn expected_counter(&self, millis: u64) -> u16 {
        if millis == self.millis {
            self.counter
        } else {
            0
        }
    }

    fn encode_time(&mut self, stamp: Stamp, writer: &mut Writer) {
        writer.signed(stamp.millis().cast_signed() - self.millis.cast_signed());
        self.went_on_from(stamp);
    }

    fn decode_time(
        &mut self,
        counter: Option<u16>,
        reader: &mut Reader<'_>,
    ) -> Result<Stamp, DecodeError> {
        let millis = self.millis.checked_add_signed(reader.signed()?);
        let millis = millis.filter(|millis| *millis <= Stamp::MILLIS_MAX);
        let millis = millis.ok_or(DecodeError::OutOfRange { what: "time" })?;
        let expected = self.expected_counter(millis);
        if counter == Some(expected) {
            return Err(DecodeError::NotCanonical {
                what: "stamp counter",
            });
        }
        let stamp = Stamp::new(millis, counter.unwrap_or(expected));
        self.went_on_from(stamp);
        Ok(stamp)
    }

    fn went_on_from(&mut self, stamp: Stamp) {
        self.millis = stamp.millis();
        self.counter = stamp.counter().saturating_add(1);
    }

    fn decode(
        &mut self,
        seq: u64,
        tables: &dyn Tables,
        reader: &mut Reader<'_>,
    ) -> Result<Operation, DecodeError> {
        let length = reader.rest().len();
        let mut controls = Controls::default();
        let head = self.decode_controls(&mut controls, reader)?;
        let (stamp, body) = match head {
            Head::Create => {
                let stamp = self.decode_time(controls.counter, reader)?;
                let table = reader.varint_u16("table")?;
                if tables.table_numbered(table).is_none() {
                    return Err(DecodeError::UnknownTag {
                        what: "table",
                        found: table.into(),
                    });
                }
                let id = reader.bytes("entity id", ENTITY_ID_BYTES_MAX)?;
                if id.is_empty() {
                    return Err(DecodeError::NotCanonical { what: "entity id" });
                }
                let id = id.into();
                (stamp, OperationBody::Create { table, id })
            }
            Head::Change { field, verb } => {
                let entity = self.decode_entity(seq, reader)?;
                let stamp = self.decode_time(controls.counter, reader)?;
                let row = tables.table_of(entity).and_then(|table| table.field(field));
                let row = row.ok_or(DecodeError::Field {
                    number: field,
                    reason: "no such entity or field",
                })?;
                let change = decode_change(verb, row, reader)?;
                let body = OperationBody::Change {
                    entity,
                    field,
                    change,
                };
                (stamp, body)
            }
        };
        if length - reader.rest().len() > TEXT_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                what: "operation",
                limit: TEXT_BYTES_MAX,
            });
        }
        Ok(Operation {
            seq,
            base: self.base,
            stamp,
            user: self.user,
            former: controls.former,
            body,
        })
    }

    /// Reads user and base changes, a former name and a counter, up to the head of the operation itself; each may come
    /// once, in this order.
    fn decode_controls(
        &mut self,
        controls: &mut Controls,
        reader: &mut Reader<'_>,
    ) -> Result<Head, DecodeError> {
        let mut step = 0;
        loop {
            let head = reader.varint()?;
            let verb = (head & 3) as u8;
            let field = u16::try_from(head >> 2).map_err(|_| DecodeError::OutOfRange {
                what: "field number",
            })?;
            if field != 0 {
                return Ok(Head::Change { field, verb });
            }
            let rare = match verb {
                CONTROL_CREATE => return Ok(Head::Create),
                CONTROL_RARE => Some(reader.byte()?),
                _ => None,
            };
            step = match (verb, rare) {
                (CONTROL_USER, _) if step == 0 => {
                    let user = reader.varint_u32("user")?;
                    if user == self.user {
                        return Err(DecodeError::NotCanonical { what: "user" });
                    }
                    self.user = user;
                    1
                }
                (CONTROL_BASE, _) if step <= 1 => {
                    let distance = reader.exact("base")?;
                    let base = self.base.get() + distance;
                    if distance == 0 || base > EXACT_INTEGER_MAX {
                        return Err(DecodeError::NotCanonical { what: "base" });
                    }
                    self.base = LogPosition::new(base);
                    2
                }
                (_, Some(RARE_FORMER)) if step <= 2 => {
                    let device = DeviceId::decode(reader)?;
                    let seq = reader.exact("former number")?;
                    let chain = reader
                        .raw(8)?
                        .try_into()
                        .map_err(|_| DecodeError::UnexpectedEnd)?;
                    let chain = u64::from_be_bytes(chain);
                    controls.former = Some(Former { device, seq, chain });
                    3
                }
                (_, Some(RARE_COUNTER)) if step <= 3 => {
                    controls.counter = Some(reader.varint_u16("stamp counter")?);
                    4
                }
                _ => {
                    return Err(DecodeError::UnknownTag {
                        what: "control",
                        found: verb.into(),
                    });
                }
            };
        }
    }

    fn decode_entity(
        &mut self,
        seq: u64,
        reader: &mut Reader<'_>,
    ) -> Result<EntityRef, DecodeError> {
        let number = reader.varint()?;
        if number & 1 == 1 {
            let created = seq
                .checked_sub(number >> 1)
                .filter(|created| (1..seq).contains(created));
            let seq = created.ok_or(DecodeError::OutOfRange {
                what: "created entity",
            })?;
            return Ok(EntityRef::Created {
                seq,
                table: reader.varint_u16("table")?,
            });
        }
        let zigzag = number >> 1;
        let distance = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        let handle = i64::from(self.handle)
            .checked_add(distance)
            .and_then(|handle| u32::try_from(handle).ok());
        self.handle = handle.ok_or(DecodeError::OutOfRange { what: "handle" })?;
        Ok(EntityRef::Known(Handle(self.handle)))
    }
}

/// What stands before one operation and holds for it alone.
#[derive(Default)]
struct Controls {
    former: Option<Former>,
    counter: Option<u16>,
}

enum Head {
    Create,
    Change { field: u16, verb: u8 },
}

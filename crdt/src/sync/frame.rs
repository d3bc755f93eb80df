//! A frame: the operations a device pushes in one body.

use super::chain::Chain;
use super::change_codec::{StampCodec, decode_change, encode_change, verb_of};
use super::operation::{EntityRef, Former, Operation, OperationBody};
use crate::clock::LogPosition;
use crate::collapsed::{ENTITY_ID_BYTES_MAX, Handle};
use crate::entity::EntityTable;
use crate::replica::DeviceId;
use crate::wire::{DecodeError, EXACT_INTEGER_MAX, Reader, TEXT_BYTES_MAX, Wire, Writer};

/// Longest frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Most operations in one frame.
pub const OPERATIONS_MAX: usize = 1000;

const FORMAT: u8 = 1;
/// Field number 0 marks what is not a field: these are its verbs.
const CONTROL_USER: u8 = 0;
const CONTROL_BASE: u8 = 1;
const CONTROL_CREATE: u8 = 2;
const CONTROL_FORMER: u8 = 3;

/// Operations of one device with rising numbers, and what the server needs to place them.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Who sends; must be the device of the session.
    pub device: DeviceId,
    /// The schema the client speaks.
    pub schema: u16,
    /// Every verdict up to this operation was received.
    pub acknowledged: u64,
    /// The chain after the operation before the first one here.
    pub chain: Chain,
    /// The operations: numbers rise by one, bases and stamps never fall.
    pub operations: Vec<Operation>,
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
    /// The canonical bytes. Layout: format, device, schema, first number, `first - 1 - acknowledged`, chain (8 bytes
    /// big-endian), count, then the operations; `docs/CRDT_SYNC.md` draws them.
    pub fn encode(&self, tables: &dyn Tables) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.byte(FORMAT);
        self.device.encode(&mut writer);
        writer.varint(self.schema.into());
        let first = self
            .operations
            .first()
            .map_or(self.acknowledged + 1, |operation| operation.seq);
        writer.varint(first);
        writer.varint(first.saturating_sub(1).saturating_sub(self.acknowledged));
        writer.raw(&self.chain.0.to_be_bytes());
        writer.count(self.operations.len());
        let mut state = Running::default();
        for operation in &self.operations {
            state.encode(operation, tables, &mut writer);
        }
        writer.into_bytes()
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// Bytes that are not canonical, numbers or bases that fall, entities or fields that no table has, anything beyond
    /// [`FRAME_BYTES_MAX`] or [`OPERATIONS_MAX`].
    pub fn decode(bytes: &[u8], tables: &dyn Tables) -> Result<Self, DecodeError> {
        let (head, mut reader) = FrameHead::decode(bytes)?;
        let FrameHead {
            device,
            schema,
            first,
            acknowledged,
            chain,
            count,
        } = head;
        let mut operations = Vec::with_capacity(count);
        let mut state = Running::default();
        for seq in (first..).take(count) {
            operations.push(state.decode(seq, tables, &mut reader)?);
        }
        reader.finish()?;
        Ok(Self {
            device,
            schema,
            acknowledged,
            chain,
            operations,
        })
    }
}

/// What stands before the operations: enough to see that a frame came too early, when its entities may be unknown.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHead {
    pub(super) device: DeviceId,
    pub(super) schema: u16,
    pub(super) first: u64,
    pub(super) acknowledged: u64,
    pub(super) chain: Chain,
    pub(super) count: usize,
}

impl FrameHead {
    /// Reads the head and leaves the reader at the first operation.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, Reader<'_>), DecodeError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                what: "frame",
                limit: FRAME_BYTES_MAX,
            });
        }
        let mut reader = Reader::new(bytes);
        match reader.byte()? {
            FORMAT => {}
            format => {
                return Err(DecodeError::UnknownTag {
                    what: "frame format",
                    found: format.into(),
                });
            }
        }
        let device = DeviceId::decode(&mut reader)?;
        let schema = reader.varint_u16("schema")?;
        let first = reader.exact("seq")?;
        let unacknowledged = reader.exact("acknowledged")?;
        let acknowledged = first
            .checked_sub(1)
            .and_then(|before| before.checked_sub(unacknowledged));
        let acknowledged = acknowledged.ok_or(DecodeError::OutOfRange {
            what: "acknowledged",
        })?;
        let chain = reader
            .raw(8)?
            .try_into()
            .map_err(|_| DecodeError::UnexpectedEnd)?;
        let chain = Chain(u64::from_be_bytes(chain));
        let count = reader.count(3)?;
        if count > OPERATIONS_MAX || first > EXACT_INTEGER_MAX - OPERATIONS_MAX as u64 {
            return Err(DecodeError::TooLarge {
                what: "frame",
                limit: OPERATIONS_MAX,
            });
        }
        if count == 0 && unacknowledged != 0 {
            return Err(DecodeError::NotCanonical {
                what: "acknowledged",
            });
        }
        Ok((
            Self {
                device,
                schema,
                first,
                acknowledged,
                chain,
                count,
            },
            reader,
        ))
    }
}

/// What the operation before said, which the next one need not repeat.
#[derive(Default)]
struct Running {
    base: LogPosition,
    user: u32,
    handle: u32,
    stamps: StampCodec,
}

impl Running {
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
            writer.byte(CONTROL_FORMER);
            former.device.encode(writer);
            writer.raw(&former.chain.to_be_bytes());
        }
        match &operation.body {
            OperationBody::Create { table, id } => {
                writer.byte(CONTROL_CREATE);
                self.stamps.encode(operation.stamp, writer);
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
                self.stamps.encode(operation.stamp, writer);
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

    fn decode(
        &mut self,
        seq: u64,
        tables: &dyn Tables,
        reader: &mut Reader<'_>,
    ) -> Result<Operation, DecodeError> {
        let length = reader.rest().len();
        let mut former = None;
        let head = self.decode_controls(&mut former, reader)?;
        let body = match head {
            Head::Create => {
                let stamp = self.stamps.decode(reader)?;
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
                (
                    stamp,
                    OperationBody::Create {
                        table,
                        id: id.into(),
                    },
                )
            }
            Head::Change { field, verb } => {
                let entity = self.decode_entity(seq, reader)?;
                let stamp = self.stamps.decode(reader)?;
                let row = tables.table_of(entity).and_then(|table| table.field(field));
                let row = row.ok_or(DecodeError::Field {
                    number: field,
                    reason: "no such entity or field",
                })?;
                (
                    stamp,
                    OperationBody::Change {
                        entity,
                        field,
                        change: decode_change(verb, row, reader)?,
                    },
                )
            }
        };
        if length - reader.rest().len() > TEXT_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                what: "operation",
                limit: TEXT_BYTES_MAX,
            });
        }
        let (stamp, body) = body;
        Ok(Operation {
            seq,
            base: self.base,
            stamp,
            user: self.user,
            former,
            body,
        })
    }

    /// Reads user and base changes and a former name, up to the head of the operation itself; each may come once, in
    /// this order.
    fn decode_controls(
        &mut self,
        former: &mut Option<Former>,
        reader: &mut Reader<'_>,
    ) -> Result<Head, DecodeError> {
        let mut step = 0;
        loop {
            let head = reader.varint()?;
            let verb = (head & 3) as u8;
            let field = u16::try_from(head >> 2).map_err(|_| DecodeError::OutOfRange {
                what: "field number",
            })?;
            match (field, verb) {
                (0, CONTROL_USER) if step == 0 => {
                    let user = reader.varint_u32("user")?;
                    if user == self.user {
                        return Err(DecodeError::NotCanonical { what: "user" });
                    }
                    (self.user, step) = (user, 1);
                }
                (0, CONTROL_BASE) if step <= 1 => {
                    let distance = reader.exact("base")?;
                    let base = self.base.get() + distance;
                    if distance == 0 || base > EXACT_INTEGER_MAX {
                        return Err(DecodeError::NotCanonical { what: "base" });
                    }
                    (self.base, step) = (LogPosition::new(base), 2);
                }
                (0, CONTROL_FORMER) if step <= 2 => {
                    let device = DeviceId::decode(reader)?;
                    let chain = reader
                        .raw(8)?
                        .try_into()
                        .map_err(|_| DecodeError::UnexpectedEnd)?;
                    (*former, step) = (
                        Some(Former {
                            device,
                            chain: u64::from_be_bytes(chain),
                        }),
                        3,
                    );
                }
                (0, CONTROL_CREATE) => return Ok(Head::Create),
                (0, _) => {
                    return Err(DecodeError::UnknownTag {
                        what: "control",
                        found: verb.into(),
                    });
                }
                (field, verb) => return Ok(Head::Change { field, verb }),
            }
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

enum Head {
    Create,
    Change { field: u16, verb: u8 },
}

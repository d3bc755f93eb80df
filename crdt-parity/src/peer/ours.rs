//! Ours: a depot and its tablets, over the protocol's bytes.
//!
//! The server's way: a push is decoded and judged on the state (`Depot::judge_push`), and its records are folded as a log
//! would have them (`Depot::replay_at`). The judge asks what the server's does of a plain field: the scope, whether the
//! entity was deleted, `fleet`'s policy of the field, whether the reading is plausible, which value disagrees with a new
//! one. Left out is what is not merging: the events as JSON, the append, and looking up in the log when `base` was.

use super::Peer;
use crate::seed::{DEVICES, Edit, FIELDS, first_value, id_of};
use crdt::collapsed::{After, CollapsedEntity, CollapsedField, Handle};
use crdt::sync::{
    Chain, Cursor, Depot, Host, Judge, Judgement, Operation, Page, PullRequest, PushAnswer,
    PushRequest, RecordBody, Rejection, Request, Scope, Tablet,
};
use crdt::wire::{from_bytes, to_bytes};
use crdt::{Change, DeviceId, EntityTable, FieldRow, Kind, LogPosition, Value, ValueType};
use fleet::policy::Role;
use fleet::sync::{IS_DELETED, line_of, rank_of};

/// When the depot was filled, in milliseconds since 1970.
const FILLED_MS: u64 = 1_790_000_000_000;
/// A shift later everybody is back.
const BACK_MS: u64 = FILLED_MS + 8 * 3_600_000;
/// How far the log is before: it holds more than what is measured.
const LOG_BEFORE: u64 = 10_000;
/// As the server sets it.
const DECODED_MAX: usize = 2_000;
/// A user that may change every field of the table.
const ROLE: Role = Role::SuperAdmin;

const TEXT: ValueType = ValueType::Text { bytes_max: 4_000 };

/// Twenty fields that the policy of work orders knows.
const NAMES: [&str; FIELDS] = [
    "priority",
    "vehicle_id",
    "workshop_id",
    "scheduled_start",
    "scheduled_end",
    "assigned_track",
    "assigned_team",
    "actual_start",
    "actual_end",
    "work_description",
    "work_performed",
    "findings",
    "estimated_cost",
    "actual_cost",
    "notes",
    "maintenance_type",
    "actual_hours",
    "completion_notes",
    "status",
    "tasks",
];

const fn rows(kind: Kind) -> [FieldRow; FIELDS] {
    let mut rows = [FieldRow::new(1, "", kind); FIELDS];
    let mut index = 0;
    while index < FIELDS {
        rows[index] = FieldRow::new(index as u16 + 1, NAMES[index], kind);
        index += 1;
    }
    rows
}

static REVIEWED_ROWS: [FieldRow; FIELDS] = rows(Kind::MultiValue(TEXT));
static LAST_ROWS: [FieldRow; FIELDS] = rows(Kind::Lww(TEXT));
static REVIEWED: EntityTable = EntityTable::new(2, "WorkOrder", "work_order_id", &REVIEWED_ROWS);
static LAST: EntityTable = EntityTable::new(2, "WorkOrder", "work_order_id", &LAST_ROWS);
static REVIEWED_TABLES: [&EntityTable; 1] = [&REVIEWED];
static LAST_TABLES: [&EntityTable; 1] = [&LAST];

/// Every field under review: concurrent values stay beside the winner. The harder case, and the one that bars are held
/// against unless they say another.
pub type Ours = Registers<true>;
/// Last writer wins in every field, as the peers do it.
pub type OursLast = Registers<false>;

/// See the module.
#[derive(Debug)]
pub struct Registers<const IS_REVIEWED: bool>;

impl<const IS_REVIEWED: bool> Registers<IS_REVIEWED> {
    fn tables() -> &'static [&'static EntityTable] {
        if IS_REVIEWED {
            &REVIEWED_TABLES
        } else {
            &LAST_TABLES
        }
    }
}

/// How many entities there are, and the page that every device begins with.
#[derive(Debug)]
pub struct Start {
    entities: usize,
    page: Vec<u8>,
}

/// The depot with what its surroundings know.
#[derive(Debug)]
pub struct Server {
    /// The depot.
    pub depot: Depot,
    /// When each position behind [`LOG_BEFORE`] was.
    times: Vec<u64>,
    /// The head that each device was last served.
    served: Vec<LogPosition>,
}

/// A tablet, and how many of its operations are on their way.
#[derive(Debug)]
pub struct Device {
    /// The tablet.
    pub tablet: Tablet,
    sent: usize,
    now_ms: u64,
}

/// The server's judge, as far as it asks about plain fields.
struct Judging<'a> {
    times: &'a [u64],
}

/// The scope of a device that may see the whole depot.
struct WholeDepot;

impl Scope for WholeDepot {
    fn sees(&self, _: Handle, _: &CollapsedEntity) -> bool {
        true
    }

    fn decided_at(&self, _: Handle, _: &CollapsedEntity) -> LogPosition {
        LogPosition::START
    }

    fn shared_as(&self) -> Option<Box<[u8]>> {
        Some(Box::default())
    }
}

fn is_deleted(entity: &CollapsedEntity) -> bool {
    let row = entity.table().field_named(IS_DELETED);
    match row.and_then(|row| entity.field(row.number)) {
        Some(CollapsedField::Register(register)) => register
            .winner()
            .is_some_and(|winner| winner.value == Value::Bool(true)),
        _ => false,
    }
}

impl Judge for Judging<'_> {
    fn judge(&self, request: &Request<'_>) -> Judgement {
        let entity = request.entity;
        if std::str::from_utf8(request.id).is_err() {
            return Judgement::Reject(Rejection::UnknownEntity);
        }
        if !WholeDepot.sees(Handle(0), entity)
            && WholeDepot.decided_at(request.handle, entity) <= request.operation.base
        {
            return Judgement::Reject(Rejection::OutOfScope);
        }
        if is_deleted(entity) {
            return Judgement::Reject(Rejection::DeletedEntity);
        }
        let line = line_of(entity.table().name, request.row.name);
        match (rank_of(&line, ROLE), request.change) {
            (None, _) => Judgement::Reject(Rejection::NotAuthorised),
            // Plausibility is asked of readings.
            (Some(_), Change::Raise { .. }) => Judgement::Reject(Rejection::InvalidValue),
            (Some(rank), _) => Judgement::Allow { rank },
        }
    }

    fn judge_creation(&self, _: DeviceId, _: &Operation, _: &'static EntityTable) -> Judgement {
        Judgement::Reject(Rejection::UnknownEntity)
    }
}

impl Host for Judging<'_> {
    fn time_of(&self, position: LogPosition) -> u64 {
        time_at(self.times, position)
    }

    fn chain_at(&self, _: DeviceId, _: u64) -> Option<Chain> {
        None
    }

    /// The server asks of a write whether a person has to choose between two values.
    fn admitted(&self, operation: &RecordBody, after: Option<&After<'_>>) {
        let is_folded =
            matches!(operation, RecordBody::Operation { verdict, .. } if verdict.is_folded());
        if let Some(after) = after.filter(|_| is_folded) {
            std::hint::black_box((after.wins(), after.disagreeing()));
        }
    }
}

fn time_at(times: &[u64], position: LogPosition) -> u64 {
    let index = position.get().checked_sub(LOG_BEFORE + 1);
    let time = index.and_then(|index| times.get(usize::try_from(index).ok()?));
    time.copied().unwrap_or(FILLED_MS)
}

impl Server {
    /// Folds what the log has.
    fn take(&mut self, record: &crdt::sync::Record) {
        let position = self.depot.head().next();
        self.depot
            .replay_at(position, record)
            .expect("the depot's own record");
        self.times.push(record.time_ms);
    }

    /// The bytes in which an entity rests, its id of 16 bytes included.
    pub fn entity_bytes(&self, entity: usize) -> Vec<u8> {
        let (_, id) = self
            .depot
            .store()
            .name(handle(entity))
            .expect("it is there");
        let fields = self.depot.store().packed_fields(handle(entity));
        [id, &fields.expect("it is whole")].concat()
    }

    /// A page for a device that has nothing.
    pub fn first_page(&mut self) -> Vec<u8> {
        self.page(0, Cursor::default())
    }

    fn page(&mut self, number: usize, cursor: Cursor) -> Vec<u8> {
        let request = PullRequest {
            device: device_id(number),
            cursor,
            head_ms: time_at(&self.times, self.depot.head()),
            entities_max: 100_000,
            with_digest: false,
        };
        let page = self.depot.pull_encoded(&request, &WholeDepot);
        let page = page.expect("every entity is whole");
        self.served[number] = page.next.complete;
        page.bytes.to_vec()
    }
}

fn handle(entity: usize) -> Handle {
    Handle(u32::try_from(entity).expect("few entities"))
}

fn number_of(field: usize) -> u16 {
    u16::try_from(field + 1).expect("few fields")
}

fn device_id(number: usize) -> DeviceId {
    DeviceId::new(u32::try_from(number + 1).expect("few devices"))
}

/// A depot with so many entities, packed as when it is idle.
pub fn depot(entities: usize) -> Depot {
    filled(&REVIEWED_TABLES, entities).depot
}

/// A depot with so many entities, every field written by the server, and all devices registered.
fn filled(tables: &'static [&'static EntityTable], entities: usize) -> Server {
    let mut depot = Depot::new(tables, DECODED_MAX);
    depot.advance_to(LogPosition::new(LOG_BEFORE));
    let mut times = Vec::new();
    for entity in 0..entities {
        let now_ms = FILLED_MS + entity as u64;
        depot
            .create(2, id_of(entity).as_bytes(), now_ms)
            .expect("a new id");
        times.push(now_ms);
        for field in 0..FIELDS {
            let value = Value::text(&first_value(entity, field));
            let base = depot.head();
            depot
                .write(
                    handle(entity),
                    number_of(field),
                    Change::Set(value),
                    base,
                    1,
                    now_ms,
                )
                .expect("it fits");
            times.push(now_ms);
        }
    }
    for _ in 0..DEVICES {
        depot.register(FILLED_MS + 60_000).expect("the next one");
        times.push(FILLED_MS + 60_000);
    }
    let served = vec![depot.head(); DEVICES];
    depot.pack_all();
    Server {
        depot,
        times,
        served,
    }
}

impl<const IS_REVIEWED: bool> Peer for Registers<IS_REVIEWED> {
    const NAME: &'static str = if IS_REVIEWED {
        "ours"
    } else {
        "ours, last writer wins"
    };
    type Start = Start;
    type Server = Server;
    type Device = Device;
    type Answer = PushAnswer;

    fn start(entities: usize) -> Start {
        let page = filled(Self::tables(), entities).first_page();
        Start { entities, page }
    }

    fn server(start: &Start) -> Server {
        filled(Self::tables(), start.entities)
    }

    fn device(start: &Start, number: usize) -> Device {
        let mut device = Device {
            tablet: Tablet::new(device_id(number), Self::tables()),
            sent: 0,
            now_ms: FILLED_MS + 120_000 + number as u64 * 977,
        };
        let begun_ms = device.now_ms;
        Self::apply(&mut device, &start.page);
        device.now_ms = begun_ms;
        device
    }

    fn edit(device: &mut Device, edit: &Edit) -> Vec<u8> {
        // Minutes lie between two edits, never the same.
        device.now_ms += 60_000 + u64::from(edit.value.as_bytes()[0]) * 3_137;
        let change = Change::Set(Value::text(&edit.value));
        let entity = crdt::sync::EntityRef::Known(handle(edit.entity));
        device
            .tablet
            .change(entity, number_of(edit.field), change, 0, device.now_ms)
            .expect("it fits");
        let frame = device.tablet.frame_after(device.sent, 1);
        device.sent += 1;
        frame
            .expect("one waits")
            .encode(&device.tablet.basis(), &device.tablet)
    }

    fn push(device: &mut Device) -> Vec<u8> {
        let frame = device.tablet.frame(crdt::sync::OPERATIONS_MAX);
        frame
            .expect("some wait")
            .encode(&device.tablet.basis(), &device.tablet)
    }

    fn merge(server: &mut Server, number: usize, bytes: &[u8]) -> PushAnswer {
        let request = PushRequest {
            device: device_id(number),
            served: server.served[number],
            now_ms: BACK_MS,
        };
        let judging = Judging {
            times: &server.times,
        };
        let judged = server.depot.judge_push(bytes, &request, &judging);
        let (records, answer) = judged.expect("a whole frame");
        records.iter().for_each(|record| server.take(record));
        answer
    }

    fn hear(device: &mut Device, answer: PushAnswer) {
        let heard = device.tablet.answer(&answer).len();
        device.sent = device.sent.saturating_sub(heard);
    }

    fn state(server: &mut Server) -> Vec<u8> {
        let handles = server.depot.store().handles() as usize;
        (0..handles)
            .flat_map(|entity| server.entity_bytes(entity))
            .collect()
    }

    fn request(device: &mut Device) -> Vec<u8> {
        to_bytes(&device.tablet.cursor())
    }

    fn answer(server: &mut Server, number: usize, request: &[u8]) -> Vec<u8> {
        let cursor = from_bytes(request).expect("a device's cursor");
        server.page(number, cursor)
    }

    fn apply(device: &mut Device, answer: &[u8]) {
        let page = Page::decode(answer, &device.tablet).expect("a page");
        assert!(device.tablet.take(page), "the page answers its cursor");
        device.now_ms = device.now_ms.max(BACK_MS);
    }

    fn download(server: &mut Server) -> Vec<u8> {
        server.first_page()
    }

    /// `server/src/sync/cursor.rs`: 4 bytes of history and 12 of MAC, in Base64.
    fn handed_out(request_bytes: f64) -> f64 {
        ((request_bytes + 16.0) * 4.0 / 3.0).ceil()
    }

    fn on_server(server: &Server, entity: usize, field: usize) -> String {
        let entity = server
            .depot
            .store()
            .get(handle(entity))
            .expect("it is there");
        let Some(CollapsedField::Register(register)) = entity.field(number_of(field)) else {
            panic!("every field is a register");
        };
        match register.winner().map(|winner| &winner.value) {
            Some(Value::Text(text)) => text.to_string(),
            _ => panic!("every field has text"),
        }
    }

    fn on_device(device: &Device, entity: usize, field: usize) -> String {
        let view = device
            .tablet
            .confirmed(handle(entity))
            .expect("it is there");
        match view.fields.get(&number_of(field)) {
            Some(crdt::collapsed::FieldView::Register(register)) => match &register.winner.value {
                Value::Text(text) => text.to_string(),
                _ => panic!("every field has text"),
            },
            _ => panic!("every field is a register"),
        }
    }
}

//! Figures of the crate alone: bytes and time of merges, deltas, pushes, pulls, sets and counters.
//!
//! Workload S: one entity of 20 fields, 100 devices with 10 single-field edits each, all from one base. Workload C:
//! 1,000 such entities, 100 devices with 10 edits each on random ones. Values are texts of 10 bytes. Everything a
//! server does for an operation is included: decoding, checks, chain, judgement, folding, the record.
//! Run: `cargo run --release -p crdt --example goals`.

#![expect(clippy::print_stdout, reason = "the table is the purpose")]

use crdt::collapsed::{CollapsedEntity, Handle, Origin};
use crdt::sync::{
    Chain, Cursor, Depot, EntityRef, Host, Judge, Judgement, Operation, Page, PullRequest,
    PushRequest, Request, Tablet,
};
use crdt::{
    Change, DeviceId, EntityTable, FieldRow, GrowCounter, Kind, LogPosition, OrSet, Stamp, Value,
    ValueType,
};
use std::time::Instant;

const NOW_MS: u64 = 1_790_000_000_000;
const TEXT: ValueType = ValueType::Text { bytes_max: 100 };

const fn rows(reviewed: bool) -> [FieldRow; 20] {
    let kind = if reviewed {
        Kind::MultiValue(TEXT)
    } else {
        Kind::Lww(TEXT)
    };
    let mut rows = [FieldRow::new(1, "field", kind); 20];
    let mut number = 1;
    while number <= 20 {
        rows[number as usize - 1].number = number;
        number += 1;
    }
    rows
}

static PLAIN_ROWS: [FieldRow; 20] = rows(false);
static REVIEWED_ROWS: [FieldRow; 20] = rows(true);
static PLAIN: EntityTable = EntityTable {
    number: 1,
    name: "Plain",
    key: "id",
    fields: &PLAIN_ROWS,
};
static REVIEWED: EntityTable = EntityTable {
    number: 2,
    name: "Reviewed",
    key: "id",
    fields: &REVIEWED_ROWS,
};
static TABLES: [&EntityTable; 2] = [&PLAIN, &REVIEWED];

struct Open;

impl Judge for Open {
    fn judge(&self, _: &Request<'_>) -> Judgement {
        Judgement::Allow { rank: 0 }
    }

    fn judge_creation(&self, _: DeviceId, _: &Operation, _: &'static EntityTable) -> Judgement {
        Judgement::Allow { rank: 0 }
    }
}

impl Host for Open {
    fn time_of(&self, _: LogPosition) -> u64 {
        NOW_MS
    }

    fn chain_at(&self, _: DeviceId, _: u64) -> Option<Chain> {
        None
    }
}

/// xorshift: the same edits on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn text(&mut self) -> Value {
        Value::text(&format!("v{:09}", self.below(1_000_000_000)))
    }
}

/// A depot with `count` filled entities and 100 tablets that have them.
fn filled(table: &'static EntityTable, count: u32, dice: &mut Dice) -> (Depot, Vec<Tablet>) {
    let mut depot = Depot::new(&TABLES, 4096);
    for number in 0..count {
        depot
            .create(table.number, &u128::from(number).to_be_bytes(), NOW_MS)
            .expect("new");
        for row in table.fields {
            let head = depot.head();
            depot
                .write(
                    Handle(number),
                    row.number,
                    Change::Set(dice.text()),
                    head,
                    0,
                    NOW_MS,
                )
                .expect("fits");
        }
    }
    let mut tablets = Vec::new();
    for _ in 0..100 {
        let (device, _) = depot.register(NOW_MS).expect("new");
        tablets.push(Tablet::new(device, &TABLES));
    }
    for tablet in &mut tablets {
        let page = depot.pull(&ask(tablet), &|_| true).expect("sound");
        tablet.page(&page);
    }
    (depot, tablets)
}

fn ask(tablet: &Tablet) -> PullRequest {
    PullRequest {
        device: tablet.device(),
        cursor: tablet.cursor(),
        head_ms: NOW_MS,
        entities_max: 1_000_000,
        with_digest: false,
    }
}

/// One edit of each tablet in turn, ten times; answers the frames one by one and the frames of ten.
fn edit(tablets: &mut [Tablet], entities: u64, dice: &mut Dice) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut now_ms = NOW_MS + 60_000;
    for _ in 0..10 {
        for tablet in tablets.iter_mut() {
            now_ms += dice.below(2_000);
            let entity =
                EntityRef::Known(Handle(u32::try_from(dice.below(entities)).expect("few")));
            let field = u16::try_from(dice.below(20)).expect("few") + 1;
            tablet
                .change(entity, field, Change::Set(dice.text()), 1, now_ms)
                .expect("fits");
        }
    }
    let mut single = Vec::new();
    for number in 0..10 {
        for tablet in tablets.iter() {
            single.push(
                tablet
                    .frame_after(number, 1)
                    .expect("ten wait")
                    .encode(&tablet.basis(), tablet),
            );
        }
    }
    let batches = tablets
        .iter()
        .map(|tablet| {
            tablet
                .frame(10)
                .expect("ten wait")
                .encode(&tablet.basis(), tablet)
        })
        .collect();
    (single, batches)
}

fn push_all(depot: &mut Depot, tablets: &[Tablet], frames: &[Vec<u8>]) -> f64 {
    let served = tablets[0].cursor().complete;
    let start = Instant::now();
    for (index, frame) in frames.iter().enumerate() {
        let device = tablets[index % tablets.len()].device();
        let request = PushRequest {
            device,
            served,
            now_ms: NOW_MS + 90_000_000,
        };
        depot.push(frame, &request, &Open).expect("an honest frame");
    }
    micros(start)
}

fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

fn line(what: &str, figure: impl std::fmt::Display) {
    println!("{what:<64} {figure}");
}

fn workload(name: &str, table: &'static EntityTable, entities: u32) {
    let (mut best_single, mut best_batch, mut best_pull, mut best_apply) =
        (f64::MAX, f64::MAX, f64::MAX, f64::MAX);
    let (mut sizes, mut batch_sizes, mut page_bytes, mut state) = (Vec::new(), Vec::new(), 0, 0);
    let mut request_bytes = 0;
    for round in 0..5 {
        let mut dice = Dice(99);
        let (mut depot, mut tablets) = filled(table, entities, &mut dice);
        let (single, batches) = edit(&mut tablets, entities.into(), &mut dice);
        sizes = single.iter().map(Vec::len).collect();
        batch_sizes = batches.iter().map(Vec::len).collect();
        if round % 2 == 0 {
            best_single = best_single.min(push_all(&mut depot, &tablets, &single) / 1000.0);
        } else {
            best_batch = best_batch.min(push_all(&mut depot, &tablets, &batches) / 1000.0);
        }
        state = depot.store().packed_fields(Handle(0)).expect("live").len();
        let mut page = Page::decode(&[], &depot).ok();
        for tablet in &tablets {
            let start = Instant::now();
            let answer = depot
                .pull(&ask(tablet), &|_| true)
                .expect("sound")
                .encode(&depot);
            best_pull = best_pull.min(micros(start));
            page_bytes = answer.len();
            let mut tablet = tablet.clone();
            let start = Instant::now();
            let decoded = Page::decode(&answer, &tablet).expect("a page");
            tablet.page(&decoded);
            best_apply = best_apply.min(micros(start));
            request_bytes = crdt::wire::to_bytes(&Cursor::at(depot.head())).len();
            page = Some(decoded);
        }
        drop(page);
    }
    println!("\n{name}");
    line(
        "  merge of one frame with one edit, µs (G1)",
        format!("{best_single:.3}"),
    );
    line(
        "  merge of frames of ten, µs per edit",
        format!("{best_batch:.3}"),
    );
    line("  frame with one edit, median B (G2, G3)", median(sizes));
    line("  frame with ten edits, median B (G4)", median(batch_sizes));
    line("  one entity at rest after the edits, B (G5)", state);
    line("  pull request, B (G7)", request_bytes);
    line("  pull answer with the others' edits, B (G6)", page_bytes);
    line("  making it, µs (G8)", format!("{best_pull:.1}"));
    line(
        "  decoding and applying it on a tablet, µs (G9)",
        format!("{best_apply:.1}"),
    );
}

fn sets_and_counters() {
    println!("\nsets and counters");
    let device = DeviceId::new(7);
    let mut set = OrSet::default();
    let mut collapsed = CollapsedEntity::new(&SET);
    let start = Instant::now();
    for number in 0..10_000_i64 {
        set.add(&device, Value::from(number));
        if number >= 20 {
            set.remove(&Value::from(number - 20));
        }
        if [19, 999, 9_999].contains(&number) {
            let bytes = crdt::wire::to_bytes(&set).len();
            line(
                &format!(
                    "  reference set with 20 live after {} additions, B (G13)",
                    number + 1
                ),
                bytes,
            );
        }
    }
    line(
        "  reference set, µs per addition and removal",
        format!("{:.2}", micros(start) / 10_000.0),
    );
    let start = Instant::now();
    for number in 0..10_000_i64 {
        let position = LogPosition::new(u64::try_from(number * 2 + 1).expect("positive"));
        let origin = Origin {
            device,
            base: LogPosition::START,
            position,
        };
        collapsed.apply(
            &origin,
            Stamp::new(NOW_MS, 0),
            0,
            1,
            &Change::Insert(Value::from(number)),
        );
        if number >= 20 {
            let origin = Origin {
                device,
                base: LogPosition::START,
                position: position.next(),
            };
            collapsed.apply(
                &origin,
                Stamp::new(NOW_MS, 0),
                0,
                1,
                &Change::Remove(Value::from(number - 20)),
            );
        }
    }
    line(
        "  collapsed set, µs per addition and removal",
        format!("{:.2}", micros(start) / 10_000.0),
    );
    line(
        "  collapsed set with all markers unacknowledged, B",
        collapsed.to_packed().len(),
    );
    let mut counter = GrowCounter::default();
    for device in 1..=100 {
        counter.increment(DeviceId::new(device), 10);
    }
    line(
        "  reference counter of 100 devices, B (G14)",
        crdt::wire::to_bytes(&counter).len(),
    );
    let mut collapsed = CollapsedEntity::new(&COUNTER);
    let start = Instant::now();
    for position in 1..=1_000 {
        let origin = Origin {
            device: DeviceId::new(1 + position % 100),
            base: LogPosition::START,
            position: LogPosition::new(position.into()),
        };
        collapsed.apply(&origin, Stamp::new(NOW_MS, 0), 0, 1, &Change::Add(1));
    }
    line(
        "  collapsed counter, µs per increment",
        format!("{:.3}", micros(start) / 1_000.0),
    );
    line(
        "  collapsed counter of 100 devices, B (G14)",
        collapsed.to_packed().len(),
    );
}

static SET_ROWS: [FieldRow; 1] = [FieldRow::new(1, "set", Kind::Set(ValueType::Any))];
static SET: EntityTable = EntityTable {
    number: 8,
    name: "Set",
    key: "id",
    fields: &SET_ROWS,
};
static COUNTER_ROWS: [FieldRow; 1] = [FieldRow::new(1, "sum", Kind::Counter)];
static COUNTER: EntityTable = EntityTable {
    number: 9,
    name: "Counter",
    key: "id",
    fields: &COUNTER_ROWS,
};

fn main() {
    workload("S, last writer wins", &PLAIN, 1);
    workload("S, under review (up to 8 siblings a field)", &REVIEWED, 1);
    workload("C, last writer wins", &PLAIN, 1_000);
    workload("C, under review", &REVIEWED, 1_000);
    sets_and_counters();
}

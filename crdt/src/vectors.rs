//! Shared test vectors: files of JSON lines in `crdt/vectors/` that a client in any language can run.
//!
//! The test writes every line anew from fixed seeds and compares it with the committed files byte by byte;
//! `CRDT_BLESS=1` writes the files. A change of any byte is a change of the wire and has to be meant.
//! `vectors/README.md` says what each member means.

use crate::clock::{Dot, LogPosition, Stamp};
use crate::collapsed::{CollapsedEntity, EntityView, Handle, Origin};
use crate::entity::{Change, EntityState, EntityTable};
use crate::json::{entity_to_json, stamp_to_text, value_to_json};
use crate::lattice::Lattice;
use crate::replica::DeviceId;
use crate::sim::tests::crdt_tables::TABLES;
use crate::sim::{Random, random_change};
use crate::sync::{Depot, Frame, PullRequest, Tablet, digest_of_view, xxh64};
use crate::value::{Real, Value};
use crate::wire::{Reader, Writer, from_bytes, to_bytes};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::path::PathBuf;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn change_to_json(change: &Change) -> Json {
    match change {
        Change::Set(value) => json!({ "set": value_to_json(value) }),
        Change::Add(amount) => json!({ "add": amount }),
        Change::Raise { epoch, value } => json!({ "raise": [epoch, value] }),
        Change::Insert(member) => json!({ "insert": value_to_json(member) }),
        Change::Remove(member) => json!({ "remove": value_to_json(member) }),
        Change::RemoveSeen { member, upto, at } => {
            json!({ "remove_seen": [value_to_json(member), upto.get(), at.get()] })
        }
        Change::Enable => json!({ "enable": true }),
        Change::Disable => json!({ "disable": true }),
        Change::Put { key, field, value } => {
            json!({ "put": [value_to_json(key), field, value_to_json(value)] })
        }
        Change::Drop { key } => json!({ "drop": value_to_json(key) }),
    }
}

/// Compares with the committed file, or writes it when asked to.
#[track_caller]
fn check_file(name: &str, lines: &[Json]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    let text = lines
        .iter()
        .fold(String::new(), |text, line| text + &line.to_string() + "\n");
    if std::env::var_os("CRDT_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the vectors folder is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("the vectors are committed");
    for (number, (line, expected)) in text.lines().zip(committed.lines()).enumerate() {
        assert_eq!(line, expected, "{name} line {}", number + 1);
    }
    assert_eq!(
        text.lines().count(),
        committed.lines().count(),
        "{name}: number of lines"
    );
}

#[test]
fn numbers_and_hashes() {
    let mut lines = Vec::new();
    let mut numbers = vec![
        0,
        1,
        127,
        128,
        16_383,
        16_384,
        u64::from(u32::MAX),
        (1 << 53) - 1,
        u64::MAX,
    ];
    let mut random = Random::new(1);
    numbers.extend((0..24).map(|bits| random.next() >> (bits * 2)));
    for number in numbers {
        let mut writer = Writer::new();
        writer.varint(number);
        lines.push(json!({ "unsigned": number.to_string(), "hex": hex(writer.as_bytes()) }));
        writer.clear();
        writer.signed(number.cast_signed());
        lines.push(
            json!({ "signed": number.cast_signed().to_string(), "hex": hex(writer.as_bytes()) }),
        );
    }
    for overlong in ["8000", "ff8000", "ffffffffffffffffff02", "80"] {
        lines.push(json!({ "refused": overlong }));
    }
    for length in [0, 1, 3, 4, 8, 31, 32, 33, 64, 100] {
        let bytes: Vec<u8> = (0..length).collect();
        let seed = random.next();
        lines.push(json!({ "xxh64_of": hex(&bytes), "seed": format!("{seed:016x}"), "hash": format!("{:016x}", xxh64(&bytes, seed)) }));
    }
    check_file("numbers.jsonl", &lines);
}

#[test]
fn values_and_stamps() {
    let reals = [
        0.0,
        1.0,
        -2.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
    ];
    let mut values = vec![
        Value::Null,
        Value::from(true),
        Value::from(false),
        Value::Bytes([0, 1, 255].into()),
    ];
    values.extend(reals.into_iter().filter_map(Real::new).map(Value::Real));
    values.extend([0, -1, 300, i64::MAX, i64::MIN].map(Value::from));
    values.extend(["", "a", "Öl/✓", "\u{0}"].map(Value::from));
    values.sort();
    let mut lines: Vec<_> = values
        .iter()
        .map(|value| json!({ "value": value_to_json(value), "hex": hex(&to_bytes(value)) }))
        .collect();
    for wrong in [
        "07",
        "050161ff",
        "0501",
        "0502ff00",
        "048000000000000000",
        "047ff8000000000000",
        "0380",
    ] {
        let bytes: Vec<u8> = (0..wrong.len() / 2)
            .map(|at| u8::from_str_radix(&wrong[at * 2..at * 2 + 2], 16).expect("hex"))
            .collect();
        let error = from_bytes::<Value>(&bytes).expect_err("a malformed value");
        lines.push(json!({ "refused": wrong, "error": error.to_string() }));
    }
    let mut random = Random::new(2);
    for _ in 0..40 {
        let stamp = Stamp::new(
            1_700_000_000_000 + random.below(1 << 40),
            u16::try_from(random.below(3)).expect("small") * 700,
        );
        lines.push(json!({ "stamp": hex(&to_bytes(&stamp)), "time": stamp_to_text(stamp), "next": hex(&to_bytes(&stamp.next())) }));
    }
    check_file("values.jsonl", &lines);
}

/// Two replicas' histories of one entity: every delta, both states, their join and differences.
#[test]
fn entities_and_joins() {
    let mut lines = Vec::new();
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let table = TABLES[random.index(TABLES.len())];
        let mut replicas = [EntityState::default(), EntityState::default()];
        let mut steps = Vec::new();
        for _ in 0..3 + random.below(8) {
            let index = random.index(2);
            if random.chance(20) {
                let other = replicas[1 - index].clone();
                replicas[index].join(&other);
                steps.push(json!({ "replica": index + 1, "joins": 2 - index }));
                continue;
            }
            let row = random.pick(table.fields);
            let change = random_change(&mut random, row, 0);
            let device = DeviceId::new(u32::try_from(index).expect("two") + 1);
            let dot: Dot<DeviceId> = replicas[index].context().next_dot(&device);
            let stamp = Stamp::new(1_790_000_000_000 + random.below(5), 0);
            let counter = dot.counter;
            let delta = replicas[index]
                .apply(table, row.number, dot, stamp, &change)
                .expect("fits");
            steps.push(json!({ "replica": index + 1, "counter": counter, "stamp": hex(&to_bytes(&stamp)),
                "field": row.number, "change": change_to_json(&change), "delta": hex(&delta.to_bytes()) }));
        }
        let [left, right] = replicas;
        let joined = left.clone().joined(&right);
        let json = entity_to_json(table, "id-1", &DeviceId::new(1), &joined);
        lines.push(
            json!({ "table": table.name, "steps": steps, "left": hex(&left.to_bytes()),
            "right": hex(&right.to_bytes()), "joined": hex(&joined.to_bytes()), "json": json,
            "right_for_left": hex(&right.difference(&left).to_bytes()) }),
        );
        refusals(table, &joined, &mut random, &mut lines);
    }
    check_file("entities.jsonl", &lines);
}

/// One damaged encoding that is refused, with the error.
fn refusals(
    table: &'static EntityTable,
    state: &EntityState<DeviceId>,
    random: &mut Random,
    lines: &mut Vec<Json>,
) {
    for _ in 0..20 {
        let mut bytes = state.to_bytes();
        let at = random.index(bytes.len());
        bytes[at] = bytes[at].wrapping_add(1 + u8::try_from(random.below(200)).expect("small"));
        if let Err(error) = EntityState::<DeviceId>::from_bytes(table, &bytes) {
            lines.push(
                json!({ "table": table.name, "refused": hex(&bytes), "error": error.to_string() }),
            );
            return;
        }
    }
}

/// Log order folding: operations with base and position, the packed entity and the digest of what it shows.
#[test]
fn folds() {
    let mut lines = Vec::new();
    for seed in 0..120 {
        let mut random = Random::new(1_000 + seed);
        let table = TABLES[random.index(TABLES.len())];
        let mut entity = CollapsedEntity::new(table);
        let mut operations = Vec::new();
        for position in 1..=2 + random.below(12) {
            let device = 1 + u32::try_from(random.below(3)).expect("small");
            let base = random.below(position);
            let row = random.pick(table.fields);
            let change = random_change(&mut random, row, 0);
            let rank = u8::try_from(random.below(2)).expect("small");
            let origin = Origin {
                device: DeviceId::new(device),
                base: LogPosition::new(base),
                position: LogPosition::new(position),
            };
            let claimed = Stamp::new(1_790_000_000_000 + random.below(9), 0);
            let stamp = entity
                .effective_stamp(&origin, row.number, &change, claimed, rank)
                .stamp;
            let shows = entity.apply(&origin, stamp, rank, row.number, &change);
            operations.push(json!({ "device": device, "base": base, "position": position, "rank": rank,
                "field": row.number, "change": change_to_json(&change), "claimed": hex(&to_bytes(&claimed)),
                "effective": hex(&to_bytes(&stamp)), "shows": shows }));
        }
        let digest = digest_of_view(table, Handle(7), &EntityView::of(&entity));
        lines.push(json!({ "table": table.name, "operations": operations, "packed": hex(&entity.to_packed()),
            "handle": 7, "digest": format!("{:032x}", digest.0) }));
    }
    check_file("folds.jsonl", &lines);
}

/// What a tablet pushes and what a fresh one pulls.
#[test]
fn frames_and_pages() {
    let mut lines = Vec::new();
    for seed in 0..80 {
        let mut random = Random::new(2_000 + seed);
        let mut depot = Depot::new(&TABLES, 4);
        for table in TABLES {
            depot
                .create(table.number, table.name.as_bytes(), 1_790_000_000_000)
                .expect("new");
        }
        let (device, _) = depot.register(1_790_000_000_000).expect("new");
        let mut tablet = Tablet::new(device, &TABLES);
        let first = pull(&mut depot, &mut tablet);
        let mut operations = Vec::new();
        for _ in 0..1 + random.below(8) {
            let index = random.index(TABLES.len());
            let row = random.pick(TABLES[index].fields);
            let change = random_change(&mut random, row, 0);
            let entity =
                crate::sync::EntityRef::Known(Handle(u32::try_from(index).expect("three")));
            let (user, now) = (
                u32::try_from(random.below(2)).expect("small"),
                1_790_000_000_000 + random.below(4_000),
            );
            tablet
                .change(entity, row.number, change.clone(), user, now)
                .expect("fits");
            operations.push(json!({ "handle": index, "field": row.number, "user": user, "change": change_to_json(&change) }));
        }
        let frame = tablet.frame(100).expect("waits");
        for (line, operation) in operations.iter_mut().zip(&frame.operations) {
            line["stamp"] = json!(hex(&to_bytes(&operation.stamp)));
            line["seq"] = json!(operation.seq);
            line["base"] = json!(operation.base.get());
        }
        let basis = tablet.basis();
        let bytes = frame.encode(&basis, &tablet);
        let chain = tablet
            .frame_after(frame.operations.len() - 1, 1)
            .map(|frame| hex(&to_bytes(&frame.chain)));
        lines.push(json!({ "tables": ["Vehicle", "WorkOrder", "StockMove"], "first_page": hex(&first),
            "device": device.get(), "operations": operations, "frame": hex(&bytes), "chain_before_last": chain }));
        if let Some(at) = (0..bytes.len())
            .rev()
            .find(|at| Frame::decode(&bytes[..*at], &basis, &depot).is_err())
        {
            let error = Frame::decode(&bytes[..at], &basis, &depot).expect_err("cut short");
            lines.push(json!({ "refused_frame": hex(&bytes[..at]), "error": error.to_string() }));
        }
    }
    check_file("frames.jsonl", &lines);
}

fn pull(depot: &mut Depot, tablet: &mut Tablet) -> Vec<u8> {
    let request = PullRequest {
        device: tablet.device(),
        cursor: tablet.cursor(),
        head_ms: 1_790_000_000_000,
        entities_max: 100,
        with_digest: true,
    };
    let page = depot.pull(&request, &|_| true).expect("sound memory");
    assert!(tablet.page(&page));
    page.encode(depot)
}

/// The refused numbers are refused: the files are not only text.
#[test]
fn refused_numbers_are_refused() {
    for bytes in [&[0x80, 0][..], &[0xff, 0x80, 0], &[0x80]] {
        assert!(Reader::new(bytes).varint().is_err());
    }
}

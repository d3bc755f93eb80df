//! Memory: entities at rest stay small, and decoders do not let bytes from outside grow.

use crdt::collapsed::Handle;
use crdt::sync::{Basis, Depot, Frame};
use crdt::{
    Change, DeviceId, EntityState, EntityTable, FieldRow, Kind, OrSet, Value, ValueType, wire,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const NOW_MS: u64 = 1_790_000_000_000;
const ENTITIES: u32 = 20_000;
/// A decoded state may take this many times its bytes: small entries live in tree nodes of several hundred bytes.
const GROWTH_MAX: usize = 128;

static ROWS: [FieldRow; 20] = {
    let mut rows = [FieldRow::new(
        1,
        "field",
        Kind::MultiValue(ValueType::Text { bytes_max: 100 }),
    ); 20];
    let mut number = 1;
    while number <= 20 {
        rows[number as usize - 1].number = number;
        number += 1;
    }
    rows
};
static TABLE: EntityTable = EntityTable {
    number: 1,
    name: "Thing",
    key: "id",
    fields: &ROWS,
};
static SET_ROWS: [FieldRow; 1] = [FieldRow::new(1, "set", Kind::Set(ValueType::Any))];
static SET: EntityTable = EntityTable {
    number: 2,
    name: "Set",
    key: "id",
    fields: &SET_ROWS,
};
static TABLES: [&EntityTable; 2] = [&TABLE, &SET];

/// One test, since the allocator counts the whole process.
#[test]
fn memory_is_bounded() {
    entities_at_rest_are_small();
    decoders_do_not_let_bytes_grow();
}

/// G10: at most 450 bytes for an entity of 20 fields with values of 10 bytes, id and change index included.
fn entities_at_rest_are_small() {
    let before = ALLOCATOR.current_usage();
    let mut depot = Depot::new(&TABLES, 64);
    for number in 0..ENTITIES {
        depot
            .create(1, &u128::from(number).to_be_bytes(), NOW_MS)
            .expect("new");
        for row in &ROWS {
            let value = Value::text(&format!("v{:09}", number * 20 + u32::from(row.number)));
            let head = depot.head();
            depot
                .write(
                    Handle(number),
                    row.number,
                    Change::Set(value),
                    head,
                    0,
                    NOW_MS,
                )
                .expect("fits");
        }
    }
    depot.pack_all();
    let bytes = (ALLOCATOR.current_usage() - before) / ENTITIES as usize;
    assert!(bytes <= 450, "{bytes} B per entity");
}

fn decoders_do_not_let_bytes_grow() {
    let mut set = OrSet::default();
    let device = DeviceId::new(1);
    for number in 0..5_000 {
        set.add(&device, Value::from(number));
    }
    check_growth(&wire::to_bytes(&set), |bytes| {
        drop(wire::from_bytes::<OrSet<DeviceId>>(bytes))
    });
    // Claims of sizes that the input does not have.
    for claim in [
        [0xff; 12],
        [0xfe; 12],
        [0x7f; 12],
        [1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1, 1, 1],
        [8, 1, 0, 0, 0, 4, 0, 0, 0xff, 0xff, 0xff, 0x7f],
    ] {
        check_growth(&claim, |bytes| {
            drop(wire::from_bytes::<OrSet<DeviceId>>(bytes))
        });
        check_growth(&claim, |bytes| {
            drop(EntityState::<DeviceId>::from_bytes(&SET, bytes))
        });
        let depot = Depot::new(&TABLES, 1);
        check_growth(&claim, |bytes| {
            drop(Frame::decode(bytes, &Basis::START, &depot))
        });
    }
}

fn check_growth(bytes: &[u8], decode: impl Fn(&[u8])) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    decode(bytes);
    let grown = ALLOCATOR.peak_usage().saturating_sub(before);
    let bound = GROWTH_MAX * bytes.len() + 64 * 1024;
    assert!(grown <= bound, "{grown} B for {} B of input", bytes.len());
}

//! A counter that 100 devices raise ten times each.

use crate::figures::Figures;
use crate::seed::{DEVICES, EDITS};
use crdt::collapsed::Handle;
use crdt::sync::Depot;
use crdt::{Change, DeviceId, EntityTable, FieldRow, Kind, PnCounter, wire};
use crdts::{CmRDT, PNCounter};

/// The counter's bytes.
pub const STATE: &str = "counter of 100 devices, B";
/// The peer.
pub const PEER: &str = "crdts PNCounter";
/// Ours with a count a device, which merges between any replicas.
pub const LATTICE: &str = "ours, PnCounter";
/// Ours as the depot keeps it: increments are in the log once, so it is a sum.
pub const COLLAPSED: &str = "ours, depot";

const NOW_MS: u64 = 1_790_000_000_000;

static ROWS: [FieldRow; 1] = [FieldRow::new(1, "quantity", Kind::Counter)];
static TABLE: EntityTable = EntityTable::new(1, "Thing", "id", &ROWS);
static TABLES: [&EntityTable; 1] = [&TABLE];

/// Measures all three.
pub fn measure(figures: &mut Figures) {
    let mut peer = PNCounter::<u32>::new();
    let mut lattice = PnCounter::<DeviceId>::default();
    let mut depot = Depot::new(&TABLES, 1);
    depot.create(1, b"0123456789abcdef", NOW_MS).expect("new");
    for _ in 0..EDITS {
        for device in (1..).take(DEVICES) {
            peer.apply(peer.inc(device));
            lattice.add(DeviceId::new(device), 1);
            let head = depot.head();
            depot
                .write(Handle(0), 1, Change::Add(1), head, 0, NOW_MS)
                .expect("it fits");
        }
    }
    let bytes = bincode::serialize(&peer).expect("plain data").len();
    figures.add(PEER, STATE, bytes as f64);
    figures.add(LATTICE, STATE, wire::to_bytes(&lattice).len() as f64);
    let fields = depot.store().packed_fields(Handle(0));
    figures.add(COLLAPSED, STATE, fields.expect("it is whole").len() as f64);
}

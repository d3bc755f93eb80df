//! A set of 20 members to which one is added and from which the oldest is taken, again and again.

use super::Turn;
use crate::clock::median_ns;
use crate::figures::Figures;
use crate::seed::Random;
use crdt::collapsed::Handle;
use crdt::sync::Depot;
use crdt::{
    Change, DeviceId, EntityTable, FieldRow, Kind, LogPosition, OrSet, Value, ValueType, wire,
};
use crdts::{CmRDT, Orswot};
use std::collections::VecDeque;

/// Members that live.
const LIVE: usize = 20;
/// Additions, each with a removal.
const STEPS: usize = 10_000;
/// Where the bytes are taken.
const LOOKS: [usize; 3] = [LIVE, 1_000, STEPS];
/// How often a depot compacts, in steps; no device is behind.
const COMPACT_EVERY: usize = 100;
const NOW_MS: u64 = 1_790_000_000_000;
/// How far the log is before: what grows is to be the set, not the number of a log that began a minute ago.
const LOG_BEFORE: u64 = 100_000;

/// The peer.
pub const ORSWOT: &str = "crdts Orswot";
/// Ours with dots and context, which merges between any replicas.
pub const LATTICE: &str = "ours, OrSet";
/// Ours as the depot keeps it.
pub const COLLAPSED: &str = "ours, depot";
/// Time of an addition and a removal.
pub const STEP: &str = "set: add and remove, ns";

/// Bytes after so many additions.
pub fn bytes_after(additions: usize) -> String {
    format!("set: after {additions} additions, B")
}

static ROWS: [FieldRow; 1] = [FieldRow::new(
    1,
    "members",
    Kind::Set(ValueType::Text { bytes_max: 100 }),
)];
static TABLE: EntityTable = EntityTable::new(1, "Thing", "id", &ROWS);
static TABLES: [&EntityTable; 1] = [&TABLE];

/// A set in one of its forms.
trait Churned {
    fn add(&mut self, member: &str);
    fn remove(&mut self, member: &str);
    fn bytes(&mut self) -> usize;
}

impl Churned for Orswot<String, u32> {
    fn add(&mut self, member: &str) {
        let context = self.read_ctx().derive_add_ctx(1);
        let operation = Orswot::add(self, member.to_owned(), context);
        self.apply(operation);
    }

    fn remove(&mut self, member: &str) {
        let context = self.contains(&member.to_owned()).derive_rm_ctx();
        let operation = self.rm(member.to_owned(), context);
        self.apply(operation);
    }

    fn bytes(&mut self) -> usize {
        bincode::serialize(self).expect("plain data").len()
    }
}

impl Churned for OrSet<DeviceId> {
    fn add(&mut self, member: &str) {
        OrSet::add(self, &DeviceId::new(1), Value::text(member));
    }

    fn remove(&mut self, member: &str) {
        OrSet::remove(self, &Value::text(member));
    }

    fn bytes(&mut self) -> usize {
        wire::to_bytes(self).len()
    }
}

/// A depot's set, written as by HTTP.
struct InDepot {
    depot: Depot,
    steps: usize,
}

impl InDepot {
    fn new() -> Self {
        let mut depot = Depot::new(&TABLES, 64);
        depot.advance_to(LogPosition::new(LOG_BEFORE));
        depot.create(1, b"0123456789abcdef", NOW_MS).expect("new");
        Self { depot, steps: 0 }
    }

    fn write(&mut self, change: Change) {
        let head = self.depot.head();
        self.depot
            .write(Handle(0), 1, change, head, 0, NOW_MS)
            .expect("it fits");
    }
}

impl Churned for InDepot {
    fn add(&mut self, member: &str) {
        self.write(Change::Insert(Value::text(member)));
    }

    fn remove(&mut self, member: &str) {
        self.write(Change::Remove(Value::text(member)));
        self.steps += 1;
        if self.steps.is_multiple_of(COMPACT_EVERY) {
            self.depot.compact(NOW_MS).expect("the log's own entities");
        }
    }

    fn bytes(&mut self) -> usize {
        self.depot.compact(NOW_MS).expect("the log's own entities");
        let fields = self.depot.store().packed_fields(Handle(0));
        fields.expect("it is whole").len()
    }
}

fn churn(set: &mut impl Churned, mut look: impl FnMut(usize, usize)) {
    let mut random = Random::new(13);
    let mut live = VecDeque::new();
    for step in 1..=STEPS {
        let member = random.text();
        set.add(&member);
        live.push_back(member);
        if live.len() > LIVE
            && let Some(oldest) = live.pop_front()
        {
            set.remove(&oldest);
        }
        if LOOKS.contains(&step) {
            look(step, set.bytes());
        }
    }
}

/// All three at this workload.
#[derive(Debug)]
pub struct Sets;

impl Sets {
    /// Measures what does not depend on time.
    pub fn new(figures: &mut Figures) -> Self {
        let mut look = |name: &str, set: &mut dyn FnMut(&mut dyn FnMut(usize, usize))| {
            set(&mut |step, bytes| figures.add(name, &bytes_after(step), bytes as f64));
        };
        look(ORSWOT, &mut |note| churn(&mut Orswot::new(), note));
        look(LATTICE, &mut |note| churn(&mut OrSet::default(), note));
        look(COLLAPSED, &mut |note| churn(&mut InDepot::new(), note));
        Self
    }
}

impl Turn for Sets {
    fn round(&mut self, figures: &mut Figures) {
        let nothing = |_, _| {};
        let steps = STEPS as f64;
        let took = median_ns(Orswot::new, |set| churn(set, nothing));
        figures.add(ORSWOT, STEP, took / steps);
        let took = median_ns(OrSet::default, |set| churn(set, nothing));
        figures.add(LATTICE, STEP, took / steps);
        let took = median_ns(InDepot::new, |set| churn(set, nothing));
        figures.add(COLLAPSED, STEP, took / steps);
    }
}

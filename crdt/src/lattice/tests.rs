//! The laws of every lattice, over states that random histories of three replicas reach.

use super::Lattice;
use crate::clock::{DotContext, Stamp, VectorClock};
use crate::counter::{GrowCounter, PnCounter};
use crate::entity::EntityState;
use crate::flag::EnableWinsFlag;
use crate::json::TaggedSet;
use crate::map::OrMap;
use crate::register::{LwwRegister, MaxRegister, MultiValueRegister, StampedValue};
use crate::replica::{DeviceId, DeviceName, Replica};
use crate::set::OrSet;
use crate::sim::{Random, random_change};
use crate::store::{DotFun, DotMap};
use crate::value::Value;
use crate::wire::{Wire, from_bytes, to_bytes};
use proptest::prelude::*;
use std::fmt::Debug;

/// A lattice that can be changed at random. `mutate` returns the delta and has applied it.
trait Model: Lattice + Debug {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self;

    /// The binary form, if the type has one of its own.
    fn bytes(&self) -> Option<Vec<u8>> {
        None
    }

    fn from(_: &[u8]) -> Option<Self> {
        None
    }
}

macro_rules! wired {
    () => {
        fn bytes(&self) -> Option<Vec<u8>> {
            Some(to_bytes(self))
        }

        fn from(bytes: &[u8]) -> Option<Self> {
            from_bytes(bytes).ok()
        }
    };
}

fn device(replica: u32) -> DeviceId {
    DeviceId::new(replica + 1)
}

fn value(random: &mut Random) -> Value {
    [
        Value::Null,
        Value::from(1),
        Value::from("a"),
        Value::from(true),
    ][random.index(4)]
    .clone()
}

fn stamp(random: &mut Random) -> Stamp {
    Stamp::new(random.below(4), u16::try_from(random.below(2)).unwrap_or(0))
}

impl Model for VectorClock<DeviceId> {
    fn mutate(&mut self, replica: u32, _: &mut Random) -> Self {
        let dot = self.increment(device(replica));
        let mut delta = Self::new();
        delta.raise(dot.replica, dot.counter);
        delta
    }
    wired!();
}

impl Model for DotContext<DeviceName> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        let name = DeviceName::new(["x", "tablet-7", "z"][replica as usize]).expect("short");
        let mut dot = self.next_dot(&name);
        dot.counter += random.below(3);
        let delta = Self::of([dot]);
        self.join(&delta);
        delta
    }
    wired!();
}

impl Model for LwwRegister<DeviceId> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        let (stamp, value) = (stamp(random), value(random));
        self.set(stamp, device(replica), value)
    }
    wired!();
}

impl Model for MaxRegister {
    fn mutate(&mut self, _: u32, random: &mut Random) -> Self {
        let reading = i64::try_from(random.below(50)).unwrap_or(0);
        if random.chance(20) {
            self.correct(reading)
        } else {
            self.raise(reading)
        }
    }
    wired!();
}

impl Model for MultiValueRegister<DeviceId> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        let (stamp, value) = (stamp(random), value(random));
        self.set(&device(replica), stamp, value)
    }
    wired!();
}

impl Model for GrowCounter<DeviceId> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        self.increment(device(replica), random.below(3))
    }
    wired!();
}

impl Model for PnCounter<DeviceId> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        self.add(
            device(replica),
            i64::try_from(random.below(9)).unwrap_or(0) - 4,
        )
    }
    wired!();
}

impl Model for OrSet<DeviceId> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        let element = Value::from(i64::try_from(random.below(3)).unwrap_or(0));
        match random.below(10) {
            0..6 => self.add(&device(replica), element),
            6..9 => self.remove(&element),
            _ => self.clear(),
        }
    }
    wired!();
}

impl Model for EnableWinsFlag<DeviceId> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        if random.chance(60) {
            self.enable(&device(replica))
        } else {
            self.disable()
        }
    }
    wired!();
}

type Items = DotMap<u16, DotFun<DeviceId, StampedValue>>;

impl Model for OrMap<Items> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        let key = Value::from(i64::try_from(random.below(2)).unwrap_or(0));
        if random.chance(30) {
            return self.remove(&key);
        }
        let field = u16::try_from(random.below(2)).unwrap_or(0);
        let write = StampedValue {
            stamp: stamp(random),
            value: value(random),
        };
        self.update(&device(replica), key, |dot, held| {
            let replaced = held.get(&field).cloned().unwrap_or_default();
            (
                DotMap::of(field, DotFun::of(dot, write)),
                DotMap::of(field, replaced),
            )
        })
    }
    wired!();
}

impl Model for TaggedSet<DeviceId> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        let tag = format!("{replica}-{}", random.below(4));
        let json = if random.chance(70) {
            serde_json::json!({ "elements": { "a": [[tag, (replica + 1).to_string()]] }, "tombstones": [] })
        } else {
            let gone = serde_json::json!({ "element": "a", "unique_id": tag, "device_id": (replica + 1).to_string() });
            serde_json::json!({ "elements": {}, "tombstones": [gone] })
        };
        let delta =
            Self::from_json(&json, &crate::ValueType::Text { bytes_max: 9 }).expect("a set");
        self.join(&delta);
        delta
    }
}

impl Model for EntityState<DeviceId> {
    fn mutate(&mut self, replica: u32, random: &mut Random) -> Self {
        let table = &crate::sim::tests::crdt_tables::WORK_ORDER;
        let row = random.pick(table.fields);
        let change = random_change(random, row, 0);
        let dot = self.context().next_dot(&device(replica));
        self.apply(table, row.number, dot, stamp(random), &change)
            .expect("the change fits")
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        Some(self.to_bytes())
    }

    fn from(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(&crate::sim::tests::crdt_tables::WORK_ORDER, bytes).ok()
    }
}

/// Three replicas change and exchange states; every state and delta on the way is kept.
struct History<M> {
    states: Vec<M>,
    deltas: Vec<M>,
    last: Vec<M>,
}

fn history<M: Model>(seed: u64, steps: u64) -> History<M> {
    let mut random = Random::new(seed);
    let mut last = vec![M::default(), M::default(), M::default()];
    let (mut states, mut deltas) = (vec![M::default()], Vec::new());
    for _ in 0..steps {
        let replica = random.index(3);
        if random.chance(30) {
            let other = last[random.index(3)].clone();
            last[replica].join(&other);
        } else {
            let before = last[replica].clone();
            let number = u32::try_from(replica).expect("three replicas");
            let delta = last[replica].mutate(number, &mut random);
            assert_eq!(
                before.clone().joined(&delta),
                last[replica],
                "P5: m(s) = s joined with the delta"
            );
            assert!(
                before.is_included_in(&last[replica]),
                "P4: mutators inflate"
            );
            deltas.push(delta);
        }
        states.push(last[replica].clone());
    }
    History {
        states,
        deltas,
        last,
    }
}

fn check_laws<M: Model>(seed: u64) {
    let History {
        states,
        deltas,
        last,
    } = history::<M>(seed, 14);
    let mut random = Random::new(seed ^ 1);
    let all: Vec<_> = states.iter().chain(&deltas).collect();
    for _ in 0..8 {
        let (a, b, c) = (
            all[random.index(all.len())],
            all[random.index(all.len())],
            all[random.index(all.len())],
        );
        let ab = a.clone().joined(b);
        assert_eq!(ab, b.clone().joined(a), "P1: commutative");
        assert_eq!(
            ab.clone().joined(c),
            a.clone().joined(&b.clone().joined(c)),
            "P2: associative"
        );
        assert_eq!(a.clone().joined(a), *a, "P3: idempotent");
        assert_eq!(a.clone().joined(&M::default()), *a, "P6: bottom is neutral");
        assert_eq!(a.is_included_in(b), ab == *b, "the order is the join's");
        assert_eq!(
            a.clone().joined(&b.difference(a)),
            ab,
            "the difference is enough"
        );
        check_parts(a);
        check_bytes(a);
    }
    check_delivery(&deltas, &last, &mut random);
}

/// P7: the parts make the state, and none can be left out.
fn check_parts<M: Model>(state: &M) {
    let parts: Vec<M> = state.decompose().collect();
    let join_but = |left_out: usize| {
        let kept = parts
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != left_out);
        kept.fold(M::default(), |joined, (_, part)| joined.joined(part))
    };
    assert_eq!(
        join_but(usize::MAX),
        *state,
        "P7: the parts restore the state"
    );
    for left_out in 0..parts.len() {
        assert_ne!(
            join_but(left_out),
            *state,
            "P7: part {left_out} is redundant"
        );
    }
}

/// P36 and the truncations: bytes come back as the state, and nothing shorter is accepted.
fn check_bytes<M: Model>(state: &M) {
    let Some(bytes) = state.bytes() else { return };
    assert_eq!(
        M::from(&bytes).as_ref(),
        Some(state),
        "P36: decode(encode(x)) = x"
    );
    for length in 0..bytes.len() {
        assert!(
            M::from(&bytes[..length]).is_none(),
            "a truncation at {length} of {} is accepted",
            bytes.len()
        );
    }
}

/// Deltas in any order, some twice, give what all replicas would have agreed on; so do states after losing any of them.
fn check_delivery<M: Model>(deltas: &[M], last: &[M], random: &mut Random) {
    let agreed = last
        .iter()
        .fold(M::default(), |joined, state| joined.joined(state));
    let mut order: Vec<usize> = (0..deltas.len())
        .chain((0..deltas.len()).filter(|index| index % 3 == 0))
        .collect();
    for index in (1..order.len()).rev() {
        order.swap(index, random.index(index + 1));
    }
    let mut received = M::default();
    let mut lossy = M::default();
    for index in order {
        received.join(&deltas[index]);
        if random.chance(60) {
            lossy.join(&deltas[index]);
        }
    }
    assert_eq!(received, agreed, "any order, any number of times");
    for state in last {
        lossy.join(state);
    }
    assert_eq!(
        lossy, agreed,
        "lost deltas are made good by any later state"
    );
}

macro_rules! laws {
    ($($name:ident: $model:ty,)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $name(seed in any::<u64>()) {
                    check_laws::<$model>(seed);
                }
            )*
        }
    };
}

laws! {
    vector_clocks_are_a_lattice: VectorClock<DeviceId>,
    contexts_are_a_lattice: DotContext<DeviceName>,
    lww_registers_are_a_lattice: LwwRegister<DeviceId>,
    max_registers_are_a_lattice: MaxRegister,
    multi_value_registers_are_a_lattice: MultiValueRegister<DeviceId>,
    grow_counters_are_a_lattice: GrowCounter<DeviceId>,
    pn_counters_are_a_lattice: PnCounter<DeviceId>,
    sets_are_a_lattice: OrSet<DeviceId>,
    flags_are_a_lattice: EnableWinsFlag<DeviceId>,
    maps_are_a_lattice: OrMap<Items>,
    tagged_sets_are_a_lattice: TaggedSet<DeviceId>,
    entities_are_a_lattice: EntityState<DeviceId>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// P37, P38: a decoder never panics, and what it accepts has one encoding.
    #[test]
    fn decoders_survive_arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200), small in any::<bool>()) {
        // Small numbers reach deeper than random ones.
        let bytes: Vec<u8> = if small { bytes.iter().map(|byte| byte % 5).collect() } else { bytes };
        check_one_form::<VectorClock<DeviceId>>(&bytes);
        check_one_form::<DotContext<DeviceName>>(&bytes);
        check_one_form::<LwwRegister<DeviceName>>(&bytes);
        check_one_form::<MaxRegister>(&bytes);
        check_one_form::<MultiValueRegister<DeviceId>>(&bytes);
        check_one_form::<GrowCounter<DeviceId>>(&bytes);
        check_one_form::<PnCounter<DeviceName>>(&bytes);
        check_one_form::<OrSet<DeviceId>>(&bytes);
        check_one_form::<EnableWinsFlag<DeviceId>>(&bytes);
        check_one_form::<OrMap<Items>>(&bytes);
        check_one_form::<crate::sync::PushAnswer>(&bytes);
        check_one_form::<crate::sync::Cursor>(&bytes);
        if let Some(state) = <EntityState<DeviceId> as Model>::from(&bytes) {
            prop_assert_eq!(state.to_bytes(), bytes);
        }
    }
}

fn check_one_form<T: Wire>(bytes: &[u8]) {
    if let Ok(value) = from_bytes::<T>(bytes) {
        assert_eq!(
            to_bytes(&value),
            bytes,
            "P37: a second spelling was accepted"
        );
    }
}

/// P40: what a set shows is what some order of the operations, consistent with what each had seen, would show.
#[test]
fn an_addition_wins_over_a_concurrent_removal_only() {
    let (left, right) = (DeviceId::new(1), DeviceId::new(2));
    let mut mine = OrSet::default();
    mine.add(&left, Value::from("x"));
    let mut theirs = mine.clone();
    theirs.remove(&Value::from("x"));
    assert!(
        !mine.clone().joined(&theirs).contains(&Value::from("x")),
        "a removal that saw the addition removes it"
    );
    mine.add(&left, Value::from("x"));
    theirs.add(&right, Value::from("y"));
    assert!(
        mine.joined(&theirs).contains(&Value::from("x")),
        "an addition the removal had not seen stays"
    );
    assert_eq!(left.to_text(), "1");
}

/// G13: with 20 live members the set does not grow however many came and went.
#[test]
fn a_set_does_not_grow_with_its_history() {
    let device = DeviceId::new(7);
    let mut set = OrSet::default();
    let mut bytes = Vec::new();
    for number in 0..10_000_i64 {
        set.add(&device, Value::from(number));
        if number >= 20 {
            set.remove(&Value::from(number - 20));
        }
        if number == 999 || number == 9_999 {
            bytes.push(to_bytes(&set).len());
        }
    }
    assert!(
        bytes[1] <= bytes[0] + 21,
        "only the numbers themselves became longer: {bytes:?}"
    );
}

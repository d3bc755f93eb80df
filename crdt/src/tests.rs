//! What each type means to people: small histories of two replicas, and what both see at their end. The laws (in
//! `lattice/tests.rs`) hold for a type that forgets everything, too; this does not.

use crate::wire::{EXACT_INTEGER_MAX, INPUT_BYTES_MAX, TEXT_BYTES_MAX};
use crate::*;

fn tablet() -> DeviceId {
    DeviceId::new(1)
}

fn office() -> DeviceId {
    DeviceId::new(2)
}

fn at(millis: u64) -> Stamp {
    Stamp::new(millis, 0)
}

/// Both hear of each other, and agree.
#[track_caller]
fn meet<L: Lattice + Clone + PartialEq + std::fmt::Debug>(left: &mut L, right: &mut L) {
    let before = left.clone();
    left.join(right);
    right.join(&before);
    assert_eq!(left, right);
}

#[test]
fn counters_come_to_what_everybody_added() {
    let mut mine = GrowCounter::default();
    let told = mine.increment(tablet(), 3);
    let mut theirs = GrowCounter::default();
    theirs.join(&told);
    theirs.increment(office(), 4);
    mine.increment(tablet(), 2);
    meet(&mut mine, &mut theirs);
    assert_eq!((mine.value(), mine.count_of(&tablet())), (9, 5));
    let counts: Vec<_> = mine.iter().collect();
    assert_eq!(counts, [(&tablet(), 5), (&office(), 4)]);
    mine.increment(tablet(), u64::MAX);
    assert_eq!(mine.count_of(&tablet()), u64::MAX, "it stops there");
    assert_eq!(mine.value(), u128::from(u64::MAX) + 4);

    let mut mine = PnCounter::default();
    let mut theirs = PnCounter::default();
    theirs.join(&mine.add(tablet(), 5));
    theirs.add(office(), -7);
    mine.add(tablet(), -1);
    meet(&mut mine, &mut theirs);
    assert_eq!(mine.value(), -3);
    assert_eq!(mine.increments().value(), 5);
    assert_eq!(mine.decrements().value(), 8);
}

#[test]
fn the_last_writer_wins() {
    let mut mine = LwwRegister::default();
    assert_eq!((mine.value(), mine.write()), (&Value::Null, None));
    mine.set(at(5), tablet(), Value::from("late"));
    let mut theirs = LwwRegister::default();
    theirs.set(at(4), office(), Value::from("early"));
    meet(&mut mine, &mut theirs);
    assert_eq!(mine.value(), &Value::from("late"));
    mine.set(at(5), office(), Value::from("the greater replica's"));
    assert_eq!(mine.value(), &Value::from("the greater replica's"));
    mine.set(at(5), office(), Value::from("a lesser value"));
    assert_eq!(mine.value(), &Value::from("the greater replica's"));
    let told = mine.set(at(6), tablet(), Value::from(1));
    let write = told.write().unwrap();
    assert_eq!((write.stamp, &write.replica), (at(6), &tablet()));
    assert_eq!(write.value, Value::from(1));
}

#[test]
fn readings_rise_until_one_is_corrected() {
    let mut mine = MaxRegister::default();
    assert_eq!((mine.value(), mine.epoch()), (None, 0));
    mine.raise(10);
    mine.raise(5);
    assert_eq!(mine.value(), Some(10));
    let mut theirs = mine;
    theirs.raise(99);
    mine.correct(3);
    meet(&mut mine, &mut theirs);
    assert_eq!((mine.value(), mine.epoch()), (Some(3), 1), "99 was a typo");
    let told = mine.raise(4);
    assert_eq!((mine.value(), told.value()), (Some(4), Some(4)));
    let mut last = MaxRegister::of(u32::MAX, 5);
    last.correct(3);
    assert_eq!((last.value(), last.epoch()), (Some(5), u32::MAX));
    last.correct(6);
    assert_eq!(last.value(), Some(6), "it can only raise");
}

#[test]
fn concurrent_values_all_stay_until_somebody_chooses() {
    let mut mine = MultiValueRegister::default();
    assert_eq!(mine.value(), &Value::Null);
    let mut theirs = mine.clone();
    mine.set(&tablet(), at(7), Value::from("mine"));
    theirs.set(&office(), at(6), Value::from("theirs"));
    assert!(!mine.is_in_conflict());
    meet(&mut mine, &mut theirs);
    assert!(mine.is_in_conflict());
    assert_eq!(
        mine.value(),
        &Value::from("mine"),
        "the later stamp is shown"
    );
    let written: Vec<_> = mine.writes().map(|(_, write)| &write.value).collect();
    assert_eq!(written, [&Value::from("mine"), &Value::from("theirs")]);
    assert_eq!(mine.context().dots().count(), 2);
    let told = theirs.set(&office(), at(1), Value::from("chosen"));
    mine.join(&told);
    assert!(!mine.is_in_conflict());
    assert_eq!(mine.value(), &Value::from("chosen"));
}

#[test]
fn an_addition_that_nobody_saw_removed_stays() {
    let part = Value::from("brake pads");
    let mut mine = OrSet::default();
    assert_eq!((mine.is_empty(), mine.len()), (true, 0));
    assert_eq!(mine.remove(&part), OrSet::default(), "it was not there");
    let mut theirs = OrSet::default();
    theirs.join(&mine.add(&tablet(), part.clone()));
    assert!(theirs.contains(&part) && !theirs.is_empty());
    // They remove what they saw, while it is added once more here.
    let removed = theirs.remove(&part);
    assert!(!theirs.contains(&part));
    mine.add(&tablet(), part.clone());
    mine.join(&removed);
    meet(&mut mine, &mut theirs);
    assert!(mine.contains(&part));
    mine.add(&tablet(), Value::from("axle"));
    let elements: Vec<_> = mine.iter().map(|(element, _)| element).collect();
    assert_eq!(elements, [&Value::from("axle"), &part]);
    assert_eq!((mine.len(), mine.context().dots().count()), (2, 3));
    // All that they saw goes; what was added meanwhile does not.
    let cleared = theirs.clear();
    assert!(theirs.is_empty());
    mine.join(&cleared);
    meet(&mut mine, &mut theirs);
    assert!(!mine.contains(&part) && mine.contains(&Value::from("axle")));
}

#[test]
fn a_flag_that_is_set_again_meanwhile_stays_set() {
    let mut mine = EnableWinsFlag::default();
    assert!(!mine.is_enabled());
    let mut theirs = EnableWinsFlag::default();
    theirs.join(&mine.enable(&tablet()));
    assert!(theirs.is_enabled());
    theirs.disable();
    assert!(!theirs.is_enabled());
    mine.enable(&tablet());
    meet(&mut mine, &mut theirs);
    assert!(mine.is_enabled());
    assert_eq!(mine.context().dots().count(), 2);
    mine.join(&theirs.disable());
    assert!(!mine.is_enabled());
}

type Fields = DotMap<u16, DotFun<DeviceId, StampedValue>>;

/// Writes a field of what stands under a key, in the place of what it held.
fn write(
    map: &mut OrMap<Fields>,
    who: &DeviceId,
    key: &str,
    field: u16,
    value: i64,
) -> OrMap<Fields> {
    map.update(who, Value::from(key), |dot, held| {
        let replaced = held.get(&field).cloned().unwrap_or_default();
        let value = StampedValue {
            stamp: at(1),
            value: Value::from(value),
        };
        let written = DotMap::of(field, DotFun::of(dot, value));
        (written, DotMap::of(field, replaced))
    })
}

/// The fields under a key, each with its values.
fn fields(map: &OrMap<Fields>, key: &str) -> Vec<(u16, Vec<Value>)> {
    let fields = map.get(&Value::from(key));
    let values = |writes: &DotFun<DeviceId, StampedValue>| {
        writes
            .iter()
            .map(|(_, write)| write.value.clone())
            .collect()
    };
    let fields = fields.into_iter().flat_map(DotMap::iter);
    fields
        .map(|(field, writes)| (*field, values(writes)))
        .collect()
}

#[test]
fn a_key_that_is_changed_while_it_is_removed_stays() {
    let mut mine = OrMap::default();
    assert!(mine.is_empty());
    let mut theirs = OrMap::default();
    theirs.join(&write(&mut mine, &tablet(), "door", 1, 10));
    write(&mut mine, &tablet(), "door", 2, 20);
    write(&mut mine, &tablet(), "door", 1, 11);
    let expected = [(1, vec![Value::from(11)]), (2, vec![Value::from(20)])];
    assert_eq!(fields(&mine, "door"), expected);
    assert_eq!(fields(&theirs, "door"), [(1, vec![Value::from(10)])]);
    // They remove the key as they saw it: with field 1 as it was.
    theirs.remove(&Value::from("door"));
    assert!(theirs.is_empty());
    write(&mut theirs, &office(), "axle", 7, 70);
    meet(&mut mine, &mut theirs);
    assert_eq!(fields(&mine, "door"), expected);
    let keys: Vec<_> = mine.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys, [Value::from("axle"), Value::from("door")]);
    assert_eq!((mine.len(), mine.is_empty()), (2, false));
    assert_eq!(mine.context().dots().count(), 4);
    let told = mine.remove(&Value::from("door"));
    theirs.join(&told);
    assert_eq!((mine.len(), theirs.len()), (1, 1));
}

/// They are part of the format: what one side writes the other has to read.
#[test]
fn the_bounds_are_those_of_the_document() {
    assert_eq!(TEXT_BYTES_MAX, 16_384);
    assert_eq!(INPUT_BYTES_MAX, 8_388_608);
    assert_eq!(EXACT_INTEGER_MAX, 9_007_199_254_740_991);
    let longest = Value::from("x".repeat(TEXT_BYTES_MAX).as_str());
    let read = |value: &Value| wire::from_bytes::<Value>(&wire::to_bytes(value));
    assert_eq!(read(&longest).unwrap(), longest);
    assert!(read(&Value::from("x".repeat(TEXT_BYTES_MAX + 1).as_str())).is_err());
}

//! The JSON form: the contract's shapes are read and written, and states survive.

use super::*;
use crate::clock::{Dot, Stamp};
use crate::entity::{EntityState, EntityTable, ValueType};
use crate::lattice::Lattice;
use crate::replica::DeviceName;
use crate::sim::tests::crdt_tables::{STOCK_MOVE, TABLES, VEHICLE, WORK_ORDER};
use crate::sim::{Random, random_change};
use crate::value::{Real, Value};
use crate::wire::TEXT_BYTES_MAX;
use proptest::prelude::*;
use serde_json::json;

const TEXT: ValueType = ValueType::Text { bytes_max: 100 };

fn name(text: &str) -> DeviceName {
    DeviceName::new(text).expect("a short name")
}

fn random_state(table: &EntityTable, seed: u64) -> EntityState<DeviceName> {
    let mut random = Random::new(seed);
    let mut replicas = [EntityState::default(), EntityState::default()];
    for step in 0..20 {
        let index = random.index(2);
        if random.chance(25) {
            let other = replicas[1 - index].clone();
            replicas[index].join(&other);
        }
        let row = random.pick(table.fields);
        let change = random_change(&mut random, row, 0);
        let device = name(["tablet-a", "Büro"][index]);
        let dot: Dot<DeviceName> = replicas[index].context().next_dot(&device);
        let stamp = Stamp::new(
            1_790_000_000_000 + step,
            u16::try_from(random.below(3)).expect("small"),
        );
        replicas[index]
            .apply(table, row.number, dot, stamp, &change)
            .expect("the change fits");
    }
    let [left, right] = replicas;
    left.joined(&right)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn entities_survive_json(seed in any::<u64>(), which in 0..3_usize) {
        let table = TABLES[which];
        let state = random_state(table, seed);
        let json = entity_to_json(table, "WO/7 ü", &name("server"), &state);
        let text = json.to_string();
        let read = serde_json::from_str(&text).expect("JSON");
        let entity = entity_from_json::<DeviceName>(table, &read).expect("what was written");
        prop_assert_eq!(entity.id, "WO/7 ü");
        prop_assert_eq!(entity.state, state);
        prop_assert!(entity.legacy.is_empty());
    }

    #[test]
    fn stamps_survive_json(bits in any::<u64>()) {
        let stamp = Stamp::new(bits >> 20, u16::try_from(bits & 0xffff).expect("masked"));
        prop_assert_eq!(stamp_from_text(&stamp_to_text(stamp)), Some(stamp));
    }

    #[test]
    fn arbitrary_json_never_panics(text in "\\PC{0,60}", member in 0..8_usize) {
        let inner = serde_json::from_str(&text).unwrap_or(json!(text));
        let members = ["status", "tasks", "checklist", "used_parts", "context", "clock", "priority", "findings"];
        let entity = json!({ "work_order_id": "1", "device_id": "d", members[member]: inner, "context": {} });
        let _ = entity_from_json::<DeviceName>(&WORK_ORDER, &entity);
        let _ = entity_from_json::<DeviceName>(&WORK_ORDER, &inner);
        let _ = stamp_from_text(&text);
    }
}

#[track_caller]
fn check_time(text: &str, millis: u64, counter: u16) {
    assert_eq!(
        stamp_from_text(text),
        Some(Stamp::new(millis, counter)),
        "{text}"
    );
}

#[test]
fn times_of_other_clients_are_read() {
    check_time("2025-11-23T10:30:45Z", 1_763_893_845_000, 0);
    check_time("2025-11-23T10:30:45.123456", 1_763_893_845_123, 456);
    check_time("2025-11-23T11:30:45.123+01:00", 1_763_893_845_123, 0);
    check_time("2025-11-23", 1_763_856_000_000, 0);
    check_time("2025-11-23T10:30:45.123065535Z", 1_763_893_845_123, 65_535);
    for wrong in [
        "",
        "yesterday",
        "1969-12-31T23:59:59Z",
        "2025-13-01",
        "99999999-01-01T00:00:00Z",
    ] {
        assert_eq!(stamp_from_text(wrong), None, "{wrong}");
    }
}

#[test]
fn vector_clocks_are_read_nested_and_flat() {
    let nested = json!({ "device_id": "a", "clocks": { "a": 0, "b": 3 } });
    let clock = vector_clock_from_json::<DeviceName>(&nested).expect("nested");
    assert_eq!(
        clock,
        vector_clock_from_json(&json!({ "b": 3 })).expect("flat")
    );
    assert_eq!(vector_clock_to_json(&clock, &name("a")), nested);
    assert!(vector_clock_from_json::<DeviceName>(&json!({ "b": -1 })).is_err());
    assert!(vector_clock_from_json::<DeviceName>(&json!({ "b": 1.5 })).is_err());
}

#[test]
fn the_guides_register_and_the_contracts_are_the_same() {
    let guide =
        json!({ "value": "Hagen", "timestamp": "2025-11-23T10:30:45Z", "node_id": "tab-1" });
    let contract = json!({ "device_id": "x", "clock": {}, "value":
        { "value": "Hagen", "timestamp": "2025-11-23T10:30:45", "device_id": "tab-1" } });
    let register = lww_from_json::<DeviceName>(&guide, &TEXT).expect("the guide's");
    assert_eq!(
        register,
        lww_from_json(&contract, &TEXT).expect("the contract's")
    );
    assert_eq!(register.value(), &Value::from("Hagen"));
    assert_eq!(
        lww_from_json::<DeviceName>(&lww_to_json(&register, &name("s")), &TEXT),
        Ok(register)
    );
}

#[test]
fn a_state_without_a_context_is_read_as_parts() {
    let order = json!({
        "device_id": "tab-1", "work_order_id": "WO-1", "clock": { "device_id": "tab-1", "clocks": { "tab-1": 4 } },
        "status": { "device_id": "tab-1", "clock": {}, "value":
            { "value": "in_progress", "timestamp": "2025-11-23T10:30:45.5", "device_id": "tab-1" } },
        "tasks": { "device_id": "tab-1", "clock": {},
            "elements": { "brakes": [["u-1", "tab-1"], ["u-2", "tab-2"]], "wheels": [["u-3", "tab-1"]] },
            "tombstones": [{ "element": "wheels", "unique_id": "u-3", "device_id": "tab-1" }] },
        "unknown": 7
    });
    let entity = entity_from_json::<DeviceName>(&WORK_ORDER, &order).expect("the contract's form");
    assert_eq!(entity.clock.get(&name("tab-1")), 4);
    assert_eq!(entity.state, EntityState::default());
    let [(1, FieldJson::Register(status)), (5, FieldJson::Set(tasks))] = entity.legacy.as_slice()
    else {
        panic!("two fields: {:?}", entity.legacy)
    };
    assert_eq!(status.value(), &Value::from("in_progress"));
    assert!(tasks.contains(&Value::from("brakes")) && !tasks.contains(&Value::from("wheels")));
    assert_eq!((tasks.live().count(), tasks.removed().count()), (2, 1));
}

#[test]
fn a_mileage_that_an_older_client_writes_as_a_register_is_a_reading() {
    let vehicle = json!({ "device_id": "t", "asset_id": "185123", "current_mileage":
        { "device_id": "t", "clock": {}, "value": { "value": 120500, "timestamp": "2025-01-01", "device_id": "t" } } });
    let entity = entity_from_json::<DeviceName>(&VEHICLE, &vehicle).expect("the contract's form");
    assert_eq!(
        entity.legacy,
        [(2, FieldJson::Max(crate::MaxRegister::of(0, 120_500)))]
    );
}

#[test]
fn counters_keep_the_contracts_shape() {
    let json = json!({ "device_id": "t", "clock": {},
        "increments": { "device_id": "t", "clock": {}, "counters": { "t": 9, "u": 1 } },
        "decrements": { "device_id": "t", "clock": {}, "counters": { "t": 4 } } });
    let counter = pn_counter_from_json::<DeviceName>(&json).expect("the contract's form");
    assert_eq!(counter.value(), 6);
    assert_eq!(
        pn_counter_from_json(&pn_counter_to_json(&counter, &name("t"))),
        Ok(counter)
    );
    let negative = json!({ "counters": { "t": -4 } });
    let error = grow_counter_from_json::<DeviceName>(&negative).expect_err("negative");
    assert_eq!(error.to_string(), "t: expected a sum that is not negative");
}

#[test]
fn errors_name_the_member() {
    let wrong = json!({ "device_id": "t", "stock_move_id": "1", "move_type": { "value":
        { "value": ["a"], "timestamp": "2025-01-01", "device_id": "t" } } });
    let error =
        entity_from_json::<DeviceName>(&STOCK_MOVE, &wrong).expect_err("an array is no scalar");
    assert_eq!(
        error.to_string(),
        "move_type.value.value: expected a scalar"
    );
}

#[test]
fn live_dots_outside_the_context_are_refused() {
    let forged = json!({ "device_id": "t", "asset_id": "1", "context": { "t": [[1, 3]] },
        "safety_hold": { "dots": [["t", 4]] } });
    assert!(entity_from_json::<DeviceName>(&VEHICLE, &forged).is_err());
}

#[test]
fn infinities_and_the_longest_texts_are_read_as_they_are_written() {
    for number in [f64::INFINITY, f64::NEG_INFINITY] {
        let value = Value::Real(Real::new(number).unwrap());
        let written = value_to_json(&value);
        assert_eq!(value_from_json(&written, &ValueType::Any), Ok(value));
    }
    let longest = "x".repeat(TEXT_BYTES_MAX);
    let read = |text: &str, of: &ValueType| value_from_json(&json!(text), of);
    assert!(read(&longest, &ValueType::Any).is_ok());
    assert!(read(&format!("{longest}x"), &ValueType::Any).is_err());
    assert!(read(&longest[..100], &TEXT).is_ok());
    assert!(read(&longest[..101], &TEXT).is_err());
    let bytes = |length: usize| json!({ "$bytes": "00".repeat(length) });
    assert!(value_from_json(&bytes(TEXT_BYTES_MAX), &ValueType::Any).is_ok());
    assert!(value_from_json(&bytes(TEXT_BYTES_MAX + 1), &ValueType::Any).is_err());
}

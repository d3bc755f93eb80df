//! Validation and upcasting, on a table made for it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::testing::any_data;

const LAMP: AggregateSchema =
    AggregateSchema::new("Lamp", EVENTS).spelled(&[Spelling::new("glow", "brightness")]);

const EVENTS: &[EventSchema] = &[EventSchema::new(
    "LampLit",
    "It shines.",
    &[
        Field::required(
            "name",
            Kind::Text {
                chars_min: 2,
                chars_max: 4,
            },
        ),
        Field::optional("code", Kind::Key { chars_max: 4 }),
        Field::optional("brightness", Kind::Integer { min: 0, max: 10 }),
        Field::optional(
            "volts",
            Kind::Number {
                min: 0.5,
                max: 400.0,
            },
        ),
        Field::optional("colour", Kind::OneOf(&["red", "green"])).never_null(),
        Field::optional("since", Kind::Time),
        Field::optional("id", Kind::Uuid),
        Field::optional("steady", Kind::Boolean),
        Field::optional("maker", Kind::Object),
        Field::optional(
            "tags",
            Kind::List(&Kind::Text {
                chars_min: 0,
                chars_max: 3,
            }),
        ),
        Field::optional("price", Kind::Money),
        Field::optional("remarks", Kind::Any),
    ],
)
.upcast_by(&[percent_to_tenths, name_from_number])];

/// 1 → 2.
fn percent_to_tenths(data: &mut Map<String, Value>) {
    if let Some(percent) = data.get("glow").and_then(Value::as_i64) {
        data.insert("glow".to_owned(), json!(percent / 10));
    }
}

/// 2 → 3.
fn name_from_number(data: &mut Map<String, Value>) {
    if let Some(number) = data.get("name").and_then(Value::as_i64) {
        data.insert("name".to_owned(), json!(format!("L{number}")));
    }
}

/// The faults as `path:kind`, of a payload in the current schema.
fn faults(data: &Value) -> Vec<String> {
    faults_of_schema(3, data)
}

fn faults_of_schema(schema: u16, data: &Value) -> Vec<String> {
    let found = check(&LAMP, &EVENTS[0], schema, data.as_object().unwrap())
        .err()
        .unwrap_or_default();
    found
        .iter()
        .map(|fault| format!("{}:{}", fault.path.join("."), fault.kind))
        .collect()
}

/// One field beside a valid name.
#[track_caller]
fn refused(field: &str, value: Value, kind: &str) {
    assert_eq!(
        faults(&json!({ "name": "ok", field: value })),
        [format!("{field}:{kind}")]
    );
}

#[track_caller]
fn accepted(field: &str, value: Value) {
    assert_eq!(faults(&json!({ "name": "ok", field: value })), [""; 0]);
}

#[test]
fn each_kind_refuses_what_it_is_not() {
    refused("code", json!(" a"), "string_pattern_mismatch");
    refused("code", json!("a\u{0}"), "string_pattern_mismatch");
    refused("code", json!(""), "string_too_short");
    refused("brightness", json!("7"), "int_type");
    refused("brightness", json!(7.5), "int_from_float");
    refused("brightness", json!(11), "less_than_equal");
    refused("brightness", json!(-1), "greater_than_equal");
    refused("brightness", json!(u64::MAX), "int_from_float");
    refused("volts", json!("1"), "float_type");
    refused("volts", json!(0.4), "greater_than_equal");
    refused("volts", json!(1e9), "less_than_equal");
    refused("colour", json!("blue"), "enum");
    refused("colour", Value::Null, "enum");
    refused("since", json!("yesterday"), "datetime_parsing");
    refused("since", json!(5), "datetime_parsing");
    refused("id", json!("4711"), "uuid_parsing");
    refused("steady", json!(1), "bool_type");
    refused("maker", json!([]), "dict_type");
    refused("tags", json!({}), "list_type");
    for price in [
        json!(""),
        json!("1."),
        json!(".5"),
        json!("+1"),
        json!("1e3"),
        json!("NaN"),
        json!(true),
    ] {
        refused("price", price, "decimal_parsing");
    }
    refused("price", json!("1".repeat(41)), "decimal_parsing");
}

#[test]
fn each_kind_accepts_what_it_is() {
    accepted("code", json!("a/ä"));
    accepted("brightness", json!(10));
    accepted("brightness", json!(7.0));
    accepted("brightness", Value::Null);
    accepted("volts", json!(400));
    accepted("colour", json!("red"));
    accepted("since", json!("2025-11-23T10:30:45.123456"));
    accepted("id", json!("09a14270-a7eb-53ef-b855-d6ed3250e9d1"));
    accepted("maker", json!({ "any": ["thing"] }));
    accepted("tags", json!(["a", "bcd"]));
    for price in [
        json!("0"),
        json!("-6275.00"),
        json!("1.2345"),
        json!(7),
        json!(0.5),
    ] {
        accepted("price", price);
    }
    for anything in [json!(null), json!([1, "a"]), json!({}), json!(true)] {
        accepted("remarks", anything);
    }
    accepted("a field that no table knows", json!([1, { "deep": null }]));
}

#[test]
fn characters_are_counted_and_not_bytes() {
    assert_eq!(faults(&json!({ "name": "äöüß" })), [""; 0]);
    assert_eq!(
        faults(&json!({ "name": "äöüße" })),
        ["name:string_too_long"]
    );
}

#[test]
fn every_fault_is_told_and_lists_say_where() {
    let data = json!({ "tags": ["a", 5, "long!"], "steady": "yes" });
    let expected = [
        "name:missing",
        "steady:bool_type",
        "tags.1:string_type",
        "tags.2:string_too_long",
    ];
    assert_eq!(faults(&data), expected);
}

#[test]
fn a_million_faults_are_one_mistake() {
    let data = json!({ "name": "ok", "tags": vec![5; 100_000] });
    assert_eq!(faults(&data).len(), check::FIELD_ERRORS_MAX);
}

#[test]
fn old_payloads_are_upcast_step_by_step() {
    let old = json!({ "name": 7, "glow": 55 });
    let canonical =
        |schema| canonical_data(&LAMP, &EVENTS[0], schema, old.as_object().unwrap()).into_owned();
    assert_eq!(
        Value::Object(canonical(1)),
        json!({ "name": "L7", "brightness": 5 })
    );
    assert_eq!(
        Value::Object(canonical(2)),
        json!({ "name": "L7", "brightness": 55 })
    );
    assert_eq!(
        Value::Object(canonical(3)),
        json!({ "name": 7, "brightness": 55 })
    );
}

#[test]
fn a_fault_is_told_under_the_name_that_the_writer_used() {
    assert_eq!(
        faults_of_schema(1, &json!({ "name": 7, "glow": 200 })),
        ["glow:less_than_equal"]
    );
}

#[test]
fn the_present_name_counts_where_both_stand() {
    let both = json!({ "name": "ok", "glow": 1, "brightness": 2 });
    let canonical = canonical_data(&LAMP, &EVENTS[0], 3, both.as_object().unwrap()).into_owned();
    assert_eq!(
        Value::Object(canonical),
        json!({ "name": "ok", "brightness": 2 })
    );
}

#[test]
fn a_schema_number_that_does_not_exist_is_refused() {
    for schema in [0, 4, u16::MAX] {
        assert_eq!(
            faults_of_schema(schema, &json!({ "name": "ok" })),
            ["schema:schema_unknown"]
        );
    }
}

#[test]
fn current_payloads_are_not_copied() {
    let data = json!({ "name": "ok", "brightness": 2 });
    let canonical = canonical_data(&LAMP, &EVENTS[0], 3, data.as_object().unwrap());
    assert!(matches!(canonical, std::borrow::Cow::Borrowed(_)));
}

proptest! {
    #[test]
    fn upcasting_twice_changes_nothing_more(schema in 0_u16..6, data in any_data()) {
        let once = canonical_data(&LAMP, &EVENTS[0], schema, &data).into_owned();
        let twice = canonical_data(&LAMP, &EVENTS[0], 3, &once).into_owned();
        prop_assert_eq!(once, twice);
    }
}

const SHELF: AggregateSchema = AggregateSchema::new(
    "Shelf",
    &[EventSchema::new(
        "ShelfFilled",
        "Boxes came.",
        &[Field::required(
            "boxes",
            Kind::List(&Kind::Record(&[
                Field::required("number", Kind::count()),
                Field::optional("label", Kind::text(3)),
            ])),
        )],
    )],
);

#[test]
fn faults_within_records_name_the_way_to_the_member() {
    let data = json!({ "boxes": [{ "number": 1, "colour": "any" }, { "number": -1, "label": "long" }, {}, 7] });
    let faults = check(&SHELF, &SHELF.events[0], 1, data.as_object().unwrap()).unwrap_err();
    let found: Vec<_> = faults
        .iter()
        .map(|fault| format!("{} {}", fault.path.join("."), fault.kind))
        .collect();
    assert_eq!(
        found,
        [
            "boxes.1.number greater_than_equal",
            "boxes.1.label string_too_long",
            "boxes.2.number missing",
            "boxes.3 dict_type",
        ]
    );
}

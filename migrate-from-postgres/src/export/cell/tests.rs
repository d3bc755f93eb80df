use serde_json::json;

use super::*;

#[track_caller]
fn check(value: Value, kind: Kind, column: &str, expected: (&str, Spelled)) {
    let column = TargetColumn {
        kind: column.to_owned(),
        chars_max: (column == "varchar").then_some(5),
        labels: vec!["IN_SERVICE".to_owned()],
        ..TargetColumn::default()
    };
    let zone: Zone = "Europe/Berlin".parse().unwrap();
    let mut out = Vec::new();
    let spelled = put(&value, kind, &column, zone, &mut out);
    assert_eq!(
        (String::from_utf8(out).unwrap().as_str(), spelled),
        expected
    );
}

#[test]
fn values_are_spelled_as_their_columns_take_them() {
    use Spelled::{Altered, Not, Whole};
    check(
        json!("in_service"),
        Kind::Text,
        "enum",
        ("IN_SERVICE", Whole),
    );
    check(json!("flying"), Kind::Text, "enum", ("", Not));
    check(json!("a\tb\\"), Kind::Text, "varchar", ("a\\tb\\\\", Whole));
    check(json!("ÄÖÜäöü"), Kind::Text, "varchar", ("ÄÖÜäö", Altered));
    check(json!("a\0b"), Kind::Text, "text", ("a\u{fffd}b", Altered));
    check(json!(3_000_000_000_u64), Kind::Whole, "int4", ("", Not));
    check(json!(true), Kind::Truth, "int4", ("1", Whole));
    check(json!(true), Kind::Truth, "bool", ("true", Whole));
    check(json!("12.50"), Kind::Money, "numeric", ("12.50", Whole));
    check(json!("NaN"), Kind::Money, "numeric", ("NaN", Whole));
    check(
        json!("-Infinity"),
        Kind::Real,
        "float8",
        ("-Infinity", Whole),
    );
    check(json!("5110"), Kind::Uuid, "uuid", ("", Not));
    check(json!(["a"]), Kind::Json, "jsonb", ("[\"a\"]", Whole));
    check(
        json!("nur Text"),
        Kind::Json,
        "json",
        ("\"nur Text\"", Whole),
    );
    // What was kept as a string because no strict reader took it goes back as what it was.
    check(
        json!("{\"huge\":1e400}"),
        Kind::Json,
        "json",
        ("{\"huge\":1e400}", Whole),
    );
}

#[test]
fn times_go_back_to_the_clock_that_they_were_read_from() {
    use Spelled::{Not, Whole};
    let noon = json!("2024-07-01T10:00:00.000000Z");
    check(
        noon.clone(),
        Kind::ClientTime,
        "timestamp",
        ("2024-07-01T12:00:00.000000Z", Whole),
    );
    check(
        noon.clone(),
        Kind::ClientTime,
        "timestamptz",
        ("2024-07-01T10:00:00.000000Z", Whole),
    );
    check(
        noon,
        Kind::Time,
        "timestamp",
        ("2024-07-01T10:00:00.000000Z", Whole),
    );
    check(
        json!("infinity"),
        Kind::Time,
        "timestamp",
        ("infinity", Whole),
    );
    let ides = json!("-43-03-15T12:00:00.000000Z");
    check(
        ides,
        Kind::Time,
        "timestamptz",
        ("0044-03-15 12:00:00.000000+00 BC", Whole),
    );
    let far = json!("12345-01-01T00:00:00.000000Z");
    check(
        far,
        Kind::Time,
        "timestamp",
        ("12345-01-01 00:00:00.000000+00", Whole),
    );
    check(json!("gestern"), Kind::Time, "timestamp", ("", Not));
}

use super::*;

const WORDS: &[&str] = &["draft", "in_progress"];

#[track_caller]
fn check(kind: Kind, wire: Wire, bytes: &[u8], json: &str, note: Option<Treatment>) {
    let (cell, noted) = read(kind, wire, bytes, Zone::Utc);
    let mut out = Vec::new();
    let put = put(&cell, &mut out);
    let mut seen = Vec::new();
    assert_eq!(
        put_seen(&cell, &mut seen),
        put.unwrap_or(true),
        "both forms say whether there is a value"
    );
    assert_eq!(String::from_utf8(out).unwrap(), json);
    assert_eq!(put.err().or(noted), note);
}

fn text(kind: Kind, text: &str, json: &str, note: Option<Treatment>) {
    check(kind, Wire::Text, text.as_bytes(), json, note);
}

#[test]
fn words_come_in_either_case() {
    text(Kind::Word(WORDS), "IN_PROGRESS", "\"in_progress\"", None);
    text(Kind::Word(WORDS), "draft", "\"draft\"", None);
    text(
        Kind::Word(WORDS),
        "SCRAPPED",
        "\"scrapped\"",
        Some(Treatment::UnknownWord),
    );
    text(Kind::Code(&["HU"]), "HU", "\"HU\"", None);
    text(
        Kind::Code(&["HU"]),
        "hu",
        "\"hu\"",
        Some(Treatment::UnknownWord),
    );
}

#[test]
fn numbers_that_are_none_leave_the_field() {
    check(
        Kind::Real,
        Wire::Float,
        &84.5_f64.to_be_bytes(),
        "84.5",
        None,
    );
    check(
        Kind::Real,
        Wire::Float,
        &84.0_f64.to_be_bytes(),
        "84.0",
        None,
    );
    check(
        Kind::Real,
        Wire::Integer,
        &84_i32.to_be_bytes(),
        "84.0",
        None,
    );
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        check(
            Kind::Real,
            Wire::Float,
            &number.to_be_bytes(),
            "",
            Some(Treatment::NotANumber),
        );
    }
    let bytes = f64::NEG_INFINITY.to_be_bytes();
    let (cell, _) = read(Kind::Real, Wire::Float, &bytes, Zone::Utc);
    assert_eq!(cell, Cell::Odd("-Infinity".into(), Treatment::NotANumber));
}

#[test]
fn patched_types_are_read_by_their_text() {
    text(Kind::Whole, "1990", "1990", None);
    text(Kind::Whole, "1990.00", "1990", None);
    text(
        Kind::Whole,
        "about 1990",
        "",
        Some(Treatment::ValueUnreadable),
    );
    text(Kind::Truth, "1", "true", None);
    text(Kind::Truth, "maybe", "", Some(Treatment::ValueUnreadable));
    text(Kind::Money, "12.50", "\"12.50\"", None);
    text(Kind::Money, "1e3", "\"1000\"", None);
    text(Kind::Money, "NaN", "", Some(Treatment::NotANumber));
    text(Kind::Real, "4.50", "4.5", None);
    text(
        Kind::Time,
        "2024-07-01 12:00:00",
        "\"2024-07-01T12:00:00.000000Z\"",
        None,
    );
    text(
        Kind::Uuid,
        "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}",
        "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"",
        None,
    );
    text(Kind::Uuid, "185", "", Some(Treatment::ValueUnreadable));
    text(Kind::Json, "[1, 2]", "[1,2]", None);
    text(
        Kind::Json,
        "not json",
        "\"not json\"",
        Some(Treatment::JsonUnreadable),
    );
}

#[test]
fn text_is_text() {
    text(Kind::Text, "", "\"\"", None);
    text(Kind::Text, "null", "\"null\"", None);
    check(
        Kind::Text,
        Wire::Text,
        b"a\xffb",
        "\"a\u{fffd}b\"",
        Some(Treatment::TextNotUtf8),
    );
}

#[test]
fn times_are_understood_in_their_zone() {
    // Noon of 2024-07-01, in microseconds since 2000.
    let noon = 773_150_400_000_000_i64.to_be_bytes();
    let berlin: Zone = "Europe/Berlin".parse().unwrap();
    let moment = |kind, wire| match read(kind, wire, &noon, berlin) {
        (Cell::Time(micros), None) => calendar::format_time(micros),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        moment(Kind::ClientTime, Wire::Timestamp),
        "2024-07-01T10:00:00.000000Z"
    );
    assert_eq!(
        moment(Kind::Time, Wire::Timestamp),
        "2024-07-01T12:00:00.000000Z"
    );
    assert_eq!(
        moment(Kind::ClientTime, Wire::TimestampTz),
        "2024-07-01T12:00:00.000000Z"
    );
}

#[test]
fn times_beyond_the_calendar_leave_the_field() {
    for (micros, expected) in [
        (i64::MAX, "infinity"),
        (i64::MIN, "-infinity"),
        (326_462_400_000_000_000, "12345-03-08T00:00:00.000000Z"),
        (-64_500_000_000_000_000, "-44-01-29T05:20:00.000000Z"),
    ] {
        let bytes = i64::to_be_bytes(micros);
        let (cell, note) = read(Kind::Time, Wire::Timestamp, &bytes, Zone::Utc);
        assert_eq!(
            (cell, note),
            (
                Cell::Odd(expected.into(), Treatment::TimeOutOfRange),
                Some(Treatment::TimeOutOfRange)
            )
        );
    }
}

#[test]
fn bytes_that_are_no_value_are_kept_as_text() {
    let (cell, _) = read(Kind::Whole, Wire::Integer, b"abc", Zone::Utc);
    assert_eq!(cell, Cell::Odd("abc".into(), Treatment::ValueUnreadable));
}

#[test]
fn a_json_null_is_nothing_however_it_is_written() {
    for null in ["null", "null ", " null", "\n\tnull\r\n"] {
        check(Kind::Json, Wire::Json, null.as_bytes(), "", None);
        text(Kind::Json, null, "", None);
    }
    text(Kind::Json, "[null ]", "[null]", None);
    text(Kind::Json, "\"null \"", "\"null \"", None);
}

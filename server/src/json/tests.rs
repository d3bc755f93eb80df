use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn compact(bytes: &[u8]) -> Result<String, JsonError> {
    let mut scanner = Scanner::new(bytes)?;
    let mut out = Vec::new();
    scanner.compact(&mut out)?;
    scanner.finish()?;
    Ok(String::from_utf8(out).unwrap())
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(compact(text.as_bytes()).as_deref(), Ok(expected), "{text}");
}

#[track_caller]
fn check_refused(bytes: impl AsRef<[u8]>, reason: JsonReason) {
    let bytes = bytes.as_ref();
    let error = compact(bytes).expect_err(&String::from_utf8_lossy(bytes));
    assert_eq!(error.reason, reason, "{}", String::from_utf8_lossy(bytes));
    assert!(error.offset <= bytes.len());
}

#[test]
fn white_space_goes_and_everything_else_stays() {
    check(
        " { \"b\" : 1.50 ,\n\"a\":[ true,\tfalse , null ] } ",
        r#"{"b":1.50,"a":[true,false,null]}"#,
    );
    check("{}", "{}");
    check("[ ]", "[]");
    check(
        r#""ä \u00e4 \ud83d\ude86 \/""#,
        r#""ä \u00e4 \ud83d\ude86 \/""#,
    );
    check("-0.0e-10", "-0.0e-10");
    check(
        "123456789012345678901234567890",
        "123456789012345678901234567890",
    );
    check(r#"{"\u0061":1}"#, r#"{"a":1}"#);
}

#[test]
fn what_is_not_json_is_refused_with_a_reason() {
    check_refused("", JsonReason::Truncated);
    check_refused("{", JsonReason::Truncated);
    check_refused(r#"{"a"}"#, JsonReason::Colon);
    check_refused(r#"{"a":1,}"#, JsonReason::Key);
    check_refused(r#"{"a":1 "b":2}"#, JsonReason::Comma);
    check_refused(r"{a:1}", JsonReason::Key);
    check_refused("[1,]", JsonReason::Value);
    check_refused("[1]]", JsonReason::Trailing);
    check_refused("nul", JsonReason::Value);
    check_refused("NaN", JsonReason::Value);
    check_refused("-Infinity", JsonReason::Number);
    check_refused("01", JsonReason::Number);
    check_refused("1.", JsonReason::Number);
    check_refused("+1", JsonReason::Value);
    check_refused("1e", JsonReason::Number);
    check_refused("0x10", JsonReason::Number);
    check_refused("1e999", JsonReason::Infinite);
    check_refused("9".repeat(400), JsonReason::Infinite);
    check_refused("\"a\nb\"", JsonReason::Control);
    check_refused("\"a\0b\"", JsonReason::Control);
    check_refused(r#""\x""#, JsonReason::Escape);
    check_refused(r#""\u12g4""#, JsonReason::Escape);
    check_refused(r#""\ud83d""#, JsonReason::Surrogate);
    check_refused(r#""\ude86""#, JsonReason::Surrogate);
    check_refused(r#""\ud83d\u0041""#, JsonReason::Surrogate);
    check_refused(b"\"\xff\"", JsonReason::Utf8);
    check_refused(b"\xef\xbb\xbf{}", JsonReason::Value);
    check_refused("'a'", JsonReason::Value);
    check_refused("[1/*x*/]", JsonReason::Comma);
}

#[test]
fn duplicate_keys_are_refused_at_every_depth_and_in_every_spelling() {
    check_refused(r#"{"a":1,"a":2}"#, JsonReason::DuplicateKey);
    check_refused(
        r#"{"x":[{"a":1,"b":2,"\u0061":3}]}"#,
        JsonReason::DuplicateKey,
    );
    check(
        r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#,
        r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#,
    );
    let many = (0..200)
        .map(|key| format!("\"{key}\":{key}"))
        .collect::<Vec<_>>()
        .join(",");
    check(&format!("{{{many}}}"), &format!("{{{many}}}"));
    check_refused(format!("{{{many},\"7\":0}}"), JsonReason::DuplicateKey);
    check_refused(format!("{{{many},\"199\":0}}"), JsonReason::DuplicateKey);
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    check(&nested(DEPTH_MAX), &nested(DEPTH_MAX));
    check_refused(nested(DEPTH_MAX + 1), JsonReason::Depth);
    check_refused("[".repeat(100_000), JsonReason::Depth);
    check_refused("{\"a\":".repeat(100_000), JsonReason::Depth);
}

#[test]
fn depth_counts_what_is_open_and_not_what_was() {
    let many = format!("[{}]", vec!["[[]]"; 100].join(","));
    check(&many, &many);
}

#[test]
fn numbers_are_written_in_decimal() {
    for number in [0, 9, 10, 4_294_967_296, u64::MAX] {
        let mut out = Vec::new();
        put_number(number, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn plain_bytes_end_at_the_first_special_one() {
    for special in (0..=0x1f).chain([b'"', b'\\']) {
        for at in 0..20 {
            let mut bytes = vec![0x80; 24];
            bytes[at] = special;
            assert_eq!(lex::plain_bytes(&bytes), at);
        }
    }
    for length in 0..20 {
        for plain in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
            assert_eq!(lex::plain_bytes(&vec![plain; length]), length);
        }
    }
}

#[test]
fn what_is_dropped_is_checked_as_well() {
    for (text, good) in [
        (r#" {"a": [1, "x"]} "#, true),
        (r#"{"a":1,"a":2}"#, false),
        (r#"["\ud83d"]"#, false),
    ] {
        let mut scanner = Scanner::new(text.as_bytes()).unwrap();
        assert_eq!(scanner.skip().is_ok(), good, "{text}");
    }
}

proptest! {
    #[test]
    fn plain_bytes_are_counted_right(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let special = |byte: &u8| matches!(byte, 0..=0x1f | b'"' | b'\\');
        let expected = bytes.iter().position(special).unwrap_or(bytes.len());
        prop_assert_eq!(lex::plain_bytes(&bytes), expected);
    }

    #[test]
    fn compact_text_means_the_same(value in any_json()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let text = compact(pretty.as_bytes()).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        prop_assert_eq!(compact(text.as_bytes()).unwrap(), text);
    }

    #[test]
    fn strings_survive(text in any::<String>()) {
        let mut out = Vec::new();
        put_string(&text, &mut out);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.as_str());
        prop_assert_eq!(Scanner::new(&out).unwrap().string().unwrap(), text);
    }

    #[test]
    fn whatever_passes_is_read_by_every_later_reader(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(text) = compact(&bytes) {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn near_json_passes_only_if_it_is_json(text in r#"[\[\]{}:,"\\ue0-9.+ tfnrl-]{0,24}"#) {
        if let Ok(compacted) = compact(text.as_bytes()) {
            prop_assert!(serde_json::from_str::<Value>(&compacted).is_ok(), "{text}");
        }
    }
}

use proptest::prelude::*;

use super::*;

fn written(put: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    put(&mut out);
    String::from_utf8(out).unwrap()
}

proptest! {
    #[test]
    fn strings_read_back(text in any::<String>()) {
        let json = written(|out| put_string(&text, out));
        prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        prop_assert!(json.bytes().all(|byte| byte >= 0x20), "no line is broken");
    }

    #[test]
    fn numbers_read_back(whole in any::<i64>(), real in any::<f64>().prop_filter("JSON", |real| real.is_finite())) {
        prop_assert_eq!(written(|out| put_integer(whole, out)), whole.to_string());
        let json = written(|out| put_real(real, out));
        prop_assert_eq!(serde_json::from_str::<f64>(&json).unwrap().to_bits(), real.to_bits());
    }

    #[test]
    fn times_are_those_of_the_calendar(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
        let json = written(|out| put_time(micros, out));
        prop_assert_eq!(json, format!("\"{}\"", calendar::format_time(micros)));
    }

    #[test]
    fn compact_json_says_the_same(text in "\\PC*") {
        let value = serde_json::json!({ text.clone(): [text, 1.5, null, true] });
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let compact = written(|out| assert!(put_compact(pretty.as_bytes(), true, out)));
        prop_assert_eq!(&compact, &value.to_string());
        prop_assert_eq!(serde_json::from_str::<Value>(&written(|out| put_value(&value, out))).unwrap(), value);
    }
}

#[test]
fn digits_are_kept_and_blanks_are_not() {
    let compact =
        |text: &str| written(|out| assert!(put_compact(text.as_bytes(), true, out), "{text}"));
    assert_eq!(
        compact("{\n \"a\\\" b\" : 1.50,\t\"n\": 123456789012345678901 }"),
        "{\"a\\\" b\":1.50,\"n\":123456789012345678901}"
    );
    assert_eq!(compact(" null "), "null");
}

#[test]
fn what_no_strict_reader_takes_is_left_to_the_caller() {
    let refused = |text: &str, is_checked: bool| {
        assert_eq!(
            written(|out| assert!(!put_compact(text.as_bytes(), is_checked, out), "{text}")),
            ""
        );
    };
    let deep = "[".repeat(101) + &"]".repeat(101);
    let long = format!("1{}", "0".repeat(400));
    for text in [
        "\"\\ud800\"",
        "{\"a\": 1e400}",
        deep.as_str(),
        long.as_str(),
    ] {
        refused(text, true);
    }
    for text in ["{", "", "NaN", "[1 2]"] {
        refused(text, false);
    }
}

/// The members of an object as the strict reader sees them, each value as it is written there.
fn read_members(text: &str) -> Vec<(&str, Value)> {
    let mut found = Vec::new();
    members(text, &mut found).unwrap();
    let values = found.into_iter();
    values
        .map(|(name, value)| (name, serde_json::from_str(value).unwrap()))
        .collect()
}

#[test]
fn members_and_items_are_cut_where_they_end() {
    let text = " { \"a\" : [1, {\"b\":\"]}\\\"\"}] , \"c\":-1.5e3,\"d\":\"\\\\\",\"e\":{} } ";
    let expected: Vec<(&str, Value)> = vec![
        ("a", serde_json::json!([1, { "b": "]}\"" }])),
        ("c", serde_json::json!(-1500.0)),
        ("d", "\\".into()),
        ("e", serde_json::json!({})),
    ];
    assert_eq!(read_members(text), expected);
    let mut list = "[ {\"id\":\"a]\"}, 7 ]";
    assert_eq!(next_item(&mut list), Some(Some("{\"id\":\"a]\"}")));
    assert_eq!(next_item(&mut list), Some(Some("7")));
    assert_eq!(next_item(&mut list), Some(None));
    assert_eq!(next_item(&mut "[]"), Some(None));
}

#[test]
fn what_is_no_object_or_list_has_no_members_or_items() {
    for text in [
        "",
        "7",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,}",
        "{\"a\":1}}",
        "{\"a\":\"",
        "{\"\\u0061\":1}",
    ] {
        assert_eq!(members(text, &mut Vec::new()), None, "{text}");
    }
    for text in ["", "7", "{}", "[", "[[", "[\"", "[,"] {
        assert_eq!(next_item(&mut { text }), None, "{text}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a\\[\\]{}\",:\\\\\u{e4}\n]{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let names = "[a-c\\[\\]{},:\u{e4}]{1,2}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn cut_members_and_items_are_those_that_were_written(
        value in prop::collection::btree_map("[a-c\u{e4}]{1,2}", any_value(), 0..5),
        is_pretty in any::<bool>(),
    ) {
        let object = Value::Object(value.clone().into_iter().collect());
        let list = Value::Array(value.values().cloned().collect());
        let text = |value: &Value| match is_pretty {
            true => serde_json::to_string_pretty(value).unwrap(),
            false => value.to_string(),
        };
        let object = text(&object);
        let members: Vec<(String, Value)> =
            read_members(&object).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        prop_assert_eq!(members, value.clone().into_iter().collect::<Vec<_>>());
        let list = text(&list);
        let (mut rest, mut items) = (&*list, Vec::new());
        while let Some(item) = next_item(&mut rest).unwrap() {
            items.push(serde_json::from_str::<Value>(item).unwrap());
        }
        prop_assert_eq!(items, value.into_values().collect::<Vec<_>>());
    }

    #[test]
    fn no_text_is_too_odd_to_be_looked_at(text in "[\\[\\]{}\",:\\\\a1 \u{e4}]{0,12}") {
        let _ = members(&text, &mut Vec::new());
        let mut rest = &*text;
        while let Some(Some(_)) = next_item(&mut rest) {}
    }
}

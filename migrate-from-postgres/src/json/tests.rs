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

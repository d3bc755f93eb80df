//! Money: what is read, what is written, and that sums are exact.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[track_caller]
fn check(text: &str, hundredths: Option<i64>) {
    assert_eq!(
        Money::parse(text).map(Money::hundredths),
        hundredths,
        "{text:?}"
    );
}

#[test]
fn decimal_texts_are_read_exactly_or_not_at_all() {
    check("6275.00", Some(627_500));
    check("6275", Some(627_500));
    check("0.5", Some(50));
    check(".5", Some(50));
    check("5.", Some(500));
    check("-0.01", Some(-1));
    check("+7.10", Some(710));
    check("1.2300", Some(123));
    check("92233720368547758.07", Some(i64::MAX));
    check("92233720368547758.08", None);
    check("1.234", None);
    for text in [
        "", ".", "-", "NaN", "Infinity", "1e3", "1,50", " 1", "1 ", "--1", "1.2.3", "٣",
    ] {
        check(text, None);
    }
}

#[test]
fn a_number_is_what_its_shortest_form_says() {
    assert_eq!(Money::of_json(&json!(0.1)), Money::parse("0.10"));
    assert_eq!(Money::of_json(&json!(12)), Money::parse("12"));
    assert_eq!(Money::of_json(&json!(19.99)), Money::parse("19.99"));
    for none in [
        json!(0.001),
        json!(1e300),
        json!(null),
        json!(true),
        json!(["1"]),
    ] {
        assert_eq!(Money::of_json(&none), None, "{none}");
    }
}

#[test]
fn percentages_round_half_away_from_zero() {
    let percent = |part: &str, whole: &str| {
        Money::parse(part)
            .unwrap()
            .percent_of(Money::parse(whole).unwrap())
    };
    assert_eq!(percent("50", "200"), Some(25.0));
    assert_eq!(percent("1", "3"), Some(33.33));
    assert_eq!(percent("2", "3"), Some(66.67));
    assert_eq!(percent("-2", "3"), Some(-66.67));
    assert_eq!(percent("1", "0"), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(hundredths in -i64::MAX..=i64::MAX) {
        let money = Money::of_hundredths(hundredths);
        prop_assert_eq!(Money::parse(&money.to_string()), Some(money));
        prop_assert_eq!(Money::of_json(&money.to_json()), Some(money));
    }

    #[test]
    fn sums_do_not_depend_on_the_order(amounts in prop::collection::vec(-1_000_000_000_i64..1_000_000_000, 0..50)) {
        let sum = Money::sum(amounts.iter().map(|amount| Money::of_hundredths(*amount)));
        let reversed = Money::sum(amounts.iter().rev().map(|amount| Money::of_hundredths(*amount)));
        prop_assert_eq!(sum, reversed);
        prop_assert_eq!(sum.map(Money::hundredths), Some(amounts.iter().sum()));
    }

    #[test]
    fn parsing_never_panics(text in ".{0,30}") {
        let _ = Money::parse(&text);
    }
}

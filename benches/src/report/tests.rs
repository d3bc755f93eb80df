use super::*;

fn rows() -> Vec<Row> {
    vec![
        Row::new("one writer, p50", "µs", vec![230.0])
            .against("raw", &[200.0])
            .bar(Bar::RatioAtMost(1.15))
            .note("five rounds"),
        Row::new("64 writers", "/s", vec![12_345.6])
            .bar(Bar::AtLeast(35_000.0))
            .bar(Bar::RatioAtLeast(7.0)),
        Row::skipped("PostgreSQL", "not installed"),
        Row::failed("proofs", "disk gone"),
    ]
}

#[test]
fn the_table_says_what_is_held() {
    let expected = "\
| question        | reference  | measured | ratio | bar                | margin | held                   |
| --------------- | ---------- | -------- | ----- | ------------------ | ------ | ---------------------- |
| one writer, p50 | raw 200 µs | 230 µs   | 1.15× | ≤ 1.15×            | +0 %   | held                   |
| 64 writers      |            | 12,346/s |       | ≥ 35,000/s or ≥ 7× | -65 %  | MISSED                 |
| PostgreSQL      |            | -        |       |                    |        | SKIPPED: not installed |
| proofs          |            | -        |       |                    |        | FAILED: disk gone      |
";
    assert_eq!(table(&rows()), expected);
    assert_eq!(notes(&rows()), "- one writer, p50: five rounds\n");
}

#[test]
fn the_json_holds_every_round_and_no_number_for_what_was_skipped() {
    let machine = Machine::here(std::path::Path::new("."));
    let found = json(&machine, &rows());
    assert_eq!(found["rows"][0]["held"], true);
    assert_eq!(found["rows"][0]["reference"]["name"], "raw");
    assert_eq!(found["rows"][1]["held"], false);
    assert_eq!(found["rows"][1]["rounds"][0], 12_345.6);
    assert_eq!(found["rows"][2]["measured"], Value::Null);
    assert_eq!(found["rows"][2]["skipped"], "not installed");
    assert_eq!(found["rows"][3]["measured"], Value::Null);
    assert_eq!(found["rows"][3]["failed"], "disk gone");
}

#[test]
fn numbers_keep_the_digits_that_matter() {
    assert_eq!(quantity(0.98765, ""), "0.99");
    assert_eq!(quantity(45.67, "µs"), "45.7 µs");
    assert_eq!(quantity(999.5, "/s"), "1,000/s");
    assert_eq!(quantity(9_123_456.0, "/s"), "9,123,456/s");
}

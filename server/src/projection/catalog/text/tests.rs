//! What is found is what stands in the rows' texts, whatever was changed before.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Texts;

/// Rows that have enough text for grams to be noted.
const MANY_ROWS: u32 = 12_000;

fn text_of(row: u32) -> String {
    let (number, place) = (row * 7 % 10_000, row % 37);
    format!("wo-2026-{number:07}\ninspection {place} of the bogie\nö{place}ü")
}

fn many() -> (Texts, BTreeMap<u32, String>) {
    let mut texts = Texts::default();
    let mut expected = BTreeMap::new();
    for row in 0..MANY_ROWS {
        let text = text_of(row);
        texts.set(row, &text);
        expected.insert(row, text);
    }
    assert!(texts.grams.is_some(), "there is text enough for grams");
    (texts, expected)
}

#[track_caller]
fn check(texts: &Texts, expected: &BTreeMap<u32, String>, needle: &str) {
    let mut found = texts.find(needle);
    found.sort_unstable();
    let rows = expected.iter();
    let holds = |text: &str| text.lines().any(|line| line.contains(needle));
    let wanted: Vec<u32> = rows
        .filter(|(_, text)| holds(text))
        .map(|(row, _)| *row)
        .collect();
    assert!(
        found == wanted,
        "{needle:?}: {} rows instead of {}",
        found.len(),
        wanted.len()
    );
}

#[test]
fn rare_common_and_absent_texts_are_found_among_many() {
    let (texts, expected) = many();
    for needle in [
        "wo-2026-0000007",
        "0009993\ninspection",
        "inspection 36 of the bogie",
        "inspection",
        "i",
        "36",
        "ö1",
        "ü",
        "of the bogie of",
        "zzz",
        "wo-2026-0000007 and more than stands there",
    ] {
        check(&texts, &expected, needle);
    }
}

#[test]
fn a_text_longer_than_a_block_is_found() {
    let (mut texts, mut expected) = many();
    let long = "abcdefg".repeat(3_000);
    texts.set(5, &long);
    expected.insert(5, long.clone());
    check(&texts, &expected, &long[3..20_000]);
    check(&texts, &expected, &format!("{}x", &long[3..20_000]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn what_changed_is_found_as_it_is(
        changes in prop::collection::vec((0..MANY_ROWS + 50, "[a-c]{0,4}( [a-c]{1,3}){0,2}"), 1..60),
        rounds in 1_u32..4,
        needles in prop::collection::vec("[a-c ]{1,5}|[0-9]{2,4}", 1..8),
    ) {
        let (mut texts, mut expected) = many();
        // Enough is written anew for all of it to be rewritten.
        for round in 1..rounds {
            for row in 0..MANY_ROWS {
                let text = text_of(row + round);
                texts.set(row, &text);
                expected.insert(row, text);
            }
        }
        for (row, text) in changes {
            texts.set(row, &text);
            expected.insert(row, text);
        }
        for needle in needles {
            check(&texts, &expected, &needle);
        }
        check(&texts, &expected, "inspection 3");
    }
}

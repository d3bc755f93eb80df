//! What a depot says is read as it was said, and nobody else says it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LOG: Uuid = Uuid::from_u128(7);
const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn key(number: u8) -> Key {
    Key::new(&[number; 32])
}

fn said(at: Timestamp) -> (HeaderMap, String) {
    write(&key(1), LOG, Position::new(42), "Bad Süd 2", at)
}

/// Whether a log that knows this key takes it for what the depot says.
fn is_heard(headers: Option<&HeaderMap>, text: &str, known: Option<u8>) -> bool {
    let key = known.map(|number| key(number).public());
    Presence::read(LOG, key, headers, text.as_bytes(), NOW).is_some()
}

#[test]
fn what_a_depot_says_is_read_as_it_was_said() {
    // Its clock may be ahead of this one: nothing is said later than it is heard.
    for (offset, at) in [(0, NOW), (-1, NOW.plus_micros(-1)), (9, NOW)] {
        let (headers, text) = said(NOW.plus_micros(offset));
        let expected = Presence {
            published: 42,
            depot: "Bad Süd 2",
            at,
        };
        let key = Some(key(1).public());
        let read = Presence::read(LOG, key, Some(&headers), text.as_bytes(), NOW);
        assert_eq!(read, Some(expected));
    }
}

#[test]
fn nobody_says_it_for_a_depot_whose_key_is_known() {
    let (headers, text) = said(NOW);
    assert!(is_heard(Some(&headers), &text, Some(1)));
    assert!(!is_heard(Some(&headers), &text, Some(2)), "another's key");
    assert!(!is_heard(Some(&headers), "43 Bad Süd 2", Some(1)));
    assert!(!is_heard(Some(&headers), "42 Bad Süd 3", Some(1)));
    assert!(!is_heard(None, &text, Some(1)), "nobody signed it");
    let read = Presence::read(
        Uuid::from_u128(8),
        Some(key(1).public()),
        Some(&headers),
        text.as_bytes(),
        NOW,
    );
    assert_eq!(read, None, "another log's");
    // Before its key is known, and from a server that signs nothing.
    assert!(is_heard(None, &text, None));
    assert!(is_heard(Some(&headers), &text, None));
    assert!(!is_heard(None, "a word", None));
    let long = format!("42 {}", "x".repeat(BYTES_MAX));
    assert!(!is_heard(None, &long, None));
}

#[test]
fn what_was_said_long_ago_is_not_heard_again() {
    let apart = i64::try_from(APART_MAX_US).unwrap();
    for (offset, heard) in [
        (-apart - 1, false),
        (-apart, true),
        (apart, true),
        (apart + 1, false),
    ] {
        let (headers, text) = said(NOW.plus_micros(offset));
        assert_eq!(is_heard(Some(&headers), &text, Some(1)), heard, "{offset}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_crash(
        value in "\\PC{0,200}",
        text in vec(any::<u8>(), 0..50),
        known in any::<bool>(),
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value);
        let key = known.then(|| key(1).public());
        let read = Presence::read(LOG, key, Some(&headers), &text, NOW);
        prop_assert!(read.is_none() || !known);
    }
}

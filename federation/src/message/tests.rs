//! Messages come back, and nothing else is one.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_message_comes_back(
        numbers in any::<(u128, u64, u64, i64, i64, u128, u16)>(),
        texts in vec("\\PC{0,20}", 4),
        tags in vec("[a-z:]{1,9}", 0..5),
        (metadata, data) in any::<(Vec<u8>, Vec<u8>)>(),
    ) {
        let (log, position, before, recorded_at, occurred_at, id, schema) = numbers;
        let message = Message {
            log, depot: &texts[0], position, before, recorded_at, occurred_at, id,
            aggregate_type: &texts[1], aggregate_id: &texts[2], event_type: &texts[3], schema,
            tags: Few(tags.iter().map(|tag| &**tag).collect()),
            metadata: &metadata, data: &data,
        };
        let bytes = message.encode();
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
        for length in 0..bytes.len() {
            prop_assert!(Message::decode(&bytes[..length]).is_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_eq!(Message::decode(&longer), Err("it is longer than it says"));
    }

    #[test]
    fn arbitrary_bytes_are_no_crash(mut bytes in vec(any::<u8>(), 0..300)) {
        if let Some(first) = bytes.first_mut() {
            *first = FORMAT;
        }
        let _ = Message::decode(&bytes);
    }
}

fn with_tags(tags: Vec<&str>) -> Message<'_> {
    Message {
        log: 7,
        depot: "Nord",
        position: 3,
        before: 0,
        recorded_at: 5,
        occurred_at: 4,
        id: 9,
        aggregate_type: "Vehicle",
        aggregate_id: "1",
        event_type: "Seen",
        schema: 1,
        tags: Few(tags),
        metadata: b"{}",
        data: b"{}",
    }
}

/// Regression: 36 bytes that said that 960,000 tags come took 23 MB.
#[test]
fn a_list_that_says_more_than_an_event_may_have_is_damage() {
    let decoded = |count: usize| {
        let bytes = with_tags(vec!["t"; count]).encode();
        Message::decode(&bytes).map(|message| message.tags.0.len())
    };
    assert_eq!(decoded(TAGS_MAX), Ok(TAGS_MAX));
    assert_eq!(decoded(TAGS_MAX + 1), Err("it is damaged"));
}

/// What depots of this version tell each other: another layout needs another format.
#[test]
fn the_layout_is_this() {
    let message = Message {
        log: 0x1f,
        depot: "Nord",
        position: 7,
        before: 5,
        recorded_at: 3,
        occurred_at: -2,
        id: 9,
        aggregate_type: "Vehicle",
        aggregate_id: "1",
        event_type: "Seen",
        schema: 1,
        tags: Few(vec!["user:a"]),
        metadata: b"{}",
        data: b"[]",
    };
    let expected = "01\
        1f\
        044e6f7264\
        0705\
        0603\
        09\
        0756656869636c65\
        0131\
        045365656e\
        01\
        0106757365723a61\
        027b7d\
        025b5d";
    let hex: String = message
        .encode()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, expected);
}

#[test]
fn another_depot_does_not_say_what_this_log_says_in_tags() {
    let message = with_tags(vec!["user:a", "origin:1f:1:2", "covered:Staff/1"]);
    let event = message.to_event();
    let origin = Origin {
        log: 7,
        position: 3,
        recorded_at: 5,
    };
    assert_eq!(event.tags, ["user:a".into(), origin.tag()]);
}

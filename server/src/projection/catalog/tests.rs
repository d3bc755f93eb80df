//! What the present state of streams answers.

mod rows;

use std::sync::Arc;

use serde_json::{Value, json};
use storage::{Position, Version};

use crate::projection::tests::harness::{BEGINNING, Depot, HOUR, answers};
use crate::projection::{Projections, StateFilter};

fn depot_with(streams: &[(&str, &str)]) -> (Depot, Arc<Projections>) {
    let depot = Depot::new();
    for (number, stream) in streams.iter().enumerate() {
        depot.append(*stream, "Seen", &json!({"number": number}));
    }
    let projections = depot.start();
    answers(&depot, &projections);
    (depot, projections)
}

/// The ids of all parts of a list, asked for `limit` at a time.
fn ids(projections: &Projections, filter: &StateFilter, limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = projections.catalog().list(filter, cursor, limit).value;
        assert!(page.streams.len() <= limit);
        ids.extend(page.streams.into_iter().map(|stream| stream.aggregate_id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return ids,
        }
    }
}

#[test]
fn a_stream_is_answered_with_its_last_event() {
    let (depot, projections) = depot_with(&[("Part", "a/ß"), ("Vehicle", "a/ß")]);
    let late = depot.append_at(
        ("Part", "a/ß"),
        "PartUpdated",
        BEGINNING - HOUR,
        &json!({"number": 7, "name": "Bolzen"}),
    );
    answers(&depot, &projections);
    let answer = projections.catalog().get("Part", "a/ß");
    assert_eq!(answer.position, late);
    let part = answer.value.unwrap();
    assert_eq!(
        (part.version, part.position),
        (Version::new(2), Position::new(3))
    );
    assert_eq!(part.occurred_at.micros(), BEGINNING - HOUR);
    // What arrived late does not overwrite what is newer.
    assert_eq!(
        Value::Object(part.state),
        json!({"number": 0, "name": "Bolzen"})
    );
    assert_eq!(projections.catalog().get("Part", "a").value, None);
    assert_eq!(projections.catalog().get("part", "a/ß").value, None);
}

#[test]
fn lists_are_read_part_by_part_while_streams_are_added() {
    let (depot, projections) =
        depot_with(&[("A", "1"), ("B", "2"), ("A", "3"), ("A", "4"), ("B", "5")]);
    let all = StateFilter::default();
    for limit in 1..7 {
        assert_eq!(ids(&projections, &all, limit), ["1", "2", "3", "4", "5"]);
    }
    let of_type = StateFilter {
        aggregate_type: Some("A".to_owned()),
        ..StateFilter::default()
    };
    let first = projections.catalog().list(&of_type, None, 2).value;
    depot.append(("A", "0"), "Seen", &json!({}));
    answers(&depot, &projections);
    let second = projections.catalog().list(&of_type, first.next, 2).value;
    let seen: Vec<String> = first
        .streams
        .into_iter()
        .chain(second.streams)
        .map(|stream| stream.aggregate_id)
        .collect();
    assert_eq!(seen, ["1", "3", "4", "0"]);
    assert_eq!(second.next, None);
    let none = StateFilter {
        aggregate_type: Some("C".to_owned()),
        ..StateFilter::default()
    };
    assert!(ids(&projections, &none, 2).is_empty());
    assert!(
        projections
            .catalog()
            .list(&all, Some(u64::MAX), 2)
            .value
            .streams
            .is_empty()
    );
    assert!(
        projections
            .catalog()
            .list(&all, None, 0)
            .value
            .streams
            .is_empty()
    );
}

#[test]
fn deleted_streams_are_listed_when_asked_for() {
    let (depot, projections) = depot_with(&[("A", "1"), ("A", "2")]);
    depot.append(("A", "1"), "ADeleted", &json!({}));
    answers(&depot, &projections);
    assert_eq!(ids(&projections, &StateFilter::default(), 9), ["2"]);
    let with_deleted = StateFilter {
        include_deleted: true,
        ..StateFilter::default()
    };
    assert_eq!(ids(&projections, &with_deleted, 9), ["1", "2"]);
    let deleted = projections.catalog().get("A", "1").value.unwrap();
    assert!(deleted.deleted);
    assert_eq!(Value::Object(deleted.state), json!({"number": 0}));
    let types = projections.catalog().types().value;
    assert_eq!(
        (types[0].streams, types[0].deleted, types[0].events),
        (2, 1, 3)
    );
}

#[test]
fn ids_are_searched_in_any_case() {
    let (_depot, projections) = depot_with(&[("A", "Köln-1"), ("A", "KÖLN-2"), ("A", "Bonn")]);
    let search = |text: &str| StateFilter {
        search: Some(text.to_owned()),
        ..StateFilter::default()
    };
    assert_eq!(ids(&projections, &search("köln"), 1), ["Köln-1", "KÖLN-2"]);
    assert_eq!(ids(&projections, &search("N-2"), 1), ["KÖLN-2"]);
    assert!(ids(&projections, &search("Berlin"), 1).is_empty());
}

#[test]
fn the_busiest_streams_come_first() {
    let (depot, projections) = depot_with(&[("A", "b"), ("A", "a"), ("A", "c"), ("B", "d")]);
    depot.append(("A", "c"), "Seen", &json!({}));
    answers(&depot, &projections);
    let busiest = |limit| projections.catalog().busiest("A", limit).value;
    let expected = [
        ("c".to_owned(), 2),
        ("a".to_owned(), 1),
        ("b".to_owned(), 1),
    ];
    assert_eq!(busiest(9), expected);
    assert_eq!(busiest(2), expected[..2]);
}

#[test]
fn secrets_are_not_answered() {
    let depot = Depot::new();
    let (event_type, data) = (
        "UserRegistered",
        json!({"username": "eva", "email": "eva@depot.example", "role": "VIEWER", "password_hash": "$argon2id$secret"}),
    );
    depot.append(("User", "u1"), event_type, &data);
    let projections = depot.start();
    answers_contain_no(&depot, &projections, "argon2id");
    let user = projections.catalog().get("User", "u1").value.unwrap();
    assert_eq!(user.state.get("username"), Some(&json!("eva")));
}

fn answers_contain_no(depot: &Depot, projections: &Projections, text: &str) {
    let answers = format!("{:?}", answers(depot, projections));
    assert!(answers.contains("eva") && !answers.contains(text));
}

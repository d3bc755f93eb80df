//! Lists of rows, on the example of vehicles.

use std::sync::Arc;

use serde_json::json;

use crate::projection::tests::harness::{Depot, answers};
use crate::projection::{Ask, Projections};

fn depot() -> (Depot, Arc<Projections>) {
    let depot = Depot::new();
    for (id, model, manufacturer) in [
        ("185 3", "BR 185", "Bombardier"),
        ("101 1", "BR 101", "Adtranz"),
        ("185 2", "Traxx", "BOMBARDIER"),
        ("Ö1", "x", ""),
    ] {
        let data = json!({"asset_id": id, "model": model, "manufacturer": manufacturer, "status": "available"});
        depot.append(("Vehicle", id), "VehicleCreated", &data);
    }
    depot.append(
        ("Part", "101 9"),
        "PartCreated",
        &json!({"model": "BR 101"}),
    );
    let projections = depot.start();
    answers(&depot, &projections);
    (depot, projections)
}

fn list(projections: &Projections, ask: &Ask) -> (usize, Vec<String>, Option<String>) {
    let page = projections.catalog().page(ask).unwrap().value;
    (
        page.total,
        page.entries
            .into_iter()
            .map(|entry| entry.aggregate_id.to_string())
            .collect(),
        page.next,
    )
}

fn all() -> Ask {
    Ask {
        aggregate_type: "Vehicle",
        limit: 100,
        ..Ask::default()
    }
}

#[test]
fn vehicles_are_listed_by_asset_id() {
    let (_depot, projections) = depot();
    let (total, ids, next) = list(&projections, &all());
    assert_eq!((total, next), (4, None));
    assert_eq!(ids, ["101 1", "185 2", "185 3", "Ö1"]);
}

#[test]
fn parts_follow_each_other_by_cursor_and_by_skip() {
    let (_depot, projections) = depot();
    let mut ask = Ask { limit: 3, ..all() };
    let (total, ids, next) = list(&projections, &ask);
    assert_eq!((total, ids.len()), (4, 3));
    ask.cursor = next;
    assert_eq!(list(&projections, &ask), (4, vec!["Ö1".to_owned()], None));
    let skipped = Ask {
        skip: 2,
        limit: 1,
        ..all()
    };
    let (total, ids, next) = list(&projections, &skipped);
    assert_eq!(
        (total, ids, next.is_some()),
        (4, vec!["185 3".to_owned()], true)
    );
    let beyond = Ask { skip: 9, ..all() };
    assert_eq!(list(&projections, &beyond), (4, vec![], None));
}

#[test]
fn search_looks_at_three_fields_in_any_case() {
    let (_depot, projections) = depot();
    let search = |text: &str| {
        list(
            &projections,
            &Ask {
                searches: vec![("search", text.to_owned())],
                limit: 1,
                ..all()
            },
        )
    };
    let (total, ids, next) = search("bombardier");
    assert_eq!(
        (total, ids, next.is_some()),
        (2, vec!["185 2".to_owned()], true)
    );
    assert_eq!(search("TRAXX").0, 1);
    assert_eq!(search("ö").0, 1);
    assert_eq!(search("101").0, 1);
    assert_eq!(search("").0, 4);
    assert_eq!(
        search("1\nbr 101").0,
        0,
        "fields do not run into each other"
    );
}

#[test]
fn lists_follow_changes_of_status() {
    let (depot, projections) = depot();
    let of = |status: &str| {
        let ask = Ask {
            filters: vec![("status", status.to_owned())],
            ..all()
        };
        list(&projections, &ask).1
    };
    assert_eq!(of("available").len(), 4);
    depot.append(
        ("Vehicle", "185 2"),
        "VehicleStatusChanged",
        &json!({"old_status": "available", "new_status": "in_workshop"}),
    );
    answers(&depot, &projections);
    assert_eq!(of("available"), ["101 1", "185 3", "Ö1"]);
    assert_eq!(of("in_workshop"), ["185 2"]);
    assert!(of("retired").is_empty());
}

#[test]
fn a_vehicle_is_found_by_its_asset_id_and_by_its_uuid_until_it_is_deleted() {
    let (depot, projections) = depot();
    let find = |id: &str| projections.catalog().find("Vehicle", id).value;
    let vehicle = find("185 2").unwrap();
    assert_eq!(vehicle.folded.text("model"), Some("Traxx"));
    let id = vehicle.uuid().to_string();
    assert_eq!(find(&id).unwrap(), vehicle);
    assert_eq!(find(&id.to_uppercase()).unwrap(), vehicle);
    assert_eq!(find("101 9"), None, "a part");

    depot.append(("Vehicle", "185 2"), "VehicleDeleted", &json!({}));
    answers(&depot, &projections);
    assert_eq!((find("185 2"), find(&id)), (None, None));
    assert_eq!(list(&projections, &all()).0, 3);

    let data = json!({"asset_id": "185 2", "model": "Vectron"});
    depot.append(("Vehicle", "185 2"), "VehicleCreated", &data);
    answers(&depot, &projections);
    assert_eq!(find(&id).unwrap().folded.text("model"), Some("Vectron"));
    assert_eq!(list(&projections, &all()).0, 4);
}

/// Once whoever claimed it last had it, and behind a restart whoever began last.
#[test]
fn of_rows_that_claim_a_uuid_the_first_has_it_before_and_behind_a_restart() {
    const CLAIMED: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let depot = Depot::new();
    let claim = |of: &str| {
        let data = json!({"asset_id": of, "id": CLAIMED});
        depot.append(("Vehicle", of), "VehicleCreated", &data);
    };
    claim("1");
    for of in ["2", "3"] {
        depot.append(("Vehicle", of), "VehicleCreated", &json!({"asset_id": of}));
    }
    let projections = depot.start();
    let having = |projections: &Projections| {
        answers(&depot, projections);
        let found = projections.catalog().find("Vehicle", CLAIMED).value;
        found.map(|entry| entry.aggregate_id.to_string())
    };
    assert_eq!(having(&projections).as_deref(), Some("1"));
    claim("3");
    claim("2");
    assert_eq!(having(&projections).as_deref(), Some("1"));
    projections.stop();
    drop(projections);

    let projections = depot.start();
    assert_eq!(having(&projections).as_deref(), Some("1"));
    depot.append(("Vehicle", "1"), "VehicleDeleted", &json!({}));
    assert_eq!(having(&projections).as_deref(), Some("2"));
    claim("1");
    assert_eq!(having(&projections).as_deref(), Some("1"));
}

/// What an importer that follows a database tells of rows whose numbers change, two of which change places.
#[test]
fn a_number_names_whoever_has_it_now_and_else_whoever_began_with_it() {
    const OWN: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let depot = Depot::new();
    let told = |id: &str, event_type: &str, number: &str| {
        depot.append(("Vehicle", id), event_type, &json!({"asset_id": number}));
    };
    for id in ["1", "2", "3"] {
        told(id, "VehicleCreated", id);
    }
    let projections = depot.start();
    let having = |projections: &Projections, number: &str| {
        answers(&depot, projections);
        let found = projections.catalog().find("Vehicle", number).value;
        found.map(|entry| (entry.aggregate_id.to_string(), entry.key().to_owned()))
    };
    let check = |projections: &Projections, number: &str, id: &str, key: &str| {
        let expected = Some((id.to_owned(), key.to_owned()));
        assert_eq!(having(projections, number), expected, "{number}");
    };
    check(&projections, "3", "3", "3");
    for (id, number) in [("1", "2"), ("2", "1"), ("3", "4")] {
        told(id, "VehicleUpdated", number);
    }
    let all = [
        ("1", "2", "1"),
        ("2", "1", "2"),
        ("3", "3", "4"),
        ("4", "3", "4"),
    ];
    for (number, id, key) in all {
        check(&projections, number, id, key);
    }
    projections.stop();
    drop(projections);

    let projections = depot.start();
    for (number, id, key) in all {
        check(&projections, number, id, key);
    }
    // Another takes the number that was freed, and goes by its own UUID.
    told(OWN, "VehicleCreated", "3");
    for number in [OWN, "3"] {
        check(&projections, number, OWN, "3");
    }
    check(&projections, "4", "3", "4");
    depot.append(("Vehicle", OWN), "VehicleDeleted", &json!({}));
    check(&projections, "3", "3", "4");
    // Who has its first number again is found by that alone.
    told("3", "VehicleUpdated", "3");
    check(&projections, "3", "3", "3");
    assert_eq!(having(&projections, "4"), None);
}

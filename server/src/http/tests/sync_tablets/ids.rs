//! Whose operation an event carries: ids are of their log, and nobody takes them.

use crdt::sync::Verdict;
use crdt::{Change, Value as Held};
use fleet::Origin;
use fleet::sync::tables::WORK_ORDER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use storage::{ExpectedVersion, NewEvent, ReadRequest, StreamName, Transaction};
use uuid::Uuid;

use super::{Client, NOW_MS, PUSH, verdicts_of};
use crate::http::tests::sync_depot::{Depot, set, statuses};
use crate::sync::engine::Engine;

/// The events of this depot's log that carry operations, ready to be appended to another log.
fn carried(depot: &Depot) -> Vec<(StreamName, NewEvent)> {
    let log = &depot.server.state.log;
    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let mut found = Vec::new();
    while let Some(event) = reader.next() {
        let event = event.unwrap();
        if memchr::memmem::find(event.metadata(), b"\"crdt\"").is_none() {
            continue;
        }
        let copy = NewEvent {
            id: Some(event.id()),
            event_type: event.event_type().into(),
            schema: event.schema(),
            occurred_at: Some(event.occurred_at()),
            data: event.data().to_vec(),
            metadata: event.metadata().to_vec(),
            tags: event.tags().map(Box::from).collect(),
        };
        found.push((event.stream().to_name(), copy));
    }
    found
}

/// Appends an event as it is.
fn append(depot: &Depot, stream: StreamName, event: NewEvent) {
    let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
    depot.server.state.log.append(transaction).unwrap();
}

/// The id of the event that carries the operation of this name, as it was made before the log's own id was part of it.
fn former_id(name: &str) -> Uuid {
    let operations = Uuid::from_u128(0x5d2a_7c1e_90b4_4f6b_8e13_c4f0_2b6d_7a91);
    Uuid::new_v5(&operations, name.as_bytes())
}

/// The id of the event that carries the operation of this name in the depot's log.
fn carrier_id(depot: &Depot, name: &str) -> Uuid {
    let log = depot.server.state.log.log_id();
    let of_log: [u8; 32] = Sha256::digest(log.as_bytes()).into();
    let named = [&log.as_bytes()[..], name.as_bytes()].concat();
    let of_name: [u8; 32] = Sha256::digest(named).into();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&of_log[..6]);
    bytes[6..].copy_from_slice(&of_name[..10]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// How many operations the log has of the only device of this depot.
async fn seen(depot: &Depot) -> Value {
    let path = "/api/v1/sync/crdt/status";
    let status = depot.server.get(path, &depot.manager).await.expect(200);
    status["devices"][0]["operations_seen"].clone()
}

/// What the log makes from its beginning is what the server has.
fn begins_anew_the_same(depot: &Depot) {
    let nowhere = tempfile::tempdir().unwrap();
    let anew = Engine::open(depot.server.state.log.clone(), nowhere.path());
    let live = depot.server.state.sync.engine.state_bytes();
    assert_eq!(anew.state_bytes(), live);
}

/// Devices are numbered from 1 in every depot. What another depot's first tablet did was once taken for the first
/// operations of this one's: on the wrong entity, and so that its own were told to be here already.
#[tokio::test]
async fn what_another_depots_tablet_did_is_no_operation_of_a_tablet_here() {
    let (there, here) = (Depot::start().await, Depot::start().await);
    let second = json!({"asset_id": "218 001", "model": "218", "type": "diesel"});
    let path = "/api/v1/vehicles";
    let created = there.server.post(path, &there.dispatcher, second).await;
    created.expect(201);
    // What is the second vehicle there is an order here.
    let order = here.order().await;
    for depot in [&there, &here] {
        depot.server.clock.advance_seconds(10);
    }
    let now = NOW_MS + 5_000;
    let mut foreign = Client::new(&there, "t1", 1).await;
    foreign.sync(&there).await;
    foreign.note("218 001", "of another depot", now);
    foreign.sync(&there).await;
    foreign.note("218 001", "of another depot, too", now + 1);
    foreign.sync(&there).await;

    let mut told = carried(&there).into_iter();
    let mut hear = |name: &str| {
        let (stream, mut event) = told.next().unwrap();
        // As a depot has recorded it that was not updated yet: under the very id that the own one had there.
        event.id = Some(former_id(name));
        let origin = Origin {
            log: 0x1f,
            position: 7,
            recorded_at: 1_700_000_000_000_000,
        };
        event.tags.push(origin.tag());
        append(&here, stream, event);
    };
    hear("1/1");
    let mut own = Client::new(&here, "t1", 1).await;
    hear("1/2");
    assert_eq!(seen(&here).await, 0);
    own.sync(&here).await;
    for (number, text) in [(1, "ours"), (2, "ours, too")] {
        own.note("185123", text, now + number);
        let verdicts = own.sync(&here).await;
        assert!(
            matches!(verdicts[..], [ref verdict] if verdict.is_folded()),
            "{verdicts:?}"
        );
        assert_eq!(seen(&here).await, number);
    }
    own.digest_agrees(&here).await;
    begins_anew_the_same(&here);

    assert_eq!(here.vehicle().await["notes"], "ours, too");
    assert_ne!(here.shown(&order).await["notes"], "of another depot");
    let page = here.pull(&own.token, "").await;
    let states = page["states"].as_array().unwrap();
    let heard = states.iter().find(|state| state["entity_id"] == "218 001");
    let notes = &heard.unwrap()["fields"]["notes"];
    assert_eq!(
        (&notes["value"], &notes["device_id"]),
        (&json!("of another depot, too"), &json!("server")),
        "{page}"
    );
}

/// Operations are found under the ids that they were recorded with before those were this log's own.
#[tokio::test]
async fn what_was_recorded_under_an_older_id_counts_once() {
    let (before, now) = (Depot::start().await, Depot::start().await);
    let operation = json!([set("a", "notes", json!("Squeaks"))]);
    let token = before.device("t1").await;
    let answer = before.push(&token, operation.clone()).await;
    assert_eq!(statuses(&answer), ["applied"], "{answer}");
    let token = now.device("t1").await;
    for (stream, mut event) in carried(&before) {
        event.id = Some(former_id("t1\0a"));
        append(&now, stream, event);
    }
    let head = now.server.state.log.durable_position();
    let answer = now.push(&token, operation).await;
    assert_eq!(statuses(&answer), ["duplicate"], "{answer}");
    assert_eq!(answer["results"][0]["reason"], "applied");
    assert_eq!(now.server.state.log.durable_position(), head);
    assert_eq!(seen(&now).await, 1);
    let answer = now
        .push(&token, json!([set("b", "notes", json!("Gone"))]))
        .await;
    assert_eq!(statuses(&answer), ["applied"], "{answer}");
    begins_anew_the_same(&now);
}

#[tokio::test]
async fn a_frame_that_was_recorded_under_older_ids_counts_once() {
    let (before, now) = (Depot::start().await, Depot::start().await);
    for depot in [&before, &now] {
        depot.server.clock.advance_seconds(10);
    }
    let at = NOW_MS + 5_000;
    let mut tablet = Client::new(&before, "t1", 1).await;
    let (table, id) = (WORK_ORDER.number, Uuid::from_u128(0x4711).to_string());
    let order = tablet.tablet.create(table, id.as_bytes(), 0, at).unwrap();
    let first = tablet.bytes();
    let notes = WORK_ORDER.field_named("notes").unwrap().number;
    let note = |tablet: &mut Client, number: u64| {
        let change = Change::Set(Held::text(&format!("note {number}")));
        let changed = tablet.tablet.change(order, notes, change, 0, at + number);
        assert_eq!(changed.unwrap(), number);
    };
    // Each push says that the verdicts before it were heard, so that what became of the first is in the log alone.
    for number in 1..=3 {
        if number > 1 {
            note(&mut tablet, number);
        }
        let verdicts = tablet.push(&before).await;
        assert!(verdicts.iter().all(Verdict::is_folded), "{verdicts:?}");
    }

    tablet.token = now.device("t1").await;
    for ((stream, mut event), number) in carried(&before).into_iter().zip(1..) {
        event.id = Some(former_id(&format!("1/{number}")));
        append(&now, stream, event);
    }
    assert_eq!(seen(&now).await, 3);
    let head = now.server.state.log.durable_position();
    let again = tablet.send(&now, PUSH, first).await;
    assert_eq!(verdicts_of(&again), [Verdict::Duplicate]);
    assert_eq!(now.server.state.log.durable_position(), head);

    note(&mut tablet, 4);
    let verdicts = tablet.push(&now).await;
    assert!(verdicts.iter().all(Verdict::is_folded), "{verdicts:?}");
    assert_eq!(seen(&now).await, 4);
    let log = &now.server.state.log;
    assert_eq!(log.position_of(former_id("1/4")).unwrap(), None);
    begins_anew_the_same(&now);
}

/// Whoever may write events could once write what a tablet did, and so have its own operations taken for repeated.
#[tokio::test]
async fn nobody_but_the_server_says_what_a_tablet_did() {
    let (there, here) = (Depot::start().await, Depot::start().await);
    let token = there.device("t1").await;
    let operation = json!([set("a", "notes", json!("forged"))]);
    let answer = there.push(&token, operation).await;
    assert_eq!(statuses(&answer), ["applied"], "{answer}");
    let token = here.device("t1").await;
    let (stream, event) = carried(&there).remove(0);
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();

    let body = json!({
        "aggregate_type": &*stream.aggregate_type,
        "aggregate_id": &*stream.aggregate_id,
        "event_type": &*event.event_type,
        "schema": event.schema,
        "data": json(&event.data),
        "metadata": json(&event.metadata),
    });
    let path = "/api/v1/events";
    let refused = here.server.post(path, &here.dispatcher, body.clone()).await;
    let refused = refused.expect_problem(422, "invalid");
    let fault = &refused["errors"][0];
    assert_eq!(
        (&fault["loc"], &fault["type"]),
        (
            &json!(["body", "metadata", "crdt"]),
            &json!("internal_member")
        ),
        "{refused}"
    );
    let batch = json!({ "events": [body] });
    let path = "/api/v1/events/batch";
    let refused = here.server.post(path, &here.dispatcher, batch).await;
    refused.expect_problem(422, "invalid");

    // As it was taken in before, under an id that its writer chose: that of the operation, and any other.
    let mut written = event.clone();
    written.id = Some(former_id("t1\0a"));
    written.tags.retain(|tag| !tag.starts_with("device:"));
    append(&here, stream.clone(), written);
    // As this log has it, of an operation of another log.
    append(&here, stream, event);
    assert_eq!(seen(&here).await, 0);
    here.server.clock.advance_seconds(10);
    let own = json!([set("a", "notes", json!("mine"))]);
    let answer = here.push(&token, own).await;
    assert_eq!(statuses(&answer), ["applied"], "{answer}");
    assert_eq!(seen(&here).await, 1);
    assert_eq!(here.vehicle().await["notes"], "mine");
    begins_anew_the_same(&here);
}

/// Ids of operations are made of what others know. Somebody once could write an event under that of a tablet's next one, which
/// the tablet could never push then.
#[tokio::test]
async fn nobody_takes_the_id_of_what_a_tablet_does_next() {
    let depot = Depot::start().await;
    let mut tablet = Client::new(&depot, "t1", 1).await;
    tablet.sync(&depot).await;
    let ids = ["1/1", "t2\0a"].map(|name| carrier_id(&depot, name));
    for (id, member) in ids.into_iter().zip(["id", "event_id"]) {
        let mut event = json!({
            "aggregate_type": "Vehicle",
            "aggregate_id": "185123",
            "event_type": "VehicleUpdated",
            "data": { "notes": "in the way" },
        });
        event[member] = json!(id.to_string());
        for (path, body, outer) in [
            ("/api/v1/events", event.clone(), json!(["body", "id"])),
            (
                "/api/v1/events/batch",
                json!({ "events": [event] }),
                json!(["body", "events", 0, "id"]),
            ),
        ] {
            let refused = depot.server.post(path, &depot.technician, body).await;
            let refused = refused.expect_problem(422, "invalid");
            let fault = &refused["errors"][0];
            assert_eq!(
                (&fault["loc"], &fault["type"]),
                (&outer, &json!("internal_id")),
                "{refused}"
            );
        }
    }

    depot.server.clock.advance_seconds(10);
    tablet.note("185123", "mine", NOW_MS + 5_000);
    let verdicts = tablet.sync(&depot).await;
    assert!(
        matches!(verdicts[..], [ref verdict] if verdict.is_folded()),
        "{verdicts:?}"
    );
    let token = depot.device("t2").await;
    let answer = depot
        .push(&token, json!([set("a", "location", json!("Hall 2"))]))
        .await;
    assert_eq!(statuses(&answer), ["applied"], "{answer}");
    for id in ids {
        let place = depot.server.state.log.position_of(id).unwrap();
        assert!(place.is_some(), "{id}");
    }
}

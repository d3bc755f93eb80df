//! Tablets of the protocol's bytes: they converge, live and after a restart, and what is not theirs is noticed.

use std::path::Path;

use axum::body::Body;
use axum::http::{Method, header};
use crdt::sync::{EntityRef, Page, PushAnswer, Tables as _, Tablet, Verdict};
use crdt::wire::{Reader, Wire as _};
use crdt::{Change, DeviceId, Value as Held};
use fleet::Origin;
use fleet::sync::TABLES;
use fleet::sync::tables::WORK_ORDER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use storage::{ExpectedVersion, NewEvent, ReadRequest, StreamName, Transaction};
use uuid::Uuid;

use super::harness::{Answer, TestServer, request};
use super::sync_depot::{Depot, PULL, PUSH, set, state, statuses};
use crate::sync::engine::Engine;

const SYNC: &str = "/api/v1/sync/crdt/sync";
const NOW_MS: u64 = 1_700_000_000_000;

/// A tablet of the protocol over HTTP.
struct Client {
    token: String,
    cursor: String,
    tablet: Tablet,
}

impl Client {
    async fn new(depot: &Depot, id: &str, number: u32) -> Self {
        Client {
            token: depot.device(id).await,
            cursor: String::new(),
            tablet: Tablet::new(DeviceId::new(number), &TABLES),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let frame = self.tablet.frame(1_000);
        let basis = self.tablet.basis();
        frame.map_or_else(Vec::new, |frame| frame.encode(&basis, &self.tablet))
    }

    async fn send(&self, depot: &Depot, path: &str, body: Vec<u8>) -> Answer {
        let path = format!("{path}?cursor={}", self.cursor);
        let headers = [("content-type", "application/octet-stream")];
        let request = request(Method::POST, &path, &self.token, &headers, Body::from(body));
        depot.server.answer(request).await
    }

    /// Pushes what waits, and pulls nothing.
    async fn push(&mut self, depot: &Depot) -> Vec<Verdict> {
        let answer = self.send(depot, PUSH, self.bytes()).await;
        let verdicts = verdicts_of(&answer);
        let told = PushAnswer::decode(&mut Reader::new(&answer.body)).unwrap();
        self.tablet.answer(&told);
        verdicts
    }

    /// One round trip.
    async fn sync(&mut self, depot: &Depot) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        loop {
            let answer = self.send(depot, SYNC, self.bytes()).await;
            assert_eq!(
                answer.status.as_u16(),
                200,
                "{}",
                String::from_utf8_lossy(&answer.body)
            );
            assert_eq!(
                answer.headers[header::CONTENT_TYPE],
                "application/octet-stream"
            );
            let mut reader = Reader::new(&answer.body);
            let told = reader.bytes("answer", 1 << 20).unwrap();
            let told = PushAnswer::decode(&mut Reader::new(told)).unwrap();
            verdicts.extend(
                self.tablet
                    .answer(&told)
                    .into_iter()
                    .map(|(_, verdict)| verdict),
            );
            let page = Page::decode(reader.rest(), &self.tablet).unwrap();
            let last = page.is_last();
            assert!(self.tablet.page(&page));
            self.cursor = answer.header("x-sync-cursor").unwrap().to_owned();
            if last && self.tablet.unjudged() == 0 {
                return verdicts;
            }
        }
    }

    fn entity(&self, table: &str) -> EntityRef {
        let found = self
            .tablet
            .entities()
            .find(|(_, known, _)| known.name == table);
        EntityRef::Known(found.unwrap().0)
    }

    /// Writes a note about this vehicle.
    fn note(&mut self, vehicle: &str, text: &str, now_ms: u64) {
        let found = self
            .tablet
            .entities()
            .find(|(_, _, id)| *id == vehicle.as_bytes());
        let entity = EntityRef::Known(found.unwrap().0);
        let table = self.tablet.table_of(entity).unwrap();
        let number = table.field_named("notes").unwrap().number;
        let change = Change::Set(Held::text(text));
        self.tablet
            .change(entity, number, change, 0, now_ms)
            .unwrap();
    }

    fn change(&mut self, table: &str, field: &str, change: Change, now_ms: u64) {
        let entity = self.entity(table);
        let number = self
            .tablet
            .table_of(entity)
            .unwrap()
            .field_named(field)
            .unwrap()
            .number;
        self.tablet
            .change(entity, number, change, 0, now_ms)
            .unwrap();
    }

    async fn digest_agrees(&self, depot: &Depot) {
        let path = format!("{PULL}?digest=true&limit=10000&cursor={}", self.cursor);
        let answer = depot
            .server
            .get_with(
                &path,
                &self.token,
                &[("accept", "application/octet-stream")],
            )
            .await;
        let page = Page::decode(&answer.body, &self.tablet).unwrap();
        assert_eq!(page.digest, Some(self.tablet.digest()));
    }
}

#[tokio::test]
async fn tablets_of_the_protocol_converge_and_a_restart_changes_nothing() {
    let mut depot = Depot::start_with(|config| config.sync.batch_size = 1).await;
    let mut one = Client::new(&depot, "t1", 1).await;
    let mut two = Client::new(&depot, "t2", 2).await;
    depot.order().await;
    one.sync(&depot).await;
    two.sync(&depot).await;
    let now = NOW_MS + 5_000;
    depot.server.clock.advance_seconds(10);
    one.change("Vehicle", "notes", Change::Set(Held::text("one")), now);
    one.change("WorkOrder", "tasks", Change::Insert(Held::text("oil")), now);
    one.change(
        "WorkOrder",
        "status",
        Change::Set(Held::text("in_progress")),
        now,
    );
    two.change("Vehicle", "notes", Change::Set(Held::text("two")), now + 1);
    two.change(
        "WorkOrder",
        "tasks",
        Change::Insert(Held::text("belt")),
        now,
    );
    let put = Change::Put {
        key: Held::text("f1"),
        field: 1,
        value: Held::text("crack"),
    };
    two.change("WorkOrder", "finding_items", put, now);
    depot.patch_vehicle(json!({"home_depot": "North"})).await;
    // The first answer is lost.
    one.send(&depot, PUSH, one.bytes()).await.expect_status(200);
    let verdicts = one.sync(&depot).await;
    assert_eq!(verdicts.len(), 3);
    assert!(verdicts.iter().all(Verdict::is_folded), "{verdicts:?}");
    two.sync(&depot).await;
    one.sync(&depot).await;
    one.digest_agrees(&depot).await;
    two.digest_agrees(&depot).await;
    assert_eq!(one.tablet.digest(), two.tablet.digest());
    assert_eq!(depot.vehicle().await["notes"], "two");

    let token = one.token.clone();
    let folder = depot.server.stop();
    depot.server = TestServer::start_in(folder, |_| {});
    one.digest_agrees(&depot).await;
    let order = one.entity("WorkOrder");
    assert!(one.tablet.view(order).is_some() && token == one.token);
    one.change(
        "Vehicle",
        "notes",
        Change::Set(Held::text("after")),
        now + 9,
    );
    assert_eq!(one.sync(&depot).await.len(), 1);
    two.sync(&depot).await;
    assert_eq!(one.tablet.digest(), two.tablet.digest());
    two.digest_agrees(&depot).await;

    // A copy of the tablet is noticed.
    let mut copy = Client {
        token: one.token.clone(),
        cursor: one.cursor.clone(),
        tablet: one.tablet.clone(),
    };
    one.change(
        "Vehicle",
        "notes",
        Change::Set(Held::text("original")),
        now + 20,
    );
    copy.change(
        "Vehicle",
        "notes",
        Change::Set(Held::text("copy")),
        now + 21,
    );
    one.sync(&depot).await;
    let refused = copy
        .send(&depot, SYNC, copy.bytes())
        .await
        .expect_problem(409, "conflict");
    assert_eq!(refused["code"], "cloned", "{refused}");
    let cloned = refused;
    let forged = Client {
        token: copy.token.clone(),
        cursor: two.cursor.clone(),
        tablet: copy.tablet.clone(),
    };
    let refused = forged
        .send(&depot, PUSH, forged.bytes())
        .await
        .expect_problem(409, "conflict");
    assert_eq!(refused["code"], "cursor_unknown");
    copy.send(&depot, PUSH, vec![7; 90])
        .await
        .expect_problem(400, "bad-request");

    // It registers anew, and what it alone has comes under its new number: nothing is lost, nothing counts twice.
    let created: Vec<(u64, crdt::collapsed::Handle)> = cloned["created"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let handle = u32::try_from(pair[1].as_u64().unwrap()).unwrap();
            (pair[0].as_u64().unwrap(), crdt::collapsed::Handle(handle))
        })
        .collect();
    let mut reborn = Client {
        token: depot.device("t1").await,
        cursor: copy.cursor.clone(),
        tablet: copy.tablet.clone(),
    };
    let agreed = cloned["agreed"].as_u64().unwrap();
    let left = reborn.tablet.reborn(DeviceId::new(3), agreed, &created);
    assert_eq!(left, []);
    let verdicts = reborn.sync(&depot).await;
    assert!(
        matches!(verdicts[..], [ref verdict] if verdict.is_folded()),
        "{verdicts:?}"
    );
    reborn.digest_agrees(&depot).await;
    let of = |found: &Value| found["value"].as_str().unwrap_or_default().to_owned();
    let page = depot.pull(&depot.device("t9").await, "").await;
    let notes = &state(&page, "Vehicle")["fields"]["notes"];
    let mut all = vec![of(notes)];
    all.extend(notes["siblings"].as_array().into_iter().flatten().map(of));
    all.sort_unstable();
    assert_eq!(all, ["copy", "original"], "{notes}");
}

#[track_caller]
fn verdicts_of(answer: &Answer) -> Vec<Verdict> {
    answer.expect_status(200);
    let told = PushAnswer::decode(&mut Reader::new(&answer.body)).unwrap();
    let verdicts = told.verdicts.into_iter();
    verdicts.map(|(_, verdict)| verdict).collect()
}

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

/// The files of a data folder, as a backup has them.
fn copied(from: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let to = tempfile::tempdir().unwrap();
    copy(from, to.path());
    to
}

#[tokio::test]
async fn a_cursor_of_what_a_restored_backup_never_had_is_told_so() {
    let mut depot = Depot::start().await;
    let mut tablet = Client::new(&depot, "t1", 1).await;
    tablet.sync(&depot).await;
    let folder = depot.server.stop();
    let backup = copied(folder.path());
    depot.server = TestServer::start_in(folder, |_| {});
    depot
        .patch_vehicle(json!({"notes": "lost with the disk"}))
        .await;
    tablet.sync(&depot).await;

    drop(depot.server.stop());
    depot.server = TestServer::start_in(backup, |_| {});
    let ahead = tablet.send(&depot, SYNC, tablet.bytes()).await;
    let ahead = ahead.expect_problem(409, "conflict");
    assert_eq!(ahead["code"], "cursor_of_another_history", "{ahead}");
    // Other things were written since, beyond the place that the tablet had seen.
    for number in 0..4 {
        let note = format!("written again {number}");
        depot.patch_vehicle(json!({ "notes": note })).await;
    }
    let beside = tablet.send(&depot, SYNC, tablet.bytes()).await;
    let beside = beside.expect_problem(409, "conflict");
    assert_eq!(beside["code"], "cursor_of_another_history", "{beside}");

    let mut again = Client::new(&depot, "t1", 2).await;
    again.sync(&depot).await;
    again.digest_agrees(&depot).await;
}

/// Flips a bit of the one place below `folder` where `text` stands.
fn damage(folder: &Path, text: &str) -> bool {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return damage(&path, text);
        }
        let mut bytes = std::fs::read(&path).unwrap_or_default();
        let at = memchr::memmem::find(&bytes, text.as_bytes());
        if let Some(at) = at {
            bytes[at] ^= 1;
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &bytes[at..=at], at as u64).unwrap();
        }
        at.is_some()
    })
}

#[tokio::test]
async fn a_frame_against_an_entry_that_cannot_be_read_is_refused_until_the_tablet_has_pulled() {
    let depot = Depot::start().await;
    let mut one = Client::new(&depot, "t1", 1).await;
    depot
        .patch_vehicle(json!({"notes": "the entry at the cursor"}))
        .await;
    one.sync(&depot).await;
    let now = NOW_MS + 5_000;
    one.change("Vehicle", "notes", Change::Set(Held::text("mine")), now);
    assert!(damage(
        depot.server.folder.path(),
        "the entry at the cursor"
    ));
    let refused = one.send(&depot, PUSH, one.bytes()).await;
    let refused = refused.expect(409);
    assert_eq!(refused["code"], "cursor_unreadable", "{refused}");
    // It is no other history: the tablet goes on from where it is.
    depot.patch_vehicle(json!({"home_depot": "North"})).await;
    let path = format!("{PULL}?limit=1000&cursor={}", one.cursor);
    let accept = [("accept", "application/octet-stream")];
    let answer = depot.server.get_with(&path, &one.token, &accept).await;
    let page = Page::decode(&answer.body, &one.tablet).unwrap();
    assert!(one.tablet.page(&page));
    one.cursor = answer.header("x-sync-cursor").unwrap().to_owned();
    let verdicts = one.sync(&depot).await;
    assert!(verdicts.iter().all(Verdict::is_folded), "{verdicts:?}");
    assert_eq!(depot.vehicle().await["notes"], "mine");
}

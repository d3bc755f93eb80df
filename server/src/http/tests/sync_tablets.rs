//! Tablets of the protocol's bytes: they converge, live and after a restart, and what is not theirs is noticed.

use std::path::Path;

use axum::body::Body;
use axum::http::{Method, header};
use crdt::sync::{EntityRef, Page, PushAnswer, Tables as _, Tablet, Verdict};
use crdt::wire::{Reader, Wire as _};
use crdt::{Change, DeviceId, Value as Held};
use fleet::sync::TABLES;
use serde_json::{Value, json};

use super::harness::{Answer, TestServer, request};
use super::sync_depot::{Depot, PULL, PUSH, state};

mod ids;

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

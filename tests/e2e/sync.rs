//! Tablets over HTTP against the real program: offline work of several hands on one order, connections that break in the
//! middle, a server that is killed. All end up equal, and nothing that was acknowledged is missing.
//!
//! `RAILFLEET_SYNC_ROUNDS` says how many rounds; the server is killed in about every sixth.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};

use crdt::sync::{EntityRef, Page, PushAnswer, Tables as _, Tablet};
use crdt::wire::{Reader, Wire as _};
use crdt::{Change, DeviceId, Value as Held};
use fleet::sync::TABLES;
use harness::client::Client;
use harness::load::Seeded;
use harness::process::must;
use harness::server::DataFolder;
use harness::skip;
use serde_json::{Value, json};

use super::operating::figures::{Group, hold};

const SEED: u64 = 7;
const TABLETS: usize = 4;
/// The clock that tablets believe in; the first one's is two hours fast, the second one's a day slow.
const SKEW_MS: [i64; TABLETS] = [7_200_000, -86_400_000, 0, 0];

struct Hand {
    token: String,
    cursor: String,
    tablet: Tablet,
    /// Members it added, by the numbers of the operations; and those of them that the server said it has.
    added: Vec<(u64, String)>,
    acknowledged: BTreeSet<String>,
    skew_ms: i64,
}

fn now_ms() -> u64 {
    let now = storage::Clock::now(&storage::SystemClock);
    u64::try_from(now.micros() / 1_000).unwrap_or(0)
}

impl Hand {
    fn frame(&self) -> Vec<u8> {
        let frame = self.tablet.frame(50);
        frame.map_or_else(Vec::new, |frame| {
            frame.encode(&self.tablet.basis(), &self.tablet)
        })
    }

    fn path(&self) -> String {
        format!("/api/v1/sync/crdt/sync?limit=3&cursor={}", self.cursor)
    }

    fn order(&self) -> Option<EntityRef> {
        let order = self
            .tablet
            .entities()
            .find(|(_, table, _)| table.name == "WorkOrder")?;
        Some(EntityRef::Known(order.0))
    }

    fn work(&mut self, chance: &mut Seeded, name: &str) {
        let Some(order) = self.order() else { return };
        let now = now_ms().saturating_add_signed(self.skew_ms);
        let number = |field: &str| {
            let table = self.tablet.table_of(order);
            table
                .and_then(|table| table.field_named(field))
                .expect("a field")
                .number
        };
        let (tasks, notes, checklist) = (number("tasks"), number("notes"), number("checklist"));
        let change = match chance.below(3) {
            0 => (notes, Change::Set(Held::text(name))),
            1 => {
                let key = Held::text(&format!("step {}", chance.below(5)));
                let value = Held::text(name);
                (
                    checklist,
                    Change::Put {
                        key,
                        field: 7,
                        value,
                    },
                )
            }
            _ => (tasks, Change::Insert(Held::text(name))),
        };
        let is_task = change.0 == tasks;
        let made = self.tablet.change(order, change.0, change.1, 0, now);
        let seq = made.expect("the change fits");
        if is_task {
            self.added.push((seq, name.to_owned()));
        }
    }

    /// Sends what waits and goes before the answer comes.
    fn send_and_hang_up(&self, port: u16, chance: &mut Seeded) {
        let frame = self.frame();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            self.path(),
            self.token,
            frame.len()
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&frame);
        if chance.below(2) == 0 {
            // The request itself is cut.
            let cut = usize::try_from(chance.below(bytes.len() as u64)).unwrap_or(0);
            bytes.truncate(cut);
        }
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            let _ = stream.write_all(&bytes);
        }
    }

    /// One round trip. Answers whether its download is complete and nothing waits.
    fn sync(&mut self, port: u16) -> bool {
        let mut client = Client::new(port).with_token(&self.token);
        let headers = [("Content-Type", "application/octet-stream")];
        let answer = client.request("POST", &self.path(), &headers, &self.frame());
        let Ok(answer) = answer else { return false };
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "{text}");
        let mut reader = Reader::new(&answer.body);
        let told = reader.bytes("answer", 1 << 20).expect("an answer");
        let told = PushAnswer::decode(&mut Reader::new(told));
        for (operation, verdict) in self.tablet.answer(&told.expect("verdicts")) {
            assert!(verdict.is_folded(), "{operation}: {verdict:?}");
            let added = self.added.iter().find(|(seq, _)| *seq == operation.seq);
            self.acknowledged
                .extend(added.map(|(_, name)| name.clone()));
        }
        let page = Page::decode(reader.rest(), &self.tablet).expect("a page");
        let last = page.is_last();
        assert!(self.tablet.page(&page), "the page answers the cursor");
        let cursor = answer
            .headers
            .iter()
            .find(|(name, _)| name == "x-sync-cursor");
        self.cursor = cursor.expect("a cursor").1.clone();
        last && self.tablet.unjudged() == 0
    }

    fn sync_to_the_end(&mut self, port: u16) {
        for _ in 0..200 {
            if self.sync(port) {
                return;
            }
        }
        panic!("the tablet does not come to an end");
    }
}

fn ask(client: &mut Client, path: &str, body: &Value) -> Value {
    let answer = must("asking", client.post(path, &body.to_string()));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 201, "{path}: {text}");
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[test]
fn tablets_agree_through_broken_connections_and_a_killed_server() {
    let folder = DataFolder::new();
    let mut server = folder.serve();
    let mut client = server.client();
    let vehicle = json!({"asset_id": "218 001", "model": "218", "type": "diesel"});
    ask(&mut client, "/api/v1/vehicles", &vehicle);
    let order = json!({"vehicle_id": "218 001", "work_description": "Brakes"});
    let order = ask(&mut client, "/api/v1/maintenance/orders", &order);
    let order_id = order["id"].as_str().expect("an id").to_owned();
    let mut hands = Vec::new();
    for (number, skew_ms) in (1..).zip(SKEW_MS) {
        let id = format!("tablet-{number}");
        let body = json!({"device_id": id, "device_name": id, "device_type": "tablet"});
        let answer = ask(&mut client, "/api/v1/sync/devices/register", &body);
        assert_eq!(answer["device_number"], number);
        hands.push(Hand {
            token: answer["device_token"].as_str().expect("a token").to_owned(),
            cursor: String::new(),
            tablet: Tablet::new(DeviceId::new(number), &TABLES),
            added: Vec::new(),
            acknowledged: BTreeSet::new(),
            skew_ms,
        });
    }
    for hand in &mut hands {
        hand.sync_to_the_end(server.port());
    }
    let mut chance = Seeded::new(SEED);
    for round in 0..skip::how_many("RAILFLEET_SYNC_ROUNDS", 24) {
        for (index, hand) in hands.iter_mut().enumerate() {
            for step in 0..chance.below(4) {
                hand.work(&mut chance, &format!("{index}/{round}/{step}"));
            }
            match chance.below(4) {
                0 => {}
                1 => hand.send_and_hang_up(server.port(), &mut chance),
                _ => {
                    hand.sync(server.port());
                }
            }
        }
        if chance.below(6) == 0 {
            server.kill();
            server = folder.serve();
        }
    }
    // What the last server counts is what came since it began.
    for (index, hand) in hands.iter_mut().enumerate() {
        hand.work(&mut chance, &format!("{index}/last"));
    }
    for _ in 0..2 {
        for hand in &mut hands {
            hand.sync_to_the_end(server.port());
        }
    }
    let mut impostor = Client::new(server.port()).with_token("rfd_of-nobody");
    must("asking", impostor.get("/api/v1/sync/crdt/pull")).expect(401);
    let figures = must("asking for metrics", server.stranger().get("/metrics")).text();
    hold(&figures, Group::Tablets);
    let mut client = server.client();
    let path = format!("/api/v1/maintenance/orders/{order_id}");
    let shown = must("asking", client.get(&path));
    let shown: Value = serde_json::from_slice(&shown.body).expect("JSON");
    let tasks: BTreeSet<&str> = shown["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let mut count = 0;
    for hand in &hands {
        assert_eq!(
            hand.tablet.digest(),
            hands[0].tablet.digest(),
            "seed {SEED}"
        );
        for name in &hand.acknowledged {
            assert!(
                tasks.contains(name.as_str()),
                "seed {SEED}: {name} is missing"
            );
        }
        assert_eq!(hand.acknowledged.len(), hand.added.len(), "all was judged");
        count += hand.added.len();
    }
    assert_eq!(tasks.len(), count, "nothing was invented or doubled");
    assert!(count > 10, "{count} tasks are a poor test");
    server.stop();
    let (code, said) = folder.verify(&[]);
    assert_eq!(code, Some(0), "{said}");
}

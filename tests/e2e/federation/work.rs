//! What people do at a depot while the network between depots comes and goes: seeded, over HTTP, each request repeated
//! until it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use harness::client::{Answer, Client};
use harness::load::Seeded;
use serde_json::{Value, json};
use uuid::Uuid;

/// Vehicles that all depots write about.
const SHARED_VEHICLES: u64 = 8;
/// Between two requests, in milliseconds.
const PAUSE_MS: u64 = 60;
/// Before a request that got no answer is sent again.
const AGAIN: Duration = Duration::from_millis(50);
/// How long an answer may take before the request is sent again: a depot may be stopped.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a request may go without any answer: longer than a depot may take to start.
const SILENCE_MAX: Duration = Duration::from_secs(900);

/// Where a depot can be reached; 0 while it cannot.
pub(super) type Door = Arc<AtomicU16>;

/// What came of the work at a depot.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The ids of events that were acknowledged under ids of the caller.
    pub(super) ids: Vec<Uuid>,
    /// The positions of commands that were acknowledged.
    pub(super) positions: Vec<u64>,
    /// Requests that were refused, by status.
    pub(super) refused: BTreeMap<u16, u64>,
    /// Requests that got no answer, and were sent again.
    pub(super) unanswered: u64,
}

/// One request.
struct Deed {
    method: &'static str,
    path: String,
    body: Value,
    /// The ids of its events, where the caller gives them.
    ids: Vec<Uuid>,
}

/// Somebody who works at a depot.
pub(super) struct Worker {
    depot: &'static str,
    token: String,
    door: Door,
    chance: Seeded,
    client: Option<(u16, Client)>,
    vehicles: u64,
    orders: Vec<String>,
    parts: u64,
    done: Done,
}

impl Worker {
    pub(super) fn new(depot: &'static str, token: String, door: Door, seed: u64) -> Worker {
        Worker {
            depot,
            token,
            door,
            chance: Seeded::new(seed),
            client: None,
            vehicles: 0,
            orders: Vec::new(),
            parts: 0,
            done: Done::default(),
        }
    }

    /// Works until it is told to stop, and ends with an answer to its last request.
    pub(super) fn work(mut self, stop: &AtomicBool) -> Done {
        while !stop.load(Ordering::Relaxed) {
            let deed = self.choose();
            let key = self.chance.id().to_string();
            let began = Instant::now();
            let answer = loop {
                if let Some(answer) = self.ask(&deed, &key) {
                    break answer;
                }
                // All depots run when the world is told to stop, unless it failed: then nobody will answer.
                let is_gone = self.door.load(Ordering::Relaxed) == 0;
                if is_gone && stop.load(Ordering::Relaxed) {
                    return self.done;
                }
                assert!(
                    began.elapsed() < SILENCE_MAX,
                    "{} does not answer {} {}",
                    self.depot,
                    deed.method,
                    deed.path
                );
                self.done.unanswered += 1;
                std::thread::sleep(AGAIN);
            };
            self.note(deed, &answer);
            std::thread::sleep(Duration::from_millis(self.chance.below(PAUSE_MS)));
        }
        self.done
    }

    /// `None` where nobody answered, or that it cannot be done now.
    ///
    /// # Panics
    /// When the server failed, or has no room: that would be so for every request after it.
    fn ask(&mut self, deed: &Deed, key: &str) -> Option<Answer> {
        let port = self.door.load(Ordering::Relaxed);
        if port == 0 {
            return None;
        }
        let (_, mut client) = match self.client.take() {
            Some(known) if known.0 == port => known,
            _ => {
                let client = Client::new(port).with_patience(PATIENCE);
                (port, client.with_token(self.token.as_str()))
            }
        };
        let mut headers = vec![("Content-Type", "application/json")];
        if deed.ids.is_empty() {
            headers.push(("Idempotency-Key", key));
        }
        let body = deed.body.to_string();
        let answer = client.request(deed.method, &deed.path, &headers, body.as_bytes());
        let answer = answer.ok()?;
        match answer.status {
            // The server has too much to do, or this process had: the request came too slowly.
            408 | 503 => return None,
            507 => panic!(
                "{}: the disk with the temporary files (TMPDIR) is full",
                self.depot
            ),
            500.. => panic!("{} {}: {}", deed.method, deed.path, answer.text()),
            _ => {}
        }
        self.client = Some((port, client));
        Some(answer)
    }

    fn note(&mut self, deed: Deed, answer: &Answer) {
        match answer.status {
            200 | 201 if deed.ids.is_empty() => {
                let row = answer.json();
                self.done.positions.extend(row["position"].as_u64());
                if deed.path.ends_with("/orders") {
                    self.orders
                        .extend(row["order_number"].as_str().map(str::to_owned));
                }
            }
            200 | 201 => self.done.ids.extend(deed.ids),
            // What another depot decides, what is there already, what is not there yet, what does not follow.
            status @ (400 | 404 | 409) => *self.done.refused.entry(status).or_default() += 1,
            status => panic!("{} {}: {status}: {}", deed.method, deed.path, answer.text()),
        }
    }

    fn choose(&mut self) -> Deed {
        match self.chance.below(12) {
            0 => {
                self.vehicles += 1;
                let asset_id = match self.vehicles <= SHARED_VEHICLES {
                    // All depots claim these.
                    true => shared(self.vehicles - 1),
                    false => format!("{} {}", self.depot, self.vehicles),
                };
                let body = json!({ "asset_id": asset_id, "model": "218", "type": "diesel", "notes": self.depot });
                command("POST", "/api/v1/vehicles".to_owned(), body)
            }
            1 | 2 => {
                let vehicle = self.shared_vehicle().replace(' ', "%20");
                let change = match self.chance.below(3) {
                    0 => json!({ "notes": self.say() }),
                    1 => json!({ "current_location": self.say() }),
                    _ => json!({ "current_mileage_km": self.chance.below(1_000_000) }),
                };
                command("PATCH", format!("/api/v1/vehicles/{vehicle}"), change)
            }
            3 => {
                let vehicle = self.shared_vehicle();
                command(
                    "POST",
                    "/api/v1/maintenance/orders".to_owned(),
                    json!({ "vehicle_id": vehicle, "notes": self.say() }),
                )
            }
            4 if !self.orders.is_empty() => {
                let at = self.chance.place(self.orders.len());
                let path = format!("/api/v1/maintenance/orders/{}/notes", self.orders[at]);
                command("POST", path, json!({ "text": self.say() }))
            }
            5 => {
                self.parts += 1;
                let body = json!({ "part_no": format!("{}/{}", self.depot, self.parts % 5), "name": "Brake pad", "min_stock": 1 });
                command("POST", "/api/v1/parts".to_owned(), body)
            }
            6 => {
                let count = 1 + self.chance.below(20);
                let ids: Vec<Uuid> = (0..count).map(|_| self.chance.id()).collect();
                let events: Vec<Value> = ids.iter().map(|id| self.happening(*id)).collect();
                Deed {
                    method: "POST",
                    path: "/api/v1/events/batch".to_owned(),
                    body: json!({ "events": events }),
                    ids,
                }
            }
            _ => {
                let id = self.chance.id();
                Deed {
                    method: "POST",
                    path: "/api/v1/events".to_owned(),
                    body: self.happening(id),
                    ids: vec![id],
                }
            }
        }
    }

    /// Something that happened, often to a vehicle that others write about at the same microsecond.
    fn happening(&mut self, id: Uuid) -> Value {
        let vehicle = self.shared_vehicle();
        let said = self.say();
        let (of, which, what, data) = match self.chance.below(5) {
            0 => {
                let status = ["available", "in_service", "out_of_service"];
                let status = status[self.chance.place(3)];
                (
                    "Vehicle",
                    vehicle,
                    "VehicleStatusChanged",
                    json!({ "new_status": status }),
                )
            }
            1 => {
                let data = json!({ "delay_min": self.chance.below(60), "is_failure": true, "fault_group": "door" });
                ("Vehicle", vehicle, "VehicleIncidentReported", data)
            }
            2 => (
                "Vehicle",
                vehicle,
                "VehicleNoteTaken",
                json!({ "note": said }),
            ),
            3 => {
                let crane = format!("Crane {}", self.chance.below(3));
                (
                    "Crane",
                    crane,
                    "CraneChecked",
                    json!({ "remark": said, "load": self.chance.below(9) }),
                )
            }
            _ => {
                let pit = format!("{} {}", self.depot, self.chance.below(40));
                (
                    "Pit",
                    pit,
                    "PitMeasured",
                    json!({ "depth": self.chance.below(9), "by": said }),
                )
            }
        };
        let mut event = json!({ "aggregate_type": of, "aggregate_id": which, "event_type": what, "data": data, "id": id });
        if self.chance.below(2) == 0 {
            let second = self.chance.below(60);
            event["occurred_at"] = json!(format!("2026-01-01T00:00:{second:02}Z"));
        }
        event
    }

    fn shared_vehicle(&mut self) -> String {
        shared(self.chance.below(SHARED_VEHICLES))
    }

    fn say(&mut self) -> String {
        format!("{} {}", self.depot, self.chance.below(1_000_000))
    }
}

fn shared(number: u64) -> String {
    format!("Shared {number}")
}

fn command(method: &'static str, path: String, body: Value) -> Deed {
    Deed {
        method,
        path,
        body,
        ids: Vec::new(),
    }
}

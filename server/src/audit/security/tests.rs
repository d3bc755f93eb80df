//! Refusals are kept, and a flood of them is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;
use storage::{Clock, Log, LogOptions, ReadRequest, Timestamp};

use super::*;

#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

struct Desk {
    security: SecurityLog,
    log: Arc<Log>,
    clock: Arc<Hand>,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_700_000_000_000_000)));
        let options = LogOptions {
            clock: clock.clone(),
            ..LogOptions::default()
        };
        let log = Arc::new(Log::open(folder.path(), options).unwrap());
        Desk {
            security: SecurityLog::new(log.clone(), clock.clone()),
            log,
            clock,
            _folder: folder,
        }
    }

    fn wait(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * SECOND, Ordering::SeqCst);
    }

    fn refuse(&self, user: &str) {
        self.security.refused_write(RefusedWrite {
            method: "POST",
            path: "/api/v1/vehicles",
            status: 403,
            problem: "forbidden",
            user: Some(user),
            address: None,
        });
    }

    /// Type and count of every event, once they are durable.
    fn told(&self) -> Vec<(String, u64)> {
        // An append behind those that were submitted: they are durable when it is.
        let stream = StreamName::new("Crane", "1");
        let mark = Transaction::single(stream, ExpectedVersion::Any, NewEvent::new("Mark", "{}"));
        self.log.append(mark).unwrap();
        let mut reader = self.log.read(&ReadRequest::default()).unwrap();
        let mut told = Vec::new();
        while let Some(event) = reader.next() {
            let event = event.unwrap();
            if event.event_type() != "Mark" {
                let data: Value = serde_json::from_slice(event.data()).unwrap();
                told.push((
                    event.event_type().to_owned(),
                    data["count"].as_u64().unwrap(),
                ));
            }
        }
        told
    }
}

#[test]
fn the_first_is_told_at_once_and_repetitions_once_a_minute() {
    let desk = Desk::open();
    desk.refuse("ada");
    desk.security.flush(false);
    for _ in 0..1_000 {
        desk.refuse("ada");
        desk.security.flush(false);
    }
    assert_eq!(desk.told(), [("WriteRefused".to_owned(), 1)]);
    desk.wait(60);
    desk.security.flush(false);
    assert_eq!(desk.told()[1], ("WriteRefused".to_owned(), 1_000));
    desk.refuse("ada");
    desk.security.flush(true);
    assert_eq!(desk.told().len(), 3, "at the end nothing is kept back");
}

#[test]
fn a_flood_from_everywhere_is_bounded_and_counted_to_the_last() {
    let desk = Desk::open();
    let mut sent = 0;
    for minute in 0..60 {
        for n in 0..2_000 {
            desk.refuse(&format!("{minute}-{n}"));
            sent += 1;
        }
        desk.security.flush(false);
        desk.wait(60);
    }
    desk.security.flush(true);
    let told = desk.told();
    assert!(told.len() <= 600 + 256 + 61, "{}", told.len());
    assert_eq!(told.iter().map(|(_, count)| count).sum::<u64>(), sent);
}

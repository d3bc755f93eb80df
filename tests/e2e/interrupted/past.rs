//! What lies in a depot's log before the work begins, written while no server has it: years of failures to learn from, and
//! tablets that nobody waits for any more.

use harness::load::Seeded;
use harness::process::wait_until_free;
use harness::server::DataFolder;
use serde_json::{Value, json};
use storage::{
    Clock as _, ExpectedVersion, Log, LogOptions, NewEvent, StreamName, StreamWrite, SystemClock,
    Timestamp, Transaction,
};
use uuid::Uuid;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Learning asks for two at least.
const YEARS: i64 = 5;
const VEHICLES: u64 = 40;

fn append(folder: &DataFolder, writes: Vec<StreamWrite>) {
    let log = Log::open(&folder.log(), LogOptions::default()).expect("a log that nobody has");
    let transaction = Transaction {
        writes,
        condition: None,
    };
    log.append(transaction).expect("the log takes it");
    log.close();
    wait_until_free(&folder.log());
}

/// An event that counts as known when it happened, as what is taken in from a file does.
fn brought_in(event_type: &str, at: i64, data: &Value) -> NewEvent {
    let mut event = NewEvent::new(event_type, data.to_string()).at(Timestamp::from_micros(at));
    event.metadata = br#"{"source":"a file"}"#.to_vec();
    event
}

/// Vehicles and their failures over some years; every fourth fails much more often.
pub(super) fn years_of_failures(folder: &DataFolder) {
    let now = SystemClock.now().micros();
    let begin = now - YEARS * 365 * DAY;
    let mut chance = Seeded::new(7);
    let writes = (0..VEHICLES).map(|number| {
        let id = format!("unit-{number}");
        let (mean_days, group) = match number % 4 {
            0 => (25, "door"),
            _ => (240, "brake"),
        };
        let created = json!({ "asset_id": id, "model": "T1" });
        let failed = json!({ "delay_min": 4, "is_failure": true, "fault_group": group });
        let mut events = vec![brought_in("VehicleCreated", begin, &created)];
        let mut at = begin;
        loop {
            let days = 1 + chance.below(2 * mean_days);
            at += DAY * i64::try_from(days).expect("some months");
            if at > now - 2 * DAY {
                break;
            }
            events.push(brought_in("VehicleIncidentReported", at, &failed));
        }
        StreamWrite {
            stream: StreamName::new("Vehicle", id),
            expected: ExpectedVersion::NoStream,
            events,
        }
    });
    append(folder, writes.collect());
}

/// So many tablets whose tokens ended long ago: a compaction says of each that it is waited for no longer.
pub(super) fn overdue_tablets(folder: &DataFolder, round: u64, count: u64) {
    let writes = (0..count).map(|number| {
        let registered =
            json!({ "device_name": "Tablet", "device_type": "tablet", "is_active": true });
        let token = json!({
            "token_hash": format!("{:064x}", round * count + number),
            "user_id": Uuid::nil().to_string(),
            "role": "TECHNICIAN",
            "token_expires_at": "2020-01-01T00:00:00Z",
        });
        let events = [
            (fleet::device::event::DEVICE_REGISTERED, registered),
            (fleet::device::event::DEVICE_TOKEN_ISSUED, token),
        ];
        StreamWrite {
            stream: StreamName::new(
                fleet::device::AGGREGATE_TYPE,
                format!("overdue-{round}-{number}"),
            ),
            expected: ExpectedVersion::NoStream,
            events: events
                .map(|(event_type, data)| NewEvent::new(event_type, data.to_string()))
                .into(),
        }
    });
    append(folder, writes.collect());
}

//! A log as a large depot has it: vehicles and their work orders, as the fleet's own events.

use fleet::calendar::{DAY, format_time};
use serde_json::{Value, json};
use storage::{
    Clock as _, ExpectedVersion, Log, NewEvent, StreamName, StreamWrite, SystemClock, Timestamp,
    Transaction,
};
use uuid::Uuid;

use crate::BenchError;

/// Events of a transaction.
const EVENTS_AT_ONCE: u64 = 1_000;
const STATUSES: [&str; 5] = [
    "draft",
    "scheduled",
    "in_progress",
    "completed",
    "cancelled",
];
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "urgent"];
const TYPES: [&str; 3] = ["electric", "diesel", "hybrid"];

/// How large a depot is.
#[derive(Clone, Copy, Debug)]
pub struct Depot {
    /// How many vehicles.
    pub vehicles: u64,
    /// How many events each vehicle has: the first makes it, the others are readings of its odometer.
    pub events_per_vehicle: u64,
    /// How many work orders, one event each, over the vehicles in turns.
    pub orders: u64,
    /// Over how many days until now readings and orders happened; 0: all just now.
    pub days: u64,
}

impl Depot {
    /// How many events these are.
    pub fn events(&self) -> u64 {
        self.vehicles * self.events_per_vehicle + self.orders
    }

    /// Appends them: vehicles, then their readings in turns, then orders.
    ///
    /// # Errors
    /// [`BenchError::Append`] when the log refuses.
    pub fn fill(&self, log: &Log) -> Result<(), BenchError> {
        append_all(log, self.vehicles, |number| {
            (vehicle_stream(number), vehicle(number))
        })?;
        let readings = self.vehicles * self.events_per_vehicle.saturating_sub(1);
        append_all(log, readings, |number| {
            let reading = json!({ "new_mileage": 10_000 + number });
            let mut event = current("Vehicle", "VehicleMileageUpdated", &reading);
            event.occurred_at = self.happened(number, readings);
            (vehicle_stream(number % self.vehicles), event)
        })?;
        append_all(log, self.orders, |number| {
            let happened = self.happened(number, self.orders);
            let mut event = order(number, number % self.vehicles, happened);
            event.occurred_at = happened;
            (order_stream(number), event)
        })
    }

    /// When one of so many happened: they are spread evenly over the days.
    fn happened(&self, number: u64, of: u64) -> Option<Timestamp> {
        let before = self.days * DAY.unsigned_abs() * (of - number) / of;
        let before = i64::try_from(before).ok().filter(|before| *before > 0)?;
        Some(SystemClock.now().plus_micros(-before))
    }
}

fn append_all(
    log: &Log,
    events: u64,
    make: impl Fn(u64) -> (StreamName, NewEvent),
) -> Result<(), BenchError> {
    let mut first = 0;
    while first < events {
        let end = (first + EVENTS_AT_ONCE).min(events);
        let writes = (first..end).map(|number| {
            let (stream, event) = make(number);
            StreamWrite {
                stream,
                expected: ExpectedVersion::Any,
                events: vec![event],
            }
        });
        log.append(Transaction {
            writes: writes.collect(),
            condition: None,
        })?;
        first = end;
    }
    Ok(())
}

/// The asset id of a vehicle.
pub fn asset_id(number: u64) -> String {
    format!("{:06}", 100_000 + number)
}

/// The UUID of a vehicle's row, which orders name it by.
fn row_id(number: u64) -> String {
    Uuid::from_u128(u128::from(number) | 1 << 127).to_string()
}

fn vehicle_stream(number: u64) -> StreamName {
    StreamName::new("Vehicle", asset_id(number))
}

fn order_stream(number: u64) -> StreamName {
    let id = Uuid::from_u128(u128::from(number) | 1 << 126);
    StreamName::new("WorkOrder", id.to_string())
}

fn vehicle(number: u64) -> NewEvent {
    let data = json!({
        "id": row_id(number), "asset_id": asset_id(number), "model": format!("BR {}", 101 + number % 90),
        "type": pick(&TYPES, number), "manufacturer": "Siemens", "year": 1_990 + number % 35,
        "status": if number.is_multiple_of(10) { "in_workshop" } else { "in_service" },
        "current_mileage_km": 10_000, "home_depot": format!("Depot {}", number % 25),
    });
    current("Vehicle", "VehicleCreated", &data)
}

/// Scheduled for within two weeks after it happened; where that was just now, after one time, so that data are the same on every
/// run.
fn order(number: u64, vehicle: u64, happened: Option<Timestamp>) -> NewEvent {
    let hours = 3_600_000_000 * i64::try_from(24 + number % 300).unwrap_or(24);
    let start = happened
        .unwrap_or(Timestamp::from_micros(1_793_599_200_000_000))
        .plus_micros(hours);
    let scheduled = |hours: i64| format_time(start.plus_micros(hours * 3_600_000_000).micros());
    let data = json!({
        "order_number": format!("WO-2026-{number:07}"), "vehicle_id": row_id(vehicle),
        "workshop_id": row_id(number % 40), "status": pick(&STATUSES, number / 3),
        "priority": pick(&PRIORITIES, number / 7), "work_description": format!("Inspection {}", number % 1_000),
        "scheduled_start": scheduled(0), "scheduled_end": scheduled(8),
        "tasks": ["INSPECTION"],
    });
    current("WorkOrder", "WorkOrderCreated", &data)
}

/// An event in the schema in which a server writes it today.
fn current(aggregate_type: &str, event_type: &str, data: &Value) -> NewEvent {
    let mut event = NewEvent::new(event_type, data.to_string());
    if let Some(known) = fleet::registry().event(aggregate_type, event_type) {
        event.schema = known.event.schema;
    }
    event
}

fn pick<const COUNT: usize>(words: &[&'static str; COUNT], number: u64) -> &'static str {
    let place = number % COUNT as u64;
    words[usize::try_from(place).unwrap_or(0)]
}

//! One pass over the whole default history, keeping what the tests ask about.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use fleet::calendar::{DAY, date_of};
use serde_json::Value;

use crate::demo::{DEFAULT_SEED, DemoEvent, Options, Simulation};

/// What one incident was.
#[derive(Clone, Debug)]
pub(super) struct Incident {
    pub vehicle: String,
    pub at: i64,
    pub group: Option<String>,
    pub is_failure: bool,
    pub delay_min: i64,
}

/// What the tests ask about.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub count: usize,
    pub digest: u64,
    pub ids: HashSet<u128>,
    pub late: usize,
    pub faults: Vec<String>,
    pub types: BTreeSet<&'static str>,
    pub incidents: Vec<Incident>,
    /// Kilometres shown, by vehicle: (when, how many).
    pub mileages: BTreeMap<String, Vec<(i64, i64)>>,
    /// Status changes, by vehicle: (when, position, from, to).
    pub statuses: BTreeMap<String, Vec<(i64, usize, String, String)>>,
    /// Status changes, by work order.
    pub orders: BTreeMap<String, Vec<(i64, usize, String, String)>>,
    /// The vehicle of each work order.
    pub order_vehicles: BTreeMap<String, String>,
    /// Vehicles by the UUIDs of their rows, which orders name them by.
    pub asset_ids: BTreeMap<String, String>,
    /// Groups repaired or renewed, by vehicle: (when, group).
    pub renewals: BTreeMap<String, Vec<(i64, String)>>,
    /// Bookings, by part: (when, old level, new level).
    pub levels: BTreeMap<String, Vec<(i64, i64, i64)>>,
    /// Moved quantities by part, usage negative.
    pub moved: BTreeMap<String, i64>,
    /// The level that each part began with.
    pub opening: BTreeMap<String, i64>,
    pub cost_cents: i64,
}

impl Summary {
    pub(super) fn of_default_history() -> Self {
        let mut summary = Summary {
            digest: 0xcbf2_9ce4_8422_2325,
            ..Summary::default()
        };
        let options = Options::default();
        let (first, last) = (
            options.end.micros() - (options.days - 1) * DAY,
            options.end.micros() + DAY,
        );
        let mut arrived_at = first;
        for event in Simulation::new(DEFAULT_SEED, options) {
            summary.check_envelope(&event, arrived_at, last);
            arrived_at = event.arrived_at;
            summary.digest(&event);
            summary.take_in(&event);
            summary.count += 1;
        }
        summary
    }

    fn check_envelope(&mut self, event: &DemoEvent, earlier: i64, last: i64) {
        let fits = self.ids.insert(event.id.as_u128())
            && event.arrived_at >= event.occurred_at
            && event.arrived_at >= earlier
            && event.arrived_at < last
            && event.metadata["source"] == "demo"
            && event.metadata["user_id"].is_string();
        let is_late = event.arrived_at - event.occurred_at > DAY / 2;
        self.late += usize::from(is_late);
        if !fits || (is_late && !event.metadata["device_id"].is_string()) {
            self.faults.push(format!("{event:?}"));
        }
        let data = event.data.as_object().expect("a payload is an object");
        if let Err(faults) =
            fleet::registry().check(event.aggregate_type, event.event_type, event.schema, data)
        {
            self.faults
                .push(format!("{}: {faults:?}", event.event_type));
        }
    }

    /// FNV-1a over every field of every event.
    fn digest(&mut self, event: &DemoEvent) {
        let text = format!(
            "{} {} {} {} {} {} {} {} {}\n",
            event.id,
            event.aggregate_type,
            event.aggregate_id,
            event.event_type,
            event.schema,
            event.occurred_at,
            event.arrived_at,
            event.data,
            event.metadata
        );
        for byte in text.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn take_in(&mut self, event: &DemoEvent) {
        self.types.insert(event.event_type);
        let (id, at, data) = (&event.aggregate_id, event.occurred_at, &event.data);
        if event.aggregate_type == "Vehicle" {
            for key in ["new_mileage", "mileage_km", "current_mileage_km"] {
                if let Some(kilometres) = data[key].as_i64() {
                    self.mileages
                        .entry(id.clone())
                        .or_default()
                        .push((at, kilometres));
                }
            }
        }
        match event.event_type {
            "VehicleIncidentReported" => self.incidents.push(Incident {
                vehicle: id.clone(),
                at,
                group: data["fault_group"].as_str().map(str::to_owned),
                is_failure: data["is_failure"] == Value::Bool(true),
                delay_min: data["delay_min"].as_i64().unwrap_or(-1),
            }),
            "VehicleStatusChanged" => self
                .statuses
                .entry(id.clone())
                .or_default()
                .push(change(event, self.count)),
            "VehicleCreated" => {
                self.asset_ids.insert(text(data, "id"), id.clone());
            }
            "WorkOrderCreated" => {
                let vehicle = self.asset_ids.get(&text(data, "vehicle_id"));
                let vehicle = vehicle.expect("an order names a vehicle that exists");
                self.order_vehicles.insert(id.clone(), vehicle.clone());
                let step = (at, self.count, String::new(), text(data, "status"));
                self.orders.entry(id.clone()).or_default().push(step);
            }
            "WorkOrderStatusChanged" | "WorkOrderCompleted" => {
                self.orders
                    .entry(id.clone())
                    .or_default()
                    .push(change(event, self.count));
                self.take_in_completion(event);
            }
            "PartCreated" => {
                self.opening
                    .insert(id.clone(), data["current_stock"].as_i64().unwrap_or(-1));
            }
            "StockMoveCreated" => {
                let sign = if data["move_type"] == "USAGE" { -1 } else { 1 };
                *self.moved.entry(text(data, "part_no")).or_default() +=
                    sign * data["quantity"].as_i64().unwrap_or(0);
            }
            "StockLevelChanged" => {
                let level = |key: &str| data[key].as_i64().unwrap_or(-1);
                let step = (at, level("old_current_stock"), level("new_current_stock"));
                self.levels.entry(id.clone()).or_default().push(step);
            }
            _ => {}
        }
    }

    fn take_in_completion(&mut self, event: &DemoEvent) {
        let Some(cost) = event.data["actual_cost"].as_f64() else {
            return;
        };
        #[expect(clippy::cast_possible_truncation, reason = "cents of one order")]
        let cents = (cost * 100.0).round() as i64;
        self.cost_cents += cents;
        let vehicle = self
            .order_vehicles
            .get(&event.aggregate_id)
            .cloned()
            .unwrap_or_default();
        let findings = text(&event.data, "findings");
        let done = findings
            .split("; ")
            .find(|part| part.starts_with("renewed: ") || part.ends_with(" repaired"));
        for group in done.unwrap_or_default().split([' ', ':', ',']) {
            if ["door", "brake", "prop", "ctrl", "elec", "body"].contains(&group) {
                self.renewals
                    .entry(vehicle.clone())
                    .or_default()
                    .push((event.occurred_at, group.to_owned()));
            }
        }
    }

    /// The share of a year's or a week's part among incidents that `keep` keeps, against an even spread.
    pub(super) fn shape(
        &self,
        parts: usize,
        of: impl Fn(&Incident) -> usize,
        days: &[f64],
    ) -> Vec<f64> {
        let mut counts = vec![0.0; parts];
        self.incidents
            .iter()
            .for_each(|incident| counts[of(incident)] += 1.0);
        let mean = counts.iter().sum::<f64>() / days.iter().sum::<f64>();
        counts
            .iter()
            .zip(days)
            .map(|(count, days)| count / days / mean)
            .collect()
    }
}

/// The month of a moment, January 0, and its weekday, Monday 0.
pub(super) fn month_and_weekday(at: i64) -> (usize, usize) {
    let date = date_of(at);
    let place = |number: i64| usize::try_from(number).unwrap_or(0);
    (place(date.month - 1), place(date.weekday()))
}

fn change(event: &DemoEvent, position: usize) -> (i64, usize, String, String) {
    (
        event.occurred_at,
        position,
        text(&event.data, "old_status"),
        text(&event.data, "new_status"),
    )
}

fn text(data: &Value, key: &str) -> String {
    data[key].as_str().unwrap_or_default().to_owned()
}

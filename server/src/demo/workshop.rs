//! The workshops: which orders are opened, on which track and day they are done, and what becomes of them.

use std::collections::BTreeMap;

use fleet::calendar::{HOUR, MINUTE};
use fleet::listing::row_id;
use serde_json::json;
use uuid::Uuid;

use super::order::{
    Order, Surroundings, Task, WORKSHOPS, call_off, complete, start, team_name, tell_opened,
    tell_planned, tell_postponed, workshop_id,
};
use super::outbox::Outbox;
use super::parts::{Needs, needs_of_group, needs_of_inspection};
use super::random::Random;
use super::rolling_stock::DEPOTS;
use super::service::{Day, Failure};
use super::stock::put;

/// Teams of a workshop.
const TEAMS: usize = 2;
/// How often a planned inspection is called off and planned anew.
const CALLED_OFF_CHANCE: f64 = 0.02;

/// All workshops with their orders and their tracks.
#[derive(Debug)]
pub(super) struct Workshops {
    orders: BTreeMap<u32, Order>,
    made: u32,
    /// Tracks held, by workshop and day.
    held: [Vec<u8>; WORKSHOPS.len()],
    random: Random,
}

impl Workshops {
    pub(super) fn new(seed: u64) -> Self {
        Workshops {
            orders: BTreeMap::new(),
            made: 0,
            held: Default::default(),
            random: Random::new(seed, "workshop", 0),
        }
    }

    /// Tells of the workshops, their tracks and their teams.
    pub(super) fn tell_created(at: i64, outbox: &mut Outbox) {
        for (place, ((code, name, tracks), depot)) in WORKSHOPS.into_iter().zip(DEPOTS).enumerate()
        {
            let data = json!({
                "code": code, "name": name, "location": depot, "total_tracks": tracks, "available_tracks": tracks,
                "is_ecm_certified": true, "is_active": true, "supported_vehicle_types": ["electric"],
            });
            let workshop = workshop_id(place);
            let mut tell = |aggregate_type, id: &str, told| {
                put(outbox, aggregate_type, id, told, at, "fleet manager", None);
            };
            tell("Workshop", &workshop, ("WorkshopCreated", data));
            for track in 1..=tracks {
                let key = format!("{code}-{track}");
                let id = row_id("Track", &key).to_string();
                let data = json!({ "track_id": key, "name": format!("Track {track}"), "workshop_id": workshop, "is_active": true });
                tell("Track", &id, ("TrackCreated", data));
            }
            for team in 1..=TEAMS {
                let key = team_name(place, team);
                let id = row_id("Team", &key).to_string();
                let data = json!({
                    "team_id": key, "name": key, "workshop_id": workshop, "is_active": true,
                    "max_concurrent_work_orders": tracks,
                });
                tell("Team", &id, ("TeamCreated", data));
            }
        }
    }

    /// Opens and plans an order for the repair of a failure.
    pub(super) fn open_repair(&mut self, failure: &Failure, around: &mut Surroundings<'_>) {
        let Failure {
            group, broke_down, ..
        } = *failure;
        let priority = match (broke_down, failure.delay_min) {
            (true, _) => "urgent",
            (false, 10..) => "high",
            (false, _) => "medium",
        };
        let needs = needs_of_group(group, &mut self.random);
        let created_at = failure.at + self.random.between(20, 90) * MINUTE;
        let task = Task::Repair { group, broke_down };
        self.open(
            failure.vehicle,
            task,
            priority,
            needs,
            created_at,
            Some(failure.correlation),
            around,
        );
    }

    /// Opens and plans the inspections that are due.
    pub(super) fn open_inspections(&mut self, around: &mut Surroundings<'_>) {
        for vehicle in 0..around.vehicles.len() {
            let created_at = around.day.start + self.random.between(14 * 60, 17 * 60) * MINUTE;
            if around.vehicles[vehicle].needs_main_inspection(around.day.start) {
                let day = around.day.start;
                around.vehicles[vehicle].tell_main_inspection_due(day, around.outbox);
                let needs = needs_of_inspection(&mut self.random);
                self.open(
                    vehicle,
                    Task::MainInspection,
                    "high",
                    needs,
                    created_at,
                    None,
                    around,
                );
            } else if around.vehicles[vehicle].needs_inspection() {
                around.vehicles[vehicle].inspection_open = true;
                let needs = needs_of_inspection(&mut self.random);
                let priority = if self.random.chance(0.5) {
                    "medium"
                } else {
                    "low"
                };
                self.open(
                    vehicle,
                    Task::Inspection,
                    priority,
                    needs,
                    created_at,
                    None,
                    around,
                );
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one order, each from another hand"
    )]
    fn open(
        &mut self,
        vehicle: usize,
        task: Task,
        priority: &'static str,
        needs: Needs,
        created_at: i64,
        correlation: Option<Uuid>,
        around: &mut Surroundings<'_>,
    ) {
        self.made += 1;
        let (hours, length_days, wait_days) = self.extent(task, priority);
        let workshop = around.vehicles[vehicle].depot;
        let number = format!("WO-{}-{:04}", around.day.date.year, self.made);
        let id = around.outbox.id(&number);
        let mut order = Order {
            id,
            vehicle,
            task,
            priority,
            workshop,
            days: Vec::new(),
            needs,
            hours,
            started_at: None,
            called_off: task == Task::Inspection && self.random.chance(CALLED_OFF_CHANCE),
            correlation: correlation.unwrap_or(id),
        };
        tell_opened(&order, &number, created_at, around);
        let planned_at = created_at + self.random.between(30, 150) * MINUTE;
        order.days = self.hold_track(
            workshop,
            around.day.index + wait_days,
            length_days,
            around.day,
        );
        tell_planned(&order, planned_at, around);
        self.orders.insert(self.made, order);
    }

    /// Hours of work, days on a track, and days to wait at least: assumptions.
    fn extent(&mut self, task: Task, priority: &str) -> (i64, usize, usize) {
        let random = &mut self.random;
        match task {
            Task::Repair { .. } => {
                let hours = random.between(3, 22);
                let wait = match priority {
                    "urgent" => 1,
                    "high" => random.between(1, 2),
                    _ => random.between(2, 5),
                };
                (
                    hours,
                    if hours > 12 { 2 } else { 1 },
                    usize::try_from(wait).unwrap_or(1),
                )
            }
            Task::Inspection => (
                random.between(5, 9),
                1,
                usize::try_from(random.between(3, 9)).unwrap_or(3),
            ),
            Task::MainInspection => (random.between(30, 48), 3, 12),
        }
    }

    /// Holds a track on the first working days in a row, from `from` on, on which one is free.
    fn hold_track(
        &mut self,
        workshop: usize,
        from: usize,
        length: usize,
        today: &Day,
    ) -> Vec<usize> {
        let tracks = WORKSHOPS[workshop].2;
        let held = &mut self.held[workshop];
        let mut days = Vec::with_capacity(length);
        let mut day = from;
        while days.len() < length {
            if held.len() <= day {
                held.resize(day + 1, 0);
            }
            let is_sunday = (today.weekday + day - today.index) % 7 == 6;
            if held[day] >= tracks {
                days.clear();
            } else if !is_sunday {
                days.push(day);
            }
            day += 1;
        }
        days.iter().for_each(|day| held[*day] += 1);
        days
    }

    fn release_track(&mut self, workshop: usize, days: &[usize]) {
        days.iter().for_each(|day| self.held[workshop][*day] -= 1);
    }

    /// Starts the orders whose first day it is; those whose parts are missing are planned anew.
    pub(super) fn start_due(&mut self, around: &mut Surroundings<'_>) {
        let today = around.day.index;
        let mut due: Vec<(i64, u32)> = Vec::new();
        for (number, order) in &self.orders {
            if order.started_at.is_none() && order.days.first() == Some(&today) {
                due.push((
                    around.day.start + 7 * HOUR + self.random.between(0, 150) * MINUTE,
                    *number,
                ));
            }
        }
        due.sort_unstable();
        for (at, number) in due {
            let Some(mut order) = self.orders.remove(&number) else {
                continue;
            };
            if order.called_off {
                self.release_track(order.workshop, &order.days);
                call_off(&order, around);
                continue;
            }
            if around.stock.has(&order.needs) {
                start(&mut order, at, around);
            } else {
                let (workshop, days) = (order.workshop, std::mem::take(&mut order.days));
                self.release_track(workshop, &days);
                order.days = self.hold_track(workshop, today + 2, days.len(), around.day);
                tell_postponed(&order, at, around);
            }
            self.orders.insert(number, order);
        }
    }

    /// Ends the orders whose last day it is.
    pub(super) fn complete_due(&mut self, around: &mut Surroundings<'_>) {
        let today = around.day.index;
        let mut due: Vec<(i64, u32)> = Vec::new();
        for (number, order) in &self.orders {
            if order.started_at.is_some() && order.days.last() == Some(&today) {
                due.push((
                    around.day.start + 12 * HOUR + self.random.between(30, 400) * MINUTE,
                    *number,
                ));
            }
        }
        due.sort_unstable();
        for (at, number) in due {
            if let Some(order) = self.orders.remove(&number) {
                complete(&order, at, &mut self.random, around);
            }
        }
    }
}

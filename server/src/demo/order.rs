//! One work order: what it is for, what is told of it, what is done under it.

use fleet::EventDraft;
use fleet::calendar::{DAY, HOUR, MINUTE, format_time};
use fleet::listing::row_id;
use fleet::vehicle::{MaintenanceDone, MaintenancePlan, event};
use serde_json::{Value, json};
use uuid::Uuid;

use super::outbox::{Happening, Outbox, Reporter, TABLETS};
use super::parts::{Needs, cost_of, needs_as_json, needs_of_group};
use super::random::Random;
use super::rates::GROUPS;
use super::rolling_stock::{DEPOTS, Vehicle};
use super::service::Day;
use super::stock::Stock;

/// The workshops, one beside each depot: code, name, tracks.
pub(super) const WORKSHOPS: [(&str, &str, u8); 3] = [
    ("WS-EAST", "Workshop East", 4),
    ("WS-NORTH", "Workshop North", 3),
    ("WS-WEST", "Workshop West", 3),
];
/// The id of a workshop, by its place in the list.
pub(super) fn workshop_id(place: usize) -> String {
    row_id("Workshop", WORKSHOPS[place].0).to_string()
}

/// The name of one of a workshop's two teams, which orders know it by.
pub(super) fn team_name(workshop: usize, team: usize) -> String {
    format!("{} team {team}", WORKSHOPS[workshop].1)
}

/// Cents of an hour's work.
const HOUR_CENTS: i64 = 8_500;
/// How often a repair finds no fault.
const NO_FAULT_FOUND_CHANCE: f64 = 0.08;
/// What an order is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Task {
    /// The repair of a component that failed.
    Repair { group: usize, broke_down: bool },
    /// An inspection by kilometres.
    Inspection,
    /// The yearly main inspection.
    MainInspection,
}

impl Task {
    const fn maintenance_type(self) -> &'static str {
        match self {
            Task::Repair { .. } => "REPAIR",
            Task::Inspection => "INSPECTION",
            Task::MainInspection => "HU",
        }
    }

    fn description(self) -> String {
        match self {
            Task::Repair { group, .. } => format!("Repair after failure: {}", GROUPS[group].name),
            Task::Inspection => "Inspection by kilometres".to_owned(),
            Task::MainInspection => "Yearly main inspection".to_owned(),
        }
    }

    fn tasks(self) -> Value {
        match self {
            Task::Repair { group, .. } => json!([
                format!("diagnose {}", GROUPS[group].name),
                "repair",
                "test run"
            ]),
            Task::Inspection => json!([
                "brakes",
                "doors",
                "running gear",
                "lubrication",
                "functional test"
            ]),
            Task::MainInspection => {
                json!([
                    "brakes",
                    "doors",
                    "running gear",
                    "traction",
                    "safety systems",
                    "body",
                    "acceptance run"
                ])
            }
        }
    }
}

/// A work order that is not at its end.
#[derive(Debug)]
pub(super) struct Order {
    pub id: Uuid,
    pub vehicle: usize,
    pub task: Task,
    pub priority: &'static str,
    pub workshop: usize,
    /// The days on which it holds a track, by index.
    pub days: Vec<usize>,
    pub needs: Needs,
    pub hours: i64,
    pub started_at: Option<i64>,
    /// Whether it will be called off the day after it was planned.
    pub called_off: bool,
    pub correlation: Uuid,
}

/// What all steps of a day work on.
pub(super) struct Surroundings<'a> {
    pub day: &'a Day,
    pub vehicles: &'a mut [Vehicle],
    pub stock: &'a mut Stock,
    pub outbox: &'a mut Outbox,
}

/// An event of the order, entered by a reporter.
fn tell(
    order: &Order,
    event_type: &'static str,
    data: Value,
    at: i64,
    by: Reporter,
    outbox: &mut Outbox,
) {
    outbox.put(Happening {
        aggregate_type: "WorkOrder",
        aggregate_id: order.id.to_string(),
        draft: EventDraft::new(event_type, data),
        at,
        reporter: by,
        correlation: Some(order.correlation),
    });
}

/// The tablet on which a workshop enters what it does: one each, the last half of all tablets.
fn tablet(order: &Order) -> Reporter {
    let per_workshop = TABLETS / 2 / WORKSHOPS.len();
    Reporter::Tablet(TABLETS / 2 + order.workshop * per_workshop + order.vehicle % per_workshop)
}

pub(super) fn tell_opened(order: &Order, number: &str, at: i64, around: &mut Surroundings<'_>) {
    let estimated_cents = order.hours * HOUR_CENTS + cost_of(&order.needs);
    let staff: Vec<String> = (0..1 + order.hours / 12)
        .map(|place| {
            format!(
                "mechanic-{:02}",
                order.workshop * 6 + usize::try_from(place).unwrap_or(0) + 1
            )
        })
        .collect();
    let data = json!({
        "order_number": number,
        "vehicle_id": around.vehicles[order.vehicle].row_id(),
        "workshop_id": workshop_id(order.workshop),
        "status": "draft",
        "priority": order.priority,
        "maintenance_type": order.task.maintenance_type(),
        "work_description": order.task.description(),
        "tasks": order.task.tasks(),
        "assigned_staff": staff,
        "required_parts": needs_as_json(&order.needs),
        "estimated_hours": order.hours,
        "estimated_cost": cost(estimated_cents),
    });
    tell(
        order,
        "WorkOrderCreated",
        data,
        at,
        Reporter::Desk("dispatcher"),
        around.outbox,
    );
}

pub(super) fn tell_planned(order: &Order, at: i64, around: &mut Surroundings<'_>) {
    let (start, end) = planned(order, around.day);
    let data = json!({
        "old_status": "draft",
        "new_status": "scheduled",
        "scheduled_start": format_time(start),
        "scheduled_end": format_time(end),
        "assigned_team": team_name(order.workshop, order.vehicle % 2 + 1),
    });
    tell(
        order,
        "WorkOrderStatusChanged",
        data,
        at,
        Reporter::Desk("dispatcher"),
        around.outbox,
    );
    let vehicle = &mut around.vehicles[order.vehicle];
    let draft = event::maintenance_scheduled(&MaintenancePlan {
        maintenance_type: Some(order.task.maintenance_type().to_owned()),
        scheduled_date: format_time(start),
        priority: Some(order.priority.to_owned()),
        work_order_id: Some(order.id.to_string()),
    });
    let mut happening = vehicle.happening(draft, at, Reporter::Desk("dispatcher"));
    happening.correlation = Some(order.correlation);
    around.outbox.put(happening);
    if vehicle.status == "in_service" && matches!(order.task, Task::Repair { .. }) {
        vehicle.take_status(
            "workshop_planned",
            at,
            Reporter::Desk("dispatcher"),
            around.outbox,
        );
    }
}

pub(super) fn tell_postponed(order: &Order, at: i64, around: &mut Surroundings<'_>) {
    let (start, end) = planned(order, around.day);
    let data = json!({
        "scheduled_start": format_time(start),
        "scheduled_end": format_time(end),
        "delay_reason": "parts missing",
    });
    tell(
        order,
        "WorkOrderUpdated",
        data,
        at,
        Reporter::Desk("dispatcher"),
        around.outbox,
    );
}

/// When the order is planned to start and to end.
fn planned(order: &Order, today: &Day) -> (i64, i64) {
    let start_of = |day: Option<&usize>| {
        let ahead = day.map_or(0, |day| day.saturating_sub(today.index));
        today.start + i64::try_from(ahead).unwrap_or(0) * DAY
    };
    (
        start_of(order.days.first()) + 7 * HOUR,
        start_of(order.days.last()) + 17 * HOUR,
    )
}

pub(super) fn call_off(order: &Order, around: &mut Surroundings<'_>) {
    let at = around.day.start + 6 * HOUR;
    let data = json!({ "old_status": "scheduled", "new_status": "cancelled", "reason": "vehicle needed in service" });
    tell(
        order,
        "WorkOrderStatusChanged",
        data,
        at,
        Reporter::Desk("dispatcher"),
        around.outbox,
    );
    around.vehicles[order.vehicle].inspection_open = false;
}

pub(super) fn start(order: &mut Order, at: i64, around: &mut Surroundings<'_>) {
    order.started_at = Some(at);
    let vehicle = &mut around.vehicles[order.vehicle];
    vehicle.orders_in_progress += 1;
    vehicle.move_to(WORKSHOPS[order.workshop].1, at - 30 * MINUTE, around.outbox);
    vehicle.take_status(
        "in_workshop",
        at - 5 * MINUTE,
        Reporter::Desk("dispatcher"),
        around.outbox,
    );
    let data = json!({ "old_status": "scheduled", "new_status": "in_progress", "actual_start": format_time(at) });
    tell(
        order,
        "WorkOrderStatusChanged",
        data,
        at,
        tablet(order),
        around.outbox,
    );
    around.stock.take(
        &order.needs,
        order.id,
        at + 20 * MINUTE,
        order.correlation,
        around.outbox,
    );
}

pub(super) fn complete(order: &Order, at: i64, random: &mut Random, around: &mut Surroundings<'_>) {
    let (findings, parts_cents) = work(order, at - 15 * MINUTE, random, around);
    let hours = (order.hours * random.between(80, 140) + 50) / 100;
    let actual_cents = hours.max(1) * HOUR_CENTS + cost_of(&order.needs) + parts_cents;
    let data = json!({
        "old_status": "in_progress",
        "new_status": "completed",
        "actual_end": format_time(at),
        "actual_hours": hours.max(1),
        "actual_cost": cost(actual_cents),
        "work_performed": order.task.description(),
        "findings": findings,
        "completion_notes": findings,
    });
    tell(
        order,
        "WorkOrderCompleted",
        data,
        at,
        tablet(order),
        around.outbox,
    );
    let vehicle = &mut around.vehicles[order.vehicle];
    let draft = event::maintenance_completed(&MaintenanceDone {
        maintenance_type: Some(order.task.maintenance_type().to_owned()),
        date: format_time(at),
        work_order_id: Some(order.id.to_string()),
        maintenance_task_id: None,
        mileage_km: Some(vehicle.mileage_km()),
    });
    let mut happening = vehicle.happening(draft, at, tablet(order));
    happening.correlation = Some(order.correlation);
    around.outbox.put(happening);
    vehicle.orders_in_progress -= 1;
    if vehicle.orders_in_progress == 0 {
        let status = if vehicle.breakdowns > 0 {
            "out_of_service"
        } else {
            "available"
        };
        vehicle.take_status(
            status,
            at + 40 * MINUTE,
            Reporter::Desk("dispatcher"),
            around.outbox,
        );
        vehicle.move_to(DEPOTS[vehicle.depot], at + 60 * MINUTE, around.outbox);
    }
}

/// Does the work: what it finds, and the cents of parts taken beyond those planned.
fn work(
    order: &Order,
    at: i64,
    random: &mut Random,
    around: &mut Surroundings<'_>,
) -> (String, i64) {
    let vehicle = &mut around.vehicles[order.vehicle];
    if let Task::Repair { group, broke_down } = order.task {
        vehicle.breakdowns -= u32::from(broke_down);
        let component = &mut vehicle.components[group];
        if !broke_down && random.chance(NO_FAULT_FOUND_CHANCE) {
            component.waits_for_repair = false;
            return ("no fault found".to_owned(), 0);
        }
        component.repair(random);
        return (format!("{} repaired", GROUPS[group].name), 0);
    }
    let care = if order.task == Task::MainInspection {
        2.0
    } else {
        1.0
    };
    let (mut renewed, mut noted) = (Vec::new(), Vec::new());
    let mut cents = 0;
    for component in &mut vehicle.components {
        let needs = needs_of_group(component.group, random);
        if component.is_found_worn(care, random)
            && !component.waits_for_repair
            && around.stock.has(&needs)
        {
            around
                .stock
                .take(&needs, order.id, at, order.correlation, around.outbox);
            component.renew();
            cents += cost_of(&needs);
            renewed.push(component.rates().name);
        } else if component.is_noted_worn(random) {
            noted.push(component.rates().name);
        }
    }
    match order.task {
        Task::MainInspection => vehicle.tell_main_inspection_done(order.id, at, around.outbox),
        Task::Inspection | Task::Repair { .. } => vehicle.inspected(),
    }
    let told = [("renewed", renewed), ("worn", noted)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty());
    let findings: Vec<String> = told
        .map(|(word, names)| format!("{word}: {}", names.join(", ")))
        .collect();
    (
        if findings.is_empty() {
            "no findings".to_owned()
        } else {
            findings.join("; ")
        },
        cents,
    )
}

/// Cents as a JSON number with two places: a work order's costs are numbers, unlike prices.
#[expect(clippy::cast_precision_loss, reason = "costs of one order in cents")]
fn cost(cents: i64) -> Value {
    json!(cents as f64 / 100.0)
}

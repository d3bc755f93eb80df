//! From events to facts. Of each field the value of the latest event counts, by when it happened and then by its order
//! ([`fleet::order`]), as everywhere; so an event reported late changes what it should and nothing else, and depots that
//! have the same events have the same figures.

mod staff;
mod stores;
mod told;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use analytics::columns::{Columns, NOBODY};
use analytics::facts::{
    Acquired, Incident, OrderFacts, OrderStatus, Priority, Reading, Standing, StandingSince,
    TaskFacts, VehicleNow, Work,
};
use analytics::rollup::{Day, Store};
use chrono_tz::Tz;
use fleet::alias;
use fleet::listing::row_id;
use fleet::maintenance_task::TYPES;
use fleet::schema::canonical_data;
use fleet::vehicle::event::{MAINTENANCE_COMPLETED, VEHICLE_MAINTENANCE_SCHEDULED};
use fleet::{registry, vehicle};
use serde_json::{Map, Value};
use storage::EventRef;

use super::calendar::{last_in_time, local_day};
use crate::projection::order_of;
use staff::Staff;
use stores::Stores;
use told::{Latest, Told, cents, text, time};

/// What an order is taken to cost where it does not say: the old interface's guess, in hundredths.
const COST_GUESSED: i64 = 50_000;

/// Hours of one order at most: ten years of a crew.
const HOURS_MAX: f64 = 1e6;

/// Kinds of tasks behind which a legal limit stands.
const SAFETY_CRITICAL: &[&str] = &["HU", "ECM"];
/// The kind of work that something failed for.
const REPAIR: &str = "REPAIR";

/// A work order's fields as far as figures need them.
#[derive(Clone, Debug, Default)]
struct OrderState {
    vehicle: Latest<Arc<str>>,
    workshop: Latest<Arc<str>>,
    is_repair: Latest<bool>,
    /// The first of its tasks that is a kind of maintenance.
    task_kind: Latest<Arc<str>>,
    /// The kind of maintenance that it says of itself, which goes before that of its tasks.
    kind: Latest<Arc<str>>,
    created: Latest<i64>,
    scheduled_start: Latest<i64>,
    /// The last moment at which its end is in time.
    scheduled_end: Latest<i64>,
    started: Latest<i64>,
    ended: Latest<i64>,
    status: Latest<Box<str>>,
    cost_cents: Latest<i64>,
    estimated_min: Latest<u32>,
    priority: Latest<Arc<str>>,
    updated: i64,
    is_deleted: bool,
    position: u64,
}

/// A task's fields as far as figures need them.
#[derive(Clone, Debug, Default)]
struct TaskState {
    vehicle: Latest<Arc<str>>,
    kind: Latest<Arc<str>>,
    /// The last moment at which it is in time.
    due: Latest<i64>,
    is_completed: Latest<bool>,
    completed_at: Latest<i64>,
    is_deleted: bool,
    position: u64,
}

/// A vehicle's status and whether it is there, by the latest event.
#[derive(Clone, Debug, Default)]
struct VehicleState {
    status: Latest<Box<str>>,
    /// Created and not deleted.
    exists: Latest<bool>,
    /// What it was bought for, in hundredths, and the position of the event that says so.
    price: Latest<(i64, u64)>,
    /// When.
    purchased: Latest<i64>,
}

/// Maintenance that was planned for a vehicle.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// The vehicle, by asset id.
    pub(crate) vehicle: Box<str>,
    /// What kind.
    pub(crate) kind: Option<Arc<str>>,
    /// How urgent.
    pub(crate) priority: Option<Arc<str>>,
}

/// Facts with what is needed to go on folding.
#[derive(Debug)]
pub(super) struct Folding {
    zone: Tz,
    pub(super) store: Store,
    pub(super) columns: Columns,
    vehicle_states: Vec<VehicleState>,
    /// By when it is planned, and the event's position.
    planned: BTreeMap<(i64, u64), Planned>,
    stores: Stores,
    staff: Staff,
    vehicles: HashMap<Box<str>, usize>,
    /// Asset ids by row id: orders and tasks name vehicles so.
    asset_ids: HashMap<Box<str>, Arc<str>>,
    orders: HashMap<Box<str>, usize>,
    order_states: Vec<OrderState>,
    tasks: HashMap<Box<str>, usize>,
    task_states: Vec<TaskState>,
    workshop_codes: HashMap<Box<str>, Box<str>>,
}

/// What an event says that something will cost, in hundredths; the old interface's guess where it says nothing.
fn estimated_cost(data: &Map<String, Value>) -> i64 {
    data.get("estimated_cost")
        .and_then(cents)
        .unwrap_or(COST_GUESSED)
}

/// Whole minutes of an estimate in hours; of what no order takes there is no estimate.
fn minutes_of_hours(hours: &Value) -> Option<u32> {
    let hours = hours
        .as_f64()
        .filter(|hours| (0.0..=HOURS_MAX).contains(hours))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the range that was checked"
    )]
    Some((hours * 60.0).round() as u32)
}

/// The local day of a moment, and its number from 1970 on.
fn day_of(zone: Tz, at: i64) -> (Day, u16) {
    let (begin, end, number) = local_day(zone, at);
    let number = u16::try_from(number.clamp(0, i64::from(u16::MAX))).unwrap_or(u16::MAX);
    (Day { begin, end }, number)
}

impl Folding {
    pub(super) fn new(zone: Tz) -> Self {
        Folding {
            zone,
            store: Store::new(move |at| day_of(zone, at).0),
            columns: Columns::default(),
            vehicle_states: Vec::new(),
            planned: BTreeMap::new(),
            stores: Stores::default(),
            staff: Staff::default(),
            vehicles: HashMap::new(),
            asset_ids: HashMap::new(),
            orders: HashMap::new(),
            order_states: Vec::new(),
            tasks: HashMap::new(),
            task_states: Vec::new(),
            workshop_codes: HashMap::new(),
        }
    }

    /// The number of a vehicle among the facts.
    pub(super) fn vehicle(&self, asset_id: &str) -> Option<usize> {
        self.vehicles.get(asset_id).copied()
    }

    pub(super) fn planned(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, &Planned)> {
        let planned = self.planned.range((from, 0)..(to.max(from), 0));
        planned.map(|((at, _), planned)| (*at, planned))
    }

    pub(super) fn asset_id<'a>(&'a self, named: &'a str) -> &'a str {
        self.asset_ids.get(named).map_or(named, |asset_id| asset_id)
    }

    /// What the vehicles are at present, in the order of the facts.
    pub(super) fn vehicles_now(&self) -> impl Iterator<Item = VehicleNow> + use<'_> {
        self.vehicle_states.iter().map(|state| {
            let status = state.status.value.as_deref();
            VehicleNow {
                exists: state.exists.value == Some(true),
                standing: status.map(Standing::of_status),
                is_out_of_service: status == Some("out_of_service"),
                is_in_maintenance: matches!(
                    status,
                    Some("workshop_planned" | "in_workshop" | "maintenance_due")
                ),
            }
        })
    }

    pub(super) fn workshop_code<'a>(&'a self, id: &'a str) -> &'a str {
        self.workshop_codes.get(id).map_or(id, |code| code)
    }

    /// Takes in an event. One that cannot be read, or that the tables do not know, is counted and says nothing else.
    pub(super) fn fold(&mut self, event: &EventRef<'_>) {
        let (who, amount) = self.fold_fields(event).unwrap_or((NOBODY, 0));
        let (zone, at) = (self.zone, event.occurred_at().micros());
        let kind = alias::canonical(event.event_type());
        self.columns
            .push(kind, at, who, amount, &|at| day_of(zone, at));
    }

    /// Takes in what the event says; gives about whom it is and how much, for the columns.
    fn fold_fields(&mut self, event: &EventRef<'_>) -> Option<(u32, i64)> {
        let stream = event.stream();
        let aggregate_type = stream.aggregate_type;
        if !matches!(
            aggregate_type,
            "Vehicle"
                | "WorkOrder"
                | "MaintenanceTask"
                | "Workshop"
                | "Part"
                | "StockMove"
                | "Staff"
                | "StaffAssignment"
                | "TransferPlan"
                | "TransferAssignment"
        ) {
            return None;
        }
        let known = registry().event(aggregate_type, event.event_type())?;
        let given = serde_json::from_slice::<Map<String, Value>>(event.data()).ok()?;
        let data = canonical_data(known.aggregate, known.event, event.schema(), &given);
        let told = Told {
            known,
            id: stream.aggregate_id,
            when: (event.occurred_at().micros(), order_of(event)),
            position: event.position().get(),
            data: &data,
        };
        match aggregate_type {
            "Vehicle" => {
                self.fold_vehicle(&told);
                let is_work = told.known.event.event_type == MAINTENANCE_COMPLETED;
                let amount = if is_work { estimated_cost(&given) } else { 0 };
                Some((self.who(told.id), amount))
            }
            "WorkOrder" => {
                let vehicle = self.fold_order(&told);
                let who = vehicle.map_or(NOBODY, |vehicle| self.who(&vehicle));
                let is_new = told.known.event.event_type == "WorkOrderCreated";
                Some((who, if is_new { estimated_cost(&given) } else { 0 }))
            }
            "Part" => {
                self.fold_part(event, &told, &given);
                let quantity = told.data.get("quantity").and_then(Value::as_i64);
                Some((self.who(told.id), quantity.unwrap_or(0)))
            }
            _ => {
                match aggregate_type {
                    "MaintenanceTask" => self.fold_task(&told),
                    "StockMove" => self.fold_move(&told),
                    "Staff" => self.fold_person(&told),
                    "StaffAssignment" => self.fold_clocking(&told),
                    "TransferPlan" => self.fold_plan(&told),
                    "TransferAssignment" => self.fold_assigned(&told),
                    _ => self.fold_workshop(&told),
                }
                None
            }
        }
    }

    fn who(&mut self, name: &str) -> u32 {
        self.columns.who_mut().number(name)
    }

    fn fold_vehicle(&mut self, told: &Told<'_>) {
        let event_type = told.known.event.event_type;
        let (at, position) = (told.when.0, told.position);
        if event_type == vehicle::event::VEHICLE_CREATED {
            let row = told.get("id").and_then(Value::as_str).map_or_else(
                || row_id(vehicle::AGGREGATE_TYPE, told.id).to_string(),
                str::to_lowercase,
            );
            self.asset_ids.insert(row.into(), told.id.into());
        }
        let index = *self.vehicles.entry(told.id.into()).or_insert_with(|| {
            self.vehicle_states.push(VehicleState::default());
            self.store.add_vehicle(told.id)
        });
        if event_type == VEHICLE_MAINTENANCE_SCHEDULED {
            let mut field = |name: &str| {
                let said = told.data.get(name).and_then(text);
                said.map(|text| self.store.share(text))
            };
            let planned = Planned {
                vehicle: told.id.into(),
                kind: field("maintenance_type"),
                priority: field("priority"),
            };
            let at = told.data.get("scheduled_date").and_then(time).unwrap_or(at);
            self.planned.insert((at, position), planned);
        }
        let state = &mut self.vehicle_states[index];
        match event_type {
            vehicle::event::VEHICLE_CREATED => state.exists.set(Some(true), told.when),
            vehicle::event::VEHICLE_DELETED => state.exists.set(Some(false), told.when),
            _ => {}
        }
        let status = match event_type {
            vehicle::event::VEHICLE_DELETED => Some("retired".into()),
            vehicle::event::VEHICLE_CREATED => told.word("status").or(Some("available".into())),
            _ => told.word("status"),
        };
        if let Some(status) = status {
            let since = StandingSince::new(at, position, Standing::of_status(&status));
            state.status.set(Some(status), told.when);
            self.store.stands(index, since);
        }
        told.set(&mut state.price, "purchase_price", |price| {
            Some((cents(price)?, position))
        });
        told.set(&mut state.purchased, "purchase_date", time);
        let is_told = |key| told.get(key).is_some();
        if is_told("purchase_price") || is_told("purchase_date") && state.price.value.is_some() {
            let told_at = state.price.when.0;
            let acquired = state.price.value.map(|(cents, position)| Acquired {
                at: state.purchased.value.unwrap_or(told_at),
                position,
                cents,
            });
            self.store.set_acquired(index, acquired);
        }
        if let Some(km) = told
            .get(vehicle::schema::MILEAGE_KEY)
            .and_then(Value::as_i64)
            .and_then(|km| i32::try_from(km).ok())
        {
            let reading = Reading {
                at,
                position,
                km,
                corrects: event_type == vehicle::event::VEHICLE_MILEAGE_CORRECTED,
            };
            self.store.read(index, reading);
        }
        let is_breakdown = event_type == vehicle::event::VEHICLE_BREAKDOWN_REPORTED;
        if is_breakdown || event_type == vehicle::event::VEHICLE_INCIDENT_REPORTED {
            let failed = told.data.get("is_failure").and_then(Value::as_bool);
            let incident = Incident {
                at,
                position,
                delay_min: told
                    .data
                    .get("delay_min")
                    .and_then(Value::as_i64)
                    .and_then(|minutes| i32::try_from(minutes).ok())
                    .unwrap_or(0),
                is_failure: is_breakdown || failed.unwrap_or(false),
            };
            self.store.suffers(index, incident);
        }
    }

    /// Gives the vehicle that the order is about.
    fn fold_order(&mut self, told: &Told<'_>) -> Option<Arc<str>> {
        let index = *self.orders.entry(told.id.into()).or_insert_with(|| {
            self.order_states.push(OrderState::default());
            self.order_states.len() - 1
        });
        let zone = self.zone;
        let (state, store) = (&mut self.order_states[index], &mut self.store);
        let mut name = |value: &Value| text(value).map(|text| store.share(text));
        told.set(&mut state.vehicle, "vehicle_id", &mut name);
        told.set(&mut state.workshop, "workshop_id", &mut name);
        told.set(&mut state.is_repair, "tasks", |tasks| {
            Some(tasks.as_array()?.iter().any(|task| task == REPAIR))
        });
        told.set(&mut state.task_kind, "tasks", |tasks| {
            let is_type = |task: &&Value| task.as_str().is_some_and(|task| TYPES.contains(&task));
            tasks.as_array()?.iter().find(is_type).and_then(&mut name)
        });
        told.set(&mut state.kind, "maintenance_type", &mut name);
        told.set(&mut state.created, "created_at", time);
        told.set(&mut state.scheduled_start, "scheduled_start", time);
        told.set(&mut state.scheduled_end, "scheduled_end", |value| {
            time(value).map(|end| last_in_time(zone, end))
        });
        told.set(&mut state.started, "actual_start", time);
        told.set(&mut state.ended, "actual_end", time);
        told.set(&mut state.cost_cents, "actual_cost", cents);
        told.set(&mut state.estimated_min, "duration_min", |minutes| {
            u32::try_from(minutes.as_u64()?).ok()
        });
        // The newer name of the same goes before it.
        if told.get("estimated_hours").is_some_and(Value::is_number) {
            let estimated = &mut state.estimated_min;
            told.set(estimated, "estimated_hours", minutes_of_hours);
        }
        told.set(&mut state.priority, "priority", &mut name);
        let said = told.get("updated_at").and_then(time);
        state.updated = state.updated.max(told.when.0).max(said.unwrap_or(i64::MIN));
        if let Some(status) = told.word("status") {
            state.status.set(Some(status), told.when);
        }
        let event_type = told.known.event.event_type;
        if event_type == "WorkOrderCreated" && state.created.value.is_none() {
            state.created.set(Some(told.when.0), told.when);
        }
        state.is_deleted |= event_type == "WorkOrderDeleted";
        state.position = state.position.max(told.position);
        let facts = order_facts(state, &self.asset_ids);
        self.fold_request(index, facts.is_void, told);
        let vehicle = Some(facts.vehicle.clone()).filter(|vehicle| !vehicle.is_empty());
        self.store.set_order(index, facts);
        vehicle
    }

    fn fold_task(&mut self, told: &Told<'_>) {
        let index = *self.tasks.entry(told.id.into()).or_insert_with(|| {
            self.task_states.push(TaskState::default());
            self.task_states.len() - 1
        });
        let zone = self.zone;
        let (state, store) = (&mut self.task_states[index], &mut self.store);
        let mut name = |value: &Value| text(value).map(|text| store.share(text));
        told.set(&mut state.vehicle, "vehicle_id", &mut name);
        told.set(&mut state.kind, "type", &mut name);
        told.set(&mut state.due, "due_date", |value| {
            time(value).map(|due| last_in_time(zone, due))
        });
        told.set(&mut state.is_completed, "is_completed", Value::as_bool);
        told.set(&mut state.completed_at, "completed_at", time);
        match told.known.event.event_type {
            "MaintenanceTaskCompleted" => {
                state.is_completed.set(Some(true), told.when);
                if told.get("completed_at").is_none() {
                    state.completed_at.set(Some(told.when.0), told.when);
                }
            }
            "MaintenanceTaskReopened" => state.is_completed.set(Some(false), told.when),
            "MaintenanceTaskDeleted" => state.is_deleted = true,
            _ => {}
        }
        state.position = state.position.max(told.position);
        self.store
            .set_task(index, task_facts(state, &self.asset_ids));
    }

    fn fold_workshop(&mut self, told: &Told<'_>) {
        if let Some(code) = told.word("code") {
            self.workshop_codes.insert(told.id.into(), code);
        }
    }
}

/// The asset id of a vehicle that is named by its row id, or the name as it is.
fn asset_id(named: Option<&str>, asset_ids: &HashMap<Box<str>, Arc<str>>) -> Arc<str> {
    let named = named.unwrap_or_default();
    match asset_ids.get(named) {
        Some(asset_id) => asset_id.clone(),
        None => named.into(),
    }
}

fn order_facts(state: &OrderState, asset_ids: &HashMap<Box<str>, Arc<str>>) -> OrderFacts {
    let status = state.status.value.as_deref().unwrap_or("draft");
    let is_completed = status == "completed";
    let kind = state.kind.value.as_ref().or(state.task_kind.value.as_ref());
    let is_repair =
        state.is_repair.value == Some(true) || kind.is_some_and(|kind| **kind == *REPAIR);
    OrderFacts {
        vehicle: asset_id(state.vehicle.value.as_deref(), asset_ids),
        workshop: state.workshop.value.clone(),
        work: if is_repair {
            Work::Corrective
        } else {
            Work::Planned
        },
        kind: kind.cloned(),
        created: state.created.value.unwrap_or(state.created.when.0.max(0)),
        scheduled_start: state.scheduled_start.value,
        scheduled_end: state.scheduled_end.value,
        started: state.started.value,
        ended: is_completed.then(|| state.ended.value.unwrap_or(state.status.when.0)),
        is_void: state.is_deleted || status == "cancelled",
        is_deleted: state.is_deleted,
        status: OrderStatus::of_word(status),
        priority: Priority::of_word(state.priority.value.as_deref().unwrap_or_default()),
        updated: state.updated,
        cost_cents: state.cost_cents.value,
        estimated_min: state.estimated_min.value.unwrap_or(0),
        position: state.position,
    }
}

fn task_facts(state: &TaskState, asset_ids: &HashMap<Box<str>, Arc<str>>) -> TaskFacts {
    let is_done = state.is_completed.value == Some(true);
    TaskFacts {
        vehicle: asset_id(state.vehicle.value.as_deref(), asset_ids),
        is_safety_critical: state
            .kind
            .value
            .as_deref()
            .is_some_and(|kind| SAFETY_CRITICAL.contains(&kind)),
        due: state.due.value.unwrap_or(i64::MAX),
        done: is_done.then(|| {
            let at_completion = state.is_completed.when.0;
            state.completed_at.value.unwrap_or(at_completion)
        }),
        is_void: state.is_deleted || state.due.value.is_none(),
        position: state.position,
    }
}

//! Maintenance: tasks that fall due and work orders. A work order's step and what follows from it on its vehicle and at
//! its workshop are one transaction.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::maintenance_task::{self, MaintenanceTaskCommand, is_overdue};
use fleet::policy::Role;
use fleet::schema::body;
use fleet::work_order::{self, Around, STATUSES, WorkOrderCommand, consequences};
use fleet::{Folded, Refusal, calendar, transfer_assignment, transfer_plan, vehicle, workshop};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{PathParts, ReadAt};
use super::listing::{List, bare, one, row_response_with, written, written_with};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Done, Reference, Write, referred_to_as, resolve};
use crate::figures::last_in_time;
use crate::projection::{CATALOG, Entry};

mod docs;
mod items;

const TASK: &str = maintenance_task::AGGREGATE_TYPE;
const ORDER: &str = work_order::AGGREGATE_TYPE;
const TASK_MISSING: &str = "Maintenance task not found";
const ORDER_MISSING: &str = "Work order not found";
/// Who lets a vehicle back into service, as the table of routes has it.
const RELEASES: Role = Role::WorkshopManager;

/// The routes of tasks and work orders.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_task, list_tasks))
        .routes(routes!(get_task, update_task))
        .routes(routes!(create_order, list_orders))
        .routes(routes!(get_order, update_order))
        .routes(routes!(release_order))
        .merge(items::routes())
}

/// Create a maintenance task.
#[utoipa::path(
    post,
    path = "/api/v1/maintenance/tasks",
    tag = "maintenance",
    operation_id = "create_maintenance_task",
    request_body = serde_json::Value,
    responses((status = 201, description = "Created"), (status = 404, description = "No such vehicle")),
)]
pub(crate) async fn create_task(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(maintenance_task::CREATE, &body)?;
    let done = write
        .run(move |tx| {
            let mut fields = fields.clone();
            resolve(tx, &mut fields, &[Reference::VEHICLE])?;
            let id = tx.new_id();
            let command = MaintenanceTaskCommand::Create(fields);
            step_task(tx, &id, &command, &by)
        })
        .await?;
    task_written(&state, StatusCode::CREATED, &done)
}

/// List maintenance tasks, those that fall due first first. `is_overdue` is as of now.
#[utoipa::path(
    get,
    path = "/api/v1/maintenance/tasks",
    tag = "maintenance",
    operation_id = "list_maintenance_tasks",
    params(
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle: UUID or asset id"),
        ("is_completed" = Option<bool>, Query, description = "Only those that are done, or only those that are not"),
        ("overdue_only" = Option<bool>, Query, description = "Only those that are open and past their day or kilometres"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`X-Next-Cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "An array of tasks")),
)]
pub(crate) async fn list_tasks(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let vehicle = query.text("vehicle_id");
    let is_completed = query.flag("is_completed");
    let overdue_only = query.one_of("overdue_only", &["false", "true"]) == Some(1);
    let mut list = List::read(&mut query, &state, TASK, &[]);
    list.narrow(
        "vehicle_id",
        vehicle.map(|text| referred_to_as(&state, "Vehicle", &text)),
    );
    list.narrow("is_completed", is_completed.map(|flag| flag.to_string()));
    query.finish()?;
    if !overdue_only {
        let (position, page) = list.page(&state).await?;
        let rows = page
            .entries
            .iter()
            .filter_map(|task| task_row(&state, task));
        let rows = rows.map(|(row, _)| Value::Object(row)).collect();
        return Ok(bare(rows, page.total, position, page.next));
    }
    // What is overdue is found among what is open: by its day, or by kilometres that only the vehicles know.
    let (skip, limit) = (list.ask.skip, list.ask.limit);
    list.ask.skip = 0;
    list.ask.limit = OPEN_TASKS_MAX;
    list.narrow("is_completed", Some("false"));
    let (position, page) = list.page(&state).await?;
    let rows = page
        .entries
        .iter()
        .filter_map(|task| task_row(&state, task));
    let overdue: Vec<Value> = rows
        .filter(|(_, is_overdue)| *is_overdue)
        .map(|(row, _)| Value::Object(row))
        .collect();
    let total = overdue.len();
    let rows = overdue.into_iter().skip(skip).take(limit).collect();
    Ok(bare(rows, total, position, None))
}

/// A task's row as of now, and whether it is overdue: by its day, as the depot's key figures have it, or by its vehicle's
/// kilometres.
fn task_row(state: &AppState, task: &Entry) -> Option<(Map<String, Value>, bool)> {
    let is_overdue = is_task_overdue(state, task);
    let mut row = task.row()?;
    row.insert("is_overdue".to_owned(), is_overdue.into());
    Some((row, is_overdue))
}

fn is_task_overdue(state: &AppState, task: &Entry) -> bool {
    let vehicle = task.folded.text("vehicle_id");
    let vehicle = vehicle.and_then(|id| state.projections.catalog().find("Vehicle", id).value);
    let mileage = vehicle.and_then(|vehicle| vehicle.folded.integer("current_mileage_km"));
    let (now, zone) = (state.clock.now().micros(), state.config.analytics.time_zone);
    is_overdue(&task.folded, now, mileage, |due| last_in_time(zone, due))
}

/// The answer to a write of a task.
fn task_written<T>(
    state: &AppState,
    status: StatusCode,
    done: &Done<T>,
) -> Result<Response<Body>, Problem> {
    written_with(status, done, |row, task| {
        row.insert("is_overdue".to_owned(), is_task_overdue(state, task).into());
    })
}

/// Open tasks that a search for overdue ones looks through.
const OPEN_TASKS_MAX: usize = 100_000;

/// One maintenance task.
#[utoipa::path(
    get,
    path = "/api/v1/maintenance/tasks/{task_id}",
    tag = "maintenance",
    operation_id = "get_maintenance_task",
    params(
        ("task_id" = String, Path, description = "Its UUID"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The task"), (status = 404, description = "No such task")),
)]
pub(crate) async fn get_task(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let at = ReadAt::read(&mut query, &state);
    query.finish()?;
    at.reach_projection(&state, CATALOG).await?;
    let found = state.projections.catalog().find(TASK, &id);
    let task = found
        .value
        .ok_or_else(|| Problem::not_found(TASK_MISSING))?;
    row_response_with(StatusCode::OK, &task, found.position.get(), |row, task| {
        row.insert(
            "is_overdue".to_owned(),
            is_task_overdue(&state, task).into(),
        );
    })
}

/// Change a maintenance task: only the fields that are sent. `is_completed` completes it, or with a `reason` opens it again.
#[utoipa::path(
    patch,
    path = "/api/v1/maintenance/tasks/{task_id}",
    tag = "maintenance",
    operation_id = "update_maintenance_task",
    params(("task_id" = String, Path, description = "Its UUID")),
    request_body = serde_json::Value,
    responses((status = 200, description = "The task now"), (status = 404, description = "No such task"), (status = 409, description = "It is completed")),
)]
pub(crate) async fn update_task(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let command = MaintenanceTaskCommand::Change(body::parse(maintenance_task::CHANGE, &body)?);
    let done = write
        .run(move |tx| {
            let task = tx.load_existing(TASK, &id, TASK_MISSING)?;
            step_task(tx, &task.aggregate_id, &command, &by)
        })
        .await?;
    task_written(&state, StatusCode::OK, &done)
}

/// Decides a task's command and tells its vehicle what falls due, what was done, and what is open again.
pub(crate) fn step_task(
    tx: &mut Decision<'_>,
    id: &str,
    command: &MaintenanceTaskCommand,
    by: &str,
) -> Result<(), Problem> {
    let now = tx.now().micros();
    let before = tx.load(TASK, id)?;
    let drafts = maintenance_task::decide(&before, command, Asked { now, by })?;
    tx.append(TASK, id, drafts)?;
    let after = tx.load(TASK, id)?;
    let caused = maintenance_task::caused(id, &before, &after);
    if caused.is_empty() {
        return Ok(());
    }
    let Some(vehicle) = after
        .text("vehicle_id")
        .and_then(|id| tx.find("Vehicle", id))
    else {
        return Ok(());
    };
    let held = tx.load("Vehicle", &vehicle.aggregate_id)?;
    let mut drafts = Vec::new();
    for command in &caused {
        drafts.extend(vehicle::decide(&held, &vehicle.aggregate_id, command)?);
    }
    tx.append("Vehicle", &vehicle.aggregate_id, drafts)
}

/// Create a work order. Its number is given by the server and never repeats.
#[utoipa::path(
    post,
    path = "/api/v1/maintenance/orders",
    tag = "maintenance",
    operation_id = "create_work_order",
    request_body = serde_json::Value,
    responses((status = 201, description = "Created"), (status = 400, description = "It would end before it starts"), (status = 404, description = "No such vehicle or workshop"), (status = 409, description = "No track, team or vehicle is free then")),
)]
pub(crate) async fn create_order(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(work_order::CREATE, &body)?;
    let done = write
        .run(move |tx| {
            let mut fields = fields.clone();
            resolve(tx, &mut fields, &[Reference::VEHICLE, Reference::WORKSHOP])?;
            let year = calendar::date_of(tx.now().micros()).year;
            let number = tx.next_number(ORDER, "order_number", &format!("WO-{year}-"), 4);
            let command = WorkOrderCommand::Create {
                order_number: number,
                fields,
            };
            let id = tx.new_id();
            step_order(tx, &id, &command, &by)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// List work orders, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/maintenance/orders",
    tag = "maintenance",
    operation_id = "list_work_orders",
    params(
        ("status" = Option<String>, Query, description = "Only of this status"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle: UUID or asset id"),
        ("workshop_id" = Option<String>, Query, description = "Only of this workshop: UUID or code"),
        ("waits_for_release" = Option<bool>, Query, description = "Only those that are done and hold their vehicle until their release, or only those that do not"),
        ("search" = Option<String>, Query, description = "Only with this text in number or description"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`X-Next-Cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "An array of work orders")),
)]
pub(crate) async fn list_orders(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let status = query.one_of("status", STATUSES);
    let vehicle = query.text("vehicle_id");
    let workshop = query.text("workshop_id");
    let waits = query.flag("waits_for_release");
    let mut list = List::read(&mut query, &state, ORDER, &["search"]);
    list.narrow("status", status.map(|status| STATUSES[status]));
    let vehicle = vehicle.map(|text| referred_to_as(&state, "Vehicle", &text));
    list.narrow("vehicle_id", vehicle);
    let workshop = workshop.map(|text| referred_to_as(&state, "Workshop", &text));
    list.narrow("workshop_id", workshop);
    list.narrow("waits_for_release", waits.map(|flag| flag.to_string()));
    query.finish()?;
    list.answer_bare(&state).await
}

/// One work order.
#[utoipa::path(
    get,
    path = "/api/v1/maintenance/orders/{order_id}",
    tag = "maintenance",
    operation_id = "get_work_order",
    params(
        ("order_id" = String, Path, description = "Its UUID or its number"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The order"), (status = 404, description = "No such order")),
)]
pub(crate) async fn get_order(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    one(
        &state,
        Query::parse(query.as_deref()),
        ORDER,
        &id,
        ORDER_MISSING,
    )
    .await
}

/// Change a work order: only the fields that are sent. A `status` among them is a step; steps back need a `reason`.
#[utoipa::path(
    patch,
    path = "/api/v1/maintenance/orders/{order_id}",
    tag = "maintenance",
    operation_id = "update_work_order",
    params(("order_id" = String, Path, description = "Its UUID or its number")),
    request_body = serde_json::Value,
    responses((status = 200, description = "The order now"), (status = 400, description = "It would end before it starts"), (status = 404, description = "No such order"), (status = 409, description = "The step may not be taken, or nothing is free then")),
)]
pub(crate) async fn update_order(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (by, role) = (caller.id_text().to_owned(), caller.role());
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(work_order::CHANGE, &body)?;
    let done = write
        .run(move |tx| {
            let order = tx.load_existing(ORDER, &id, ORDER_MISSING)?;
            refuse_waiver(&order.folded, &fields, role)?;
            let mut fields = fields.clone();
            resolve(tx, &mut fields, &[Reference::WORKSHOP])?;
            let command = WorkOrderCommand::Change { fields };
            step_order(tx, &order.aggregate_id, &command, &by)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// What has begun under a release is spared it only by whoever may release.
fn refuse_waiver(order: &Folded, fields: &Map<String, Value>, role: Role) -> Result<(), Problem> {
    if role.reaches(RELEASES) || !work_order::waives_release(order, fields) {
        return Ok(());
    }
    let (field, waiver) = match fields.get("requires_release") {
        Some(Value::Bool(false)) => ("requires_release", "turn requires_release off"),
        _ => ("actual_start", "take actual_start away"),
    };
    let message = format!(
        "The work has begun and is to be released; only a {RELEASES} or above may {waiver} now"
    );
    let refusal = Refusal::forbidden(field, "release_waived", message);
    Err(Problem::from(refusal).with("role", RELEASES.name()))
}

/// Release a completed work order: its vehicle may run again.
#[utoipa::path(
    post,
    path = "/api/v1/maintenance/orders/{order_id}/release",
    tag = "maintenance",
    operation_id = "release_work_order",
    params(("order_id" = String, Path, description = "Its UUID or its number")),
    request_body = serde_json::Value,
    responses((status = 200, description = "The order now"), (status = 404, description = "No such order"), (status = 409, description = "It is not completed, or a grave finding is open")),
)]
pub(crate) async fn release_order(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(work_order::RELEASE, &body)?;
    let command = WorkOrderCommand::Release { fields };
    let done = write
        .run(move |tx| {
            let order = tx.load_existing(ORDER, &id, ORDER_MISSING)?;
            step_order(tx, &order.aggregate_id, &command, &by)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// Decides an order's command, holds its plan against what is planned around it, and tells its vehicle and workshop.
pub(crate) fn step_order(
    tx: &mut Decision<'_>,
    id: &str,
    command: &WorkOrderCommand,
    by: &str,
) -> Result<(), Problem> {
    let now = tx.now().micros();
    let asked = Asked { now, by };
    let before = tx.load(ORDER, id)?;
    let drafts = work_order::decide(&before, command, asked)?;
    tx.append(ORDER, id, drafts)?;
    let after = tx.load(ORDER, id)?;
    let vehicle = after.text("vehicle_id");
    let vehicle = vehicle.and_then(|id| tx.find("Vehicle", id));
    if work_order::needs_plan_check(&before, &after) {
        check_plan(tx, id, &after, vehicle.as_ref(), now)?;
    }
    let Some(vehicle) = vehicle else {
        return Ok(());
    };
    // Another order on the vehicle is judged by this one, and this one by it, also where the vehicle itself gets no event:
    // one of two that step at once has to see the other.
    if work_order::changes_hold(&before, &after) {
        claim_vehicle(tx, &vehicle);
    }
    let others = others(tx, "open_on_vehicle", after.text("vehicle_id"), id);
    let held_by_others = others.iter().any(work_order::holds_vehicle);
    let mileage_km = match command {
        WorkOrderCommand::Change { fields } => fields.get("mileage_km").and_then(Value::as_i64),
        _ => None,
    };
    let held = tx.load("Vehicle", &vehicle.aggregate_id)?;
    let caused = consequences(
        (id, &before, &after),
        (&vehicle.aggregate_id, &held),
        held_by_others,
        mileage_km,
        asked,
    )?;
    if !caused.vehicle.is_empty() {
        claim_vehicle(tx, &vehicle);
    }
    tx.append("Vehicle", &vehicle.aggregate_id, caused.vehicle)?;
    for (place, command) in caused.workshops {
        if let Some(found) = tx.find("Workshop", &place) {
            let held = tx.load("Workshop", &found.aggregate_id)?;
            let drafts = workshop::decide(&held, &command)?;
            tx.append("Workshop", &found.aggregate_id, drafts)?;
        }
    }
    Ok(())
}

/// Takes the time and the whereabouts of a vehicle: nobody else may plan with it, or move it, meanwhile. All who do claim
/// it here, so that they claim the same.
pub(super) fn claim_vehicle(tx: &mut Decision<'_>, vehicle: &Entry) {
    tx.claim(&format!("calendar:Vehicle:{}", vehicle.uuid()));
}

/// Refuses a plan that cannot be kept; nobody else may plan there or with that vehicle meanwhile.
fn check_plan(
    tx: &mut Decision<'_>,
    id: &str,
    order: &Folded,
    vehicle: Option<&Entry>,
    now: i64,
) -> Result<(), Problem> {
    let named = |key| order.text(key).filter(|text| !text.is_empty());
    let workshop = named("workshop_id").and_then(|place| tx.find("Workshop", place));
    let track = named("assigned_track").and_then(|track| tx.find("Track", track));
    let team = named("assigned_team").and_then(|team| tx.find("Team", team));
    if let Some(name) = named("workshop_id") {
        tx.claim(&format!("calendar:Workshop:{name}"));
    }
    let mut transfers = Vec::new();
    if let Some(vehicle) = vehicle {
        claim_vehicle(tx, vehicle);
        transfers = transfers_of(tx, vehicle);
    }
    let mut around = others(tx, "open_at_workshop", named("workshop_id"), id);
    let elsewhere = others(tx, "open_on_vehicle", named("vehicle_id"), id);
    let here = named("workshop_id");
    around.extend(elsewhere.into_iter().filter(|other| {
        work_order::is_active(other) && (here.is_none() || other.text("workshop_id") != here)
    }));
    let around = Around {
        workshop: workshop.as_ref().map(|entry| &entry.folded),
        track: track.as_ref().map(|entry| &entry.folded),
        team: team.as_ref().map(|entry| &entry.folded),
        others: &around,
        transfers: &transfers,
    };
    let last_in_time = |due| tx.last_in_time(due);
    Ok(work_order::check_plan(order, &around, now, last_in_time)?)
}

/// The transfer plans that a vehicle is put into and that have not come to their end. Who puts it into one, or moves one,
/// claims the vehicle. They are found from the plans on: the assignments of a vehicle grow with all that it ever ran in.
fn transfers_of(tx: &Decision<'_>, vehicle: &Entry) -> Vec<Folded> {
    let vehicle_id = vehicle.uuid().to_string();
    let mut transfers = Vec::new();
    for status in ["draft", "scheduled", "in_progress"] {
        for plan in tx.list(transfer_plan::AGGREGATE_TYPE, "status", status) {
            let plan_id = plan.uuid().to_string();
            let assigned = tx.list(transfer_assignment::AGGREGATE_TYPE, "active_plan", &plan_id);
            let mut vehicles = assigned.iter().map(|entry| entry.folded.text("vehicle_id"));
            if vehicles.any(|assigned| assigned == Some(&*vehicle_id)) {
                transfers.push(plan.folded);
            }
        }
    }
    transfers
}

/// The other orders with this value of a filter.
fn others(tx: &Decision<'_>, filter: &'static str, value: Option<&str>, id: &str) -> Vec<Folded> {
    let entries = value.map_or_else(Vec::new, |value| tx.list_so_far(ORDER, filter, value));
    let others = entries
        .into_iter()
        .filter(|entry| *entry.aggregate_id != *id);
    others.map(|entry| entry.folded).collect()
}

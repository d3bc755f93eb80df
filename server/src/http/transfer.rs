//! Transfers: plans of runs, and which vehicles run in them.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::schema::body;
use fleet::transfer_assignment::{self, Around, TransferAssignmentCommand};
use fleet::transfer_plan::{self, STATUSES, TransferPlanCommand};
use fleet::vehicle::{self, VehicleCommand};
use fleet::{Folded, Refusal, staff_assignment};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::PathParts;
use super::listing::{List, no_content, one, written};
use super::maintenance::claim_vehicle;
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Reference, Write, referred_to_as, resolve};
use crate::projection::Entry;

const PLAN: &str = transfer_plan::AGGREGATE_TYPE;
const ASSIGNMENT: &str = transfer_assignment::AGGREGATE_TYPE;
const PLAN_MISSING: &str = "Transfer plan not found";
const ASSIGNMENT_MISSING: &str = "Transfer assignment not found";
const OF_PLAN: Reference = Reference::uuid("transfer_plan_id", PLAN, PLAN_MISSING);
const DRIVER: Reference = Reference::uuid("driver_id", "Staff", "Staff not found");

/// The routes of transfers.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_plan, list_plans))
        .routes(routes!(get_plan, update_plan, delete_plan))
        .routes(routes!(create_assignment, list_assignments))
        .routes(routes!(
            get_assignment,
            update_assignment,
            delete_assignment
        ))
}

/// Create a transfer plan.
#[utoipa::path(
    post,
    path = "/api/v1/transfer/plans",
    tag = "transfer",
    operation_id = "create_transfer_plan",
    request_body = serde_json::Value,
    responses((status = 201, description = "Created"), (status = 400, description = "There is one with this plan_id, or it would arrive before it leaves")),
)]
pub(crate) async fn create_plan(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let command = TransferPlanCommand::Create(body::parse(transfer_plan::CREATE, &body)?);
    let done = write
        .run(move |tx| {
            let id = tx.new_id();
            step_plan(tx, &id, &command, &by)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// List transfer plans, the latest departure first.
#[utoipa::path(
    get,
    path = "/api/v1/transfer/plans",
    tag = "transfer",
    operation_id = "list_transfer_plans",
    params(
        ("status" = Option<String>, Query, description = "Only of this status"),
        ("from_location" = Option<String>, Query, description = "Only with this text in it"),
        ("to_location" = Option<String>, Query, description = "Only with this text in it"),
        ("search" = Option<String>, Query, description = "Only with this text in plan_id or places"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of plans")),
)]
pub(crate) async fn list_plans(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let status = query.one_of("status", STATUSES);
    let searches = ["from_location", "to_location", "search"];
    let mut list = List::read(&mut query, &state, PLAN, &searches);
    list.narrow("status", status.map(|status| STATUSES[status]));
    query.finish()?;
    list.answer(&state, "plans").await
}

/// One transfer plan.
#[utoipa::path(
    get,
    path = "/api/v1/transfer/plans/{plan_id}",
    tag = "transfer",
    operation_id = "get_transfer_plan",
    params(
        ("plan_id" = String, Path, description = "Its UUID or its plan_id"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The plan"), (status = 404, description = "No such plan")),
)]
pub(crate) async fn get_plan(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    one(
        &state,
        Query::parse(query.as_deref()),
        PLAN,
        &id,
        PLAN_MISSING,
    )
    .await
}

/// Change a transfer plan: only the fields that are sent. Its vehicles stand where it arrives.
#[utoipa::path(
    patch,
    path = "/api/v1/transfer/plans/{plan_id}",
    tag = "transfer",
    operation_id = "update_transfer_plan",
    params(("plan_id" = String, Path, description = "Its UUID or its plan_id")),
    request_body = serde_json::Value,
    responses((status = 200, description = "The plan now"), (status = 400, description = "It would arrive before it leaves"), (status = 404, description = "No such plan"), (status = 409, description = "The step may not be taken, or a vehicle or driver of it is elsewhere then")),
)]
pub(crate) async fn update_plan(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let command = TransferPlanCommand::Change(body::parse(transfer_plan::CHANGE, &body)?);
    let done = write
        .run(move |tx| {
            let plan = tx.load_existing(PLAN, &id, PLAN_MISSING)?;
            step_plan(tx, &plan.aggregate_id, &command, &by)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// Delete a transfer plan, and with it what is assigned to it.
#[utoipa::path(
    delete,
    path = "/api/v1/transfer/plans/{plan_id}",
    tag = "transfer",
    operation_id = "delete_transfer_plan",
    params(("plan_id" = String, Path, description = "Its UUID or its plan_id")),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such plan"), (status = 409, description = "It is under way")),
)]
pub(crate) async fn delete_plan(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let write = Write::without_body(&state, caller, request)?;
    let done = write
        .run(move |tx| {
            let plan = tx.load_existing(PLAN, &id, PLAN_MISSING)?;
            let uuid = plan.uuid().to_string();
            step_plan(tx, &plan.aggregate_id, &TransferPlanCommand::Delete, &by)?;
            let asked = Asked {
                now: tx.now().micros(),
                by: &by,
            };
            for entry in tx.list(ASSIGNMENT, "transfer_plan_id", &uuid) {
                let held = tx.load(ASSIGNMENT, &entry.aggregate_id)?;
                let command = TransferAssignmentCommand::Delete;
                let drafts = transfer_assignment::decide(&held, &command, asked)?;
                tx.append(ASSIGNMENT, &entry.aggregate_id, drafts)?;
            }
            let of_staff = staff_assignment::AGGREGATE_TYPE;
            for entry in tx.list(of_staff, "transfer_plan_id", &uuid) {
                let held = tx.load(of_staff, &entry.aggregate_id)?;
                let command = staff_assignment::StaffAssignmentCommand::Delete;
                let drafts = staff_assignment::decide(&held, &command, asked)?;
                tx.append(of_staff, &entry.aggregate_id, drafts)?;
            }
            Ok(())
        })
        .await?;
    Ok(no_content(&done))
}

/// Decides a plan's command, and holds a plan that moves against what is planned around it; where the train arrives its
/// vehicles stand.
fn step_plan(
    tx: &mut Decision<'_>,
    id: &str,
    command: &TransferPlanCommand,
    by: &str,
) -> Result<(), Problem> {
    let now = tx.now().micros();
    let before = tx.load(PLAN, id)?;
    let drafts = transfer_plan::decide(&before, command, Asked { now, by })?;
    tx.append(PLAN, id, drafts)?;
    let after = tx.load(PLAN, id)?;
    if !before.exists() {
        return Ok(());
    }
    if transfer_plan::is_moved(&before, &after) {
        check_moved(tx, id, &after, now)?;
    }
    if !transfer_plan::has_arrived(&before, &after) {
        return Ok(());
    }
    let Some(place) = after.text("to_location").map(str::to_owned) else {
        return Ok(());
    };
    let uuid = tx.uuid_of(PLAN, id)?.to_string();
    for entry in tx.list(ASSIGNMENT, "active_plan", &uuid) {
        let Some(vehicle) = entry
            .folded
            .text("vehicle_id")
            .and_then(|id| tx.find("Vehicle", id))
        else {
            continue;
        };
        let held = tx.load("Vehicle", &vehicle.aggregate_id)?;
        let moved = VehicleCommand::Move {
            location: place.clone(),
        };
        let drafts = vehicle::decide(&held, &vehicle.aggregate_id, &moved)?;
        tx.append("Vehicle", &vehicle.aggregate_id, drafts)?;
    }
    Ok(())
}

/// Holds a plan at its new time against what else its vehicles and drivers are planned for then. Nobody may put another
/// vehicle into it meanwhile.
fn check_moved(tx: &mut Decision<'_>, id: &str, plan: &Folded, now: i64) -> Result<(), Problem> {
    let uuid = tx.uuid_of(PLAN, id)?.to_string();
    tx.claim(&format!("calendar:{PLAN}:{uuid}"));
    for entry in tx.list(ASSIGNMENT, "active_plan", &uuid) {
        let Some(known) = Known::of(tx, &entry.aggregate_id, &entry.folded) else {
            continue;
        };
        // The plan is what was asked about, so it is told which of its vehicles stands in the way.
        transfer_assignment::check_times(&known.around(plan), now).map_err(|refusal| Refusal {
            message: format!("{}: {}", known.vehicle.aggregate_id, refusal.message).into(),
            ..refusal
        })?;
    }
    Ok(())
}

/// Put a vehicle into a transfer plan.
#[utoipa::path(
    post,
    path = "/api/v1/transfer/assignments",
    tag = "transfer",
    operation_id = "create_transfer_assignment",
    request_body = serde_json::Value,
    responses((status = 201, description = "Created"), (status = 404, description = "No such plan, vehicle or driver"), (status = 409, description = "The vehicle or the driver is elsewhere then")),
)]
pub(crate) async fn create_assignment(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(transfer_assignment::CREATE, &body)?;
    let done = write
        .run(move |tx| {
            let mut fields = fields.clone();
            resolve(tx, &mut fields, &[OF_PLAN, Reference::VEHICLE, DRIVER])?;
            let id = tx.new_id();
            step_assignment(tx, &id, &TransferAssignmentCommand::Create(fields), &by)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// List transfer assignments.
#[utoipa::path(
    get,
    path = "/api/v1/transfer/assignments",
    tag = "transfer",
    operation_id = "list_transfer_assignments",
    params(
        ("transfer_plan_id" = Option<String>, Query, description = "Only of this plan"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of assignments")),
)]
pub(crate) async fn list_assignments(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let plan = query.text("transfer_plan_id");
    let vehicle = query.text("vehicle_id");
    let mut list = List::read(&mut query, &state, ASSIGNMENT, &[]);
    list.narrow(
        "transfer_plan_id",
        plan.map(|text| referred_to_as(&state, PLAN, &text)),
    );
    let vehicle = vehicle.map(|text| referred_to_as(&state, "Vehicle", &text));
    list.narrow("vehicle_id", vehicle);
    query.finish()?;
    list.answer(&state, "assignments").await
}

/// One transfer assignment.
#[utoipa::path(
    get,
    path = "/api/v1/transfer/assignments/{assignment_id}",
    tag = "transfer",
    operation_id = "get_transfer_assignment",
    params(
        ("assignment_id" = String, Path, description = "Its UUID"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The assignment"), (status = 404, description = "No such assignment")),
)]
pub(crate) async fn get_assignment(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, ASSIGNMENT, &id, ASSIGNMENT_MISSING).await
}

/// Change a transfer assignment: only the fields that are sent. `is_confirmed` confirms it or calls it off.
#[utoipa::path(
    patch,
    path = "/api/v1/transfer/assignments/{assignment_id}",
    tag = "transfer",
    operation_id = "update_transfer_assignment",
    params(("assignment_id" = String, Path, description = "Its UUID")),
    request_body = serde_json::Value,
    responses((status = 200, description = "The assignment now"), (status = 404, description = "No such assignment or driver"), (status = 409, description = "The vehicle or the driver is elsewhere then")),
)]
pub(crate) async fn update_assignment(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(transfer_assignment::CHANGE, &body)?;
    let done = write
        .run(move |tx| {
            let assignment = tx.load_existing(ASSIGNMENT, &id, ASSIGNMENT_MISSING)?;
            let mut fields = fields.clone();
            resolve(tx, &mut fields, &[DRIVER])?;
            let command = TransferAssignmentCommand::Change(fields);
            step_assignment(tx, &assignment.aggregate_id, &command, &by)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// Take a vehicle out of a transfer plan.
#[utoipa::path(
    delete,
    path = "/api/v1/transfer/assignments/{assignment_id}",
    tag = "transfer",
    operation_id = "delete_transfer_assignment",
    params(("assignment_id" = String, Path, description = "Its UUID")),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such assignment")),
)]
pub(crate) async fn delete_assignment(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let write = Write::without_body(&state, caller, request)?;
    let done = write
        .run(move |tx| {
            let assignment = tx.load_existing(ASSIGNMENT, &id, ASSIGNMENT_MISSING)?;
            let command = TransferAssignmentCommand::Delete;
            step_assignment(tx, &assignment.aggregate_id, &command, &by)
        })
        .await?;
    Ok(no_content(&done))
}

/// Decides an assignment's command, and holds it against what is planned around it.
fn step_assignment(
    tx: &mut Decision<'_>,
    id: &str,
    command: &TransferAssignmentCommand,
    by: &str,
) -> Result<(), Problem> {
    let now = tx.now().micros();
    let before = tx.load(ASSIGNMENT, id)?;
    let drafts = transfer_assignment::decide(&before, command, Asked { now, by })?;
    tx.append(ASSIGNMENT, id, drafts)?;
    let after = tx.load(ASSIGNMENT, id)?;
    let differs = |key: &str| before.get(key) != after.get(key);
    let takes_more = !transfer_assignment::is_active(&before)
        || differs("driver_id")
        || differs("position_in_convoy");
    if !transfer_assignment::is_active(&after) || !takes_more {
        return Ok(());
    }
    let plan_id = after.text("transfer_plan_id").unwrap_or_default();
    let plan = tx
        .read(PLAN, plan_id)
        .ok_or_else(|| Problem::not_found(PLAN_MISSING))?;
    tx.claim(&format!("calendar:{PLAN}:{plan_id}"));
    let known = Known::of(tx, id, &after);
    let known = known.ok_or_else(|| Problem::not_found("Vehicle not found"))?;
    Ok(transfer_assignment::check(
        &after,
        &known.around(&plan.folded),
        now,
    )?)
}

/// What is known around an assignment, whatever the time of its plan.
struct Known {
    vehicle: Entry,
    driver: Option<Entry>,
    of_plan: Vec<Folded>,
    plans_of_vehicle: Vec<Folded>,
    plans_of_driver: Vec<Folded>,
    orders_of_vehicle: Vec<Folded>,
}

impl Known {
    /// Of the assignment `id`; `None` without its vehicle. Nobody else may plan with its vehicle or its driver meanwhile.
    fn of(tx: &mut Decision<'_>, id: &str, assignment: &Folded) -> Option<Self> {
        let named = |key: &str| assignment.text(key).unwrap_or_default();
        let plan_id = named("transfer_plan_id");
        let vehicle_id = named("vehicle_id");
        let driver_id = assignment.text("driver_id").filter(|id| !id.is_empty());
        let vehicle = tx.find("Vehicle", vehicle_id)?;
        claim_vehicle(tx, &vehicle);
        let driver = driver_id.and_then(|id| tx.find("Staff", id));
        if let Some(driver_id) = driver_id {
            tx.claim(&format!("calendar:Staff:{driver_id}"));
        }
        let tx = &*tx;
        let others = |filter, value: &str| -> Vec<Folded> {
            let entries = tx.list(ASSIGNMENT, filter, value).into_iter();
            let others = entries.filter(|entry| *entry.aggregate_id != *id);
            others.map(|entry| entry.folded).collect()
        };
        // Who moves one of these plans claims the vehicle and the driver as well.
        let plans_of = |filter, value: &str| -> Vec<Folded> {
            let others = others(filter, value);
            let plans = others
                .iter()
                .filter_map(|other| other.text("transfer_plan_id"));
            let plans = plans
                .filter(|plan| *plan != plan_id)
                .filter_map(|plan| tx.look(PLAN, plan));
            plans.map(|entry| entry.folded).collect()
        };
        let of_plan = others("active_plan", plan_id);
        let plans_of_vehicle = plans_of("active_vehicle", vehicle_id);
        let plans_of_driver =
            driver_id.map_or_else(Vec::new, |driver_id| plans_of("active_driver", driver_id));
        let orders = tx
            .list("WorkOrder", "open_on_vehicle", vehicle_id)
            .into_iter();
        let orders = orders.map(|entry| entry.folded);
        Some(Known {
            vehicle,
            driver,
            of_plan,
            plans_of_vehicle,
            plans_of_driver,
            orders_of_vehicle: orders.filter(fleet::work_order::is_active).collect(),
        })
    }

    fn around<'a>(&'a self, plan: &'a Folded) -> Around<'a> {
        Around {
            plan,
            vehicle: &self.vehicle.folded,
            driver: self.driver.as_ref().map(|entry| &entry.folded),
            of_plan: &self.of_plan,
            plans_of_vehicle: &self.plans_of_vehicle,
            plans_of_driver: &self.plans_of_driver,
            orders_of_vehicle: &self.orders_of_vehicle,
        }
    }
}

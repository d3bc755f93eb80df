//! Staff: who works in the depot. What they are planned for is in [`assignments`].

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::schema::body;
use fleet::staff::{self, ROLES, STATUSES, StaffCommand};
use fleet::staff_assignment::{self, StaffAssignmentCommand};
use fleet::transfer_assignment::{self, TransferAssignmentCommand};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::PathParts;
use super::listing::{List, no_content, one, written};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Reference, Write, referred_to_as, resolve};
use crate::projection::Entry;

mod assignments;
mod docs;

const STAFF: &str = staff::AGGREGATE_TYPE;
const STAFF_MISSING: &str = "Staff not found";
const REFERENCES: &[Reference] = &[Reference::WORKSHOP];

/// The routes of staff and their assignments.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_staff, list_staff))
        .routes(routes!(get_staff, update_staff, delete_staff))
        .merge(assignments::routes())
}

/// Take a person on.
#[utoipa::path(
    post,
    path = "/api/v1/hr/staff",
    tag = "hr",
    operation_id = "create_staff",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::StaffCreate,
    responses((status = 201, description = "Created", body = docs::Staff), (status = 400, description = "There is one with this staff_id"), (status = 404, description = "No such workshop")),
)]
pub(crate) async fn create_staff(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(staff::CREATE, &body)?;
    let done = write
        .run(move |tx| {
            let id = tx.new_id();
            let person = tx.load(STAFF, &id)?;
            let mut fields = fields.clone();
            resolve(tx, &mut fields, REFERENCES)?;
            let drafts = staff::decide(&person, &StaffCommand::Create(fields))?;
            tx.append(STAFF, &id, drafts)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// List the staff by their `staff_id`.
#[utoipa::path(
    get,
    path = "/api/v1/hr/staff",
    tag = "hr",
    operation_id = "list_staff",
    params(
        ("role" = Option<String>, Query, description = "Only employed as this"),
        ("status" = Option<String>, Query, description = "Only of this status"),
        ("is_available" = Option<bool>, Query, description = "Only those that may be planned with, or may not"),
        ("workshop_id" = Option<String>, Query, description = "Only of this workshop: UUID or code"),
        ("search" = Option<String>, Query, description = "Only with this text in staff_id, name or employee_number"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of people", body = docs::StaffList)),
)]
pub(crate) async fn list_staff(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let role = query.one_of("role", ROLES);
    let status = query.one_of("status", STATUSES);
    let is_available = query.flag("is_available");
    let workshop = query.text("workshop_id");
    let mut list = List::read(&mut query, &state, STAFF, &["search"]);
    list.narrow("role", role.map(|role| ROLES[role]));
    list.narrow("status", status.map(|status| STATUSES[status]));
    list.narrow("is_available", is_available.map(|flag| flag.to_string()));
    let workshop = workshop.map(|text| referred_to_as(&state, "Workshop", &text));
    list.narrow("workshop_id", workshop);
    query.finish()?;
    list.answer(&state, "staff").await
}

/// One person.
#[utoipa::path(
    get,
    path = "/api/v1/hr/staff/{staff_id}",
    tag = "hr",
    operation_id = "get_staff",
    params(
        ("staff_id" = String, Path, description = "Their UUID or their staff_id"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The person", body = docs::Staff), (status = 404, description = "No such person")),
)]
pub(crate) async fn get_staff(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, STAFF, &id, STAFF_MISSING).await
}

/// Change what is known of a person: only the fields that are sent. Who goes away is not available, who comes back is.
#[utoipa::path(
    patch,
    path = "/api/v1/hr/staff/{staff_id}",
    tag = "hr",
    operation_id = "update_staff",
    params(
        ("staff_id" = String, Path, description = "Their UUID or their staff_id"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::StaffUpdate,
    responses((status = 200, description = "The person now", body = docs::Staff), (status = 404, description = "No such person or workshop")),
)]
pub(crate) async fn update_staff(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(staff::CHANGE, &body)?;
    let done = write
        .run(move |tx| {
            let person = tx.load_existing(STAFF, &id, STAFF_MISSING)?;
            let mut fields = fields.clone();
            resolve(tx, &mut fields, REFERENCES)?;
            let drafts = staff::decide(&person.folded, &StaffCommand::Change(fields))?;
            tx.append(STAFF, &person.aggregate_id, drafts)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// Delete the record of a person, and with it what they are planned for. Transfers that they drive stand without a driver.
#[utoipa::path(
    delete,
    path = "/api/v1/hr/staff/{staff_id}",
    tag = "hr",
    operation_id = "delete_staff",
    params(
        ("staff_id" = String, Path, description = "Their UUID or their staff_id"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such person"), (status = 409, description = "They are at work on something")),
)]
pub(crate) async fn delete_staff(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let write = Write::without_body(&state, caller, request)?;
    let done = write
        .run(move |tx| {
            let person = tx.load_existing(STAFF, &id, STAFF_MISSING)?;
            let drafts = staff::decide(&person.folded, &StaffCommand::Delete)?;
            tx.append(STAFF, &person.aggregate_id, drafts)?;
            release(tx, &person, &by)
        })
        .await?;
    Ok(no_content(&done))
}

/// Takes a person who is leaving out of all plans. Nobody may plan with them meanwhile.
fn release(tx: &mut Decision<'_>, person: &Entry, by: &str) -> Result<(), Problem> {
    let uuid = person.uuid().to_string();
    tx.claim(&format!("calendar:{STAFF}:{uuid}"));
    let now = tx.now().micros();
    let asked = Asked { now, by };
    let planned = staff_assignment::AGGREGATE_TYPE;
    for entry in tx.list(planned, "staff_id", &uuid) {
        let held = tx.load(planned, &entry.aggregate_id)?;
        let drafts = staff_assignment::decide(&held, &StaffAssignmentCommand::Delete, asked)?;
        tx.append(planned, &entry.aggregate_id, drafts)?;
    }
    let driven = transfer_assignment::AGGREGATE_TYPE;
    for entry in tx.list(driven, "active_driver", &uuid) {
        let held = tx.load(driven, &entry.aggregate_id)?;
        let nobody = Map::from_iter([("driver_id".to_owned(), Value::Null)]);
        let command = TransferAssignmentCommand::Change(nobody);
        let drafts = transfer_assignment::decide(&held, &command, asked)?;
        tx.append(driven, &entry.aggregate_id, drafts)?;
    }
    Ok(())
}

//! Staff assignments: a person's time for one work order or one transfer plan, held against what they do besides.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::Folded;
use fleet::command::Asked;
use fleet::schema::body;
use fleet::staff_assignment::{self, Around, STATUSES, StaffAssignmentCommand};
use fleet::{transfer_plan, work_order};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{STAFF, STAFF_MISSING, docs};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Done, Reference, Write, referred_to_as, resolve};
use crate::http::extract::PathParts;
use crate::http::listing::{List, no_content, one, written_with};
use crate::http::problem::Problem;
use crate::http::query::Query;

const ASSIGNMENT: &str = staff_assignment::AGGREGATE_TYPE;
const ASSIGNMENT_MISSING: &str = "Staff assignment not found";
const ORDER: &str = work_order::AGGREGATE_TYPE;
const ORDER_MISSING: &str = "Work order not found";
const PLAN: &str = transfer_plan::AGGREGATE_TYPE;
const PLAN_MISSING: &str = "Transfer plan not found";
const REFERENCES: &[Reference] = &[
    Reference::uuid("staff_id", STAFF, STAFF_MISSING),
    Reference::uuid("work_order_id", ORDER, ORDER_MISSING),
    Reference::uuid("transfer_plan_id", PLAN, PLAN_MISSING),
];

/// The routes of staff assignments.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_assignment, list_assignments))
        .routes(routes!(
            get_assignment,
            update_assignment,
            delete_assignment
        ))
}

/// Plan a person's time for exactly one work order or transfer plan. What somebody should know of it is in `warnings`.
#[utoipa::path(
    post,
    path = "/api/v1/hr/assignments",
    tag = "hr",
    operation_id = "create_staff_assignment",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::StaffAssignmentCreate,
    responses((status = 201, description = "Created", body = docs::StaffAssignment), (status = 400, description = "It has not exactly one target, or would end before it starts"), (status = 404, description = "No such person, work order or transfer plan"), (status = 409, description = "The person is away or busy then, or the target is closed")),
)]
pub(crate) async fn create_assignment(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(staff_assignment::CREATE, &body)?;
    let done = write
        .run(move |tx| {
            let mut fields = fields.clone();
            staff_assignment::check_target(&fields)?;
            resolve(tx, &mut fields, REFERENCES)?;
            let id = tx.new_id();
            step(tx, &id, &StaffAssignmentCommand::Create(fields), &by)
        })
        .await?;
    answer(StatusCode::CREATED, &done)
}

/// List staff assignments, the latest planned start first.
#[utoipa::path(
    get,
    path = "/api/v1/hr/assignments",
    tag = "hr",
    operation_id = "list_staff_assignments",
    params(
        ("staff_id" = Option<String>, Query, description = "Only of this person: UUID or staff_id"),
        ("work_order_id" = Option<String>, Query, description = "Only for this work order: UUID or number"),
        ("transfer_plan_id" = Option<String>, Query, description = "Only for this transfer plan: UUID or plan_id"),
        ("status" = Option<String>, Query, description = "Only of this status"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of assignments", body = docs::StaffAssignmentList)),
)]
pub(crate) async fn list_assignments(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let named = [
        ("staff_id", STAFF),
        ("work_order_id", ORDER),
        ("transfer_plan_id", PLAN),
    ]
    .map(|(filter, aggregate_type)| (filter, aggregate_type, query.text(filter)));
    let status = query.one_of("status", STATUSES);
    let mut list = List::read(&mut query, &state, ASSIGNMENT, &[]);
    for (filter, aggregate_type, text) in named {
        let id = text.map(|text| referred_to_as(&state, aggregate_type, &text));
        list.narrow(filter, id);
    }
    list.narrow("status", status.map(|status| STATUSES[status]));
    query.finish()?;
    list.answer(&state, "assignments").await
}

/// One staff assignment.
#[utoipa::path(
    get,
    path = "/api/v1/hr/assignments/{assignment_id}",
    tag = "hr",
    operation_id = "get_staff_assignment",
    params(
        ("assignment_id" = String, Path, description = "Its UUID"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The assignment", body = docs::StaffAssignment), (status = 404, description = "No such assignment")),
)]
pub(crate) async fn get_assignment(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, ASSIGNMENT, &id, ASSIGNMENT_MISSING).await
}

/// Change a staff assignment: only the fields that are sent. A `status` among them is a step; what began and what ended
/// without a time did so now.
#[utoipa::path(
    patch,
    path = "/api/v1/hr/assignments/{assignment_id}",
    tag = "hr",
    operation_id = "update_staff_assignment",
    params(
        ("assignment_id" = String, Path, description = "Its UUID"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::StaffAssignmentUpdate,
    responses((status = 200, description = "The assignment now", body = docs::StaffAssignment), (status = 400, description = "It would end before it starts"), (status = 404, description = "No such assignment"), (status = 409, description = "The step may not be taken, or the person is away or busy then")),
)]
pub(crate) async fn update_assignment(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let command = StaffAssignmentCommand::Change(body::parse(staff_assignment::CHANGE, &body)?);
    let done = write
        .run(move |tx| {
            let assignment = tx.load_existing(ASSIGNMENT, &id, ASSIGNMENT_MISSING)?;
            step(tx, &assignment.aggregate_id, &command, &by)
        })
        .await?;
    answer(StatusCode::OK, &done)
}

/// Delete a staff assignment.
#[utoipa::path(
    delete,
    path = "/api/v1/hr/assignments/{assignment_id}",
    tag = "hr",
    operation_id = "delete_staff_assignment",
    params(
        ("assignment_id" = String, Path, description = "Its UUID"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such assignment"), (status = 409, description = "It is under way")),
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
            let command = StaffAssignmentCommand::Delete;
            step(tx, &assignment.aggregate_id, &command, &by)
        })
        .await?;
    Ok(no_content(&done))
}

/// The assignment as it was written, with what somebody should know of it.
fn answer(status: StatusCode, done: &Done<Vec<String>>) -> Result<Response<Body>, Problem> {
    let warnings = done.value.clone().unwrap_or_default();
    written_with(status, done, |row, _| {
        row.insert("warnings".to_owned(), warnings.into());
    })
}

/// Decides an assignment's command, and holds it against what is planned around it. Gives what somebody should know.
fn step(
    tx: &mut Decision<'_>,
    id: &str,
    command: &StaffAssignmentCommand,
    by: &str,
) -> Result<Vec<String>, Problem> {
    let now = tx.now().micros();
    let before = tx.load(ASSIGNMENT, id)?;
    let drafts = staff_assignment::decide(&before, command, Asked { now, by })?;
    tx.append(ASSIGNMENT, id, drafts)?;
    let after = tx.load(ASSIGNMENT, id)?;
    if !staff_assignment::needs_check(&before, &after) {
        return Ok(Vec::new());
    }
    let person_id = after.text("staff_id").unwrap_or_default().to_owned();
    let missing = || Problem::not_found(STAFF_MISSING);
    let person = tx.read(STAFF, &person_id).ok_or_else(missing)?;
    tx.claim(&format!("calendar:{STAFF}:{person_id}"));
    let work_order = target(tx, &after, "work_order_id", ORDER, ORDER_MISSING)?;
    let transfer_plan = target(tx, &after, "transfer_plan_id", PLAN, PLAN_MISSING)?;
    let others = tx.list(ASSIGNMENT, "staff_id", &person_id).into_iter();
    let others: Vec<Folded> = others
        .filter(|entry| *entry.aggregate_id != *id)
        .map(|entry| entry.folded)
        .collect();
    let around = Around {
        person: &person.folded,
        work_order: work_order.as_ref(),
        transfer_plan: transfer_plan.as_ref(),
        others: &others,
    };
    Ok(staff_assignment::check(&after, &around, now)?)
}

/// What the assignment is for, if it is for one of this type. It must stay as it is until the append.
fn target(
    tx: &mut Decision<'_>,
    assignment: &Folded,
    field: &str,
    aggregate_type: &str,
    missing: &'static str,
) -> Result<Option<Folded>, Problem> {
    let Some(id) = assignment.text(field) else {
        return Ok(None);
    };
    let entry = tx.read(aggregate_type, id);
    let entry = entry.ok_or_else(|| Problem::not_found(missing))?;
    Ok(Some(entry.folded))
}

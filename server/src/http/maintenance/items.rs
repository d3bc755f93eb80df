//! What people write into a work order while they work: ticks of its checklist, findings, notes, and parts that they
//! used. Every answer is the order as it is then.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::part;
use fleet::schema::body;
use fleet::stock_move::{self, Levels, MoveType, Standing, StockMove};
use fleet::work_order::{self, WorkOrderCommand};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ORDER, ORDER_MISSING, docs, step_order};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Reference, Write};
use crate::http::extract::PathParts;
use crate::http::listing::written;
use crate::http::problem::Problem;
use crate::http::stock_moves::location;

const PART_MISSING: &str = "Part not found";
const PART: Reference = Reference::id("part_no", part::AGGREGATE_TYPE, PART_MISSING);

/// The routes of what stands in a work order.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(add_checklist_item))
        .routes(routes!(update_checklist_item, remove_checklist_item))
        .routes(routes!(record_finding))
        .routes(routes!(resolve_finding))
        .routes(routes!(add_note))
        .routes(routes!(use_part))
}

/// Runs a command on the order that `id` names, made anew for each decision.
async fn on_order(
    write: Write,
    id: String,
    status: StatusCode,
    command: impl Fn(&mut Decision<'_>) -> WorkOrderCommand + Send + Sync + 'static,
) -> Result<Response<Body>, Problem> {
    let by = write.caller().id_text().to_owned();
    let done = write
        .run(move |tx| {
            let order = tx.load_existing(ORDER, &id, ORDER_MISSING)?;
            let command = command(tx);
            step_order(tx, &order.aggregate_id, &command, &by)
        })
        .await?;
    written(status, &done)
}

/// Add an item to the checklist. An order is not completed while one is open.
#[utoipa::path(
    post,
    path = "/api/v1/maintenance/orders/{order_id}/checklist",
    tag = "maintenance",
    operation_id = "add_checklist_item",
    params(
        ("order_id" = String, Path, description = "The order's UUID or number"),
        ("If-Match" = Option<String>, Header, description = "The version that the order must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::ChecklistItem,
    responses((status = 201, description = "The order now"), (status = 404, description = "No such order"), (status = 409, description = "It is completed or cancelled")),
)]
pub(crate) async fn add_checklist_item(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(work_order::CHECKLIST_ITEM, &body)?;
    on_order(write, id, StatusCode::CREATED, move |tx| {
        WorkOrderCommand::SetChecklistItem {
            item_id: tx.new_id(),
            fields: fields.clone(),
        }
    })
    .await
}

/// Tick an item of the checklist, or change it: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/maintenance/orders/{order_id}/checklist/{item_id}",
    tag = "maintenance",
    operation_id = "update_checklist_item",
    params(
        ("order_id" = String, Path, description = "The order's UUID or number"),
        ("item_id" = String, Path, description = "The item's `item_id`"),
        ("If-Match" = Option<String>, Header, description = "The version that the order must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::ChecklistItem,
    responses((status = 200, description = "The order now"), (status = 404, description = "No such order or item"), (status = 409, description = "It is completed or cancelled")),
)]
pub(crate) async fn update_checklist_item(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id, item]): PathParts<2>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(work_order::CHECKLIST_ITEM, &body)?;
    let done = write
        .run(move |tx| {
            let order = tx.load_existing(ORDER, &id, ORDER_MISSING)?;
            let held = order
                .folded
                .record
                .item(work_order::schema::CHECKLIST, &item);
            if held.is_none() {
                return Err(Problem::not_found("The order has no such checklist item"));
            }
            let command = WorkOrderCommand::SetChecklistItem {
                item_id: item.clone(),
                fields: fields.clone(),
            };
            step_order(tx, &order.aggregate_id, &command, &by)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// Take an item out of the checklist.
#[utoipa::path(
    delete,
    path = "/api/v1/maintenance/orders/{order_id}/checklist/{item_id}",
    tag = "maintenance",
    operation_id = "remove_checklist_item",
    params(
        ("order_id" = String, Path, description = "The order's UUID or number"),
        ("item_id" = String, Path, description = "The item's `item_id`"),
        ("If-Match" = Option<String>, Header, description = "The version that the order must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 200, description = "The order now"), (status = 404, description = "No such order or item"), (status = 409, description = "It is completed or cancelled")),
)]
pub(crate) async fn remove_checklist_item(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id, item]): PathParts<2>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let write = Write::without_body(&state, caller, request)?;
    on_order(write, id, StatusCode::OK, move |_| {
        WorkOrderCommand::RemoveChecklistItem {
            item_id: item.clone(),
        }
    })
    .await
}

/// Record what was found. A vehicle is not released while a finding of severity `high` or `critical` is open.
#[utoipa::path(
    post,
    path = "/api/v1/maintenance/orders/{order_id}/findings",
    tag = "maintenance",
    operation_id = "record_finding",
    params(
        ("order_id" = String, Path, description = "The order's UUID or number"),
        ("If-Match" = Option<String>, Header, description = "The version that the order must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::Finding,
    responses((status = 201, description = "The order now"), (status = 404, description = "No such order"), (status = 409, description = "It is released")),
)]
pub(crate) async fn record_finding(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = told(body::parse(work_order::FINDING, &body)?);
    on_order(write, id, StatusCode::CREATED, move |tx| {
        WorkOrderCommand::RecordFinding {
            finding_id: tx.new_id(),
            fields: fields.clone(),
        }
    })
    .await
}

/// Say what became of a finding.
#[utoipa::path(
    post,
    path = "/api/v1/maintenance/orders/{order_id}/findings/{finding_id}/resolve",
    tag = "maintenance",
    operation_id = "resolve_finding",
    params(
        ("order_id" = String, Path, description = "The order's UUID or number"),
        ("finding_id" = String, Path, description = "The finding's `finding_id`"),
        ("If-Match" = Option<String>, Header, description = "The version that the order must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::Resolution,
    responses((status = 200, description = "The order now"), (status = 404, description = "No such order or finding"), (status = 409, description = "It is released")),
)]
pub(crate) async fn resolve_finding(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id, finding]): PathParts<2>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(work_order::RESOLUTION, &body)?;
    on_order(write, id, StatusCode::OK, move |_| {
        WorkOrderCommand::ResolveFinding {
            finding_id: finding.clone(),
            fields: fields.clone(),
        }
    })
    .await
}

/// Add a note. Notes are added to closed orders as well.
#[utoipa::path(
    post,
    path = "/api/v1/maintenance/orders/{order_id}/notes",
    tag = "maintenance",
    operation_id = "add_work_order_note",
    params(
        ("order_id" = String, Path, description = "The order's UUID or number"),
        ("If-Match" = Option<String>, Header, description = "The version that the order must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::Note,
    responses((status = 201, description = "The order now"), (status = 404, description = "No such order")),
)]
pub(crate) async fn add_note(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(work_order::NOTE, &body)?;
    on_order(write, id, StatusCode::CREATED, move |tx| {
        WorkOrderCommand::AddNote {
            note_id: tx.new_id(),
            fields: fields.clone(),
        }
    })
    .await
}

/// Use a part. It leaves the stock in the same transaction, as a USAGE move for this order at the part's price.
#[utoipa::path(
    post,
    path = "/api/v1/maintenance/orders/{order_id}/parts",
    tag = "maintenance",
    operation_id = "use_part",
    params(
        ("order_id" = String, Path, description = "The order's UUID or number"),
        ("If-Match" = Option<String>, Header, description = "The version that the order must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::PartUse,
    responses(
        (status = 201, description = "The order now"),
        (status = 400, description = "It lies at several places, and none was named"),
        (status = 404, description = "No such order, part or location"),
        (status = 409, description = "There is less than would be taken, or the order is closed"),
    ),
)]
pub(crate) async fn use_part(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = told(body::parse(work_order::PART_USE, &body)?);
    let done = write.run(move |tx| take(tx, &id, &fields, &by)).await?;
    written(StatusCode::CREATED, &done)
}

/// Takes the part from the shelf and writes it into the order.
fn take(
    tx: &mut Decision<'_>,
    id: &str,
    fields: &Map<String, Value>,
    by: &str,
) -> Result<(), Problem> {
    let order = tx.load_existing(ORDER, id, ORDER_MISSING)?;
    let mut fields = fields.clone();
    let text = |fields: &Map<String, Value>, name: &str| {
        fields.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    let part_no = PART.find(tx, &text(&fields, "part_no").unwrap_or_default())?;
    let from = match text(&fields, "from_location_id") {
        Some(named) => Some(location(tx, &named, "from_location_id", false)?),
        None => None,
    };
    let part = tx.load_existing(part::AGGREGATE_TYPE, &part_no, PART_MISSING)?;
    let held = &part.folded;
    let move_id = tx.new_id();
    let mut details = Map::new();
    details.insert("work_order_id".to_owned(), order.uuid().to_string().into());
    if let Some(price) = held.get("unit_price").filter(|price| !price.is_null()) {
        details.insert("unit_price".to_owned(), price.clone());
        fields.insert("unit_price".to_owned(), price);
    }
    if let Some(remark) = fields.get("remark") {
        details.insert("notes".to_owned(), remark.clone());
    }
    let wanted = StockMove {
        part_no: part_no.clone(),
        move_type: MoveType::Usage,
        quantity: fields.get("quantity").and_then(Value::as_i64).unwrap_or(0),
        from_location_id: from.clone(),
        to_location_id: None,
        details,
    };
    let asked = Asked {
        now: tx.now().micros(),
        by,
    };
    let standing = Standing::Requested;
    let moved = stock_move::decide(Levels::of(held), &move_id, &wanted, standing, asked)?;

    fields.insert("part_no".to_owned(), part_no.as_str().into());
    fields.extend(from.map(|from| ("from_location_id".to_owned(), from.into())));
    fields.insert("stock_move_id".to_owned(), move_id.as_str().into());
    let command = WorkOrderCommand::UsePart {
        usage_id: tx.new_id(),
        fields,
    };
    let drafts = work_order::decide(&order.folded, &command, asked)?;
    tx.append(ORDER, &order.aggregate_id, drafts)?;
    tx.append(stock_move::AGGREGATE_TYPE, &move_id, moved.of_move)?;
    tx.append(part::AGGREGATE_TYPE, &part.aggregate_id, moved.of_part)
}

/// What was told: a null is the same as nothing.
fn told(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null());
    fields
}

//! Stock leases: parts that are given to a tablet beforehand, so that what it uses offline is final.
//!
//! A lease is stock at a place of the device's own. Granting one is a transfer there, which is refused where there is not
//! enough; from then on nobody else can take it unknowingly. What the device reports as used without naming a place is
//! taken from there while it lasts, and from where nobody knows (below zero, with a discrepancy) after that. What is left
//! is transferred back. So all levels and leases of a part together change by what came in and was used alone.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::described::Describe;
use fleet::schema::limits::{QUANTITY, REFERENCE};
use fleet::schema::{Field, Kind as FieldKind, body};
use fleet::stock_move::{self, Levels, MoveType, Standing, StockMove, decide};
use fleet::{Folded, part, stock_location};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::unknown_device;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Reference, Write};
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::{Ask, CATALOG};
use crate::sync::lease_code;

/// Parts that are looked through for a device's leases.
const PARTS_MAX: usize = 10_000;
const PART_MISSING: &str = "Part not found";
const PART: Reference = Reference::id("part_no", part::AGGREGATE_TYPE, PART_MISSING);
const LOCATION: Reference = Reference::uuid(
    "location_id",
    stock_location::AGGREGATE_TYPE,
    "Stock location not found",
);

const LEASE: &[Field] = &[
    Field::required("device_id", FieldKind::name(255)),
    Field::required("part_no", FieldKind::name(100)),
    Field::required("quantity", QUANTITY),
    Field::optional("location_id", REFERENCE),
];

/// The routes of leases.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(grant_lease, list_leases))
        .routes(routes!(return_lease))
}

/// Give parts to a tablet: what it uses of them offline is final.
#[utoipa::path(
    post,
    path = "/api/v1/sync/leases",
    tag = "sync",
    operation_id = "grant_stock_lease",
    request_body = super::docs::Lease,
    responses((status = 201, description = "What the tablet has of the part now", body = super::docs::LeaseHeld), (status = 404, description = "No such device, part or location"), (status = 409, description = "There is less than that")),
)]
pub(crate) async fn grant_lease(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    transfer(state, caller, request, true, StatusCode::CREATED).await
}

/// Take back what a tablet did not use.
#[utoipa::path(
    post,
    path = "/api/v1/sync/leases/return",
    tag = "sync",
    operation_id = "return_stock_lease",
    request_body = super::docs::Lease,
    responses((status = 200, description = "What the tablet has of the part now", body = super::docs::LeaseHeld), (status = 404, description = "No such device, part or location"), (status = 409, description = "It has less than that")),
)]
pub(crate) async fn return_lease(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    transfer(state, caller, request, false, StatusCode::OK).await
}

async fn transfer(
    state: AppState,
    caller: Caller,
    request: Request,
    grants: bool,
    status: StatusCode,
) -> Result<Response<Body>, Problem> {
    super::require_enabled(&state)?;
    let (write, object) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(LEASE, &object)?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let device_id = text("device_id").unwrap_or_default();
    if state.sync.devices.get(&device_id).is_none() {
        return Err(unknown_device(&device_id));
    }
    let quantity = fields.get("quantity").and_then(Value::as_i64).unwrap_or(0);
    let (part_no, place) = (text("part_no").unwrap_or_default(), text("location_id"));
    let by = write.caller().id_text().to_owned();
    let (device, named) = (device_id.clone(), part_no.clone());
    let done = write
        .run(move |tx| {
            let id = tx.new_id();
            tx.load(stock_move::AGGREGATE_TYPE, &id)?;
            let own = device_place(tx, &device)?;
            let place = match &place {
                Some(place) => Some(LOCATION.find(tx, place)?),
                None => None,
            };
            let (from, to) = if grants {
                (place, Some(own))
            } else {
                (Some(own), place)
            };
            let part_no = PART.find(tx, &named)?;
            let mut details = Map::new();
            let note = if grants { "Lease of" } else { "Returned by" };
            details.insert("notes".to_owned(), format!("{note} {device}").into());
            let wanted = StockMove {
                part_no: part_no.clone(),
                move_type: MoveType::Transfer,
                quantity,
                from_location_id: from,
                to_location_id: to,
                details,
            };
            let part = tx.load_existing(part::AGGREGATE_TYPE, &part_no, PART_MISSING)?;
            let levels = Levels::of(&part.folded);
            let now = tx.now().micros();
            let asked = Asked { now, by: &by };
            let moved = decide(levels, &id, &wanted, Standing::Requested, asked)?;
            tx.append(stock_move::AGGREGATE_TYPE, &id, moved.of_move)?;
            tx.append(part::AGGREGATE_TYPE, &part.aggregate_id, moved.of_part)
        })
        .await?;
    let catalog = state.projections.catalog();
    let place = catalog.find(stock_location::AGGREGATE_TYPE, &lease_code(&device_id));
    let place = place.value.map(|entry| entry.uuid().to_string());
    let part = catalog.find(part::AGGREGATE_TYPE, &part_no).value;
    let held = part.map_or(0, |part| Levels::of(&part.folded).at(place.as_deref()));
    let body = json!({
        "device_id": device_id,
        "part_no": part_no,
        "quantity": held,
        "location_id": place,
        "position": done.position.get(),
    });
    let mut response = json_response(body.to_string());
    *response.status_mut() = status;
    Ok(response)
}

/// The place of a device's leases, which comes into being with the first one.
fn device_place(tx: &mut Decision<'_>, device_id: &str) -> Result<String, Problem> {
    let code = lease_code(device_id);
    if let Some(known) = tx.find(stock_location::AGGREGATE_TYPE, &code) {
        return Ok(known.uuid().to_string());
    }
    let id = tx.new_id();
    let mut fields = Map::new();
    let mut put = |name: &str, value: &str| fields.insert(name.to_owned(), value.into());
    put("location_code", &code);
    put("name", &format!("With {device_id}"));
    put("location_type", "DEVICE");
    fields.insert("is_active".to_owned(), true.into());
    let create = Describe::Create(fields);
    let drafts = stock_location::DESCRIBED.decide(&Folded::default(), &create)?;
    tx.append(stock_location::AGGREGATE_TYPE, &id, drafts)?;
    Ok(tx.uuid_of(stock_location::AGGREGATE_TYPE, &id)?.to_string())
}

/// List what tablets have.
#[utoipa::path(
    get,
    path = "/api/v1/sync/leases",
    tag = "sync",
    operation_id = "list_stock_leases",
    params(("device_id" = String, Query, description = "The device")),
    responses((status = 200, description = "Its parts", body = super::docs::LeaseList)),
)]
pub(crate) async fn list_leases(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let device_id = query.required("device_id");
    let at = ReadAt::read(&mut query, &state);
    query.finish()?;
    if state.sync.devices.get(&device_id).is_none() {
        return Err(unknown_device(&device_id));
    }
    at.reach_projection(&state, CATALOG).await?;
    let catalog = state.projections.catalog();
    let place = catalog.find(stock_location::AGGREGATE_TYPE, &lease_code(&device_id));
    let place = place.value.map(|entry| entry.uuid().to_string());
    let ask = Ask {
        aggregate_type: part::AGGREGATE_TYPE,
        limit: PARTS_MAX,
        ..Ask::default()
    };
    let page = catalog.page(&ask)?;
    let leases: Vec<Value> = page
        .value
        .entries
        .iter()
        .filter_map(|entry| {
            let quantity = Levels::of(&entry.folded).at(Some(place.as_deref()?));
            (quantity != 0).then(|| json!({ "part_no": entry.key(), "quantity": quantity }))
        })
        .collect();
    let body = json!({
        "device_id": device_id,
        "location_id": place,
        "leases": leases,
        "position": page.position.get(),
    });
    Ok(json_response(body.to_string()))
}

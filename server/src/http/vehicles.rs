//! Vehicles: the fleet's records.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::vehicle::schema::SCHEMA;
use fleet::vehicle::{
    AGGREGATE_TYPE, STATUSES, VehicleChanges, VehicleCommand, VehicleFields, decide,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::PathParts;
use super::listing::{List, no_content, written};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Write, free_key};

mod docs;
mod home;

const MISSING: &str = "Vehicle not found";

/// The routes of vehicles.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_vehicle, list_vehicles))
        .routes(routes!(get_vehicle, update_vehicle, delete_vehicle))
        .routes(routes!(home::hand_over_vehicle))
        .routes(routes!(home::take_over_vehicle))
}

/// Create a vehicle.
#[utoipa::path(
    post,
    path = "/api/v1/vehicles",
    tag = "vehicles",
    operation_id = "create_vehicle",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::VehicleCreate,
    responses((status = 201, description = "Created", body = docs::Vehicle), (status = 400, description = "There is one with this asset_id, or one had it before")),
)]
pub(crate) async fn create_vehicle(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = VehicleFields::parse(&body)?;
    let done = write
        .run(move |tx| {
            let id = fields.asset_id();
            let vehicle = tx.load(AGGREGATE_TYPE, id)?;
            free_key(tx, &SCHEMA, "Vehicle", id)?;
            let drafts = decide(&vehicle, id, &VehicleCommand::Create(fields.clone()))?;
            tx.append(AGGREGATE_TYPE, id, drafts)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// List vehicles by their asset ids.
#[utoipa::path(
    get,
    path = "/api/v1/vehicles",
    tag = "vehicles",
    operation_id = "list_vehicles",
    params(
        ("status" = Option<String>, Query, description = "Only of this status"),
        ("search" = Option<String>, Query, description = "Only with this text in asset id, model or manufacturer"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of vehicles", body = docs::VehicleList)),
)]
pub(crate) async fn list_vehicles(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let status = query.one_of("status", STATUSES);
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &["search"]);
    list.narrow("status", status.map(|status| STATUSES[status]));
    query.finish()?;
    list.answer(&state, "vehicles").await
}

/// One vehicle.
#[utoipa::path(
    get,
    path = "/api/v1/vehicles/{vehicle_id}",
    tag = "vehicles",
    operation_id = "get_vehicle",
    params(
        ("vehicle_id" = String, Path, description = "Its UUID or its asset_id"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The vehicle", body = docs::Vehicle), (status = 404, description = "No such vehicle")),
)]
pub(crate) async fn get_vehicle(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    home::one(&state, query, &id).await
}

/// Change a vehicle: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/vehicles/{vehicle_id}",
    tag = "vehicles",
    operation_id = "update_vehicle",
    params(
        ("vehicle_id" = String, Path, description = "Its UUID or its asset_id"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::VehicleUpdate,
    responses((status = 200, description = "The vehicle now", body = docs::Vehicle), (status = 400, description = "Mileage can only increase"), (status = 404, description = "No such vehicle")),
)]
pub(crate) async fn update_vehicle(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let command = VehicleCommand::Change(VehicleChanges::parse(&body)?);
    let done = write
        .run(move |tx| {
            let vehicle = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let drafts = decide(&vehicle.folded, &vehicle.aggregate_id, &command)?;
            tx.append(AGGREGATE_TYPE, &vehicle.aggregate_id, drafts)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// Take a vehicle out of the fleet.
///
/// Its history stays; what refers to it keeps referring to it.
#[utoipa::path(
    delete,
    path = "/api/v1/vehicles/{vehicle_id}",
    tag = "vehicles",
    operation_id = "delete_vehicle",
    params(
        ("vehicle_id" = String, Path, description = "Its UUID or its asset_id"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such vehicle")),
)]
pub(crate) async fn delete_vehicle(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let write = Write::without_body(&state, caller, request)?;
    let done = write
        .run(move |tx| {
            let vehicle = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let drafts = decide(
                &vehicle.folded,
                &vehicle.aggregate_id,
                &VehicleCommand::Delete,
            )?;
            tx.append(AGGREGATE_TYPE, &vehicle.aggregate_id, drafts)
        })
        .await?;
    Ok(no_content(&done))
}

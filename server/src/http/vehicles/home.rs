//! To which depot of the federation a vehicle belongs, and its way from one to another.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use federation::Member;
use fleet::vehicle::AGGREGATE_TYPE;
use fleet::vehicle::event::VEHICLE_HANDED_OVER;
use fleet::vehicle::home::{Home, hand_over, parse_hand_over, take_over};
use serde_json::Value;
use storage::{StreamName, Timestamp};
use uuid::Uuid;

use super::MISSING;
use super::docs;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::Write;
use crate::federation::{check_vehicle, name_of, still_gone};
use crate::field_error::FieldError;
use crate::http::extract::{PathParts, ReadAt};
use crate::http::federation::member;
use crate::http::listing::{row_response_with, written_with};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::{CATALOG, Entry};
use crate::{reads, rfc3339};

/// Hand a vehicle over to another depot of the federation.
///
/// The vehicle's home alone does. From then on nobody decides about it until the other depot has taken it over; this one may
/// take it back by taking it over itself.
#[utoipa::path(
    post,
    path = "/api/v1/vehicles/{vehicle_id}/hand-over",
    tag = "vehicles",
    operation_id = "hand_over_vehicle",
    params(
        ("vehicle_id" = String, Path, description = "Its UUID or its asset_id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::VehicleHandOver,
    responses(
        (status = 200, description = "The vehicle now", body = docs::Vehicle),
        (status = 404, description = "No such vehicle"),
        (status = 409, description = "Another depot decides about it, or this one takes part in no federation"),
        (status = 422, description = "No depot of this name was heard of"),
    ),
)]
pub(crate) async fn hand_over_vehicle(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let (depot, reason) = parse_hand_over(&body)?;
    let to = log_of(member(&state)?, &depot)?;
    let own = state.log.log_id();
    let task = state.clone();
    let done = write
        .run(move |tx| {
            let vehicle = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let name = StreamName::new(AGGREGATE_TYPE, &*vehicle.aggregate_id);
            check_vehicle(&task, &name, [VEHICLE_HANDED_OVER])?;
            let home = task.homes.home(&task.log, &vehicle.aggregate_id)?;
            let draft = hand_over(home.as_ref(), own, to, reason.as_deref())?;
            tx.append(AGGREGATE_TYPE, &vehicle.aggregate_id, vec![draft])
        })
        .await?;
    let home = told(&state, &done.entry()?).await?;
    written_with(StatusCode::OK, &done, |row, _| {
        row.insert("home".to_owned(), home);
    })
}

/// Take over a vehicle that another depot of the federation handed to this one, or take back what this one handed over.
///
/// What belongs to a depot that an administrator here has said is gone is taken over without a hand-over.
#[utoipa::path(
    post,
    path = "/api/v1/vehicles/{vehicle_id}/take-over",
    tag = "vehicles",
    operation_id = "take_over_vehicle",
    params(
        ("vehicle_id" = String, Path, description = "Its UUID or its asset_id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses(
        (status = 200, description = "The vehicle now", body = docs::Vehicle),
        (status = 404, description = "No such vehicle"),
        (status = 409, description = "It was not handed to this depot, as far as it has heard"),
    ),
)]
pub(crate) async fn take_over_vehicle(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let member = member(&state)?.clone();
    let write = Write::without_body(&state, caller, request)?;
    let own = state.log.log_id();
    let task = state.clone();
    let done = write
        .run(move |tx| {
            let vehicle = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let home = task.homes.home(&task.log, &vehicle.aggregate_id)?;
            let gone = still_gone(&task.homes, &task.log, &member)?;
            let draft = take_over(home.as_ref(), own, |log| gone.contains(&log))?;
            tx.append(AGGREGATE_TYPE, &vehicle.aggregate_id, vec![draft])
        })
        .await?;
    let home = told(&state, &done.entry()?).await?;
    written_with(StatusCode::OK, &done, |row, _| {
        row.insert("home".to_owned(), home);
    })
}

/// One vehicle, with its home.
pub(super) async fn one(
    state: &AppState,
    mut query: Query<'_>,
    id: &str,
) -> Result<Response<Body>, Problem> {
    let at = ReadAt::read(&mut query, state);
    query.finish()?;
    at.reach_projection(state, CATALOG).await?;
    let answer = state.projections.catalog().find(AGGREGATE_TYPE, id);
    let entry = answer.value.ok_or_else(|| Problem::not_found(MISSING))?;
    let home = told(state, &entry).await?;
    row_response_with(StatusCode::OK, &entry, answer.position.get(), |row, _| {
        row.insert("home".to_owned(), home);
    })
}

/// A vehicle's home as JSON; null where this depot takes part in no federation.
async fn told(state: &AppState, vehicle: &Entry) -> Result<Value, Problem> {
    if state.federation.is_none() {
        return Ok(Value::Null);
    }
    let asset_id = vehicle.aggregate_id.clone();
    let home = reads::run(state, move |state| {
        Ok(state.homes.home(&state.log, &asset_id)?)
    });
    let (Some(home), Some(member)) = (home.await?, &state.federation) else {
        return Ok(Value::Null);
    };
    let shown = shown(member, state.log.log_id(), &home);
    serde_json::to_value(shown).map_err(|error| Problem::internal(&error))
}

fn shown(member: &Member, own: Uuid, home: &Home) -> docs::VehicleHome {
    let claim = |log: Uuid, recorded_at: i64| docs::VehicleClaim {
        depot: name_of(member, log),
        log_id: log,
        recorded_at: rfc3339::to_string(Timestamp::from_micros(recorded_at)),
    };
    let since = home.on_its_way.map_or(home.claim, |(_, given)| given).at;
    docs::VehicleHome {
        depot: name_of(member, home.claim.log),
        log_id: home.claim.log,
        state: match home.on_its_way {
            Some(_) => "on_its_way",
            None if home.claim.log == own => "here",
            None => "elsewhere",
        },
        since: rfc3339::to_string(Timestamp::from_micros(since)),
        handed_over_to: home.on_its_way.map(|(to, given)| claim(to, given.at)),
        passed_over: home
            .passed_over
            .iter()
            .map(|passed| claim(passed.log, passed.at))
            .collect(),
        was_of_gone: home.was_of_gone.map(|former| claim(former.log, former.at)),
    }
}

/// The log of the depot that is named, by what people call it or by the log's id.
fn log_of(member: &Member, depot: &str) -> Result<Uuid, Problem> {
    let named = member.logs_named(depot);
    let fault = |message: String| {
        let place = ["body".into(), "to".into()];
        Problem::invalid(vec![FieldError::new(place, "value_error", message)])
    };
    match (&named[..], depot.parse::<Uuid>()) {
        ([only], _) => Ok(*only),
        ([], Ok(log)) => Ok(log),
        ([], Err(_)) => Err(fault(format!(
            "no depot called {depot} was heard of; GET /federation names those that were"
        ))),
        (several, _) => {
            let ids: Vec<String> = several.iter().map(Uuid::to_string).collect();
            Err(fault(format!(
                "several depots are called {depot}; name one by its log's id: {}",
                ids.join(", ")
            )))
        }
    }
}

//! Tracks and teams: what work orders are planned onto. Both are described, are there or not for spans of time, and are
//! otherwise the same to HTTP; what differs is a [`Workplace`].

mod docs;
mod teams;
mod tracks;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use fleet::schema::body;
use fleet::workplace::{Workplace, WorkplaceCommand};
use utoipa_axum::router::OpenApiRouter;

use super::listing::{List, no_content, one, written};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Reference, Write, referred_to_as, resolve};

const REFERENCES: &[Reference] = &[Reference::WORKSHOP];

/// The routes of tracks and teams.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(tracks::routes())
        .merge(teams::routes())
}

/// Has the workplace with this id do what `command` asks for.
fn step(
    tx: &mut Decision<'_>,
    kind: &Workplace,
    id: &str,
    command: &WorkplaceCommand,
) -> Result<(), Problem> {
    let held = tx.load_existing(kind.schema.aggregate_type, id, kind.not_found)?;
    let drafts = kind.decide(&held.folded, command)?;
    tx.append(kind.schema.aggregate_type, &held.aggregate_id, drafts)
}

/// Answers a `POST` of a new one.
async fn created(
    kind: &'static Workplace,
    state: &AppState,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(state, caller, request).await?;
    let fields = body::parse(kind.creation, &body)?;
    let done = write
        .run(move |tx| {
            let id = tx.new_id();
            let held = tx.load(kind.schema.aggregate_type, &id)?;
            let mut fields = fields.clone();
            resolve(tx, &mut fields, REFERENCES)?;
            let drafts = kind.decide(&held, &WorkplaceCommand::Create(fields))?;
            tx.append(kind.schema.aggregate_type, &id, drafts)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// Answers a `PATCH`.
async fn changed(
    kind: &'static Workplace,
    state: &AppState,
    caller: Caller,
    id: String,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(state, caller, request).await?;
    let fields = body::parse(kind.change, &body)?;
    let done = write
        .run(move |tx| {
            let held = tx.load_existing(kind.schema.aggregate_type, &id, kind.not_found)?;
            let mut fields = fields.clone();
            resolve(tx, &mut fields, REFERENCES)?;
            let drafts = kind.decide(&held.folded, &WorkplaceCommand::Change(fields))?;
            tx.append(kind.schema.aggregate_type, &held.aggregate_id, drafts)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// Answers a `POST` of a span of time.
async fn available(
    kind: &'static Workplace,
    state: &AppState,
    caller: Caller,
    id: String,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(state, caller, request).await?;
    let fields = body::parse(kind.availability, &body)?;
    let done = write
        .run(move |tx| {
            let command = WorkplaceCommand::SetAvailability {
                availability_id: tx.new_id(),
                fields: fields.clone(),
            };
            step(tx, kind, &id, &command)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// Answers a `DELETE` of a span of time.
async fn no_longer_available(
    kind: &'static Workplace,
    state: &AppState,
    caller: Caller,
    [id, availability_id]: [String; 2],
    request: Request,
) -> Result<Response<Body>, Problem> {
    let write = Write::without_body(state, caller, request)?;
    let command = WorkplaceCommand::RemoveAvailability { availability_id };
    let done = write.run(move |tx| step(tx, kind, &id, &command)).await?;
    written(StatusCode::OK, &done)
}

/// Answers a `DELETE`. Orders that name it go on naming it.
async fn deleted(
    kind: &'static Workplace,
    state: &AppState,
    caller: Caller,
    id: String,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let write = Write::without_body(state, caller, request)?;
    let done = write
        .run(move |tx| step(tx, kind, &id, &WorkplaceCommand::Delete))
        .await?;
    Ok(no_content(&done))
}

/// Answers a list.
async fn listed(
    kind: &Workplace,
    state: &AppState,
    query: Option<&str>,
    plural: &'static str,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query);
    let workshop = query.text("workshop_id");
    let is_active = query.flag("is_active").unwrap_or(true);
    let mut list = List::read(&mut query, state, kind.schema.aggregate_type, &["search"]);
    let workshop = workshop.map(|named| referred_to_as(state, "Workshop", &named));
    list.narrow("workshop_id", workshop);
    list.narrow("is_active", Some(is_active.to_string()));
    query.finish()?;
    list.answer(state, plural).await
}

/// Answers a `GET` of one.
async fn shown(
    kind: &Workplace,
    state: &AppState,
    query: Option<&str>,
    id: &str,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query);
    one(state, query, kind.schema.aggregate_type, id, kind.not_found).await
}

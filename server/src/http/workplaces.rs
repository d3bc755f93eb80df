//! Tracks and teams: what work orders are planned onto. Both are described, are there or not for spans of time, and are
//! otherwise the same to HTTP; what differs is a [`Workplace`].

mod docs;
mod teams;
mod tracks;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use fleet::schema::{Field, body};
use fleet::{EventDraft, Folded, Refusal};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;

use super::listing::{List, no_content, written};
use super::maintenance::{refer, row_id};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::Write;

/// The routes of tracks and teams.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(tracks::routes())
        .merge(teams::routes())
}

/// A command on either, its body checked.
#[derive(Clone, Debug)]
enum Step {
    Create(Map<String, Value>),
    Change(Map<String, Value>),
    SetAvailability {
        availability_id: String,
        fields: Map<String, Value>,
    },
    RemoveAvailability {
        availability_id: String,
    },
    Delete,
}

/// A kind of workplace, as HTTP knows it.
#[derive(Debug)]
struct Workplace {
    aggregate_type: &'static str,
    create: &'static [Field],
    change: &'static [Field],
    availability: &'static [Field],
    decide: fn(&Folded, Step) -> Result<Vec<EventDraft>, Refusal>,
    missing: &'static str,
}

impl Workplace {
    /// Answers a `POST` of a new one.
    async fn created(
        &'static self,
        state: &AppState,
        caller: Caller,
        request: Request,
    ) -> Result<Response<Body>, Problem> {
        let (write, body) = Write::with_body(state, caller, request).await?;
        let fields = body::parse(self.create, &body)?;
        let done = write
            .run(move |tx| {
                let id = tx.new_id();
                let held = tx.load(self.aggregate_type, &id)?;
                let mut fields = fields.clone();
                refer(
                    tx,
                    &mut fields,
                    "workshop_id",
                    "Workshop",
                    "Workshop not found",
                )?;
                let drafts = (self.decide)(&held, Step::Create(fields))?;
                tx.append(self.aggregate_type, &id, drafts)
            })
            .await?;
        written(StatusCode::CREATED, &done)
    }

    /// Answers a `PATCH`.
    async fn changed(
        &'static self,
        state: &AppState,
        caller: Caller,
        id: String,
        request: Request,
    ) -> Result<Response<Body>, Problem> {
        let (write, body) = Write::with_body(state, caller, request).await?;
        let fields = body::parse(self.change, &body)?;
        let done = write
            .run(move |tx| {
                let held = tx.load_existing(self.aggregate_type, &id, self.missing)?;
                let mut fields = fields.clone();
                refer(
                    tx,
                    &mut fields,
                    "workshop_id",
                    "Workshop",
                    "Workshop not found",
                )?;
                let drafts = (self.decide)(&held.folded, Step::Change(fields))?;
                tx.append(self.aggregate_type, &held.aggregate_id, drafts)
            })
            .await?;
        written(StatusCode::OK, &done)
    }

    /// Answers a `POST` of a span of time.
    async fn available(
        &'static self,
        state: &AppState,
        caller: Caller,
        id: String,
        request: Request,
    ) -> Result<Response<Body>, Problem> {
        let (write, body) = Write::with_body(state, caller, request).await?;
        let fields = body::parse(self.availability, &body)?;
        let done = write
            .run(move |tx| {
                let held = tx.load_existing(self.aggregate_type, &id, self.missing)?;
                let step = Step::SetAvailability {
                    availability_id: tx.new_id(),
                    fields: fields.clone(),
                };
                let drafts = (self.decide)(&held.folded, step)?;
                tx.append(self.aggregate_type, &held.aggregate_id, drafts)
            })
            .await?;
        written(StatusCode::CREATED, &done)
    }

    /// Answers a `DELETE` of a span of time.
    async fn no_longer_available(
        &'static self,
        state: &AppState,
        caller: Caller,
        [id, availability_id]: [String; 2],
        request: Request,
    ) -> Result<Response<Body>, Problem> {
        let write = Write::without_body(state, caller, request)?;
        let done = write
            .run(move |tx| {
                let held = tx.load_existing(self.aggregate_type, &id, self.missing)?;
                let step = Step::RemoveAvailability {
                    availability_id: availability_id.clone(),
                };
                let drafts = (self.decide)(&held.folded, step)?;
                tx.append(self.aggregate_type, &held.aggregate_id, drafts)
            })
            .await?;
        written(StatusCode::OK, &done)
    }

    /// Answers a `DELETE`. Orders that name it go on naming it.
    async fn deleted(
        &'static self,
        state: &AppState,
        caller: Caller,
        id: String,
        request: Request,
    ) -> Result<Response<Body>, Problem> {
        let write = Write::without_body(state, caller, request)?;
        let done = write
            .run(move |tx| {
                let held = tx.load_existing(self.aggregate_type, &id, self.missing)?;
                let drafts = (self.decide)(&held.folded, Step::Delete)?;
                tx.append(self.aggregate_type, &held.aggregate_id, drafts)
            })
            .await?;
        Ok(no_content(&done))
    }

    /// Answers a list.
    async fn listed(
        &'static self,
        state: &AppState,
        query: Option<&str>,
        plural: &'static str,
    ) -> Result<Response<Body>, Problem> {
        let mut query = Query::parse(query);
        let workshop = query.text("workshop_id");
        let is_active = query.flag("is_active").unwrap_or(true);
        let mut list = List::read(&mut query, state, self.aggregate_type, &["search"]);
        let workshop = workshop.map(|named| row_id(state, "Workshop", &named));
        list.narrow("workshop_id", workshop);
        list.narrow("is_active", Some(is_active.to_string()));
        query.finish()?;
        list.answer(state, plural).await
    }
}

//! The handlers of resources that are only described ([`fleet::described`]): created with fields, changed field by field,
//! taken out of use. What differs between them is a [`Resource`].

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use fleet::described::{Describe, Described};
use fleet::schema::FieldError;
use fleet::{EventDraft, Folded, Refusal};
use serde_json::{Map, Value};

use super::listing::{no_content, written};
use super::problem::Problem;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Reference, Write, free_key, resolve};

/// Checks a creation's body and gives its fields.
type Creation = fn(&Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldError>>;

/// A kind of aggregate that is only described, as HTTP knows it.
#[derive(Debug)]
pub(super) struct Resource {
    /// What its commands may bring.
    pub described: &'static Described,
    /// What a creation's body becomes.
    pub creation: Creation,
    /// Fields that name other aggregates.
    pub references: &'static [Reference],
    /// What a creation has to make sure of beside the keys of the listing, and the one that it begins under.
    pub guard: fn(&mut Decision<'_>, &Map<String, Value>) -> Result<(), Problem>,
    /// The domain's decision.
    pub decide: fn(&Folded, &str, &Describe) -> Result<Vec<EventDraft>, Refusal>,
    /// The 404's text.
    pub missing: &'static str,
}

/// Nothing to make sure of.
pub(super) fn unguarded(_: &mut Decision<'_>, _: &Map<String, Value>) -> Result<(), Problem> {
    Ok(())
}

/// Answers a `POST`.
pub(super) async fn create(
    state: &AppState,
    caller: Caller,
    request: Request,
    resource: &'static Resource,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(state, caller, request).await?;
    let fields = (resource.creation)(&body)?;
    let schema = resource.described.schema;
    let done = write
        .run(move |tx| {
            let mut fields = fields.clone();
            let named_by = schema.named_by;
            let key = named_by.and_then(|field| fields.get(field)?.as_str());
            let key = key.map(str::to_owned);
            let id = key.clone().unwrap_or_else(|| tx.new_id());
            let held = tx.load(schema.aggregate_type, &id)?;
            resolve(tx, &mut fields, resource.references)?;
            if let Some(key) = key {
                free_key(tx, schema, resource.described.name, &key)?;
            }
            (resource.guard)(tx, &fields)?;
            let drafts = (resource.decide)(&held, &id, &Describe::Create(fields))?;
            tx.append(schema.aggregate_type, &id, drafts)
        })
        .await?;
    written(StatusCode::CREATED, &done)
}

/// Answers a `PATCH`.
pub(super) async fn change(
    state: &AppState,
    caller: Caller,
    request: Request,
    resource: &'static Resource,
    id: String,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_body(state, caller, request).await?;
    let fields = resource.described.parse_change(&body)?;
    let done = write
        .run(move |tx| apply(tx, resource, &id, fields.clone()))
        .await?;
    written(StatusCode::OK, &done)
}

/// Answers a `DELETE`: what refers to it goes on referring to it, so it is only taken out of use, and out of the lists of
/// what is in use.
pub(super) async fn retire(
    state: &AppState,
    caller: Caller,
    request: Request,
    resource: &'static Resource,
    id: String,
) -> Result<Response<Body>, Problem> {
    let write = Write::without_body(state, caller, request)?;
    let done = write
        .run(move |tx| {
            let mut fields = Map::new();
            fields.insert("is_active".to_owned(), false.into());
            apply(tx, resource, &id, fields)
        })
        .await?;
    Ok(no_content(&done))
}

fn apply(
    tx: &mut Decision<'_>,
    resource: &Resource,
    id: &str,
    mut fields: Map<String, Value>,
) -> Result<(), Problem> {
    let aggregate_type = resource.described.schema.aggregate_type;
    let held = tx.load_existing(aggregate_type, id, resource.missing)?;
    resolve(tx, &mut fields, resource.references)?;
    let command = Describe::Change(fields);
    let drafts = (resource.decide)(&held.folded, &held.aggregate_id, &command)?;
    tx.append(aggregate_type, &held.aggregate_id, drafts)
}

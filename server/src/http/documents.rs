//! Documents: links to files that prove something. Who looks at one is told by an event on its stream.
//!
//! Lists show every document; what it says ([`fleet::document::conceal`]) is for those whose role reaches its access level.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode, header};
use fleet::command::Asked;
use fleet::document::schema::SEARCH_ALL;
use fleet::document::{self, DocumentCommand, STATUSES, TYPES, role_to_read};
use fleet::policy::Role;
use fleet::schema::body;
use fleet::{Folded, calendar};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::PeerAddress;
use super::events::append::IDEMPOTENCY_KEY;
use super::extract::{PathParts, ReadAt};
use super::json_response;
use super::listing::{List, no_content, written_with};
use super::problem::{Kind, Problem};
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Done, Reference, Write, referred_to_as, resolve};
use crate::projection::{CATALOG, Entry};

mod accesses;
mod docs;
mod expiring;
mod versions;

const DOCUMENT: &str = document::AGGREGATE_TYPE;
const MISSING: &str = "Document not found";
/// What a document can be about, in the order of the contract.
const REFERENCES: &[Reference] = &[
    Reference::VEHICLE,
    Reference::uuid("staff_id", "Staff", "Staff not found"),
    Reference::WORKSHOP,
    Reference::uuid("work_order_id", "WorkOrder", "Work order not found"),
];
/// Characters of a user agent that are kept.
const USER_AGENT_CHARS_MAX: usize = 500;

/// The routes of documents.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_document, list_documents))
        .routes(routes!(get_document, update_document, delete_document))
        .merge(versions::routes())
        .merge(accesses::routes())
        .merge(expiring::routes())
}

/// Refuses those whose role does not reach the document's access level.
fn check_may_read(role: Role, document: &Folded) -> Result<(), Problem> {
    let least = role_to_read(document);
    if role.reaches(least) {
        return Ok(());
    }
    let level = document.text("access_level").unwrap_or("internal");
    let detail = format!("This document is {level}; it takes the role {least}");
    Err(Problem::new(Kind::Forbidden, detail))
}

/// The document that exists with this id, to be written by somebody who may read it.
fn load(tx: &mut Decision<'_>, id: &str, role: Role) -> Result<Entry, Problem> {
    let document = tx.load_existing(DOCUMENT, id, MISSING)?;
    check_may_read(role, &document.folded)?;
    Ok(document)
}

/// The document's row. A write that was done earlier is answered with the document as it is by now, which may be for fewer.
fn answer<T>(
    state: &AppState,
    role: Role,
    status: StatusCode,
    done: &Done<T>,
) -> Result<Response<Body>, Problem> {
    let now = state.clock.now().micros();
    let is_repeated = done.value.is_none();
    written_with(status, done, |row, entry| {
        document::add_expiry(row, &entry.folded, now);
        if is_repeated && !role.reaches(role_to_read(&entry.folded)) {
            document::conceal(row);
        }
    })
}

/// Create a document.
#[utoipa::path(
    post,
    path = "/api/v1/docs/links",
    tag = "documents",
    operation_id = "create_document",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::DocumentCreate,
    responses((status = 201, description = "Created", body = docs::Document), (status = 400, description = "There is one with this document_id, or it would expire before it is issued"), (status = 404, description = "No such vehicle, person, workshop or work order")),
)]
pub(crate) async fn create_document(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (by, role) = (caller.id_text().to_owned(), caller.role());
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(document::CREATE, &body)?;
    let done = write
        .run(move |tx| {
            let id = tx.new_id();
            let held = tx.load(DOCUMENT, &id)?;
            let mut fields = fields.clone();
            resolve(tx, &mut fields, REFERENCES)?;
            let now = tx.now().micros();
            let command = DocumentCommand::Create(fields);
            let drafts = document::decide(&held, &command, Asked { now, by: &by })?;
            tx.append(DOCUMENT, &id, drafts)
        })
        .await?;
    answer(&state, role, StatusCode::CREATED, &done)
}

/// List documents, the newest first. Of those that the caller may not read only what they are is shown.
#[utoipa::path(
    get,
    path = "/api/v1/docs/links",
    tag = "documents",
    operation_id = "list_documents",
    params(
        ("document_type" = Option<String>, Query, description = "Only of this kind"),
        ("status" = Option<String>, Query, description = "Only of this status"),
        ("vehicle_id" = Option<String>, Query, description = "Only of this vehicle: UUID or asset id"),
        ("staff_id" = Option<String>, Query, description = "Only of this person: UUID or staff_id"),
        ("workshop_id" = Option<String>, Query, description = "Only of this workshop: UUID or code"),
        ("work_order_id" = Option<String>, Query, description = "Only of this work order: UUID or number"),
        ("search" = Option<String>, Query, description = "Only with this text in document_id or title; for a FLEET_MANAGER, who may read them all, also in the description"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of documents", body = docs::DocumentList)),
)]
pub(crate) async fn list_documents(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let kind = query.one_of("document_type", TYPES);
    let status = query.one_of("status", STATUSES);
    let about = [
        ("vehicle_id", "Vehicle"),
        ("staff_id", "Staff"),
        ("workshop_id", "Workshop"),
        ("work_order_id", "WorkOrder"),
    ]
    .map(|(filter, aggregate_type)| (filter, aggregate_type, query.text(filter)));
    let mut list = List::read(&mut query, &state, DOCUMENT, &["search"]);
    if caller.role().reaches(Role::FleetManager) {
        list.search_by("search", SEARCH_ALL);
    }
    list.narrow("document_type", kind.map(|kind| TYPES[kind]));
    list.narrow("status", status.map(|status| STATUSES[status]));
    for (filter, aggregate_type, text) in about {
        let id = text.map(|text| referred_to_as(&state, aggregate_type, &text));
        list.narrow(filter, id);
    }
    query.finish()?;
    let (position, page) = list.page(&state).await?;
    let now = state.clock.now().micros();
    let shown = |entry: &Entry| {
        let mut row = entry.row()?;
        document::add_expiry(&mut row, &entry.folded, now);
        if !caller.role().reaches(role_to_read(&entry.folded)) {
            document::conceal(&mut row);
        }
        Some(Value::Object(row))
    };
    let body = json!({
        "total": page.total,
        "documents": page.entries.iter().filter_map(shown).collect::<Vec<_>>(),
        "position": position,
        "next_cursor": page.next,
    });
    Ok(json_response(body.to_string()))
}

/// One document. That it was looked at becomes part of its history.
#[utoipa::path(
    get,
    path = "/api/v1/docs/links/{document_id}",
    tag = "documents",
    operation_id = "get_document",
    params(
        ("document_id" = String, Path, description = "Its UUID or its document_id"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The document", body = docs::Document), (status = 404, description = "No such document")),
)]
pub(crate) async fn get_document(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
    mut request: Request,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    ReadAt::await_projection(query, &state, CATALOG).await?;
    // Each look is one, and is judged by itself.
    request.headers_mut().remove(IDEMPOTENCY_KEY);
    let (by, role) = (caller.id_text().to_owned(), caller.role());
    let peer = request.extensions().get::<PeerAddress>();
    let ip_address = peer.map(|peer| peer.0.to_string());
    let user_agent = request.headers().get(header::USER_AGENT);
    let user_agent = user_agent.and_then(|agent| agent.to_str().ok());
    let user_agent = user_agent.map(|agent| agent.chars().take(USER_AGENT_CHARS_MAX).collect());
    let write = Write::without_body(&state, caller, request)?;
    let done = write
        .run(move |tx| {
            let document = load(tx, &id, role)?;
            let command = DocumentCommand::NoteAccess {
                access_id: tx.new_id(),
                access_type: "view",
                ip_address: ip_address.clone(),
                user_agent: user_agent.clone(),
            };
            let now = tx.now().micros();
            let drafts = document::decide(&document.folded, &command, Asked { now, by: &by })?;
            tx.append(DOCUMENT, &document.aggregate_id, drafts)
        })
        .await?;
    answer(&state, role, StatusCode::OK, &done)
}

/// Change a document: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/docs/links/{document_id}",
    tag = "documents",
    operation_id = "update_document",
    params(
        ("document_id" = String, Path, description = "Its UUID or its document_id"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::DocumentUpdate,
    responses((status = 200, description = "The document now", body = docs::Document), (status = 400, description = "It would expire before it is issued"), (status = 404, description = "No such document, or what it is about"), (status = 409, description = "It is revoked")),
)]
pub(crate) async fn update_document(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (by, role) = (caller.id_text().to_owned(), caller.role());
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(document::CHANGE, &body)?;
    let done = write
        .run(move |tx| {
            let document = load(tx, &id, role)?;
            let mut fields = fields.clone();
            resolve(tx, &mut fields, REFERENCES)?;
            let command = DocumentCommand::Change(fields);
            let now = tx.now().micros();
            let drafts = document::decide(&document.folded, &command, Asked { now, by: &by })?;
            tx.append(DOCUMENT, &document.aggregate_id, drafts)
        })
        .await?;
    answer(&state, role, StatusCode::OK, &done)
}

/// Delete the record of a document. Who looked at it stays in the log.
#[utoipa::path(
    delete,
    path = "/api/v1/docs/links/{document_id}",
    tag = "documents",
    operation_id = "delete_document",
    params(
        ("document_id" = String, Path, description = "Its UUID or its document_id"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such document")),
)]
pub(crate) async fn delete_document(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (by, role) = (caller.id_text().to_owned(), caller.role());
    let write = Write::without_body(&state, caller, request)?;
    let done = write
        .run(move |tx| {
            let document = load(tx, &id, role)?;
            let now = tx.now().micros();
            let asked = Asked { now, by: &by };
            let drafts = document::decide(&document.folded, &DocumentCommand::Delete, asked)?;
            tx.append(DOCUMENT, &document.aggregate_id, drafts)
        })
        .await?;
    Ok(no_content(&done))
}

/// A time of the log as rows show it.
fn shown_time(micros: i64) -> Value {
    calendar::format_time(micros).into()
}

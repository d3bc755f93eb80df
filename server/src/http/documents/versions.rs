//! The versions of a document's file.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::document::schema::VERSIONS;
use fleet::document::{self, DocumentCommand};
use fleet::schema::body;
use fleet::schema::check::integer;
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{DOCUMENT, MISSING, check_may_read, docs, load};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::Write;
use crate::http::extract::{PathParts, ReadAt};
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::CATALOG;

/// The routes of versions.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_version))
        .routes(routes!(list_versions))
}

fn number_of(version: &Map<String, Value>) -> Option<i64> {
    version.get("version_number").and_then(integer)
}

/// Add a version of a document's file.
#[utoipa::path(
    post,
    path = "/api/v1/docs/versions",
    tag = "documents",
    operation_id = "create_document_version",
    params(
        ("If-Match" = Option<String>, Header, description = "The version that the document's record must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::DocumentVersionCreate,
    responses((status = 201, description = "Added", body = docs::DocumentVersion), (status = 400, description = "The document has a version of this number"), (status = 404, description = "No such document")),
)]
pub(crate) async fn create_version(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (by, role) = (caller.id_text().to_owned(), caller.role());
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(document::VERSION, &body)?;
    let number = number_of(&fields);
    let id = fields.get("document_link_id").and_then(Value::as_str);
    let id = id.unwrap_or_default().to_owned();
    let done = write
        .run(move |tx| {
            let document = load(tx, &id, role)?;
            let command = DocumentCommand::AddVersion {
                version_id: tx.new_id(),
                fields: fields.clone(),
            };
            let now = tx.now().micros();
            let drafts = document::decide(&document.folded, &command, Asked { now, by: &by })?;
            tx.append(DOCUMENT, &document.aggregate_id, drafts)
        })
        .await?;
    let entry = done.entry()?;
    let versions = entry.folded.record.items(VERSIONS);
    let added = versions.iter().find(|version| number_of(version) == number);
    let added = added.ok_or_else(|| Problem::not_found("it was deleted meanwhile"))?;
    let mut row = document::version_row(&entry.uuid().to_string(), added);
    row["position"] = done.position.get().into();
    let mut response = json_response(row.to_string());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// The versions of a document, the highest number first.
#[utoipa::path(
    get,
    path = "/api/v1/docs/links/{document_id}/versions",
    tag = "documents",
    operation_id = "list_document_versions",
    params(
        ("document_id" = String, Path, description = "Its UUID or its document_id"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "All versions, at most 1,000", body = docs::DocumentVersionList), (status = 404, description = "No such document")),
)]
pub(crate) async fn list_versions(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    ReadAt::await_projection(query, &state, CATALOG).await?;
    let found = state.projections.catalog().find(DOCUMENT, &id);
    let entry = found.value.ok_or_else(|| Problem::not_found(MISSING))?;
    check_may_read(caller.role(), &entry.folded)?;
    let uuid = entry.uuid().to_string();
    let mut versions = entry.folded.record.items(VERSIONS);
    versions.sort_by_key(|version| std::cmp::Reverse(number_of(version)));
    let rows = versions
        .iter()
        .map(|version| document::version_row(&uuid, version));
    let body = json!({
        "total": versions.len(),
        "versions": rows.collect::<Vec<_>>(),
        "position": found.position.get(),
    });
    Ok(json_response(body.to_string()))
}

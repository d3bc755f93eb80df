//! Who looked at a document: the events of that on its stream are the access log.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::document::schema::ACCESSED;
use serde_json::{Map, Value, json};
use storage::{Direction, EventRef, Query as LogQuery, QueryItem, ReadRequest, StreamName};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{DOCUMENT, MISSING, check_may_read, docs, shown_time};
use crate::app::AppState;
use crate::auth::Caller;
use crate::envelope::user_id;
use crate::http::extract::{PathParts, ReadAt};
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::CATALOG;
use crate::reads;

/// Accesses of an answer that asks for no number.
const LIMIT_DEFAULT: u64 = 100;

/// The route of the access log.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_accesses))
}

/// Who looked at a document, the last first.
#[utoipa::path(
    get,
    path = "/api/v1/docs/links/{document_id}/access-log",
    tag = "documents",
    operation_id = "list_document_accesses",
    params(
        ("document_id" = String, Path, description = "Its UUID or its document_id"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "Accesses", body = docs::DocumentAccessList), (status = 404, description = "No such document")),
)]
pub(crate) async fn list_accesses(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let limit_max = state.config.http.page_limit_max as u64;
    let skip = query.number("skip", 0..=u64::MAX).unwrap_or(0);
    let limit = query.number("limit", 1..=limit_max);
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    ReadAt::await_projection(query, &state, CATALOG).await?;
    let found = state.projections.catalog().find(DOCUMENT, &id);
    let entry = found.value.ok_or_else(|| Problem::not_found(MISSING))?;
    check_may_read(caller.role(), &entry.folded)?;
    let uuid = entry.uuid().to_string();
    let to = found.position;
    let body = reads::run(&state, move |state| {
        let of_it = QueryItem {
            streams: vec![StreamName::new(DOCUMENT, &*entry.aggregate_id)],
            event_types: fleet::alias::spellings(ACCESSED).map(Into::into).to_vec(),
            ..QueryItem::default()
        };
        let request = ReadRequest {
            query: LogQuery { items: vec![of_it] },
            to,
            direction: Direction::Backward,
            ..ReadRequest::default()
        };
        let mut reader = state.log.read(&request)?;
        let (mut total, mut rows) = (0_u64, Vec::new());
        while let Some(event) = reader.next().transpose()? {
            if total >= skip && total - skip < limit {
                rows.push(row(&uuid, &event));
            }
            total += 1;
        }
        Ok(json!({ "total": total, "access_logs": rows, "position": to.get() }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// An access, as clients know it. What an event did not tell is told by the event itself.
fn row(document_uuid: &str, event: &EventRef<'_>) -> Value {
    let data: Map<String, Value> = serde_json::from_slice(event.data()).unwrap_or_default();
    let get = |name: &str| data.get(name).cloned().unwrap_or_default();
    let or = |told: Value, else_so: Value| if told.is_null() { else_so } else { told };
    json!({
        "id": or(get("access_id"), event.id().to_string().into()),
        "document_link_id": document_uuid,
        "accessed_by": or(get("accessed_by"), user_id(event.tags()).into()),
        "access_type": or(get("access_type"), "view".into()),
        "ip_address": get("ip_address"),
        "user_agent": get("user_agent"),
        "accessed_at": or(get("accessed_at"), shown_time(event.occurred_at().micros())),
    })
}

//! Which documents have expired, will soon, or are good for a while yet.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::document::schema::BY_EXPIRATION;
use fleet::document::{self, Expiry};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{DOCUMENT, docs};
use crate::app::AppState;
use crate::http::json_response;
use crate::http::listing::List;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::{Ask, Entry};

/// Documents looked at in one go.
const AT_ONCE: usize = 1_000;

/// The route of what expires.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_expiring))
}

/// Documents with an end, the nearest first. How near is as of now; archived and revoked ones are left out.
#[utoipa::path(
    get,
    path = "/api/v1/docs/expiring",
    tag = "documents",
    operation_id = "list_expiring_documents",
    params(
        ("expiration_status" = Option<String>, Query, description = "Only `expired`, `expiring_soon` or `ok`"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of them", body = docs::ExpiringDocumentList)),
)]
pub(crate) async fn list_expiring(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let names = Expiry::ALL.map(Expiry::name);
    let class = query.one_of("expiration_status", &names);
    let class = class.map(|class| Expiry::ALL[class]);
    let mut list = List::read(&mut query, &state, DOCUMENT, &[]);
    query.finish()?;
    let now = state.clock.now().micros();
    list.narrow("expires", Some("true"));
    list.ask.order = BY_EXPIRATION;
    // What has expired is told by its day alone; the rest by how early each document wants to be reminded as well.
    match class {
        Some(Expiry::Expired) => list.ask.until = Some(now),
        Some(Expiry::ExpiringSoon | Expiry::Ok) => list.ask.from = Some(now),
        None => {}
    }
    let shown = |entry: &Entry| {
        let expiry = document::expiry(&entry.folded, now)?;
        if class.is_some_and(|class| class != expiry.0) {
            return None;
        }
        let row = document::expiring_row(&entry.aggregate_id, &entry.folded, expiry);
        Some(Value::Object(row))
    };
    let (skip, limit) = (list.ask.skip, list.ask.limit);
    let is_told_by_day = matches!(class, None | Some(Expiry::Expired));
    if !is_told_by_day {
        (list.ask.skip, list.ask.limit) = (0, AT_ONCE);
    }
    let ask = list.ask.clone();
    let (position, page) = list.page(&state).await?;
    let (total, rows) = if is_told_by_day {
        let rows: Vec<Value> = page.entries.iter().filter_map(shown).collect();
        (page.total, rows)
    } else {
        let (mut total, mut rows, mut page) = (0, Vec::new(), page);
        loop {
            for row in page.entries.iter().filter_map(shown) {
                if total >= skip && rows.len() < limit {
                    rows.push(row);
                }
                total += 1;
            }
            let Some(cursor) = page.next.take() else {
                break (total, rows);
            };
            let next = Ask {
                cursor: Some(cursor),
                ..ask.clone()
            };
            page = state.projections.catalog().page(&next)?.value;
        }
    };
    let body = json!({ "total": total, "documents": rows, "position": position });
    Ok(json_response(body.to_string()))
}

//! Budgets: what a cost center may spend in a month, and what it has spent.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use fleet::Refusal;
use fleet::budget::schema::UNIQUE_FILTER;
use fleet::budget::{self, AGGREGATE_TYPE, DESCRIBED};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::described::{Resource, change, create};
use super::extract::PathParts;
use super::listing::{List, one};
use super::problem::Problem;
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, key_tag};

pub(super) mod docs;
pub(super) mod overview;

/// The routes of budgets.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_budget, list_budgets))
        .routes(routes!(overview::budget_overview))
        .routes(routes!(get_budget, update_budget))
}

const BUDGET: Resource = Resource {
    described: &DESCRIBED,
    creation: budget::creation,
    references: &[],
    guard: only_one,
    decide: |state, _, command| budget::decide(state, command),
    missing: "Budget not found",
};

/// Makes sure that there is one budget for a month, a cost center and a category.
fn only_one(tx: &mut Decision<'_>, fields: &Map<String, Value>) -> Result<(), Problem> {
    let key = budget::unique_key(|name| fields.get(name).cloned());
    if !tx.list(AGGREGATE_TYPE, UNIQUE_FILTER, &key).is_empty() {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("none");
        let message = format!(
            "Budget for period {}, cost center {} and category {} already exists",
            text("period"),
            text("cost_center"),
            text("category")
        );
        return Err(Refusal::rule("period", "already_exists", message).into());
    }
    tx.claim(&unique_tag(&key));
    Ok(())
}

/// What only one writer of a budget of this kind may take.
pub(super) fn unique_tag(key: &str) -> String {
    key_tag(AGGREGATE_TYPE, UNIQUE_FILTER, key).into_string()
}

/// Create a budget.
#[utoipa::path(
    post,
    path = "/api/v1/budget",
    tag = "finance",
    operation_id = "create_budget",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::BudgetCreate,
    responses((status = 201, description = "Created", body = docs::Budget), (status = 400, description = "There is one already")),
)]
pub(crate) async fn create_budget(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    create(&state, caller, request, &BUDGET).await
}

/// List budgets, the latest month first.
#[utoipa::path(
    get,
    path = "/api/v1/budget",
    tag = "finance",
    operation_id = "list_budgets",
    params(
        ("period" = Option<String>, Query, description = "Only of this month, YYYY-MM"),
        ("cost_center" = Option<String>, Query, description = "Only of this cost center"),
        ("category" = Option<String>, Query, description = "Only of this category"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of budgets", body = docs::BudgetList)),
)]
pub(crate) async fn list_budgets(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let period = query.text("period");
    let cost_center = query.text("cost_center");
    let category = query.text("category");
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &[]);
    list.narrow("period", period);
    list.narrow("cost_center", cost_center);
    list.narrow("category", category);
    query.finish()?;
    list.answer(&state, "budgets").await
}

/// One budget.
#[utoipa::path(
    get,
    path = "/api/v1/budget/{budget_id}",
    tag = "finance",
    operation_id = "get_budget",
    params(
        ("budget_id" = String, Path, description = "Its UUID"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The budget", body = docs::Budget), (status = 404, description = "No such budget")),
)]
pub(crate) async fn get_budget(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    one(&state, query, AGGREGATE_TYPE, &id, BUDGET.missing).await
}

/// Change a budget: only the fields that are sent.
#[utoipa::path(
    patch,
    path = "/api/v1/budget/{budget_id}",
    tag = "finance",
    operation_id = "update_budget",
    params(
        ("budget_id" = String, Path, description = "Its UUID"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::BudgetUpdate,
    responses(
        (status = 200, description = "The budget now", body = docs::Budget),
        (status = 404, description = "No such budget"),
        (status = 409, description = "Something is booked on it, so it stays in its currency"),
    ),
)]
pub(crate) async fn update_budget(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    change(&state, caller, request, &BUDGET, id).await
}

//! Accounts, for those who administrate them.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::auth::{Registration, UserView, parse_role, small_json, user_response};
use super::extract::PathParts;
use super::json_response;
use super::problem::Problem;
use crate::app::AppState;
use crate::auth::{AccountChange, Caller};
use crate::field_error::FieldError;

/// The routes of accounts.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_users, create_user))
        .routes(routes!(get_user, update_user, deactivate_user))
}

/// All accounts.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserList {
    /// How many.
    total: usize,
    /// They, by username.
    users: Vec<UserView>,
}

/// List accounts.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    tag = "users",
    operation_id = "list_users",
    responses((status = 200, description = "All accounts, by username", body = UserList)),
)]
pub(crate) async fn list_users(State(state): State<AppState>) -> Result<Response<Body>, Problem> {
    let accounts = state.accounts.directory().list();
    let users: Vec<UserView> = accounts
        .iter()
        .map(|account| UserView::of(account))
        .collect();
    let list = UserList {
        total: users.len(),
        users,
    };
    Ok(json_response(
        serde_json::to_vec(&list).map_err(|error| Problem::internal(&error))?,
    ))
}

/// Create an account.
#[utoipa::path(
    post,
    path = "/api/v1/users",
    tag = "users",
    operation_id = "create_user",
    request_body = Registration,
    responses((status = 201, description = "Created", body = UserView)),
)]
pub(crate) async fn create_user(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let registration: Registration = small_json(&state, request).await?;
    let account = state
        .accounts
        .register(registration.into_account()?, Some(&caller))
        .await?;
    user_response(StatusCode::CREATED, &account)
}

/// One account.
#[utoipa::path(
    get,
    path = "/api/v1/users/{user_id}",
    tag = "users",
    operation_id = "get_user",
    params(("user_id" = String, Path, description = "The account's id, username or e-mail address")),
    responses((status = 200, description = "The account", body = UserView)),
)]
pub(crate) async fn get_user(
    State(state): State<AppState>,
    PathParts([user]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    let account = state.accounts.account(resolve(&state, &user)?)?;
    user_response(StatusCode::OK, &account)
}

/// What to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserUpdate {
    /// Another role, below the caller's own.
    role: Option<String>,
    /// Whether the account may log in.
    is_active: Option<bool>,
    /// Another password.
    password: Option<String>,
}

/// Change an account's role, password, or whether it is open.
#[utoipa::path(
    patch,
    path = "/api/v1/users/{user_id}",
    tag = "users",
    operation_id = "update_user",
    params(("user_id" = String, Path, description = "The account's id, username or e-mail address")),
    request_body = UserUpdate,
    responses((status = 200, description = "The account as it is now", body = UserView)),
)]
pub(crate) async fn update_user(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([user]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let update: UserUpdate = small_json(&state, request).await?;
    let id = resolve(&state, &user)?;
    let role = update.role.as_deref().map(parse_role).transpose()?;
    if role.is_none() && update.is_active.is_none() && update.password.is_none() {
        return Err(Problem::invalid(vec![FieldError::new(
            ["body".into()],
            "missing",
            "must change something",
        )]));
    }
    let change = AccountChange {
        role,
        password: update.password,
        active: update.is_active,
    };
    let account = state.accounts.change(id, change, &caller).await?;
    user_response(StatusCode::OK, &account)
}

/// Close an account.
///
/// It stays in the log, as everything does; its sessions end at once.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user_id}",
    tag = "users",
    operation_id = "deactivate_user",
    params(("user_id" = String, Path, description = "The account's id, username or e-mail address")),
    responses((status = 204, description = "Closed")),
)]
pub(crate) async fn deactivate_user(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([user]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    state
        .accounts
        .set_active(resolve(&state, &user)?, false, &caller)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The id of the account with this id, username or e-mail address.
fn resolve(state: &AppState, user: &str) -> Result<Uuid, Problem> {
    let directory = state.accounts.directory();
    let by_id = Uuid::try_parse(user)
        .ok()
        .filter(|id| directory.get(*id).is_some());
    let found = by_id.or_else(|| directory.find(user).map(|account| account.id));
    found.ok_or_else(|| Problem::not_found("User not found"))
}

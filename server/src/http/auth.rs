//! Coming in and going out: registering, logging in, refreshing, logging out, one's own account.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use fleet::policy::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{self, BodyLimits, MediaType};
use super::json_response;
use super::problem::{Kind, Problem};
use crate::app::AppState;
use crate::auth::password::PasswordRefusal;
use crate::auth::{Account, AccountError, Caller, NewAccount, TokenPair};
use crate::field_error::FieldError;
use crate::rfc3339;

/// Bytes of a body of these routes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The routes of sessions.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(me))
        .routes(routes!(change_password))
}

/// Where a request comes from; the listener puts it into the request's extensions. Headers like `X-Forwarded-For` are not
/// read: their sender writes what they like.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub IpAddr);

/// An account to register.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Registration {
    /// The name to log in with, 3 to 50 characters, no `@`.
    pub(crate) username: String,
    /// The address to log in with.
    pub(crate) email: String,
    /// The password; below 15 characters with upper case, lower case, digit and special character.
    pub(crate) password: String,
    /// What the account may do; above VIEWER only when somebody of a higher role asks.
    #[serde(default = "viewer")]
    #[schema(value_type = Option<String>, example = "VIEWER")]
    pub(crate) role: String,
}

fn viewer() -> String {
    Role::Viewer.name().to_owned()
}

impl Registration {
    /// The account, its role being one that exists.
    pub(crate) fn into_account(self) -> Result<NewAccount, Problem> {
        let role = parse_role(&self.role)?;
        Ok(NewAccount {
            username: self.username,
            email: self.email,
            password: self.password,
            role,
        })
    }
}

/// A role by its name.
pub(crate) fn parse_role(text: &str) -> Result<Role, Problem> {
    let unknown = |error: fleet::policy::UnknownRole| {
        Problem::invalid(vec![FieldError::body("role", "enum", error.to_string())])
    };
    text.parse().map_err(unknown)
}

/// An account as it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserView {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// The name to log in with.
    username: String,
    /// The address to log in with.
    email: String,
    /// What it may do.
    role: &'static str,
    /// Whether it may log in.
    is_active: bool,
    /// When it was registered.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last logged in.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_login: Option<String>,
    /// The position of the account's last event; in the answer to a write, that of the write.
    position: u64,
}

impl UserView {
    /// The account without its secrets.
    pub(crate) fn of(account: &Account) -> Self {
        let time = |micros: i64| rfc3339::to_string(storage::Timestamp::from_micros(micros));
        let state = &account.state;
        UserView {
            id: account.id_text.to_string(),
            username: state.username.clone(),
            email: state.email.clone(),
            role: state.role.name(),
            is_active: state.is_active,
            created_at: time(state.created_at),
            last_login: state.last_login.map(time),
            position: account.position.get(),
        }
    }
}

/// An account as an answer.
pub(crate) fn user_response(
    status: StatusCode,
    account: &Account,
) -> Result<Response<Body>, Problem> {
    let text =
        serde_json::to_vec(&UserView::of(account)).map_err(|error| Problem::internal(&error))?;
    let mut response = json_response(text);
    *response.status_mut() = status;
    Ok(response)
}

/// Register an account.
///
/// Closed unless `auth.open_registration` is set or somebody shows a token who may give the role.
#[utoipa::path(
    post,
    path = "/api/v1/auth/register",
    tag = "auth",
    operation_id = "register",
    request_body = Registration,
    responses((status = 201, description = "Registered", body = UserView)),
)]
pub(crate) async fn register(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let caller = request.extensions().get::<Caller>().cloned();
    let registration: Registration = small_json(&state, request).await?;
    let account = state
        .accounts
        .register(registration.into_account()?, caller.as_ref())
        .await?;
    user_response(StatusCode::CREATED, &account)
}

/// Name and password; the name may be an e-mail address.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Credentials {
    /// The username, or the e-mail address.
    #[serde(alias = "email")]
    username: String,
    /// The password.
    password: String,
}

/// A pair of tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenResponse {
    /// Goes into `Authorization: Bearer …`.
    access_token: String,
    /// Is exchanged for the next pair, once.
    refresh_token: String,
    /// Always `bearer`.
    token_type: &'static str,
    /// Seconds that the access token lasts.
    expires_in: u64,
}

fn token_response(pair: TokenPair) -> Result<Response<Body>, Problem> {
    let tokens = TokenResponse {
        access_token: pair.access,
        refresh_token: pair.refresh,
        token_type: "bearer",
        expires_in: pair.expires_in,
    };
    let mut response =
        json_response(serde_json::to_vec(&tokens).map_err(|error| Problem::internal(&error))?);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Log in.
///
/// Takes JSON or a form; `username` may be an e-mail address.
#[utoipa::path(
    post,
    path = "/api/v1/auth/login",
    tag = "auth",
    operation_id = "login",
    request_body(content((Credentials = "application/json"), (Credentials = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Logged in", body = TokenResponse)),
)]
pub(crate) async fn login(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let address = request
        .extensions()
        .get::<PeerAddress>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let credentials = match body::media_type(request.headers()) {
        MediaType::Json => small_json::<Credentials>(&state, request).await?,
        MediaType::Form => form(&state, request).await?,
        MediaType::Other => {
            return Err(Problem::new(
                Kind::MediaType,
                "the body must be application/json or application/x-www-form-urlencoded",
            ));
        }
    };
    let name = credentials.username;
    let pair = state
        .accounts
        .login(&name, credentials.password, address)
        .await
        .inspect_err(|error| note_refused_login(&state, &name, address, error))?;
    token_response(pair)
}

/// Keeps a refused login that the account's own stream does not tell of.
fn note_refused_login(state: &AppState, name: &str, address: IpAddr, error: &AccountError) {
    let account = state.accounts.directory().find(name).cloned();
    let user = account.as_ref().map(|account| &*account.id_text);
    match error {
        AccountError::Throttled { .. } => state.security.refused_login("throttled", user, address),
        AccountError::Locked { .. } => state.security.refused_login("locked", user, address),
        AccountError::WrongPassword if account.is_none() => {
            state
                .security
                .refused_login("unknown_account", None, address);
        }
        _ => {}
    }
}

async fn form(state: &AppState, request: Request) -> Result<Credentials, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(&parts.headers, body, limits(state)).await?;
    let mut fields = super::query::Query::parse(std::str::from_utf8(&bytes).ok());
    let username = fields.text_as(&["username", "email"]);
    let password = fields.text("password");
    let missing = |field, value: &Option<String>| {
        value
            .is_none()
            .then(|| FieldError::body(field, "missing", "is required"))
    };
    match (username, password) {
        (Some(username), Some(password)) => Ok(Credentials { username, password }),
        (username, password) => Err(Problem::invalid(
            [
                missing("username", &username),
                missing("password", &password),
            ]
            .into_iter()
            .flatten()
            .collect(),
        )),
    }
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RefreshRequest {
    /// The refresh token.
    refresh_token: String,
}

/// Exchange a refresh token for the next pair.
///
/// Each is good once: a refresh token that comes twice was copied, and ends the session. One whose answer was lost may
/// come again within `auth.refresh_grace_seconds`.
#[utoipa::path(
    post,
    path = "/api/v1/auth/refresh",
    tag = "auth",
    operation_id = "refresh",
    request_body = RefreshRequest,
    responses((status = 200, description = "The next pair", body = TokenResponse)),
)]
pub(crate) async fn refresh(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let body: RefreshRequest = small_json(&state, request).await?;
    token_response(state.accounts.refresh(&body.refresh_token).await?)
}

/// What to end; nothing: the session of the access token.
#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct LogoutRequest {
    /// The refresh token of the session to end.
    refresh_token: Option<String>,
}

/// Log out.
///
/// Ends the session at once, its access tokens included.
#[utoipa::path(
    post,
    path = "/api/v1/auth/logout",
    tag = "auth",
    operation_id = "logout",
    request_body = Option<LogoutRequest>,
    responses((status = 204, description = "Logged out")),
)]
pub(crate) async fn logout(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(&parts.headers, body, limits(&state)).await?;
    let body = if bytes.is_empty() {
        LogoutRequest::default()
    } else {
        body::parse(&bytes)?
    };
    state
        .accounts
        .logout(&caller, body.refresh_token.as_deref())
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The caller's account.
#[utoipa::path(
    get,
    path = "/api/v1/auth/me",
    tag = "auth",
    operation_id = "me",
    responses((status = 200, description = "The account", body = UserView)),
)]
pub(crate) async fn me(caller: Caller) -> Result<Response<Body>, Problem> {
    user_response(StatusCode::OK, caller.account())
}

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PasswordChange {
    /// The password so far.
    old_password: String,
    /// The password from now on.
    new_password: String,
}

/// Change the caller's password.
///
/// Ends all of the account's sessions, this one included.
#[utoipa::path(
    post,
    path = "/api/v1/auth/password",
    tag = "auth",
    operation_id = "change_password",
    request_body = PasswordChange,
    responses((status = 204, description = "Changed")),
)]
pub(crate) async fn change_password(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let body: PasswordChange = small_json(&state, request).await?;
    state
        .accounts
        .change_own_password(&caller, body.old_password, body.new_password)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn limits(state: &AppState) -> BodyLimits {
    BodyLimits {
        bytes_max: BODY_BYTES_MAX,
        timeout: state.config.http.body_read_timeout,
    }
}

/// A small JSON body.
pub(crate) async fn small_json<T: serde::de::DeserializeOwned>(
    state: &AppState,
    request: Request,
) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    body::json(&parts, body, limits(state)).await
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let detail = error.to_string();
        match error {
            AccountError::Refused(refusal) => refusal.into(),
            AccountError::Password(PasswordRefusal::TooShort { .. }) => {
                Problem::invalid(vec![FieldError::body(
                    "password",
                    "string_too_short",
                    detail,
                )])
            }
            AccountError::Password(_) | AccountError::UsernameTaken | AccountError::EmailTaken => {
                Problem::new(Kind::BadRequest, detail)
            }
            AccountError::RegistrationClosed
            | AccountError::Inactive
            | AccountError::Locked { .. } => Problem::new(Kind::Forbidden, detail),
            AccountError::WrongPassword
            | AccountError::Unauthenticated
            | AccountError::RefreshInvalid
            | AccountError::RefreshInactive => Problem::new(Kind::Unauthenticated, detail),
            AccountError::Throttled { seconds } => {
                Problem::new(Kind::TooManyAttempts, detail).retry_after(seconds)
            }
            AccountError::Append(error) => error.into(),
            AccountError::Read(error) => error.into(),
            AccountError::Hash(error) => Problem::internal(&error),
            AccountError::BreachedList(error) => {
                tracing::error!(%error, "the list of breached passwords cannot be read");
                Problem::new(Kind::Unavailable, detail)
            }
            AccountError::Cancelled => Problem::new(Kind::Unavailable, "the server is stopping"),
        }
    }
}

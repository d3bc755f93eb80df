//! Devices: registered by a person, coming back by their own tokens, revoked.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::device::{self, AGGREGATE_TYPE, DeviceCommand, TokenGrant};
use fleet::policy::Role;
use fleet::{Folded, Refusal};
use serde_json::{Map, Value, json};
use storage::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::docs;
use super::{Asker, require_enabled, unknown_device};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Done, Write};
use crate::field_error::FieldError;
use crate::http::auth::parse_role;
use crate::http::extract::{PathParts, ReadAt};
use crate::http::json_response;
use crate::http::listing::{List, no_content, rows};
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::projection::CATALOG;
use crate::sync::scope::Scope;
use crate::sync::{token, upkeep};
use crate::{reads, rfc3339};

/// Members of `device_info` that are columns of a device.
const INFO: &[(&str, &str)] = &[
    ("device_name", "device_name"),
    ("name", "device_name"),
    ("device_type", "device_type"),
    ("type", "device_type"),
    ("platform", "platform"),
    ("app_version", "app_version"),
];

/// The routes of devices.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register_device))
        .routes(routes!(list_devices))
        .routes(routes!(get_device, revoke_device))
        .routes(routes!(device_status, set_device_status))
        .routes(routes!(renew_token))
}

/// Register a device.
///
/// The answer has the device's token, which is shown this once. A device that registers again begins a new store: its
/// older token is void, and it pushes what it still holds under its new number.
#[utoipa::path(
    post,
    path = "/api/v1/sync/devices/register",
    tag = "sync",
    operation_id = "register_device",
    request_body = docs::DeviceRegistration,
    responses((status = 201, description = "Registered", body = docs::RegisteredDevice), (status = 403, description = "The device is another account's")),
)]
pub(crate) async fn register_device(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    register(state, caller, request, StatusCode::CREATED).await
}

/// A token on its way to a device.
struct Issue {
    token: String,
    role: Role,
    scope: Scope,
    ends: Timestamp,
}

impl Issue {
    fn new(state: &AppState, role: Role, scope: Scope) -> Result<Self, Problem> {
        let lifetime = i64::try_from(state.config.sync.device_token_lifetime.as_micros());
        Ok(Issue {
            token: token::generate().map_err(|error| Problem::internal(&error))?,
            role,
            scope,
            ends: state
                .clock
                .now()
                .plus_micros(lifetime.unwrap_or(i64::MAX / 2)),
        })
    }

    fn grant(&self, user_id: &str, renews: bool) -> TokenGrant {
        TokenGrant {
            token_hash: token::hash_text(&token::hash_of(&self.token)),
            user_id: user_id.to_owned(),
            role: self.role,
            scope: self.scope.to_json(),
            expires_at: rfc3339::to_string(self.ends),
            renews,
        }
    }
}

pub(in crate::http) async fn register(
    state: AppState,
    caller: Caller,
    request: Request,
    status: StatusCode,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let by = caller.id_text().to_owned();
    let own_role = caller.role();
    let (write, mut body) = Write::with_body(&state, caller, request).await?;
    let scope = read_scope(&state, body.remove("scope"))?;
    let role = match body.remove("role") {
        None | Some(Value::Null) => own_role,
        Some(Value::String(name)) => parse_role(&name)?,
        Some(_) => {
            return Err(Problem::invalid(vec![FieldError::body(
                "role",
                "string_type",
                "must be a text",
            )]));
        }
    };
    if role > own_role {
        let message = format!("A device gets at most the role of its user, {own_role}");
        return Err(Refusal::forbidden("role", "role_too_high", message).into());
    }
    // Clients of the old system sent a number that names no account; the token says who registers.
    body.remove("user_id");
    take_device_info(&mut body);
    let fields = device::registration(&body)?;
    let id = text_of(&body, "device_id");
    let issue = Issue::new(&state, role, scope)?;
    let grant = issue.grant(&by, false);
    let decided_id = id.clone();
    let done = write
        .run(move |tx| {
            let (id, by) = (&decided_id, &by);
            let held = tx.load(AGGREGATE_TYPE, id)?;
            refuse_foreign(&held, by, own_role)?;
            let now = tx.now().micros();
            let asked = Asked { now, by };
            let command = DeviceCommand::Register(fields.clone());
            let drafts = device::decide(&held, &command, asked)?;
            tx.append(AGGREGATE_TYPE, id, drafts)?;
            let held = tx.load(AGGREGATE_TYPE, id)?;
            let drafts = device::decide(&held, &DeviceCommand::IssueToken(grant.clone()), asked)?;
            tx.append(AGGREGATE_TYPE, id, drafts)
        })
        .await?;
    issued(&state, &id, &issue, &done, status).await
}

/// Registers a device of a client that registers none, or goes on with one whose time was over. Its token is told to
/// nobody: it comes with its user's.
pub(super) async fn enlist(
    state: &AppState,
    caller: &Caller,
    id: &str,
    renews: bool,
) -> Result<(), Problem> {
    let body = json!({ "device_id": id, "device_name": id, "device_type": "mobile" });
    let fields = device::registration(body.as_object().unwrap_or(&Map::new()))?;
    let (by, own_role) = (caller.id_text().to_owned(), caller.role());
    let issue = Issue::new(state, own_role, Scope::default())?;
    let grant = issue.grant(&by, renews);
    let write = Write::without_body(state, caller.clone(), Request::new(Body::empty()))?;
    let id = id.to_owned();
    write
        .run(move |tx| {
            let held = tx.load(AGGREGATE_TYPE, &id)?;
            refuse_foreign(&held, &by, own_role)?;
            if held.exists() && !renews {
                // Its first two calls came at once.
                return Ok(());
            }
            let now = tx.now().micros();
            let asked = Asked { now, by: &by };
            if !held.exists() {
                let command = DeviceCommand::Register(fields.clone());
                let drafts = device::decide(&held, &command, asked)?;
                tx.append(AGGREGATE_TYPE, &id, drafts)?;
            }
            let held = tx.load(AGGREGATE_TYPE, &id)?;
            let drafts = device::decide(&held, &DeviceCommand::IssueToken(grant.clone()), asked)?;
            tx.append(AGGREGATE_TYPE, &id, drafts)
        })
        .await?;
    reads::run(state, |state| Ok(state.sync.devices.catch_up()?)).await
}

/// Only its own user and those who run a workshop may register a known device anew: whoever finds a tablet may not.
fn refuse_foreign(held: &Folded, by: &str, role: Role) -> Result<(), Problem> {
    let foreign = held.text("user_id").is_some_and(|user| user != by);
    if held.exists() && foreign && !role.reaches(Role::WorkshopManager) {
        let message =
            "This device is registered by another account; a workshop manager can register it anew";
        return Err(Refusal::forbidden("device_id", "device_of_another", message).into());
    }
    Ok(())
}

async fn issued(
    state: &AppState,
    id: &str,
    issue: &Issue,
    done: &Done<()>,
    status: StatusCode,
) -> Result<Response<Body>, Problem> {
    if done.value.is_none() {
        let detail = "this request was answered before, and its token is shown once; send it again without the Idempotency-Key";
        return Err(Problem::new(Kind::Conflict, detail).with("code", "token_was_shown"));
    }
    reads::run(state, |state| Ok(state.sync.devices.catch_up()?)).await?;
    let entry = done.entry()?;
    let mut answer = entry.row().unwrap_or_default();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("device_token", issue.token.as_str().into());
    put("token_type", "bearer".into());
    put("position", done.position.get().into());
    let number = state.sync.devices.get(id).map_or(0, |device| device.number);
    put("device_number", number.into());
    let mut response = json_response(Value::Object(answer).to_string());
    *response.status_mut() = status;
    Ok(response)
}

/// The scope with its workshop by UUID, as orders name it.
fn read_scope(state: &AppState, scope: Option<Value>) -> Result<Scope, Problem> {
    let mut scope = Scope::parse(&scope.unwrap_or_default()).map_err(Problem::invalid)?;
    if let Some(workshop) = &mut scope.workshop {
        let found = state.projections.catalog().find("Workshop", workshop).value;
        let found = found.ok_or_else(|| Problem::not_found("Workshop not found"))?;
        *workshop = found.uuid().to_string().into();
    }
    Ok(scope)
}

/// The documents of the old system describe a device inside `device_info`.
fn take_device_info(body: &mut Map<String, Value>) {
    let Some(Value::Object(mut info)) = body.remove("device_info") else {
        return;
    };
    for (given, meant) in INFO {
        if let Some(value) = info.remove(*given) {
            body.entry(*meant).or_insert(value);
        }
    }
    let id = body.get("device_id").cloned().unwrap_or_default();
    body.entry("device_name").or_insert(id);
    body.entry("device_type").or_insert_with(|| "tablet".into());
    if !info.is_empty() {
        body.entry("capabilities").or_insert(Value::Object(info));
    }
}

fn text_of(fields: &Map<String, Value>, name: &str) -> String {
    let text = fields.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// Renew a device's token.
///
/// The device keeps its number and its store. The token that it has is good until the new one is used. One that has ended is
/// renewed by the device's user, with the user's own token.
#[utoipa::path(
    post,
    path = "/api/v1/sync/devices/{device_id}/renew",
    tag = "sync",
    operation_id = "renew_device_token",
    params(("device_id" = String, Path, description = "The device")),
    responses((status = 200, description = "The device with its new token", body = docs::RegisteredDevice)),
)]
pub(crate) async fn renew_token(
    State(state): State<AppState>,
    asker: Asker,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let device = asker.device_to_renew(&state, &id)?;
    let issue = Issue::new(&state, device.grant.role, device.grant.scope.clone())?;
    let grant = issue.grant(device.caller.id_text(), true);
    let by = device.caller.id_text().to_owned();
    let write = Write::without_body(&state, device.caller, request)?;
    let decided_id = id.clone();
    let done = write
        .run(move |tx| {
            let held = tx.load(AGGREGATE_TYPE, &decided_id)?;
            let now = tx.now().micros();
            let command = DeviceCommand::IssueToken(grant.clone());
            let drafts = device::decide(&held, &command, Asked { now, by: &by })?;
            tx.append(AGGREGATE_TYPE, &decided_id, drafts)
        })
        .await?;
    issued(&state, &id, &issue, &done, StatusCode::OK).await
}

/// List devices by their ids.
#[utoipa::path(
    get,
    path = "/api/v1/sync/devices",
    tag = "sync",
    operation_id = "list_devices",
    params(
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of devices", body = docs::DeviceList)),
)]
pub(crate) async fn list_devices(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let list = List::read(&mut query, &state, AGGREGATE_TYPE, &[]);
    query.finish()?;
    let (position, page) = list.page(&state).await?;
    let devices = with_live(&state, rows(&page.entries)).await?;
    let body = json!({
        "total": page.total,
        "devices": devices,
        "position": position,
        "next_cursor": page.next,
    });
    Ok(json_response(body.to_string()))
}

/// Rows of devices with what their events do not say: their numbers, when they were heard of, how far they are.
async fn with_live(state: &AppState, mut devices: Vec<Value>) -> Result<Vec<Value>, Problem> {
    reads::run(state, move |state| {
        let fold = state.sync.engine.current()?;
        for row in devices.iter_mut().filter_map(Value::as_object_mut) {
            let known = row.get("device_id").and_then(Value::as_str);
            let Some(device) = known.and_then(|id| state.sync.devices.get(id)) else {
                continue;
            };
            row.insert("device_number".to_owned(), device.number.into());
            upkeep::standing(state, &fold, &device).put_into(row);
        }
        Ok(devices)
    })
    .await
}

async fn device_row(state: &AppState, id: &str, query: Option<&str>) -> Result<Value, Problem> {
    let query = Query::parse(query);
    ReadAt::await_projection(query, state, CATALOG).await?;
    let answer = state.projections.catalog().find(AGGREGATE_TYPE, id);
    let row = answer.value.and_then(|entry| entry.row());
    let mut row = row.ok_or_else(|| unknown_device(id))?;
    row.insert("position".to_owned(), answer.position.get().into());
    let rows = with_live(state, vec![Value::Object(row)]).await?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// One device.
#[utoipa::path(
    get,
    path = "/api/v1/sync/devices/{device_id}",
    tag = "sync",
    operation_id = "get_device",
    params(
        ("device_id" = String, Path, description = "The device"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
    ),
    responses((status = 200, description = "The device", body = docs::Device), (status = 404, description = "No such device")),
)]
pub(crate) async fn get_device(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let row = device_row(&state, &id, query.as_deref()).await?;
    Ok(json_response(row.to_string()))
}

/// How a device stands.
#[utoipa::path(
    get,
    path = "/api/v1/sync/devices/{device_id}/status",
    tag = "sync",
    operation_id = "get_device_status",
    params(
        ("device_id" = String, Path, description = "The device"),
        ("min_position" = Option<u64>, Query, description = "Wait until the read model has this position"),
    ),
    responses((status = 200, description = "Whether it may sync, and when it did", body = docs::Device), (status = 404, description = "No such device")),
)]
pub(crate) async fn device_status(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let row = device_row(&state, &id, query.as_deref()).await?;
    Ok(json_response(row.to_string()))
}

/// Say that a device goes offline, or is back.
#[utoipa::path(
    put,
    path = "/api/v1/sync/devices/{device_id}/status",
    tag = "sync",
    operation_id = "set_device_status",
    params(
        ("device_id" = String, Path, description = "The device"),
        ("is_offline" = bool, Query, description = "Whether it is offline"),
    ),
    responses((status = 200, description = "Noted", body = docs::OfflineStatus), (status = 404, description = "No such device")),
)]
pub(crate) async fn set_device_status(
    State(state): State<AppState>,
    asker: Asker,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response<Body>, Problem> {
    offline(state, asker, id, query.as_deref(), request).await
}

pub(in crate::http) async fn offline(
    state: AppState,
    asker: Asker,
    id: String,
    query: Option<&str>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    require_enabled(&state)?;
    let device = asker.device(&state, Some(&id))?;
    let mut query = Query::parse(query);
    let is_offline = match query.required("is_offline").as_str() {
        "true" | "1" => true,
        "false" | "0" => false,
        _ => {
            query.fault("is_offline", "bool_parsing", "must be true or false");
            false
        }
    };
    query.finish()?;
    let by = device.caller.id_text().to_owned();
    let write = Write::without_body(&state, device.caller, request)?;
    let done = write
        .run(move |tx| {
            let held = tx.load(AGGREGATE_TYPE, &id)?;
            let now = tx.now().micros();
            let command = DeviceCommand::SetOffline(is_offline);
            let drafts = device::decide(&held, &command, Asked { now, by: &by })?;
            tx.append(AGGREGATE_TYPE, &id, drafts)
        })
        .await?;
    let row = done.entry()?.row().unwrap_or_default();
    let member = |name: &str| row.get(name).cloned().unwrap_or_default();
    let body = json!({
        "device_id": member("device_id"),
        "is_offline": member("is_offline"),
        "updated_at": member("updated_at"),
    });
    Ok(json_response(body.to_string()))
}

/// Revoke a device: its token ends at once. What it pushes under a later registration is judged as ever.
#[utoipa::path(
    delete,
    path = "/api/v1/sync/devices/{device_id}",
    tag = "sync",
    operation_id = "revoke_device",
    params(
        ("device_id" = String, Path, description = "The device"),
        ("reason" = Option<String>, Query, description = "Why, for the trail"),
    ),
    responses((status = 204, description = "Revoked"), (status = 403, description = "The device is another account's"), (status = 404, description = "No such device")),
)]
pub(crate) async fn revoke_device(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let reason = query.text("reason");
    query.finish()?;
    let (by, role) = (caller.id_text().to_owned(), caller.role());
    let write = Write::without_body(&state, caller, request)?;
    let done = write
        .run(move |tx| {
            let held = tx.load(AGGREGATE_TYPE, &id)?;
            if !held.exists() {
                return Err(unknown_device(&id));
            }
            refuse_foreign(&held, &by, role)?;
            let now = tx.now().micros();
            let reason = reason.clone();
            let command = DeviceCommand::Deactivate { reason };
            let drafts = device::decide(&held, &command, Asked { now, by: &by })?;
            tx.append(AGGREGATE_TYPE, &id, drafts)
        })
        .await?;
    reads::run(&state, |state| Ok(state.sync.devices.catch_up()?)).await?;
    Ok(no_content(&done))
}

/// A device as the old system showed it.
pub(in crate::http) async fn device_as_the_old(
    state: &AppState,
    id: &str,
) -> Result<Response<Body>, Problem> {
    let row = device_row(state, id, None).await?;
    let shown = [
        "device_id",
        "device_name",
        "device_type",
        "platform",
        "app_version",
        "is_active",
        "is_offline",
        "last_sync_at",
        "registered_at",
        "capabilities",
    ];
    let members = shown.map(|name| (name.to_owned(), row[name].clone()));
    Ok(json_response(
        Value::Object(members.into_iter().collect()).to_string(),
    ))
}

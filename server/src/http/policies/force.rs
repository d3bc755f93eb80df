//! Which policy is in force: at most one, and only what is signed.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::policy::{FIELD_SPELLINGS, WORK_ORDER_FIELDS};
use fleet::policy_bundle::{self, InForce, PolicyCommand};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{MISSING, POLICY, docs, named, step};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Write};
use crate::http::extract::{PathParts, ReadAt};
use crate::http::json_response;
use crate::http::listing::written;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::policy;
use crate::projection::{Ask, CATALOG};

/// Only one writer at a time says what is in force.
const CLAIM: &str = "policy:in-force";

/// The routes of what is in force.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(active_policy))
        .routes(routes!(activate_policy))
        .routes(routes!(deactivate_policy))
}

/// The field policy in force: the signed one, and the built-in one where none is.
#[utoipa::path(
    get,
    path = "/api/v1/policy/active",
    tag = "policy",
    operation_id = "active_policy",
    params(
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "What holds", body = docs::ActivePolicy)),
)]
pub(crate) async fn active_policy(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query.as_deref());
    ReadAt::await_projection(query, &state, CATALOG).await?;
    let ask = Ask {
        aggregate_type: POLICY,
        filters: vec![("is_active", "true".to_owned())],
        limit: 1,
        ..Ask::default()
    };
    let found = state.projections.catalog().page(&ask)?;
    let entry = found.value.entries.into_iter().next();
    let signed = entry.and_then(|entry| {
        let bundle = policy_bundle::in_force(&entry.folded)?;
        Some((entry.aggregate_id, bundle))
    });
    let position = found.position.get();
    let body = match signed {
        Some((name, bundle)) => {
            policy::rules_of(&state, &bundle).map_err(|error| Problem::internal(&error))?;
            json!({
                "policy_name": name,
                "policy_data": policy::open(&bundle.text).map_err(|error| Problem::internal(&error))?,
                "sha256_hash": bundle.sha256,
                "signature": bundle.signature,
                "public_key_hex": bundle.public_key,
                "signature_verified": true,
                "signed_text": bundle.text,
                "position": position,
            })
        }
        None => json!({
            "policy_name": null,
            "policy_data": built_in(),
            "sha256_hash": null,
            "signature": null,
            "public_key_hex": null,
            "signature_verified": false,
            "signed_text": null,
            "position": position,
        }),
    };
    Ok(json_response(body.to_string()))
}

/// The built-in policy of work orders, in the form of a document, so that it can be changed and signed.
fn built_in() -> Value {
    let mut rules = Map::new();
    let mut permissions: Map<String, Value> = Map::new();
    for line in WORK_ORDER_FIELDS {
        rules.insert(line.field.to_owned(), line.rule.name().into());
        for part in line.editors {
            let fields = permissions.entry(part.name()).or_insert_with(|| json!([]));
            if let Some(fields) = fields.as_array_mut() {
                fields.push(line.field.into());
            }
        }
    }
    let spellings: Map<String, Value> = FIELD_SPELLINGS
        .iter()
        .map(|(sent, meant)| ((*sent).to_owned(), (*meant).into()))
        .collect();
    json!({
        "version": "built-in",
        "description": "The policy that holds where none is signed",
        "rules": rules,
        "permissions": permissions,
        "spellings": spellings,
    })
}

/// Put a signed policy into force, in place of the one that is.
///
/// Its hash and its signature are checked, its key is held against `auth.policy_keys`, and it must be a field policy.
#[utoipa::path(
    post,
    path = "/api/v1/policy/activate/{policy_name}",
    tag = "policy",
    operation_id = "activate_policy",
    params(
        ("policy_name" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 200, description = "It is in force", body = docs::PolicyRow), (status = 400, description = "It is not signed, does not verify, or is no field policy"), (status = 404, description = "No such policy")),
)]
pub(crate) async fn activate_policy(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([name]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let name = named(name)?;
    let write = Write::without_body(&state, caller, request)?;
    let checked = state.clone();
    let done = write
        .run(move |tx| {
            let policy = tx.load_existing(POLICY, &name, MISSING)?;
            tx.claim(CLAIM);
            step(tx, &policy, &PolicyCommand::Activate, &by)?;
            let folded = tx.load(POLICY, &policy.aggregate_id)?;
            if let Some(bundle) = policy_bundle::in_force(&folded) {
                check(&checked, &bundle)?;
            }
            retire_others(tx, &policy.aggregate_id, &by)
        })
        .await?;
    written(StatusCode::OK, &done)
}

fn check(state: &AppState, bundle: &InForce) -> Result<(), Problem> {
    policy::rules_of(state, bundle)?;
    Ok(())
}

/// What was in force before is so no more.
fn retire_others(tx: &mut Decision<'_>, name: &str, by: &str) -> Result<(), Problem> {
    let now = tx.now().micros();
    for entry in tx.list(POLICY, "is_active", "true") {
        if *entry.aggregate_id == *name {
            continue;
        }
        let held = tx.load(POLICY, &entry.aggregate_id)?;
        let drafts = policy_bundle::decide(&held, &PolicyCommand::Deactivate, Asked { now, by })?;
        tx.append(POLICY, &entry.aggregate_id, drafts)?;
    }
    Ok(())
}

/// Take a policy out of force. The built-in one holds alone from then on.
#[utoipa::path(
    post,
    path = "/api/v1/policy/deactivate/{policy_name}",
    tag = "policy",
    operation_id = "deactivate_policy",
    params(
        ("policy_name" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 200, description = "It is not in force", body = docs::PolicyRow), (status = 404, description = "No such policy")),
)]
pub(crate) async fn deactivate_policy(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([name]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let name = named(name)?;
    let write = Write::without_body(&state, caller, request)?;
    let done = write
        .run(move |tx| {
            let policy = tx.load_existing(POLICY, &name, MISSING)?;
            tx.claim(CLAIM);
            step(tx, &policy, &PolicyCommand::Deactivate, &by)
        })
        .await?;
    written(StatusCode::OK, &done)
}

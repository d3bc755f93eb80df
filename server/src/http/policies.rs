//! Policies: documents that say which part may change what, hashed, signed, and put into force by name. All but reading
//! what is in force is for a SUPER_ADMIN.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use fleet::command::Asked;
use fleet::policy_bundle::{self, PolicyCommand};
use fleet::schema::{Field, Kind as FieldKind, body};
use serde_json::{Map, Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{PathParts, ReadAt};
use super::json_response;
use super::listing::{List, no_content};
use super::problem::{Kind, Problem};
use super::query::Query;
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Done, Write};
use crate::field_error::FieldError;
use crate::policy::{self, BundleError, BundleRefusal};
use crate::projection::{CATALOG, Entry};

mod docs;
mod force;

const POLICY: &str = policy_bundle::AGGREGATE_TYPE;
const MISSING: &str = "Policy not found";
const KEY: FieldKind = FieldKind::Hex { digits: 64 };

const UPLOAD: &[Field] = &[
    Field::required("policy_name", FieldKind::text(1_000)),
    Field::required("policy_data", FieldKind::Object),
    Field::optional("public_key_hex", KEY),
    Field::optional("signature", FieldKind::Hex { digits: 128 }),
];

const SIGN: &[Field] = &[
    Field::optional("private_key_hex", KEY),
    Field::optional("signature", FieldKind::Hex { digits: 128 }),
    Field::optional("public_key_hex", KEY),
];

/// The routes of policies.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_policies))
        .routes(routes!(load_policy))
        .routes(routes!(upload_policy))
        .routes(routes!(sign_policy))
        .routes(routes!(generate_policy_keypair))
        .routes(routes!(delete_policy))
        .merge(force::routes())
}

impl From<BundleRefusal> for Problem {
    fn from(refusal: BundleRefusal) -> Self {
        Problem::new(Kind::BadRequest, refusal.to_string())
    }
}

/// What was wrong with a bundle, as the old system said it.
fn failed(error: BundleError) -> Problem {
    BundleRefusal::from(error).into()
}

/// The name of a policy in a path, which must be a safe one.
fn named(name: String) -> Result<String, Problem> {
    match policy_bundle::check_name(&name) {
        Ok(()) => Ok(name),
        Err(refusal) => Err(Problem::invalid(vec![FieldError::new(
            ["path".into(), "policy_name".into()],
            refusal.code,
            refusal.message,
        )])),
    }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

/// Decides a command on the policy of this name.
fn step(
    tx: &mut Decision<'_>,
    policy: &Entry,
    command: &PolicyCommand,
    by: &str,
) -> Result<(), Problem> {
    let now = tx.now().micros();
    let drafts = policy_bundle::decide(&policy.folded, command, Asked { now, by })?;
    tx.append(POLICY, &policy.aggregate_id, drafts)
}

/// List policies by their names.
#[utoipa::path(
    get,
    path = "/api/v1/policy/list",
    tag = "policy",
    operation_id = "list_policies",
    params(
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "A page of policies", body = docs::PolicyList)),
)]
pub(crate) async fn list_policies(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let list = List::read(&mut query, &state, POLICY, &[]);
    query.finish()?;
    let (position, page) = list.page(&state).await?;
    let shown = |entry: &Entry| {
        json!({
            "name": entry.aggregate_id,
            "path": format!("{}.json", entry.aggregate_id),
            "has_signature": entry.folded.text("signature").is_some(),
            "sha256_hash": entry.folded.get("sha256"),
            "public_key_hex": entry.folded.get("public_key"),
            "is_active": policy_bundle::is_active(&entry.folded),
        })
    };
    let body = json!({
        "policies": page.entries.iter().map(shown).collect::<Vec<_>>(),
        "total": page.total,
        "position": position,
        "next_cursor": page.next,
    });
    Ok(json_response(body.to_string()))
}

/// One policy, its hash and its signature having been checked.
///
/// Without `public_key_hex` the signature is held against the key that it was made with, and `signature_verified` is true
/// only where that key is trusted (`auth.policy_keys`).
#[utoipa::path(
    get,
    path = "/api/v1/policy/load/{policy_name}",
    tag = "policy",
    operation_id = "load_policy",
    params(
        ("policy_name" = String, Path, description = "Its name"),
        ("public_key_hex" = Option<String>, Query, description = "The key that must have signed it, 64 hexadecimal digits"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The policy", body = docs::Policy), (status = 400, description = "It does not verify"), (status = 404, description = "No such policy")),
)]
pub(crate) async fn load_policy(
    State(state): State<AppState>,
    PathParts([name]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let key = query.text("public_key_hex");
    if key
        .as_deref()
        .is_some_and(|key| policy::of_hex::<32>(key).is_none())
    {
        query.fault(
            "public_key_hex",
            "string_pattern_mismatch",
            "must be 64 hexadecimal digits",
        );
    }
    let at = ReadAt::read(&mut query, &state);
    query.finish()?;
    let name = named(name)?;
    at.reach_projection(&state, CATALOG).await?;
    let found = state.projections.catalog().find(POLICY, &name);
    let entry = found.value.ok_or_else(|| Problem::not_found(MISSING))?;
    let row = shown(&state, &entry, key.as_deref(), found.position.get())?;
    Ok(json_response(row.to_string()))
}

/// A policy as it is shown, having been checked.
fn shown(
    state: &AppState,
    policy: &Entry,
    key: Option<&str>,
    position: u64,
) -> Result<Value, Problem> {
    let folded = &policy.folded;
    let text = folded.text("text").unwrap_or_default();
    let document = policy::open(text).map_err(failed)?;
    let verified = match (folded.text("signature"), key.or(folded.text("public_key"))) {
        (Some(signature), Some(signer)) => {
            policy::verify(text, signature, signer).map_err(failed)?;
            key.is_some() || policy::is_trusted(state, signer)
        }
        _ if key.is_some() => return Err(failed(BundleError::Unsigned)),
        _ => false,
    };
    Ok(json!({
        "policy_name": policy.aggregate_id,
        "policy_data": document,
        "sha256_hash": folded.get("sha256"),
        "signature_verified": verified,
        "signature": folded.get("signature"),
        "public_key_hex": folded.get("public_key"),
        "is_active": policy_bundle::is_active(folded),
        "signed_text": text,
        "version": policy.version.get(),
        "position": position,
    }))
}

/// Upload a policy, in place of one of the same name. What is in force stays so until another is put into force.
///
/// The hash is added under `_hash`. A policy that was signed elsewhere brings `signature` and `public_key_hex`: the
/// signature is over `signed_text`, as `/policy/load` shows it.
#[utoipa::path(
    post,
    path = "/api/v1/policy/upload",
    tag = "policy",
    operation_id = "upload_policy",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable")),
    request_body = docs::PolicyUpload,
    responses((status = 201, description = "Uploaded", body = docs::Policy), (status = 400, description = "The signature does not verify")),
)]
pub(crate) async fn upload_policy(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let fields = body::parse(UPLOAD, &body)?;
    let name = text(&fields, "policy_name").unwrap_or_default().to_owned();
    policy_bundle::check_name(&name)?;
    let document = fields.get("policy_data").and_then(Value::as_object);
    let (sealed, sha256) = policy::seal(document.cloned().unwrap_or_default());
    let signed = match (text(&fields, "signature"), text(&fields, "public_key_hex")) {
        (Some(signature), Some(key)) => Some(signed_elsewhere(&sealed, signature, key)?),
        (Some(_), None) => return Err(key_missing()),
        (None, _) => None,
    };
    let upload = PolicyCommand::Upload {
        text: sealed,
        sha256,
    };
    let done = write
        .run(move |tx| {
            let folded = tx.load(POLICY, &name)?;
            let now = tx.now().micros();
            let asked = Asked { now, by: &by };
            let drafts = policy_bundle::decide(&folded, &upload, asked)?;
            tx.append(POLICY, &name, drafts)?;
            if let Some(sign) = &signed {
                let folded = tx.load(POLICY, &name)?;
                let drafts = policy_bundle::decide(&folded, sign, asked)?;
                tx.append(POLICY, &name, drafts)?;
            }
            Ok(())
        })
        .await?;
    let row = shown(&state, &done.entry()?, None, done.position.get())?;
    let mut response = json_response(row.to_string());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

fn key_missing() -> Problem {
    let text = "is required beside signature: the key that made it";
    Problem::invalid(vec![FieldError::body("public_key_hex", "missing", text)])
}

/// A signature that was made elsewhere, having been verified.
fn signed_elsewhere(text: &str, signature: &str, key: &str) -> Result<PolicyCommand, Problem> {
    policy::verify(text, signature, key).map_err(failed)?;
    Ok(PolicyCommand::Sign {
        signature: signature.to_ascii_lowercase(),
        public_key: key.to_ascii_lowercase(),
    })
}

/// Sign a policy as it is now.
///
/// Better than to send the private key is to sign `signed_text` where the key is kept, and to send `signature` and
/// `public_key_hex`. The private key is used for this once and kept nowhere; it is taken from the body, and from the query
/// as older clients send it.
#[utoipa::path(
    post,
    path = "/api/v1/policy/sign/{policy_name}",
    tag = "policy",
    operation_id = "sign_policy",
    params(
        ("policy_name" = String, Path, description = "Its name"),
        ("private_key_hex" = Option<String>, Query, description = "Older spelling of the body's member: addresses are kept in many places, so send it in the body", deprecated),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::PolicySign,
    responses((status = 200, description = "Signed", body = docs::PolicySigned), (status = 400, description = "The signature does not verify"), (status = 404, description = "No such policy")),
)]
pub(crate) async fn sign_policy(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([name]): PathParts<1>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let mut query = Query::parse(query.as_deref());
    let in_query = query.text("private_key_hex");
    query.finish()?;
    let name = named(name)?;
    let (write, mut body) = Write::with_optional_body(&state, caller, request).await?;
    if let Some(key) = in_query {
        body.entry("private_key_hex").or_insert(key.into());
    }
    let fields = body::parse(SIGN, &body)?;
    let secret = text(&fields, "private_key_hex").and_then(policy::of_hex::<32>);
    if secret.is_none() && text(&fields, "signature").is_none() {
        let text = "is required, or signature and public_key_hex";
        let fault = FieldError::body("private_key_hex", "missing", text);
        return Err(Problem::invalid(vec![fault]));
    }
    let done = write
        .run(move |tx| {
            let policy = tx.load_existing(POLICY, &name, MISSING)?;
            let sealed = policy.folded.text("text").unwrap_or_default();
            policy::open(sealed).map_err(failed)?;
            let command = match (&secret, text(&fields, "public_key_hex")) {
                (Some(secret), _) => {
                    let (signature, public_key) = policy::sign(sealed, secret);
                    PolicyCommand::Sign {
                        signature,
                        public_key,
                    }
                }
                (None, Some(key)) => {
                    signed_elsewhere(sealed, text(&fields, "signature").unwrap_or_default(), key)?
                }
                (None, None) => return Err(key_missing()),
            };
            step(tx, &policy, &command, &by)
        })
        .await?;
    let entry = done.entry()?;
    let body = json!({
        "policy_name": entry.aggregate_id,
        "signature_file": format!("{}.json.sig", entry.aggregate_id),
        "signature": entry.folded.get("signature"),
        "public_key_hex": entry.folded.get("public_key"),
        "message": "Policy signed successfully",
        "version": entry.version.get(),
        "position": done.position.get(),
    });
    Ok(json_response(body.to_string()))
}

/// Make a key to sign policies with. It is kept nowhere.
#[utoipa::path(
    post,
    path = "/api/v1/policy/generate-keypair",
    tag = "policy",
    operation_id = "generate_policy_keypair",
    responses((status = 200, description = "The key", body = docs::PolicyKeypair)),
)]
pub(crate) async fn generate_policy_keypair() -> Result<Response<Body>, Problem> {
    let (secret, public_key) = policy::generate().map_err(|error| Problem::internal(&error))?;
    let body = json!({
        "private_key_hex": secret,
        "public_key_hex": public_key,
        "warning": "Store the private key securely. It is kept nowhere and cannot be recovered.",
    });
    let mut response = json_response(body.to_string());
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Delete a policy that is not in force.
#[utoipa::path(
    delete,
    path = "/api/v1/policy/{policy_name}",
    tag = "policy",
    operation_id = "delete_policy",
    params(
        ("policy_name" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    responses((status = 204, description = "Deleted"), (status = 404, description = "No such policy"), (status = 409, description = "It is in force")),
)]
pub(crate) async fn delete_policy(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([name]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let name = named(name)?;
    let write = Write::without_body(&state, caller, request)?;
    let done: Done<()> = write
        .run(move |tx| {
            let policy = tx.load_existing(POLICY, &name, MISSING)?;
            step(tx, &policy, &PolicyCommand::Delete, &by)
        })
        .await?;
    Ok(no_content(&done))
}

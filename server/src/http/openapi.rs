//! The API's description: collected from the handlers, completed from the tables.
//!
//! Handlers describe what is theirs. What is the same everywhere is added here from where the server itself takes it:
//! who may call (from [`super::access`]), and the answers that any route may give (problems).

use utoipa::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Description, RefOr, ResponseBuilder, schema};
use utoipa::{PartialSchema, ToSchema};

use super::access::{self, Access};
use super::problem::MEDIA_TYPE;
use super::query;

mod bodies;

/// The name of the one way to authenticate.
/// How people authenticate.
const BEARER: &str = "bearer";
/// How tablets do.
const DEVICE: &str = "device";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "RailFleet Manager API",
        description = "A depot's events, what they fold to, and their history. Errors are RFC 9457 problems; their types are listed in docs/problems.md.",
    ),
    tags(
        (name = "events", description = "Append events, list them, follow them live"),
        (name = "vehicles", description = "The fleet's records"),
        (name = "maintenance", description = "Tasks that fall due, and work orders"),
        (name = "workshops", description = "Where vehicles are maintained"),
        (name = "transfer", description = "Planned runs of vehicles, and who is in them"),
        (name = "hr", description = "Staff, and what they are planned for"),
        (name = "documents", description = "Files that prove something: when they expire, who looked at them"),
        (name = "policy", description = "Which part may change what offline: signed, and in force"),
        (name = "inventory", description = "Parts, where they lie, and how they move"),
        (name = "procurement", description = "Suppliers and what is ordered from them"),
        (name = "finance", description = "Invoices, budgets, cost centers"),
        (name = "reports", description = "Figures of a month"),
        (name = "projections", description = "Read models: how far they are and what they hold"),
        (name = "analytics", description = "Key figures, and the events that make them"),
        (name = "time-travel", description = "An aggregate, or the whole fleet, as it was, in either time"),
        (name = "compliance", description = "What is held on a person, its erasure, reports for auditors"),
        (name = "audit", description = "Who did what: trails, anomalies, proofs"),
        (name = "ml", description = "Predictions with their reasons, models and their training"),
        (name = "sync", description = "Tablets: register, push, pull, conflicts"),
        (name = "auth", description = "Come in and go out"),
        (name = "users", description = "Accounts, for those who administrate them"),
        (name = "operations", description = "Health, readiness, figures"),
    ),
    components(schemas(ProblemBody, FieldFault)),
)]
struct Base;

/// What is the same for all routes.
pub(crate) fn base() -> Description {
    let mut description = Base::openapi();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT");
    let scheme = scheme.description(Some(
        "An access token from /api/v1/auth/login. Roles are listed as scopes.",
    ));
    let device = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A device token from /api/v1/sync/devices/register. It opens the routes of sync alone.",
        ));
    let components = description.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(scheme.build()));
    components.add_security_scheme(DEVICE, SecurityScheme::Http(device.build()));
    description
}

/// Adds to every operation who may call it and how it may fail.
pub(crate) fn complete(description: &mut Description) {
    let components = description.components.get_or_insert_default();
    for (path, item) in &mut description.paths.paths {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                bodies::describe(operation, components);
                complete_operation(operation, access_of(&method, path));
            }
        }
    }
}

/// The description of a route.
pub(crate) fn operation<'a>(
    description: &'a Description,
    method: &axum::http::Method,
    path: &str,
) -> Option<&'a Operation> {
    let item = description.paths.paths.get(path)?;
    let operation = match method.as_str() {
        "GET" => &item.get,
        "POST" => &item.post,
        "PUT" => &item.put,
        "PATCH" => &item.patch,
        "DELETE" => &item.delete,
        _ => return None,
    };
    operation.as_ref()
}

/// The table's line for an operation.
pub(crate) fn access_of(method: &HttpMethod, path: &str) -> Option<Access> {
    let method = match method {
        HttpMethod::Get => axum::http::Method::GET,
        HttpMethod::Post => axum::http::Method::POST,
        HttpMethod::Put => axum::http::Method::PUT,
        HttpMethod::Patch => axum::http::Method::PATCH,
        HttpMethod::Delete => axum::http::Method::DELETE,
        _ => return None,
    };
    access::of(&method, path)
}

/// Whatever waits for `min_position` takes `wait_ms`, and need not say so.
fn describe_wait(operation: &mut Operation) {
    let described = query::described(operation);
    let says = |name: &str| described.iter().any(|parameter| parameter == name);
    if !says("min_position") || says("wait_ms") {
        return;
    }
    let wait = ParameterBuilder::new()
        .name("wait_ms")
        .parameter_in(ParameterIn::Query)
        .description(Some("How long to wait for it, default 5,000"))
        .schema(Some(<Option<u64>>::schema()))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(RefOr::T(wait));
}

fn complete_operation(operation: &mut Operation, access: Option<Access>) {
    describe_wait(operation);
    let mut failures = vec![("default", "A problem")];
    match access {
        Some(Access::AtLeast(role)) => {
            operation.security = Some(vec![SecurityRequirement::new(BEARER, [role.name()])]);
            failures.push(("401", "No token, or one that is not good"));
            failures.push(("403", "The role does not reach"));
        }
        Some(Access::Device(role)) => {
            operation.security = Some(vec![
                SecurityRequirement::new(DEVICE, Vec::<String>::new()),
                SecurityRequirement::new(BEARER, [role.name()]),
            ]);
            failures.push(("401", "No token, or one that is not good"));
            failures.push(("403", "The role does not reach"));
        }
        Some(Access::OpenOrKnown) => {
            operation.security = Some(vec![
                SecurityRequirement::default(),
                SecurityRequirement::new(BEARER, Vec::<String>::new()),
            ]);
        }
        Some(Access::Open) | None => operation.security = Some(Vec::new()),
    }
    if operation.request_body.is_some() {
        failures.push(("413", "Larger than its limit"));
        failures.push(("422", "Not valid; `errors` lists every fault"));
    } else if operation
        .parameters
        .as_ref()
        .is_some_and(|parameters| !parameters.is_empty())
    {
        failures.push(("422", "Not valid; `errors` lists every fault"));
    }
    for (status, about) in failures {
        let content = Content::new(Some(schema::Ref::from_schema_name(ProblemBody::name())));
        let response = ResponseBuilder::new()
            .description(about)
            .content(MEDIA_TYPE, content)
            .build();
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert(RefOr::T(response));
    }
}

/// A refusal or failure, RFC 9457.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "only its schema is used")]
struct ProblemBody {
    /// Which kind it is; never changes.
    #[schema(example = "urn:railfleet:problem:wrong-version")]
    r#type: String,
    /// The kind in a few words.
    title: String,
    /// The status.
    status: u16,
    /// What happened this time.
    detail: String,
    /// The path that was asked.
    instance: String,
    /// The request's id, as in the header `X-Request-Id`.
    request_id: String,
    /// On 422: every fault.
    errors: Option<Vec<FieldFault>>,
    /// On a conflict of versions: what was expected.
    expected_version: Option<u32>,
    /// On a conflict of versions: what is.
    actual_version: Option<u32>,
}

/// One fault in what was sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct FieldFault {
    /// Where: `["body", "data", "km"]`.
    loc: Vec<serde_json::Value>,
    /// What is wrong.
    msg: String,
    /// A stable word for the kind of fault.
    r#type: String,
}

/// Holds the compiler to it that the schemas stay derivable.
const _: fn() -> RefOr<schema::Schema> = ProblemBody::schema;

//! HTTP: requests become commands and queries, answers become bytes.
//!
//! A request passes the [`edge`] (id, time limit, panics, problems), the router, the [`guard`] (who, may they, how long)
//! and reaches one handler, of which each resource has its file. [`access`] says who may call what, [`aliases`] holds
//! every older spelling, [`openapi`] describes it all.

pub mod access;
mod aliases;
mod analytics;
mod audit;
pub mod auth;
pub mod body;
mod budgets;
mod compliance;
mod cost_centers;
mod damage;
mod dashboard;
mod described;
mod documents;
pub mod edge;
pub mod events;
pub mod extract;
mod federation;
pub mod guard;
mod health;
mod hr;
mod invoices;
pub mod listing;
pub(crate) mod maintenance;
mod ml;
pub mod openapi;
mod operations;
mod parts;
mod policies;
pub mod postman;
pub mod problem;
mod projections;
mod purchase_orders;
pub mod query;
mod rates;
mod reports;
pub mod root;
mod stock_locations;
mod stock_moves;
mod suppliers;
mod sync;
#[cfg(test)]
mod tests;
mod time_travel;
mod transfer;
mod users;
mod vehicles;
pub mod visible;
mod weight;
mod workplaces;
mod workshops;

pub use analytics::Replies;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, header};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::AppState;
use edge::{Edge, EdgeSettings, REQUEST_ID};
use guard::GuardLayer;
use problem::{Kind, Problem};
use rates::{RATE_LIMIT, RATE_LIMIT_POLICY};

/// The service that answers requests.
pub type App = Edge<Router>;

/// All routes with their description.
fn described_routes() -> (Router<AppState>, OpenApi) {
    let routes = OpenApiRouter::with_openapi(openapi::base())
        .merge(root::routes())
        .merge(health::routes())
        .merge(operations::routes())
        .merge(federation::routes())
        .merge(auth::routes())
        .merge(users::routes())
        .merge(events::routes())
        .merge(ml::routes())
        .merge(projections::routes())
        .merge(time_travel::routes())
        .merge(vehicles::routes())
        .merge(maintenance::routes())
        .merge(workshops::routes())
        .merge(workplaces::routes())
        .merge(transfer::routes())
        .merge(hr::routes())
        .merge(documents::routes())
        .merge(policies::routes())
        .merge(analytics::routes())
        .merge(audit::routes())
        .merge(compliance::routes())
        .merge(parts::routes())
        .merge(stock_locations::routes())
        .merge(stock_moves::routes())
        .merge(suppliers::routes())
        .merge(purchase_orders::routes())
        .merge(invoices::routes())
        .merge(budgets::routes())
        .merge(cost_centers::routes())
        .merge(reports::routes())
        .merge(sync::routes())
        .merge(aliases::routes());
    let (routes, mut description) = routes.split_for_parts();
    openapi::complete(&mut description);
    (routes, description)
}

/// The API's description.
pub fn description() -> OpenApi {
    described_routes().1
}

/// The service that answers requests.
pub fn service(state: AppState) -> App {
    let (routes, description) = described_routes();
    let text = description
        .to_json()
        .unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    let guard = GuardLayer::new(state.clone(), &description);
    let http = &state.config.http;
    let settings = EdgeSettings {
        request_timeout: http.request_timeout,
        access_log: http.access_log,
        encrypted: state.config.tls.enabled,
    };
    let boot = boot_number(&state);
    let mut router = routes
        .merge(root::documentation(text.into_bytes()))
        .merge(dashboard::routes())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(unknown_route)
        .route_layer(guard);
    if http.compression {
        let worthwhile = SizeAbove::new(http.compression_bytes_min).and(NotForContentType::SSE);
        router = router.layer(CompressionLayer::new().compress_when(worthwhile));
    }
    if !http.cors_origins.is_empty() {
        router = router.layer(cors(&http.cors_origins));
    }
    Edge::around(router.with_state(state), settings, boot)
}

/// Tells this process's request ids from those of another: the low bits of when it began.
fn boot_number(state: &AppState) -> u32 {
    let low = state.clock.now().micros().rem_euclid(i64::from(u32::MAX));
    u32::try_from(low).unwrap_or(0)
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            events::IDEMPOTENCY_KEY,
            REQUEST_ID,
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("prefer"),
        ])
        .expose_headers([
            header::ETAG,
            header::LINK,
            header::RETRY_AFTER,
            RATE_LIMIT,
            RATE_LIMIT_POLICY,
            REQUEST_ID,
        ])
        .max_age(std::time::Duration::from_secs(3_600))
}

async fn unknown_route(request: Request<Body>) -> Problem {
    Problem::new(
        Kind::UnknownRoute,
        format!("there is no path {}", request.uri().path()),
    )
}

async fn method_not_allowed(request: Request<Body>) -> Problem {
    let detail = format!(
        "{} is not allowed for {}",
        request.method(),
        request.uri().path()
    );
    Problem::new(Kind::MethodNotAllowed, detail)
}

/// A JSON answer.
pub(crate) fn json_response(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

//! What is not a resource: the root, the API's description and the page to browse it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::Config;

use super::dashboard;
use super::extract::PathParts;
use super::json_response;
use super::problem::Problem;
use crate::app::AppState;

/// Where the description lies.
pub const OPENAPI_PATH: &str = "/openapi.json";
/// What the page to browse it may load: only what this server itself serves. Its script writes styles into the page.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

/// The route of the root.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(root))
}

/// What this server is.
#[utoipa::path(
    get,
    path = "/",
    tag = "operations",
    operation_id = "root",
    responses(
        (status = 200, description = "Name, version, and where to read on", body = Object),
        (status = 307, description = "To the dashboard, for who asks for a page"),
    ),
)]
pub(crate) async fn root(headers: HeaderMap) -> Response<Body> {
    if dashboard::wants_page(&headers) {
        return dashboard::to_dashboard();
    }
    let body = json!({
        "name": "RailFleet Manager API",
        "version": env!("CARGO_PKG_VERSION"),
        "description": env!("CARGO_PKG_DESCRIPTION"),
        "dashboard": dashboard::PATH,
        "docs": "/docs",
        "openapi": OPENAPI_PATH,
        "features": ["events", "projections", "time-travel", "accounts", "live stream"],
    });
    json_response(body.to_string())
}

/// The routes of the description, which is the same for as long as the process lives, and of its page.
pub(crate) fn documentation(description: Vec<u8>) -> Router<AppState> {
    let description = Bytes::from(description);
    let config = Arc::new(Config::from(OPENAPI_PATH));
    let page = {
        let config = config.clone();
        move || async move { asset("index.html", config) }
    };
    Router::new()
        .route(
            OPENAPI_PATH,
            get(move || async move { json_response(description) }),
        )
        .route("/docs", get(|| async { redirect("/docs/") }))
        .route("/docs/", get(page))
        .route(
            "/docs/{*rest}",
            get(move |PathParts([rest]): PathParts<1>| async move { asset(&rest, config) }),
        )
}

fn redirect(to: &'static str) -> Response<Body> {
    (
        StatusCode::PERMANENT_REDIRECT,
        [(header::LOCATION, HeaderValue::from_static(to))],
    )
        .into_response()
}

/// A file of the page; all of them are in this binary.
fn asset(path: &str, config: Arc<Config<'static>>) -> Result<Response<Body>, Problem> {
    let missing = || Problem::not_found(format!("no page {path}"));
    let file = utoipa_swagger_ui::serve(path, config)
        .map_err(|error| Problem::internal(&error))?
        .ok_or_else(missing)?;
    let mut response = Response::new(Body::from(file.bytes.into_owned()));
    let headers = response.headers_mut();
    let media_type =
        HeaderValue::from_str(&file.content_type).unwrap_or(HeaderValue::from_static("text/plain"));
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(
        HeaderName::from_static("content-security-policy"),
        DOCS_POLICY,
    );
    Ok(response)
}

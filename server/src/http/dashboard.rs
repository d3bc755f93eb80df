//! The dashboard: files that `web/` builds and this binary carries. They speak only the public API.
//!
//! Any path below `/app/` that is no file is the page itself: where the reader is in it stands in the address.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::extract::PathParts;
use super::problem::Problem;
use crate::app::AppState;

/// Where the dashboard lies.
pub(crate) const PATH: &str = "/app/";
/// The page.
const INDEX: &str = "index.html";
/// Nothing comes from elsewhere and nothing goes elsewhere; the charts' library sets styles by script, which needs no
/// exception.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
/// How the names of files begin that end in a hash of what is in them.
const NAMED_BY_CONTENT: [&str; 4] = ["app-", "chunk-", "style-", "texts-"];
/// Files whose names say what is in them never change.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The others are asked for again, by their tag.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

#[derive(RustEmbed)]
#[folder = "../web/dist"]
struct Files;

/// The routes of the dashboard.
pub(crate) fn routes() -> Router<AppState> {
    Router::new()
        .route("/app", get(|| async { to_dashboard() }))
        .route(
            "/app/",
            get(|headers: HeaderMap| async move { file(INDEX, &headers) }),
        )
        .route(
            "/app/{*rest}",
            get(
                |PathParts([rest]): PathParts<1>, headers: HeaderMap| async move {
                    file(&rest, &headers)
                },
            ),
        )
}

/// Sends a browser to the dashboard.
pub(crate) fn to_dashboard() -> Response<Body> {
    let to = [(header::LOCATION, HeaderValue::from_static(PATH))];
    (StatusCode::TEMPORARY_REDIRECT, to).into_response()
}

/// Whether a person asks, by a browser, and not a program.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| {
            accept
                .split(',')
                .any(|kind| kind.trim().starts_with("text/html"))
        })
}

fn file(path: &str, headers: &HeaderMap) -> Result<Response<Body>, Problem> {
    let (path, found) = match Files::get(path) {
        Some(found) => (path, found),
        // A missing script must not be answered by a page: the browser would run it.
        None if path
            .rsplit('/')
            .next()
            .is_some_and(|name| name.contains('.') && media_type(name).is_some()) =>
        {
            return Err(Problem::not_found(format!(
                "the dashboard has no file {path}"
            )));
        }
        None => match Files::get(INDEX) {
            Some(page) => (INDEX, page),
            None => return Err(Problem::not_found("this build carries no dashboard")),
        },
    };
    let tag = tag(&found);
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == tag)
    {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let mut response = Response::new(Body::from(found.data.into_owned()));
    let answer = response.headers_mut();
    let kind = media_type(path).unwrap_or("application/octet-stream");
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.insert(header::ETAG, tag);
    let named_by_content = NAMED_BY_CONTENT.iter().any(|begin| path.starts_with(begin));
    answer.insert(
        header::CACHE_CONTROL,
        if named_by_content {
            FOR_EVER
        } else {
            ASK_AGAIN
        },
    );
    answer.insert(
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(POLICY),
    );
    answer.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    Ok(response)
}

/// A file's tag: its hash, as the build computed it.
fn tag(file: &EmbeddedFile) -> HeaderValue {
    let mut text = String::with_capacity(34);
    text.push('"');
    for byte in &file.metadata.sha256_hash()[..16] {
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('"');
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The media type of a file of this name; `None` when the dashboard has no files of its kind.
fn media_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit('.').next()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

//! The outermost layer, once around everything: request ids, trailing slashes, the time limit, panics, and the text of
//! problems. It is one layer and not five, because each costs an allocation for every request.

use std::any::Any;
use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::{HeaderName, HeaderValue};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, Request, Response, StatusCode, Uri, header};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower::Service;

use super::problem::{Kind, Problem};
use super::rates::{RATE_LIMIT, RATE_LIMIT_POLICY};

/// The header that carries a request's id, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes of a request id that is taken from a client.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// A request's id; stands in the request's extensions.
#[derive(Clone, Debug)]
pub struct RequestId(pub HeaderValue);

/// Makes ids for requests that bring none.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    boot: u32,
    next: Arc<AtomicU64>,
}

/// Bytes of a request id that is made here: eight digits, a dash, eight digits.
const OWN_ID_BYTES: usize = 17;

impl Ids {
    /// Unique within this process, and most likely among processes: when it began, and a count, in hexadecimal.
    pub(crate) fn next(&self) -> [u8; OWN_ID_BYTES] {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut id = [b'-'; OWN_ID_BYTES];
        put_hex(u64::from(self.boot), &mut id[..8]);
        put_hex(number, &mut id[9..]);
        id
    }
}

fn put_hex(number: u64, place: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut rest = number;
    for digit in place.iter_mut().rev() {
        *digit = DIGITS[(rest & 15) as usize];
        rest >>= 4;
    }
}

/// How the edge treats requests.
#[derive(Clone, Copy, Debug)]
pub struct EdgeSettings {
    /// Until when an answer's head must be there.
    pub request_timeout: Duration,
    /// Whether each request is a line in the log.
    pub access_log: bool,
    /// Whether connections are encrypted: browsers are to come back that way only.
    pub encrypted: bool,
}

/// The layer around `inner`.
#[derive(Clone, Debug)]
pub struct Edge<S> {
    inner: S,
    settings: EdgeSettings,
    ids: Ids,
}

impl<S> Edge<S> {
    /// Puts the edge around `inner`. `boot` tells this process's request ids from another's.
    pub fn around(inner: S, settings: EdgeSettings, boot: u32) -> Self {
        Edge {
            inner,
            settings,
            ids: Ids {
                boot,
                next: Arc::default(),
            },
        }
    }

    /// The same counter of request ids, for who answers beside this layer.
    pub(crate) fn ids(&self) -> Ids {
        self.ids.clone()
    }
}

impl<S> Service<Request<Body>> for Edge<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = EdgeFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let id = request_id(&request).unwrap_or_else(|| {
            HeaderValue::from_bytes(&self.ids.next())
                .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
        });
        let seen = Seen {
            method: request.method().clone(),
            uri: request.uri().clone(),
            id: id.clone(),
            began: Instant::now(),
        };
        request.extensions_mut().insert(RequestId(id));
        if let Some(uri) = without_trailing_slash(request.uri()) {
            *request.uri_mut() = uri;
        }
        EdgeFuture {
            inner: self.inner.call(request),
            limit: tokio::time::sleep(self.settings.request_timeout),
            settings: self.settings,
            seen,
        }
    }
}

/// What is kept of a request until it is answered.
#[derive(Debug)]
struct Seen {
    method: Method,
    uri: Uri,
    id: HeaderValue,
    began: Instant,
}

pin_project! {
    /// The answer on its way.
    #[derive(Debug)]
    pub struct EdgeFuture<F> {
        #[pin]
        inner: F,
        #[pin]
        limit: Sleep,
        settings: EdgeSettings,
        seen: Seen,
    }
}

impl<F: Future<Output = Result<Response<Body>, Infallible>>> Future for EdgeFuture<F> {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // The handler's state may be torn after a panic; it is dropped with this future and never polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| this.inner.poll(context)));
        let response = match polled {
            Ok(Poll::Ready(Ok(response))) => response,
            Ok(Poll::Ready(Err(never))) => match never {},
            Ok(Poll::Pending) => match this.limit.poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => problem_response(request_timeout()),
            },
            Err(panic) => {
                tracing::error!(panic = %panic_text(&*panic), path = this.seen.uri.path(), "a handler panicked");
                problem_response(Problem::new(Kind::Internal, "Internal server error"))
            }
        };
        Poll::Ready(Ok(finish(response, this.seen, *this.settings)))
    }
}

/// Renders a problem, and marks the answer with the request's id.
fn finish(mut response: Response<Body>, seen: &Seen, settings: EdgeSettings) -> Response<Body> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let mut rendered = problem.render(seen.uri.path(), seen.id.to_str().unwrap_or_default());
        for name in [header::ALLOW, RATE_LIMIT, RATE_LIMIT_POLICY] {
            if let Some(value) = response.headers_mut().remove(&name) {
                rendered.headers_mut().insert(name, value);
            }
        }
        response = rendered;
        if seen.method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, seen.id.clone());
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if settings.encrypted {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    if settings.access_log {
        let id = seen.id.to_str().unwrap_or_default();
        let took = seen.began.elapsed();
        note_access(&seen.method, seen.uri.path(), response.status(), took, id);
    }
    response
}

/// The answer to a request that takes too long.
pub(crate) fn request_timeout() -> Problem {
    Problem::new(Kind::Timeout, "the request took too long")
}

/// A line of the access log. The query stays out: what people search for is nobody's business.
pub(crate) fn note_access(
    method: &Method,
    path: &str,
    status: StatusCode,
    took: Duration,
    request_id: &str,
) {
    tracing::info!(
        %method,
        path,
        status = status.as_u16(),
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        request_id,
        "request"
    );
}

fn problem_response(problem: Problem) -> Response<Body> {
    axum::response::IntoResponse::into_response(problem)
}

/// The client's id, if it is one: visible ASCII, not too long.
fn request_id(request: &Request<Body>) -> Option<HeaderValue> {
    let id = request.headers().get(REQUEST_ID)?;
    is_request_id(id.as_bytes()).then(|| id.clone())
}

/// Whether a client's request id may stand in a log.
pub(crate) fn is_request_id(id: &[u8]) -> bool {
    !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.iter().all(u8::is_ascii_graphic)
}

/// The same address without the slash at its end; `None` where there is none. Pages for people keep theirs:
/// their own links are relative to it.
fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if path.len() <= 1
        || !path.ends_with('/')
        || path == "/docs/"
        || path.starts_with(super::dashboard::PATH)
    {
        return None;
    }
    let stem = path.trim_end_matches('/');
    let stem = if stem.is_empty() { "/" } else { stem };
    let text: Cow<'_, str> = match uri.query() {
        Some(query) => Cow::Owned(format!("{stem}?{query}")),
        None => Cow::Borrowed(stem),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text.as_ref()).ok()?);
    Uri::from_parts(parts).ok()
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

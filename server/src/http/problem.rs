//! Every refusal and failure as one kind of answer: `application/problem+json` (RFC 9457).
//!
//! Handlers return `Result<_, Problem>`; so do the layers around them for what never reaches a handler: unknown paths,
//! wrong methods, bodies too large, panics, time-outs. A problem becomes text in one place, [`Problem::render`], which
//! the edge calls, because only the edge knows the request's id and path.
//!
//! `detail` is always a string, which clients of the old system read; on 422 `errors` lists each fault by its place.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use fleet::{Refusal, RefusalKind};
use serde_json::{Map, Value, json};
use storage::{AppendError, ArchivedError, ExpectedVersion, ReadError};

use crate::envelope::{BatchError, Refused};
use crate::field_error::FieldError;

#[cfg(test)]
mod tests;
mod types;

pub use types::{Kind, TYPES, types_markdown};

/// The media type of every problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// What leads a problem's `type`; behind it stands the name from [`TYPES`].
pub const TYPE_PREFIX: &str = "urn:railfleet:problem:";
/// Seconds after which a client should try again where nothing better is known.
const RETRY_AFTER_SECONDS: u64 = 1;
/// The same where the archive does not answer.
const ARCHIVE_RETRY_SECONDS: u64 = 10;

/// One refusal or failure.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A problem of this kind; `detail` says what happened this time.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let unavailable = kind.status() == StatusCode::SERVICE_UNAVAILABLE;
        Problem {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            retry_after_seconds: unavailable.then_some(RETRY_AFTER_SECONDS),
        }
    }

    /// What was sent has these faults: 422.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [] => Cow::Borrowed("the request is not valid"),
            [only] => Cow::Owned(only.to_string()),
            [first, rest @ ..] => Cow::Owned(format!("{first} (and {} more)", rest.len())),
        };
        Problem {
            errors,
            ..Problem::new(Kind::Invalid, detail)
        }
    }

    /// Nothing is there under the given name.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Problem::new(Kind::NotFound, detail)
    }

    /// Something inside failed. The cause goes to the log, not to the client.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed inside the server");
        Problem::new(Kind::Internal, "Internal server error")
    }

    /// The same problem with a fact that a client can act on.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    /// The same problem with more said about it.
    #[must_use]
    pub fn adding(mut self, more: &str) -> Self {
        self.detail = format!("{}{more}", self.detail).into();
        self
    }

    /// The same problem, worth another try after so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The same problem under another kind.
    #[must_use]
    pub fn as_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened this time.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The whole answer for the request with this id to this path.
    pub fn render(&self, instance: &str, request_id: &str) -> Response<Body> {
        let mut body = json!({
            "type": format!("{TYPE_PREFIX}{}", self.kind.name()),
            "title": self.kind.title(),
            "status": self.kind.status().as_u16(),
            "detail": self.detail,
            "instance": instance,
            "request_id": request_id,
        });
        if let Some(object) = body.as_object_mut() {
            object.extend(
                self.members
                    .iter()
                    .map(|(member, value)| (member.clone(), value.clone())),
            );
        }
        if self.kind == Kind::Invalid {
            body["errors"] = json!(self.errors);
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Status and the problem itself, for the edge to render.
impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.kind.status();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Problem::invalid(refused.0)
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Refused(refused) => refused.into(),
            BatchError::TooMany { limit } => Problem::new(
                Kind::TooLarge,
                format!("a batch holds at most {limit} events"),
            )
            .with("limit", limit),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind {
            RefusalKind::Invalid => {
                let field = (!refusal.field.is_empty()).then(|| refusal.field.into());
                let loc = [Some("body".into()), field].into_iter().flatten();
                let fault = FieldError::new(loc, refusal.code, refusal.message);
                return Problem::invalid(vec![fault]);
            }
            RefusalKind::Rule => Kind::BadRequest,
            RefusalKind::Conflict => Kind::Conflict,
            RefusalKind::Missing => Kind::NotFound,
            RefusalKind::Forbidden => Kind::Forbidden,
        };
        let problem = Problem::new(kind, refusal.message).with("code", refusal.code);
        if refusal.field.is_empty() {
            problem
        } else {
            problem.with("field", refusal.field)
        }
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        let detail = error.to_string();
        match error {
            AppendError::WrongVersion {
                stream,
                expected,
                actual,
            } => {
                let detail = format!(
                    "{}/{} is at version {actual}, expected was {}",
                    stream.aggregate_type,
                    stream.aggregate_id,
                    described(expected)
                );
                Problem::new(Kind::WrongVersion, detail)
                    .with("expected_version", expected_json(expected))
                    .with("actual_version", actual.get())
                    .with("aggregate_type", &*stream.aggregate_type)
                    .with("aggregate_id", &*stream.aggregate_id)
            }
            AppendError::ConditionFailed { position, after } => {
                Problem::new(Kind::ConditionFailed, detail)
                    .with("position", position.get())
                    .with("after", after.get())
            }
            AppendError::IdReused { id, position } => {
                let detail =
                    format!("the event id {id} is taken by another event, at position {position}");
                Problem::new(Kind::IdReused, detail)
                    .with("id", id.to_string())
                    .with("position", position.get())
            }
            AppendError::TooLarge {
                what,
                limit,
                actual,
            } => {
                let detail = format!("{what} has {actual}, {limit} are allowed");
                Problem::new(Kind::TooLarge, detail)
                    .with("field", what)
                    .with("limit", limit)
                    .with("actual", actual)
            }
            AppendError::Empty => Problem::invalid(vec![FieldError::body(
                "events",
                "too_short",
                "must hold an event",
            )]),
            AppendError::EmptyName { what } => Problem::invalid(vec![FieldError::body(
                what,
                "string_too_short",
                "must not be empty",
            )]),
            AppendError::IdRepeated { id } => {
                let msg = format!("stands on two events: {id}");
                Problem::invalid(vec![FieldError::body("id", "value_error", msg)])
            }
            AppendError::DiskFull => Problem::new(
                Kind::DiskFull,
                "the disk is full: nothing was written; reading goes on",
            ),
            AppendError::Busy => {
                Problem::new(Kind::Busy, "more writes are waiting than may; try again")
            }
            AppendError::Archived { segment } => Problem::new(
                Kind::Archive,
                "whether this may be written depends on a segment that is being fetched from the archive: try again",
            )
            .with("segment", segment.get()),
            AppendError::Unavailable { .. } => {
                tracing::error!(
                    cause = detail,
                    "an append was refused for want of something"
                );
                Problem::new(
                    Kind::Busy,
                    "the log cannot take a write right now; try again",
                )
            }
            AppendError::Stopped { .. } | AppendError::Closed => {
                tracing::error!(
                    cause = detail,
                    "an append was refused because the log takes no writes"
                );
                Problem::new(
                    Kind::Stopped,
                    "the log takes no writes until the server is restarted; reading goes on",
                )
            }
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let ReadError::Archived { segment, source } = &error else {
            return Problem::internal(&error);
        };
        let cause = crate::cli::chain(&error);
        tracing::error!(cause, "history could not be fetched from the archive");
        // Where it lies is the operator's business, and in the log.
        let (detail, seconds) = match source {
            ArchivedError::Busy | ArchivedError::NotHere => (
                "this history is being fetched from the archive: try again",
                RETRY_AFTER_SECONDS,
            ),
            ArchivedError::NotConfigured => (
                "this history lies in an archive, and none is configured: the operator sets archive.to",
                ARCHIVE_RETRY_SECONDS,
            ),
            ArchivedError::Missing { .. } | ArchivedError::Altered { .. } => (
                "this history is not in the archive as it was sent there: the operator finds in the log what to do",
                ARCHIVE_RETRY_SECONDS,
            ),
            ArchivedError::Unreachable { .. } | ArchivedError::Disk(_) => (
                "this history lies in the archive, which cannot be reached now: try again, or tell the operator",
                ARCHIVE_RETRY_SECONDS,
            ),
        };
        Problem::new(Kind::Archive, detail)
            .with("segment", segment.get())
            .retry_after(seconds)
    }
}

fn described(expected: ExpectedVersion) -> String {
    match expected {
        ExpectedVersion::Any => "any".to_owned(),
        ExpectedVersion::NoStream => "no stream".to_owned(),
        ExpectedVersion::Exists => "an existing stream".to_owned(),
        ExpectedVersion::Exact(version) => version.to_string(),
    }
}

fn expected_json(expected: ExpectedVersion) -> Value {
    match expected {
        ExpectedVersion::Any => "any".into(),
        ExpectedVersion::NoStream => "no_stream".into(),
        ExpectedVersion::Exists => "exists".into(),
        ExpectedVersion::Exact(version) => version.get().into(),
    }
}

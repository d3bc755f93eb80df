//! Request bodies: read whole, up to a limit, within a time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use super::problem::{Kind, Problem};
use crate::envelope::Refused;
use crate::field_error::{FieldError, Place};
use crate::json::Scanner;

/// Bytes that room is made for at a time because a client promises them. It may never send them.
const ROOM_BYTES_MAX: usize = 1 << 20;

/// What a body may be at most.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes.
    pub bytes_max: usize,
    /// How long it may take to arrive.
    pub timeout: Duration,
}

/// The whole body.
///
/// # Errors
/// `too-large`, before anything is read where the length is known; `body-timeout`; `bad-request` when it breaks off.
pub async fn read(headers: &HeaderMap, body: Body, limits: BodyLimits) -> Result<Bytes, Problem> {
    let promised = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if promised.is_some_and(|length| length > limits.bytes_max as u64) {
        return Err(too_large(limits.bytes_max));
    }
    let promised = promised.and_then(|length| usize::try_from(length).ok());
    let collected = collect(body, limits.bytes_max, promised.unwrap_or(0));
    match tokio::time::timeout(limits.timeout, collected).await {
        Ok(read) => read,
        Err(_) => Err(body_timeout(limits.timeout)),
    }
}

/// The answer to a body that takes too long.
pub(crate) fn body_timeout(limit: Duration) -> Problem {
    let detail = format!("the body did not arrive within {} s", limit.as_secs());
    Problem::new(Kind::BodyTimeout, detail)
}

/// Most bodies come in one piece, which is passed on as it is. For others room is made for all that is promised once a
/// part of it is there, up to [`ROOM_BYTES_MAX`].
async fn collect(mut body: Body, bytes_max: usize, promised: usize) -> Result<Bytes, Problem> {
    let Some(first) = next_data(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(promised.min(ROOM_BYTES_MAX).max(first.len()));
    whole.extend_from_slice(&first);
    drop(first);
    while let Some(data) = next_data(&mut body).await? {
        if whole.len() + data.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// The next piece; trailers are passed over.
async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Kind::BadRequest, "the body broke off"))?;
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        Kind::TooLarge,
        format!("the body is larger than {bytes_max} bytes"),
    )
    .with("limit", bytes_max)
}

/// What the body says it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MediaType {
    /// JSON, or nothing said, which is taken for JSON.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Anything else.
    Other,
}

/// What the body says it is.
pub fn media_type(headers: &HeaderMap) -> MediaType {
    headers
        .get(header::CONTENT_TYPE)
        .map_or(MediaType::Json, |value| {
            MediaType::of(value.to_str().unwrap_or_default())
        })
}

impl MediaType {
    /// What a `Content-Type` header's text means.
    pub(crate) fn of(text: &str) -> Self {
        if text == "application/json" {
            return MediaType::Json;
        }
        let essence = text.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => MediaType::Json,
            "application/x-www-form-urlencoded" => MediaType::Form,
            other if other.starts_with("application/") && other.ends_with("+json") => {
                MediaType::Json
            }
            _ => MediaType::Other,
        }
    }
}

/// Says no to a body that is not JSON. A page of another origin can send forms and plain text without asking, but not
/// JSON: this is also what keeps such pages out.
///
/// # Errors
/// `unsupported-media-type`.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    if media_type(headers) == MediaType::Json {
        return Ok(());
    }
    Err(Problem::new(
        Kind::MediaType,
        "the body must be application/json",
    ))
}

/// A JSON body as `T`, checked as strictly as an event's.
///
/// # Errors
/// Those of [`read`] and [`require_json`], and `invalid`.
pub async fn json<T: DeserializeOwned>(
    parts: &Parts,
    body: Body,
    limits: BodyLimits,
) -> Result<T, Problem> {
    require_json(&parts.headers)?;
    let bytes = read(&parts.headers, body, limits).await?;
    parse(&bytes)
}

/// JSON text as `T`.
///
/// # Errors
/// `invalid`, with the place of the fault as far as it is known.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut text = Vec::with_capacity(bytes.len());
    let mut scan = || {
        let mut scanner = Scanner::new(bytes)?;
        scanner.compact(&mut text)?;
        scanner.finish()
    };
    scan().map_err(Refused::from)?;
    serde_json::from_slice(&text).map_err(|error| Problem::invalid(vec![described(&error)]))
}

/// What serde says, without the text that it found in the wrong place: that may be a password.
fn without_value(msg: &str) -> String {
    match (msg.find("string \""), msg.rfind("\", expected")) {
        (Some(from), Some(to)) if from < to => {
            format!("{}string{}", &msg[..from], &msg[to + 1..])
        }
        _ => msg.to_owned(),
    }
}

/// What serde says, with the field it names, if it names one, as the place.
fn described(error: &serde_json::Error) -> FieldError {
    let text = error.to_string();
    let msg = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(msg, _)| msg);
    let msg = without_value(msg);
    let kind = match &msg {
        msg if msg.starts_with("missing field") => "missing",
        msg if msg.starts_with("unknown field") => "extra_forbidden",
        msg if msg.starts_with("unknown variant") => "enum",
        _ => "value_error",
    };
    let named = matches!(kind, "missing" | "extra_forbidden")
        .then(|| msg.split('`').nth(1))
        .flatten();
    let loc = [
        Some("body".into()),
        named.map(|field| Place::from(field.to_owned())),
    ];
    FieldError::new(loc.into_iter().flatten(), kind, msg)
}

//! Answers about figures, each made once: as long as the log has not grown, and not for longer than
//! `analytics.cache_ttl_s`, the same question gets the same bytes, and who has them already is told so. While a question is
//! being answered, those who ask the same wait for one more answer, made for all of them once this one is.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};
use storage::{Position, Timestamp};

use super::ask;
use crate::app::AppState;
use crate::figures::Known;
use crate::http::problem::Problem;

/// Answers kept at most, and their bytes together; reaching either lets go of all.
const KEPT_MAX: usize = 512;
const KEPT_BYTES_MAX: usize = 32 << 20;
/// A larger answer is made anew each time.
const KEPT_EACH_BYTES_MAX: usize = 4 << 20;

/// JSON as most answers are.
pub(crate) const JSON: &str = "application/json";

/// What was asked: the path with what stands behind it, and what the client has already.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    uri: String,
    has: Option<HeaderValue>,
}

impl<S: Sync> FromRequestParts<S> for Question {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Question {
            uri: parts.uri.to_string(),
            has: parts.headers.get(header::IF_NONE_MATCH).cloned(),
        })
    }
}

/// An answer's body.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    body: Bytes,
    media_type: HeaderValue,
    /// As what a browser saves it.
    file: Option<HeaderValue>,
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(body: impl Into<String>) -> Self {
        Reply::of(JSON, body.into().into_bytes())
    }

    /// An answer of this media type.
    pub(crate) fn of(media_type: &'static str, body: Vec<u8>) -> Self {
        Reply {
            body: body.into(),
            media_type: HeaderValue::from_static(media_type),
            file: None,
        }
    }

    /// The same as a file to save, under the name in this header.
    pub(super) fn saved_as(mut self, file: HeaderValue) -> Self {
        self.file = Some(file);
        self
    }

    /// The answer itself, where none is kept.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        self.describe(response.headers_mut());
        *response.body_mut() = Body::from(self.body);
        response
    }

    fn describe(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_TYPE, self.media_type.clone());
        if let Some(file) = &self.file {
            headers.insert(header::CONTENT_DISPOSITION, file.clone());
        }
    }
}

#[derive(Clone, Debug)]
struct Kept {
    position: Position,
    made: Timestamp,
    tag: HeaderValue,
    reply: Reply,
}

/// Answers that were given, and questions that are being answered.
#[derive(Debug, Default)]
pub struct Replies {
    kept: Mutex<(HashMap<String, Arc<Kept>>, usize)>,
    asked: Mutex<HashMap<String, Turn>>,
}

/// Held by who answers a question; the others who ask it wait for it.
type Turn = Arc<tokio::sync::Mutex<()>>;

impl Replies {
    /// Lets go of all answers.
    pub(crate) fn forget(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = (HashMap::new(), 0);
    }

    /// Whose turn it is to answer this question.
    fn turn(&self, uri: &str) -> Turn {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits for those that nobody else holds.
        asked.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(asked.entry(uri.to_owned()).or_default())
    }

    fn get(&self, uri: &str, fits: impl Fn(&Kept) -> bool) -> Option<Arc<Kept>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0.get(uri).filter(|kept| fits(kept)).cloned()
    }

    fn keep(&self, uri: String, one: Arc<Kept>) {
        let bytes = one.reply.body.len() + uri.len();
        if bytes > KEPT_EACH_BYTES_MAX {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0.len() >= KEPT_MAX || kept.1 + bytes > KEPT_BYTES_MAX {
            *kept = (HashMap::new(), 0);
        }
        kept.1 += bytes;
        if let Some(old) = kept.0.insert(uri, one) {
            kept.1 = kept.1.saturating_sub(old.reply.body.len());
        }
    }
}

/// Answers a question about figures: from what was answered before where the log has not grown since, else anew.
///
/// # Errors
/// Those of `answer`; those of reading the log.
pub(crate) async fn answered(
    state: &AppState,
    question: Question,
    as_of: Option<Position>,
    answer: impl FnOnce(&AppState, &Known) -> Result<Reply, Problem> + Send + 'static,
) -> Result<Response<Body>, Problem> {
    let time_to_live = state.config.analytics.cache_ttl.as_micros();
    let known_end = state.log.durable_position();
    let is_fresh = |kept: &Kept| {
        let age = state
            .clock
            .now()
            .micros()
            .saturating_sub(kept.made.micros());
        // Made of all that there was when this was asked; while it waited, more may have come.
        kept.position >= known_end && u128::try_from(age).is_ok_and(|age| age < time_to_live)
    };
    if let Some(kept) = state.replies.get(&question.uri, is_fresh) {
        return Ok(kept.respond(question.has.as_ref()));
    }
    let turn = state.replies.turn(&question.uri);
    let _turn = turn.lock().await;
    if let Some(kept) = state.replies.get(&question.uri, is_fresh) {
        return Ok(kept.respond(question.has.as_ref()));
    }
    let (now, end) = (state.clock.now(), state.log.durable_position());
    // The figures may be those of a later end, which only makes the answer kept for less long.
    let reply = ask(state, as_of, answer).await?;
    let kept = Arc::new(Kept {
        position: end,
        made: now,
        tag: tag(end, now, &reply.body),
        reply,
    });
    let response = kept.respond(question.has.as_ref());
    if time_to_live > 0 {
        state.replies.keep(question.uri, kept);
    }
    Ok(response)
}

/// The log's position, and what tells two answers at one position apart.
fn tag(position: Position, now: Timestamp, body: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(body);
    let mut short = [0; 8];
    short.copy_from_slice(&digest[..8]);
    let text = format!("W/\"{}-{:x}\"", position.get(), u64::from_be_bytes(short));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from(now.micros()))
}

impl Kept {
    fn respond(&self, has: Option<&HeaderValue>) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        if has.is_some_and(|has| names(has, &self.tag)) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.body_mut() = Body::from(self.reply.body.clone());
            self.reply.describe(response.headers_mut());
        }
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.tag.clone());
        // Kept by the browser alone, and asked about again each time.
        let control = HeaderValue::from_static("private, no-cache");
        headers.insert(header::CACHE_CONTROL, control);
        response
    }
}

/// Whether a list of tags has this one. They are compared weakly (RFC 9110, 8.8.3.2).
fn names(list: &HeaderValue, tag: &HeaderValue) -> bool {
    let opaque = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let (Ok(list), Ok(tag)) = (list.to_str(), tag.to_str()) else {
        return false;
    };
    let tag = opaque(tag);
    list.split(',')
        .map(opaque)
        .any(|one| one == "*" || one == tag)
}

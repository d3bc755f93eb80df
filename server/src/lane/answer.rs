//! Answers as bytes, with the headers that the router's answers have.

use std::time::{Duration, SystemTime};

use axum::http::{StatusCode, header};
use http_body_util::BodyExt as _;
use httpdate::HttpDate;
use storage::Timestamp;

use super::PATH;
use crate::app::AppState;
use crate::append::Answered;
use crate::http::edge::REQUEST_ID;
use crate::http::events::append::Asked;
use crate::http::problem::Problem;
use crate::json::put_number;

/// Room that is kept for the next answer.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// What an answer says of its request and its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    request_id: &'a [u8],
    now: Timestamp,
    /// Whether it is the connection's last.
    pub(super) closes: bool,
}

impl<'a> About<'a> {
    pub(super) fn new(state: &AppState, request_id: &'a [u8], closes: bool) -> Self {
        About {
            request_id,
            now: state.clock.now(),
            closes,
        }
    }
}

/// One answer at a time, in buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    body: Vec<u8>,
    date: Date,
}

impl Answer {
    /// The whole answer.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes it the log's answer to a write.
    pub(super) async fn set(
        &mut self,
        asked: Asked,
        answered: Answered,
        about: About<'_>,
    ) -> StatusCode {
        match self.set_written(asked, answered, about) {
            Ok(status) => status,
            Err(problem) => self.set_problem(&problem, about).await,
        }
    }

    /// The same, where the log took the write.
    ///
    /// # Errors
    /// What the log said otherwise; the answer is not to be sent then.
    pub(super) fn set_written(
        &mut self,
        asked: Asked,
        (transaction, result): Answered,
        about: About<'_>,
    ) -> Result<StatusCode, Problem> {
        self.body.clear();
        let written = asked.write_answer(&transaction, result, &mut self.body)?;
        let (line, status) = if written.duplicate {
            (&b"HTTP/1.1 200 OK"[..], StatusCode::OK)
        } else {
            (&b"HTTP/1.1 201 Created"[..], StatusCode::CREATED)
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(line);
        self.bytes
            .extend_from_slice(b"\r\ncontent-type: application/json\r\netag: \"");
        put_number(u64::from(written.version.get()), &mut self.bytes);
        self.bytes.push(b'"');
        self.finish(about);
        Ok(status)
    }

    /// Makes it a problem.
    pub(super) async fn set_problem(&mut self, problem: &Problem, about: About<'_>) -> StatusCode {
        let id = str::from_utf8(about.request_id).unwrap_or_default();
        let (head, body) = problem.render(PATH, id).into_parts();
        // It lies in memory, in one piece.
        let body = body.collect().await.map(|body| body.to_bytes());
        self.body.clear();
        self.body.extend_from_slice(&body.unwrap_or_default());
        self.bytes.clear();
        self.bytes.extend_from_slice(b"HTTP/1.1 ");
        let reason = head.status.canonical_reason().unwrap_or_default();
        for part in [head.status.as_str(), " ", reason] {
            self.bytes.extend_from_slice(part.as_bytes());
        }
        for (name, value) in &head.headers {
            self.line(name.as_str(), value.as_bytes());
        }
        self.finish(about);
        head.status
    }

    /// What every head ends with, and the body.
    fn finish(&mut self, about: About<'_>) {
        self.line(REQUEST_ID.as_str(), about.request_id);
        self.line(header::X_CONTENT_TYPE_OPTIONS.as_str(), b"nosniff");
        self.line(header::CONTENT_LENGTH.as_str(), b"");
        put_number(self.body.len() as u64, &mut self.bytes);
        self.line(header::DATE.as_str(), b"");
        self.bytes
            .extend_from_slice(self.date.text(about.now).as_bytes());
        if about.closes {
            self.line(header::CONNECTION.as_str(), b"close");
        }
        self.bytes.extend_from_slice(b"\r\n\r\n");
        self.bytes.extend_from_slice(&self.body);
        self.body.shrink_to(KEPT_BYTES_MAX);
    }

    fn line(&mut self, name: &str, value: &[u8]) {
        for part in [b"\r\n", name.as_bytes(), b": ", value] {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Gives back the room that a large answer took.
    pub(super) fn forget(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
    }
}

/// The text of the `Date` header, made once a second.
#[derive(Debug, Default)]
struct Date {
    second: Option<u64>,
    text: String,
}

impl Date {
    fn text(&mut self, now: Timestamp) -> &str {
        // Before 1970 there was no HTTP.
        let second = u64::try_from(now.micros()).unwrap_or(0) / 1_000_000;
        if self.second.replace(second) != Some(second) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            self.text = HttpDate::from(time).to_string();
        }
        &self.text
    }
}

//! Which requests a lane answers: bytes in, a decision out. Whatever is not plain is none of them.

use axum::http::{Method, header};
use httparse::Status;
use std::mem::MaybeUninit;

use super::PATH;
use crate::http::body::MediaType;
use crate::http::edge::{REQUEST_ID, is_request_id};
use crate::http::events::IDEMPOTENCY_KEY;
use crate::http::events::append::{PREFER, Wishes};
use crate::http::guard::bearer_token;

/// Header lines of a request in a lane.
const HEADERS_MAX: usize = 32;

/// What a request may be at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) head_bytes_max: usize,
    pub(super) body_bytes_max: usize,
}

/// The head of a write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// Where the body begins.
    pub(super) body_at: usize,
    /// Where it ends.
    pub(super) end: usize,
    pub(super) token: &'a str,
    /// The client's id for the request, if it may stand in a log.
    pub(super) request_id: Option<&'a [u8]>,
    pub(super) wishes: Wishes<'a>,
}

/// The head at the start of `bytes`, when it is whole and that of a write for a lane.
pub(super) fn read(bytes: &[u8], bounds: Bounds) -> Option<Head<'_>> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, &mut headers);
    let Ok(Status::Complete(body_at)) = parsed else {
        return None;
    };
    let plain = request.method == Some(Method::POST.as_str())
        && request.path == Some(PATH)
        && request.version == Some(1)
        && body_at <= bounds.head_bytes_max;
    if !plain {
        return None;
    }
    let lines = Lines::of(request.headers)?;
    let length: usize = lines.length.and_then(digits)?;
    if length > bounds.body_bytes_max || !lines.is_json() {
        return None;
    }
    Some(Head {
        body_at,
        end: body_at + length,
        token: bearer_token(str::from_utf8(lines.authorization?).ok()?)?,
        request_id: lines.request_id.filter(|id| is_request_id(id)),
        wishes: lines.wishes,
    })
}

/// The header lines that matter.
#[derive(Default)]
struct Lines<'a> {
    length: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    authorization: Option<&'a [u8]>,
    request_id: Option<&'a [u8]>,
    wishes: Wishes<'a>,
}

impl<'a> Lines<'a> {
    /// `None` where a line changes how the request is read or answered, or stands twice and so leaves open which counts.
    fn of(headers: &[httparse::Header<'a>]) -> Option<Self> {
        let mut lines = Lines::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            let place = if is(header::CONTENT_LENGTH.as_str()) {
                &mut lines.length
            } else if is(header::AUTHORIZATION.as_str()) {
                &mut lines.authorization
            } else if is(header::CONTENT_TYPE.as_str()) {
                &mut lines.content_type
            } else if is(REQUEST_ID.as_str()) {
                &mut lines.request_id
            } else if is(IDEMPOTENCY_KEY.as_str()) {
                &mut lines.wishes.idempotency_key
            } else if is(header::IF_MATCH.as_str()) {
                &mut lines.wishes.if_match
            } else if is(header::IF_NONE_MATCH.as_str()) {
                &mut lines.wishes.if_none_match
            } else if is(PREFER.as_str()) {
                &mut lines.wishes.prefer
            } else if is(header::CONNECTION.as_str()) {
                if !header.value.eq_ignore_ascii_case(b"keep-alive") {
                    return None;
                }
                continue;
            } else if is(header::TRANSFER_ENCODING.as_str())
                || is(header::EXPECT.as_str())
                || is(header::UPGRADE.as_str())
                // A page of another origin: the router's layers answer its browser.
                || is(header::ORIGIN.as_str())
            {
                return None;
            } else {
                continue;
            };
            if place.replace(header.value).is_some() {
                return None;
            }
        }
        Some(lines)
    }

    fn is_json(&self) -> bool {
        self.content_type.is_none_or(|value| {
            str::from_utf8(value).is_ok_and(|text| MediaType::of(text) == MediaType::Json)
        })
    }
}

/// A length as digits and nothing else.
fn digits(text: &[u8]) -> Option<usize> {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| plain)?.parse().ok()
}

//! The kinds of problem: a stable name, a status and a title each. `docs/problems.md` lists them.

use std::fmt::Write as _;

use axum::http::StatusCode;

/// A kind of problem. The variants' meaning is in [`TYPES`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the table describes each")]
pub enum Kind {
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    UnknownRoute,
    MethodNotAllowed,
    BodyTimeout,
    Conflict,
    WrongVersion,
    ConditionFailed,
    IdReused,
    DecidedElsewhere,
    PreconditionFailed,
    TooLarge,
    MediaType,
    Invalid,
    TooManyAttempts,
    OverBudget,
    RateLimited,
    Internal,
    Unavailable,
    Busy,
    Stopped,
    Timeout,
    NotYet,
    Archive,
    DiskFull,
}

/// What is fixed about a kind of problem.
#[derive(Debug)]
pub struct TypeSpec {
    /// The kind.
    pub kind: Kind,
    /// The last part of its `type`; never changes.
    pub name: &'static str,
    /// Its status.
    pub status: StatusCode,
    /// A few words for people.
    pub title: &'static str,
    /// When it is the answer, and what a client can do.
    pub about: &'static str,
}

const fn spec(
    kind: Kind,
    name: &'static str,
    status: StatusCode,
    title: &'static str,
    about: &'static str,
) -> TypeSpec {
    TypeSpec {
        kind,
        name,
        status,
        title,
        about,
    }
}

/// Every kind, in the order of [`Kind`].
pub const TYPES: &[TypeSpec] = &[
    spec(
        Kind::BadRequest,
        "bad-request",
        StatusCode::BAD_REQUEST,
        "Bad request",
        "The request makes no sense as it is; `detail` says why.",
    ),
    spec(
        Kind::Unauthenticated,
        "unauthenticated",
        StatusCode::UNAUTHORIZED,
        "Not authenticated",
        "No token, a token that is not good (any more), or a wrong name or password. Log in, or refresh.",
    ),
    spec(
        Kind::Forbidden,
        "forbidden",
        StatusCode::FORBIDDEN,
        "Not allowed",
        "The account's role does not reach, or the account is inactive.",
    ),
    spec(
        Kind::NotFound,
        "not-found",
        StatusCode::NOT_FOUND,
        "Not found",
        "Nothing is there under the given name or id.",
    ),
    spec(
        Kind::UnknownRoute,
        "unknown-route",
        StatusCode::NOT_FOUND,
        "Unknown path",
        "The server has no such path; `/openapi.json` lists those that it has.",
    ),
    spec(
        Kind::MethodNotAllowed,
        "method-not-allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "Method not allowed",
        "The path exists, but not for this method; the header `Allow` lists the methods.",
    ),
    spec(
        Kind::BodyTimeout,
        "body-timeout",
        StatusCode::REQUEST_TIMEOUT,
        "The body did not arrive in time",
        "The body took longer than `http.body_read_timeout_s`. Nothing was done.",
    ),
    spec(
        Kind::Conflict,
        "conflict",
        StatusCode::CONFLICT,
        "Conflict",
        "The request is wrong against the present state.",
    ),
    spec(
        Kind::WrongVersion,
        "wrong-version",
        StatusCode::CONFLICT,
        "The stream is at another version",
        "Somebody else wrote in between. `expected_version` and `actual_version` say what was expected and what is. Read again, decide again, write again.",
    ),
    spec(
        Kind::ConditionFailed,
        "condition-failed",
        StatusCode::CONFLICT,
        "The append's condition does not hold",
        "An event that the condition excludes, or that cannot be read and may be such, is in the log, the newest at `position`. Nothing was written.",
    ),
    spec(
        Kind::IdReused,
        "id-reused",
        StatusCode::CONFLICT,
        "The event id is taken",
        "An event with this id and another content is in the log, at `position`. Nothing was written.",
    ),
    spec(
        Kind::DecidedElsewhere,
        "decided-elsewhere",
        StatusCode::CONFLICT,
        "Another depot decides",
        "What is asked about belongs to another depot of the federation, which `depot` names. It is read here and written there. Nothing was written.",
    ),
    spec(
        Kind::PreconditionFailed,
        "precondition-failed",
        StatusCode::PRECONDITION_FAILED,
        "If-Match does not match",
        "As `wrong-version`, for a version that came in the header `If-Match`.",
    ),
    spec(
        Kind::TooLarge,
        "too-large",
        StatusCode::PAYLOAD_TOO_LARGE,
        "Too large",
        "The body, the batch or a field is larger than its limit, which `limit` gives where there is one. Nothing was written.",
    ),
    spec(
        Kind::MediaType,
        "unsupported-media-type",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "Unsupported media type",
        "The body is neither JSON nor, at login, a form.",
    ),
    spec(
        Kind::Invalid,
        "invalid",
        StatusCode::UNPROCESSABLE_ENTITY,
        "Not valid",
        "What was sent is not what the path takes. `errors` lists every fault: `loc` says where, `msg` what, `type` names the kind. Nothing was written.",
    ),
    spec(
        Kind::TooManyAttempts,
        "too-many-attempts",
        StatusCode::TOO_MANY_REQUESTS,
        "Too many attempts",
        "Too many wrong passwords for the account or from the address. `Retry-After` says when to try again.",
    ),
    spec(
        Kind::OverBudget,
        "over-budget",
        StatusCode::TOO_MANY_REQUESTS,
        "More than its share",
        "A tablet pushed more operations than it may in a day. Nothing of the push was taken; it keeps what it holds and pushes again after `Retry-After`.",
    ),
    spec(
        Kind::RateLimited,
        "rate-limited",
        StatusCode::TOO_MANY_REQUESTS,
        "Too many requests",
        "More requests of a class (`class`) than may come from an account, tablet or address (`limit`). `Retry-After` says when the next one may; `RateLimit` says on every answer what is left.",
    ),
    spec(
        Kind::Internal,
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal server error",
        "A fault in the server; its log has the cause under the same `request_id`.",
    ),
    spec(
        Kind::Unavailable,
        "unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "The server is starting or stopping, or the service asked for is switched off.",
    ),
    spec(
        Kind::Busy,
        "busy",
        StatusCode::SERVICE_UNAVAILABLE,
        "Busy",
        "More is waiting than may. Try again after `Retry-After`.",
    ),
    spec(
        Kind::Stopped,
        "stopped",
        StatusCode::SERVICE_UNAVAILABLE,
        "The log takes no writes",
        "A write to the disk failed. Nothing that was not acknowledged is promised, reading goes on, a restart recovers.",
    ),
    spec(
        Kind::Timeout,
        "timeout",
        StatusCode::SERVICE_UNAVAILABLE,
        "No answer in time",
        "The request took longer than `http.request_timeout_s`. A write may have been done all the same: repeat it with the same id or `Idempotency-Key`.",
    ),
    spec(
        Kind::NotYet,
        "position-not-reached",
        StatusCode::SERVICE_UNAVAILABLE,
        "The position is not reached yet",
        "What was read did not reach `min_position` in the time given by `wait_ms`. `position` says how far it is.",
    ),
    spec(
        Kind::Archive,
        "archive-unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "History cannot be fetched from the archive",
        "What was asked for lies in old segments that were sent to object storage, and they cannot be had now: `segment` says which, `detail` why. Nothing is lost, and whatever needs no old segment works. Try again after `Retry-After`; if it lasts, the operator looks whether `archive.to` can be reached (`railfleet doctor`). An append is answered so when its id or condition has to be held against such a segment: repeated, it is decided.",
    ),
    spec(
        Kind::DiskFull,
        "disk-full",
        StatusCode::INSUFFICIENT_STORAGE,
        "The disk is full",
        "Nothing was written. Reading goes on, and writing as soon as there is space, without a restart.",
    ),
];

impl Kind {
    /// What is fixed about it.
    fn spec(self) -> &'static TypeSpec {
        // The table is in the order of the variants, which a test holds.
        &TYPES[self as usize]
    }

    /// The last part of its `type`.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Its status.
    pub fn status(self) -> StatusCode {
        self.spec().status
    }

    /// A few words for people.
    pub fn title(self) -> &'static str {
        self.spec().title
    }
}

/// The kinds as the table of `docs/problems.md`.
pub fn types_markdown() -> String {
    let mut text =
        String::from("| type | status | title | when, and what to do |\n|---|---|---|---|\n");
    for spec in TYPES {
        let _ = writeln!(
            text,
            "| `{}{}` | {} | {} | {} |",
            super::TYPE_PREFIX,
            spec.name,
            spec.status.as_u16(),
            spec.title,
            spec.about
        );
    }
    text
}

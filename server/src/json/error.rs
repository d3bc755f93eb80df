//! What can be wrong with JSON.

/// Why bytes are not acceptable JSON, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub reason: JsonReason,
    /// The byte it was noticed at, first is 0.
    pub offset: usize,
}

/// What can be wrong with JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum JsonReason {
    #[error("invalid UTF-8")]
    Utf8,
    #[error("the text ends too early")]
    Truncated,
    #[error("expected a value")]
    Value,
    #[error("expected a string as key")]
    Key,
    #[error("expected ':'")]
    Colon,
    #[error("expected ',' or the end")]
    Comma,
    #[error("text behind the value")]
    Trailing,
    #[error("a control character in a string must be escaped")]
    Control,
    #[error("invalid escape in a string")]
    Escape,
    #[error("half a surrogate pair in a string")]
    Surrogate,
    #[error("malformed number")]
    Number,
    #[error("number too large for a double")]
    Infinite,
    #[error("duplicate key")]
    DuplicateKey,
    #[error("nested deeper than 64 levels")]
    Depth,
    #[error("expected an object")]
    NoObject,
    #[error("expected an array")]
    NoArray,
    #[error("expected a string")]
    NoString,
}

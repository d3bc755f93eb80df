//! Why bytes are not the canonical encoding of a value.

use thiserror::Error;

/// A refusal of a decoder. Nothing was partly built: the caller has no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends inside a value, or announces more than is left.
    #[error("the input ends inside a value")]
    UnexpectedEnd,
    /// A number is longer than needed, or longer than 64 bits.
    #[error("a number is not in its shortest form")]
    OverlongNumber,
    /// A number is outside what this place allows.
    #[error("{what} is out of range")]
    OutOfRange {
        /// What the number stands for.
        what: &'static str,
    },
    /// Text is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A tag, flag byte or magic has no meaning here.
    #[error("{what} has no meaning here: {found}")]
    UnknownTag {
        /// Which tag.
        what: &'static str,
        /// Its value.
        found: u64,
    },
    /// A second way to write the same value: unsorted, repeated, empty where absent is meant, NaN.
    #[error("{what} is not in canonical form")]
    NotCanonical {
        /// Which part.
        what: &'static str,
    },
    /// Something is longer than its limit.
    #[error("{what} exceeds {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes or items as the thing is counted.
        limit: usize,
    },
    /// A field number that the entity's table does not have, or a value that the field's type refuses.
    #[error("field {number} does not fit the table: {reason}")]
    Field {
        /// The field's number.
        number: u16,
        /// Why it does not fit.
        reason: &'static str,
    },
    /// Bytes follow the value.
    #[error("{count} bytes follow the value")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
}

//! The canonical binary form: how every type of this crate becomes bytes and comes back.
//!
//! One value has exactly one encoding: numbers are shortest LEB128, collections are in strictly rising order, text is
//! UTF-8, floats are finite or infinite but never NaN or negative zero. A decoder refuses everything else, so
//! `encode(decode(bytes)) == bytes` holds for whatever it accepts. Bytes come from tablets: lengths are compared with
//! what is left before anything is allocated, so memory stays within a small multiple of the input.

mod error;
mod reader;
mod writer;

pub use error::DecodeError;
pub use reader::Reader;
pub use writer::Writer;

/// Longest text or byte string inside one value, in bytes (an operation may not exceed it either).
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Longest input [`from_bytes`] looks at, in bytes: the decompressed bound for one body.
pub const INPUT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest counter, position or millisecond count: what a JSON number holds exactly (2^53 - 1).
pub const EXACT_INTEGER_MAX: u64 = (1 << 53) - 1;

/// A type with one canonical binary form.
pub trait Wire: Sized {
    /// Appends the canonical bytes.
    fn encode(&self, writer: &mut Writer);

    /// Reads one value, leaving the reader behind it.
    ///
    /// # Errors
    /// Whatever is not the canonical encoding of a value; see [`DecodeError`].
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// The canonical bytes of `value`.
pub fn to_bytes<T: Wire>(value: &T) -> Vec<u8> {
    let mut writer = Writer::new();
    value.encode(&mut writer);
    writer.into_bytes()
}

/// The value that `bytes` encode, all of them.
///
/// # Errors
/// [`DecodeError::TooLarge`] above [`INPUT_BYTES_MAX`], [`DecodeError::TrailingBytes`] when something follows the
/// value, otherwise what the type's decoder finds.
pub fn from_bytes<T: Wire>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > INPUT_BYTES_MAX {
        return Err(DecodeError::TooLarge {
            what: "input",
            limit: INPUT_BYTES_MAX,
        });
    }
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

#[cfg(test)]
mod tests;

//! The frame around private, rebuildable bytes: saved tables, index files, snapshots.
//!
//! Place on the data path: beside it. The log itself has a framing of its own (`record`); what stands in a frame can
//! be lost, and is made again when [`decode`] refuses it. Other crates frame what they save beside the log in the same
//! way; kinds below 256 are this crate's. All numbers are little-endian.
//!
//! | bytes | field | rule |
//! |---|---|---|
//! | 8 | magic | `RFFRAME` and 0x1A |
//! | 2 | kind | what the payload is; each kind belongs to one module |
//! | 2 | format number | the payload's layout |
//! | 4 | reserved | zero |
//! | 8 | payload length | in bytes |
//! | 4 | CRC32 | IEEE, over the 24 bytes before it and the payload |
//! | n | payload | |
//!
//! Nothing but the length is looked at before the checksum has agreed, and the length only to find the payload within
//! the bytes that are there: a damaged frame can neither allocate nor be taken for another kind or format.

mod writer;

use thiserror::Error;

pub(crate) use writer::FrameWriter;

#[cfg(test)]
mod tests;

/// The 0x1A keeps text tools from taking it for text.
const MAGIC: [u8; 8] = *b"RFFRAME\x1A";
/// Bytes that the checksum covers in front of the payload.
const CHECKED_BYTES: usize = 8 + 2 + 2 + 4 + 8;
/// Bytes in front of the payload.
pub const HEADER_BYTES: usize = CHECKED_BYTES + 4;

/// Why bytes are no frame of the kind and format asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Fewer bytes than a header has.
    #[error("{actual} bytes hold no frame")]
    Short {
        /// Bytes that are there.
        actual: usize,
    },
    /// Not the start of a frame.
    #[error("no frame starts here")]
    Magic,
    /// The payload would end behind the bytes that are there.
    #[error("a payload of {declared} bytes does not lie in {available}")]
    Length {
        /// Bytes that the header gives the payload.
        declared: u64,
        /// Bytes behind the header.
        available: usize,
    },
    /// The frame was damaged, or cut and continued with other bytes.
    #[error("the frame's checksum does not agree")]
    Checksum,
    /// Sound, and of a later time than this program.
    #[error("reserved bytes of the frame are in use")]
    Reserved,
    /// A sound frame of something else.
    #[error("a frame of kind {actual} instead of {expected}")]
    Kind {
        /// The kind asked for.
        expected: u16,
        /// The kind found.
        actual: u16,
    },
    /// A sound frame of this kind in another layout.
    #[error("a frame in format {actual} instead of {expected}")]
    Format {
        /// The format number asked for.
        expected: u16,
        /// The format number found.
        actual: u16,
    },
}

/// A frame around a copy of `payload`: [`HEADER_BYTES`] more than it.
pub fn encode(kind: u16, format: u16, payload: &[u8]) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(payload);
    let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
    put_header(kind, format, payload.len() as u64, &hasher, &mut frame);
    frame.extend_from_slice(payload);
    frame
}

/// Appends the header of a payload of this length, of which `hasher` has seen all.
fn put_header(kind: u16, format: u16, length: u64, payload: &crc32fast::Hasher, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&format.to_le_bytes());
    out.extend_from_slice(&0_u32.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    assert_eq!(
        out.len() - start,
        CHECKED_BYTES,
        "the checksum covers the whole header"
    );
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&out[start..]);
    hasher.combine(payload);
    out.extend_from_slice(&hasher.finalize().to_le_bytes());
}

/// The payload of the frame that `bytes` begin with, and how many bytes the frame takes; more may follow.
///
/// # Errors
/// One variant for each rule of the layout. The payload comes out only when all hold.
pub fn decode(bytes: &[u8], kind: u16, format: u16) -> Result<(&[u8], usize), FrameError> {
    let short = FrameError::Short {
        actual: bytes.len(),
    };
    let (checked, rest) = bytes.split_at_checked(CHECKED_BYTES).ok_or(short)?;
    let (checksum, rest) = rest.split_first_chunk().ok_or(short)?;

    let mut header = checked;
    let magic: [u8; 8] = take(&mut header).ok_or(short)?;
    let actual_kind = u16::from_le_bytes(take(&mut header).ok_or(short)?);
    let actual_format = u16::from_le_bytes(take(&mut header).ok_or(short)?);
    let reserved = u32::from_le_bytes(take(&mut header).ok_or(short)?);
    let declared = u64::from_le_bytes(take(&mut header).ok_or(short)?);

    if magic != MAGIC {
        return Err(FrameError::Magic);
    }
    let payload = usize::try_from(declared)
        .ok()
        .and_then(|length| rest.get(..length));
    let payload = payload.ok_or(FrameError::Length {
        declared,
        available: rest.len(),
    })?;
    if checksum_of(checked, payload) != u32::from_le_bytes(*checksum) {
        return Err(FrameError::Checksum);
    }
    if reserved != 0 {
        return Err(FrameError::Reserved);
    }
    if actual_kind != kind {
        return Err(FrameError::Kind {
            expected: kind,
            actual: actual_kind,
        });
    }
    if actual_format != format {
        return Err(FrameError::Format {
            expected: format,
            actual: actual_format,
        });
    }
    Ok((payload, HEADER_BYTES + payload.len()))
}

fn checksum_of(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*front)
}

//! How one snapshot lies in its file: a framed header, which says whose it is and how long, then the state.
//!
//! The header's payload, little-endian: log id (16 bytes), position (u64), version (u32), length of the state (u64), of
//! the aggregate type (u16) and of the aggregate id (u16), both names, and last a CRC32 (u32) over all of that and the
//! state. So the headers of a file can be read and trusted without reading the states between them, and a state is
//! trusted only together with the header that stands before it.

use uuid::Uuid;

use super::SNAPSHOT_BYTES_MAX;
use crate::event::StreamName;
use crate::frame::{self, FrameError};
use crate::limits::{AGGREGATE_ID_BYTES_MAX, TYPE_NAME_BYTES_MAX};
use crate::position::{Position, Version};

const KIND: u16 = 3;
const FORMAT: u16 = 1;

/// Bytes of a header's payload without the two names.
const FIXED_BYTES: usize = 16 + 8 + 4 + 8 + 2 + 2 + 4;
/// Bytes that a framed header takes at most.
pub(super) const HEADER_BYTES_MAX: usize =
    frame::HEADER_BYTES + FIXED_BYTES + TYPE_NAME_BYTES_MAX + AGGREGATE_ID_BYTES_MAX;

/// Whose state it is, and as of when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) log_id: Uuid,
    pub(super) stream: StreamName,
    pub(super) version: Version,
    pub(super) position: Position,
}

/// A header that was read and is sound, with what it says about the bytes behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) header: Header,
    /// Bytes of the framed header.
    pub(super) header_bytes: usize,
    /// Bytes of the state; at most [`SNAPSHOT_BYTES_MAX`].
    pub(super) state_bytes: usize,
    /// CRC32 over the header's fields.
    fields_checksum: u32,
    /// The same, continued over the state.
    checksum: u32,
}

impl Found {
    /// Whether these bytes are the state that was saved with this header.
    pub(super) fn is_of(&self, state: &[u8]) -> bool {
        state.len() == self.state_bytes && continued(self.fields_checksum, state) == self.checksum
    }

    /// Bytes of header and state.
    pub(super) fn bytes(&self) -> u64 {
        (self.header_bytes + self.state_bytes) as u64
    }
}

/// The bytes of a snapshot as they go into the file. Lengths were checked by the caller.
pub(super) fn encode(header: &Header, state: &[u8]) -> Vec<u8> {
    let (aggregate_type, aggregate_id) =
        (&header.stream.aggregate_type, &header.stream.aggregate_id);
    let mut fields = Vec::with_capacity(FIXED_BYTES + aggregate_type.len() + aggregate_id.len());
    fields.extend_from_slice(header.log_id.as_bytes());
    fields.extend_from_slice(&header.position.get().to_le_bytes());
    fields.extend_from_slice(&header.version.get().to_le_bytes());
    fields.extend_from_slice(&(state.len() as u64).to_le_bytes());
    fields.extend_from_slice(&name_length(aggregate_type).to_le_bytes());
    fields.extend_from_slice(&name_length(aggregate_id).to_le_bytes());
    fields.extend_from_slice(aggregate_type.as_bytes());
    fields.extend_from_slice(aggregate_id.as_bytes());
    let checksum = continued(crc32fast::hash(&fields), state);
    fields.extend_from_slice(&checksum.to_le_bytes());

    let mut bytes = frame::encode(KIND, FORMAT, &fields);
    assert!(
        bytes.len() <= HEADER_BYTES_MAX,
        "a reader finds the whole header where it looks for it"
    );
    bytes.extend_from_slice(state);
    bytes
}

/// Why no snapshot can be read where one was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The write never ended, or the bytes were damaged.
    Damaged,
    /// Sound, and written by another program than this one.
    Foreign,
}

/// The header that `bytes` begin with; `bytes` may end anywhere behind it.
pub(super) fn decode_header(bytes: &[u8]) -> Result<Found, Unreadable> {
    let (fields, header_bytes) = match frame::decode(bytes, KIND, FORMAT) {
        Ok(framed) => framed,
        Err(FrameError::Kind { .. } | FrameError::Format { .. } | FrameError::Reserved) => {
            return Err(Unreadable::Foreign);
        }
        Err(
            FrameError::Short { .. }
            | FrameError::Magic
            | FrameError::Length { .. }
            | FrameError::Checksum,
        ) => {
            return Err(Unreadable::Damaged);
        }
    };
    // The frame's checksum agreed, so fields that make no sense were written so.
    decode_fields(fields, header_bytes).ok_or(Unreadable::Foreign)
}

fn decode_fields(fields: &[u8], header_bytes: usize) -> Option<Found> {
    let (mut rest, checksum) = fields.split_last_chunk()?;
    let fields_checksum = crc32fast::hash(rest);
    let log_id = Uuid::from_bytes(take(&mut rest)?);
    let position = Position::new(u64::from_le_bytes(take(&mut rest)?));
    let version = Version::new(u32::from_le_bytes(take(&mut rest)?));
    let state_bytes = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
    let type_length = u16::from_le_bytes(take(&mut rest)?);
    let id_length = u16::from_le_bytes(take(&mut rest)?);
    let aggregate_type = take_text(&mut rest, type_length)?;
    let aggregate_id = take_text(&mut rest, id_length)?;
    if !rest.is_empty() || state_bytes > SNAPSHOT_BYTES_MAX {
        return None;
    }
    Some(Found {
        header: Header {
            log_id,
            stream: StreamName::new(aggregate_type, aggregate_id),
            version,
            position,
        },
        header_bytes,
        state_bytes,
        fields_checksum,
        checksum: u32::from_le_bytes(*checksum),
    })
}

/// The checksum of what `checksum` covers, continued over `bytes`.
fn continued(checksum: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(checksum);
    hasher.update(bytes);
    hasher.finalize()
}

fn name_length(name: &str) -> u16 {
    u16::try_from(name.len()).expect("the limits of names, checked before, are below 65,536")
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*front)
}

fn take_text<'a>(bytes: &mut &'a [u8], length: u16) -> Option<&'a str> {
    let (text, rest) = bytes.split_at_checked(usize::from(length))?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

/// Reads `bytes` as a snapshot, and as the fields in a sound frame; what is read is written back the same.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzz(bytes: &[u8]) {
    let framed = frame::encode(KIND, FORMAT, bytes);
    for bytes in [bytes, &framed] {
        let Ok(found) = decode_header(bytes) else {
            continue;
        };
        assert!(found.header_bytes <= bytes.len());
        assert!(found.state_bytes <= SNAPSHOT_BYTES_MAX);
        let behind = &bytes[found.header_bytes..];
        let Some(state) = behind.get(..found.state_bytes) else {
            continue;
        };
        if found.is_of(state) {
            let whole = &bytes[..found.header_bytes + found.state_bytes];
            assert_eq!(encode(&found.header, state), whole);
        }
    }
}

//! The first bytes of a segment: which log, which segment, where it begins. Pure.

use uuid::Uuid;

use crate::position::{Position, SegmentId};
use crate::record::{Chain, Seed};
use crate::recovery::Place;
use crate::time::Timestamp;

#[cfg(test)]
mod tests;

/// Bytes of a segment's header; the first record follows at this offset.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 128;
/// The layout of segments. A change raises the number, adds a golden fixture, and keeps reading the old one.
pub(crate) const SEGMENT_FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"RFSEGMNT";
const CRC_OFFSET: usize = SEGMENT_HEADER_BYTES - 4;

/// What a segment says of itself. Written once, before the segment gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) log_id: Uuid,
    pub(crate) segment: SegmentId,
    /// The position that its first event has, or will have.
    pub(crate) first_position: Position,
    pub(crate) created_at: Timestamp,
    /// The chain at the end of the segment before it.
    pub(crate) chain: Chain,
}

/// Why the first bytes of a file are not the header of a segment of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// The file is shorter than a header.
    Short,
    /// All zero: prepared, never begun.
    Unwritten,
    /// Not a segment, or damaged.
    Damaged,
    /// A segment of a format that this program does not know.
    Format(u32),
}

impl SegmentHeader {
    pub(crate) fn seed(&self) -> Seed {
        Seed::new(self.log_id, self.segment)
    }

    /// Where the records of the segment belong.
    pub(crate) fn place(&self) -> Place {
        Place {
            seed: self.seed(),
            first_position: self.first_position,
            chain: self.chain,
        }
    }

    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[0..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&SEGMENT_FORMAT.to_le_bytes());
        bytes[16..32].copy_from_slice(self.log_id.as_bytes());
        bytes[32..40].copy_from_slice(&self.segment.get().to_le_bytes());
        bytes[40..48].copy_from_slice(&self.first_position.get().to_le_bytes());
        bytes[48..56].copy_from_slice(&self.created_at.micros().to_le_bytes());
        bytes[56..88].copy_from_slice(&self.chain);
        let crc = crc32fast::hash(&bytes[..CRC_OFFSET]);
        bytes[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of `bytes`. The checksum is looked at first, so a format number that is merely
    /// damaged is not taken for a newer program's.
    pub(crate) fn decode(bytes: &[u8]) -> Result<SegmentHeader, HeaderFault> {
        let bytes: &[u8; SEGMENT_HEADER_BYTES] = bytes.first_chunk().ok_or(HeaderFault::Short)?;
        if bytes.iter().all(|&byte| byte == 0) {
            return Err(HeaderFault::Unwritten);
        }
        let crc = u32::from_le_bytes(part(bytes, CRC_OFFSET));
        if crc32fast::hash(&bytes[..CRC_OFFSET]) != crc || &bytes[0..8] != MAGIC {
            return Err(HeaderFault::Damaged);
        }
        let format = u32::from_le_bytes(part(bytes, 8));
        if format != SEGMENT_FORMAT {
            return Err(HeaderFault::Format(format));
        }
        Ok(SegmentHeader {
            log_id: Uuid::from_bytes(part(bytes, 16)),
            segment: SegmentId::new(u64::from_le_bytes(part(bytes, 32))),
            first_position: Position::new(u64::from_le_bytes(part(bytes, 40))),
            created_at: Timestamp::from_micros(i64::from_le_bytes(part(bytes, 48))),
            chain: part(bytes, 56),
        })
    }
}

fn part<const N: usize>(bytes: &[u8; SEGMENT_HEADER_BYTES], from: usize) -> [u8; N] {
    std::array::from_fn(|at| bytes[from + at])
}

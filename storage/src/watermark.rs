//! The durable watermark: how far the log was acknowledged, written beside the log.
//!
//! Without it the last group, when it rots, looks exactly like a group that a crash tore, and would be cut. It is
//! written when the log falls idle, at clean close, at each seal and before a backup. Two slots are written in turn,
//! so a crash while writing one leaves the other.

use std::io;
use std::sync::Arc;

use uuid::Uuid;

use crate::position::{Position, SegmentId};
use crate::record::Chain;
use crate::repo::{Repo, RepoFile};

#[cfg(test)]
mod tests;

/// The file's name.
pub(crate) const WATERMARK_FILE: &str = "watermark";

const MAGIC: &[u8; 8] = b"RFWTRMRK";
const FORMAT: u32 = 1;
const SLOT_BYTES: usize = 96;
/// The slots lie in different pages, so that one torn page does not take both.
const SLOT_OFFSETS: [u64; 2] = [0, 4096];
const FILE_BYTES: usize = 8192;
const PAGE_BYTES: usize = FILE_BYTES / SLOT_OFFSETS.len();

/// What was durable at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watermark {
    pub(crate) log_id: Uuid,
    /// Every event up to here was durable.
    pub(crate) position: Position,
    /// The segment written to at that moment.
    pub(crate) segment: SegmentId,
    /// The chain at `position`.
    pub(crate) chain: Chain,
    /// Rises with each writing: the slot with the higher one counts.
    sequence: u64,
}

impl Watermark {
    fn encode(&self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..40].copy_from_slice(self.log_id.as_bytes());
        bytes[40..48].copy_from_slice(&self.position.get().to_le_bytes());
        bytes[48..56].copy_from_slice(&self.segment.get().to_le_bytes());
        bytes[56..88].copy_from_slice(&self.chain);
        let crc = crc32fast::hash(&bytes[..SLOT_BYTES - 4]);
        bytes[SLOT_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; SLOT_BYTES]) -> Option<Watermark> {
        (format(bytes)? == FORMAT).then(|| Watermark {
            log_id: Uuid::from_bytes(part(bytes, 24)),
            position: Position::new(u64::from_le_bytes(part(bytes, 40))),
            segment: SegmentId::new(u64::from_le_bytes(part(bytes, 48))),
            chain: part(bytes, 56),
            sequence: u64::from_le_bytes(part(bytes, 16)),
        })
    }
}

/// The format number of a slot whose checksum agrees.
fn format(bytes: &[u8; SLOT_BYTES]) -> Option<u32> {
    let crc = u32::from_le_bytes(part(bytes, SLOT_BYTES - 4));
    let valid = crc32fast::hash(&bytes[..SLOT_BYTES - 4]) == crc && &bytes[..8] == MAGIC;
    valid.then(|| u32::from_le_bytes(part(bytes, 8)))
}

fn part<const N: usize>(bytes: &[u8; SLOT_BYTES], from: usize) -> [u8; N] {
    std::array::from_fn(|at| bytes[from + at])
}

/// What a log's folder holds in the place of a watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No file: a log that was never begun, or one whose file was removed.
    Absent,
    /// A file in which neither slot is readable.
    Damaged,
    /// A newer program wrote a slot, in this format.
    Newer(u32),
    Valid(Watermark),
}

/// Reads the watermark of the log in `repo`.
pub(crate) fn read(repo: &dyn Repo) -> io::Result<Found> {
    let file = match repo.open(WATERMARK_FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        Err(error) => return Err(error),
    };
    let slots = SLOT_OFFSETS.map(|offset| read_slot(&*file, offset));
    let slots = slots.iter().flatten();
    let newer = slots
        .clone()
        .filter_map(format)
        .find(|format| *format > FORMAT);
    if let Some(format) = newer {
        return Ok(Found::Newer(format));
    }
    let newest = slots
        .filter_map(Watermark::decode)
        .max_by_key(|slot| slot.sequence);
    Ok(newest.map_or(Found::Damaged, Found::Valid))
}

fn read_slot(file: &dyn RepoFile, offset: u64) -> Option<[u8; SLOT_BYTES]> {
    let mut bytes = [0; SLOT_BYTES];
    file.read_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

/// What in the file is not as it is written, in words. No event hangs on it: the newer slot that verifies counts, and each
/// writing mends the older one. A power cut may leave one of these.
pub(crate) fn faults(repo: &dyn Repo, log_id: Uuid) -> io::Result<Vec<String>> {
    let file = match repo.open(WATERMARK_FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(vec![
                "it is missing: rot in the last group would be taken for a torn write".to_owned(),
            ]);
        }
        Err(error) => return Err(error),
    };
    let length = file.len()?;
    if length != FILE_BYTES as u64 {
        return Ok(vec![format!(
            "it has {length} bytes in place of {FILE_BYTES}"
        )]);
    }
    let mut bytes = vec![0; FILE_BYTES];
    file.read_at(&mut bytes, 0)?;
    let mut faults = Vec::new();
    let (pages, _) = bytes.as_chunks::<PAGE_BYTES>();
    let mut slots = Vec::with_capacity(SLOT_OFFSETS.len());
    for (page, offset) in pages.iter().zip(SLOT_OFFSETS) {
        let (slot, padding) = page
            .split_first_chunk::<SLOT_BYTES>()
            .expect("a slot is smaller than a page");
        if let Some(at) = padding.iter().position(|byte| *byte != 0) {
            let at = offset + (SLOT_BYTES + at) as u64;
            faults.push(format!("the byte at offset {at} is not zero"));
        }
        let decoded = Watermark::decode(slot).filter(|slot| {
            slot.log_id == log_id && SLOT_OFFSETS[usize::from(slot.sequence % 2 == 1)] == offset
        });
        slots.push((offset, slot, decoded));
    }
    let newest = slots
        .iter()
        .filter_map(|(_, _, slot)| slot.map(|slot| slot.sequence))
        .max();
    for (offset, slot, decoded) in slots {
        let is_unused = slot.iter().all(|byte| *byte == 0);
        let fault = match (decoded, newest) {
            (Some(slot), Some(newest)) if slot.sequence + 1 >= newest => continue,
            (Some(_), _) => "is older than the one before the newer slot",
            // Sequences begin at 1: the other slot is first written at 2.
            (None, None | Some(1)) if is_unused => continue,
            (None, _) => "does not verify",
        };
        faults.push(format!("the slot at offset {offset} {fault}"));
    }
    Ok(faults)
}

/// Writes the watermark.
#[derive(Debug)]
pub(crate) struct WatermarkWriter {
    file: Arc<dyn RepoFile>,
    log_id: Uuid,
    sequence: u64,
}

impl WatermarkWriter {
    /// Begins a new file, durable with its name on return, or goes on with the one that `found` was read from.
    pub(crate) fn open(repo: &dyn Repo, log_id: Uuid, found: &Found) -> io::Result<Self> {
        if let Found::Valid(watermark) = found {
            return Ok(WatermarkWriter {
                file: repo.open(WATERMARK_FILE)?,
                log_id,
                sequence: watermark.sequence,
            });
        }
        let file = repo.create(WATERMARK_FILE)?;
        file.write_at(&[0; FILE_BYTES], 0)?;
        file.sync_data()?;
        repo.sync_folder()?;
        Ok(WatermarkWriter {
            file,
            log_id,
            sequence: 0,
        })
    }

    /// Says that everything up to `position` is durable. On return this is durable too.
    pub(crate) fn write(
        &mut self,
        position: Position,
        segment: SegmentId,
        chain: Chain,
    ) -> io::Result<()> {
        let sequence = self.sequence + 1;
        let watermark = Watermark {
            log_id: self.log_id,
            position,
            segment,
            chain,
            sequence,
        };
        // The older of the two slots is overwritten: the newer one stays whole until this one is synced.
        let slot = SLOT_OFFSETS[usize::from(sequence % 2 == 1)];
        self.file.write_at(&watermark.encode(), slot)?;
        self.file.sync_data()?;
        self.sequence = sequence;
        Ok(())
    }
}

//! What stays of a segment that was sent away: where it belongs, what it must hash to, its ids, and the events of the types
//! that a start reads. `docs/format.md` draws it. Pure but for the view it reads.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::chain;
use crate::header::{HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::position::{Position, SegmentId};
use crate::record::{COMMIT_BYTES, Chain, EventRecord};
use crate::recovery::{self, Found};
use crate::repo::View;
use crate::time::Timestamp;

const MAGIC: &[u8; 8] = b"RFSEGSTB";
/// The layout of stubs. A change raises it and keeps reading the old one: a stub cannot be made again without its segment.
const STUB_FORMAT: u32 = 1;
const FIXED_BYTES: usize = 144;
const STUB_HEADER_BYTES: usize = FIXED_BYTES + SEGMENT_HEADER_BYTES;
const ID_BYTES: usize = 16;
/// A row of what was kept: the ordinal, then where its record begins among those kept.
const KEPT_ROW_BYTES: usize = 8;
/// Names that an object may have. A place that spoils what it takes, and lets nothing be replaced, is not given it for ever.
const NAMES_MAX: u32 = 4;

/// The name of a segment's stub.
pub(crate) fn stub_file(segment: SegmentId) -> String {
    format!("{segment}.stub")
}

/// Why a file is not taken for a stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StubFault {
    /// It is none, or was damaged.
    Damaged,
    /// A newer program wrote it, or the segment that it stands for, in this format.
    Newer(u32),
}

/// The segment has to be whole to be sent away, and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotWhole;

/// A stub file, mapped. Its header is checked; the sections are when they are first used.
#[derive(Debug)]
pub(crate) struct Stub {
    view: Arc<dyn View>,
    /// The segment's own header.
    pub(crate) header: SegmentHeader,
    /// Bytes of the segment.
    pub(crate) bytes: u64,
    /// Of all its bytes.
    pub(crate) sha256: [u8; 32],
    /// The first position behind it, and the chain there.
    pub(crate) successor: (Position, Chain),
    /// When its first and its last event were recorded.
    pub(crate) recorded: (Timestamp, Timestamp),
    count: usize,
    kept: usize,
    crc: u32,
    sections: OnceLock<bool>,
}

impl Stub {
    /// Lays out the stub of a segment, every record and link of which is checked on the way. `is_kept` is asked, with its
    /// ordinal, whether an event stays here.
    pub(crate) fn make(
        bytes: &[u8],
        header: &SegmentHeader,
        successor: (Position, Chain),
        is_kept: &dyn Fn(u32, &EventRecord<'_>) -> bool,
    ) -> Result<Vec<u8>, NotWhole> {
        let last = successor.0.previous();
        let mut ids = Vec::new();
        let (mut rows, mut records, mut kept_count) = (Vec::new(), Vec::new(), 0_u64);
        let mut recorded: Option<(Timestamp, Timestamp)> = None;
        let mut ordinal = 0_u32;
        let mut whole = SegmentHeader::decode(bytes) == Ok(*header);
        let mut linked = header.chain;
        let from = SEGMENT_HEADER_BYTES.min(bytes.len());
        let scan = recovery::scan(
            bytes,
            from,
            header.place(),
            last,
            &mut |found| match found {
                Found::Event { event, .. } => {
                    ids.extend_from_slice(event.id.as_bytes());
                    let first = recorded.map_or(event.recorded_at, |(first, _)| first);
                    recorded = Some((first, event.recorded_at));
                    if is_kept(ordinal, event) {
                        rows.extend_from_slice(&ordinal.to_le_bytes());
                        rows.extend_from_slice(&to_u32(records.len()).to_le_bytes());
                        records.extend_from_slice(event.bytes);
                        kept_count += 1;
                    }
                    ordinal += 1;
                }
                Found::Group { start, end, commit } => {
                    linked = chain::link(&linked, &bytes[*start..*end - COMMIT_BYTES]);
                    whole &= linked == commit.chain;
                }
                Found::Damage(_) => whole = false,
                Found::StreamName { .. } | Found::TypeName { .. } => {}
            },
        );
        if !whole || scan.torn_bytes > 0 || (scan.next, scan.chain) != successor {
            return Err(NotWhole);
        }
        let (first, last) = recorded.unwrap_or((header.created_at, header.created_at));
        let sections = [ids, rows, records].concat();
        let mut stub = Vec::with_capacity(STUB_HEADER_BYTES + sections.len());
        stub.extend_from_slice(MAGIC);
        stub.extend_from_slice(&STUB_FORMAT.to_le_bytes());
        stub.extend_from_slice(&[0; 4]); // the header's checksum, filled in below
        stub.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        stub.extend_from_slice(&Sha256::digest(bytes));
        stub.extend_from_slice(&successor.0.get().to_le_bytes());
        stub.extend_from_slice(&successor.1);
        stub.extend_from_slice(&first.micros().to_le_bytes());
        stub.extend_from_slice(&last.micros().to_le_bytes());
        stub.extend_from_slice(&u64::from(ordinal).to_le_bytes());
        stub.extend_from_slice(&kept_count.to_le_bytes());
        stub.extend_from_slice(&((sections.len()) as u64).to_le_bytes());
        stub.extend_from_slice(&crc32fast::hash(&sections).to_le_bytes());
        stub.extend_from_slice(&[0; 4]);
        debug_assert_eq!(stub.len(), FIXED_BYTES);
        stub.extend_from_slice(&header.encode());
        let crc = header_crc(&stub);
        stub[12..16].copy_from_slice(&crc.to_le_bytes());
        stub.extend_from_slice(&sections);
        Ok(stub)
    }

    /// Takes a file's bytes for a stub; only the header is looked at.
    pub(crate) fn open(view: Arc<dyn View>) -> Result<Stub, StubFault> {
        let bytes = view.bytes();
        if bytes.len() < STUB_HEADER_BYTES
            || &bytes[..8] != MAGIC
            || u32_at(bytes, 12) != header_crc(bytes)
        {
            return Err(StubFault::Damaged);
        }
        match u32_at(bytes, 8) {
            STUB_FORMAT => {}
            newer => return Err(StubFault::Newer(newer)),
        }
        let header = SegmentHeader::decode(&bytes[FIXED_BYTES..]).map_err(|fault| match fault {
            HeaderFault::Format(newer) => StubFault::Newer(newer),
            _ => StubFault::Damaged,
        })?;
        let to_usize = |value: u64| usize::try_from(value).map_err(|_| StubFault::Damaged);
        let (count, kept) = (to_usize(u64_at(bytes, 112))?, to_usize(u64_at(bytes, 120))?);
        let sections = to_usize(u64_at(bytes, 128))?;
        let tables = count
            .checked_mul(ID_BYTES)
            .zip(kept.checked_mul(KEPT_ROW_BYTES))
            .and_then(|(ids, rows)| ids.checked_add(rows));
        if bytes.len() - STUB_HEADER_BYTES != sections || tables.is_none_or(|end| end > sections) {
            return Err(StubFault::Damaged);
        }
        Ok(Stub {
            header,
            bytes: u64_at(bytes, 16),
            sha256: array_at(bytes, 24),
            successor: (Position::new(u64_at(bytes, 56)), array_at(bytes, 64)),
            recorded: (time_at(bytes, 96), time_at(bytes, 104)),
            count,
            kept,
            crc: u32_at(bytes, 136),
            sections: OnceLock::new(),
            view,
        })
    }

    /// What the segment is called in the archive, and in the folder of what was fetched. Its content is part of the name, so
    /// that no two segments ever have the same, also after a log was restored to an earlier moment and went on.
    pub(crate) fn file(&self) -> String {
        format!("{}.log", self.stem())
    }

    fn stem(&self) -> String {
        let hash: String = self.sha256[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}-{hash}", self.header.segment)
    }

    /// The object's name.
    pub(crate) fn object(&self) -> String {
        format!("{}/{}", self.header.log_id, self.file())
    }

    /// The names that the object may have, in the order in which they are taken: the next one only where all before it hold
    /// something else, which the place does not let be replaced. So the stub need not say which it is.
    pub(crate) fn objects(&self) -> impl Iterator<Item = String> {
        let (log_id, stem) = (self.header.log_id, self.stem());
        let others = (2..=NAMES_MAX).map(move |number| format!("{log_id}/{stem}-{number}.log"));
        std::iter::once(self.object()).chain(others)
    }

    /// Bytes of the stub itself.
    pub(crate) fn length(&self) -> u64 {
        self.view.bytes().len() as u64
    }

    /// Whether its sections are what was written.
    pub(crate) fn is_sound(&self) -> bool {
        *self
            .sections
            .get_or_init(|| crc32fast::hash(&self.view.bytes()[STUB_HEADER_BYTES..]) == self.crc)
    }

    /// The id of each event, by ordinal; `None` when the stub was damaged.
    pub(crate) fn ids(&self) -> Option<impl Iterator<Item = Uuid>> {
        let ids = self
            .is_sound()
            .then(|| self.section(0, self.count * ID_BYTES))?;
        Some(
            ids.chunks_exact(ID_BYTES)
                .map(|id| Uuid::from_bytes(array_at(id, 0))),
        )
    }

    /// The id of one event.
    pub(crate) fn id(&self, ordinal: u32) -> Option<Uuid> {
        let ids = self
            .is_sound()
            .then(|| self.section(0, self.count * ID_BYTES))?;
        let from = (ordinal as usize).checked_mul(ID_BYTES)?;
        Some(Uuid::from_bytes(*ids.get(from..)?.first_chunk()?))
    }

    /// Where in [`Stub::view`] the record of a kept event begins.
    pub(crate) fn kept(&self, ordinal: u32) -> Option<u64> {
        if self.kept == 0 || !self.is_sound() {
            return None;
        }
        let from = self.count * ID_BYTES;
        let rows = self.section(from, from + self.kept * KEPT_ROW_BYTES);
        let (mut low, mut high) = (0, self.kept);
        while low < high {
            let middle = low + (high - low) / 2;
            if u32_at(rows, middle * KEPT_ROW_BYTES) < ordinal {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let row = low * KEPT_ROW_BYTES;
        let found = low < self.kept && u32_at(rows, row) == ordinal;
        let records = STUB_HEADER_BYTES + from + rows.len();
        found.then(|| records as u64 + u64::from(u32_at(rows, row + 4)))
    }

    /// The ordinals of the kept events.
    pub(crate) fn kept_ordinals(&self) -> impl Iterator<Item = u32> {
        let from = self.count * ID_BYTES;
        let rows = self.section(from, from + self.kept * KEPT_ROW_BYTES);
        rows.chunks_exact(KEPT_ROW_BYTES).map(|row| u32_at(row, 0))
    }

    /// The stub's bytes, in which kept records lie.
    pub(crate) fn view(&self) -> &Arc<dyn View> {
        &self.view
    }

    fn section(&self, from: usize, to: usize) -> &[u8] {
        let sections = &self.view.bytes()[STUB_HEADER_BYTES..];
        sections.get(from..to).unwrap_or_default()
    }
}

/// The checksum over the header without the checksum's own field.
fn header_crc(stub: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&stub[..12]);
    hasher.update(&stub[16..STUB_HEADER_BYTES]);
    hasher.finalize()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is kept of a segment is shorter than the segment, which is below 4 GiB"
)]
fn to_u32(length: usize) -> u32 {
    length as u32
}

fn array_at<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    let part = bytes.get(from..).and_then(|rest| rest.first_chunk());
    part.copied().unwrap_or([0; N])
}

fn u32_at(bytes: &[u8], from: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, from))
}

fn u64_at(bytes: &[u8], from: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, from))
}

fn time_at(bytes: &[u8], from: usize) -> Timestamp {
    Timestamp::from_micros(i64::from_le_bytes(array_at(bytes, from)))
}

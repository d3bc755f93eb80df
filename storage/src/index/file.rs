//! A sealed segment's index as a file: a checked header, then sections that are checked once, when first used.
//!
//! `docs/format.md` draws it. Tables are sorted, so a look-up is a binary search in the mapped bytes.

use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use super::memory::between;
use super::postings::{read_list, read_varint, write_list};
use super::{IndexDamaged, Key, MemoryIndex, StreamEnd, StreamSpan, id_hash};
use crate::position::{Position, SegmentId, Version};
use crate::record::Chain;
use crate::repo::View;
use crate::time::Timestamp;

const MAGIC: &[u8; 8] = b"RFSEGIDX";
/// The layout of index files. Another number is not read but rebuilt.
const INDEX_FORMAT: u32 = 1;
const HEADER_BYTES: usize = FIXED_BYTES + SECTIONS * SECTION_ENTRY_BYTES;
const FIXED_BYTES: usize = 104;
const SECTION_ENTRY_BYTES: usize = 16;
/// A row of a table: the key, then where its list begins in the lists section.
const ROW_BYTES: usize = 12;
const ID_ROW_BYTES: usize = 8;

const SECTIONS: usize = 9;
const OFFSETS: usize = 0;
const STREAMS: usize = 1;
const AGGREGATE_TYPES: usize = 2;
const EVENT_TYPES: usize = 3;
const TAGS: usize = 4;
const LISTS: usize = 5;
const IDS: usize = 6;
const OCCURRED: usize = 7;
const NAMES: usize = 8;

/// Which segment, in which state, an index file was made from: one that differs is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexIdentity {
    pub(crate) log_id: Uuid,
    pub(crate) segment: SegmentId,
    pub(crate) first_position: Position,
    /// The chain at the end of the segment.
    pub(crate) chain: Chain,
}

/// An index file, mapped.
#[derive(Debug)]
pub(crate) struct IndexFile {
    view: Arc<dyn View>,
    count: u32,
    occurred_bounds: Option<(Timestamp, Timestamp)>,
    sections: [Section; SECTIONS],
    /// Found among the offsets when first asked for.
    lost: OnceLock<Vec<u32>>,
}

#[derive(Debug)]
struct Section {
    from: usize,
    to: usize,
    crc: u32,
    verified: OnceLock<bool>,
}

/// Lays an index out as a file.
pub(crate) fn encode(index: &MemoryIndex, identity: &IndexIdentity) -> Vec<u8> {
    let mut lists = Vec::with_capacity(index.offsets.len() * 6);
    let sections = [
        numbers(&index.offsets),
        {
            let mut streams: Vec<_> = index
                .streams
                .iter()
                .map(|(&number, list)| {
                    (
                        stream_key(number, list.first_version),
                        list.ordinals.as_slice(),
                    )
                })
                .collect();
            streams.sort_unstable_by_key(|&(key, _)| key);
            table(streams, &mut lists)
        },
        table(by_number(&index.aggregate_types), &mut lists),
        table(by_number(&index.event_types), &mut lists),
        {
            let mut tags: Vec<_> = index
                .tags
                .iter()
                .map(|(&hash, ordinals)| (hash, ordinals.as_slice()))
                .collect();
            tags.sort_unstable_by_key(|&(hash, _)| hash);
            table(tags, &mut lists)
        },
        Vec::new(),
        {
            let mut ids: Vec<_> = index
                .ids
                .iter()
                .map(|entry| (entry.hash, entry.ordinal))
                .collect();
            ids.sort_unstable();
            numbers(
                &ids.into_iter()
                    .flat_map(|(hash, ordinal)| [hash, ordinal])
                    .collect::<Vec<_>>(),
            )
        },
        index
            .occurred_order()
            .map_or_else(Vec::new, |order| numbers(&order)),
        index.names.clone(),
    ];
    let mut sections = sections;
    sections[LISTS] = lists;

    let (earliest, latest) = index
        .occurred_bounds
        .unwrap_or((Timestamp::MAX, Timestamp::MIN));
    let mut bytes = Vec::with_capacity(HEADER_BYTES + sections.iter().map(Vec::len).sum::<usize>());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&INDEX_FORMAT.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]); // the header's checksum, filled in below
    bytes.extend_from_slice(identity.log_id.as_bytes());
    bytes.extend_from_slice(&identity.segment.get().to_le_bytes());
    bytes.extend_from_slice(&identity.first_position.get().to_le_bytes());
    bytes.extend_from_slice(&identity.chain);
    bytes.extend_from_slice(&u64::from(index.count()).to_le_bytes());
    bytes.extend_from_slice(&earliest.micros().to_le_bytes());
    bytes.extend_from_slice(&latest.micros().to_le_bytes());
    debug_assert_eq!(bytes.len(), FIXED_BYTES);
    let mut from = HEADER_BYTES as u64;
    for section in &sections {
        bytes.extend_from_slice(&from.to_le_bytes());
        bytes.extend_from_slice(&as_u32(section.len()).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(section).to_le_bytes());
        from += section.len() as u64;
    }
    let crc = header_crc(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    sections
        .iter()
        .for_each(|section| bytes.extend_from_slice(section));
    bytes
}

/// The checksum over the header without the checksum's own field.
fn header_crc(header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..12]);
    hasher.update(&header[16..HEADER_BYTES]);
    hasher.finalize()
}

fn stream_key(number: u32, first_version: Version) -> u64 {
    u64::from(number) << 32 | u64::from(first_version.get())
}

fn by_number(lists: &[Vec<u32>]) -> Vec<(u64, &[u32])> {
    (0_u64..)
        .zip(lists)
        .filter(|(_, ordinals)| !ordinals.is_empty())
        .map(|(number, ordinals)| (number, &**ordinals))
        .collect()
}

/// A table of rows in the order given, whose lists are appended to `lists`.
fn table(rows: Vec<(u64, &[u32])>, lists: &mut Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * ROW_BYTES);
    for (key, ordinals) in rows {
        bytes.extend_from_slice(&key.to_le_bytes());
        bytes.extend_from_slice(&as_u32(lists.len()).to_le_bytes());
        write_list(lists, ordinals);
    }
    bytes
}

fn numbers(values: &[u32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "an index is far smaller than its segment, which is below 4 GiB"
)]
fn as_u32(length: usize) -> u32 {
    length as u32
}

impl IndexFile {
    /// Takes a file's bytes as the index of the segment `identity`; only the header is looked at.
    pub(crate) fn open(
        view: Arc<dyn View>,
        identity: &IndexIdentity,
    ) -> Result<IndexFile, IndexDamaged> {
        let (index, found) = IndexFile::open_any(view)?;
        if &found == identity {
            Ok(index)
        } else {
            Err(IndexDamaged)
        }
    }

    /// Takes a file's bytes as the index of whatever segment it says.
    pub(crate) fn open_any(
        view: Arc<dyn View>,
    ) -> Result<(IndexFile, IndexIdentity), IndexDamaged> {
        let bytes = view.bytes();
        if bytes.len() < HEADER_BYTES || &bytes[..8] != MAGIC || u32_at(bytes, 8) != INDEX_FORMAT {
            return Err(IndexDamaged);
        }
        if u32_at(bytes, 12) != header_crc(bytes) {
            return Err(IndexDamaged);
        }
        let found = IndexIdentity {
            log_id: Uuid::from_bytes(array_at(bytes, 16)),
            segment: SegmentId::new(u64_at(bytes, 32)),
            first_position: Position::new(u64_at(bytes, 40)),
            chain: array_at(bytes, 48),
        };
        let count = u32::try_from(u64_at(bytes, 80)).map_err(|_| IndexDamaged)?;
        let earliest = Timestamp::from_micros(i64::from_le_bytes(array_at(bytes, 88)));
        let latest = Timestamp::from_micros(i64::from_le_bytes(array_at(bytes, 96)));
        let mut from = HEADER_BYTES;
        let sections: [Section; SECTIONS] = std::array::from_fn(|at| {
            let entry = FIXED_BYTES + at * SECTION_ENTRY_BYTES;
            let to = from + u32_at(bytes, entry + 8) as usize;
            let section = Section {
                from,
                to,
                crc: u32_at(bytes, entry + 12),
                verified: OnceLock::new(),
            };
            from = to;
            section
        });
        if from != bytes.len() {
            return Err(IndexDamaged);
        }
        let occurred_bounds = (earliest <= latest).then_some((earliest, latest));
        Ok((
            IndexFile {
                view,
                count,
                occurred_bounds,
                sections,
                lost: OnceLock::new(),
            },
            found,
        ))
    }

    /// Whether every section is what was written.
    pub(crate) fn is_whole(&self) -> bool {
        (0..SECTIONS).all(|which| self.section(which).is_ok())
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn occurred_bounds(&self) -> Option<(Timestamp, Timestamp)> {
        self.occurred_bounds
    }

    fn section(&self, which: usize) -> Result<&[u8], IndexDamaged> {
        let section = &self.sections[which];
        let bytes = &self.view.bytes()[section.from..section.to];
        if *section
            .verified
            .get_or_init(|| crc32fast::hash(bytes) == section.crc)
        {
            Ok(bytes)
        } else {
            Err(IndexDamaged)
        }
    }

    pub(crate) fn offset(&self, ordinal: u32) -> Result<Option<u64>, IndexDamaged> {
        let offsets = self.section(OFFSETS)?;
        let at = ordinal as usize * 4;
        if at >= offsets.len() {
            return Err(IndexDamaged);
        }
        Ok(Some(u64::from(u32_at(offsets, at))).filter(|&offset| offset != 0))
    }

    pub(crate) fn lost(&self, from: u32, to: u32) -> Result<&[u32], IndexDamaged> {
        let offsets = self.section(OFFSETS)?;
        let lost = self.lost.get_or_init(|| {
            let numbered = (0..).zip(offsets.chunks_exact(4));
            let lost = numbered.filter(|(_, offset)| u32_at(offset, 0) == 0);
            lost.map(|(ordinal, _)| ordinal).collect()
        });
        Ok(between(lost, from, to))
    }

    pub(crate) fn list(
        &self,
        key: Key,
        from: u32,
        to: u32,
        ordinals: &mut Vec<u32>,
    ) -> Result<(), IndexDamaged> {
        let row = match key {
            Key::Stream(number) => self.stream_row(number)?,
            Key::AggregateType(number) => self.row(AGGREGATE_TYPES, u64::from(number))?,
            Key::EventType(number) => self.row(EVENT_TYPES, u64::from(number))?,
            Key::Tag(hash) => self.row(TAGS, hash)?,
        };
        let Some((_, list)) = row else { return Ok(()) };
        read_list(self.list_bytes(list)?, from, to, ordinals).ok_or(IndexDamaged)
    }

    pub(crate) fn stream_span(&self, stream: u32) -> Result<Option<StreamSpan>, IndexDamaged> {
        let Some((key, list)) = self.stream_row(stream)? else {
            return Ok(None);
        };
        self.span_of(key, list).map(Some)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half of the key is the version"
    )]
    fn span_of(&self, key: u64, list: u32) -> Result<StreamSpan, IndexDamaged> {
        let count = read_varint(&mut self.list_bytes(list)?).ok_or(IndexDamaged)?;
        Ok(StreamSpan {
            first_version: Version::new(key as u32),
            count,
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a key's halves are the stream's number and the first version"
    )]
    pub(crate) fn stream_ends(&self) -> Result<Vec<StreamEnd>, IndexDamaged> {
        let rows = self.section(STREAMS)?;
        let mut ends = Vec::with_capacity(rows.len() / ROW_BYTES);
        let mut ordinals = Vec::new();
        for row in rows.chunks_exact(ROW_BYTES) {
            let key = u64_at(row, 0);
            ordinals.clear();
            read_list(self.list_bytes(u32_at(row, 8))?, 0, u32::MAX, &mut ordinals)
                .ok_or(IndexDamaged)?;
            let (stream, first) = ((key >> 32) as u32, Version::new(key as u32));
            ends.push(StreamEnd::of(stream, first, &ordinals).ok_or(IndexDamaged)?);
        }
        Ok(ends)
    }

    pub(crate) fn event_types(&self) -> Result<Vec<u16>, IndexDamaged> {
        let rows = self.section(EVENT_TYPES)?.chunks_exact(ROW_BYTES);
        rows.map(|row| u16::try_from(u64_at(row, 0)).map_err(|_| IndexDamaged))
            .collect()
    }

    pub(crate) fn find_id(&self, id: Uuid, candidates: &mut Vec<u32>) -> Result<(), IndexDamaged> {
        let ids = self.section(IDS)?;
        let hash = id_hash(id);
        let rows = ids.len() / ID_ROW_BYTES;
        let first = partition_point(rows, |row| u32_at(ids, row * ID_ROW_BYTES) < hash);
        for row in first..rows {
            if u32_at(ids, row * ID_ROW_BYTES) != hash {
                break;
            }
            candidates.push(u32_at(ids, row * ID_ROW_BYTES + 4));
        }
        Ok(())
    }

    pub(crate) fn occurred_order(&self) -> Result<Option<Vec<u32>>, IndexDamaged> {
        let order = self.section(OCCURRED)?;
        if order.is_empty() {
            return Ok(None);
        }
        let order: Vec<u32> = order.chunks_exact(4).map(|row| u32_at(row, 0)).collect();
        if order.len() == self.count as usize {
            Ok(Some(order))
        } else {
            Err(IndexDamaged)
        }
    }

    /// The segment's name records, as they lie in it.
    pub(crate) fn names(&self) -> Result<&[u8], IndexDamaged> {
        self.section(NAMES)
    }

    fn stream_row(&self, number: u32) -> Result<Option<(u64, u32)>, IndexDamaged> {
        let row = self.row_from(STREAMS, stream_key(number, Version::NONE))?;
        Ok(row.filter(|&(key, _)| key >> 32 == u64::from(number)))
    }

    fn row(&self, table: usize, key: u64) -> Result<Option<(u64, u32)>, IndexDamaged> {
        Ok(self
            .row_from(table, key)?
            .filter(|&(found, _)| found == key))
    }

    /// The first row whose key is `key` or more.
    fn row_from(&self, table: usize, key: u64) -> Result<Option<(u64, u32)>, IndexDamaged> {
        let rows = self.section(table)?;
        let count = rows.len() / ROW_BYTES;
        let first = partition_point(count, |row| u64_at(rows, row * ROW_BYTES) < key);
        Ok((first < count).then(|| {
            (
                u64_at(rows, first * ROW_BYTES),
                u32_at(rows, first * ROW_BYTES + 8),
            )
        }))
    }

    fn list_bytes(&self, from: u32) -> Result<&[u8], IndexDamaged> {
        self.section(LISTS)?
            .get(from as usize..)
            .ok_or(IndexDamaged)
    }
}

/// The first of `count` rows for which `before` no longer holds.
fn partition_point(count: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn array_at<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    bytes
        .get(from..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

fn u32_at(bytes: &[u8], from: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, from))
}

fn u64_at(bytes: &[u8], from: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, from))
}

/// Gives the header and each section of an index file the checksums that they would have, as a forger would.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn seal(bytes: &mut [u8]) {
    if bytes.len() < HEADER_BYTES {
        return;
    }
    let mut from = HEADER_BYTES;
    for at in 0..SECTIONS {
        let entry = FIXED_BYTES + at * SECTION_ENTRY_BYTES;
        let to = from.saturating_add(u32_at(bytes, entry + 8) as usize);
        let Some(section) = bytes.get(from..to) else {
            break;
        };
        let crc = crc32fast::hash(section);
        bytes[entry + 12..entry + 16].copy_from_slice(&crc.to_le_bytes());
        from = to;
    }
    let crc = header_crc(bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
}

//! Framing: how an event, a name and a commit marker lie in a segment. Pure: bytes in, bytes out.
//!
//! Every record begins and ends with its length, so that a segment can be walked both ways, and carries a CRC32 that
//! starts from the record's [`Place`]: the same bytes at another position or in another segment do not verify.
//! `docs/format.md` draws each field; the constants below are the one source of sizes and offsets.

use uuid::Uuid;

use crate::position::{Position, SegmentId, Version};
use crate::time::Timestamp;
use crate::veil::COVERED_PREFIX;

#[cfg(test)]
mod tests;

/// Length, checksum, kind: what every record begins with.
const HEAD_BYTES: usize = 9;
/// The length once more: what every record ends with.
const TAIL_BYTES: usize = 4;
/// What the checksum does not cover at the front: the length and the checksum itself.
const CRC_FROM: usize = 8;
/// An event record without tags, metadata and data.
pub(crate) const EVENT_BYTES_MIN: usize = 57 + TAIL_BYTES;
/// A record that names a stream, without the aggregate id.
const STREAM_NAME_BYTES_MIN: usize = 16 + TAIL_BYTES;
/// A record that names a type, without the name.
const TYPE_NAME_BYTES_MIN: usize = 12 + TAIL_BYTES;
/// A commit marker.
pub(crate) const COMMIT_BYTES: usize = 76 + TAIL_BYTES;
/// Where the magic lies in a commit marker: a search for it finds the groups behind damage.
pub(crate) const COMMIT_MAGIC_OFFSET: usize = 68;
/// What a commit marker carries besides its checksum.
pub(crate) const COMMIT_MAGIC: &[u8; 8] = b"RFCOMMIT";

const KIND_EVENT: u8 = 1;
const KIND_STREAM_NAME: u8 = 2;
const KIND_TYPE_NAME: u8 = 3;
const KIND_COMMIT: u8 = 4;

const FLAG_ENDS_TRANSACTION: u8 = 1;
const FLAG_OCCURRED_AT_GIVEN: u8 = 2;

/// What the checksums of one segment start from: which log, which segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn new(log_id: Uuid, segment: SegmentId) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(log_id.as_bytes());
        hasher.update(&segment.get().to_le_bytes());
        Seed(hasher.finalize())
    }

    /// A CRC maps different starting states to different results, so within a segment no record verifies at another
    /// position than its own.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions of one segment differ in their low 32 bits"
    )]
    fn at(self, position: Position) -> u32 {
        self.0 ^ position.get() as u32
    }

    fn for_stream(self, number: u32) -> u32 {
        !self.0 ^ number
    }

    /// The highest bit keeps a type's start apart from every stream's: starts that differ in the lowest byte alone would
    /// make up for a flipped bit in the kind, which is the first byte that the checksum covers.
    fn for_type(self, number: u16) -> u32 {
        self.for_stream(u32::from(number)) ^ (1 << 31)
    }
}

fn checksum(start: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(start);
    hasher.update(bytes);
    hasher.finalize()
}

/// An event as it lies in a segment. Stream and type are the numbers that name records gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventRecord<'a> {
    pub(crate) stream: u32,
    pub(crate) version: Version,
    pub(crate) event_type: u16,
    pub(crate) schema: u16,
    pub(crate) id: Uuid,
    pub(crate) occurred_at: Timestamp,
    pub(crate) recorded_at: Timestamp,
    pub(crate) ends_transaction: bool,
    /// Whether the writer said when it happened; otherwise `occurred_at` is `recorded_at`.
    pub(crate) occurred_at_given: bool,
    pub(crate) tag_count: u8,
    pub(crate) tag_bytes: &'a [u8],
    pub(crate) metadata: &'a [u8],
    pub(crate) data: &'a [u8],
    /// The whole record.
    pub(crate) bytes: &'a [u8],
}

impl<'a> EventRecord<'a> {
    /// The tags; those that are not UTF-8 (which no writer makes) are left out.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = self.tag_bytes;
        std::iter::from_fn(move || {
            let (&length, behind) = rest.split_first()?;
            let (tag, behind) = behind.split_at_checked(usize::from(length))?;
            rest = behind;
            Some(tag)
        })
        .filter_map(|tag| std::str::from_utf8(tag).ok())
    }

    /// Whether a tag says that something of the event is covered.
    pub(crate) fn is_covered(&self) -> bool {
        self.tags().any(|tag| tag.starts_with(COVERED_PREFIX))
    }
}

/// The marker that makes the records since the last one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Events in the group.
    pub(crate) event_count: u32,
    /// The position of the first of them.
    pub(crate) first_position: Position,
    /// Up to where everything was durable when the group was written.
    pub(crate) durable: Position,
    /// Bytes of the group before the marker.
    pub(crate) group_bytes: u32,
    /// SHA-256 over the chain before this group and the group's bytes before the marker.
    pub(crate) chain: Chain,
}

/// The running hash at a place in the log.
pub(crate) type Chain = [u8; 32];

/// A record, its checksum verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Event(EventRecord<'a>),
    StreamName {
        number: u32,
        aggregate_type: u16,
        aggregate_id: &'a str,
    },
    TypeName {
        of: TypeNameOf,
        number: u16,
        name: &'a str,
    },
    Commit(Commit),
}

/// Which of the two tables of type names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TypeNameOf {
    Aggregate,
    Event,
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The length is zero, as in space not written yet.
    Unwritten,
    /// The bytes end before the record does.
    Short,
    /// The lengths at both ends differ, or do not fit the kind.
    Length,
    /// The checksum differs, or a field holds what no writer writes.
    Checksum,
}

/// Reads the record at the start of `bytes`, which may hold more. `next` is the position that an event here would have.
#[inline]
pub(crate) fn read(bytes: &[u8], seed: Seed, next: Position) -> Result<(Record<'_>, usize), Fault> {
    let length = frame_length(bytes)?;
    let bytes = bytes.get(..length).ok_or(Fault::Short)?;
    let (stored, kind) = head(bytes);
    let covered = bytes
        .get(CRC_FROM..length - TAIL_BYTES)
        .ok_or(Fault::Length)?;
    match kind {
        KIND_EVENT => {
            if checksum(seed.at(next), covered) != stored {
                return Err(Fault::Checksum);
            }
            Ok((Record::Event(event(bytes)?), length))
        }
        KIND_STREAM_NAME if length > STREAM_NAME_BYTES_MIN => {
            let number = u32_at(bytes, 12);
            if checksum(seed.for_stream(number), covered) != stored {
                return Err(Fault::Checksum);
            }
            let aggregate_id = text(bytes, 16)?;
            Ok((
                Record::StreamName {
                    number,
                    aggregate_type: u16_at(bytes, 10),
                    aggregate_id,
                },
                length,
            ))
        }
        KIND_TYPE_NAME if length > TYPE_NAME_BYTES_MIN => {
            let number = u16_at(bytes, 10);
            if checksum(seed.for_type(number), covered) != stored {
                return Err(Fault::Checksum);
            }
            let of = match bytes.get(9) {
                Some(0) => TypeNameOf::Aggregate,
                Some(1) => TypeNameOf::Event,
                _ => return Err(Fault::Checksum),
            };
            Ok((
                Record::TypeName {
                    of,
                    number,
                    name: text(bytes, 12)?,
                },
                length,
            ))
        }
        KIND_COMMIT if length == COMMIT_BYTES => {
            let commit = commit(bytes);
            if checksum(seed.at(commit.first_position), covered) != stored || !has_magic(bytes) {
                return Err(Fault::Checksum);
            }
            Ok((Record::Commit(commit), length))
        }
        _ => Err(Fault::Checksum),
    }
}

/// Reads the event that an index says lies here. The same as [`read`], without the detour over every kind of record.
#[inline]
pub(crate) fn read_event(
    bytes: &[u8],
    seed: Seed,
    position: Position,
) -> Result<EventRecord<'_>, Fault> {
    let length = frame_length(bytes)?;
    let bytes = bytes.get(..length).ok_or(Fault::Short)?;
    if is_event_at(bytes, seed, position) {
        event(bytes)
    } else {
        Err(Fault::Checksum)
    }
}

/// Whether `bytes`, one whole record, are the event at `position`.
#[inline]
pub(crate) fn is_event_at(bytes: &[u8], seed: Seed, position: Position) -> bool {
    let (stored, kind) = head(bytes);
    kind == KIND_EVENT
        && bytes
            .get(CRC_FROM..bytes.len() - TAIL_BYTES)
            .is_some_and(|covered| checksum(seed.at(position), covered) == stored)
}

/// Reads the event at the start of `bytes`, which [`is_event_at`] has verified already.
#[inline]
pub(crate) fn parse_verified(bytes: &[u8]) -> Option<EventRecord<'_>> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    event(bytes.get(..length)?).ok()
}

/// The length of the record at the start of `bytes`, when both its ends agree on it.
#[inline]
pub(crate) fn frame_length(bytes: &[u8]) -> Result<usize, Fault> {
    let front: [u8; 4] = *bytes.first_chunk().ok_or(Fault::Short)?;
    let length = u32::from_le_bytes(front) as usize;
    if length == 0 {
        return Err(Fault::Unwritten);
    }
    if length < HEAD_BYTES + TAIL_BYTES {
        return Err(Fault::Length);
    }
    let back: [u8; 4] = *bytes
        .get(length - TAIL_BYTES..length)
        .ok_or(Fault::Short)?
        .first_chunk()
        .ok_or(Fault::Short)?;
    if back != front {
        return Err(Fault::Length);
    }
    Ok(length)
}

/// Gives `bytes` the lengths and the checksum that make a record of them: what damage cannot do, and a forger can.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn seal(bytes: &mut [u8], seed: Seed, next: Position) {
    let (Ok(length), true) = (
        u32::try_from(bytes.len()),
        bytes.len() > HEAD_BYTES + TAIL_BYTES,
    ) else {
        return;
    };
    let tail = bytes.len() - TAIL_BYTES;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[tail..].copy_from_slice(&length.to_le_bytes());
    let start = match bytes[8] {
        KIND_STREAM_NAME => seed.for_stream(u32_at(bytes, 12)),
        KIND_TYPE_NAME => seed.for_type(u16_at(bytes, 10)),
        KIND_COMMIT => seed.at(commit(bytes).first_position),
        _ => seed.at(next),
    };
    let crc = checksum(start, &bytes[CRC_FROM..tail]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// The length of the record that ends at the end of `bytes`.
pub(crate) fn length_before(bytes: &[u8]) -> Result<usize, Fault> {
    let back: [u8; 4] = *bytes.last_chunk().ok_or(Fault::Short)?;
    let length = u32::from_le_bytes(back) as usize;
    let start = bytes.len().checked_sub(length).ok_or(Fault::Length)?;
    frame_length(bytes.get(start..).ok_or(Fault::Length)?)
}

/// Whether the record at the start of `bytes` says it is an event; unverified.
pub(crate) fn claims_event(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&KIND_EVENT)
}

/// Whether the record at the start of `bytes` says it is a commit marker; unverified.
pub(crate) fn claims_commit(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&KIND_COMMIT)
}

/// The id that the event record at the start of `bytes` claims; unverified.
pub(crate) fn peek_id(bytes: &[u8]) -> Option<Uuid> {
    Some(Uuid::from_bytes(*bytes.get(40..)?.first_chunk()?))
}

fn head(bytes: &[u8]) -> (u32, u8) {
    (u32_at(bytes, 4), bytes.get(8).copied().unwrap_or(0))
}

#[inline]
fn event(bytes: &[u8]) -> Result<EventRecord<'_>, Fault> {
    if bytes.len() < EVENT_BYTES_MIN {
        return Err(Fault::Length);
    }
    let flags = bytes[9];
    let metadata_length = usize::from(u16_at(bytes, 14));
    let tag_count = bytes[56];
    let body = &bytes[57..bytes.len() - TAIL_BYTES];
    let mut tags_length = 0;
    for _ in 0..tag_count {
        tags_length += 1 + usize::from(*body.get(tags_length).ok_or(Fault::Length)?);
    }
    let (tag_bytes, rest) = body.split_at_checked(tags_length).ok_or(Fault::Length)?;
    let (metadata, data) = rest
        .split_at_checked(metadata_length)
        .ok_or(Fault::Length)?;
    Ok(EventRecord {
        stream: u32_at(bytes, 16),
        version: Version::new(u32_at(bytes, 20)),
        event_type: u16_at(bytes, 10),
        schema: u16_at(bytes, 12),
        id: Uuid::from_bytes(array_at(bytes, 40)),
        occurred_at: Timestamp::from_micros(i64::from_le_bytes(array_at(bytes, 24))),
        recorded_at: Timestamp::from_micros(i64::from_le_bytes(array_at(bytes, 32))),
        ends_transaction: flags & FLAG_ENDS_TRANSACTION != 0,
        occurred_at_given: flags & FLAG_OCCURRED_AT_GIVEN != 0,
        tag_count,
        tag_bytes,
        metadata,
        data,
        bytes,
    })
}

fn commit(bytes: &[u8]) -> Commit {
    Commit {
        event_count: u32_at(bytes, 12),
        first_position: Position::new(u64::from_le_bytes(array_at(bytes, 16))),
        durable: Position::new(u64::from_le_bytes(array_at(bytes, 24))),
        group_bytes: u32_at(bytes, 32),
        chain: array_at(bytes, 36),
    }
}

fn has_magic(bytes: &[u8]) -> bool {
    bytes.get(COMMIT_MAGIC_OFFSET..COMMIT_MAGIC_OFFSET + 8) == Some(COMMIT_MAGIC)
}

fn text(bytes: &[u8], from: usize) -> Result<&str, Fault> {
    let text = bytes
        .get(from..bytes.len() - TAIL_BYTES)
        .ok_or(Fault::Length)?;
    std::str::from_utf8(text).map_err(|_| Fault::Checksum)
}

/// Callers have checked that the record is long enough; a shorter one reads as zeros and fails its checksum.
#[inline]
fn array_at<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    bytes
        .get(from..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

#[inline]
fn u32_at(bytes: &[u8], from: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, from))
}

#[inline]
fn u16_at(bytes: &[u8], from: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, from))
}

/// Bytes that an event with these parts takes in a segment.
pub(crate) fn event_bytes(tag_bytes: usize, metadata: usize, data: usize) -> usize {
    EVENT_BYTES_MIN + tag_bytes + metadata + data
}

/// What an event record is made from; everything that only the writer knows comes with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventToWrite<'a> {
    pub(crate) stream: u32,
    pub(crate) version: Version,
    pub(crate) event_type: u16,
    pub(crate) schema: u16,
    pub(crate) id: Uuid,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) recorded_at: Timestamp,
    pub(crate) ends_transaction: bool,
    pub(crate) tags: &'a [Box<str>],
    pub(crate) metadata: &'a [u8],
    pub(crate) data: &'a [u8],
}

/// Appends an event record for `position` to `buffer`. Lengths have been checked against the limits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the limits bound tags, metadata and data below the fields' ranges"
)]
pub(crate) fn write_event(
    buffer: &mut Vec<u8>,
    seed: Seed,
    position: Position,
    event: &EventToWrite<'_>,
) {
    debug_assert!(
        event.metadata.len() <= usize::from(u16::MAX) && event.tags.len() <= usize::from(u8::MAX)
    );
    let start = begin(buffer, KIND_EVENT);
    let flags = if event.ends_transaction {
        FLAG_ENDS_TRANSACTION
    } else {
        0
    } | if event.occurred_at.is_some() {
        FLAG_OCCURRED_AT_GIVEN
    } else {
        0
    };
    buffer.push(flags);
    buffer.extend_from_slice(&event.event_type.to_le_bytes());
    buffer.extend_from_slice(&event.schema.to_le_bytes());
    buffer.extend_from_slice(&(event.metadata.len() as u16).to_le_bytes());
    buffer.extend_from_slice(&event.stream.to_le_bytes());
    buffer.extend_from_slice(&event.version.get().to_le_bytes());
    buffer.extend_from_slice(
        &event
            .occurred_at
            .unwrap_or(event.recorded_at)
            .micros()
            .to_le_bytes(),
    );
    buffer.extend_from_slice(&event.recorded_at.micros().to_le_bytes());
    buffer.extend_from_slice(event.id.as_bytes());
    buffer.push(event.tags.len() as u8);
    for tag in event.tags {
        buffer.push(tag.len() as u8);
        buffer.extend_from_slice(tag.as_bytes());
    }
    buffer.extend_from_slice(event.metadata);
    buffer.extend_from_slice(event.data);
    end(buffer, start, seed.at(position));
}

/// Appends the record that gives a stream its number.
pub(crate) fn write_stream_name(
    buffer: &mut Vec<u8>,
    seed: Seed,
    number: u32,
    aggregate_type: u16,
    aggregate_id: &str,
) {
    let start = begin(buffer, KIND_STREAM_NAME);
    buffer.push(0);
    buffer.extend_from_slice(&aggregate_type.to_le_bytes());
    buffer.extend_from_slice(&number.to_le_bytes());
    buffer.extend_from_slice(aggregate_id.as_bytes());
    end(buffer, start, seed.for_stream(number));
}

/// Appends the record that gives a type its number.
pub(crate) fn write_type_name(
    buffer: &mut Vec<u8>,
    seed: Seed,
    of: TypeNameOf,
    number: u16,
    name: &str,
) {
    let start = begin(buffer, KIND_TYPE_NAME);
    buffer.push(match of {
        TypeNameOf::Aggregate => 0,
        TypeNameOf::Event => 1,
    });
    buffer.extend_from_slice(&number.to_le_bytes());
    buffer.extend_from_slice(name.as_bytes());
    end(buffer, start, seed.for_type(number));
}

/// Appends a commit marker.
pub(crate) fn write_commit(buffer: &mut Vec<u8>, seed: Seed, commit: &Commit) {
    let start = begin(buffer, KIND_COMMIT);
    buffer.extend_from_slice(&[0; 3]);
    buffer.extend_from_slice(&commit.event_count.to_le_bytes());
    buffer.extend_from_slice(&commit.first_position.get().to_le_bytes());
    buffer.extend_from_slice(&commit.durable.get().to_le_bytes());
    buffer.extend_from_slice(&commit.group_bytes.to_le_bytes());
    buffer.extend_from_slice(&commit.chain);
    buffer.extend_from_slice(COMMIT_MAGIC);
    end(buffer, start, seed.at(commit.first_position));
    debug_assert_eq!(buffer.len() - start, COMMIT_BYTES);
}

fn begin(buffer: &mut Vec<u8>, kind: u8) -> usize {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; CRC_FROM]);
    buffer.push(kind);
    start
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a record is bounded by the transaction limit, below 4 GiB"
)]
fn end(buffer: &mut Vec<u8>, start: usize, crc_start: u32) {
    let length = ((buffer.len() - start + TAIL_BYTES) as u32).to_le_bytes();
    let crc = checksum(crc_start, &buffer[start + CRC_FROM..]).to_le_bytes();
    buffer[start..start + 4].copy_from_slice(&length);
    buffer[start + 4..start + 8].copy_from_slice(&crc);
    buffer.extend_from_slice(&length);
}

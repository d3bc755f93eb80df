//! What the fuzzer of `fuzz/` and the replay of its corpus call: private decoders, and what must hold of what they read.
//!
//! Bytes are tried as they are, which is damage, and once more with lengths and checksums that agree, which is forgery:
//! no checksum keeps a fuzzer from the fields behind it.

use std::sync::Arc;

use uuid::Uuid;

use crate::header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::index::{self, IndexFile, Key};
use crate::position::{Position, SegmentId};
use crate::record::{self, EventRecord, EventToWrite, Record, Seed};
use crate::recovery::{self, Found, Scan};
use crate::repo::View;

#[cfg(test)]
mod tests;

const LOG: Uuid = Uuid::from_u128(7);
const NEXT: Position = Position::new(5);
/// Rows of an index that are asked for one by one.
const ASKED_MAX: u32 = 64;

fn seed() -> Seed {
    Seed::new(LOG, SegmentId::FIRST)
}

/// One record of a segment.
pub fn record(bytes: &[u8]) {
    check_record(bytes, NEXT);
    let mut sealed = bytes.to_vec();
    record::seal(&mut sealed, seed(), NEXT);
    check_record(&sealed, NEXT);
}

fn check_record(bytes: &[u8], next: Position) {
    let backwards = record::length_before(bytes);
    let Ok((found, length)) = record::read(bytes, seed(), next) else {
        return;
    };
    assert!(length <= bytes.len(), "a record lies within its bytes");
    if length == bytes.len() {
        assert_eq!(backwards, Ok(length), "a record is found from both ends");
    }
    let bytes = &bytes[..length];
    let mut again = Vec::with_capacity(length);
    // What no writer writes is read and not written again: bytes that are not used, flags that mean nothing.
    let is_canonical = match found {
        Record::Event(event) => {
            assert_eq!(record::read_event(bytes, seed(), next), Ok(event));
            assert_eq!(record::peek_id(bytes), Some(event.id));
            write_event(&mut again, &event, next) && bytes[9] & !3 == 0
        }
        Record::StreamName {
            number,
            aggregate_type,
            aggregate_id,
        } => {
            record::write_stream_name(&mut again, seed(), number, aggregate_type, aggregate_id);
            bytes[9] == 0
        }
        Record::TypeName { of, number, name } => {
            record::write_type_name(&mut again, seed(), of, number, name);
            true
        }
        Record::Commit(commit) => {
            record::write_commit(&mut again, seed(), &commit);
            bytes[9..12] == [0; 3]
        }
    };
    assert!(
        !is_canonical || again == bytes,
        "a record is written as it was read"
    );
}

/// Writes an event that was read; whether a writer could have written it.
fn write_event(buffer: &mut Vec<u8>, event: &EventRecord<'_>, next: Position) -> bool {
    let tags: Vec<Box<str>> = event.tags().map(Box::from).collect();
    let is_canonical = tags.len() == usize::from(event.tag_count)
        && (event.occurred_at_given || event.occurred_at == event.recorded_at);
    let to_write = EventToWrite {
        stream: event.stream,
        version: event.version,
        event_type: event.event_type,
        schema: event.schema,
        id: event.id,
        occurred_at: event.occurred_at_given.then_some(event.occurred_at),
        recorded_at: event.recorded_at,
        ends_transaction: event.ends_transaction,
        tags: &tags,
        metadata: event.metadata,
        data: event.data,
    };
    record::write_event(buffer, seed(), next, &to_write);
    is_canonical
}

/// A segment: its header, and the verdict of recovery on what follows.
pub fn segment(bytes: &[u8]) {
    check_segment(bytes);
    let mut sealed = bytes.to_vec();
    seal_segment(&mut sealed);
    check_segment(&sealed);
}

fn check_segment(bytes: &[u8]) {
    let header = SegmentHeader::decode(bytes);
    if let Ok(header) = header {
        let is_canonical = [12..16, 88..124].into_iter().all(|unused| {
            let unused = bytes.get(unused).unwrap_or_default();
            unused.iter().all(|&byte| byte == 0)
        });
        assert!(!is_canonical || header.encode() == bytes[..SEGMENT_HEADER_BYTES]);
    }
    // A damaged header's place is told by its neighbours.
    let place = header.map_or_else(|_| first_segment().place(), |header| header.place());
    // At the end of all positions they no longer rise; no log comes there.
    if place.first_position > Position::new(u64::MAX / 2) {
        return;
    }
    for known in [
        Position::START,
        place.first_position,
        place.first_position.next(),
    ] {
        let mut last = None;
        let scan = recovery::scan(bytes, SEGMENT_HEADER_BYTES, place, known, &mut |found| {
            if let Found::Event {
                position,
                offset,
                event,
            } = found
            {
                assert!(last < Some(*position), "positions rise");
                assert!(offset + event.bytes.len() <= bytes.len());
                last = Some(*position);
            }
        });
        assert!(scan.end <= bytes.len().max(SEGMENT_HEADER_BYTES));
        assert!(
            last < Some(scan.next),
            "the next position is behind the last event"
        );
        check_again(bytes, place, &scan);
    }
}

/// What was found whole is found the same without what follows it.
fn check_again(bytes: &[u8], place: recovery::Place, scan: &Scan) {
    if scan.damaged {
        return;
    }
    let whole = bytes.get(..scan.end).unwrap_or(bytes);
    let again = recovery::scan(
        whole,
        SEGMENT_HEADER_BYTES,
        place,
        Position::START,
        &mut |_| {},
    );
    assert_eq!(
        (
            again.end,
            again.next,
            again.chain,
            again.torn_bytes,
            again.damaged
        ),
        (scan.end, scan.next, scan.chain, 0, false)
    );
}

fn first_segment() -> SegmentHeader {
    SegmentHeader {
        log_id: LOG,
        segment: SegmentId::FIRST,
        first_position: Position::FIRST,
        created_at: crate::time::Timestamp::from_micros(0),
        chain: [0; 32],
    }
}

/// Gives the header and each record that the lengths make out the checksums that they would have.
fn seal_segment(bytes: &mut [u8]) {
    if bytes.len() < SEGMENT_HEADER_BYTES {
        return;
    }
    let crc_at = SEGMENT_HEADER_BYTES - 4;
    let crc = crc32fast::hash(&bytes[..crc_at]);
    bytes[crc_at..SEGMENT_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    let header = SegmentHeader::decode(bytes).unwrap_or_else(|_| first_segment());
    let (seed, mut position) = (header.seed(), header.first_position);
    let mut start = SEGMENT_HEADER_BYTES;
    while let Some(front) = bytes.get(start..).and_then(|rest| rest.first_chunk()) {
        let length = (u32::from_le_bytes(*front) as usize).min(bytes.len() - start);
        if length == 0 {
            return;
        }
        let record = &mut bytes[start..start + length];
        record::seal(record, seed, position);
        if record::claims_event(record) {
            let Some(next) = position.get().checked_add(1) else {
                return;
            };
            position = Position::new(next);
        }
        start += length;
    }
}

/// Bytes that need no file.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl View for Bytes {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A segment's index.
pub fn index(bytes: &[u8]) {
    check_index(bytes.to_vec());
    let mut sealed = bytes.to_vec();
    index::seal(&mut sealed);
    check_index(sealed);
}

fn check_index(bytes: Vec<u8>) {
    let length = bytes.len();
    let Ok((index, identity)) = IndexFile::open_any(Arc::new(Bytes(bytes))) else {
        return;
    };
    let _ = (identity, index.occurred_bounds());
    let asked = index.count().min(ASKED_MAX);
    for ordinal in (0..asked).chain([index.count(), u32::MAX]) {
        let _ = index.offset(ordinal);
        let _ = index.find_id(Uuid::from_u128(ordinal.into()), &mut Vec::new());
        let _ = index.stream_span(ordinal);
        let narrow = u16::try_from(ordinal).unwrap_or(u16::MAX);
        for key in [
            Key::Stream(ordinal),
            Key::AggregateType(narrow),
            Key::EventType(narrow),
            Key::Tag(ordinal.into()),
        ] {
            for (from, to) in [(0, u32::MAX), (3, 20)] {
                let mut found = Vec::new();
                let read = index.list(key, from, to, &mut found);
                assert!(found.len() <= length, "a list is no longer than its bytes");
                assert!(read.is_err() || found.iter().all(|found| (from..=to).contains(found)));
            }
        }
    }
    let _ = index.lost(0, u32::MAX).map(<[u32]>::len);
    if let Ok(ends) = index.stream_ends() {
        assert!(ends.len() <= length);
    }
    if let Ok(types) = index.event_types() {
        assert!(types.len() <= length);
    }
    let _ = (index.occurred_order(), index.names().map(<[u8]>::len));
}

/// A snapshot's header, and the state behind it.
pub fn snapshot(bytes: &[u8]) {
    crate::snapshot::fuzz(bytes);
}

//! Both kinds of index against a list of events, for every question, and against bytes of every kind.

mod damage;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::postings::{read_list, read_varint, write_list, write_varint};
use super::*;
use crate::position::{Position, SegmentId};
use crate::record::{self, EventToWrite, Seed};
use crate::repo::View;

/// Bytes that need no file.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl View for Bytes {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An event as the list has it; `None` was lost to damage.
type Listed = Option<Sample>;

#[derive(Clone, Debug)]
struct Sample {
    stream: u32,
    event_type: u16,
    occurred_at: i64,
    tags: Vec<u8>,
    id: u128,
}

fn samples() -> impl Strategy<Value = Vec<Listed>> {
    let sample = (
        0..6_u32,
        0..4_u16,
        -20..20_i64,
        proptest::collection::vec(0..5_u8, 0..4),
        0..40_u128,
    )
        .prop_map(|(stream, event_type, occurred_at, tags, id)| Sample {
            stream: stream * 1_000,
            event_type,
            occurred_at,
            tags,
            id: id * 0x1_0000_0001,
        });
    proptest::collection::vec(proptest::option::weighted(0.9, sample), 0..60)
}

fn tag(number: u8) -> String {
    format!("tag:{number}")
}

/// The aggregate type of a stream; the name record of one of them is damaged.
fn aggregate_type(stream: u32) -> Option<u16> {
    match stream {
        0 => None,
        1_000 | 2_000 => Some(0),
        _ => Some(3),
    }
}

fn offset(ordinal: usize) -> u32 {
    128 + 100 * u32::try_from(ordinal).unwrap()
}

fn identity() -> IndexIdentity {
    IndexIdentity {
        log_id: Uuid::from_u128(1),
        segment: SegmentId::new(2),
        first_position: Position::new(50),
        chain: [9; 32],
    }
}

fn memory_index(events: &[Listed]) -> MemoryIndex {
    let mut index = MemoryIndex::new();
    let mut versions = std::collections::BTreeMap::new();
    index.names_mut().extend_from_slice(b"names");
    for (ordinal, event) in events.iter().enumerate() {
        let Some(event) = event else {
            index.push_lost();
            continue;
        };
        let version = versions.entry(event.stream).or_insert(6_u32);
        *version += 1;
        let tags: Vec<Box<str>> = event
            .tags
            .iter()
            .map(|&number| tag(number).into())
            .collect();
        let (seed, at) = (Seed::new(Uuid::nil(), SegmentId::FIRST), Position::FIRST);
        let mut bytes = Vec::new();
        let to_write = EventToWrite {
            stream: event.stream,
            version: Version::new(*version),
            event_type: event.event_type,
            schema: 1,
            id: Uuid::from_u128(event.id),
            occurred_at: Some(Timestamp::from_micros(event.occurred_at)),
            recorded_at: Timestamp::from_micros(0),
            ends_transaction: true,
            tags: &tags,
            metadata: b"",
            data: b"",
        };
        record::write_event(&mut bytes, seed, at, &to_write);
        index.push(&IndexedEvent {
            offset: offset(ordinal),
            aggregate_type: aggregate_type(event.stream),
            event: &record::read_event(&bytes, seed, at).unwrap(),
        });
    }
    index
}

fn file_index(bytes: Vec<u8>) -> Result<SegmentIndex, IndexDamaged> {
    IndexFile::open(Arc::new(Bytes(bytes)), &identity()).map(SegmentIndex::File)
}

/// The ordinals of the events that are not lost and of which `matches` holds.
fn those(events: &[Listed], matches: impl Fn(&Sample) -> bool) -> Vec<u32> {
    (0..)
        .zip(events)
        .filter(|(_, event)| event.as_ref().is_some_and(&matches))
        .map(|(ordinal, _)| ordinal)
        .collect()
}

/// Every list there is, and what it must hold.
fn lists(events: &[Listed]) -> Vec<(Key, Vec<u32>)> {
    let mut lists = Vec::new();
    for stream in (0..8).map(|number| number * 1_000) {
        let of = those(events, |event| event.stream == stream);
        lists.push((Key::Stream(stream), of));
    }
    for number in 0..6 {
        let of = those(events, |event| event.event_type == number);
        lists.push((Key::EventType(number), of));
        let of = those(events, |event| aggregate_type(event.stream) == Some(number));
        lists.push((Key::AggregateType(number), of));
    }
    for number in 0..7_u8 {
        let of = those(events, |event| event.tags.contains(&number));
        lists.push((Key::Tag(tag_hash(&tag(number))), of));
    }
    lists
}

/// Holds every answer of `index` against the list; `None` for one that the index refuses.
fn check(index: &SegmentIndex, events: &[Listed]) -> Option<()> {
    let count = u32::try_from(events.len()).unwrap();
    assert_eq!(index.count(), count);
    let times = || events.iter().flatten().map(|event| event.occurred_at);
    let bounds = times().min().zip(times().max());
    let found = index
        .occurred_bounds()
        .map(|(from, to)| (from.micros(), to.micros()));
    assert_eq!(found, bounds);

    let mut refused = false;
    for (ordinal, event) in events.iter().enumerate() {
        let expected = event.as_ref().map(|_| u64::from(offset(ordinal)));
        match index.offset(u32::try_from(ordinal).unwrap()) {
            Ok(found) => assert_eq!(found, expected, "ordinal {ordinal}"),
            Err(IndexDamaged) => refused = true,
        }
    }
    for (key, expected) in lists(events) {
        for (from, to) in [(0, u32::MAX), (3, 20), (10, 10), (7, 2)] {
            let mut found = vec![99];
            match index.list(key, from, to, &mut found) {
                Ok(()) => {
                    let in_range = expected.iter().filter(|&&at| from <= at && at <= to);
                    let expected: Vec<u32> = [99].iter().chain(in_range).copied().collect();
                    assert_eq!(found, expected, "{key:?} from {from} to {to}");
                }
                Err(IndexDamaged) => refused = true,
            }
        }
    }
    for stream in (0..8).map(|number| number * 1_000) {
        let count = those(events, |event| event.stream == stream).len();
        let expected = (count > 0).then(|| StreamSpan {
            first_version: Version::new(7),
            count: u32::try_from(count).unwrap(),
        });
        match index.stream_span(stream) {
            Ok(found) => assert_eq!(found, expected, "stream {stream}"),
            Err(IndexDamaged) => refused = true,
        }
    }
    match index.event_types() {
        Ok(found) => {
            let types = events.iter().flatten().map(|event| event.event_type);
            let types: BTreeSet<u16> = types.collect();
            assert_eq!(found, types.into_iter().collect::<Vec<_>>());
        }
        Err(IndexDamaged) => refused = true,
    }
    for id in (0..45).map(|number| number * 0x1_0000_0001) {
        let mut found = Vec::new();
        match index.find_id(Uuid::from_u128(id), &mut found) {
            Ok(()) => {
                let found: BTreeSet<u32> = found.into_iter().collect();
                let expected = those(events, |event| event.id == id);
                assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "id {id}");
            }
            Err(IndexDamaged) => refused = true,
        }
    }
    match index.occurred_order() {
        Ok(order) => check_order(order, events),
        Err(IndexDamaged) => refused = true,
    }
    (!refused).then_some(())
}

/// Lost events have the time of the one before them, so that they disturb nothing.
fn check_order(order: Option<Vec<u32>>, events: &[Listed]) {
    let mut before = i64::MIN;
    let times: Vec<i64> = events
        .iter()
        .map(|event| {
            before = event.as_ref().map_or(before, |event| event.occurred_at);
            before
        })
        .collect();
    let mut expected: Vec<u32> = (0..).take(events.len()).collect();
    expected.sort_by_key(|&ordinal| times[ordinal as usize]);
    assert_eq!(order.is_none(), times.is_sorted());
    assert_eq!(order.unwrap_or_else(|| expected.clone()), expected);
}

proptest! {
    #[test]
    fn both_kinds_answer_like_a_list(events in samples()) {
        let memory = memory_index(&events);
        let bytes = encode(&memory, &identity());
        prop_assert!(check(&SegmentIndex::Memory(memory), &events).is_some());
        prop_assert!(check(&file_index(bytes).unwrap(), &events).is_some());
    }

    #[test]
    fn lists_come_out_as_they_went_in(ordinals in proptest::collection::btree_set(any::<u32>(), 0..50), from in any::<u32>(), to in any::<u32>()) {
        let all: Vec<u32> = ordinals.iter().copied().collect();
        let mut bytes = Vec::new();
        write_list(&mut bytes, &all);
        bytes.extend_from_slice(b"whatever follows");
        let mut found = Vec::new();
        prop_assert_eq!(read_list(&bytes, 0, u32::MAX, &mut found), Some(()));
        prop_assert_eq!(&found, &all);
        found.clear();
        prop_assert_eq!(read_list(&bytes, from, to, &mut found), Some(()));
        prop_assert_eq!(found, all.into_iter().filter(|&at| from <= at && at <= to).collect::<Vec<_>>());
    }

    #[test]
    fn varints_come_out_as_they_went_in(value in any::<u32>()) {
        let mut bytes = Vec::new();
        write_varint(&mut bytes, value);
        prop_assert_eq!(read_varint(&mut &*bytes), Some(value));
        for length in 0..bytes.len() {
            prop_assert_eq!(read_varint(&mut &bytes[..length]), None);
        }
    }
}

#[test]
fn varints_that_do_not_fit_are_refused() {
    for bytes in [
        &[0xff, 0xff, 0xff, 0xff, 0x1f][..],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        &[0x80],
        &[],
    ] {
        assert_eq!(read_varint(&mut &*bytes), None, "{bytes:?}");
    }
    assert_eq!(
        read_varint(&mut &[0xff, 0xff, 0xff, 0xff, 0x0f][..]),
        Some(u32::MAX)
    );
}

#[test]
fn lists_that_are_none_are_refused() {
    let mut found = Vec::new();
    assert_eq!(read_list(&[], 0, 9, &mut found), None);
    assert_eq!(read_list(&[2, 1], 0, 9, &mut found), None, "cut");
    let overflowing = [2, 0xff, 0xff, 0xff, 0xff, 0x0f, 1];
    assert_eq!(read_list(&overflowing, 0, u32::MAX, &mut found), None);
}

#[test]
fn an_index_of_another_segment_or_moment_is_not_taken() {
    let bytes = encode(&MemoryIndex::new(), &identity());
    let open = |identity| IndexFile::open(Arc::new(Bytes(bytes.clone())), &identity).is_ok();
    let this = identity();
    assert!(open(this));
    assert!(!open(IndexIdentity {
        log_id: Uuid::from_u128(2),
        ..this
    }));
    assert!(!open(IndexIdentity {
        segment: SegmentId::new(3),
        ..this
    }));
    assert!(!open(IndexIdentity {
        first_position: Position::new(51),
        ..this
    }));
    assert!(!open(IndexIdentity {
        chain: [8; 32],
        ..this
    }));
}

/// The hashes are part of the format: another function would not find what older files hold.
#[test]
fn hashes_stay_as_they_are() {
    assert_eq!(tag_hash(""), 0xefd0_1f60_ba99_2926);
    assert_eq!(tag_hash("user:anna"), TAG_HASH_OF_ANNA);
    assert_eq!(id_hash(Uuid::from_u128(1)), ID_HASH_OF_ONE);
}

/// Both computed by another program.
const TAG_HASH_OF_ANNA: u64 = 0xbae5_5619_b738_a5d0;
const ID_HASH_OF_ONE: u32 = 0x7d6e_4ac3;

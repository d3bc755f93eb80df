//! The corpus and mutations of it, without a fuzzer.

use fuzz_replay::replay;

use super::*;
use crate::chain;
use crate::index::{IndexIdentity, IndexedEvent, MemoryIndex};
use crate::position::Version;
use crate::record::{Commit, TypeNameOf};
use crate::time::Timestamp;

/// An event with this number, written at a position.
fn event(number: u32, seed: Seed, position: Position) -> Vec<u8> {
    let tags: Vec<Box<str>> = (0..number % 4)
        .map(|tag| format!("tag:{tag}").into())
        .collect();
    let data = format!(
        r#"{{"km":{number},"note":"{}"}}"#,
        "x".repeat(number as usize * 7 % 60)
    );
    let mut bytes = Vec::new();
    let to_write = EventToWrite {
        stream: number % 3,
        version: Version::new(1 + number / 3),
        event_type: u16::try_from(number % 2).unwrap(),
        schema: 1,
        id: Uuid::from_u128(u128::from(number) << 70 | 1),
        occurred_at: number
            .is_multiple_of(2)
            .then(|| Timestamp::from_micros(i64::from(number) * 50)),
        recorded_at: Timestamp::from_micros(1_700_000_000_000_000 + i64::from(number)),
        ends_transaction: true,
        tags: &tags,
        metadata: if number.is_multiple_of(5) {
            br#"{"source":"depot"}"#
        } else {
            b""
        },
        data: data.as_bytes(),
    };
    record::write_event(&mut bytes, seed, position, &to_write);
    bytes
}

#[test]
fn record_corpus() {
    let mut seeds: Vec<Vec<u8>> = (0..6).map(|number| event(number, seed(), NEXT)).collect();
    let mut names = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    record::write_stream_name(&mut names[0], seed(), 4, 2, "185 123-4");
    record::write_type_name(
        &mut names[1],
        seed(),
        TypeNameOf::Event,
        3,
        "VehicleCreated",
    );
    record::write_type_name(&mut names[2], seed(), TypeNameOf::Aggregate, 1, "Vehicle");
    let commit = Commit {
        event_count: 2,
        first_position: NEXT,
        durable: Position::new(4),
        group_bytes: 300,
        chain: [7; 32],
    };
    record::write_commit(&mut names[3], seed(), &commit);
    seeds.extend(names);
    replay("record", &seeds, record);
}

/// A segment of so many groups, with this much behind it.
fn a_segment(groups: u32, behind: &[u8]) -> Vec<u8> {
    let header = first_segment();
    let (seed, mut chain) = (header.seed(), header.chain);
    let mut bytes = header.encode().to_vec();
    let (mut position, mut durable, mut number) = (header.first_position, Position::START, 0);
    for group in 0..groups {
        let (start, first) = (bytes.len(), position);
        if group == 0 {
            record::write_type_name(&mut bytes, seed, TypeNameOf::Aggregate, 0, "Vehicle");
            record::write_stream_name(&mut bytes, seed, 0, 0, "185 123-4");
        }
        for _ in 0..=group % 3 {
            bytes.extend(event(number, seed, position));
            (number, position) = (number + 1, position.next());
        }
        chain = chain::link(&chain, &bytes[start..]);
        let commit = Commit {
            event_count: 1 + group % 3,
            first_position: first,
            durable,
            group_bytes: u32::try_from(bytes.len() - start).unwrap(),
            chain,
        };
        record::write_commit(&mut bytes, seed, &commit);
        durable = Position::new(position.get() - 1);
    }
    bytes.extend_from_slice(behind);
    bytes
}

#[test]
fn segment_corpus() {
    let torn = event(90, first_segment().seed(), Position::new(9));
    let seeds = [
        a_segment(0, &[]),
        a_segment(1, &[0; 40]),
        a_segment(3, &torn[..torn.len() / 2]),
        a_segment(7, &torn),
        a_segment(12, &[0; 100]),
    ];
    replay("segment", &seeds, segment);
}

#[test]
fn index_corpus() {
    let of = |events: u32| {
        let mut index = MemoryIndex::new();
        index.names_mut().extend_from_slice(b"names");
        for number in 0..events {
            if number % 11 == 10 {
                index.push_lost();
                continue;
            }
            let bytes = event(number, seed(), NEXT);
            index.push(&IndexedEvent {
                offset: 128 + 100 * number,
                aggregate_type: (!number.is_multiple_of(7)).then_some(0),
                event: &record::read_event(&bytes, seed(), NEXT).unwrap(),
            });
        }
        let identity = IndexIdentity {
            log_id: LOG,
            segment: SegmentId::new(2),
            first_position: Position::new(50),
            chain: [9; 32],
        };
        index::encode(&index, &identity)
    };
    replay("index", &[of(0), of(1), of(12), of(60)], index);
}

#[test]
fn snapshot_corpus() {
    let seeds = [
        crate::snapshot::sample("185 123-4", br#"{"status":"available","km":7}"#),
        crate::snapshot::sample("", b""),
        crate::snapshot::sample("Ä/ö", &[0xff; 200]),
    ];
    // Of the fields alone, which the target frames by itself.
    let fields: Vec<Vec<u8>> = seeds
        .iter()
        .map(|seed| seed[crate::frame::HEADER_BYTES..].to_vec())
        .collect();
    replay("snapshot", &[&seeds[..], &fields].concat(), snapshot);
}

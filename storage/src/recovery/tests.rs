//! The table of recovery, row by row, and whatever else bytes can be.

mod table;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::chain;
use crate::position::{SegmentId, Version};
use crate::record::EventToWrite;
use crate::time::Timestamp;

/// A segment's records, put together group by group.
struct Segment {
    place: Place,
    bytes: Vec<u8>,
    next: Position,
    chain: Chain,
    /// Where each record begins, and whether it is an event.
    records: Vec<(usize, bool)>,
    /// Where each group begins.
    groups: Vec<usize>,
}

impl Segment {
    fn new() -> Self {
        let place = Place {
            seed: Seed::new(Uuid::from_u128(9), SegmentId::new(2)),
            first_position: Position::new(11),
            chain: [3; 32],
        };
        Segment {
            place,
            bytes: Vec::new(),
            next: place.first_position,
            chain: place.chain,
            records: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// Adds a group of a name and `events` events, which says that everything before it was durable.
    fn group(self, events: u64) -> Self {
        self.group_with(events, &[], |_| {})
    }

    /// The same, begun with names of types and with a marker that says something else.
    fn group_with(mut self, events: u64, types: &[TypeNameOf], change: fn(&mut Commit)) -> Self {
        let start = self.bytes.len();
        self.groups.push(start);
        for of in types {
            self.records.push((self.bytes.len(), false));
            record::write_type_name(&mut self.bytes, self.place.seed, *of, 0, "Seen");
        }
        let number = u32::try_from(self.groups.len()).unwrap();
        self.records.push((self.bytes.len(), false));
        record::write_stream_name(&mut self.bytes, self.place.seed, number, 0, "stream");
        let first_position = self.next;
        for at in 0..events {
            self.records.push((self.bytes.len(), true));
            let event = EventToWrite {
                stream: number,
                version: Version::FIRST,
                event_type: 0,
                schema: 1,
                id: Uuid::from_u128(self.next.get().into()),
                occurred_at: None,
                recorded_at: Timestamp::from_micros(1),
                ends_transaction: at + 1 == events,
                tags: &[],
                metadata: b"",
                data: b"some data",
            };
            record::write_event(&mut self.bytes, self.place.seed, self.next, &event);
            self.next = self.next.next();
        }
        let mut commit = Commit {
            event_count: u32::try_from(events).unwrap(),
            first_position,
            durable: first_position.previous(),
            group_bytes: u32::try_from(self.bytes.len() - start).unwrap(),
            chain: chain::link(&self.chain, &self.bytes[start..]),
        };
        change(&mut commit);
        record::write_commit(&mut self.bytes, self.place.seed, &commit);
        self.chain = commit.chain;
        self
    }

    /// Adds zeros, as a prepared segment has them.
    fn prepared(mut self) -> Self {
        self.bytes.resize(self.bytes.len() + 100, 0);
        self
    }

    fn last_position(&self) -> Position {
        self.next.previous()
    }

    /// What a scan says of `bytes` in the place of this segment's, when events up to `known` were acknowledged.
    fn scan_of(&self, bytes: &[u8], known: Position) -> Seen {
        let mut seen = Seen {
            positions: Vec::new(),
            names: 0,
            groups: 0,
            damage: Vec::new(),
            scan: Scan {
                end: 0,
                next: Position::START,
                chain: [0; 32],
                torn_bytes: 0,
                damaged: false,
            },
        };
        seen.scan = scan(bytes, 0, self.place, known, &mut |found| match *found {
            Found::Event {
                position,
                offset,
                event,
            } => {
                assert_eq!(event.id, Uuid::from_u128(position.get().into()));
                assert_eq!(bytes[offset..][..event.bytes.len()], *event.bytes);
                seen.positions.push(position.get());
            }
            Found::StreamName { .. } | Found::TypeName { .. } => seen.names += 1,
            Found::Group { .. } => seen.groups += 1,
            Found::Damage(damage) => seen.damage.push(damage),
        });
        seen
    }

    fn scan(&self, known: Position) -> Seen {
        self.scan_of(&self.bytes, known)
    }
}

/// What a scan gave.
#[derive(Debug)]
struct Seen {
    positions: Vec<u64>,
    names: usize,
    groups: usize,
    damage: Vec<Damage>,
    scan: Scan,
}

impl Seen {
    /// Positions lost.
    fn lost(&self) -> Vec<u64> {
        self.damage
            .iter()
            .flat_map(|damage| damage.first_lost.get()..damage.first_lost.get() + damage.lost)
            .collect()
    }

    /// Positions given or lost, in the order in which they were.
    fn accounted(&self) -> Vec<u64> {
        let mut all: Vec<_> = self.positions.iter().copied().chain(self.lost()).collect();
        all.sort_unstable();
        all
    }
}

/// Three groups of 1, 3 and 2 events: positions 11, 12 to 14, 15 and 16.
fn three_groups() -> Segment {
    Segment::new().group(1).group(3).group(2).prepared()
}

#[test]
fn a_whole_segment_is_given_whole() {
    let segment = three_groups();
    for known in [0, 11, 16].map(Position::new) {
        let seen = segment.scan(known);
        assert_eq!(seen.positions, (11..=16).collect::<Vec<_>>());
        assert_eq!((seen.groups, seen.names), (3, 3));
        assert_eq!(seen.damage, []);
        assert_eq!(seen.scan.end, segment.bytes.len() - 100);
        assert_eq!(seen.scan.next, segment.next);
        assert_eq!(seen.scan.chain, segment.chain);
        assert_eq!(seen.scan.torn_bytes, 0);
    }
}

#[test]
fn names_of_types_are_given_with_their_group() {
    let types = [TypeNameOf::Aggregate, TypeNameOf::Event];
    let segment = Segment::new().group_with(2, &types, |_| {}).group(1);
    let seen = segment.scan(Position::START);
    assert_eq!(seen.positions, [11, 12, 13]);
    assert_eq!((seen.groups, seen.names), (2, 4));
    // Also where the group itself is spoilt.
    let mut bytes = segment.bytes.clone();
    bytes[segment.groups[1] - 30] ^= 1;
    let seen = segment.scan_of(&bytes, Position::START);
    assert_eq!(seen.positions, [11, 12, 13]);
    assert_eq!((seen.groups, seen.names), (1, 4));
}

#[test]
fn a_marker_that_says_another_number_of_events_ends_no_group() {
    for change in [
        |commit: &mut Commit| commit.event_count += 1,
        |commit: &mut Commit| commit.event_count -= 1,
    ] {
        let segment = Segment::new().group(1).group_with(2, &[], change);
        let seen = segment.scan(Position::new(11));
        assert_eq!((seen.groups, seen.positions), (1, vec![11]));
        assert!(seen.scan.torn_bytes > 0 && !seen.scan.damaged);
    }
}

#[test]
fn a_marker_is_found_right_before_an_end() {
    let segment = three_groups();
    let end = segment.bytes.len() - 100;
    let commit = marker_before(&segment.bytes, end, segment.place).unwrap();
    assert_eq!(commit.chain, segment.chain);
    assert_eq!(marker_before(&segment.bytes, end - 1, segment.place), None);
    assert_eq!(marker_before(&segment.bytes, 10, segment.place), None);
}

/// A cut group is never told from a torn one by its bytes: only by what is known to have been acknowledged.
#[test]
fn every_truncation_is_cut_or_damage_as_what_is_known_says() {
    let segment = three_groups();
    for known in (10..=16).map(Position::new) {
        for length in 0..segment.bytes.len() {
            let mut zeroed = segment.bytes.clone();
            zeroed[length..].fill(0);
            for bytes in [&segment.bytes[..length], &zeroed] {
                let seen = segment.scan_of(bytes, known);
                let all: Vec<_> = (11..seen.scan.next.get()).collect();
                assert_eq!(seen.accounted(), all, "known {known}, cut at {length}");
                assert!(seen.scan.next > known, "nothing known is forgotten");
                assert_eq!(seen.scan.damaged, !seen.damage.is_empty());
                assert!(seen.lost().iter().all(|&lost| lost <= known.get()));
            }
        }
    }
}

#[test]
fn every_flipped_bit_costs_one_record_at_most() {
    let segment = three_groups();
    let used = segment.bytes.len() - 100;
    for at in 0..used {
        for bit in 0..8 {
            let mut bytes = segment.bytes.clone();
            bytes[at] ^= 1 << bit;
            let seen = segment.scan_of(&bytes, segment.last_position());
            let what = format!("byte {at}, bit {bit}");
            assert_eq!(seen.damage.len(), 1, "{what}: not noticed");
            assert_eq!(seen.accounted(), (11..=16).collect::<Vec<_>>(), "{what}");
            let record = segment.records.iter().rposition(|&(start, _)| start <= at);
            let (start, is_event) = segment.records[record.unwrap()];
            let marker = segment.groups.iter().chain([&used]);
            let in_marker = marker
                .clone()
                .any(|&group| group > at && group - record::COMMIT_BYTES <= at);
            if !in_marker {
                assert_eq!(seen.damage[0].start, start, "{what}");
            }
            let lost = usize::from(is_event && !in_marker);
            assert_eq!(seen.lost().len(), lost, "{what}: more is lost than was hit");
        }
    }
}

#[test]
fn every_pair_of_damaged_records_loses_what_lies_between_at_most() {
    let segment = three_groups();
    for &(first, _) in &segment.records {
        for &(second, _) in &segment.records {
            let mut bytes = segment.bytes.clone();
            bytes[first + 9] ^= 0x40;
            bytes[second + 10] ^= 0x40;
            let seen = segment.scan_of(&bytes, segment.last_position());
            assert_eq!(
                seen.accounted(),
                (11..=16).collect::<Vec<_>>(),
                "records at {first} and {second}"
            );
            assert!(seen.scan.damaged);
        }
    }
}

#[test]
fn what_is_used_ends_with_the_last_byte_that_is_not_zero() {
    for length in [0, 1, 63, 64, 65, 128, 150] {
        let zeros = vec![0; length];
        assert_eq!(used_bytes(&zeros), 0, "{length} zeros");
        for last in 0..length {
            let mut bytes = zeros.clone();
            bytes[last] = 1;
            bytes[last / 2] = 1;
            assert_eq!(used_bytes(&bytes), last + 1, "of {length}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_judged_and_nothing_is_invented(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        known in 0..40_u64,
    ) {
        let segment = Segment::new();
        let seen = segment.scan_of(&bytes, Position::new(known));
        prop_assert_eq!(&seen.positions, &Vec::<u64>::new());
        prop_assert!(seen.scan.next > Position::new(known) || known < 11);
        prop_assert_eq!(seen.lost().len() as u64, known.saturating_sub(10));
    }

    /// Whatever is done to a segment, no event is given that was not written, none twice, and none known is passed over.
    #[test]
    fn a_mangled_segment_gives_only_what_was_written(
        groups in proptest::collection::vec(1..4_u64, 1..5),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..6),
        known in any::<prop::sample::Index>(),
    ) {
        let segment = groups.iter().fold(Segment::new(), |segment, &events| segment.group(events)).prepared();
        let mut bytes = segment.bytes.clone();
        for (from, to, how, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let (from, to) = (from.min(to), from.max(to));
            match how {
                0 => bytes[from] = byte,
                1 => bytes[from..to].fill(byte),
                2 => bytes.copy_within(from..to, 0),
                _ => bytes.truncate(to.max(1)),
            }
        }
        // What is known to have been acknowledged always ends with a group.
        let ends = groups.iter().scan(10, |end, &events| { *end += events; Some(*end) });
        let known = Position::new([10].into_iter().chain(ends).nth(known.index(groups.len() + 1)).unwrap());
        let seen = segment.scan_of(&bytes, known);
        let all: Vec<_> = (11..seen.scan.next.get()).collect();
        prop_assert_eq!(seen.accounted(), all);
        prop_assert!(seen.scan.next > known);
        prop_assert!(seen.scan.next <= segment.next);
        prop_assert!(seen.positions.is_sorted());
    }
}

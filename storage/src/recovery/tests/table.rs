//! One test for each row of the module's table, in its order.

use super::*;

#[test]
fn zeros_with_nothing_missing_are_prepared_space() {
    let segment = Segment::new().group(2).prepared();
    let seen = segment.scan(segment.last_position());
    assert_eq!(seen.scan.torn_bytes, 0);
    assert_eq!(seen.scan.end, segment.bytes.len() - 100);
    let empty = Segment::new().prepared();
    assert_eq!(empty.scan(Position::new(10)).scan.torn_bytes, 0);
    assert_eq!(empty.scan(Position::new(10)).scan.end, 0);
}

#[test]
fn zeros_where_events_are_known_are_damage() {
    let segment = Segment::new().group(2).prepared();
    for bytes in [
        &segment.bytes[..],
        &segment.bytes[..segment.bytes.len() - 100],
    ] {
        let seen = segment.scan_of(bytes, Position::new(15));
        assert_eq!(seen.positions, [11, 12]);
        assert_eq!(seen.lost(), [13, 14, 15]);
        assert!(seen.scan.damaged);
        assert_eq!(seen.scan.next, Position::new(16));
        assert_eq!(seen.scan.end, segment.bytes.len() - 100);
    }
}

#[test]
fn a_group_without_a_marker_is_torn() {
    let segment = Segment::new().group(2).group(3);
    let torn = &segment.bytes[..segment.bytes.len() - 1];
    let seen = segment.scan_of(torn, Position::new(12));
    assert_eq!(seen.positions, [11, 12]);
    assert_eq!(seen.damage, []);
    assert_eq!(seen.scan.end, segment.groups[1]);
    assert_eq!(seen.scan.next, Position::new(13));
    let bytes = torn.len() - segment.groups[1];
    assert!(
        (bytes - 3..=bytes).contains(&seen.scan.torn_bytes),
        "{:?}",
        seen.scan.torn_bytes
    );
}

#[test]
fn a_marker_before_its_records_is_torn() {
    let segment = Segment::new().group(2).group(3);
    let mut bytes = segment.bytes.clone();
    // The disk wrote the marker's page and not yet the one before it.
    let marker = bytes.len() - record::COMMIT_BYTES;
    bytes[segment.groups[1]..marker].fill(0);
    let seen = segment.scan_of(&bytes, Position::new(12));
    assert_eq!(seen.positions, [11, 12]);
    assert_eq!(seen.damage, []);
    // The marker ends with the zeros of its length, which prepared space has too.
    let torn = bytes.len() - segment.groups[1] - 3;
    assert_eq!(seen.scan.torn_bytes, torn);
}

#[test]
fn a_bad_record_of_a_known_group_is_lost_alone() {
    let segment = Segment::new().group(2).group(3).prepared();
    let mut bytes = segment.bytes.clone();
    let (record, _) = segment.records[5];
    bytes[record + 60] ^= 1;
    let seen = segment.scan_of(&bytes, segment.last_position());
    assert_eq!(seen.positions, [11, 12, 13, 15]);
    assert_eq!(seen.lost(), [14]);
    assert_eq!(seen.scan.chain, segment.chain, "the marker still says it");
    assert_eq!(seen.scan.torn_bytes, 0);
}

#[test]
fn a_bad_record_before_a_later_group_is_lost_alone() {
    let segment = Segment::new().group(3).group(1).prepared();
    let mut bytes = segment.bytes.clone();
    let (record, _) = segment.records[2];
    bytes[record + 60] ^= 1;
    // Nothing is known beside what the later group proves.
    let seen = segment.scan_of(&bytes, Position::START);
    assert_eq!(seen.positions, [11, 13, 14]);
    assert_eq!(seen.lost(), [12]);
    assert_eq!(seen.scan.next, segment.next);
}

#[test]
fn a_lost_marker_before_a_later_group_costs_no_event() {
    let segment = Segment::new().group(3).group(2).prepared();
    let mut bytes = segment.bytes.clone();
    bytes[segment.groups[1] - 30] ^= 1;
    let seen = segment.scan_of(&bytes, Position::START);
    assert_eq!(seen.positions, (11..=15).collect::<Vec<_>>());
    assert_eq!(seen.lost(), Vec::<u64>::new());
    assert_eq!(seen.damage.len(), 1);
    assert_eq!(seen.scan.chain, segment.chain);
}

#[test]
fn a_group_gone_before_a_later_one_is_lost() {
    let segment = Segment::new().group(1).group(3).group(2).prepared();
    let mut bytes = segment.bytes.clone();
    bytes[segment.groups[1]..segment.groups[2]].fill(0xee);
    let seen = segment.scan_of(&bytes, Position::START);
    assert_eq!(seen.positions, [11, 15, 16]);
    assert_eq!(seen.lost(), [12, 13, 14]);
    assert_eq!(
        (seen.damage[0].start, seen.damage[0].end),
        (segment.groups[1], segment.groups[2])
    );
}

#[test]
fn rot_in_the_last_group_keeps_what_verifies() {
    let segment = Segment::new().group(1).group(3);
    let mut bytes = segment.bytes.clone();
    let marker = bytes.len() - record::COMMIT_BYTES;
    bytes[marker + 20] ^= 1;
    let seen = segment.scan_of(&bytes, segment.last_position());
    assert_eq!(seen.positions, (11..=14).collect::<Vec<_>>());
    assert_eq!(seen.lost(), Vec::<u64>::new());
    assert!(seen.scan.damaged, "nothing is written behind it");
    assert_eq!(seen.scan.next, segment.next);
    // Up to the zeros that the marker ends with.
    assert_eq!(seen.scan.end, bytes.len() - 3);
    assert_eq!(seen.damage[0].end, bytes.len() - 3);
}

#[test]
fn bytes_between_two_groups_cost_no_event() {
    let segment = Segment::new().group(2).group(3);
    let mut bytes = segment.bytes.clone();
    let place = segment.groups[1];
    bytes.splice(place..place, [0xee; 40]);
    let seen = segment.scan_of(&bytes, Position::START);
    assert_eq!(seen.positions, (11..=15).collect::<Vec<_>>());
    assert_eq!(seen.lost(), Vec::<u64>::new());
    let damage = seen.damage.iter().map(|damage| (damage.start, damage.end));
    assert_eq!(damage.collect::<Vec<_>>(), [(place, place + 40)]);
    assert_eq!(seen.scan.end, bytes.len());
}

#[test]
fn a_group_that_stands_where_another_should_proves_that_one_lost() {
    let segment = Segment::new().group(2).group(1).group(1);
    let mut bytes = segment.bytes.clone();
    bytes.drain(segment.groups[1]..segment.groups[2]);
    let seen = segment.scan_of(&bytes, Position::START);
    assert_eq!(seen.positions, [11, 12, 14]);
    assert_eq!(seen.lost(), [13]);
    assert!(seen.scan.damaged);
    assert_eq!(seen.scan.next, segment.next);
}

#[test]
fn rot_in_a_last_group_that_was_not_acknowledged_is_torn() {
    let segment = Segment::new().group(1).group(3);
    let mut bytes = segment.bytes.clone();
    let marker = bytes.len() - record::COMMIT_BYTES;
    bytes[marker + 20] ^= 1;
    let seen = segment.scan_of(&bytes, Position::new(11));
    assert_eq!(seen.positions, [11]);
    assert!(seen.scan.torn_bytes > 0);
}

/// Each marker says up to where everything was durable before it: a torn group behind it takes nothing with it.
#[test]
fn a_marker_vouches_for_the_groups_before_it() {
    let segment = Segment::new().group(2).group(1).group(1);
    let mut bytes = segment.bytes.clone();
    bytes[segment.groups[0] + 15] ^= 1;
    bytes.truncate(segment.bytes.len() - 10);
    let seen = segment.scan_of(&bytes, Position::START);
    assert_eq!(seen.positions, [11, 12, 13], "only a name is damaged");
    assert_eq!(seen.damage.len(), 1);
    assert!(seen.scan.torn_bytes > 0);
}

//! Numbers at the ends of their ranges.

use super::*;

#[test]
fn positions_stay_within_their_range() {
    assert_eq!(Position::START.next(), Position::FIRST);
    assert_eq!(Position::START.previous(), Position::START);
    assert_eq!(Position::MAX.next(), Position::MAX);
    assert_eq!(Position::new(5).advanced_by(u64::MAX), Position::MAX);
    assert_eq!(Position::new(5).distance_to(Position::new(9)), 4);
    assert_eq!(Position::new(9).distance_to(Position::new(5)), 0);
    assert_eq!(Position::new(12).to_string(), "12");
}

#[test]
fn versions_end_at_their_last() {
    assert_eq!(Version::NONE.next(), Some(Version::FIRST));
    assert_eq!(Version::MAX.next(), None);
    assert_eq!(Version::new(3).distance_to(Version::new(10)), 7);
    assert_eq!(Version::new(10).distance_to(Version::new(3)), 0);
    assert_eq!(Version::new(3).to_string(), "3");
}

#[test]
fn segments_are_named_by_twelve_digits() {
    assert_eq!(SegmentId::FIRST.next().to_string(), "000000000002");
}

//! Moments at the ends of their range, and the machine's clock.

use super::*;

#[test]
fn moments_stay_within_their_range() {
    assert_eq!(Timestamp::MAX.plus_micros(1), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.plus_micros(-1), Timestamp::MIN);
    assert_eq!(Timestamp::from_micros(-7).plus_micros(9).micros(), 2);
    assert_eq!(Timestamp::from_micros(-7).to_string(), "-7 µs");
}

#[test]
fn the_machines_clock_is_past_this_programs_making() {
    let start_of_2025 = Timestamp::from_micros(1_735_689_600_000_000);
    assert!(SystemClock.now() > start_of_2025);
}

use super::*;

fn part(sequences: impl IntoIterator<Item = u64>) -> OwnPart {
    let mut part = OwnPart::default().in_stream(7);
    part.left = WORTH_WAITING;
    for sequence in sequences {
        part.add(sequence);
    }
    part
}

#[test]
fn a_gap_begins_another_part() {
    let own = part(1..=5_000);
    assert!(own.follows(7, 0) && own.follows(7, 4_999));
    assert_eq!((own.passed(0), own.passed(6_000)), (5_000, 6_000));
    let own = part((1..=5_000).chain(5_002..=9_000));
    assert!(
        !own.follows(7, 0) && !own.follows(7, 5_000),
        "5,001 is another's"
    );
    assert!(own.follows(7, 5_001));
    // One that the broker had before.
    let own = part((1..=5_000).chain([17]));
    assert!(!own.follows(7, 0) && own.follows(7, 16));
    assert_eq!(own.passed(16), 17);
}

#[test]
fn another_stream_is_looked_at() {
    assert!(!part(1..=5_000).follows(8, 0));
    assert!(!part(1..=5_000).in_stream(8).follows(8, 0));
    assert!(part(1..=5_000).in_stream(7).follows(7, 0));
    assert!(!OwnPart::default().follows(0, 0), "nothing was published");
}

#[test]
fn little_is_not_waited_for() {
    let own = part(1..=9);
    assert!(own.is_worth_waiting(7, 0));
    assert!(!own.is_worth_waiting(8, 0));
    let left = WORTH_WAITING - 1;
    assert!(!OwnPart { left, ..own }.is_worth_waiting(7, 0));
}

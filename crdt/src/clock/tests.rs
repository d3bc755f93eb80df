//! Stamps, the hybrid clock, vector clocks and contexts.

use super::*;
use crate::lattice::Lattice;
use crate::replica::DeviceId;

fn device(number: u32) -> DeviceId {
    DeviceId::new(number)
}

#[test]
fn stamps_order_by_time_then_counter_and_carry() {
    assert!(Stamp::new(5, 9) < Stamp::new(6, 0));
    assert_eq!(Stamp::new(5, u16::MAX).next(), Stamp::new(6, 0));
    assert_eq!(Stamp::MAX.next(), Stamp::MAX);
    assert_eq!(Stamp::new(u64::MAX, 3).millis(), Stamp::MILLIS_MAX);
    assert_eq!(
        Stamp::new(7, 0).clamped(Stamp::new(8, 0), Stamp::new(9, 0)),
        Stamp::new(8, 0)
    );
    assert_eq!(
        Stamp::new(10, 0).clamped(Stamp::new(8, 0), Stamp::new(9, 0)),
        Stamp::new(9, 0)
    );
}

/// P19: a device's stamps rise through steps back, restarts and stamps from elsewhere.
#[test]
fn a_hybrid_clock_rises_whatever_the_wall_clock_does() {
    let mut clock = HybridClock::default();
    let first = clock.tick(1_000);
    let second = clock.tick(400);
    assert!(second > first);
    clock.observe(Stamp::new(9_000, 3));
    assert_eq!(clock.tick(2_000), Stamp::new(9_000, 4));
    let mut resumed = HybridClock::resumed(clock.last(), 0);
    assert!(resumed.tick(0) > clock.last());
    resumed.set_offset_ms(-500);
    assert_eq!(
        resumed.tick(20_000),
        Stamp::new(19_500, 0),
        "a wrong clock stamps in the server's time"
    );
}

#[test]
fn vector_clocks_tell_before_after_and_concurrent() {
    let (mut left, mut right) = (VectorClock::new(), VectorClock::new());
    assert_eq!(left.compare(&right), Causality::Equal);
    left.increment(device(1));
    assert_eq!(left.compare(&right), Causality::After);
    assert_eq!(right.compare(&left), Causality::Before);
    right.increment(device(2));
    assert_eq!(left.compare(&right), Causality::Concurrent);
}

#[test]
fn runs_of_a_context_merge_when_they_touch() {
    let mut context = DotContext::new();
    for counter in [1, 3, 5, 2, 4] {
        context.insert(Dot::new(device(1), counter));
    }
    let runs: Vec<_> = context.runs().map(|(_, runs)| runs.to_vec()).collect();
    assert_eq!(runs, [[Run { first: 1, last: 5 }]]);
    assert_eq!(context.next_dot(&device(1)), Dot::new(device(1), 6));
    let mut gaps = DotContext::of([Dot::new(device(1), 2), Dot::new(device(1), 9)]);
    assert!(gaps.gapless().is_empty());
    assert_eq!(gaps.highest().get(&device(1)), 9);
    assert_eq!(
        context
            .without(&gaps)
            .dots()
            .map(|dot| dot.counter)
            .collect::<Vec<_>>(),
        [1, 3, 4, 5]
    );
    gaps.join(&context);
    assert_eq!(gaps.gapless().get(&device(1)), 5);
}

/// A context that claims 2^53 dots costs what its bytes cost.
#[test]
fn a_hostile_context_is_cheap_to_hold_and_to_compare() {
    let mut vast = DotContext::new();
    vast.insert_run(
        device(1),
        Run {
            first: 1,
            last: crate::wire::EXACT_INTEGER_MAX,
        },
    );
    let small = DotContext::of([Dot::new(device(1), 7)]);
    assert!(small.is_included_in(&vast));
    assert_eq!(
        vast.without(&small)
            .runs()
            .map(|(_, runs)| runs.len())
            .sum::<usize>(),
        2
    );
    assert_eq!(vast.dots().take(3).count(), 3);
}

//! Orders that are the same in every log.

use proptest::prelude::*;

use super::*;

proptest! {
    /// Rising times of one log give rising orders, whatever the ids.
    #[test]
    fn one_log_orders_as_it_recorded(at in 0..(1_i64 << 51), later in 1..1_000_i64, ids in any::<(u128, u128)>()) {
        prop_assert!(order(at, ids.0, None) < order(at + later, ids.1, None));
    }

    #[test]
    fn another_log_gives_the_same_order(at in 0..(1_i64 << 51), here in any::<i64>(), id in any::<u128>(), log in any::<u128>(), position in any::<u64>()) {
        let origin = Origin { log, position, recorded_at: at };
        prop_assert_eq!(order(here, id, Some(origin)), order(at, id, None));
        let tag = origin.tag();
        prop_assert_eq!(Origin::of(["user:a", &*tag]), Some(origin));
    }
}

#[test]
fn what_is_no_origin_is_none() {
    for tag in [
        "origin:",
        "origin:1f",
        "origin:x:1:2",
        "origin:1f:1",
        "origin:1f:-1:2",
        "tag:origin:1f:1:2",
    ] {
        assert_eq!(Origin::of([tag]), None, "{tag}");
    }
}

#[test]
fn what_is_not_in_a_log_yet_comes_last_and_in_turn() {
    // In 2112, two seconds before the orders end.
    let last_recorded = order((1 << 52) - 2_000_000, u128::MAX, None);
    assert!(last_recorded < order_of_next(0));
    assert!(order_of_next(0) < order_of_next(1) && order_of_next(u32::MAX) == u64::MAX);
}

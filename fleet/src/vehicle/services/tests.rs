//! What was done last, whatever the order in which it is told, done again and taken back.

use proptest::prelude::*;

use super::*;

fn at(occurred_at: i64) -> Stamp {
    Stamp {
        occurred_at,
        order: 0,
    }
}

#[test]
fn what_is_taken_back_leaves_what_was_done_before() {
    let mut services = Services::default();
    services.done(Some("old"), 100, at(1));
    services.done(Some("new"), 200, at(2));
    services.reopened("new", at(3));
    assert_eq!(
        (services.last_day(), services.last_told()),
        (Some(100), Some(at(1)))
    );
    assert!(services.is_done("old") && !services.is_done("new"));
    // Done again on an earlier day, which puts the day right.
    services.done(Some("new"), 150, at(4));
    assert_eq!(
        (services.last_day(), services.last_told()),
        (Some(150), Some(at(4)))
    );
    services.reopened("old", at(5));
    services.reopened("new", at(6));
    assert_eq!((services.last_day(), services.last_told()), (None, None));
}

#[test]
fn what_names_nothing_stays() {
    let mut services = Services::default();
    services.done(None, 100, at(1));
    services.done(Some("new"), 200, at(2));
    services.reopened("new", at(3));
    assert_eq!(services.last_day(), Some(100));
}

#[test]
fn of_many_the_newest_can_be_taken_back_and_none_is_lost() {
    let mut services = Services::default();
    let count = i64::try_from(DONE_MAX).unwrap() + 5;
    for number in 0..count {
        services.done(Some(&number.to_string()), 100 + number, at(number));
    }
    assert_eq!(services.done.len(), DONE_MAX);
    assert_eq!(services.last_day(), Some(100 + count - 1));
    assert!(!services.is_done("0"), "it cannot be taken back any more");
    for number in 5..count {
        services.reopened(&number.to_string(), at(count + number));
    }
    assert_eq!(services.last_day(), Some(104));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut services = Services::default();
    for number in 0..2_000 {
        services.done(Some(&number.to_string()), number, at(2 * number));
        services.reopened(&number.to_string(), at(2 * number + 1));
    }
    assert_eq!(services.done.len(), DONE_MAX);
    assert_eq!(services.reopened.len(), REOPENED_MAX);
}

/// Which order was told of, and the day it was done on; without a day it was opened again.
type Told = (Option<i32>, Option<i64>);

proptest! {
    #[test]
    fn what_comes_out_does_not_depend_on_the_order(
        // Of few names and of more than are remembered.
        (told, shuffled) in (1..100_i32)
            .prop_flat_map(|names| prop::collection::vec((prop::option::of(0..names), prop::option::of(0_i64..9)), 0..300))
            .prop_map(|told| (0_i64..).zip(told).collect::<Vec<_>>())
            .prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
    ) {
        let folded = |told: &[(i64, Told)]| {
            let mut services = Services::default();
            for (place, (number, day)) in told {
                let name = number.map(|number| number.to_string());
                match (name, day) {
                    (name, Some(day)) => services.done(name.as_deref(), *day, at(*place)),
                    (Some(name), None) => services.reopened(&name, at(*place)),
                    (None, None) => {}
                }
            }
            services
        };
        prop_assert_eq!(folded(&told), folded(&shuffled));
    }
}

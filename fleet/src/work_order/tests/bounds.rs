//! The bounds that an order names itself: when it may begin, and by when it has to be done.

use super::around::{HOUR_TEN, check, planned, west_of_utc};
use super::*;
use crate::testing::NOW;

#[test]
fn the_bounds_of_the_order_itself_hold() {
    let bound = |more| planned("V", "W", HOUR_TEN, "2026-11-02T14:00:00Z", more);
    check(
        &bound(json!({ "hard_deadline_ts": "2026-11-02T13:00:00Z" })),
        &[],
        Some("too_late"),
    );
    check(
        &bound(json!({ "earliest_start_ts": "2026-11-02T11:00:00Z" })),
        &[],
        Some("too_early"),
    );
    check(
        &bound(
            json!({ "hard_deadline_ts": "2026-11-02T14:00:00Z", "earliest_start_ts": HOUR_TEN }),
        ),
        &[],
        None,
    );
}

/// The day on which it had to be done was over with its first moment.
#[test]
fn a_deadline_that_is_a_day_is_met_until_that_day_is_over() {
    let until = |end: &str, deadline: &str| {
        let bound = json!({ "hard_deadline_ts": deadline });
        planned("V", "W", HOUR_TEN, end, bound)
    };
    let day = "2026-11-02";
    for end in ["2026-11-02T14:00:00Z", "2026-11-03T01:00:00Z"] {
        check(&until(end, day), &[], None);
    }
    let late = until("2026-11-03T01:00:00.000001Z", day);
    check(&late, &[], Some("too_late"));
    let moment = until("2026-11-02T14:00:00Z", "2026-11-02T13:59:59Z");
    check(&moment, &[], Some("too_late"));
    let around = Around {
        workshop: None,
        track: None,
        team: None,
        others: &[],
        transfers: &[],
    };
    let told = |order: &Folded| check_plan(order, &around, NOW, west_of_utc).unwrap_err();
    let why = "It ends after its deadline, 2026-11-02";
    assert_eq!(told(&late).message, why);
    let why = "It ends after its deadline, 2026-11-02T13:59:59.000000Z";
    assert_eq!(told(&moment).message, why);
}

use super::*;

#[track_caller]
fn check(found: f64, expected: f64) {
    assert!(
        (found / expected - 1.0).abs() < 1e-4,
        "{found} instead of {expected}"
    );
}

#[test]
fn intervals_agree_with_the_tables_of_chi_squared() {
    // χ²(0.975; 12) = 23.3367, χ²(0.025; 10) = 3.24697.
    let five = mean_between(1_000.0, 5, 0.95).unwrap();
    check(five.mean.unwrap(), 200.0);
    check(five.low, 2_000.0 / 23.336_7);
    check(five.high.unwrap(), 2_000.0 / 3.246_97);
    // χ²(0.95; 200) = 233.994, χ²(0.05; 200) = 168.279.
    check(mean_between(1.0, 99, 0.90).unwrap().low, 2.0 / 233.994);
    let hundred = mean_between(1.0, 100, 0.90).unwrap();
    check(hundred.high.unwrap(), 2.0 / 168.279);
}

#[test]
fn without_events_only_the_lower_end_is_known() {
    let none = mean_between(3_724.0, 0, 0.95).unwrap();
    assert_eq!((none.mean, none.high), (None, None));
    check(none.low, 1_243.11);
    assert_eq!(mean_between(0.0, 0, 0.95), None);
    assert_eq!(mean_between(0.0, 3, 0.95), None);
}

#[test]
fn the_interval_holds_the_mean_and_narrows_with_events() {
    let mut width = f64::INFINITY;
    for events in [1, 2, 5, 20, 100, 10_000] {
        let found = mean_between(100.0, events, 0.95).unwrap();
        let (mean, high) = (found.mean.unwrap(), found.high.unwrap());
        assert!(found.low < mean && mean < high, "{found:?}");
        assert!((high - found.low) / mean < width);
        width = (high - found.low) / mean;
    }
}

#[test]
fn a_workshop_with_hard_jobs_is_not_punished() {
    let hard = standing(Performance {
        orders: 40,
        actual_hours: 400.0,
        expected_hours: 400.0,
        variance: 1_600.0,
    })
    .unwrap();
    check(hard.ratio, 1.0);
    assert!(hard.low < 1.0 && 1.0 < hard.high && hard.ranked);
    check(hard.funnel.1, 1.0 + 1.959_96 * 0.1);
    let small = standing(Performance {
        orders: 19,
        actual_hours: 10.0,
        expected_hours: 100.0,
        variance: 100.0,
    })
    .unwrap();
    assert!(!small.ranked && small.high < small.funnel.0);
    assert_eq!(
        standing(Performance {
            orders: 0,
            actual_hours: 0.0,
            expected_hours: 0.0,
            variance: 0.0
        }),
        None
    );
}

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * SECOND)
}

#[test]
fn some_tries_are_free_and_then_the_delay_doubles() {
    let mut throttle = Throttle::new(3);
    for _ in 0..3 {
        assert_eq!(throttle.check("anna", at(0)), Ok(()));
        throttle.failed("anna", at(0));
    }
    assert_eq!(throttle.check("anna", at(0)), Err(2));
    assert_eq!(throttle.check("bert", at(0)), Ok(()));
    assert_eq!(throttle.check("anna", at(1)), Ok(()));
    throttle.failed("anna", at(1));
    assert_eq!(throttle.check("anna", at(2)), Err(2));
    assert_eq!(throttle.check("anna", at(3)), Ok(()));
}

/// What reliability asks: a thousand guesses in a row let at most twenty through.
#[test]
fn a_thousand_guesses_in_ten_minutes_are_mostly_stopped() {
    let mut throttle = Throttle::new(5);
    let mut tried = 0;
    for guess in 0..1_000 {
        let now = at(guess * 600 / 1_000);
        if throttle.check("anna", now).is_ok() {
            throttle.failed("anna", now);
            tried += 1;
        }
    }
    assert!((6..=20).contains(&tried), "{tried}");
}

#[test]
fn the_delay_is_bounded_and_an_hour_of_quiet_forgives() {
    let mut throttle = Throttle::new(1);
    for _ in 0..1_000 {
        throttle.failed("anna", at(0));
    }
    assert_eq!(throttle.check("anna", at(0)), Err(901));
    assert_eq!(throttle.check("anna", at(MEMORY_SECONDS + 1)), Ok(()));
    throttle.failed("anna", at(MEMORY_SECONDS + 1));
    assert_eq!(
        throttle.check("anna", at(MEMORY_SECONDS + 2)),
        Ok(()),
        "one failure, one second of delay"
    );
}

#[test]
fn a_clock_that_was_put_back_locks_nobody_out() {
    let mut throttle = Throttle::new(1);
    for _ in 0..10 {
        throttle.failed("anna", at(100_000));
    }
    assert!(throttle.check("anna", at(99_990)).is_err());
    assert_eq!(throttle.check("anna", at(0)), Ok(()));
    throttle.failed("anna", at(0));
    assert_eq!(throttle.check("anna", at(0)), Err(2), "it counts anew");
}

#[test]
fn success_forgives_at_once() {
    let mut throttle = Throttle::new(1);
    throttle.failed("anna", at(0));
    assert!(throttle.check("anna", at(0)).is_err());
    throttle.succeeded("anna");
    assert_eq!(throttle.check("anna", at(0)), Ok(()));
}

#[test]
fn one_success_takes_back_one_failure() {
    let mut throttle = Throttle::new(2);
    for _ in 0..3 {
        throttle.failed("10.0.0.1", at(0));
    }
    throttle.forgive_one("10.0.0.1");
    assert!(throttle.check("10.0.0.1", at(0)).is_err());
    throttle.forgive_one("10.0.0.1");
    assert_eq!(throttle.check("10.0.0.1", at(0)), Ok(()));
    throttle.forgive_one("nobody");
}

#[test]
fn memory_is_bounded_under_a_flood_of_names() {
    let mut throttle = Throttle::new(5);
    for name in 0..100_000_i64 {
        throttle.failed(&name.to_string(), at(name / 1_000));
    }
    assert!(
        throttle.failures.len() <= ENTRIES_MAX,
        "{}",
        throttle.failures.len()
    );
    assert!(throttle.failures.contains_key("99999"));
}

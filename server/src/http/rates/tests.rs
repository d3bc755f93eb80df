use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::http::access::ROUTES;

const POLICY: Policy = Policy {
    class: Class::Events,
    rate: Rate {
        requests: 3,
        window: Duration::from_secs(60),
    },
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000_000_000 + seconds * fleet::calendar::SECOND)
}

fn account(number: u128) -> Asker<'static> {
    Asker::Account(Uuid::from_u128(number))
}

/// Whether it passed, what is left, when the bucket is full again, and how long to wait.
fn ask(buckets: &Buckets, asker: &Asker<'_>, now: Timestamp) -> (u32, u64, Option<u64>) {
    let standing = buckets.take(POLICY, asker, now);
    (
        standing.remaining,
        standing.full_seconds,
        standing.wait_seconds,
    )
}

#[test]
fn a_whole_window_may_come_at_once_and_comes_back_evenly() {
    let buckets = Buckets::default();
    assert_eq!(ask(&buckets, &account(1), at(0)), (2, 20, None));
    assert_eq!(ask(&buckets, &account(1), at(0)), (1, 40, None));
    assert_eq!(ask(&buckets, &account(1), at(0)), (0, 60, None));
    assert_eq!(ask(&buckets, &account(1), at(0)), (0, 60, Some(20)));
    // Who is refused is not set back by asking.
    assert_eq!(ask(&buckets, &account(1), at(19)), (0, 41, Some(1)));
    assert_eq!(ask(&buckets, &account(1), at(20)), (0, 60, None));
    assert_eq!(ask(&buckets, &account(2), at(20)), (2, 20, None));
    assert_eq!(ask(&buckets, &account(1), at(1_000)), (2, 20, None));
}

#[test]
fn nobody_waits_for_a_clock_that_was_put_back() {
    let buckets = Buckets::default();
    for _ in 0..3 {
        ask(&buckets, &account(1), at(100_000));
    }
    // By less than can be told from requests of one moment, it is as before.
    assert_eq!(ask(&buckets, &account(1), at(99_999)).2, Some(20));
    assert_eq!(ask(&buckets, &account(1), at(0)), (2, 20, None));
    assert_eq!(ask(&buckets, &account(1), at(0)), (1, 40, None));
    assert_eq!(ask(&buckets, &account(1), at(0)), (0, 60, None));
    assert_eq!(ask(&buckets, &account(1), at(0)).2, Some(20));
}

#[test]
fn an_ipv6_network_is_one_asker_and_a_mapped_address_is_the_ipv4_one() {
    let buckets = Buckets::default();
    let address = |text: &str| Asker::Address(text.parse().unwrap());
    ask(&buckets, &address("2001:db8::1"), at(0));
    assert_eq!(ask(&buckets, &address("2001:db8::ffff:2"), at(0)).0, 1);
    assert_eq!(ask(&buckets, &address("2001:db8:0:1::1"), at(0)).0, 2);
    ask(&buckets, &address("192.0.2.1"), at(0));
    assert_eq!(ask(&buckets, &address("::ffff:192.0.2.1"), at(0)).0, 1);
    assert_eq!(ask(&buckets, &address("192.0.2.2"), at(0)).0, 2);
}

#[test]
fn a_flood_of_askers_is_bounded_and_keeps_who_asked_most() {
    let buckets = Buckets::default();
    for _ in 0..3 {
        ask(&buckets, &Asker::Address([192, 0, 2, 1].into()), at(0));
        ask(&buckets, &account(1), at(0));
    }
    for number in 0..3 * u32::try_from(BUCKETS_MAX).unwrap() {
        ask(
            &buckets,
            &Asker::Address(Ipv4Addr::from_bits(number).into()),
            at(1),
        );
    }
    assert!(buckets.addresses.lock().unwrap().len() <= BUCKETS_MAX);
    assert!(
        ask(&buckets, &Asker::Address([192, 0, 2, 1].into()), at(2))
            .2
            .is_some()
    );
    assert!(
        ask(&buckets, &account(1), at(2)).2.is_some(),
        "addresses drive no account out"
    );
}

/// So that a new route does not slip into a class by its spelling unseen.
#[test]
fn every_route_is_in_the_class_that_people_expect() {
    let expected = [
        ("POST", "/api/v1/auth/login", Some(Class::Login)),
        ("GET", "/api/v1/auth/me", Some(Class::Read)),
        ("GET", "/api/v1/vehicles", Some(Class::List)),
        ("GET", "/api/v1/vehicles/{vehicle_id}", Some(Class::Read)),
        ("PATCH", "/api/v1/vehicles/{vehicle_id}", Some(Class::Write)),
        ("POST", "/api/v1/events/batch", Some(Class::Events)),
        ("GET", "/api/v1/events", Some(Class::Events)),
        ("POST", "/api/v1/sync/crdt/push", Some(Class::Sync)),
        ("POST", "/api/v1/crdt/sync/pull", Some(Class::Sync)),
        ("GET", "/api/v1/analytics/kpis", Some(Class::Analytics)),
        (
            "POST",
            "/api/v1/compliance/gdpr-report",
            Some(Class::Analytics),
        ),
        (
            "POST",
            "/api/v1/compliance/erase/{subject}",
            Some(Class::Write),
        ),
        ("POST", "/api/v1/time-travel/compare", Some(Class::List)),
        ("POST", "/api/v1/time-travel/restore", Some(Class::Write)),
        ("POST", "/api/v1/ml/predict", Some(Class::Prediction)),
        (
            "GET",
            "/api/v1/ml/predict/demand/{part_id}",
            Some(Class::Prediction),
        ),
        ("GET", "/api/v1/ml/predictions/stats", Some(Class::List)),
        ("POST", "/api/v1/ml/train", Some(Class::Training)),
        ("POST", "/api/v1/ml/models/train", Some(Class::Training)),
        ("GET", "/health", None),
        ("GET", "/api/v1/metrics", None),
        ("GET", "/app/{*rest}", None),
    ];
    for (method, path, class) in expected {
        assert!(
            ROUTES
                .iter()
                .any(|line| line.method == method && line.path == path),
            "{path}"
        );
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(class_of(&method, path), class, "{method} {path}");
    }
    let unlimited: Vec<&str> = ROUTES
        .iter()
        .filter(|line| class_of(&line.method, line.path).is_none())
        .map(|line| line.path)
        .collect();
    let pages = [
        "/",
        "/health",
        "/ready",
        "/metrics",
        "/api/v1/health",
        "/api/v1/ready",
        "/api/v1/metrics",
        "/openapi.json",
        "/app",
        "/app/",
        "/app/{*rest}",
        "/docs",
        "/docs/",
        "/docs/{*rest}",
    ];
    assert_eq!(unlimited, pages);
}

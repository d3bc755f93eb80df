use super::*;

fn claim(key: &'static str, at: (i64, bool, u32), value: &'static str) -> Claim {
    Claim {
        key,
        at,
        value: value.into(),
    }
}

fn aggregate(claims: Vec<Claim>, wanted: &'static str) -> Aggregate {
    let (_, mapping) = crate::mapping::mapping_of("work_orders").unwrap();
    let stream = StreamName::new("WorkOrder", "1");
    let mut aggregate = Aggregate::new(mapping, "1".to_owned(), stream, Standing::New);
    aggregate.claims = claims;
    aggregate.wanted = vec![("status", wanted.into())];
    aggregate
}

#[test]
fn what_happened_last_settles_a_key() {
    let in_order = vec![
        claim("status", (10, false, 0), "\"draft\""),
        claim("status", (20, true, 1), "\"completed\""),
    ];
    assert!(aggregate(in_order, "\"completed\"").unsettled().is_empty());
    let back = vec![
        claim("status", (10, false, 0), "\"draft\""),
        claim("status", (5, true, 1), "\"completed\""),
    ];
    assert_eq!(
        aggregate(back, "\"completed\"").unsettled(),
        [("status", "\"completed\"".into())]
    );
    let at_once = vec![
        claim("status", (10, false, 0), "\"draft\""),
        claim("status", (10, true, 1), "\"completed\""),
    ];
    assert!(
        aggregate(at_once, "\"completed\"").unsettled().is_empty(),
        "behind the first of its own time"
    );
}

#[test]
fn a_key_that_nothing_claims_is_left_alone() {
    assert!(aggregate(Vec::new(), "null").unsettled().is_empty());
}

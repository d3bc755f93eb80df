//! Ids that the log makes.

use std::collections::HashSet;

use super::*;

#[test]
fn an_id_is_a_version_7_uuid_of_its_time() {
    let mut source = IdSource::new();
    let id = source.next(Timestamp::from_micros(1_700_000_000_123_456));
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
    assert_eq!(id.as_u128() >> 80, 1_700_000_000_123);
}

#[test]
fn times_before_1970_have_ids_too() {
    let id = IdSource::new().next(Timestamp::MIN);
    assert_eq!(id.as_u128() >> 80, 0);
}

#[test]
fn ids_of_one_moment_differ_and_so_do_sources() {
    let at = Timestamp::from_micros(1);
    let (mut first, mut second) = (IdSource::new(), IdSource::new());
    let ids: HashSet<_> = (0..20_000)
        .flat_map(|_| [first.next(at), second.next(at)])
        .collect();
    assert_eq!(ids.len(), 40_000);
}

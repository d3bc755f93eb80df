//! Lists joined and narrowed, and queries that name what the log does not know.

use proptest::prelude::*;

use super::*;
use crate::event::StreamName;
use crate::index::MemoryIndex;

proptest! {
    #[test]
    fn narrowing_is_intersection(
        first in proptest::collection::btree_set(0..60_u32, 0..40),
        second in proptest::collection::btree_set(0..60_u32, 0..40),
    ) {
        let mut found = None;
        narrow(&mut found, first.iter().copied().collect());
        narrow(&mut found, second.iter().copied().collect());
        prop_assert_eq!(found.unwrap(), first.intersection(&second).copied().collect::<Vec<_>>());
    }
}

#[test]
fn unknown_names_match_nothing() {
    let names = Names::new(None);
    let index = SegmentIndex::Memory(MemoryIndex::new());
    for query in [
        Query::stream(StreamName::new("Vehicle", "a")),
        Query::event_types(["Created"]),
        Query::aggregate_types(["Vehicle"]),
        Query::tags(["user:anna"]),
    ] {
        let matcher = Matcher::new(&query, &names);
        assert!(!matcher.is_all());
        assert_eq!(
            matcher.ordinals(&index, 0, u32::MAX),
            Ok(vec![]),
            "{query:?}"
        );
    }
}

/// One item without clauses matches everything, whatever the others say.
#[test]
fn an_empty_item_makes_a_query_of_everything() {
    let names = Names::new(None);
    let mut query = Query::tags(["user:anna"]);
    assert!(!query.is_all());
    query.items.push(QueryItem::default());
    assert!(query.is_all() && Matcher::new(&query, &names).is_all());
    assert!(Matcher::new(&Query::all(), &names).is_all());
}

#[test]
fn everything_of_an_empty_segment_is_nothing() {
    let matcher = Matcher::new(&Query::all(), &Names::new(None));
    let index = SegmentIndex::Memory(MemoryIndex::new());
    assert_eq!(matcher.ordinals(&index, 0, u32::MAX), Ok(vec![]));
    assert_eq!(matcher.ordinals(&index, 1, 0), Ok(vec![]));
}

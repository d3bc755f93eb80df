//! Numbers for names, names for numbers, and what damaged name records leave.

use super::*;

#[test]
fn names_and_numbers_find_each_other() {
    let names = Names::new(None);
    names.add_type(TypeNameOf::Aggregate, 0, "Vehicle");
    names.add_type(TypeNameOf::Aggregate, 1, "Part");
    names.add_type(TypeNameOf::Event, 0, "Created");
    names.add_stream(0, 0, "a/ü 1");
    names.add_stream(1, 1, "a/ü 1");
    let vehicle = StreamName::new("Vehicle", "a/ü 1");
    let part = StreamName::new("Part", "a/ü 1");
    assert_eq!(names.stream_number(&vehicle), Some(0));
    assert_eq!(names.stream_number(&part), Some(1));
    assert_eq!(names.stream_number(&StreamName::new("Part", "b")), None);
    assert_eq!(
        (names.stream(0), names.stream(1)),
        (vehicle.borrowed(), part.borrowed())
    );
    assert_eq!(names.aggregate_type_of(1), Some(1));
    assert_eq!(names.type_number(TypeNameOf::Aggregate, "Part"), Some(1));
    assert_eq!(names.type_number(TypeNameOf::Event, "Part"), None);
    assert_eq!(names.event_type(0), "Created");
    assert_eq!(names.aggregate_type(1), "Part");
    assert_eq!(names.stream_count(), 2);
    assert_eq!(
        names.types(TypeNameOf::Aggregate),
        ["Vehicle".into(), "Part".into()]
    );
}

#[test]
fn a_name_that_is_known_already_changes_nothing() {
    let names = Names::new(None);
    names.add_type(TypeNameOf::Event, 0, "Created");
    names.add_type(TypeNameOf::Event, 0, "Other");
    names.add_type(TypeNameOf::Aggregate, 0, "Vehicle");
    names.add_stream(0, 0, "a");
    names.add_stream(0, 0, "b");
    assert_eq!(names.event_type(0), "Created");
    assert_eq!(names.stream(0), StreamName::new("Vehicle", "a"));
    assert_eq!(names.stream_number(&StreamName::new("Vehicle", "b")), None);
    assert_eq!(names.stream_count(), 1);
}

/// A new name must not get the number of one whose record is damaged.
#[test]
fn lost_names_keep_their_numbers() {
    let names = Names::new(None);
    names.keep_numbers(4, 2);
    assert_eq!(names.stream_count(), 5);
    assert_eq!(names.types(TypeNameOf::Event).len(), 3);
    assert_eq!(names.event_type(2), UNREADABLE);
    assert_eq!(names.stream(4).aggregate_id, UNREADABLE);
    assert_eq!(names.aggregate_type_of(4), None);
    // Another copy of the record, such as an index's, still explains it.
    names.add_type(TypeNameOf::Event, 2, "Created");
    names.add_stream(4, 0, "a");
    assert_eq!(names.event_type(2), "Created");
    assert_eq!(names.type_number(TypeNameOf::Event, "Created"), Some(2));
    assert_eq!(names.stream(4).aggregate_id, "a");
    names.keep_numbers(4, 2);
    assert_eq!(names.stream_count(), 5);
    // What stands in for a lost name has no number, and a name that says the same has its own.
    assert_eq!(names.type_number(TypeNameOf::Event, UNREADABLE), None);
    names.add_type(TypeNameOf::Event, 3, UNREADABLE);
    assert_eq!(names.type_number(TypeNameOf::Event, UNREADABLE), Some(3));
    // A stream's type may be lost as well.
    names.add_stream(5, 9, "b");
    assert_eq!(names.types(TypeNameOf::Aggregate).len(), 10);
    assert!(!names.knows(Name::Stream(5)));
    let stand_in = StreamName::new(UNREADABLE, "b");
    assert_eq!(names.stream_number(&stand_in), None);
}

#[test]
fn numbers_nobody_has_are_unreadable() {
    let names = Names::new(None);
    assert_eq!(names.event_type(u16::MAX), UNREADABLE);
    assert_eq!(names.aggregate_type(7), UNREADABLE);
    assert_eq!(names.stream(u32::MAX).aggregate_type, UNREADABLE);
    assert_eq!(names.aggregate_type_of(u32::MAX), None);
}

#[test]
fn names_are_read_while_they_are_added() {
    let names = Names::new(None);
    names.add_type(TypeNameOf::Aggregate, 0, "Vehicle");
    names.reserve_streams(10);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..2_000).for_each(|number| names.add_stream(number, 0, &format!("{number}")))
        });
        for _ in 0..3 {
            scope.spawn(|| {
                while names.stream_count() < 2_000 {
                    let last = names.stream_count().saturating_sub(1);
                    if names.stream_count() > 0 {
                        let name = names.stream(last);
                        assert_eq!(name.aggregate_id, format!("{last}"));
                        assert_eq!(names.stream_number(&name.to_name()), Some(last));
                    }
                }
            });
        }
    });
    assert_eq!(format!("{names:?}"), "Names { streams: 2000, .. }");
}

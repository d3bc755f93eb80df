//! The alias rule.

use proptest::prelude::*;

use super::*;

#[test]
fn the_suffix_adds_nothing() {
    assert_eq!(canonical("VehicleCreatedEvent"), "VehicleCreated");
    assert_eq!(canonical("VehicleCreated"), "VehicleCreated");
    assert_eq!(canonical("TimetableEventEvent"), "Timetable");
    assert_eq!(canonical("Event"), "Event");
    assert_eq!(canonical("EventEvent"), "Event");
    assert_eq!(canonical("Eventful"), "Eventful");
    assert_eq!(canonical(""), "");
    assert!(!same("VehicleCreated", "VehicleDeleted"));
}

proptest! {
    #[test]
    fn every_type_equals_its_suffixed_form(name in "([A-Z][a-z]{0,5}|Event){1,4}") {
        let suffixed = format!("{name}Event");
        prop_assert!(same(&name, &suffixed));
        prop_assert_eq!(canonical(canonical(&name)), canonical(&name));
        prop_assert!(!canonical(&name).is_empty());
        prop_assert!(spellings(&name).iter().all(|spelling| same(spelling, &name)));
    }
}

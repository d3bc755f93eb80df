//! The plan's arithmetic by hand, and that the page says what it prints.

use super::*;

#[test]
fn the_numbers_follow_from_the_costs() {
    let fleet = Fleet::asked();
    let plan = plan(&fleet, &Costs::measured());
    // 2,000 vehicles x 12 events x 3,652.5 days.
    assert_eq!(plan.depot.events, 87_660_000.0);
    assert_eq!(plan.headquarters.events, 40.0 * plan.depot.events);
    assert_eq!(plan.depot.disk_whole, 87_660_000.0 * 387.0);
    assert_eq!(plan.depot.memory_figures, 87_660_000.0 * 59.0);
    assert!((plan.depot.start_figures - 66.4).abs() < 0.1, "{plan:?}");
    // 24,000 events a day at 17.5 µs are 0.42 s of 86,400.
    assert!((plan.depot.cpu - 0.42 / 86_400.0).abs() < 1e-9, "{plan:?}");
    assert_eq!(plan.broker, 960_000.0 * 30.0 * 500.0);
}

#[test]
fn an_archive_leaves_a_year_and_what_stays_of_the_rest() {
    let mut fleet = Fleet::asked();
    let tiered = plan(&fleet, &Costs::measured()).depot;
    let year = 24_000.0 * 365.0;
    let costs = Costs::measured();
    let stays = costs.index_bytes + 16.0;
    let expected = year * 387.0 + (tiered.events - year) * stays;
    assert!((tiered.disk_tiered - expected).abs() < 1.0);
    fleet.kept_days = f64::INFINITY;
    let whole = plan(&fleet, &Costs::measured()).depot;
    assert_eq!((whole.disk_tiered, whole.archived), (whole.disk_whole, 0.0));
}

#[test]
fn more_costs_more_and_what_breaks_first_stands_first() {
    let (fleet, costs) = (Fleet::asked(), Costs::measured());
    let twice = Fleet {
        vehicles: 4_000.0,
        ..fleet
    };
    let (one, two) = (plan(&fleet, &costs), plan(&twice, &costs));
    assert_eq!(two.depot.events, 2.0 * one.depot.events);
    assert!(two.depot.memory > one.depot.memory && two.broker == 2.0 * one.broker);
    let bounds = bounds(&fleet, &costs, 16e9, 1e12);
    assert!(bounds.is_sorted_by(|left, right| left.events <= right.events));
    assert!(bounds[0].what.starts_with("memory"), "{bounds:?}");
    // At that size the memory is just full.
    let years = fleet.years * bounds[0].events / one.depot.events;
    let then = plan(&Fleet { years, ..fleet }, &costs).depot;
    assert!((then.memory / 16e9 - 1.0).abs() < 0.01, "{then:?}");
}

#[test]
fn the_page_says_what_the_program_prints() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scale.md");
    let page = std::fs::read_to_string(path).unwrap();
    let printed = markdown(&Fleet::asked(), &Costs::measured(), 16e9, 1e12);
    assert!(page.contains(&printed), "docs/scale.md lacks:\n{printed}");
}

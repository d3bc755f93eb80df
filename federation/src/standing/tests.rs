use super::*;

#[test]
fn strangers_fill_nothing() {
    let mut inner = Inner::default();
    let most = DEPOTS_MAX as u128;
    for log in 0..most {
        assert!(inner.depot(log, false).is_some());
    }
    assert!(inner.depot(most, false).is_none());
    assert!(inner.depot(7, false).is_some(), "it is known");
    assert!(inner.depot(most, true).is_some(), "it signed what came");
    assert!(inner.depot(most, false).is_some());
    assert_eq!(inner.depots.len(), DEPOTS_MAX + 1);
}

#[test]
fn a_long_name_is_cut_where_a_letter_ends() {
    let mut depot = Depot::default();
    depot.call(&"ü".repeat(NAME_BYTES_MAX));
    assert_eq!(depot.name, "ü".repeat(NAME_BYTES_MAX / 2));
    depot.call(&format!("a{}", "ü".repeat(NAME_BYTES_MAX)));
    assert_eq!(depot.name.len(), NAME_BYTES_MAX - 1);
    depot.call("Süd");
    assert_eq!(depot.name, "Süd");
}

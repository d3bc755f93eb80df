use super::*;

#[test]
fn data_has_the_size_asked_for_and_is_json() {
    let id = Seeded::new(7).id();
    for bytes in [*DATA_BYTES.start(), 33, 300, 4_096] {
        let data = data_of(id, bytes);
        assert_eq!(data.len(), bytes);
        assert!(
            serde_json::from_slice::<serde_json::Value>(&data)
                .unwrap()
                .is_object()
        );
        assert!(is_genuine(id, &data));
    }
}

#[test]
fn another_events_data_and_changed_data_are_not_genuine() {
    let mut ids = Seeded::new(7);
    let (one, other) = (ids.id(), ids.id());
    let data = data_of(one, 300);
    assert!(!is_genuine(other, &data));
    for at in 0..data.len() {
        let mut changed = data.clone();
        changed[at] ^= 1;
        assert!(!is_genuine(one, &changed), "byte {at}");
    }
    assert!(!is_genuine(one, &data[..200]));
}

#[test]
fn a_seed_replays() {
    let (mut one, mut same, mut other) = (Seeded::new(1), Seeded::new(1), Seeded::new(2));
    let ids: Vec<Uuid> = (0..100).map(|_| one.id()).collect();
    assert!(ids.iter().all(|id| *id == same.id()));
    assert_ne!(ids[0], other.id());
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), ids.len());
}

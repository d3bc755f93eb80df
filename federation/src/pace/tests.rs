use super::*;

#[test]
fn what_federation_appends_is_no_clients() {
    let mut seen = Seen {
        own: 10,
        ..Seen::default()
    };
    let now = Instant::now();
    assert!(!seen.look(10, now), "nothing was appended since");
    seen.foreign += 100;
    assert!(!seen.look(10, now), "about to be appended");
    assert!(!seen.look(110, now));
    assert!(seen.look(111, now), "one was a client's");
}

#[test]
fn clients_are_beside_for_a_while() {
    let mut seen = Seen::default();
    let first = Instant::now();
    assert!(seen.look(1, first));
    let moment = Duration::from_millis(1);
    assert!(seen.look(1, first + APPENDING_FOR - moment));
    assert!(!seen.look(1, first + APPENDING_FOR));
    assert!(seen.look(2, first + APPENDING_FOR));
}

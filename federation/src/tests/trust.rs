//! What is not a depot's own, or is not as it was published, and what a log can never take.

use super::*;
use crate::broker::{event_subject, presence_subject};
use crate::standing::DEPOTS_MAX;

/// What somebody puts into the stream in a depot's name.
fn publish_raw(runtime: &Runtime, nats: &NatsServer, log: Uuid, payload: Vec<u8>) {
    let session = session(runtime, nats);
    let subject = event_subject(log, "Vehicle");
    let sent = async {
        let sent = session.jetstream.publish(subject, payload.into());
        sent.await.unwrap().await.unwrap()
    };
    runtime.block_on(sent);
}

/// The messages of the stream, in its order.
fn stream_of(runtime: &Runtime, nats: &NatsServer) -> Vec<(u64, Vec<u8>)> {
    let session = session(runtime, nats);
    runtime.block_on(async {
        let state = session.stream.get_info().await.unwrap().state;
        let mut messages = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            if let Ok(message) = session.stream.get_raw_message(sequence).await {
                messages.push((sequence, message.payload.to_vec()));
            }
        }
        messages
    })
}

fn refused_at(depot: &Depot) -> Option<Refused> {
    let depots = depot.standing().depots;
    depots.into_iter().find_map(|other| other.refused)
}

#[test]
fn a_message_that_was_changed_is_refused_and_comes_whole() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let (mut nord, mut south) = (Depot::new("Nord"), Depot::new("Süd"));
    nord.kept_for = Duration::from_secs(20);
    nord.join(&runtime, &nats.address());
    for _ in 0..3 {
        nord.happen("1", "note");
    }
    wait_until("publishing", || nord.standing().published.get() == 3);
    // The second one is exchanged for another that says something else.
    let stream = stream_of(&runtime, &nats);
    let (sequence, mut changed) = stream[1].clone();
    let session = session(&runtime, &nats);
    assert!(
        runtime
            .block_on(session.stream.delete_message(sequence))
            .unwrap()
    );
    let end = changed.len() - 2;
    changed[end] ^= 1;
    publish_raw(&runtime, &nats, nord.log().log_id(), changed.clone());
    south.kept_for = nord.kept_for;
    south.join(&runtime, &nats.address());
    wait_until("being refused", || refused_at(&south).is_some());
    assert!(refused_at(&south).unwrap().reason.contains("signature"));
    assert!(south.ids().len() < 3);
    // It is asked for, and comes as it was once the broker does not take it for a repetition.
    assert_agree(&[&nord, &south], 3);
    wait_until("going on", || refused_at(&south).is_none());
    let other = &south.standing().depots[0];
    assert_eq!((other.received, other.key), (3, Some(nord.key.public())));
    // What is forged from nothing stays out, and nobody waits for it.
    publish_raw(&runtime, &nats, nord.log().log_id(), b"something".to_vec());
    publish_raw(&runtime, &nats, nord.log().log_id(), changed);
    nord.happen("1", "note");
    assert_agree(&[&nord, &south], 4);
    // Nor does its own depot take it for a copy of itself, when it begins anew behind it.
    publish_raw(&runtime, &nats, nord.log().log_id(), b"something".to_vec());
    nord.restart(&runtime, &nats.address());
    nord.happen("1", "note");
    assert_agree(&[&nord, &south], 5);
}

#[test]
fn a_depot_with_another_key_is_refused_until_it_is_trusted() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let (mut nord, mut south) = (Depot::new("Nord"), Depot::new("Süd"));
    for depot in [&mut nord, &mut south] {
        depot.kept_for = Duration::from_secs(10);
        depot.join(&runtime, &nats.address());
    }
    nord.happen("1", "note");
    assert_agree(&[&nord, &south], 1);
    let first = nord.key.public();
    nord.key = Key::new(&[99; 32]);
    nord.restart(&runtime, &nats.address());
    // What was pinned outlives a restart.
    std::thread::sleep(Duration::from_millis(1_500));
    south.restart(&runtime, &nats.address());
    nord.happen("1", "note");
    wait_until("being refused", || refused_at(&south).is_some());
    let refused = refused_at(&south).unwrap();
    assert_eq!(
        (refused.position, refused.other_key),
        (Some(2), Some(nord.key.public()))
    );
    assert_eq!(south.standing().depots[0].key, Some(first));
    // Others are heard meanwhile.
    let mut west = Depot::new("West one");
    west.join(&runtime, &nats.address());
    west.happen("2", "note");
    wait_until("hearing others", || south.ids().len() == 2);
    let member = south.running.as_ref().unwrap().member.clone();
    let trusted = member.trust(nord.log().log_id(), nord.key.public());
    runtime.block_on(trusted).unwrap();
    wait_until("hearing", || south.ids().len() == 3);
    assert_eq!(refused_at(&south), None);
}

#[test]
fn what_a_log_can_never_take_holds_up_its_depot_alone_and_is_passed_by() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let (mut nord, mut west) = (Depot::new("Nord"), Depot::new("West one"));
    let mut south = Depot::new("Süd");
    south.log = None;
    south.limits.data_bytes_max = 1_000;
    south.open();
    for depot in [&mut nord, &mut west, &mut south] {
        depot.kept_for = Duration::from_secs(10);
        depot.join(&runtime, &nats.address());
    }
    nord.happen("1", "note");
    let large = NewEvent::new(
        "VehicleNoteTaken",
        format!("{{\"note\":\"{}\"}}", "x".repeat(2_000)),
    );
    let large = Transaction::single(StreamName::new("Vehicle", "1"), ExpectedVersion::Any, large);
    nord.log().append(large).unwrap();
    nord.happen("1", "note");
    wait_until("being refused", || refused_at(&south).is_some());
    let refused = refused_at(&south).unwrap();
    assert_eq!(refused.position, Some(2));
    assert!(
        refused.reason.contains("the limit is 1000"),
        "{}",
        refused.reason
    );
    west.happen("2", "note");
    wait_until("hearing others", || south.ids().len() == 2);
    assert_eq!(south.standing().receive_error, None);
    let nord_log = nord.log().log_id();
    let member = south.running.as_ref().unwrap().member.clone();
    let wrong = runtime.block_on(member.pass_by(nord_log, 3));
    assert!(
        matches!(wrong, Err(FederationError::NotRefused)),
        "{wrong:?}"
    );
    runtime.block_on(member.pass_by(nord_log, 2)).unwrap();
    wait_until("going on", || south.ids().len() == 3);
    wait_until("its place", || {
        let depots = south.standing().depots;
        depots
            .iter()
            .any(|other| other.received == 3 && other.quarantined == [2])
    });
    assert_eq!(refused_at(&south), None);
}

#[test]
fn what_two_depots_recorded_first_under_one_id_is_told() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut depots = ["Nord", "Süd"].map(Depot::new);
    let event_id = Uuid::from_u128(7);
    for depot in &depots {
        // The same row of the same old database, imported twice.
        let mut event = NewEvent::new("VehicleNoteTaken", "{\"note\":\"imported\"}");
        event.id = Some(event_id);
        event.occurred_at = Some(Timestamp::from_micros(1_000_000));
        let stream = StreamName::new("Vehicle", "1");
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        depot.log().append(transaction).unwrap();
    }
    for depot in &mut depots {
        depot.join(&runtime, &nats.address());
        depot.happen("2", "note");
    }
    let [nord, south] = &depots;
    assert_agree(&[nord, south], 3);
    let expected = TwiceRecorded {
        events: 1,
        position: 1,
        event_id,
    };
    for depot in &depots {
        wait_until("its place", || depot.standing().depots[0].received == 2);
        let other = &depot.standing().depots[0];
        assert_eq!(other.twice_recorded, Some(expected));
        assert_eq!(other.appended, 1);
    }
    // All of it once more is no more than a repetition.
    let before = nord.standing().depots[0].repeated;
    let member = nord.running.as_ref().unwrap().member.clone();
    runtime.block_on(member.resync()).unwrap();
    wait_until("the repetitions", || {
        nord.standing().depots[0].repeated >= before + 2
    });
    let other = &nord.standing().depots[0];
    assert_eq!(other.twice_recorded, Some(expected));
}

#[test]
fn nobody_says_in_a_depots_name_that_it_is_there() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut depots = ["Nord", "Süd"].map(Depot::new);
    for depot in &mut depots {
        depot.join(&runtime, &nats.address());
        depot.happen("1", "note");
    }
    let [nord, south] = &depots;
    assert_agree(&[nord, south], 2);
    let log = nord.log().log_id();
    let seen_at_south = || {
        let seen = south.standing().depots;
        seen.into_iter().find(|other| other.log == log).unwrap()
    };
    wait_until("its key", || seen_at_south().key.is_some());
    let session = session(&runtime, &nats);
    let say = |log: Uuid, text: String| {
        let said = session.client.publish(presence_subject(log), text.into());
        runtime.block_on(said).unwrap();
    };
    say(log, "999999 Elsewhere".to_owned());
    wait_until("being refused", || south.standing().presences_refused > 0);
    let seen = seen_at_south();
    assert_eq!((&*seen.depot, seen.published), ("Nord", 1));
    // Strangers may say that they are there, as a depot does before it has published anything: some of them.
    for stranger in 0..DEPOTS_MAX as u128 + 50 {
        say(Uuid::from_u128(stranger), "0 Nowhere".to_owned());
    }
    wait_until("hearing them", || {
        south.standing().depots.len() >= DEPOTS_MAX
    });
    let before = seen_at_south().last_presence;
    wait_until("hearing Nord", || seen_at_south().last_presence > before);
    assert_eq!(south.standing().depots.len(), DEPOTS_MAX);
    nord.happen("1", "note");
    assert_agree(&[nord, south], 3);
}

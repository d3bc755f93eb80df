//! What may be wrong with a broker, with a clock, and with what depots say to each other.

use std::process::Command;

use harness::cable::Cable;
use storage::StreamWrite;

use super::*;

/// A clock that is wrong by so many microseconds.
#[derive(Debug)]
struct WrongClock(i64);

impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_micros(self.0)
    }
}

const HOUR: i64 = 3_600_000_000;

/// Waits until nothing is published or received, and this is said of it.
#[track_caller]
pub(super) fn wait_for_error(depot: &Depot, part: &str) {
    let began = Instant::now();
    loop {
        let standing = depot.standing();
        let errors = [&standing.publish_error, &standing.receive_error];
        let is_said =
            |error: &Option<String>| error.as_ref().is_some_and(|error| error.contains(part));
        if !standing.publishes && !standing.receives && errors.into_iter().all(is_said) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "no {part} in {errors:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn wait_for_recovery(depot: &Depot) {
    wait_until("going on", || {
        let standing = depot.standing();
        standing.publishes && standing.receives && standing.publish_error.is_none()
    });
}

/// How often a member is lost; in the long form, often enough that everything that a member may lead was led by one that went.
fn losses() -> usize {
    if harness::skip::everything() { 9 } else { 1 }
}

/// The name of the member that leads the stream, once all of its replicas are up to date.
fn leader(runtime: &Runtime, broker: &Broker) -> String {
    let mut leader = None;
    wait_until("the stream being whole", || {
        let session = runtime.block_on(broker.connect("nobody")).ok();
        let info = session.and_then(|session| runtime.block_on(session.stream.get_info()).ok());
        leader = info.and_then(|info| info.cluster).and_then(|cluster| {
            let replicas = &cluster.replicas;
            let is_whole = replicas.len() == 2 && replicas.iter().all(|replica| replica.current);
            cluster.leader.filter(|_| is_whole)
        });
        leader.is_some()
    });
    leader.unwrap_or_default()
}

#[test]
fn a_cluster_that_loses_a_member_goes_on() {
    let Some(mut members) = NatsServer::start_cluster("federation") else {
        return;
    };
    let runtime = runtime();
    let broker = Broker {
        servers: members.iter().map(NatsServer::address).collect(),
        replicas: 3,
        ..broker("", Duration::ZERO)
    };
    let mut depots = ["Nord", "Süd"].map(Depot::new);
    for depot in &mut depots {
        depot.join_with(&runtime, broker.clone(), &[]);
    }
    let mut events = 0;
    let mut happen = |what: &str| {
        for depot in &depots {
            depot.happen("1", what);
        }
        events += 2;
        events
    };
    assert_agree(&[&depots[0], &depots[1]], happen("note"));
    // Another member takes the depots' places over, and knows nothing of who waits there.
    let session = runtime.block_on(broker.connect("nobody")).unwrap();
    for depot in &depots {
        let place = format!("depot-{}", depot.log().log_id().simple());
        let subject = format!("$JS.API.CONSUMER.LEADER.STEPDOWN.RAILFLEET.{place}");
        let asking = session.client.request(subject, "".into());
        let answer = runtime.block_on(asking).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
        assert_eq!(answer["success"], true, "{answer}");
    }
    assert_agree(&[&depots[0], &depots[1]], happen("elsewhere"));
    for _ in 0..losses() {
        let leader = leader(&runtime, &broker);
        happen("note");
        let lost = members.iter_mut().find(|member| member.name() == leader);
        let lost = lost.expect("the leader is one of them");
        lost.kill();
        assert_agree(&[&depots[0], &depots[1]], happen("without one"));
        lost.restart();
        assert_agree(&[&depots[0], &depots[1]], happen("again"));
        // The next one may only go when this one has caught up.
        NatsServer::wait_for_cluster(&members);
    }
}

#[test]
fn a_place_that_nobody_answers_for_is_made_anew() {
    let account = |denied: &str| {
        format!(
            "authorization {{ users = [{{ user: depot, password: one, permissions: {{ publish: {{ deny: [{denied}] }} }} }}] }}\n"
        )
    };
    let Some(mut nats) =
        NatsServer::start_with("federation", &["--jetstream"], &account("nothing"))
    else {
        return;
    };
    let runtime = runtime();
    let address = nats.address().replace("://", "://depot:one@");
    let mut depots = ["Nord", "Süd"].map(Depot::new);
    for depot in &mut depots {
        depot.join(&runtime, &address);
        depot.happen("1", "note");
    }
    assert_agree(&[&depots[0], &depots[1]], 2);
    // What is asked of the places is not answered any more, as by a cluster in which nobody leads them.
    nats.set(&account("\"$JS.API.CONSUMER.INFO.>\""));
    nats.restart();
    for depot in &depots {
        depot.happen("1", "note");
    }
    assert_agree(&[&depots[0], &depots[1]], 4);
}

#[test]
fn more_replicas_than_members_are_said_so() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut depot = Depot::new("Nord");
    let broker = Broker {
        replicas: 3,
        ..broker(&nats.address(), Duration::ZERO)
    };
    depot.join_with(&runtime, broker, &[]);
    wait_for_error(&depot, "the broker does not give the stream");
}

/// A certificate for the loopback and who signed it, made by openssl in this folder; `None`, and says so, where that is not
/// installed.
fn certificates(folder: &Path) -> Option<()> {
    if !harness::skip::programs("federation over TLS", &["openssl"]) {
        return None;
    }
    std::fs::write(
        folder.join("names"),
        "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n",
    )
    .unwrap();
    for line in [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Depots -keyout ca.key -out ca.pem",
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=broker -keyout broker.key -out broker.csr",
        "x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out broker.pem",
    ] {
        let mut openssl = Command::new("openssl");
        openssl.args(line.split(' ')).current_dir(folder);
        let done = openssl.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "openssl {line}: {said}");
    }
    Some(())
}

#[test]
fn tls_is_trusted_by_its_own_authority_only() {
    let folder = tempfile::tempdir().unwrap();
    if certificates(folder.path()).is_none() {
        return;
    }
    let file = |name: &str| folder.path().join(name);
    let settings = format!(
        "tls {{ cert_file: {:?}, key_file: {:?} }}\n",
        file("broker.pem"),
        file("broker.key")
    );
    let Some(nats) = NatsServer::start_with("federation", &["--jetstream"], &settings) else {
        return;
    };
    let runtime = runtime();
    let address = nats.address().replace("nats://", "tls://");
    let trusting = Broker {
        ca: Some(file("ca.pem")),
        ..broker(&address, Duration::ZERO)
    };
    let mut depots = ["Nord", "Süd"].map(Depot::new);
    for depot in &mut depots {
        depot.join_with(&runtime, trusting.clone(), &[]);
        depot.happen("1", "note");
    }
    assert_agree(&[&depots[0], &depots[1]], 2);

    let mut stranger = Depot::new("West");
    stranger.join(&runtime, &address);
    wait_for_error(&stranger, "certificate");
    stranger.leave(&runtime);
    let missing = Broker {
        ca: Some(file("nothing.pem")),
        ..trusting
    };
    stranger.join_with(&runtime, missing, &[]);
    wait_for_error(&stranger, "nothing.pem");
}

#[test]
fn wrong_credentials_are_said_so_and_mended() {
    let account = |password: &str| {
        format!("authorization {{ users = [{{ user: depot, password: \"{password}\" }}] }}\n")
    };
    let Some(mut nats) =
        NatsServer::start_with("federation", &["--jetstream"], &account("another"))
    else {
        return;
    };
    let runtime = runtime();
    let mut depots = ["Nord", "Süd"].map(Depot::new);
    let address = nats.address().replace("://", "://depot:sec%2Fret@");
    for depot in &mut depots {
        depot.join(&runtime, &address);
        depot.happen("1", "note");
    }
    wait_for_error(&depots[0], "authorization violation");
    let said = format!("{:?}", depots[0].standing());
    assert!(!said.contains("sec"), "{said}");
    nats.set(&account("sec/ret"));
    nats.restart();
    assert_agree(&[&depots[0], &depots[1]], 2);
    wait_for_recovery(&depots[0]);
    // And taken away while all goes well.
    nats.set(&account("another"));
    nats.restart();
    wait_for_error(&depots[0], "authorization violation");
    depots[0].happen("1", "note");
    nats.set(&account("sec/ret"));
    nats.restart();
    assert_agree(&[&depots[0], &depots[1]], 3);
}

#[test]
fn a_broker_without_jetstream_is_said_so_and_mended() {
    let Some(mut nats) = NatsServer::start_with("federation", &[], "") else {
        return;
    };
    let runtime = runtime();
    let mut depots = ["Nord", "Süd"].map(Depot::new);
    for depot in &mut depots {
        depot.join(&runtime, &nats.address());
        depot.happen("1", "note");
    }
    wait_for_error(&depots[0], "the broker does not give the stream");
    nats.set("jetstream: enabled\n");
    nats.restart();
    assert_agree(&[&depots[0], &depots[1]], 2);
    wait_for_recovery(&depots[0]);
}

#[test]
fn depots_whose_clocks_are_an_hour_apart_agree() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut depots = [
        Depot::new("Nord"),
        Depot::with_clock("Süd", Arc::new(WrongClock(HOUR))),
        Depot::with_clock("West", Arc::new(WrongClock(-HOUR))),
    ];
    for depot in &mut depots {
        depot.join(&runtime, &nats.address());
    }
    for _ in 0..10 {
        for depot in &depots {
            // At a microsecond of its own, and at one that the others use.
            let data = format!("{{\"by\":\"{}\"}}", depot.name);
            let event = NewEvent::new("VehicleNoteTaken", data);
            let stream = StreamName::new("Vehicle", "1");
            let note = Transaction::single(stream, ExpectedVersion::Any, event);
            depot.log().append(note).unwrap();
            depot.happen("1", "note");
        }
    }
    let [nord, south, west] = &depots;
    assert_agree(&[nord, south, west], 60);
    // Time is what orders what different depots say of a vehicle: whose clock is ahead has the last word.
    assert!(
        nord.states()["Vehicle/1"].contains("\"by\":\"Süd\""),
        "{:?}",
        nord.states()
    );
    for depot in &depots {
        let contact = depot.standing().depots[0].last_contact.unwrap();
        let offset = contact.micros() - SystemClock.now().micros();
        let expected = depot.clock.now().micros() - SystemClock.now().micros();
        assert!(
            (offset - expected).abs() < HOUR / 4,
            "{offset}, not {expected}"
        );
    }
}

#[test]
fn a_schema_of_a_newer_depot_is_kept_and_folded() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut depots = ["Nord", "Süd"].map(Depot::new);
    let newer = [
        (
            "Vehicle",
            "VehicleUpdated",
            r#"{"model":"218","wingspan_m":3}"#,
        ),
        (
            "Vehicle",
            "VehicleTaughtToFly",
            r#"{"old_wings":0,"new_wings":2}"#,
        ),
        ("Airship", "AirshipMoored", r#"{"mast":"North"}"#),
    ];
    for (aggregate_type, event_type, data) in newer {
        let mut event = NewEvent::new(event_type, data);
        event.schema = 99;
        let stream = StreamName::new(aggregate_type, "1");
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        depots[0].log().append(transaction).unwrap();
    }
    for depot in &mut depots {
        depot.join(&runtime, &nats.address());
    }
    let [nord, south] = &depots;
    assert_agree(&[nord, south], 3);
    let states = south.states();
    for part in ["\"wingspan_m\":3", "\"wings\":2", "\"model\":\"218\""] {
        assert!(states["Vehicle/1"].contains(part), "{part}: {states:?}");
    }
    assert!(states["Airship/1"].contains("North"), "{states:?}");
    let mut reader = south.log().read(&ReadRequest::default()).unwrap();
    let mut kept = Vec::new();
    while let Some(event) = reader.next() {
        let event = event.unwrap();
        assert_eq!(event.schema(), 99);
        kept.push(String::from_utf8(event.data().to_vec()).unwrap());
    }
    assert_eq!(kept, newer.map(|(_, _, data)| data));
}

#[test]
fn messages_repeated_and_in_another_order_change_nothing() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let depots = joined(&runtime, &nats);
    let broker = broker(&nats.address(), Duration::ZERO);
    let session = runtime.block_on(broker.connect("parrot")).unwrap();
    let mut heard = runtime
        .block_on(session.client.subscribe("railfleet.events.>"))
        .unwrap();
    let mut messages = Vec::new();
    for _ in 0..20 {
        for depot in &depots {
            depot.happen("1", "note");
        }
    }
    assert_agree(&[&depots[0], &depots[1]], 40);
    for _ in 0..40 {
        messages.push(runtime.block_on(heard.next()).unwrap());
    }
    // Nobody who was there before knows them any more: whoever comes now has them only in this order.
    runtime
        .block_on(session.stream.purge().into_future())
        .unwrap();
    for message in messages.iter().rev().chain(&messages) {
        let (subject, payload) = (message.subject.clone(), message.payload.clone());
        let publish = session.jetstream.publish(subject, payload);
        let kept = runtime.block_on(async { publish.await.unwrap().await });
        kept.unwrap();
    }
    let mut third = Depot::new("West");
    third.join(&runtime, &nats.address());
    let [nord, south] = &depots;
    assert_agree(&[nord, south, &third], 40);
    wait_until("the repetitions", || {
        let repeated = |depot: &Depot| -> u64 {
            let standing = depot.standing();
            standing.depots.iter().map(|other| other.repeated).sum()
        };
        repeated(nord) >= 40 && repeated(south) >= 40
    });
    assert_agree(&[nord, south, &third], 40);
    nord.happen("1", "afterwards");
    assert_agree(&[nord, south, &third], 41);
    wait_for_recovery(nord);
}

#[test]
fn the_end_of_the_stream_that_the_broker_lost_is_asked_for() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let [nord, mut south] = joined(&runtime, &nats);
    nord.happen("1", "note");
    assert_agree(&[&nord, &south], 1);
    south.leave(&runtime);
    for _ in 0..3 {
        nord.happen("1", "note");
    }
    wait_until("publishing", || nord.standing().published.get() == 4);
    let session = session(&runtime, &nats);
    runtime
        .block_on(session.stream.purge().into_future())
        .unwrap();
    south.join(&runtime, &nats.address());
    // Nothing follows that would show the hole, and the broker still remembers the ids.
    assert_agree(&[&nord, &south], 4);
}

/// What one depot asks for all hear. To one that is further back it is not all that it lacks.
#[test]
fn an_answer_to_one_depot_hides_nothing_from_another() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let [nord, mut south] = joined(&runtime, &nats);
    for _ in 0..3 {
        nord.happen("1", "note");
    }
    assert_agree(&[&nord, &south], 3);
    south.leave(&runtime);
    for _ in 0..2 {
        nord.happen("1", "note");
    }
    wait_until("publishing", || nord.standing().published.get() == 5);
    let session = session(&runtime, &nats);
    runtime
        .block_on(session.stream.purge().into_future())
        .unwrap();
    south.join(&runtime, &nats.address());
    assert_agree(&[&nord, &south], 5);
    // All that the stream holds now is what South asked for: 4 and 5.
    let mut west = Depot::new("West one");
    west.join(&runtime, &nats.address());
    assert_agree(&[&nord, &south, &west], 5);
    wait_until("its place", || {
        let depots = west.standing().depots;
        depots.iter().any(|other| other.received == 5)
    });
}

#[test]
fn a_network_that_breaks_while_it_catches_up_loses_nothing() {
    const EVENTS: usize = 20_000;
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut nord = Depot::new("Nord");
    for number in 0..EVENTS / 100 {
        let event = |_| NewEvent::new("VehicleNoteTaken", "{\"note\":\"a longer one\"}");
        let stream = StreamName::new("Vehicle", number.to_string());
        let write = StreamWrite {
            stream,
            expected: ExpectedVersion::Any,
            events: (0..100).map(event).collect(),
        };
        let writes = vec![write];
        let transaction = Transaction {
            writes,
            condition: None,
        };
        nord.log().append(transaction).unwrap();
    }
    let [near, far] = [(); 2].map(|()| Cable::to(nats.port()));
    let address = |cable: &Cable| format!("nats://127.0.0.1:{}", cable.port());
    let mut south = Depot::new("Süd");
    nord.join(&runtime, &address(&near));
    south.join(&runtime, &address(&far));
    let mut cuts = 0;
    wait_until("catching up", || {
        // Now and then while it goes on, and less often than a connection takes.
        let cable = if cuts % 2 == 0 { &near } else { &far };
        cable.cut();
        cable.mend();
        cuts += 1;
        std::thread::sleep(Duration::from_millis(700));
        south.log().durable_position().get() >= EVENTS as u64
    });
    nord.happen("1", "last");
    assert_agree(&[&nord, &south], EVENTS + 1);
}

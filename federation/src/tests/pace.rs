//! What a depot that publishes or takes much leaves to others.

use super::*;

/// A depot with a past of so many thousand events.
fn with_past(name: &'static str, thousands: u64) -> Depot {
    let depot = Depot::new(name);
    for _ in 0..thousands {
        let events = (0..1_000).map(|_| NewEvent::new("VehicleNoteTaken", "{}"));
        let write = storage::StreamWrite {
            stream: StreamName::new("Vehicle", "1"),
            expected: ExpectedVersion::Any,
            events: events.collect(),
        };
        let transaction = Transaction {
            writes: vec![write],
            condition: None,
        };
        depot.log().append(transaction).unwrap();
    }
    depot
}

#[test]
fn a_depot_is_not_sent_all_that_it_publishes() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut depots = [with_past("Nord", 20), Depot::new("Süd")];
    for depot in &mut depots {
        depot.join(&runtime, &nats.address());
    }
    depots[1].happen("2", "note");
    let durable = |depot: &Depot| depot.log().durable_position().get();
    let all = 20_001;
    wait_until("agreeing", || {
        depots.iter().all(|depot| durable(depot) == all)
    });
    depots[1].happen("2", "note");
    wait_until("agreeing", || durable(&depots[0]) == all + 1);
    let log = depots[0].log().log_id();
    let sent = runtime.block_on(async {
        let session = broker(&nats.address(), Duration::ZERO)
            .connect("test")
            .await
            .unwrap();
        let place = format!("depot-{}", log.simple());
        session.stream.consumer_info(place).await.unwrap().delivered
    });
    assert_eq!(sent.stream_sequence, all + 1, "{sent:?}");
    assert!(sent.consumer_sequence < all / 2, "{sent:?}");
}

#[test]
fn beside_clients_little_is_taken_at_a_time() {
    let Some(nats) = nats() else { return };
    let runtime = runtime();
    let mut depots = [with_past("Nord", 5), Depot::new("Süd")];
    let stop = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let [nord, south] = &mut depots;
        let (log, stop) = (south.log().clone(), &stop);
        scope.spawn(move || {
            while stop.load(Ordering::Relaxed) == 0 {
                let event = NewEvent::new("VehicleNoteTaken", "{}");
                let stream = StreamName::new("Vehicle", "2");
                let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
                log.append(transaction).unwrap();
            }
        });
        south.join(&runtime, &nats.address());
        nord.join(&runtime, &nats.address());
        wait_until("taking some", || {
            south
                .standing()
                .depots
                .iter()
                .any(|one| one.appended > 1_500)
        });
        stop.store(1, Ordering::Relaxed);
        wait_until("taking the rest", || {
            south
                .standing()
                .depots
                .iter()
                .any(|one| one.appended == 5_000)
        });
    });
    // Foreign events that stand together, until so many were there.
    let mut reader = depots[1].log().read(&ReadRequest::default()).unwrap();
    let (mut run, mut longest, mut taken) = (0, 0, 0);
    while let Some(event) = reader.next() {
        match Origin::of(event.unwrap().tags()) {
            Some(_) => (run, taken) = (run + 1, taken + 1),
            None => run = 0,
        }
        if taken == 1_500 {
            break;
        }
        longest = longest.max(run);
    }
    assert!(
        longest <= 400,
        "{longest} events stood in the way of a client's"
    );
}

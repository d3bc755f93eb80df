//! What messages say of the one before them, whatever was asked for.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use storage::{ExpectedVersion, LogOptions, NewEvent, StreamName, StreamWrite, Transaction};

use super::*;
use crate::Broker;
use crate::sheet::Key;

/// A log of forty events, and the places of those that are for others: neither accounts, nor what another log recorded first.
fn log(folder: &std::path::Path) -> (Log, Vec<u64>) {
    let log = Log::open(folder, LogOptions::default()).unwrap();
    let origin = Origin {
        log: 7,
        position: 3,
        recorded_at: 5,
    };
    let (mut writes, mut shared) = (Vec::new(), Vec::new());
    for position in 1..=40 {
        let event = NewEvent::new("Seen", "{}");
        let (aggregate_type, event) = match position % 5 {
            0 => ("User", event),
            1 | 2 => ("Vehicle", event.with_tag(origin.tag())),
            _ => ("Vehicle", event),
        };
        if position % 5 > 2 {
            shared.push(position);
        }
        writes.push(StreamWrite {
            stream: StreamName::new(aggregate_type, "1"),
            expected: ExpectedVersion::Any,
            events: vec![event],
        });
    }
    let transaction = Transaction {
        writes,
        condition: None,
    };
    log.append(transaction).unwrap();
    (log, shared)
}

fn settings() -> Settings {
    Settings {
        name: "Nord".to_owned(),
        broker: Broker {
            servers: Vec::new(),
            stream: String::new(),
            credentials: None,
            ca: None,
            replicas: 1,
            kept_for: Duration::ZERO,
        },
        aggregate_types: Vec::new(),
        folder: std::path::PathBuf::new(),
        key: Key::new(&[1; 32]),
        quarantined: Vec::new(),
    }
}

/// The place of each message of a batch, and of the one that it names as the one before it.
fn places(batch: &[Outgoing]) -> Vec<(u64, u64)> {
    let place = |outgoing: &Outgoing| {
        let signed = Signed::decode(&outgoing.payload).unwrap();
        let message = Message::decode(signed.message).unwrap();
        (message.before, message.position)
    };
    batch.iter().map(place).collect()
}

/// Others ask for whatever they like, at any time. What a message says of the one before it holds for all who hear it:
/// nothing that is for others lies between the two. So nobody's place jumps over what he lacks.
#[test]
fn what_a_message_says_of_the_one_before_holds_for_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let (log, shared) = log(folder.path());
    let settings = settings();
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    let asks = vec((0..60_u64, 0..6_usize), 0..12);
    let outcome = runner.run(&asks, |asks| {
        let (mut at, mut anew) = (Published::default(), Anew::default());
        // In the end nobody asks any more, and all that is left is published.
        for (from, batches) in asks.into_iter().chain([(60, 40)]) {
            anew.ask(Position::new(from).previous(), &mut at);
            for _ in 0..batches {
                let (batch, read_to) = read_batch(&log, &settings, at, anew, 2).unwrap();
                at = read_to;
                for (before, position) in places(&batch) {
                    let between = shared
                        .iter()
                        .find(|one| (before + 1..position).contains(*one));
                    prop_assert_eq!(between, None, "between {} and {}", before, position);
                    prop_assert!(shared.contains(&position));
                }
            }
        }
        // Presence says no more than there is: others would wait for it.
        prop_assert_eq!(at.last.get(), *shared.last().unwrap());
        prop_assert_eq!(at.up_to, log.durable_position());
        Ok(())
    });
    outcome.unwrap();
}

/// What is asked for is published from there on, also where somebody else asked for more meanwhile, or for less.
#[test]
fn what_is_asked_for_comes() {
    let all = |position| Published {
        up_to: Position::new(position),
        last: Position::new(position),
        ..Published::default()
    };
    let (mut at, mut anew) = (all(1_000), Anew::default());
    anew.ask(Position::new(400), &mut at);
    assert_eq!(at, all(400));
    // On its way. Whoever has more hears it all the same, and whoever has less hears it from there.
    at = all(700);
    anew.ask(Position::new(600), &mut at);
    assert_eq!(at, all(700));
    anew.ask(Position::START, &mut at);
    assert_eq!(at, all(0));
    assert_eq!((anew.behind.get(), anew.up_to.get()), (0, 1_000));
    // What nobody published yet is not published anew.
    at = all(1_000);
    anew.ask(Position::new(1_000), &mut at);
    assert_eq!(at, all(1_000));
}

//! What can be asked of one real machine; the interleavings are asked in `tests_loom`.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;

use super::*;

/// Long enough that a test which needs it has failed.
const FOR_EVER: Duration = Duration::from_secs(60);

fn at(number: u64) -> Position {
    Position::new(number)
}

#[test]
fn it_starts_where_recovery_ended_and_rises() {
    let durable = DurablePosition::new(at(7));
    assert_eq!(durable.get(), at(7));
    durable.publish(at(8));
    durable.publish(at(1_000));
    assert_eq!(durable.get(), at(1_000));
}

#[test]
#[should_panic(expected = "the durable position rises: 7 after 7")]
fn it_does_not_stand_still() {
    DurablePosition::new(at(7)).publish(at(7));
}

#[test]
#[should_panic(expected = "the durable position rises: 6 after 7")]
fn it_does_not_fall() {
    DurablePosition::new(at(7)).publish(at(6));
}

#[test]
fn a_position_that_is_reached_is_not_waited_for() {
    let durable = DurablePosition::new(at(7));
    assert_eq!(durable.wait_past(at(6), FOR_EVER), at(7));
    assert_eq!(durable.wait_past(Position::START, Duration::MAX), at(7));
}

#[test]
fn waiting_ends_with_the_time() {
    let durable = DurablePosition::new(at(7));
    assert_eq!(durable.wait_past(at(7), Duration::ZERO), at(7));
    let started = Instant::now();
    let limit = Duration::from_millis(20);
    assert_eq!(durable.wait_past(at(7), limit), at(7));
    assert!(started.elapsed() >= limit);
    assert_eq!(
        durable.sleepers.load(Ordering::Relaxed),
        0,
        "who gave up is not counted any more"
    );
}

#[test]
fn sleepers_wake_when_their_position_is_passed_and_not_before() {
    let durable = DurablePosition::new(Position::START);
    thread::scope(|scope| {
        let sleepers: Vec<_> = (0..4_u64)
            .map(|past| {
                (
                    past,
                    scope.spawn({
                        let durable = &durable;
                        move || durable.wait_past(at(past), FOR_EVER)
                    }),
                )
            })
            .collect();
        for position in 1..=4 {
            durable.publish(at(position));
        }
        for (past, sleeper) in sleepers {
            assert!(sleeper.join().unwrap() > at(past));
        }
    });
}

#[test]
fn closing_wakes_everybody_for_ever() {
    let durable = DurablePosition::new(at(7));
    thread::scope(|scope| {
        let sleepers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| durable.wait_past(at(7), Duration::MAX)))
            .collect();
        durable.close();
        for sleeper in sleepers {
            assert_eq!(sleeper.join().unwrap(), at(7));
        }
    });
    assert_eq!(durable.wait_past(at(7), Duration::MAX), at(7));
    durable.publish(at(8));
    assert_eq!(
        durable.wait_past(at(8), Duration::MAX),
        at(8),
        "a last group may still be published"
    );
}

#[test]
fn publishing_with_nobody_asleep_takes_no_lock() {
    let durable = DurablePosition::new(at(7));
    thread::scope(|scope| {
        let gate = durable.gate();
        let (published, publications) = mpsc::channel();
        scope.spawn({
            let durable = &durable;
            move || {
                durable.publish(at(8));
                published.send(()).unwrap();
            }
        });
        let came = publications.recv_timeout(Duration::from_secs(10));
        drop(gate);
        came.expect("the publisher did not wait for the gate");
    });
}

#[test]
fn a_reader_that_follows_sees_every_write_below_the_position() {
    const EVENTS: usize = 20_000;
    let durable = DurablePosition::new(Position::START);
    let written: Vec<AtomicBool> = (0..EVENTS).map(|_| AtomicBool::new(false)).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            for (event, position) in written.iter().zip(1..) {
                event.store(true, Ordering::Relaxed);
                durable.publish(at(position));
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = 0;
                while seen < EVENTS {
                    let upto = durable.wait_past(at(seen as u64), FOR_EVER);
                    let upto = usize::try_from(upto.get()).unwrap();
                    assert!(upto > seen, "a sleeper was left asleep");
                    assert!(
                        written[seen..upto]
                            .iter()
                            .all(|event| event.load(Ordering::Relaxed))
                    );
                    seen = upto;
                }
            });
        }
    });
}

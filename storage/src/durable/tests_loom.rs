//! Every interleaving, and every reordering that the memory model allows, of small cases.
//!
//! Run with `RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p storage --lib --release durable`.
//! A sleeper that nobody wakes is a deadlock to loom, and fails the model. loom has no time, so all wait untimed.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::*;

fn at(number: u64) -> Position {
    Position::new(number)
}

fn start() -> Arc<DurablePosition> {
    Arc::new(DurablePosition::new(Position::START))
}

#[test]
fn a_sleeper_is_woken_by_the_publication_it_races_with() {
    loom::model(|| {
        let durable = start();
        let sleeper = thread::spawn({
            let durable = Arc::clone(&durable);
            move || durable.sleep_past(Position::START, None)
        });
        durable.publish(at(1));
        assert_eq!(sleeper.join().unwrap(), at(1));
    });
}

#[test]
fn two_sleepers_are_woken_by_one_publication() {
    loom::model(|| {
        let durable = start();
        let sleepers = [(); 2].map(|()| {
            let durable = Arc::clone(&durable);
            thread::spawn(move || durable.sleep_past(Position::START, None))
        });
        durable.publish(at(1));
        for sleeper in sleepers {
            assert_eq!(sleeper.join().unwrap(), at(1));
        }
    });
}

#[test]
fn a_sleeper_past_the_first_publication_is_woken_by_the_second() {
    loom::model(|| {
        let durable = start();
        let sleeper = thread::spawn({
            let durable = Arc::clone(&durable);
            move || durable.sleep_past(at(1), None)
        });
        durable.publish(at(1));
        durable.publish(at(2));
        assert_eq!(sleeper.join().unwrap(), at(2));
    });
}

#[test]
fn a_follower_misses_no_publication() {
    loom::model(|| {
        let durable = start();
        let follower = thread::spawn({
            let durable = Arc::clone(&durable);
            move || {
                let mut seen = Position::START;
                while seen < at(2) {
                    let next = durable.sleep_past(seen, None);
                    assert!(next > seen, "woken for nothing");
                    seen = next;
                }
            }
        });
        durable.publish(at(1));
        durable.publish(at(2));
        follower.join().unwrap();
    });
}

#[test]
fn who_sees_a_position_sees_what_was_written_before_it() {
    loom::model(|| {
        let durable = start();
        // Relaxed, so that nothing but the publication orders them.
        let written = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let reader = thread::spawn({
            let (durable, written) = (Arc::clone(&durable), Arc::clone(&written));
            move || {
                let seen = durable.get();
                for (event, position) in written.iter().zip(1..) {
                    assert!(at(position) > seen || event.load(Ordering::Relaxed) == position);
                }
            }
        });
        for (event, position) in written.iter().zip(1..) {
            event.store(position, Ordering::Relaxed);
            durable.publish(at(position));
        }
        reader.join().unwrap();
    });
}

#[test]
fn who_is_woken_for_a_position_sees_what_was_written_before_it() {
    loom::model(|| {
        let durable = start();
        let written = Arc::new(AtomicU64::new(0));
        let sleeper = thread::spawn({
            let (durable, written) = (Arc::clone(&durable), Arc::clone(&written));
            move || {
                durable.sleep_past(Position::START, None);
                assert_eq!(written.load(Ordering::Relaxed), 1);
            }
        });
        written.store(1, Ordering::Relaxed);
        durable.publish(at(1));
        sleeper.join().unwrap();
    });
}

#[test]
fn a_sleeper_is_woken_by_the_close_it_races_with() {
    loom::model(|| {
        let durable = start();
        let sleeper = thread::spawn({
            let durable = Arc::clone(&durable);
            move || durable.sleep_past(Position::START, None)
        });
        durable.close();
        assert_eq!(sleeper.join().unwrap(), Position::START);
        assert_eq!(durable.sleep_past(Position::START, None), Position::START);
    });
}

#[test]
fn a_publication_before_the_close_is_not_missed() {
    loom::model(|| {
        let durable = start();
        let sleeper = thread::spawn({
            let durable = Arc::clone(&durable);
            move || durable.sleep_past(Position::START, None)
        });
        let committer = thread::spawn({
            let durable = Arc::clone(&durable);
            move || {
                durable.publish(at(1));
                durable.close();
            }
        });
        assert_eq!(sleeper.join().unwrap(), at(1));
        committer.join().unwrap();
    });
}

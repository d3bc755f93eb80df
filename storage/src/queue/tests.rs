//! Who leads, who waits, and that everybody is answered.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::transaction::Transaction;

fn request(done: impl FnOnce(Answer) + Send + 'static) -> Request {
    Request::for_call(Transaction::default(), 1, |_, answer| done(answer))
}

fn for_slot(slot: &Arc<Slot>) -> Request {
    Request::for_slot(Transaction::default(), 1, slot.clone())
}

fn nobody() -> Request {
    request(drop)
}

fn receipt() -> Receipt {
    Receipt {
        events: Vec::new(),
        duplicate: false,
    }
}

#[test]
fn the_first_leads_and_the_others_wait() {
    let queue = Queue::default();
    assert_eq!(queue.push(nobody(), 10).unwrap(), Pushed::Lead);
    assert_eq!(queue.push(nobody(), 10).unwrap(), Pushed::Wait);
    let mut taken = VecDeque::new();
    assert!(queue.take(&mut taken));
    assert_eq!(taken.len(), 2);
    assert_eq!(
        queue.push(nobody(), 10).unwrap(),
        Pushed::Wait,
        "the leader has not stopped"
    );
    taken.clear();
    assert!(queue.take(&mut taken));
    taken.clear();
    assert!(!queue.take(&mut taken));
    assert_eq!(queue.push(nobody(), 10).unwrap(), Pushed::Lead);
}

#[test]
fn a_full_queue_refuses_and_gives_the_request_back() {
    let queue = Queue::default();
    for _ in 0..3 {
        queue.push(nobody(), 3).unwrap();
    }
    let (mut given_back, error) = queue.push(nobody(), 3).unwrap_err();
    assert_eq!(error, AppendError::Busy);
    given_back.bytes_max = 2;
    assert!(queue.take(&mut VecDeque::new()));
    assert!(queue.push(given_back, 3).is_ok(), "there is room again");
}

#[test]
fn a_closed_queue_refuses_and_what_is_queued_is_still_taken() {
    let queue = Queue::default();
    queue.push(nobody(), 10).unwrap();
    queue.close();
    let (_, error) = queue.push(nobody(), 10).unwrap_err();
    assert_eq!(error, AppendError::Closed);
    queue.call_committer();
    assert!(queue.wait_for_call(), "somebody has to lead");
    let mut taken = VecDeque::new();
    assert!(queue.take(&mut taken));
    assert_eq!(taken.len(), 1);
    taken.clear();
    assert!(!queue.take(&mut taken));
    assert!(!queue.wait_for_call(), "the committer may go");
}

#[test]
fn the_committer_waits_until_the_last_leader_has_stopped() {
    let queue = Queue::default();
    queue.push(nobody(), 10).unwrap();
    queue.close();
    std::thread::scope(|scope| {
        let committer = scope.spawn(|| queue.wait_for_call());
        let mut taken = VecDeque::new();
        assert!(queue.take(&mut taken));
        taken.clear();
        assert!(!queue.take(&mut taken));
        assert!(!committer.join().unwrap());
    });
}

#[test]
fn an_answer_wakes_who_waits_for_it() {
    let slot = Arc::new(Slot::default());
    let request = for_slot(&slot);
    assert!(!slot.is_filled());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| slot.take());
        request.answer(Ok(receipt()));
        assert_eq!(waiting.join().unwrap(), Ok(receipt()));
    });
}

#[test]
fn a_call_is_made_once() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let (sender, answers) = mpsc::channel();
    let request = request(move |answer| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        sender.send(answer).unwrap();
    });
    assert!(format!("{request:?}").starts_with("Request { transaction"));
    request.answer(Err(AppendError::Busy));
    assert_eq!(answers.recv(), Ok(Err(AppendError::Busy)));
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
}

/// The leader panicked: nobody may wait for ever.
#[test]
fn an_abandoned_queue_answers_everybody() {
    let queue = Queue::default();
    let (sender, answers) = mpsc::channel();
    for _ in 0..2 {
        let sender = sender.clone();
        let request = request(move |answer| sender.send(answer).unwrap());
        queue.push(request, 10).unwrap();
    }
    assert_eq!(format!("{queue:?}"), "Queue { pending: 2, led: true }");
    queue.abandon();
    for _ in 0..2 {
        let answer = answers.recv().unwrap();
        assert!(matches!(answer, Err(AppendError::Stopped { .. })));
    }
    assert_eq!(queue.push(nobody(), 10).unwrap(), Pushed::Lead);
}

/// Whoever is told so may append the next at once, and does not find the queue locked by who tells.
#[test]
fn an_abandoned_request_may_be_followed_by_another() {
    let queue = Arc::new(Queue::default());
    let (sender, pushed) = mpsc::channel();
    let next = queue.clone();
    let told = request(move |_| sender.send(next.push(nobody(), 10).unwrap()).unwrap());
    queue.push(told, 10).unwrap();
    std::thread::spawn(move || queue.abandon());
    let pushed = pushed.recv_timeout(Duration::from_secs(60));
    assert_eq!(pushed, Ok(Pushed::Lead));
}

#[test]
fn a_request_dropped_unanswered_says_that_the_log_stopped() {
    let slot = Arc::new(Slot::default());
    drop(for_slot(&slot));
    assert!(matches!(slot.take(), Err(AppendError::Stopped { .. })));
}

/// Announced or not, awake or asleep again: the committer's thread takes every request, and ends when the log is closed.
#[test]
fn an_announced_request_is_taken_whenever_it_comes() {
    let queue = Arc::new(Queue::default());
    let committing = queue.clone();
    let committer = std::thread::spawn(move || {
        let mut taken = VecDeque::new();
        while committing.wait_for_call() {
            while committing.take(&mut taken) {
                taken.clear();
            }
        }
    });
    for micros in [0, 5, 50, 1_000, 20_000] {
        queue.announce();
        queue.announce();
        std::thread::sleep(std::time::Duration::from_micros(micros));
        let (sender, answers) = mpsc::channel();
        let request = request(move |answer| sender.send(answer).unwrap());
        if queue.push(request, 10).unwrap() == Pushed::Lead {
            queue.call_committer();
        }
        let answer = answers.recv_timeout(std::time::Duration::from_secs(10));
        assert!(answer.is_ok(), "taken {micros} µs after it was announced");
    }
    queue.announce();
    queue.close();
    committer.join().unwrap();
}

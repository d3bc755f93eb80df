//! The published durable position: up to where the log may be read, and what its readers sleep on.
//!
//! Place on the data path: the committer publishes here after the sync that covers a group; subscriptions, long polls
//! and reads that wait for their own write get it here. Every read of the log asks for it first, so asking is one
//! load, and publishing with nobody asleep takes no lock: this is the crate's one lock-free spot.
//!
//! Invariants:
//! - The position only rises, and one thread at a time publishes (the committer).
//! - Who sees position P sees everything written before P was published: the bytes, the index entries, the map.
//! - Who sleeps past P is woken by the first publication above P, by `close`, or by its time limit.
//!
//! The argument for the second is one release store and acquire loads. The argument for the third is the usual one
//! for two threads that each write one variable and read the other's: a sleeper announces itself and then looks at
//! the position, the publisher stores the position and then looks for sleepers, and a sequentially consistent fence
//! stands between the two steps on both sides, so at least one of them sees the other (C++20 [atomics.order] 4). If
//! the publisher sees the sleeper, it takes the gate before it notifies; the sleeper holds the gate from before its
//! look at the position until it sleeps, so the notification cannot fall between the two. `tests_loom.rs` runs every
//! interleaving of small cases.

use std::time::{Duration, Instant};

use crate::position::Position;
use sync::{AtomicU64, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering, PoisonError, fence};

#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(all(test, loom))]
mod tests_loom;

/// The primitives, or the ones with which loom stands in for them.
mod sync {
    #[cfg(loom)]
    pub(super) use loom::sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering, fence},
    };
    pub(super) use std::sync::PoisonError;
    #[cfg(not(loom))]
    pub(super) use std::sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering, fence},
    };
}

/// The highest position that is durable and may be read.
#[derive(Debug)]
pub(crate) struct DurablePosition {
    position: AtomicU64,
    /// How many threads are asleep or about to be.
    sleepers: AtomicUsize,
    /// Whether nothing will be published any more. Also the gate between a last look and falling asleep.
    closed: Mutex<bool>,
    risen: Condvar,
}

impl DurablePosition {
    /// Everything up to `position` is durable already.
    pub(crate) fn new(position: Position) -> Self {
        DurablePosition {
            position: AtomicU64::new(position.get()),
            sleepers: AtomicUsize::new(0),
            closed: Mutex::new(false),
            risen: Condvar::new(),
        }
    }

    /// The durable position now. One load, no lock.
    pub(crate) fn get(&self) -> Position {
        // Acquire pairs with the release in `publish`: what was written before is seen after.
        Position::new(self.position.load(Ordering::Acquire))
    }

    /// Makes `position` the durable one and wakes whoever sleeps. Without sleepers: one store, one fence, one load.
    ///
    /// Only for the thread that commits: two at once would race for which position stands.
    ///
    /// # Panics
    /// When the position does not rise: events would be unpublished.
    pub(crate) fn publish(&self, position: Position) {
        // Relaxed: only this thread stores it.
        let before = self.position.load(Ordering::Relaxed);
        assert!(
            before < position.get(),
            "the durable position rises: {position} after {before}"
        );
        // Release pairs with the acquire in `get`.
        self.position.store(position.get(), Ordering::Release);
        // Between the store above and the load below; its partner stands in `sleep_past`.
        fence(Ordering::SeqCst);
        // Relaxed: the fences order it. Reading 0 means that any sleeper to come will see the new position.
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            // A sleeper that was seen may not sleep yet; it does once the gate is free.
            drop(self.gate());
            self.risen.notify_all();
        }
    }

    /// Waits until the durable position is above `position`, at most `timeout`, not at all once closed.
    ///
    /// Returns the durable position at the end, which is above `position` unless the time ran out or it was closed.
    pub(crate) fn wait_past(&self, position: Position, timeout: Duration) -> Position {
        let now = self.get();
        if now > position || timeout.is_zero() {
            return now;
        }
        // A limit beyond what the clock can count is none.
        self.sleep_past(position, Instant::now().checked_add(timeout))
    }

    /// Wakes everybody, now and for ever: from here on nobody sleeps. What is published stays published.
    pub(crate) fn close(&self) {
        *self.gate() = true;
        self.risen.notify_all();
    }

    fn sleep_past(&self, position: Position, deadline: Option<Instant>) -> Position {
        let mut closed = self.gate();
        // Relaxed: the fences order it.
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        // Between the announcement above and the look below; its partner stands in `publish`.
        fence(Ordering::SeqCst);
        let mut now = self.get();
        while now <= position && !*closed {
            let Some(woken) = self.sleep(closed, deadline) else {
                break;
            };
            closed = woken;
            now = self.get();
        }
        // Relaxed: a publisher that still counts this thread takes the gate for nothing.
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        // Not `now`: it may have risen in the moment that the time ran out.
        self.get()
    }

    /// Sleeps until notified or, as sleep may, for no reason; `None` once the deadline has passed.
    fn sleep<'a>(
        &self,
        gate: MutexGuard<'a, bool>,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, bool>> {
        let Some(deadline) = deadline else {
            let woken = self.risen.wait(gate);
            return Some(woken.unwrap_or_else(PoisonError::into_inner));
        };
        let left = deadline.checked_duration_since(Instant::now())?;
        if left.is_zero() {
            return None;
        }
        let woken = self.risen.wait_timeout(gate, left);
        Some(woken.unwrap_or_else(PoisonError::into_inner).0)
    }

    fn gate(&self) -> MutexGuard<'_, bool> {
        // The gate holds one flag, which no panic can leave half set.
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

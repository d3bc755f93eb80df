//! Hands one task at a time from the tree grower to its threads and gathers their answers.
//!
//! Place on the path: beside **tree growth**, about sixty exchanges a tree. Everything that matters lives under one
//! mutex; the atomics only tell a thread that it is worth looking, so that an exchange between running threads does
//! not pay for sleeping and waking. Spinning is short and bounded: on a busy machine the threads sleep.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Looks before a thread goes to sleep; a few microseconds.
const SPINS_MAX: u32 = 4_000;

#[derive(Debug)]
struct Board<Task, Answer> {
    task: Option<Task>,
    answers: Vec<Answer>,
    sleeping: usize,
    closed: bool,
}

/// The shared board of a leader and its workers.
#[derive(Debug)]
pub(crate) struct Crew<Task, Answer> {
    board: Mutex<Board<Task, Answer>>,
    changed: Condvar,
    /// Counts tasks; a worker remembers the last one it did. Closing counts as one.
    posted: AtomicU64,
    /// Counts answers since the crew began.
    answered: AtomicU64,
}

impl<Task: Copy, Answer> Crew<Task, Answer> {
    pub(crate) fn new() -> Self {
        Self {
            board: Mutex::new(Board {
                task: None,
                answers: Vec::new(),
                sleeping: 0,
                closed: false,
            }),
            changed: Condvar::new(),
            posted: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        }
    }

    /// Leader: gives the task to every worker.
    pub(crate) fn post(&self, task: Task) {
        let mut board = self.lock();
        board.task = Some(task);
        self.posted.fetch_add(1, Ordering::Release);
        self.wake(board);
    }

    /// Leader: waits until `workers` answers to the current task are there, in any order.
    ///
    /// # Panics
    /// When a worker has panicked, so that its failure is not mistaken for slowness.
    pub(crate) fn collect(&self, workers: usize) -> Vec<Answer> {
        let due = self.posted.load(Ordering::Acquire) * workers as u64;
        let board = self.wait_until(
            |crew, board| crew.answered.load(Ordering::Acquire) >= due || board.closed,
            || self.answered.load(Ordering::Acquire) >= due,
        );
        let mut board = board;
        assert!(!board.closed, "a training thread has panicked");
        std::mem::take(&mut board.answers)
    }

    /// Worker: the task after the `done`-th, or none when the crew is closed.
    pub(crate) fn next(&self, done: u64) -> Option<Task> {
        let board = self.wait_until(
            |crew, board| crew.posted.load(Ordering::Acquire) > done || board.closed,
            || self.posted.load(Ordering::Acquire) > done,
        );
        if board.closed { None } else { board.task }
    }

    /// Worker: answers the current task.
    pub(crate) fn answer(&self, answer: Answer) {
        let mut board = self.lock();
        board.answers.push(answer);
        self.answered.fetch_add(1, Ordering::Release);
        self.wake(board);
    }

    /// A guard that closes the crew when it is dropped, also by a panic, so that nobody waits for the dead.
    pub(crate) fn closing(&self) -> Closing<'_, Task, Answer> {
        Closing { crew: self }
    }

    fn close(&self) {
        let mut board = self.lock();
        board.closed = true;
        self.posted.fetch_add(1, Ordering::Release);
        self.wake(board);
    }

    fn wait_until(
        &self,
        holds: impl Fn(&Self, &Board<Task, Answer>) -> bool,
        looks_ready: impl Fn() -> bool,
    ) -> MutexGuard<'_, Board<Task, Answer>> {
        for _ in 0..SPINS_MAX {
            if looks_ready() {
                break;
            }
            std::hint::spin_loop();
        }
        let mut board = self.lock();
        while !holds(self, &board) {
            board.sleeping += 1;
            board = self
                .changed
                .wait(board)
                .unwrap_or_else(PoisonError::into_inner);
            board.sleeping -= 1;
        }
        board
    }

    fn wake(&self, board: MutexGuard<'_, Board<Task, Answer>>) {
        let anyone = board.sleeping > 0;
        drop(board);
        if anyone {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board<Task, Answer>> {
        // The board holds plain values that are whole between statements, so a poisoned lock is still usable.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes its crew when dropped.
#[derive(Debug)]
pub(crate) struct Closing<'crew, Task: Copy, Answer> {
    crew: &'crew Crew<Task, Answer>,
}

impl<Task: Copy, Answer> Drop for Closing<'_, Task, Answer> {
    fn drop(&mut self) {
        self.crew.close();
    }
}

#[cfg(test)]
mod tests;

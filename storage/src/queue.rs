//! Transactions on their way to the writer, and the answers on their way back.
//!
//! Whoever appends while nobody writes becomes the *leader*: it commits its own transaction and all that came meanwhile.
//! What queues up behind it is then taken over by the committer's thread, so no caller works for others for long. One
//! writer alone thus pays no thread switch, and many share each sync.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::append::AppendError;
use crate::transaction::{Receipt, Transaction};

#[cfg(test)]
mod tests;

/// How often the committer's thread looks for a request that was announced before it sleeps again: some tens of microseconds, what
/// reading a request takes.
const LOOKS_MAX: u32 = 100;
/// How often it pauses between two looks.
const PAUSES: u32 = 16;

/// The answer to a transaction.
pub(crate) type Answer = Result<Receipt, AppendError>;

/// A transaction that fits the limits, and who waits for its answer. One that is dropped unanswered, because the leader
/// panicked, is told that the log has stopped.
pub(crate) struct Request {
    pub(crate) transaction: Transaction,
    /// Bytes that it takes in a segment at most, names included.
    pub(crate) bytes_max: usize,
    waiting: Option<Waiting>,
}

/// Who waits.
enum Waiting {
    /// A blocked thread.
    Slot(Arc<Slot>),
    /// A function that hands the answer on, with the transaction it is for; it runs on the leader's thread.
    Call(Box<Done>),
}

/// See [`Waiting::Call`].
type Done = dyn FnOnce(Transaction, Answer) + Send;

impl Request {
    /// Wakes whoever blocks on `slot`.
    pub(crate) fn for_slot(transaction: Transaction, bytes_max: usize, slot: Arc<Slot>) -> Self {
        Request {
            transaction,
            bytes_max,
            waiting: Some(Waiting::Slot(slot)),
        }
    }

    /// Calls `done`.
    pub(crate) fn for_call(
        transaction: Transaction,
        bytes_max: usize,
        done: impl FnOnce(Transaction, Answer) + Send + 'static,
    ) -> Self {
        Request {
            transaction,
            bytes_max,
            waiting: Some(Waiting::Call(Box::new(done))),
        }
    }

    pub(crate) fn answer(mut self, answer: Answer) {
        self.answer_once(answer);
    }

    fn answer_once(&mut self, answer: Answer) {
        match self.waiting.take() {
            Some(Waiting::Slot(slot)) => slot.put(answer),
            Some(Waiting::Call(done)) => done(std::mem::take(&mut self.transaction), answer),
            None => {}
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.answer_once(Err(AppendError::Stopped {
            reason: "the writer failed".to_owned(),
        }));
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("transaction", &self.transaction)
            .finish_non_exhaustive()
    }
}

/// Where a blocked thread finds its answer.
#[derive(Default)]
pub(crate) struct Slot {
    answer: Mutex<Option<Answer>>,
    filled: Condvar,
}

impl Slot {
    fn put(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.filled.notify_one();
    }

    /// Blocks until the answer is there.
    pub(crate) fn take(&self) -> Answer {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = answer.take() {
                return answer;
            }
            answer = self
                .filled
                .wait(answer)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}

/// What a push leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Nobody writes: the caller leads, or calls for the committer's thread.
    Lead,
    /// A leader will come to it.
    Wait,
}

/// The queue of one log.
#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    called: Condvar,
}

#[derive(Default)]
struct Inner {
    pending: VecDeque<Request>,
    /// Whether somebody leads, or has been called to.
    led: bool,
    /// Whether the committer's thread is to lead.
    called: bool,
    /// Whether it is to wake for a request that comes at once.
    announced: bool,
    closed: bool,
}

impl Queue {
    /// Queues a request; gives it back with the reason when the log is closing or `pending_max` are waiting already.
    #[expect(
        clippy::result_large_err,
        reason = "the refused request goes back to be answered"
    )]
    pub(crate) fn push(
        &self,
        request: Request,
        pending_max: usize,
    ) -> Result<Pushed, (Request, AppendError)> {
        let mut inner = self.lock();
        if inner.closed {
            return Err((request, AppendError::Closed));
        }
        if inner.pending.len() >= pending_max {
            return Err((request, AppendError::Busy));
        }
        inner.pending.push_back(request);
        if inner.led {
            return Ok(Pushed::Wait);
        }
        inner.led = true;
        Ok(Pushed::Lead)
    }

    /// Moves all that is waiting behind `taken`. When there is nothing at all, the leader stops leading and `false` is returned.
    pub(crate) fn take(&self, taken: &mut VecDeque<Request>) -> bool {
        let mut inner = self.lock();
        taken.append(&mut inner.pending);
        if taken.is_empty() {
            inner.led = false;
            if inner.closed {
                self.called.notify_all();
            }
            return false;
        }
        true
    }

    /// Ends the leadership of a thread that panicked.
    pub(crate) fn abandon(&self) {
        let mut inner = self.lock();
        inner.led = false;
        let pending = std::mem::take(&mut inner.pending);
        self.called.notify_all();
        drop(inner);
        // Answered without the lock: whoever is told may append the next at once.
        drop(pending);
    }

    /// Calls the committer's thread to lead in the caller's place.
    pub(crate) fn call_committer(&self) {
        self.lock().called = true;
        self.called.notify_one();
    }

    /// Has the committer's thread wake for a request that comes at once, so that the request need not wait for that.
    pub(crate) fn announce(&self) {
        let mut inner = self.lock();
        if inner.led || inner.called || inner.announced {
            return;
        }
        inner.announced = true;
        drop(inner);
        self.called.notify_one();
    }

    /// Blocks the committer's thread until it is called; `false` when the log is closed and nobody leads.
    pub(crate) fn wait_for_call(&self) -> bool {
        let mut inner = self.lock();
        let mut looks = 0;
        loop {
            if std::mem::take(&mut inner.announced) {
                looks = LOOKS_MAX;
            }
            if inner.called {
                inner.called = false;
                return true;
            }
            if inner.closed && !inner.led {
                return false;
            }
            if looks > 0 {
                looks -= 1;
                drop(inner);
                (0..PAUSES).for_each(|_| std::hint::spin_loop());
                inner = self.lock();
                continue;
            }
            inner = self
                .called
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Refuses all that comes from now on; what is queued is still committed.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        self.called.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        formatter
            .debug_struct("Queue")
            .field("pending", &inner.pending.len())
            .field("led", &inner.led)
            .finish()
    }
}

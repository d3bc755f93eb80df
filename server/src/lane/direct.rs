//! The answer to a lone write, sent by the log's own thread.
//!
//! While a lane has one write under way, to wake the lane for its answer is most of what the client waits for beside the
//! disk. So the connection's writing half goes with such a write to the log's thread, which sends the answer, does not
//! wait for anything, and gives the half back. With more writes under way the lane is woken for all of them at once, and
//! the log's thread has better things to do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use tokio::net::tcp::OwnedWriteHalf;

use super::answer::{About, Answer};
use crate::app::AppState;
use crate::append::Answered;
use crate::http::events::append::Asked;
use crate::http::problem::Problem;

/// What the log's thread needs to send an answer.
#[derive(Debug)]
pub(super) struct Direct {
    pub(super) write: OwnedWriteHalf,
    pub(super) answer: Answer,
    pub(super) asked: Asked,
    pub(super) request_id: Vec<u8>,
}

/// Lies between a lane and the log's thread; whoever takes it answers. The lane takes it back when time has run out.
#[derive(Clone, Debug, Default)]
pub(super) struct Entrusted(Arc<Mutex<Option<Direct>>>);

/// What became of a write.
#[derive(Debug)]
pub(super) enum Reply {
    /// The lane has to answer.
    Answered(Answered),
    /// The log's thread has, or has begun to.
    Sent(Sent),
    /// It is a problem, for the lane to answer with.
    Refused(Direct, Problem),
}

/// An answer that was sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) write: OwnedWriteHalf,
    pub(super) answer: Answer,
    pub(super) status: StatusCode,
    /// How many of its bytes the socket took.
    pub(super) taken: usize,
    /// Whether it said that it is the connection's last.
    pub(super) closes: bool,
}

impl Entrusted {
    pub(super) fn new(direct: Direct) -> Self {
        Entrusted(Arc::new(Mutex::new(Some(direct))))
    }

    /// For who wants to answer; `None` when another does.
    pub(super) fn take(&self) -> Option<Direct> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Direct {
    /// Sends the answer as far as the socket takes it at once.
    pub(super) fn send(mut self, answered: Answered, state: &AppState) -> Reply {
        let closes = *state.stopping.borrow();
        // A panic here would stop the log.
        let set = catch_unwind(AssertUnwindSafe(|| {
            let about = About::new(state, &self.request_id, closes);
            self.answer.set_written(self.asked, answered, about)
        }));
        let status = match set {
            Ok(Ok(status)) => status,
            Ok(Err(problem)) => return Reply::Refused(self, problem),
            Err(_) => return Reply::Refused(self, Problem::internal(&"an answer that panicked")),
        };
        // What the socket does not take, and why not, the lane finds out.
        let taken = self.write.try_write(self.answer.bytes()).unwrap_or(0);
        Reply::Sent(Sent {
            write: self.write,
            answer: self.answer,
            status,
            taken,
            closes,
        })
    }
}

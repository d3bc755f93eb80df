//! Answers on their way from the log's writer to a lane.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::direct::Reply;

/// Answers that lie ready for one lane, and the bell that is rung for the first of them.
///
/// It holds at most one answer for each connection of the lane.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    bell: Notify,
}

#[derive(Debug)]
struct Letter {
    to: oneshot::Sender<Reply>,
    reply: Reply,
}

impl Mailbox {
    /// Puts an answer in; any thread may. Only the first of many wakes the lane, for all.
    pub(super) fn put(&self, to: oneshot::Sender<Reply>, reply: Reply) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.push(Letter { to, reply });
        let first = letters.len() == 1;
        drop(letters);
        if first {
            self.bell.notify_one();
        }
    }

    /// Hands answers out for ever, on the lane's thread, where waking a connection's task costs next to nothing.
    pub(super) async fn deliver(&self) {
        let mut taken = Vec::new();
        loop {
            self.bell.notified().await;
            std::mem::swap(
                &mut taken,
                &mut self.letters.lock().unwrap_or_else(PoisonError::into_inner),
            );
            for letter in taken.drain(..) {
                // Nobody listens when the connection is gone; the event is in the log all the same.
                let _ = letter.to.send(letter.reply);
            }
        }
    }
}

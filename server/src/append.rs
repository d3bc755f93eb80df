//! Writes from async code: the log's answer comes through a channel, no thread waits.
//!
//! Everything that this server appends passes [`submit`].

use storage::{AppendError, Log, Receipt, Transaction};
use tokio::sync::oneshot;

/// A transaction and what became of it.
pub type Answered = (Transaction, Result<Receipt, AppendError>);

/// Appends a transaction. On return it is on the disk.
///
/// Dropping the future does not take the transaction back: it may be in the log all the same.
///
/// # Errors
/// See [`AppendError`].
pub async fn append(log: &Log, transaction: Transaction) -> Result<Receipt, AppendError> {
    append_kept(log, transaction).await.1
}

/// Appends a transaction as [`append`] does, and gives it back: its names and data are part of the answer.
pub async fn append_kept(log: &Log, transaction: Transaction) -> Answered {
    let (answer, answered) = oneshot::channel();
    submit(log, transaction, move |transaction, result| {
        // Nobody listens when the request was given up; the event is in the log then, as its timeout's text says.
        let _ = answer.send((transaction, result));
    });
    answered
        .await
        .unwrap_or_else(|_| (Transaction::default(), Err(AppendError::Closed)))
}

/// Appends a transaction; `done` is called with it and the answer, on the log's own thread: it should only hand them on.
pub fn submit(
    log: &Log,
    transaction: Transaction,
    done: impl FnOnce(Transaction, Result<Receipt, AppendError>) + Send + 'static,
) {
    log.submit(transaction, done);
}

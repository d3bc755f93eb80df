//! Writes from async code: the log's answer comes through a channel, no thread waits.

use storage::{AppendError, Log, Receipt, Transaction};
use tokio::sync::oneshot;

/// Appends a transaction. On return it is on the disk.
///
/// Dropping the future does not take the transaction back: it may be in the log all the same.
///
/// # Errors
/// See [`AppendError`].
pub async fn append(log: &Log, transaction: Transaction) -> Result<Receipt, AppendError> {
    let (answer, answered) = oneshot::channel();
    log.submit(transaction, move |result| {
        // Nobody listens when the request was given up; the event is in the log then, as its timeout's text says.
        let _ = answer.send(result);
    });
    answered.await.unwrap_or(Err(AppendError::Closed))
}

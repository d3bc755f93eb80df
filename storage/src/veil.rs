//! What hides parts of events from whoever reads the log's files: one place where events enter, one where they leave.
//!
//! A [`Veil`] is given to the log when it is opened. Every transaction passes [`Veil::cover`] before it is queued, every event
//! that a reader gives and that bears a tag beginning with [`COVERED_PREFIX`] passes [`Veil::uncover`]. What lies in the
//! segments, and so what the hash chain and the Merkle tree cover, are the bytes as they were covered; they never change,
//! whatever becomes of the veil's keys. Events without such a tag cost a look at their tags.
//!
//! The log does not know what is hidden, or how: that is the veil's.

use std::fmt;

use crate::append::AppendError;
use crate::event::{EventRef, StreamName};
use crate::transaction::Transaction;

/// How a tag begins that marks an event of which something is covered. The rest is the veil's.
pub const COVERED_PREFIX: &str = "covered:";

/// An event's payload and metadata as their writer handed them in, or as much of them as can still be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uncovered {
    /// The payload.
    pub data: Vec<u8>,
    /// The metadata.
    pub metadata: Vec<u8>,
}

/// See the module. Called from any thread, also from the writer's: it must not wait for the log.
pub trait Veil: fmt::Debug + Send + Sync {
    /// The transaction as it is to lie in the log; `None`: just as it is. The same event under the same id must be covered
    /// to the same bytes, or be found the same by [`Veil::says_the_same`].
    ///
    /// # Errors
    /// When it can be neither covered nor left open; it is not appended then.
    fn cover(&self, transaction: &Transaction) -> Result<Option<Transaction>, AppendError>;

    /// What the event holds; `None`: just what lies in the log. Only called for events with a tag that marks them.
    fn uncover(&self, event: &EventRef<'_>) -> Option<Uncovered>;

    /// Whether an event in the log says what one says that is appended under the same id, though their bytes differ. Both
    /// as they lie in the log.
    fn says_the_same(&self, stream: &StreamName, stored: &Payload<'_>, given: &Payload<'_>)
    -> bool;
}

/// What [`Veil::says_the_same`] compares.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    /// The payload.
    pub data: &'a [u8],
    /// The tags.
    pub tags: Vec<&'a str>,
}

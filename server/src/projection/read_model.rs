//! What a projection folds into: rows, indexes derived from them, and the two halves of a step.
//!
//! A step is split so that answers are never held up. `fold` reads the model and notes its changes in a draft of the
//! worker's own; `seal` turns the draft into a patch, doing all the encoding; `publish` swaps the patch in, which is
//! the only part that readers wait for. A draft that is thrown away (a fold panicked) leaves the model as it was.

use bincode::{Decode, Encode};
use storage::{EventRef, Log, Position};
use thiserror::Error;

use super::rows::Rows;
use super::whole::{Halt, Watch, Whole};

/// Why an event could not be folded. It is recorded as skipped, and the next one follows.
#[derive(Debug, Error)]
pub(super) enum FoldError {
    /// The payload is no JSON object.
    #[error("its data is no JSON object: {0}")]
    Payload(serde_json::Error),
    /// The row that it changes cannot be decoded.
    #[error("the row that it changes cannot be decoded")]
    Unreadable,
}

/// A projection's content and its fold.
pub(super) trait ReadModel: Default + Send + Sync + 'static {
    /// The projection's name.
    const NAME: &'static str;
    /// Names under which older clients know it.
    const ALIASES: &'static [&'static str];
    /// The format number of its rows. A change of their fields or of the fold's meaning needs a new number: the saved
    /// rows are then left and the log is folded anew.
    const FORMAT: u16;
    /// How many rows share a page: such that a page is a few kilobytes.
    const ROWS_PER_PAGE: usize;

    /// What is saved.
    type Row: Encode + Decode<()> + Send + Sync;
    /// Changes of the current batch, private to the worker. May keep what speeds up the next batch.
    type Draft: Default + Send;
    /// Changes ready to be swapped in.
    type Patch: Send;

    /// The event types it takes in, in canonical spelling; `*` for all.
    fn handled_event_types() -> Vec<String>;

    /// Notes in `draft` what the event changes. Says whether it is one of its events.
    ///
    /// # Errors
    /// [`FoldError`]; the draft is then as it was.
    fn fold(&self, draft: &mut Self::Draft, event: &EventRef<'_>) -> Result<bool, FoldError>;

    /// How many rows the batch changes so far.
    fn changed(draft: &Self::Draft) -> usize;

    /// The changes of the batch; the draft has none afterwards.
    fn seal(draft: &mut Self::Draft) -> Self::Patch;

    /// Makes the changes visible.
    fn publish(&mut self, patch: Self::Patch);

    /// The model of the log up to `to`, which is durable, made at once; `None` where it can only be made batch by batch.
    /// Rows, their numbers and what is told of them are the same either way.
    fn fold_whole(
        _log: &Log,
        _to: Position,
        _watch: Watch<'_>,
    ) -> Option<Result<Whole<Self>, Halt>> {
        None
    }

    /// The rows, for a checkpoint.
    fn rows(&self) -> &Rows<Self::Row>;

    /// The rows, to note what was saved.
    fn rows_mut(&mut self) -> &mut Rows<Self::Row>;

    /// The model of these rows, its indexes made again.
    fn from_rows(rows: Rows<Self::Row>) -> Self;

    /// Whether what the row keeps packed can be unpacked: false when the program changed and [`FORMAT`](Self::FORMAT)
    /// did not.
    fn is_sound(row: &Self::Row) -> bool;
}

/// A model and the position that it reflects, behind one lock: an answer can always say how far it reaches.
#[derive(Debug, Default)]
pub(super) struct Published<M> {
    pub(super) model: M,
    pub(super) position: Position,
}

/// An answer, and the position of the log that it reflects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// Every event up to here is in the answer, and none after it.
    pub position: Position,
    /// The answer.
    pub value: T,
}

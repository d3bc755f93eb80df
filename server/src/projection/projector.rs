//! A read model on its way through the log: reads a batch, folds it, makes it visible, and saves it now and then.
//! Used for the live answers and, with a model of its own, for a rebuild beside them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use storage::{Log, Position, ReadError, ReadRequest};
use thiserror::Error;
use uuid::Uuid;

use super::checkpoint::{Anchor, Batch, Heading, SavedSet, checksum_of};
use super::keeper::panic_text;
use super::read_model::{Published, ReadModel};
use super::rows::{PageError, Rows, checksums_of_pages};
use super::status::Tally;
use super::whole::{Reach, Whole};

/// Events folded before they become visible.
pub(super) const BATCH_EVENTS_MAX: u64 = 4_096;
/// Rows changed before they become visible: what is being folded stays in the processor's cache.
const BATCH_ROWS_MAX: usize = 512;
/// Bytes of payload folded before they become visible; one more event may exceed it.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// What to do about a segment whose file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Fail: it may be readable later.
    Insist,
    /// Count its events as skipped, and go on behind it.
    PassOver,
}

/// Why a projector did not get further.
#[derive(Debug, Error)]
pub(super) enum AdvanceError {
    /// The log could not be read; trying again later may help.
    #[error("the log cannot be read: {0}")]
    Read(#[from] ReadError),
    /// A panic that leaving the event out did not cure.
    #[error("{0}")]
    Stuck(String),
}

/// See the module.
pub(super) struct Projector<M: ReadModel> {
    shared: Arc<RwLock<Published<M>>>,
    draft: M::Draft,
    position: Position,
    tally: Tally,
    anchor: Option<Anchor>,
}

/// What a batch came to, before any of it is visible.
#[derive(Default)]
struct Stretch {
    reached: Position,
    tally: Tally,
    anchor: Option<Anchor>,
}

impl<M: ReadModel> Default for Projector<M> {
    fn default() -> Self {
        Projector {
            shared: Arc::default(),
            draft: M::Draft::default(),
            position: Position::START,
            tally: Tally::default(),
            anchor: None,
        }
    }
}

impl<M: ReadModel> Projector<M> {
    /// Continues a checkpoint.
    ///
    /// # Errors
    /// [`PageError`] when the rows are not what this projection writes.
    pub(super) fn from_saved(set: SavedSet) -> Result<Self, PageError> {
        let heading = set.heading;
        let row_count = usize::try_from(heading.row_count).unwrap_or(usize::MAX);
        let rows: Rows<M::Row> = Rows::decode(&set.pages, M::ROWS_PER_PAGE, M::FORMAT, row_count)?;
        if let Some(number) = rows.iter().position(|row| !M::is_sound(row)) {
            return Err(PageError::Unsound { number });
        }
        let anchor = (heading.anchor_position > 0).then(|| Anchor {
            position: Position::new(heading.anchor_position),
            id: Uuid::from_u128(heading.anchor_id),
            recorded_at: heading.anchor_recorded_at,
        });
        let position = heading.position();
        let tally = Tally {
            handled_events: heading.handled_events,
            skipped: heading.skipped.iter().copied().map(Position::new).collect(),
            skipped_events: heading.skipped_events,
            last_recorded: anchor.map(|anchor| storage::Timestamp::from_micros(anchor.recorded_at)),
        };
        let shared = Arc::new(RwLock::new(Published {
            model: M::from_rows(rows),
            position,
        }));
        Ok(Projector {
            shared,
            draft: M::Draft::default(),
            position,
            tally,
            anchor,
        })
    }

    /// Continues what was folded at once.
    pub(super) fn from_whole(whole: Whole<M>) -> Self {
        let Reach {
            position,
            tally,
            anchor,
        } = whole.reach;
        Projector {
            shared: Arc::new(RwLock::new(Published {
                model: whole.model,
                position,
            })),
            draft: M::Draft::default(),
            position,
            tally,
            anchor,
        }
    }

    /// Everything up to here is folded and visible.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// What was folded and what was not.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How far it is, as what folds at once tells it.
    #[cfg(test)]
    pub(super) fn reach(&self) -> Reach {
        Reach {
            position: self.position,
            tally: self.tally.clone(),
            anchor: self.anchor,
        }
    }

    /// Has answers come from `place` from now on: what is visible there is replaced at once. Gives what was there before,
    /// which takes a while to free.
    pub(super) fn settle_in(
        &mut self,
        place: &Arc<RwLock<Published<M>>>,
    ) -> Arc<RwLock<Published<M>>> {
        let mut own = write(&self.shared);
        let mut theirs = write(place);
        std::mem::swap(&mut *own, &mut *theirs);
        drop((own, theirs));
        std::mem::replace(&mut self.shared, Arc::clone(place))
    }

    /// Folds the next batch, not beyond `to`, which must be durable, and makes it visible.
    ///
    /// An event that is damaged, or whose fold fails or panics, is counted as skipped.
    ///
    /// # Errors
    /// [`AdvanceError::Read`] only under [`Patience::Insist`], [`AdvanceError::Stuck`]; then nothing of the batch is visible.
    pub(super) fn advance(
        &mut self,
        log: &Log,
        to: Position,
        patience: Patience,
    ) -> Result<(), AdvanceError> {
        let mut poisonous = BTreeSet::new();
        let stretch = loop {
            let mut at = Position::START;
            let attempt = catch_unwind(AssertUnwindSafe(|| {
                self.fold_batch(log, to, patience, &poisonous, &mut at)
            }));
            match attempt {
                Ok(stretch) => break stretch?,
                Err(panic) => {
                    // The draft may be half changed; the model is not, so the batch is simply folded again.
                    self.draft = M::Draft::default();
                    let text = panic_text(panic.as_ref());
                    if at == Position::START || !poisonous.insert(at) {
                        return Err(AdvanceError::Stuck(text));
                    }
                    tracing::error!(projection = M::NAME, position = at.get(), %text, "an event is left out");
                }
            }
        };
        let patch = M::seal(&mut self.draft);
        let mut shared = write(&self.shared);
        shared.model.publish(patch);
        shared.position = stretch.reached;
        drop(shared);
        self.position = stretch.reached;
        self.tally.extend(stretch.tally);
        self.anchor = stretch.anchor.or(self.anchor);
        Ok(())
    }

    /// Folds into the draft. `at` is the event that is being folded.
    fn fold_batch(
        &mut self,
        log: &Log,
        to: Position,
        patience: Patience,
        poisonous: &BTreeSet<Position>,
        at: &mut Position,
    ) -> Result<Stretch, AdvanceError> {
        let mut stretch = Stretch {
            reached: self.position,
            ..Stretch::default()
        };
        let last = to.min(self.position.advanced_by(BATCH_EVENTS_MAX));
        let request = ReadRequest {
            from: self.position.next(),
            to: last,
            ..ReadRequest::default()
        };
        let mut reader = log.read(&request)?;
        let shared = read(&self.shared);
        let mut bytes = 0;
        while stretch.reached < last
            && bytes < BATCH_BYTES_MAX
            && M::changed(&self.draft) < BATCH_ROWS_MAX
        {
            let event = match reader.next() {
                Some(Ok(event)) => event,
                // The reader goes on behind what is damaged; the gap is noticed at the next event.
                Some(Err(ReadError::Damaged { .. })) => continue,
                Some(Err(ReadError::Unreadable { .. })) if patience == Patience::PassOver => {
                    continue;
                }
                Some(Err(error)) => return Err(error.into()),
                None => {
                    // What is missing at the end was lost with its segment.
                    skip_to(&mut stretch, last);
                    break;
                }
            };
            let position = event.position();
            skip_to(&mut stretch, position.previous());
            stretch.reached = position;
            stretch.tally.last_recorded = Some(event.recorded_at());
            stretch.anchor = Some(Anchor {
                position,
                id: event.id(),
                recorded_at: event.recorded_at().micros(),
            });
            bytes += event.data().len();
            if poisonous.contains(&position) {
                stretch.tally.skip(position);
                continue;
            }
            *at = position;
            match shared.model.fold(&mut self.draft, &event) {
                Ok(handled) => stretch.tally.handled_events += u64::from(handled),
                Err(error) => {
                    tracing::warn!(projection = M::NAME, position = position.get(), %error, "an event is left out");
                    stretch.tally.skip(position);
                }
            }
            *at = Position::START;
        }
        Ok(stretch)
    }

    /// A checkpoint of what is visible: its changed pages, or all of them.
    pub(super) fn checkpoint(&mut self, log_id: Uuid, whole: bool) -> Batch {
        if whole {
            write(&self.shared).model.rows_mut().mark_all_changed();
        }
        let encoded = read(&self.shared).model.rows().encode_changed(M::FORMAT);
        // Before the lock, which answers wait for.
        let checksums = checksums_of_pages(&encoded);
        let mut shared = write(&self.shared);
        shared.model.rows_mut().note_saved(&encoded, &checksums);
        drop(shared);
        let shared = read(&self.shared);
        let rows = shared.model.rows();
        let anchor = self.anchor;
        let heading = Heading {
            log_id: log_id.as_u128(),
            format: M::FORMAT,
            position: self.position.get(),
            anchor_position: anchor.map_or(0, |anchor| anchor.position.get()),
            anchor_id: anchor.map_or(0, |anchor| anchor.id.as_u128()),
            anchor_recorded_at: anchor.map_or(0, |anchor| anchor.recorded_at),
            handled_events: self.tally.handled_events,
            skipped: self
                .tally
                .skipped
                .iter()
                .map(|position| position.get())
                .collect(),
            skipped_events: self.tally.skipped_events,
            row_count: rows.len() as u64,
            page_count: u32::try_from(rows.page_checksums().len()).unwrap_or(u32::MAX),
            pages_checksum: checksum_of(rows.page_checksums()),
        };
        drop(shared);
        Batch {
            heading: heading.to_bytes(),
            pages: encoded,
            whole,
        }
    }
}

/// Counts every position up to `position` that was not reached as skipped.
fn skip_to(stretch: &mut Stretch, position: Position) {
    // At most a batch: `position` is never beyond its end.
    while stretch.reached < position {
        stretch.reached = stretch.reached.next();
        stretch.tally.skip(stretch.reached);
    }
}

/// Reads what is visible. A panic while it was held is no reason to stop: changes are swapped in whole.
pub(super) fn read<M>(shared: &RwLock<Published<M>>) -> RwLockReadGuard<'_, Published<M>> {
    shared.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<M>(shared: &RwLock<Published<M>>) -> RwLockWriteGuard<'_, Published<M>> {
    shared.write().unwrap_or_else(PoisonError::into_inner)
}

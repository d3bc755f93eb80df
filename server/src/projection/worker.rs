//! The thread of one projection: follows the log, saves checkpoints, and swaps in what was rebuilt.
//!
//! Catching up and being live are the same loop: read what is durable, fold it, wait for more. A projection has a thread
//! of its own so that a slow, failing or panicking fold holds up no other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use storage::{Log, Position};

use super::keeper::{Generation, Keeper, SaveOutcome, panic_text};
use super::projector::{AdvanceError, BATCH_EVENTS_MAX, Patience, Projector};
use super::read_model::{Published, ReadModel};
use super::runner::ProjectionSettings;
use super::status::{Board, Order};
use super::whole::Halt;

#[cfg(test)]
mod tests;

/// How long an idle worker waits for the log before it looks at its orders: what a rebuild, or the end, may be late by.
const IDLE_WAIT: Duration = Duration::from_millis(20);
/// The same while something is rebuilt, which is to be swapped in as soon as it is done.
const REBUILD_WAIT: Duration = Duration::from_millis(5);
/// How long a worker waits before it reads again what it could not read.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// How often it does so before it goes on behind it. A segment's file that stays unreadable for so long is lost.
const RETRIES_MAX: u32 = 10;
/// Events that are folded at once at the start, where they are most of the log: fewer are soon folded batch by batch.
const AT_ONCE_EVENTS_MIN: u64 = 16 * BATCH_EVENTS_MAX;
/// How long an ending worker waits for a checkpoint to be taken.
const LAST_SAVE_LIMIT: Duration = Duration::from_secs(30);

/// What a worker shares with the rest of the server.
pub(super) struct Surroundings {
    pub(super) log: Arc<Log>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) board: Arc<Board>,
    pub(super) settings: ProjectionSettings,
}

/// Starts the worker of the read model whose answers are at `place`.
pub(super) fn start<M: ReadModel>(
    surroundings: Surroundings,
    place: Arc<RwLock<Published<M>>>,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(format!("fold-{}", M::NAME))
        .spawn(move || {
            let mut from_store = true;
            loop {
                let follow = || Worker::settle(&surroundings, &place, from_store).follow();
                let Err(panic) = catch_unwind(AssertUnwindSafe(follow)) else {
                    return;
                };
                // What was being folded may be half changed: a rebuild begins with nothing.
                let reason = panic_text(panic.as_ref());
                tracing::error!(projection = M::NAME, %reason, "a projection has failed");
                surroundings.board.fail(reason);
                from_store = false;
                if !wait_for_rebuild(&surroundings.board) {
                    return;
                }
            }
        })
}

/// Waits for the order to rebuild; false when the order is to end.
fn wait_for_rebuild(board: &Board) -> bool {
    loop {
        match board.order() {
            Order::Rebuild => {
                board.rebuilding(None);
                return true;
            }
            Order::Stop | Order::Abandon => return false,
            Order::Follow => board.linger(IDLE_WAIT),
        }
    }
}

type Rebuild<M> = JoinHandle<Option<Projector<M>>>;

struct Worker<'a, M: ReadModel> {
    surroundings: &'a Surroundings,
    place: &'a Arc<RwLock<Published<M>>>,
    live: Projector<M>,
    rebuild: Option<Rebuild<M>>,
    /// Whether the rebuild does the worker's own work, which waits for it.
    catches_up: bool,
    saves: Saves,
    /// Reads in a row that failed.
    failures: u32,
}

/// How far checkpoints got.
struct Saves {
    /// What the next checkpoint may build upon; `None` makes it a whole one.
    base: Option<Generation>,
    /// The answer that is awaited, and the position that was handed over.
    pending: Option<Receiver<SaveOutcome>>,
    position: Position,
    at: Instant,
}

impl Saves {
    /// Whether a checkpoint of what is folded up to `position` is to be taken. `is_replaced`: whether a rebuild is about to take
    /// the place of all of it; a whole checkpoint is not worth its while then.
    fn are_due(
        &self,
        position: Position,
        settings: &ProjectionSettings,
        is_replaced: bool,
    ) -> bool {
        let unsaved = self.position.distance_to(position);
        let is_time = unsaved >= settings.checkpoint_events
            || self.at.elapsed() >= settings.checkpoint_interval;
        let is_for_nothing = is_replaced && self.base.is_none();
        unsaved > 0 && is_time && !is_for_nothing
    }
}

impl<'a, M: ReadModel> Worker<'a, M> {
    /// A worker that continues what was saved, or begins anew.
    fn settle(
        surroundings: &'a Surroundings,
        place: &'a Arc<RwLock<Published<M>>>,
        from_store: bool,
    ) -> Self {
        let mut live = Projector::default();
        let mut base = None;
        let loaded = if from_store {
            surroundings.keeper.take_loaded(M::NAME)
        } else {
            None
        };
        if let Some((set, generation)) = loaded.filter(|(set, _)| set.heading.format == M::FORMAT) {
            match Projector::from_saved(set) {
                Ok(saved) => {
                    live = saved;
                    base = Some(generation);
                }
                Err(error) => {
                    tracing::warn!(projection = M::NAME, %error, "a checkpoint is left, the log is folded anew")
                }
            }
        }
        live.settle_in(place);
        let durable = surroundings.log.durable_position();
        surroundings
            .board
            .publish(live.position(), live.tally(), live.position() >= durable);
        let saves = Saves {
            base,
            pending: None,
            position: live.position(),
            at: Instant::now(),
        };
        Worker {
            surroundings,
            place,
            live,
            rebuild: None,
            catches_up: false,
            saves,
            failures: 0,
        }
    }

    /// Follows the log until the order to end comes.
    fn follow(mut self) {
        let Surroundings {
            log,
            board,
            settings,
            ..
        } = self.surroundings;
        self.catch_up();
        loop {
            match board.order() {
                Order::Follow => {}
                Order::Rebuild => self.start_rebuild(),
                Order::Stop => return self.end(),
                Order::Abandon => {
                    self.join_rebuild();
                    return;
                }
            }
            // Behind the orders: a rebuild does not wait for a checkpoint of what it is to replace.
            self.save_if_due();
            self.adopt_rebuild();
            if self.catches_up {
                // Not lingering: who waits for a position cannot have it sooner.
                thread::sleep(REBUILD_WAIT);
                continue;
            }
            let wait = match self.rebuild {
                Some(_) => REBUILD_WAIT,
                None => IDLE_WAIT,
            };
            let durable = log.wait_past(self.live.position(), wait);
            if durable > self.live.position() {
                self.advance_live(durable);
                if self.live.position() >= durable {
                    board.linger(settings.linger);
                }
            }
        }
    }

    /// Has a log of which most is not folded yet folded at once, which takes a fraction of the time: the first start over a large
    /// log, or one behind an import. Answers stay as they are until it is done.
    fn catch_up(&mut self) {
        let Surroundings { log, board, .. } = self.surroundings;
        let (folded, durable) = (self.live.position(), log.durable_position());
        let behind = folded.distance_to(durable);
        if behind >= AT_ONCE_EVENTS_MIN && behind > folded.get() {
            // Said before it begins: who wants all of it forgotten waits for this one, and orders another.
            board.rebuilding(Some((Position::START, durable)));
            self.start_rebuild();
            self.catches_up = self.rebuild.is_some();
        }
    }

    /// Folds a batch, or says why not.
    fn advance_live(&mut self, durable: Position) {
        let Surroundings { log, board, .. } = self.surroundings;
        let patience = if self.failures < RETRIES_MAX {
            Patience::Insist
        } else {
            Patience::PassOver
        };
        match self.live.advance(log, durable, patience) {
            Ok(()) => {
                self.failures = 0;
                board.publish(
                    self.live.position(),
                    self.live.tally(),
                    self.live.position() >= durable,
                );
            }
            Err(AdvanceError::Read(error)) => {
                self.failures += 1;
                let reason = AdvanceError::Read(error).to_string();
                tracing::error!(projection = M::NAME, %reason, "a projection waits");
                board.fail(reason);
                board.linger(RETRY_WAIT);
            }
            // Caught where the worker was started.
            Err(AdvanceError::Stuck(reason)) => std::panic::panic_any(reason),
        }
    }

    /// Folds the log anew on another thread.
    fn start_rebuild(&mut self) {
        if self.rebuild.is_some() {
            return;
        }
        let (log, board) = (
            Arc::clone(&self.surroundings.log),
            Arc::clone(&self.surroundings.board),
        );
        let thread = thread::Builder::new().name(format!("rebuild-{}", M::NAME));
        match thread.spawn(move || fold_anew::<M>(&log, &board)) {
            Ok(rebuild) => self.rebuild = Some(rebuild),
            Err(error) => {
                tracing::error!(projection = M::NAME, %error, "no thread for a rebuild");
                self.surroundings.board.rebuilding(None);
            }
        }
    }

    /// Swaps in what was rebuilt, once it is.
    fn adopt_rebuild(&mut self) {
        if !self.rebuild.as_ref().is_some_and(JoinHandle::is_finished) {
            return;
        }
        self.catches_up = false;
        let Surroundings { log, board, .. } = self.surroundings;
        let Some(mut rebuilt) = self.join_rebuild() else {
            board.rebuilding(None);
            return;
        };
        // Answers never go back: what the live fold did meanwhile is folded before the swap.
        while rebuilt.position() < self.live.position() {
            if let Err(error) = rebuilt.advance(log, self.live.position(), Patience::Insist) {
                tracing::error!(projection = M::NAME, %error, "a rebuild is given up");
                board.rebuilding(None);
                return;
            }
        }
        let before = rebuilt.settle_in(self.place);
        let before = (before, std::mem::replace(&mut self.live, rebuilt));
        self.saves.base = None;
        self.saves.position = Position::START;
        board.publish(self.live.position(), self.live.tally(), true);
        board.rebuilt();
        tracing::info!(
            projection = M::NAME,
            position = self.live.position().get(),
            "rebuilt"
        );
        board.rebuilding(None);
        // To free what was there before takes a while, and nobody waits for it.
        drop(before);
    }

    fn join_rebuild(&mut self) -> Option<Projector<M>> {
        match self.rebuild.take()?.join() {
            Ok(rebuilt) => rebuilt,
            Err(panic) => {
                let reason = panic_text(panic.as_ref());
                tracing::error!(projection = M::NAME, %reason, "a rebuild has failed");
                None
            }
        }
    }

    fn save_if_due(&mut self) {
        let settings = &self.surroundings.settings;
        let (position, is_replaced) = (self.live.position(), self.rebuild.is_some());
        if self.hear_of_save(Duration::ZERO) && self.saves.are_due(position, settings, is_replaced)
        {
            self.save();
        }
    }

    /// Takes the answer that is awaited, if it comes in time. True when none is awaited any more.
    fn hear_of_save(&mut self, limit: Duration) -> bool {
        let Some(pending) = &self.saves.pending else {
            return true;
        };
        let outcome = match pending.try_recv() {
            Err(TryRecvError::Empty) if limit.is_zero() => return false,
            Err(TryRecvError::Empty) => match pending.recv_timeout(limit) {
                Err(RecvTimeoutError::Timeout) => return false,
                outcome => outcome.unwrap_or(SaveOutcome::Lost),
            },
            outcome => outcome.unwrap_or(SaveOutcome::Lost),
        };
        self.saves.pending = None;
        match outcome {
            // After a swap the answer is about what was there before, and the next checkpoint stays a whole one.
            SaveOutcome::Saved(generation) => {
                if self.saves.position > Position::START {
                    self.saves.base = Some(generation);
                }
            }
            SaveOutcome::Lost => {
                self.saves.base = None;
                self.saves.position = Position::START;
            }
        }
        true
    }

    fn save(&mut self) {
        let base = self.saves.base;
        let batch = self
            .live
            .checkpoint(self.surroundings.log.log_id(), base.is_none());
        self.saves.pending = Some(self.surroundings.keeper.save(M::NAME, batch, base));
        self.saves.position = self.live.position();
        self.saves.at = Instant::now();
    }

    /// Saves a last checkpoint.
    fn end(mut self) {
        self.join_rebuild();
        if !self.hear_of_save(LAST_SAVE_LIMIT) {
            return;
        }
        // A save that was refused (the store was opened anew) is tried once more, whole.
        for _ in 0..2 {
            if self.saves.position < self.live.position() {
                self.save();
                self.hear_of_save(LAST_SAVE_LIMIT);
            }
        }
    }
}

/// Folds the log from its beginning until little is left for the worker to do. `None` when it has to end.
fn fold_anew<M: ReadModel>(log: &Log, board: &Board) -> Option<Projector<M>> {
    let mut projector = fold_at_once(log, board)?;
    loop {
        if board.order_to_end().is_some() {
            return None;
        }
        let durable = log.durable_position();
        board.rebuilding(Some((projector.position(), durable)));
        if projector.position().distance_to(durable) < BATCH_EVENTS_MAX
            && projector.position() >= board.position()
        {
            return Some(projector);
        }
        if let Err(error) = projector.advance(log, durable, Patience::Insist) {
            tracing::error!(projection = M::NAME, %error, "a rebuild has failed");
            return None;
        }
    }
}

/// Folds all that is durable at once, where the model knows how and the log lets it. `None` when the rebuild is over.
fn fold_at_once<M: ReadModel>(log: &Log, board: &Board) -> Option<Projector<M>> {
    let durable = log.durable_position();
    let watch = |position| {
        board.rebuilding(Some((position, durable)));
        board.order_to_end().is_none()
    };
    match M::fold_whole(log, durable, &watch) {
        None => Some(Projector::default()),
        Some(Ok(whole)) => Some(Projector::from_whole(whole)),
        Some(Err(Halt::Ended)) => None,
        Some(Err(Halt::Unsuitable(reason))) => {
            tracing::warn!(projection = M::NAME, %reason, "a rebuild goes on batch by batch");
            Some(Projector::default())
        }
        Some(Err(error @ Halt::Read(_))) => {
            tracing::error!(projection = M::NAME, %error, "a rebuild has failed");
            None
        }
    }
}

//! What a projection says about itself: to operators, to metrics, and to readers that wait for a position.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use storage::{Position, Timestamp};
use thiserror::Error;
use tokio::sync::watch;

use super::checkpoint::SKIPPED_LISTED_MAX;

/// A projection at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: &'static str,
    /// The format number of what it keeps; another number means that it was folded anew.
    pub format: u32,
    /// Everything up to here is in its answers.
    pub position: Position,
    /// Up to where the log is durable.
    pub durable: Position,
    /// Durable events that are not in its answers yet.
    pub lag_events: u64,
    /// How long ago the oldest of those was recorded, in seconds; 0 when there is none.
    pub lag_seconds: f64,
    /// What it is doing.
    pub state: ProjectionState,
    /// The event types it takes in, in their canonical spelling; `*` stands for every type.
    pub handled_event_types: Vec<String>,
    /// Events that it took in since its beginning.
    pub handled_events: u64,
    /// Positions that it could not take in (a damaged event, or a fold that failed), in order; the first 1,000.
    pub skipped: Vec<Position>,
    /// How many positions it could not take in.
    pub skipped_events: u64,
    /// When the newest event in its answers was recorded.
    pub last_updated: Option<Timestamp>,
}

/// What a projection is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectionState {
    /// Its answers follow the log.
    Live,
    /// It started a while ago and has not yet met the end of the log; its answers are of an earlier position.
    CatchingUp,
    /// It is folded anew beside its live answers, which go on following the log.
    Rebuilding {
        /// How far the new fold is.
        position: Position,
        /// Where it has to get.
        of: Position,
    },
    /// It does not follow the log any more; a rebuild may help.
    Failed {
        /// What went wrong.
        reason: String,
    },
}

/// Why a rebuild does not start.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RebuildError {
    /// There is no projection of this name.
    #[error("projection {name} not found")]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// It is being rebuilt already.
    #[error("projection {name} is being rebuilt already")]
    Running {
        /// Its name.
        name: &'static str,
    },
}

/// Events that were taken in and that could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) handled_events: u64,
    pub(super) skipped: Vec<Position>,
    pub(super) skipped_events: u64,
    pub(super) last_recorded: Option<Timestamp>,
}

impl Tally {
    /// Counts a position that could not be taken in.
    pub(super) fn skip(&mut self, position: Position) {
        if self.skipped.len() < SKIPPED_LISTED_MAX {
            self.skipped.push(position);
        }
        self.skipped_events += 1;
    }

    /// Adds what somebody else came to in the same stretch of the log.
    pub(super) fn join(&mut self, other: Tally) {
        self.handled_events += other.handled_events;
        self.skipped_events += other.skipped_events;
        self.skipped.extend(other.skipped);
        self.skipped.sort_unstable();
        self.skipped.truncate(SKIPPED_LISTED_MAX);
        self.last_recorded = self.last_recorded.max(other.last_recorded);
    }

    /// Adds what a later stretch of the log came to.
    pub(super) fn extend(&mut self, later: Tally) {
        self.handled_events += later.handled_events;
        self.skipped_events += later.skipped_events;
        let free = SKIPPED_LISTED_MAX.saturating_sub(self.skipped.len());
        self.skipped.extend(later.skipped.into_iter().take(free));
        self.last_recorded = later.last_recorded.or(self.last_recorded);
    }
}

/// What the worker is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    Follow,
    /// Fold everything anew.
    Rebuild,
    /// Save and end.
    Stop,
    /// End as if killed.
    Abandon,
}

/// The notice board between one worker and everybody else.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) format: u32,
    pub(super) handled_event_types: Vec<String>,
    notice: Mutex<Notice>,
    changed: Condvar,
    positions: watch::Sender<Position>,
}

#[derive(Debug)]
struct Notice {
    position: Position,
    tally: Tally,
    met_the_end: bool,
    failed: Option<String>,
    rebuilding: Option<(Position, Position)>,
    rebuild_wanted: bool,
    /// How often what was rebuilt took the place of what was there.
    rebuilds: u64,
    end: Option<Order>,
    /// The highest position that somebody waits for.
    wanted: Position,
}

impl Board {
    /// A projection that has folded nothing.
    pub(super) fn new(
        name: &'static str,
        aliases: &'static [&'static str],
        format: u32,
        handled_event_types: Vec<String>,
    ) -> Self {
        let notice = Notice {
            position: Position::START,
            tally: Tally::default(),
            met_the_end: false,
            failed: None,
            rebuilding: None,
            rebuild_wanted: false,
            rebuilds: 0,
            end: None,
            wanted: Position::START,
        };
        Board {
            name,
            aliases,
            format,
            handled_event_types,
            notice: Mutex::new(notice),
            changed: Condvar::new(),
            positions: watch::Sender::new(Position::START),
        }
    }

    fn notice(&self) -> MutexGuard<'_, Notice> {
        self.notice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What the worker writes.

    /// Answers reflect `position` now; `met_the_end` when that was the end of the log.
    pub(super) fn publish(&self, position: Position, tally: &Tally, met_the_end: bool) {
        let mut notice = self.notice();
        notice.position = position;
        if notice.tally != *tally {
            notice.tally.clone_from(tally);
        }
        notice.met_the_end |= met_the_end;
        notice.failed = None;
        let waited_for = notice.wanted > Position::START;
        if notice.wanted <= position {
            notice.wanted = Position::START;
        }
        drop(notice);
        if waited_for {
            self.changed.notify_all();
        }
        self.positions.send_replace(position);
    }

    /// The worker cannot go on, or not now.
    pub(super) fn fail(&self, reason: String) {
        self.notice().failed = Some(reason);
        self.changed.notify_all();
    }

    /// How far a rebuild is; `None` when there is none.
    pub(super) fn rebuilding(&self, progress: Option<(Position, Position)>) {
        self.notice().rebuilding = progress;
    }

    /// What was rebuilt took the place of what was there.
    pub(super) fn rebuilt(&self) {
        self.notice().rebuilds += 1;
    }

    /// What to do next. A rebuild is ordered once.
    pub(super) fn order(&self) -> Order {
        let mut notice = self.notice();
        if let Some(end) = notice.end {
            return end;
        }
        if std::mem::take(&mut notice.rebuild_wanted) {
            Order::Rebuild
        } else {
            Order::Follow
        }
    }

    /// The order to end, if it was given.
    pub(super) fn order_to_end(&self) -> Option<Order> {
        self.notice().end
    }

    /// Waits until `duration` has passed, an order is given, or somebody wants a position that is not folded yet.
    pub(super) fn linger(&self, duration: Duration) {
        let idle = |notice: &mut Notice| {
            notice.end.is_none() && !notice.rebuild_wanted && notice.wanted <= notice.position
        };
        let waited = self
            .changed
            .wait_timeout_while(self.notice(), duration, idle);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    // What everybody else asks.

    /// Whether this is the projection's name, or one that it had.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// The position that answers reflect.
    pub(super) fn position(&self) -> Position {
        self.notice().position
    }

    /// Follows the position that answers reflect.
    pub(super) fn subscribe(&self) -> watch::Receiver<Position> {
        self.positions.subscribe()
    }

    /// Has the worker hurry to `position` instead of collecting more events first.
    pub(super) fn hurry(&self, position: Position) {
        let mut notice = self.notice();
        if notice.position < position && notice.wanted < position {
            notice.wanted = position;
            drop(notice);
            self.changed.notify_all();
        }
    }

    /// Waits until answers reflect `position`; false when they do not in time, or the projection has failed or ended.
    pub(super) fn wait_for(&self, position: Position, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        self.hurry(position);
        let mut notice = self.notice();
        loop {
            if notice.position >= position {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || notice.end.is_some() || notice.failed.is_some() {
                return false;
            }
            notice.wanted = notice.wanted.max(position);
            notice = self
                .changed
                .wait_timeout(notice, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Asks for a rebuild.
    ///
    /// # Errors
    /// [`RebuildError::Running`].
    pub(super) fn ask_rebuild(&self) -> Result<(), RebuildError> {
        let mut notice = self.notice();
        if notice.rebuild_wanted || notice.rebuilding.is_some() {
            return Err(RebuildError::Running { name: self.name });
        }
        notice.rebuild_wanted = true;
        notice.rebuilding = Some((Position::START, notice.position));
        drop(notice);
        self.changed.notify_all();
        Ok(())
    }

    /// How often what was rebuilt took the place of what was there; `None` while something is being rebuilt.
    pub(super) fn rebuilds(&self) -> Option<u64> {
        let notice = self.notice();
        (!notice.rebuild_wanted && notice.rebuilding.is_none()).then_some(notice.rebuilds)
    }

    /// Asks the worker to end. The first such order counts.
    pub(super) fn end(&self, order: Order) {
        self.notice().end.get_or_insert(order);
        self.changed.notify_all();
    }

    /// Everything but the lag in seconds, for which the log must be asked.
    pub(super) fn status(&self, durable: Position) -> ProjectionStatus {
        let notice = self.notice();
        let state = match (&notice.failed, notice.rebuilding) {
            (_, Some((position, of))) => ProjectionState::Rebuilding { position, of },
            (Some(reason), None) => ProjectionState::Failed {
                reason: reason.clone(),
            },
            (None, None) if notice.met_the_end => ProjectionState::Live,
            (None, None) => ProjectionState::CatchingUp,
        };
        let durable = durable.max(notice.position);
        ProjectionStatus {
            name: self.name,
            format: self.format,
            position: notice.position,
            durable,
            lag_events: notice.position.distance_to(durable),
            lag_seconds: 0.0,
            state,
            handled_event_types: self.handled_event_types.clone(),
            handled_events: notice.tally.handled_events,
            skipped: notice.tally.skipped.clone(),
            skipped_events: notice.tally.skipped_events,
            last_updated: notice.tally.last_recorded,
        }
    }
}

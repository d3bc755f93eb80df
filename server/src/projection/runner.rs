//! All projections of the server: started together, asked by name.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use storage::{Clock, Log, Position, ReadRequest, SystemClock};
use tokio::sync::watch;
use uuid::Uuid;

use super::catalog::Catalog;
use super::checkpoint::{Anchor, History};
use super::event_counts::EventCounts;
use super::keeper::{Keeper, KeeperOptions, Opener, forget_saved};
use super::read_model::{Published, ReadModel};
use super::status::{Board, Order, ProjectionStatus, RebuildError};
use super::store::{CheckpointStore, RedbStore};
use super::worker::{self, Surroundings};

/// How long the end may wait for the checkpoint store.
const STORE_CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// How often is looked whether a rebuild is done.
const FORGET_PAUSE: Duration = Duration::from_millis(5);

/// How projections run.
#[derive(Clone)]
pub struct ProjectionSettings {
    /// A checkpoint is due after this long. Default 15 s: what a start after a crash folds again.
    pub checkpoint_interval: Duration,
    /// A checkpoint is due after this many events. Default 1,000,000.
    pub checkpoint_events: u64,
    /// How long a projection that met the log's end collects events before it looks again, unless somebody waits for
    /// a position. Default 10 ms: answers that name no position may be this much older than the log.
    pub linger: Duration,
    /// How long opening and reading the checkpoints may take before they are set aside. Default 20 s.
    pub open_limit: Duration,
    /// Memory for the checkpoint store's cache, in bytes. Default 8 MiB.
    pub store_cache_bytes: usize,
    /// By which the lag is measured. Default: the machine's clock.
    pub clock: Arc<dyn Clock>,
    /// How the checkpoint store is opened; `None`: redb. For tests.
    pub(super) opener: Option<Opener>,
}

impl Default for ProjectionSettings {
    fn default() -> Self {
        ProjectionSettings {
            checkpoint_interval: Duration::from_secs(15),
            checkpoint_events: 1_000_000,
            linger: Duration::from_millis(10),
            open_limit: Duration::from_secs(20),
            store_cache_bytes: 8 << 20,
            clock: Arc::new(SystemClock),
            opener: None,
        }
    }
}

impl fmt::Debug for ProjectionSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProjectionSettings")
            .field("checkpoint_interval", &self.checkpoint_interval)
            .field("checkpoint_events", &self.checkpoint_events)
            .field("linger", &self.linger)
            .field("open_limit", &self.open_limit)
            .field("store_cache_bytes", &self.store_cache_bytes)
            .finish_non_exhaustive()
    }
}

/// The projections of one log. Dropped without [`stop`](Projections::stop), they end as if killed.
pub struct Projections {
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    keeper: Arc<Keeper>,
    boards: Vec<Arc<Board>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    catalog: Catalog,
    event_counts: EventCounts,
}

impl fmt::Debug for Projections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Projections")
            .field("boards", &self.boards)
            .finish_non_exhaustive()
    }
}

impl Projections {
    /// Starts all projections of `log`, their checkpoints in `folder`. Returns at once: they read their checkpoints and
    /// catch up on threads of their own, and answer meanwhile with what they have.
    pub fn start(log: Arc<Log>, folder: &Path, settings: ProjectionSettings) -> Arc<Projections> {
        let catalog = Catalog::default();
        let event_counts = EventCounts::default();
        let boards = vec![board_at(&catalog.shared), board_at(&event_counts.shared)];
        let keeper = Arc::new(Keeper::start(keeper_options(
            &log, folder, &settings, &boards,
        )));
        let surroundings = |board: &Arc<Board>| Surroundings {
            log: Arc::clone(&log),
            keeper: Arc::clone(&keeper),
            board: Arc::clone(board),
            settings: settings.clone(),
        };
        let started = [
            worker::start(surroundings(&boards[0]), Arc::clone(&catalog.shared)),
            worker::start(surroundings(&boards[1]), Arc::clone(&event_counts.shared)),
        ];
        let mut workers = Vec::new();
        for (board, worker) in boards.iter().zip(started) {
            match worker {
                Ok(worker) => workers.push(worker),
                Err(error) => board.fail(format!("no thread: {error}")),
            }
        }
        Arc::new(Projections {
            clock: settings.clock,
            keeper,
            boards,
            workers: Mutex::new(workers),
            catalog,
            event_counts,
            log,
        })
    }

    /// All projections, in the order in which they are documented.
    pub fn status(&self) -> Vec<ProjectionStatus> {
        self.boards
            .iter()
            .map(|board| self.describe(board))
            .collect()
    }

    /// The projection of this name, or that once had it.
    pub fn status_of(&self, name: &str) -> Option<ProjectionStatus> {
        Some(self.describe(self.board(name)?))
    }

    /// Has a projection folded anew beside its live answers, which are replaced at once when that is done. Returns at
    /// once; [`status_of`](Projections::status_of) tells the progress.
    ///
    /// # Errors
    /// [`RebuildError`].
    pub fn rebuild(&self, name: &str) -> Result<(), RebuildError> {
        let board = self.board(name).ok_or_else(|| RebuildError::Unknown {
            name: name.to_owned(),
        })?;
        board.ask_rebuild()
    }

    /// [`rebuild`](Projections::rebuild)s every projection that is not being rebuilt already.
    pub fn rebuild_all(&self) {
        for board in &self.boards {
            // One that is being rebuilt already needs no second order.
            let _ = board.ask_rebuild();
        }
    }

    /// Folds every projection anew and removes what was saved of them before: nothing of what events held until now is left
    /// in answers or files. False when that fails or takes longer than `limit`. Blocks.
    pub fn forget(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        // What is being rebuilt already may have read events as they were.
        let settled = |board: &Board| loop {
            match board.rebuilds() {
                Some(rebuilds) => return Some(rebuilds),
                None if Instant::now() >= deadline => return None,
                None => std::thread::sleep(FORGET_PAUSE),
            }
        };
        let mut before = Vec::new();
        for board in &self.boards {
            let Some(rebuilds) = settled(board) else {
                return false;
            };
            before.push(rebuilds);
            if board.ask_rebuild().is_err() {
                return false;
            }
        }
        let rebuilt = self.boards.iter().zip(before);
        for (board, before) in rebuilt {
            if settled(board).is_none_or(|rebuilds| rebuilds == before) {
                return false;
            }
        }
        self.keeper
            .forget(deadline.saturating_duration_since(Instant::now()))
    }

    /// Removes what was saved of the projections in `folder`, before they are started.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn forget_saved(folder: &Path) -> std::io::Result<()> {
        forget_saved(folder)
    }

    /// Blocks until the projection's answers reflect `position`. False when they do not in time, when it has failed,
    /// or when there is none of this name.
    pub fn wait_for(&self, name: &str, position: Position, timeout: Duration) -> bool {
        self.board(name)
            .is_some_and(|board| board.wait_for(position, timeout))
    }

    /// As [`wait_for`](Projections::wait_for), without a thread.
    pub async fn reach(&self, name: &str, position: Position, timeout: Duration) -> bool {
        let Some(board) = self.board(name) else {
            return false;
        };
        let mut positions = board.subscribe();
        board.hurry(position);
        let reached = positions.wait_for(|reached| *reached >= position);
        tokio::time::timeout(timeout, reached)
            .await
            .is_ok_and(|reached| reached.is_ok())
    }

    /// Follows the position that a projection's answers reflect.
    pub fn subscribe(&self, name: &str) -> Option<watch::Receiver<Position>> {
        Some(self.board(name)?.subscribe())
    }

    /// The position that a projection's answers reflect; [`Position::START`] when there is none of this name.
    pub fn position(&self, name: &str) -> Position {
        self.board(name)
            .map_or(Position::START, |board| board.position())
    }

    /// The present state of every stream.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Events by type and day.
    pub fn event_counts(&self) -> &EventCounts {
        &self.event_counts
    }

    /// Saves checkpoints and ends all threads. Answers stay as they are. Takes as long as writing the checkpoints does,
    /// at most about a minute.
    pub fn stop(&self) {
        self.end(Order::Stop);
        self.keeper.stop(STORE_CLOSE_LIMIT);
    }

    fn end(&self, order: Order) {
        for board in &self.boards {
            board.end(order);
        }
        let workers =
            std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            if worker.join().is_err() {
                tracing::error!("a projection's thread panicked at its end");
            }
        }
    }

    pub(super) fn board(&self, name: &str) -> Option<&Arc<Board>> {
        self.boards.iter().find(|board| board.answers_to(name))
    }

    fn describe(&self, board: &Board) -> ProjectionStatus {
        let mut status = board.status(self.log.durable_position());
        if status.lag_events > 0 {
            status.lag_seconds = self.waiting_since(status.position.next());
        }
        status
    }

    /// Seconds since the event at this position was recorded; 0 when it cannot be read.
    fn waiting_since(&self, position: Position) -> f64 {
        let request = ReadRequest {
            from: position,
            limit: Some(1),
            ..ReadRequest::default()
        };
        let Ok(mut reader) = self.log.read(&request) else {
            return 0.0;
        };
        let Some(Ok(event)) = reader.next() else {
            return 0.0;
        };
        let waited = self
            .clock
            .now()
            .micros()
            .saturating_sub(event.recorded_at().micros());
        Duration::from_micros(u64::try_from(waited).unwrap_or(0)).as_secs_f64()
    }
}

impl Drop for Projections {
    fn drop(&mut self) {
        self.end(Order::Abandon);
        self.keeper.stop(STORE_CLOSE_LIMIT);
    }
}

fn board_at<M: ReadModel>(_: &Arc<RwLock<Published<M>>>) -> Arc<Board> {
    Arc::new(Board::new(
        M::NAME,
        M::ALIASES,
        u32::from(M::FORMAT),
        M::handled_event_types(),
    ))
}

fn keeper_options(
    log: &Arc<Log>,
    folder: &Path,
    settings: &ProjectionSettings,
    boards: &[Arc<Board>],
) -> KeeperOptions {
    let cache_bytes = settings.store_cache_bytes;
    let open_redb = move |folder: &Path| {
        RedbStore::open(folder, cache_bytes)
            .map(|store| Box::new(store) as Box<dyn CheckpointStore>)
    };
    KeeperOptions {
        folder: folder.to_owned(),
        open_limit: settings.open_limit,
        opener: settings
            .opener
            .clone()
            .unwrap_or_else(|| Arc::new(open_redb)),
        history: Arc::new(LogHistory(Arc::clone(log))),
        projections: boards.iter().map(|board| board.name.to_owned()).collect(),
    }
}

/// The log, as checkpoints are held against it.
struct LogHistory(Arc<Log>);

impl History for LogHistory {
    fn log_id(&self) -> Uuid {
        self.0.log_id()
    }

    fn durable_position(&self) -> Position {
        self.0.durable_position()
    }

    fn anchor_at(&self, position: Position) -> Option<Anchor> {
        let request = ReadRequest::at(position);
        let mut reader = self.0.read(&request).ok()?;
        let event = reader.next()?.ok()?;
        Some(Anchor {
            position: event.position(),
            id: event.id(),
            recorded_at: event.recorded_at().micros(),
        })
    }
}

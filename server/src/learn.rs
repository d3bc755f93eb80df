//! Learning: predictors trained on the depot's own log, on its own server.
//!
//! ```text
//! log ─▶ history ─▶ vehicle (features) ─▶ failure (snapshots, backtest, fit) ─▶ artifact (file) ─▶ registry (events)
//!           └────────────▶ predict ◀── champion or challenger ◀──┘                 jobs (background, low priority)
//! ```
//!
//! Snapshots are taken into memory, or lie in Parquet ([`streamed`]) where they are more than that.
//!
//! Nothing here is a store of its own: the history is a fold that can be dropped, models are files named by events, and
//! every prediction served is an event.

mod anomaly;
mod artifact;
mod cases;
mod demand;
mod failure;
mod history;
mod jobs;
mod lifecycle;
mod maintenance;
mod order;
mod predict;
mod records;
mod registry;
pub(crate) mod report;
mod retrain;
mod served;
mod streamed;
mod table;
#[cfg(test)]
mod tests;
mod training;
mod vehicle;
mod words;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use storage::{Clock, Log, Position, ReadError};

use cases::Cases;
use history::History;
use jobs::Jobs;
use registry::Models;
use served::Served;

pub(crate) use anomaly::{VALUES_MAX, strange_readings, strange_row};
pub(crate) use artifact::{Artifact, ArtifactError};
pub(crate) use demand::MONTHS_AHEAD_MAX;
pub(crate) use failure::{Backtest, Times, backtest};
pub(crate) use predict::{PredictError, Wanted};
pub(crate) use registry::FILE_BYTES_MAX;
pub(crate) use retrain::watch;
pub(crate) use streamed::{Streamed, export as export_features};
pub(crate) use table::Table;
pub(crate) use training::{DirectTraining, SEED, TrainError, metrics, pack};

/// The predictor of failures, as models, routes and commands call it.
pub(crate) const FAILURE: &str = "failure_predictor";
/// Models that are kept in memory.
const LOADED_MAX: usize = 8;

/// The service: what learning keeps in memory, all of it derived.
#[derive(Debug)]
pub struct Learning {
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
    history: RwLock<History>,
    models: Mutex<Models>,
    loaded: Mutex<HashMap<String, Arc<Artifact>>>,
    cases: Mutex<Option<Arc<Cases>>>,
    jobs: Mutex<Jobs>,
    served: Mutex<Served>,
}

/// Locks hold plain values that are whole between statements, so a poisoned one is still usable.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Learning {
    /// A service over this log; model files lie in `folder`, where those go that a kill left half-written. Nothing is read yet.
    pub fn new(log: Arc<Log>, clock: Arc<dyn Clock>, folder: PathBuf) -> Self {
        registry::remove_left(&folder, clock.now());
        Self {
            log,
            clock,
            folder,
            history: RwLock::default(),
            models: Mutex::default(),
            loaded: Mutex::default(),
            cases: Mutex::default(),
            jobs: Mutex::default(),
            served: Mutex::default(),
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().micros()
    }

    /// The history, caught up with what is durable now. Blocks while a long log is read for the first time.
    pub(crate) fn history(&self) -> Result<RwLockReadGuard<'_, History>, ReadError> {
        self.history_to(self.log.durable_position())
    }

    fn history_to(&self, to: Position) -> Result<RwLockReadGuard<'_, History>, ReadError> {
        loop {
            let read = self.history.read().unwrap_or_else(PoisonError::into_inner);
            if read.position >= to {
                return Ok(read);
            }
            drop(read);
            // Readers are let in between two batches.
            let mut write = self.history.write().unwrap_or_else(PoisonError::into_inner);
            write.advance(&self.log, to)?;
        }
    }

    /// The registry, caught up.
    fn models(&self) -> Result<std::sync::MutexGuard<'_, Models>, ReadError> {
        let mut models = lock(&self.models);
        models.catch_up(&self.log)?;
        Ok(models)
    }
}

//! Training jobs: one at a time on a thread of low priority, with progress and cancellation.
//!
//! Jobs live in memory; what came of one is an event of its model.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::rfc3339;

/// Jobs that are remembered.
const REMEMBERED_MAX: usize = 100;
/// Jobs that may wait behind the one that runs.
const WAITING_MAX: usize = 8;

/// How far a job is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will come.
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// What a job tells of itself.
#[derive(Clone, Debug)]
struct Told {
    status: Status,
    progress: f64,
    step: &'static str,
    started_at: Option<i64>,
    completed_at: Option<i64>,
    metrics: Value,
    error: Option<String>,
    entity_count: usize,
}

/// One training.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) model_id: String,
    pub(crate) model_name: &'static str,
    cancelled: AtomicBool,
    told: Mutex<Told>,
}

impl Job {
    pub(crate) fn new(model_id: String, model_name: &'static str) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            model_id,
            model_name,
            cancelled: AtomicBool::new(false),
            told: Mutex::new(Told {
                status: Status::Pending,
                progress: 0.0,
                step: "waiting",
                started_at: None,
                completed_at: None,
                metrics: Value::Null,
                error: None,
                entity_count: 0,
            }),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Told)) {
        // Plain values that are whole between statements: a poisoned lock is still usable.
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn status(&self) -> Status {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .status
    }

    /// Why it ended without a model, if it did.
    pub(crate) fn error(&self) -> Option<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.error.clone()
    }

    pub(crate) fn begin(&self, now: i64) {
        self.change(|told| (told.status, told.started_at) = (Status::Running, Some(now)));
    }

    pub(crate) fn tell(&self, step: &'static str, progress: f64) {
        self.change(|told| (told.step, told.progress) = (step, progress.clamp(0.0, 1.0)));
    }

    pub(crate) fn count(&self, entities: usize) {
        self.change(|told| told.entity_count = entities);
    }

    pub(crate) fn end(&self, now: i64, outcome: Result<Value, String>) {
        let cancelled = self.is_cancelled();
        self.change(|told| {
            told.completed_at = Some(now);
            match outcome {
                Ok(metrics) => {
                    (told.status, told.progress, told.step) = (Status::Completed, 1.0, "done");
                    told.metrics = metrics;
                }
                Err(error) => {
                    told.status = if cancelled {
                        Status::Cancelled
                    } else {
                        Status::Failed
                    };
                    told.error = Some(error);
                }
            }
        });
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// As clients read it.
    pub(crate) fn to_json(&self) -> Value {
        let told = self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let time =
            |at: Option<i64>| at.map(|at| rfc3339::to_string(storage::Timestamp::from_micros(at)));
        json!({
            "job_id": self.id,
            "model_id": self.model_id,
            "model_name": self.model_name,
            "entity_type": "Vehicle",
            "entity_count": told.entity_count,
            "status": told.status.name(),
            "step": told.step,
            "progress": (told.progress * 1000.0).round() / 1000.0,
            "started_at": time(told.started_at),
            "completed_at": time(told.completed_at),
            "metrics": told.metrics,
            "error": told.error,
        })
    }
}

/// The jobs, newest last, and whether somebody works on them.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    known: VecDeque<Arc<Job>>,
    pub(crate) working: bool,
}

impl Jobs {
    /// Whether another may wait.
    pub(crate) fn has_room(&self) -> bool {
        let waiting = self
            .known
            .iter()
            .filter(|job| job.status() == Status::Pending)
            .count();
        waiting < WAITING_MAX
    }

    /// Takes a job up, and forgets the first that is over where there are many: one that runs must stay known, else its model
    /// passes for one that nobody trains.
    pub(crate) fn add(&mut self, job: Arc<Job>) {
        if self.known.len() >= REMEMBERED_MAX
            && let Some(over) = self.known.iter().position(|job| job.status().is_over())
        {
            self.known.remove(over);
        }
        self.known.push_back(job);
    }

    /// The next that waits and was not cancelled.
    pub(crate) fn next(&self) -> Option<Arc<Job>> {
        self.known
            .iter()
            .find(|job| job.status() == Status::Pending)
            .cloned()
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Job>> {
        self.known.iter().find(|job| job.id == id).cloned()
    }

    /// The job that trains, or trained, this model.
    pub(crate) fn of_model(&self, model_id: &str) -> Option<&Job> {
        let mut known = self.known.iter();
        let found = known.find(|job| job.model_id == model_id);
        found.map(|job| &**job)
    }

    pub(crate) fn list(&self) -> Vec<Arc<Job>> {
        self.known.iter().rev().cloned().collect()
    }
}

/// Makes this thread, and those it will start, give way to everything else on the machine.
pub(crate) fn give_way() {
    let lowest = 19;
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), lowest)
    {
        tracing::warn!(%error, "training runs at ordinary priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_runs_is_remembered_however_many_are_cancelled() {
        let mut jobs = Jobs::default();
        let running = Arc::new(Job::new("running".to_owned(), "m"));
        running.begin(1);
        jobs.add(running);
        for number in 0..2 * REMEMBERED_MAX {
            let job = Arc::new(Job::new(number.to_string(), "m"));
            job.cancel();
            job.end(2, Err("cancelled".to_owned()));
            jobs.add(job);
        }
        assert!(jobs.of_model("running").is_some());
        assert_eq!(jobs.list().len(), REMEMBERED_MAX);
        assert!(jobs.of_model("0").is_none());
    }
}

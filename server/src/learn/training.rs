//! Training: from the log as of a position to a model that is registered, and deployed where the backtest says so.
//!
//! Everything that the bytes of a model depend on (position, end of history, seed, settings) is in its record.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ml::Explainer;
use serde_json::{Value, json};
use storage::{AppendError, Position, ReadError};

use super::artifact::{Artifact, ArtifactError};
use super::failure::{self, Backtest, HORIZONS, HorizonResult, LearnError, Snapshots};
use super::history::History;
use super::jobs::{Job, give_way};
use super::table::Table;
use super::vehicle::{self, Dictionary};
use super::{FAILURE, Learning, PredictError, lock};
use crate::rfc3339;

/// Windows of the backtest that stands beside a trained model.
const FOLDS: usize = 2;
/// Seed of all trainings; a model differs by its data alone.
pub(crate) const SEED: u64 = 1;

/// Where a model's metrics keep its calibration curves; a list of models leaves them out.
pub(super) const CALIBRATION: &str = "calibration";

/// Why no model came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrainError {
    #[error("{0}")]
    Learn(#[from] LearnError),
    #[error("the log cannot be read: {0}")]
    Log(#[from] ReadError),
    #[error("the log took no event of the model: {0}")]
    Append(#[from] AppendError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error("the model's file cannot be written: {0}; the model in use stays")]
    Store(#[from] std::io::Error),
    #[error("the model's file cannot be read: {0}")]
    File(std::io::Error),
    #[error("no thread could be had to train on: {0}; try again later")]
    Thread(std::io::Error),
    #[error("a fault of the server's own ended the training; its log describes it: report it")]
    Panicked,
    #[error("too many trainings wait already; try again when one is done")]
    TooMany,
    #[error("there is no model {0:?}")]
    Unknown(String),
    #[error("{0}")]
    Refused(String),
}

/// Shapley values by feature, and some vehicles with their probabilities by day.
type Plots = (Vec<(String, f64)>, Vec<(String, Vec<(f32, f64)>)>);

/// A training outside of a job: what the command line does.
#[derive(Debug)]
pub(crate) struct DirectTraining {
    pub(crate) history: History,
    pub(crate) words: Dictionary,
    pub(crate) snapshots: Snapshots,
    pub(crate) position: Position,
    pub(crate) end: i64,
}

impl DirectTraining {
    /// Reads the log up to `position` and takes the snapshots.
    pub(crate) fn prepare(learning: &Learning, position: Position) -> Result<Self, TrainError> {
        let mut history = History::default();
        while history.advance(&learning.log, position)? {}
        let end = history.end(learning.now());
        let words = Dictionary::of(&history);
        let snapshots = failure::snapshots(&history, &words, end);
        Ok(Self {
            history,
            words,
            snapshots,
            position,
            end,
        })
    }

    /// What there is to learn from, in a line.
    pub(crate) fn summary(&self) -> String {
        let failures = self
            .snapshots
            .failed
            .iter()
            .filter(|&&failed| failed)
            .count();
        format!(
            "{} vehicles, {} failures on record; {} snapshots, {failures} of them followed by a failure within 90 days",
            self.history.vehicles.len(),
            self.history.fleet_failures.len(),
            self.snapshots.len()
        )
    }

    /// What the report plots beside the backtest: mean absolute Shapley values, and curves of the riskiest, a middle and the safest vehicle.
    pub(crate) fn plots(&self, artifact: &Artifact) -> Result<Plots, PredictError> {
        const EXPLAINED: usize = 400;
        let inside = |error: ml::PredictError| PredictError::Inside(error.to_string());
        let explainer = Explainer::new(artifact.model.forest());
        let names: Vec<String> = vehicle::features()
            .into_iter()
            .map(|feature| feature.name)
            .collect();
        let mut sums = vec![0.0; names.len() + 1];
        let step = self.snapshots.len().div_ceil(EXPLAINED).max(1);
        for row in (0..self.snapshots.len()).step_by(step) {
            let mut full = self.snapshots.row(row).to_vec();
            full.push((row % HORIZONS.len()) as f32);
            let values = explainer.explain(&full).map_err(inside)?;
            sums.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += value.abs());
        }
        let count = self.snapshots.len().div_ceil(step).max(1) as f64;
        let mut shap: Vec<(String, f64)> = names
            .into_iter()
            .zip(sums.iter().map(|sum| sum / count))
            .collect();
        shap.sort_by(|left, right| right.1.total_cmp(&left.1));
        let mut scratch = artifact.model.scratch();
        let mut curves = Vec::new();
        for (id, past) in self
            .history
            .vehicles
            .iter()
            .filter(|(_, past)| vehicle::in_service(past, self.end))
        {
            let row = vehicle::row(&self.history, past, &artifact.words, self.end);
            let curve = artifact
                .model
                .survival(&row, &mut scratch)
                .map_err(inside)?;
            curves.push((id.to_string(), curve.points().collect::<Vec<_>>()));
        }
        let last =
            |curve: &(String, Vec<(f32, f64)>)| curve.1.last().map_or(0.0, |&(_, chance)| chance);
        curves.sort_by(|left, right| last(right).total_cmp(&last(left)));
        let chosen = [0, curves.len() / 2, curves.len().saturating_sub(1)];
        let told = chosen
            .iter()
            .filter_map(|&at| curves.get(at).cloned())
            .collect();
        Ok((shap, told))
    }

    /// Backtests in so many windows.
    pub(crate) fn backtest(
        &self,
        folds: usize,
        observe: failure::Observe<'_>,
    ) -> Result<Backtest, TrainError> {
        Ok(failure::backtest(&self.snapshots, folds, SEED, observe)?)
    }

    /// Trains on everything; the file, and the model ready to use.
    pub(crate) fn train(
        &self,
        backtest: &Backtest,
        observe: failure::Observe<'_>,
    ) -> Result<(Artifact, Vec<u8>), TrainError> {
        let as_of = (self.position.get(), self.end);
        pack(&self.snapshots, &self.words, as_of, backtest, observe)
    }
}

/// Trains on everything in a table; the file, and the model ready to use. `as_of` is the position and the end of history.
pub(crate) fn pack(
    table: &dyn Table,
    words: &Dictionary,
    as_of: (u64, i64),
    backtest: &Backtest,
    observe: failure::Observe<'_>,
) -> Result<(Artifact, Vec<u8>), TrainError> {
    let model = failure::train(table, SEED, observe)?;
    let end = rfc3339::to_string(storage::Timestamp::from_micros(as_of.1));
    let facts = [
        ("position", json!(as_of.0)),
        ("end", json!(end)),
        ("seed", json!(SEED)),
        ("snapshots", json!(table.rows())),
        ("metrics", metrics(backtest)),
    ];
    Ok(Artifact::pack(model, words.clone(), table, &facts)?)
}

/// A backtest in the names that clients and later trainings read.
pub(crate) fn metrics(backtest: &Backtest) -> Value {
    let mut facts = serde_json::Map::new();
    for result in &backtest.horizons {
        let days = result.days;
        for (name, value) in [
            ("roc_auc", result.model.roc_auc),
            ("pr_auc", result.model.pr_auc),
            ("logloss", result.model.logloss),
            ("ece", result.model.ece),
            ("accuracy", result.model.accuracy),
            ("majority_share", result.majority_share),
            ("base_rate_logloss", result.base_rate.logloss),
            ("rule_logloss", result.rule.logloss),
            ("rule_roc_auc", result.rule.roc_auc),
            (
                "caught_in_riskiest_tenth",
                result.model.caught_in_riskiest_tenth,
            ),
        ] {
            facts.insert(
                format!("{name}_{days}"),
                json!(super::predict::rounded(value)),
            );
        }
    }
    let curves = backtest.horizons.iter();
    let curves: serde_json::Map<String, Value> = curves
        .map(|result| (result.days.to_string(), calibration_curve(result)))
        .collect();
    facts.insert(CALIBRATION.to_owned(), Value::Object(curves));
    let day = |at: i64| rfc3339::to_string(storage::Timestamp::from_micros(at));
    facts.insert("test_from".to_owned(), json!(day(backtest.test_from)));
    facts.insert("test_to".to_owned(), json!(day(backtest.test_to)));
    facts.insert(
        "skill".to_owned(),
        json!(super::predict::rounded(skill(backtest))),
    );
    Value::Object(facts)
}

/// What was said and what happened, over the snapshots of the backtest: one point a bin of equal width that has any.
fn calibration_curve(result: &HorizonResult) -> Value {
    let bins = ml::metric::calibration_table(&result.labels, &result.chances);
    let points = bins.iter().filter(|bin| bin.rows > 0).map(|bin| {
        json!({
            "predicted": super::predict::rounded(bin.predicted),
            "observed": super::predict::rounded(bin.observed),
            "snapshots": bin.rows,
        })
    });
    points.collect()
}

/// How much less log loss than the base rate, mean over the horizons. Comparable between different test windows.
fn skill(backtest: &Backtest) -> f64 {
    let each = backtest
        .horizons
        .iter()
        .map(|result| 1.0 - result.model.logloss / result.base_rate.logloss);
    each.sum::<f64>() / backtest.horizons.len().max(1) as f64
}

impl Learning {
    /// Queues a training and has it worked on.
    pub(crate) fn start_training(
        self: &Arc<Self>,
        by: Option<&str>,
    ) -> Result<Arc<Job>, TrainError> {
        let model_id = uuid::Uuid::now_v7().to_string();
        let job = Arc::new(Job::new(model_id, FAILURE));
        let mut jobs = lock(&self.jobs);
        if !jobs.has_room() {
            return Err(TrainError::TooMany);
        }
        // Before it is taken up: a job of a model that the log did not take would train for nothing.
        self.register(&job.model_id, by)?;
        jobs.add(job.clone());
        if !jobs.working {
            let learning = Arc::clone(self);
            let started = std::thread::Builder::new()
                .name("training".to_owned())
                .spawn(move || learning.work());
            if let Err(error) = started {
                let error = TrainError::Thread(error);
                self.note_failure(&job.model_id, &error.to_string());
                job.end(self.now(), Err(error.to_string()));
                return Err(error);
            }
            jobs.working = true;
        }
        Ok(job)
    }

    /// Works on jobs until none waits.
    fn work(&self) {
        // Tests wait for it, on machines that others keep busy.
        if !cfg!(test) {
            give_way();
        }
        loop {
            let next = {
                let mut jobs = lock(&self.jobs);
                let next = jobs.next();
                jobs.working = next.is_some();
                next
            };
            let Some(job) = next else { return };
            job.begin(self.now());
            // A panic must end neither the jobs that wait nor this one without a word.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.run(&job)))
                .unwrap_or(Err(TrainError::Panicked));
            if let Err(error) = &outcome {
                self.note_failure(&job.model_id, &error.to_string());
            }
            job.end(self.now(), outcome.map_err(|error| error.to_string()));
        }
    }

    fn run(&self, job: &Job) -> Result<Value, TrainError> {
        let check = || {
            if job.is_cancelled() {
                Err(LearnError::Cancelled)
            } else {
                Ok(())
            }
        };
        check()?;
        job.tell("reading the log", 0.0);
        let direct = DirectTraining::prepare(self, self.log.durable_position())?;
        job.count(direct.history.vehicles.len());
        check()?;
        let during = |step: &'static str, from: f64, to: f64, share: f64| {
            job.tell(step, from + (to - from) * share);
            if job.is_cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let backtest =
            direct.backtest(FOLDS, &mut |share| during("backtest", 0.05, 0.65, share))?;
        let (artifact, file) = direct.train(&backtest, &mut |share| {
            during("training", 0.65, 0.98, share)
        })?;
        check()?;
        self.keep(&job.model_id, &artifact, &file, metrics(&backtest), None)?;
        self.deploy_if_better(&job.model_id)?;
        Ok(metrics(&backtest))
    }

    /// A job by its id.
    pub(crate) fn job(&self, id: &str) -> Option<Arc<Job>> {
        lock(&self.jobs).get(id)
    }

    /// All jobs that are remembered, newest first.
    pub(crate) fn list_jobs(&self) -> Vec<Value> {
        lock(&self.jobs)
            .list()
            .iter()
            .map(|job| job.to_json())
            .collect()
    }
}

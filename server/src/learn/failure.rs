//! Which vehicle fails within 30, 60 or 90 days: snapshots of the fleet, their outcomes, a hazard model, its backtest. Snapshots are
//! here, in memory, or in Parquet; what is learned from either is a [`Table`].
//!
//! Place on the path: history → **snapshots and outcomes** → hazard model → artifact. Every split is by time, with a gap
//! longer than the label window, and a snapshot is used only once its whole window has passed: dropping the survivors of
//! a window that is still open, but not its failures, would make every vehicle look worse.

use std::ops::ControlFlow;

use fleet::calendar::DAY;
use ml::hazard::{Cohort, HazardError, HazardModel, Lifetimes, fleet_settings};
use ml::{Dataset, metric};
use ndarray::Array2;

use super::history::{History, VehiclePast, narrow};
use super::table::{Shot, Split, Table};
use super::vehicle::{self, Dictionary};

/// Days ahead that are predicted.
pub(crate) const HORIZONS: [f32; 3] = [30.0, 60.0, 90.0];
/// Days of the label window.
const WINDOW_DAYS: i64 = 90;
/// Days between two snapshots of the fleet.
const STEP_DAYS: i64 = 14;
/// Days between two parts: longer than the label window.
pub(crate) const GAP_DAYS: i64 = WINDOW_DAYS + 1;
/// Snapshots at most; with more, older ones are thinned.
const SNAPSHOTS_MAX: usize = 400_000;
/// Fewest snapshots and failures to learn from.
const ROWS_MIN: usize = 200;
const FAILURES_MIN: usize = 20;
/// Buckets of the one-line rule: failures of the last year.
const RULE_BUCKETS: usize = 6;

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LearnError {
    #[error(
        "there is too little history: {snapshots} snapshots with {failures} failures; {ROWS_MIN} and {FAILURES_MIN} are needed, over at least two years"
    )]
    TooLittle { snapshots: usize, failures: usize },
    #[error(transparent)]
    Hazard(#[from] HazardError),
    #[error(transparent)]
    Dataset(#[from] ml::DatasetError),
    #[error("training was cancelled")]
    Cancelled,
    #[error("{}", crate::cli::chain(.0))]
    Rows(#[from] ::lake::LakeError),
}

/// When snapshots are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Days between two of the whole fleet.
    pub(crate) step_days: i64,
    /// With more snapshots than this, older ones are thinned by longer steps.
    pub(crate) snapshots_max: usize,
}

impl Times {
    /// What is trained on, unless somebody wants otherwise.
    pub(crate) const USUAL: Times = Times {
        step_days: STEP_DAYS,
        snapshots_max: SNAPSHOTS_MAX,
    };

    /// From the last day whose window has passed back to when the fleet began, the last first.
    pub(crate) fn of(self, history: &History, end: i64) -> Vec<i64> {
        let Some(begin) = history.fleet_begin(end) else {
            return Vec::new();
        };
        let last = end - WINDOW_DAYS * DAY;
        let step = self.step_days * DAY;
        let each = || {
            std::iter::successors(Some(last), move |&time| Some(time - step))
                .take_while(move |&time| time > begin)
        };
        // Vehicles that had not come yet have no snapshot.
        let snapshots: usize = each().map(|time| history.fleet_size(time)).sum();
        let stretch = snapshots.div_ceil(self.snapshots_max).max(1);
        each().step_by(stretch).collect()
    }
}

/// Days from a time to a vehicle's next failure, or to the end of the label window, and whether it failed in it.
pub(crate) fn outcome(past: &VehiclePast, time: i64) -> (f32, bool) {
    let from = past
        .troubles
        .partition_point(|one| one.when.happened < time);
    let next = past.troubles[from..].iter().find(|one| one.failure);
    let days = next.map_or(f64::INFINITY, |one| {
        (one.when.happened - time) as f64 / DAY as f64
    });
    let failed = days < WINDOW_DAYS as f64;
    (narrow(days.min(WINDOW_DAYS as f64)), failed)
}

/// Snapshots with what happened after them.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    /// Rows × features.
    pub(crate) values: Vec<f32>,
    pub(crate) vehicles: Vec<Box<str>>,
    pub(crate) times: Vec<i64>,
    /// Days to the next failure, or to the end of the label window.
    pub(crate) days: Vec<f32>,
    pub(crate) failed: Vec<bool>,
}

impl Snapshots {
    /// Every `step_days` from when the fleet began to the last day whose window has passed.
    pub(crate) fn take(history: &History, words: &Dictionary, end: i64, step_days: i64) -> Self {
        let mut made = Self::default();
        let times = Times {
            step_days,
            ..Times::USUAL
        };
        for time in times.of(history, end) {
            for (id, past) in &history.vehicles {
                if vehicle::in_service(past, time) {
                    made.add(history, id, words, time);
                }
            }
        }
        made
    }

    fn add(&mut self, history: &History, id: &str, words: &Dictionary, time: i64) {
        let past = &history.vehicles[id];
        let (days, failed) = outcome(past, time);
        self.values.extend(vehicle::row(history, past, words, time));
        self.vehicles.push(id.into());
        self.times.push(time);
        self.failed.push(failed);
        self.days.push(days);
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// One row's features.
    pub(crate) fn row(&self, index: usize) -> &[f32] {
        let width = self.values.len() / self.len().max(1);
        &self.values[index * width..(index + 1) * width]
    }

    /// Rows between two times, the first included, in order of time.
    fn rows_between(&self, from: i64, to: i64) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.len())
            .filter(|&row| (from..to).contains(&self.times[row]))
            .collect();
        rows.sort_by_key(|&row| self.times[row]);
        rows
    }

    /// The same as a part to learn from.
    fn between(&self, from: i64, to: i64) -> Result<Part, LearnError> {
        let rows = self.rows_between(from, to);
        let failures = rows.iter().filter(|&&row| self.failed[row]).count();
        enough(rows.len(), failures)?;
        let features = vehicle::features();
        let values: Vec<f32> = rows
            .iter()
            .flat_map(|&row| self.row(row).iter().copied())
            .collect();
        let table = Array2::from_shape_vec((rows.len(), features.len()), values);
        let table = table.map_err(|_| LearnError::TooLittle {
            snapshots: 0,
            failures: 0,
        })?;
        let days: Vec<f32> = rows.iter().map(|&row| self.days[row]).collect();
        Ok(Part {
            data: Dataset::from_rows(features, table.view(), days.clone())?,
            failed: rows.iter().map(|&row| self.failed[row]).collect(),
            days,
        })
    }
}

/// One part of a split.
struct Part {
    data: Dataset,
    days: Vec<f32>,
    failed: Vec<bool>,
}

impl Part {
    fn cohort(&self) -> Cohort<'_> {
        Cohort {
            rows: &self.data,
            lifetimes: Lifetimes {
                durations: &self.days,
                observed: &self.failed,
            },
        }
    }
}

/// Called now and then with how far it is, in [0, 1]; a break cancels.
pub(crate) type Observe<'a> = &'a mut dyn FnMut(f64) -> ControlFlow<()>;

impl Table for Snapshots {
    fn rows(&self) -> usize {
        self.len()
    }

    fn span(&self) -> Option<(i64, i64)> {
        let first = self.times.iter().min();
        first.copied().zip(self.times.iter().max().copied())
    }

    fn each(
        &self,
        from: i64,
        to: i64,
        visit: &mut dyn FnMut(&Shot<'_>) -> Result<(), LearnError>,
    ) -> Result<(), LearnError> {
        for row in self.rows_between(from, to) {
            visit(&Shot {
                row: self.row(row),
                days: self.days[row],
                failed: self.failed[row],
            })?;
        }
        Ok(())
    }

    fn fit(
        &self,
        split: &Split,
        seed: u64,
        observe: Observe<'_>,
    ) -> Result<HazardModel, LearnError> {
        let train = self.between(split.first, split.train_to)?;
        let valid = self.between(split.valid_from, split.valid_to)?;
        let settings = fleet_settings(train.days.len(), seed, threads());
        let mut told =
            |progress: ml::Progress| observe(progress.round as f64 / progress.rounds_max as f64);
        Ok(HazardModel::train(
            &settings,
            &HORIZONS,
            &train.cohort(),
            Some(&valid.cohort()),
            Some(&mut told),
        )?)
    }

    fn quantiles(&self, column: usize, count: usize) -> Result<Vec<f32>, LearnError> {
        let mut values: Vec<f32> = (0..self.len()).map(|row| self.row(row)[column]).collect();
        // NaN sorts last and keeps its share.
        values.sort_by(f32::total_cmp);
        let ranks = super::table::ranks(values.len(), count);
        Ok(ranks.map(|rank| values[rank]).collect())
    }
}

/// A fit that was cancelled is told as such.
fn fit(
    table: &dyn Table,
    split: &Split,
    seed: u64,
    observe: Observe<'_>,
) -> Result<HazardModel, LearnError> {
    match table.fit(split, seed, observe) {
        Err(LearnError::Hazard(HazardError::Fit(ml::FitError::Cancelled { .. }))) => {
            Err(LearnError::Cancelled)
        }
        model => model,
    }
}

/// Half of the cores, so that appends and answers have the others. The model does not depend on it.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

/// What one method says about the test part at one horizon.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Scores {
    pub(crate) logloss: f64,
    pub(crate) roc_auc: f64,
    pub(crate) pr_auc: f64,
    pub(crate) ece: f64,
    pub(crate) accuracy: f64,
    /// Share of the failures that lie among the tenth of vehicles rated riskiest.
    pub(crate) caught_in_riskiest_tenth: f64,
}

impl Scores {
    fn of(labels: &[f32], chances: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|&left, &right| chances[right].total_cmp(&chances[left]));
        let caught: f32 = order
            .iter()
            .take(labels.len().div_ceil(10))
            .map(|&row| labels[row])
            .sum();
        Self {
            logloss: metric::logloss(labels, chances),
            roc_auc: metric::roc_auc(labels, chances),
            pr_auc: metric::pr_auc(labels, chances),
            ece: metric::expected_calibration_error(labels, chances),
            accuracy: metric::accuracy(labels, chances),
            caught_in_riskiest_tenth: f64::from(caught)
                / f64::from(labels.iter().sum::<f32>()).max(1.0),
        }
    }
}

/// One horizon of a backtest: the model beside the base rate and a one-line rule.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct HorizonResult {
    pub(crate) days: f32,
    pub(crate) snapshots: usize,
    pub(crate) failures: usize,
    pub(crate) majority_share: f64,
    pub(crate) model: Scores,
    /// The training part's share of failures, for everybody.
    pub(crate) base_rate: Scores,
    /// The training part's share of failures among vehicles with as many failures in the last year.
    pub(crate) rule: Scores,
    /// Kept for plots; not part of the record.
    #[serde(skip)]
    pub(crate) labels: Vec<f32>,
    #[serde(skip)]
    pub(crate) chances: Vec<f64>,
}

/// A rolling backtest: each fold is trained on what was known before its test window.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Backtest {
    pub(crate) folds: usize,
    pub(crate) test_from: i64,
    pub(crate) test_to: i64,
    pub(crate) horizons: Vec<HorizonResult>,
    /// Mean gain of each feature over the folds, in the order of [`vehicle::features`], the period's number last.
    pub(crate) importance: Vec<f64>,
}

#[derive(Default)]
struct Gathered {
    labels: Vec<f32>,
    model: Vec<f64>,
    base: Vec<f64>,
    rule: Vec<f64>,
}

/// Backtests in `folds` windows over the last fifth of the history.
pub(crate) fn backtest(
    table: &dyn Table,
    folds: usize,
    seed: u64,
    observe: Observe<'_>,
) -> Result<Backtest, LearnError> {
    let (first, last) = span(table)?;
    let whole = last - first;
    let test_from = last - whole / 5;
    let rule_column = vehicle::features()
        .iter()
        .position(|feature| feature.name == "failures_365")
        .unwrap_or(0);
    let mut gathered: Vec<Gathered> = HORIZONS.iter().map(|_| Gathered::default()).collect();
    let mut importance: Vec<f64> = Vec::new();
    let count = i64::try_from(folds.max(1)).unwrap_or(1);
    for fold in 0..count {
        let from = test_from + (last - test_from) * fold / count;
        let to = test_from + (last - test_from) * (fold + 1) / count + i64::from(fold + 1 == count);
        let valid_to = from - GAP_DAYS * DAY;
        let split = Split::new(first, valid_to - valid_span(whole), valid_to);
        let mut told = |share: f64| observe((fold as f64 + share) / count as f64);
        let model = fit(table, &split, seed, &mut told)?;
        let gains = ml::importance::gain_importance(model.forest());
        importance.resize(gains.len(), 0.0);
        importance
            .iter_mut()
            .zip(&gains)
            .for_each(|(sum, gain)| *sum += gain / count as f64);
        let rates = Rates::of(table, &split, rule_column)?;
        let mut scratch = model.scratch();
        let (mut tested, mut failures) = (0, 0);
        table.each(from, to, &mut |shot| {
            let mut curve = [0.0; HORIZONS.len()];
            model
                .failure_into(shot.row, &mut scratch, &mut curve)
                .map_err(|_| LearnError::Cancelled)?;
            tested += 1;
            failures += usize::from(shot.failed);
            let each = gathered.iter_mut().zip(curve).enumerate();
            for (at, (gathered, chance)) in each {
                let label = f32::from(u8::from(shot.failed_within(HORIZONS[at])));
                gathered.labels.push(label);
                gathered.model.push(chance);
                gathered.base.push(rates.base(at));
                gathered.rule.push(rates.rule(at, shot.row[rule_column]));
            }
            Ok(())
        })?;
        enough(tested, failures)?;
    }
    let horizons = gathered.into_iter().zip(HORIZONS).map(|(gathered, days)| {
        let Gathered {
            labels,
            model,
            base,
            rule,
        } = gathered;
        let failures = labels.iter().filter(|&&label| label == 1.0).count();
        let share = failures as f64 / labels.len() as f64;
        HorizonResult {
            days,
            snapshots: labels.len(),
            failures,
            majority_share: share.max(1.0 - share),
            model: Scores::of(&labels, &model),
            base_rate: Scores::of(&labels, &base),
            rule: Scores::of(&labels, &rule),
            labels,
            chances: model,
        }
    });
    Ok(Backtest {
        folds: folds.max(1),
        test_from,
        test_to: last,
        horizons: horizons.collect(),
        importance,
    })
}

/// Trains on the whole history, the newest stretch being kept for calibration.
pub(crate) fn train(
    table: &dyn Table,
    seed: u64,
    observe: Observe<'_>,
) -> Result<HazardModel, LearnError> {
    let (first, last) = span(table)?;
    let split = Split::new(first, last - valid_span(last - first), last + 1);
    fit(table, &split, seed, observe)
}

fn span(table: &dyn Table) -> Result<(i64, i64), LearnError> {
    table.span().ok_or(LearnError::TooLittle {
        snapshots: 0,
        failures: 0,
    })
}

/// Refuses a part that is too small to say anything.
pub(crate) fn enough(snapshots: usize, failures: usize) -> Result<(), LearnError> {
    match snapshots < ROWS_MIN || failures < FAILURES_MIN {
        true => Err(LearnError::TooLittle {
            snapshots,
            failures,
        }),
        false => Ok(()),
    }
}

/// A twelfth of the history, at least half a year: enough to calibrate on, and recent.
fn valid_span(whole: i64) -> i64 {
    (whole / 12).max(182 * DAY)
}

fn bucket(failures: f32) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a small count, bounded below"
    )]
    let count = failures.max(0.0) as usize;
    count.min(RULE_BUCKETS - 1)
}

/// What a training part says without a model: its share of failures, over all and by failures of the last year.
struct Rates {
    rows: [usize; RULE_BUCKETS],
    /// By horizon and bucket.
    failures: [[usize; RULE_BUCKETS]; HORIZONS.len()],
}

impl Rates {
    fn of(table: &dyn Table, split: &Split, column: usize) -> Result<Self, LearnError> {
        let mut rates = Rates {
            rows: [0; RULE_BUCKETS],
            failures: [[0; RULE_BUCKETS]; HORIZONS.len()],
        };
        table.each(split.first, split.train_to, &mut |shot| {
            let bucket = bucket(shot.row[column]);
            rates.rows[bucket] += 1;
            for (failures, horizon) in rates.failures.iter_mut().zip(HORIZONS) {
                failures[bucket] += usize::from(shot.failed_within(horizon));
            }
            Ok(())
        })?;
        Ok(rates)
    }

    fn base(&self, horizon: usize) -> f64 {
        let failures: usize = self.failures[horizon].iter().sum();
        failures as f64 / self.rows.iter().sum::<usize>() as f64
    }

    /// Drawn towards the whole where there are few.
    fn rule(&self, horizon: usize, failures_365: f32) -> f64 {
        let bucket = bucket(failures_365);
        let failures = self.failures[horizon][bucket] as f64;
        (10.0 * self.base(horizon) + failures) / (10.0 + self.rows[bucket] as f64)
    }
}

/// Snapshots for training: every fortnight.
pub(crate) fn snapshots(history: &History, words: &Dictionary, end: i64) -> Snapshots {
    Snapshots::take(history, words, end, STEP_DAYS)
}

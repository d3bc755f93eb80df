//! When will it fail: one model for the whole future, as the chance of failing in each period survived so far.
//!
//! Place on the path: dataset → (unit, period) rows → boosting → **survival curve** → probability at any horizon.
//!
//! Each unit becomes one row a period it entered: label 1 in the period of its failure, 0 in the periods it survived.
//! A unit lost from sight within a period survived a part of it and has that part as its weight there: under a hazard that
//! is even within a period, surviving the share s of it has the chance (1 − h)^s. Leaving such rows out, as failures
//! in periods that others saw half are not left out, would make every unit look worse. Survival is the product of
//! 1 − hazard, so the probabilities of 30, 60 and 90 days can never cross, as those of three separate classifiers do.
//!
//! Sources: Cox, "Regression Models and Life-Tables", JRSS B 34 (1972), §3 (discrete time); Singer, Willett, "It's
//! About Time", J. Educ. Stat. 18 (1993); Graf et al., Statistics in Medicine 18 (1999) (weights of known fates); Barlow, Hunter, Operations Research 8 (1960) (replacement age).

use crate::boost::{Fit, FitError, Progress};
use crate::calibrate::{Calibration, Outcomes, Reliance, skip_venn_abers};
use crate::dataset::{Dataset, DatasetError, FEATURES_MAX, Feature};
use crate::elementary::logistic;
use crate::frame::{FileKind, ReadError, Reader, WriteError, Writer, require};
use crate::loss::Loss;
use crate::model::{Model, PredictError, Scratch};
use crate::params::Params;
use ndarray::Array2;
use std::ops::ControlFlow;

mod curve;
pub use curve::{Policy, SurvivalCurve};

/// Most periods of a model.
pub const PERIODS_MAX: usize = 64;
/// Name of the feature that holds the period's number.
pub const PERIOD_FEATURE: &str = "period";

/// What is known about each unit's life after its snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes<'data> {
    /// Time from the snapshot to the failure, or to the end of observation.
    pub durations: &'data [f32],
    /// Whether it ended with a failure.
    pub observed: &'data [bool],
}

/// Called after every round; a break cancels.
pub type Observer<'run> = &'run mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Why a hazard model could not be trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HazardError {
    /// Period ends must be positive, finite and ascending, and not too many.
    #[error("period ends must be 1 to {PERIODS_MAX} positive ascending numbers")]
    Periods,
    /// Lifetimes do not match the rows.
    #[error("{durations} durations and {observed} outcomes for {rows} rows")]
    Length {
        /// Rows of the table.
        rows: usize,
        /// Durations given.
        durations: usize,
        /// Outcomes given.
        observed: usize,
    },
    /// A duration is negative or not a number.
    #[error("duration {value} of row {row} is not a time")]
    Duration {
        /// Row, from 0.
        row: usize,
        /// Value given.
        value: f32,
    },
    /// No unit was seen for any time.
    #[error("no unit was observed for any time")]
    NothingObserved,
    /// No settings, or such as know different categories.
    #[error(
        "a hazard model needs the settings of a forest, and all forests must know the same categories"
    )]
    Settings,
    /// Rows that are streamed could not be had.
    #[error("rows cannot be read: {0}")]
    Rows(String),
    /// What is worked on beside memory could not be written or read.
    #[error("the working file cannot be used: {0}")]
    Spill(String),
    /// The expanded table was refused.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Training failed.
    #[error(transparent)]
    Fit(#[from] FitError),
}

/// A trained hazard model.
#[derive(Debug, Clone, PartialEq)]
pub struct HazardModel {
    model: Model,
    ends: Vec<f32>,
    /// One a period end: from the model's to the calibrated probability of having failed by then.
    calibrations: Vec<Calibration>,
    /// How far each of them can be relied upon, where the validation cohort can tell.
    reliances: Vec<Option<Reliance>>,
}

/// Buffers of one predicting thread.
#[derive(Debug, Clone)]
pub struct HazardScratch {
    row: Vec<f32>,
    forest: Scratch,
}

/// Rows and lifetimes of one part of the data.
#[derive(Debug, Clone, Copy)]
pub struct Cohort<'data> {
    /// Features as of the snapshot; the labels are not looked at.
    pub rows: &'data Dataset,
    /// What happened afterwards.
    pub lifetimes: Lifetimes<'data>,
}

impl Cohort<'_> {
    /// One row a unit and period entered. Periods are `[start, end)`.
    fn expand(&self, ends: &[f32]) -> Result<Dataset, HazardError> {
        self.check()?;
        let (mut rows, mut periods, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        let mut parts = Vec::new();
        let lives = self.lifetimes.durations.iter().zip(self.lifetimes.observed);
        for (row, (&duration, &failed)) in lives.enumerate() {
            for entered in Entered::of(ends, duration, failed) {
                rows.push(row);
                periods.push(entered.period);
                labels.push(entered.label);
                parts.push(entered.part);
            }
        }
        if rows.is_empty() {
            return Err(HazardError::NothingObserved);
        }
        let own = self.rows.weights();
        let is_weighted = own.is_some() || parts.iter().any(|&part| part < 1.0);
        let weights = is_weighted.then(|| {
            let each = rows.iter().zip(parts);
            each.map(|(&row, part)| part * own.map_or(1.0, |own| own[row]))
                .collect::<Vec<f32>>()
        });
        let mut features = self.rows.features().to_vec();
        features.push(Feature::numeric(PERIOD_FEATURE));
        let mut columns = Vec::with_capacity(features.len() * rows.len());
        for feature in 0..self.rows.features().len() {
            let values = self.rows.column(feature);
            columns.extend(rows.iter().map(|&row| values[row]));
        }
        columns.extend(periods);
        let columns = Array2::from_shape_vec((features.len(), rows.len()), columns)
            .expect("each feature was given one value a row");
        let expanded = Dataset::from_columns(features, columns, labels)?;
        Ok(match weights {
            Some(weights) => expanded.with_weights(weights)?,
            None => expanded,
        })
    }

    fn check(&self) -> Result<(), HazardError> {
        let Lifetimes {
            durations,
            observed,
        } = self.lifetimes;
        if durations.len() != self.rows.rows() || observed.len() != self.rows.rows() {
            return Err(HazardError::Length {
                rows: self.rows.rows(),
                durations: durations.len(),
                observed: observed.len(),
            });
        }
        match durations
            .iter()
            .position(|duration| !(duration.is_finite() && *duration >= 0.0))
        {
            Some(row) => Err(HazardError::Duration {
                row,
                value: durations[row],
            }),
            None => Ok(()),
        }
    }

    #[cfg(test)]
    fn fates(&self, end: f32) -> Vec<(usize, f32, f64)> {
        self.lifetimes.fates(end)
    }
}

/// A period that a unit entered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Entered {
    /// Its number, from 0.
    pub(crate) period: f32,
    /// 1 where the unit failed in it.
    pub(crate) label: f32,
    /// How much of it the unit was in sight, above 0.
    pub(crate) part: f32,
}

impl Entered {
    /// Those of a unit, in their order. Periods are `[start, end)`.
    pub(crate) fn of(
        ends: &[f32],
        duration: f32,
        failed: bool,
    ) -> impl Iterator<Item = Self> + use<'_> {
        let starts = std::iter::once(0.0).chain(ends.iter().copied());
        let spans = starts.zip(ends).enumerate();
        spans.map_while(move |(period, (start, &end))| {
            let ends_here = duration < end;
            let part = if ends_here && !failed {
                (duration - start) / (end - start)
            } else {
                1.0
            };
            (duration >= start && part > 0.0).then_some(Self {
                period: period as f32,
                label: f32::from(u8::from(ends_here && failed)),
                part,
            })
        })
    }
}

impl Lifetimes<'_> {
    /// For each unit whose fate at `end` is known: its row, whether it had failed by then, and how many units it stands
    /// for. One that was in sight for so long stands for those lost from sight before: 1 / the chance of staying in sight.
    fn fates(&self, end: f32) -> Vec<(usize, f32, f64)> {
        let Lifetimes {
            durations,
            observed,
        } = *self;
        let mut order: Vec<usize> = (0..durations.len()).collect();
        order.sort_by(|&left, &right| durations[left].total_cmp(&durations[right]));
        let mut fates = Vec::with_capacity(order.len());
        let (mut in_sight, mut left) = (1.0, order.len());
        for same in order.chunk_by(|&left, &right| durations[left] == durations[right]) {
            let duration = durations[same[0]];
            if duration >= end {
                break;
            }
            let (failed, lost): (Vec<usize>, Vec<usize>) =
                same.iter().partition(|&&row| observed[row]);
            fates.extend(failed.iter().map(|&row| (row, 1.0, 1.0 / in_sight)));
            // Who fails at a time was in sight until then; who is lost then leaves those behind who did not fail.
            let at_risk = (left - failed.len()) as f64;
            if !lost.is_empty() && at_risk > lost.len() as f64 {
                in_sight *= 1.0 - lost.len() as f64 / at_risk;
            }
            left -= same.len();
        }
        let survivors = order[order.len() - left..].iter();
        fates.extend(survivors.map(|&row| (row, 0.0, 1.0 / in_sight)));
        fates.sort_by_key(|&(row, _, _)| row);
        fates
    }
}

/// Settings that suit fleets: snapshots of one unit resemble each other, so the effective sample is far smaller than
/// the number of rows, and small trees with strong regularisation win. Four forests are averaged, two stiff ones and two freer
/// ones: where the signal is faint the first are right, where it is strong the others, and two draws of each are steadier than
/// one. Early stopping needs a validation cohort.
///
/// `rows` is the number of snapshots; the least rows of a leaf follow it, from 20 to 500.
#[must_use]
pub fn fleet_settings(rows: usize, seed: u64, threads: usize) -> Vec<Params> {
    let forest = |leaves_max: usize, l2: f64, number: u64| Params {
        leaves_max,
        rows_min: (rows / 100).clamp(20, 500),
        hessian_min: 1.0,
        l2,
        learning_rate: 0.05,
        row_share: 0.5,
        unseen_rows_veto: true,
        column_share: 0.3,
        rounds_max: 1_500,
        patience_rounds: Some(50),
        seed: seed.wrapping_mul(4).wrapping_add(number),
        threads,
        ..Params::default()
    };
    vec![
        forest(4, 50.0, 0),
        forest(8, 20.0, 1),
        forest(4, 50.0, 2),
        forest(8, 20.0, 3),
    ]
}

impl HazardModel {
    /// Trains on lifetimes: a forest for each of the settings, whose scores are averaged. `ends` are the ends of the periods in
    /// the durations' unit, such as `[30, 60, 90]` days; the settings' loss is replaced.
    /// With a validation cohort, training stops early if the settings say so, and the probability at each period end is
    /// calibrated on it, its rows being in order of time.
    ///
    /// # Errors
    /// Any [`HazardError`].
    pub fn train(
        settings: &[Params],
        ends: &[f32],
        train: &Cohort<'_>,
        valid: Option<&Cohort<'_>>,
        mut observe: Option<Observer<'_>>,
    ) -> Result<Self, HazardError> {
        check_ends(ends)?;
        let expanded = train.expand(ends)?;
        let expanded_valid = valid.map(|valid| valid.expand(ends)).transpose()?;
        let mut forests = Vec::with_capacity(settings.len());
        for (done, params) in settings.iter().enumerate() {
            let params = hazard_settings(params, ends);
            let mut told = |progress| tell(&mut observe, progress, done, settings.len());
            let mut fit = Fit::new(&params).observe(&mut told);
            if let Some(valid) = &expanded_valid {
                fit = fit.valid(valid);
            }
            forests.push(fit.train(&expanded)?);
        }
        let mut model = Self::uncalibrated(forests, ends)?;
        if let Some(valid) = valid {
            let curves = model.raw_curves(valid.rows);
            model.calibrate(&curves, &valid.lifetimes);
        }
        Ok(model)
    }

    pub(crate) fn uncalibrated(forests: Vec<Model>, ends: &[f32]) -> Result<Self, HazardError> {
        Ok(Self {
            model: Model::mean_of(forests).ok_or(HazardError::Settings)?,
            ends: ends.to_vec(),
            calibrations: vec![Calibration::Identity; ends.len()],
            reliances: vec![None; ends.len()],
        })
    }

    /// Fits each period end's calibration and its reliance on a cohort in order of time; where the cohort is too small,
    /// the model's own probability stays. `curves` has a place a unit and period.
    pub(crate) fn calibrate(&mut self, curves: &[f64], lifetimes: &Lifetimes<'_>) {
        let periods = self.ends.len();
        for (period, &end) in self.ends.iter().enumerate() {
            let fates = lifetimes.fates(end);
            let labels: Vec<f32> = fates.iter().map(|&(_, label, _)| label).collect();
            let weights: Vec<f64> = fates.iter().map(|&(_, _, weight)| weight).collect();
            let raw: Vec<f64> = fates
                .iter()
                .map(|&(row, _, _)| curves[row * periods + period])
                .collect();
            let outcomes = Outcomes {
                probabilities: &raw,
                labels: &labels,
                weights: &weights,
            };
            let calibration = Calibration::choose(&outcomes).unwrap_or_default();
            let calibrated: Vec<f64> = raw
                .iter()
                .map(|&chance| calibration.apply(chance))
                .collect();
            let outcomes = Outcomes {
                probabilities: &calibrated,
                ..outcomes
            };
            self.reliances[period] = Reliance::fit(&outcomes).ok();
            self.calibrations[period] = calibration;
        }
    }

    fn raw_curves(&self, rows: &Dataset) -> Vec<f64> {
        let mut scratch = self.scratch();
        let mut row = vec![0.0; rows.features().len()];
        let periods = self.ends.len();
        let mut curves = vec![0.0; rows.rows() * periods];
        for (index, curve) in curves.chunks_mut(periods).enumerate() {
            rows.copy_row(index, &mut row);
            self.raw_failure_into(&row, &mut scratch, curve)
                .expect("the cohort has the model's columns");
        }
        curves
    }

    /// Ends of the periods.
    #[must_use]
    pub fn ends(&self) -> &[f32] {
        &self.ends
    }

    /// The forest behind it, for explanations and importances; its last feature is the period's number.
    #[must_use]
    pub fn forest(&self) -> &Model {
        &self.model
    }

    /// The forest, to add notes to its record.
    pub fn forest_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    /// Buffers for predictions.
    #[must_use]
    pub fn scratch(&self) -> HazardScratch {
        HazardScratch {
            row: vec![0.0; self.model.features().len()],
            forest: self.model.scratch(),
        }
    }

    /// Calibrated probability of having failed by each period end; never falls. Does not allocate.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn failure_into(
        &self,
        row: &[f32],
        scratch: &mut HazardScratch,
        curve: &mut [f64],
    ) -> Result<(), PredictError> {
        self.raw_failure_into(row, scratch, curve)?;
        let mut before: f64 = 0.0;
        for (probability, calibration) in curve.iter_mut().zip(&self.calibrations) {
            before = before.max(calibration.apply(*probability));
            *probability = before;
        }
        Ok(())
    }

    /// The same as a curve, with intervals where the validation cohort allowed them.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn survival(
        &self,
        row: &[f32],
        scratch: &mut HazardScratch,
    ) -> Result<SurvivalCurve, PredictError> {
        let mut failure = vec![0.0; self.ends.len()];
        self.failure_into(row, scratch, &mut failure)?;
        let each = failure.iter().zip(&self.reliances);
        let intervals = each
            .map(|(&probability, reliance)| reliance.as_ref().map(|known| known.range(probability)))
            .collect();
        Ok(SurvivalCurve::new(self.ends.clone(), failure, intervals))
    }

    pub(crate) fn raw_failure_into(
        &self,
        row: &[f32],
        scratch: &mut HazardScratch,
        curve: &mut [f64],
    ) -> Result<(), PredictError> {
        let width = self.model.features().len() - 1;
        if row.len() != width {
            return Err(PredictError::FeatureCount {
                expected: width,
                found: row.len(),
            });
        }
        if curve.len() != self.ends.len() {
            return Err(PredictError::OutputCount {
                expected: self.ends.len(),
                found: curve.len(),
            });
        }
        scratch.row[..width].copy_from_slice(row);
        let mut survival = 1.0;
        for (period, place) in curve.iter_mut().enumerate() {
            scratch.row[width] = period as f32;
            let mut score = [0.0];
            self.model
                .scores_into(&scratch.row, &mut scratch.forest, &mut score)?;
            survival *= 1.0 - logistic(score[0]);
            *place = 1.0 - survival;
        }
        Ok(())
    }

    /// The model as the bytes of a file.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, WriteError> {
        let mut writer = Writer::default();
        self.model.write_body(&mut writer)?;
        writer.length("periods", self.ends.len(), PERIODS_MAX)?;
        for ((&end, calibration), reliance) in self
            .ends
            .iter()
            .zip(&self.calibrations)
            .zip(&self.reliances)
        {
            writer.f32(end);
            calibration.write(&mut writer)?;
            match reliance {
                None => writer.u8(0),
                Some(reliance) => {
                    writer.u8(2);
                    reliance.write(&mut writer);
                }
            }
        }
        writer.finish(FileKind::Hazard)
    }

    /// Reads a hazard model's file.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn from_bytes(file: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::open(file, FileKind::Hazard)?;
        let model = Model::read_body(&mut reader)?;
        require(
            (2..=FEATURES_MAX).contains(&model.features().len()),
            "feature count",
        )?;
        let count = reader.length(PERIODS_MAX, 6, "periods")?;
        require(
            matches!(model.loss(), Loss::Hazard { periods } if *periods as usize == count),
            "periods",
        )?;
        let (mut ends, mut calibrations, mut reliances) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            ends.push(reader.f32("period end")?);
            calibrations.push(Calibration::read(&mut reader)?);
            reliances.push(match reader.u8("interval flag")? {
                0 => None,
                1 => {
                    skip_venn_abers(&mut reader)?;
                    None
                }
                2 => Some(Reliance::read(&mut reader)?),
                _ => {
                    return Err(ReadError::Invalid {
                        what: "interval flag",
                    });
                }
            });
        }
        require(check_ends(&ends).is_ok(), "period end")?;
        reader.end()?;
        Ok(Self {
            model,
            ends,
            calibrations,
            reliances,
        })
    }
}

/// The settings, with the loss of these periods.
pub(crate) fn hazard_settings(params: &Params, ends: &[f32]) -> Params {
    Params {
        loss: Loss::Hazard {
            periods: u32::try_from(ends.len()).expect("there are at most 64 periods"),
        },
        ..params.clone()
    }
}

/// Tells of one forest's progress as of one run over all of them.
pub(crate) fn tell(
    observe: &mut Option<Observer<'_>>,
    progress: Progress,
    done: usize,
    forests: usize,
) -> ControlFlow<()> {
    match observe {
        None => ControlFlow::Continue(()),
        Some(observe) => observe(Progress {
            round: done * progress.rounds_max + progress.round,
            rounds_max: forests * progress.rounds_max,
            ..progress
        }),
    }
}

pub(crate) fn check_ends(ends: &[f32]) -> Result<(), HazardError> {
    let ascending = ends.windows(2).all(|pair| pair[0] < pair[1]);
    let sound = ends.iter().all(|end| end.is_finite() && *end > 0.0);
    if ascending && sound && (1..=PERIODS_MAX).contains(&ends.len()) {
        Ok(())
    } else {
        Err(HazardError::Periods)
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

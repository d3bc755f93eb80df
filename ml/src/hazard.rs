//! When will it fail: one model for the whole future, as the chance of failing in each period survived so far.
//!
//! Place on the path: dataset → (unit, period) rows → boosting → **survival curve** → probability at any horizon.
//!
//! Each unit becomes one row a period it entered: label 1 in the period of its failure, 0 in the periods it survived;
//! a unit lost from sight counts up to the last period it surely survived. Survival is the product of 1 − hazard, so
//! the probabilities of 30, 60 and 90 days can never cross, as those of three separate classifiers do.
//!
//! Sources: Cox, "Regression Models and Life-Tables", JRSS B 34 (1972), §3 (discrete time); Singer, Willett, "It's
//! About Time", J. Educ. Stat. 18 (1993); Barlow, Hunter, Operations Research 8 (1960) (replacement age).

use crate::boost::{Fit, FitError, Progress};
use crate::calibrate::{Calibration, VennAbers};
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
    /// No unit was seen through a whole period.
    #[error("no unit was observed for a whole period")]
    NothingObserved,
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
    intervals: Vec<Option<VennAbers>>,
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
        let lives = self.lifetimes.durations.iter().zip(self.lifetimes.observed);
        for (row, (&duration, &failed)) in lives.enumerate() {
            let mut start = 0.0;
            for (period, &end) in ends.iter().enumerate() {
                let ends_here = duration < end;
                if duration < start || (ends_here && !failed) {
                    break;
                }
                rows.push(row);
                periods.push(period as f32);
                labels.push(f32::from(u8::from(ends_here)));
                start = end;
            }
        }
        if rows.is_empty() {
            return Err(HazardError::NothingObserved);
        }
        let weights = self
            .rows
            .weights()
            .map(|weights| rows.iter().map(|&row| weights[row]).collect::<Vec<_>>());
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

    /// For each unit whose fate at `end` is known: its row and whether it had failed by then.
    fn outcomes(&self, end: f32) -> impl Iterator<Item = (usize, f32)> + '_ {
        let lives = self.lifetimes.durations.iter().zip(self.lifetimes.observed);
        lives
            .enumerate()
            .filter_map(move |(row, (&duration, &failed))| {
                let fell = duration < end;
                (!fell || failed).then_some((row, f32::from(u8::from(fell))))
            })
    }
}

/// Settings that suit fleets: snapshots of one unit resemble each other, so the effective sample is far smaller than
/// the number of rows, and small trees with strong regularisation win. Chosen on the validation part of eleven years
/// of metro incidents, where five other settings with 6 to 31 leaves did worse. Early stopping needs a validation cohort.
///
/// `rows` is the number of snapshots; the least rows of a leaf follow it, from 20 to 500.
#[must_use]
pub fn fleet_settings(rows: usize) -> Params {
    Params {
        leaves_max: 4,
        rows_min: (rows / 100).clamp(20, 500),
        hessian_min: 1.0,
        l2: 50.0,
        learning_rate: 0.05,
        row_share: 0.5,
        column_share: 0.3,
        rounds_max: 1_000,
        patience_rounds: Some(50),
        ..Params::default()
    }
}

impl HazardModel {
    /// Trains on lifetimes. `ends` are the ends of the periods in the durations' unit, such as `[30, 60, 90]` days;
    /// the settings' loss is replaced. With a validation cohort, training stops early if the settings say so, and the
    /// probability at each period end is calibrated on it, its rows being in order of time.
    ///
    /// # Errors
    /// Any [`HazardError`].
    pub fn train(
        params: &Params,
        ends: &[f32],
        train: &Cohort<'_>,
        valid: Option<&Cohort<'_>>,
        observe: Option<&mut dyn FnMut(Progress) -> ControlFlow<()>>,
    ) -> Result<Self, HazardError> {
        check_ends(ends)?;
        let params = Params {
            loss: Loss::Hazard {
                periods: u32::try_from(ends.len()).expect("there are at most 64 periods"),
            },
            ..params.clone()
        };
        let expanded = train.expand(ends)?;
        let expanded_valid = valid.map(|valid| valid.expand(ends)).transpose()?;
        let mut fit = Fit::new(&params);
        if let Some(valid) = &expanded_valid {
            fit = fit.valid(valid);
        }
        if let Some(observe) = observe {
            fit = fit.observe(observe);
        }
        let mut model = Self {
            model: fit.train(&expanded)?,
            ends: ends.to_vec(),
            calibrations: vec![Calibration::Identity; ends.len()],
            intervals: vec![None; ends.len()],
        };
        if let Some(valid) = valid {
            model.calibrate(valid);
        }
        Ok(model)
    }

    /// Fits each period end's calibration and interval on a cohort in order of time; where the cohort is too small,
    /// the model's own probability stays.
    fn calibrate(&mut self, cohort: &Cohort<'_>) {
        let curves = self.raw_curves(cohort.rows);
        for (period, &end) in self.ends.iter().enumerate() {
            let (probabilities, labels): (Vec<f64>, Vec<f32>) = cohort
                .outcomes(end)
                .map(|(row, label)| (curves[row][period], label))
                .unzip();
            self.calibrations[period] =
                Calibration::choose(&probabilities, &labels).unwrap_or_default();
            self.intervals[period] = VennAbers::fit(&probabilities, &labels).ok();
        }
    }

    fn raw_curves(&self, rows: &Dataset) -> Vec<Vec<f64>> {
        let mut scratch = self.scratch();
        let mut row = vec![0.0; rows.features().len()];
        (0..rows.rows())
            .map(|index| {
                rows.copy_row(index, &mut row);
                let mut curve = vec![0.0; self.ends.len()];
                self.raw_failure_into(&row, &mut scratch, &mut curve)
                    .expect("the cohort has the model's columns");
                curve
            })
            .collect()
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
        let mut raw = vec![0.0; self.ends.len()];
        self.raw_failure_into(row, scratch, &mut raw)?;
        let intervals = raw
            .iter()
            .zip(&self.intervals)
            .map(|(&p, fit)| fit.as_ref().map(|fit| fit.interval(p)));
        let intervals: Vec<_> = intervals.collect();
        let mut failure = raw;
        self.failure_into(row, scratch, &mut failure)?;
        Ok(SurvivalCurve::new(self.ends.clone(), failure, intervals))
    }

    fn raw_failure_into(
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
        for ((&end, calibration), interval) in self
            .ends
            .iter()
            .zip(&self.calibrations)
            .zip(&self.intervals)
        {
            writer.f32(end);
            calibration.write(&mut writer)?;
            writer.u8(u8::from(interval.is_some()));
            if let Some(interval) = interval {
                interval.write(&mut writer)?;
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
        let (mut ends, mut calibrations, mut intervals) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            ends.push(reader.f32("period end")?);
            calibrations.push(Calibration::read(&mut reader)?);
            intervals.push(match reader.u8("interval flag")? {
                0 => None,
                1 => Some(VennAbers::read(&mut reader)?),
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
            intervals,
        })
    }
}

fn check_ends(ends: &[f32]) -> Result<(), HazardError> {
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

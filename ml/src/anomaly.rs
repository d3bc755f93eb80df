//! Which reading is strange: three cheap detectors whose ranks are averaged, and the features that stand out.
//!
//! Place on the path: readings → **anomaly model** → score, offending signal. Unsupervised: no labels are needed, and
//! some anomalies among the training rows do no harm.
//!
//! An isolation forest sees odd combinations, histograms see odd values, and the distance to ordinary rows sees what
//! lies off on its own; each score becomes the share of training rows that were less strange, and the shares are
//! averaged. For one signal over time see [`signal`].

use crate::frame::{FileKind, ReadError, Reader, WriteError, Writer, require};
use crate::random::Random;
use ndarray::ArrayView2;

mod histogram;
mod isolation;
mod nearest;
mod perfect;
pub mod signal;
use histogram::Histograms;
use isolation::IsolationForest;
use nearest::References;
use perfect::Slots;

/// Most columns of an anomaly model.
pub const COLUMNS_MAX: usize = 1_024;
/// Fewest training rows.
pub const ROWS_MIN: usize = 20;
/// Steps of the table that turns a score into the share of less strange rows.
const RANK_STEPS: usize = 512;
/// Rows whose scores make that table.
const RANK_ROWS_MAX: usize = 100_000;

/// Why an anomaly model could not be fitted or asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnomalyError {
    /// Too few rows.
    #[error("{rows} rows are fewer than {ROWS_MIN}")]
    TooFewRows {
        /// Rows given.
        rows: usize,
    },
    /// No or too many columns, or a row of another width.
    #[error("{found} columns where {expected} are expected")]
    Columns {
        /// Columns given.
        found: usize,
        /// Columns of the model, or the most allowed.
        expected: usize,
    },
    /// A value is infinite.
    #[error("column {column} is infinite in row {row}")]
    Infinite {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
    },
    /// No column varies.
    #[error("no column varies")]
    Constant,
}

/// How strange a reading is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnomalyScore {
    /// Mean share of training rows that were less strange, in [0, 1].
    pub rank: f64,
    /// The isolation forest's score in (0, 1); about 0.5 is ordinary.
    pub isolation: f64,
    /// Surprise of the values in bits, summed over the columns.
    pub surprise: f64,
    /// Distance to the nearest of 32 training rows, mean over three such samples, in standard deviations of the columns.
    pub distance: f64,
}

/// How much one column stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offender {
    /// Column, from 0.
    pub column: usize,
    /// Surprise of its value in bits.
    pub surprise: f64,
    /// Share of training rows with a smaller value, in [0, 1]; NaN for a missing value.
    pub quantile: f64,
}

/// A fitted anomaly model.
#[derive(Debug, Clone, PartialEq)]
pub struct AnomalyModel {
    forest: IsolationForest,
    histograms: Histograms,
    references: References,
    /// Ascending training scores at equal shares, one table a detector.
    ranks: [Vec<f64>; 3],
}

/// Buffers of one scoring thread.
#[derive(Debug, Clone)]
pub struct AnomalyScratch {
    slots: Slots,
    standard: Vec<f32>,
}

impl AnomalyModel {
    /// Fits on rows × columns; NaN is missing.
    ///
    /// # Errors
    /// Any [`AnomalyError`].
    pub fn fit(rows: ArrayView2<'_, f32>, seed: u64) -> Result<Self, AnomalyError> {
        check(&rows)?;
        let histograms = Histograms::fit(&rows);
        let forest = IsolationForest::fit(&rows, seed).ok_or(AnomalyError::Constant)?;
        let mut model = Self {
            forest,
            histograms,
            references: References::fit(&rows, seed),
            ranks: Default::default(),
        };
        let sample = Random::new(seed, u64::MAX).choose_ordered(rows.nrows(), RANK_ROWS_MAX);
        let mut scratch = model.scratch();
        let mut scores: [Vec<f64>; 3] = Default::default();
        for index in sample {
            let each = model.each_score(&rows.row(index).to_vec(), &mut scratch);
            scores
                .iter_mut()
                .zip(each)
                .for_each(|(scores, score)| scores.push(score));
        }
        model.ranks = scores.map(rank_table);
        Ok(model)
    }

    /// The scores of the forest, the histograms and the references.
    fn each_score(&self, row: &[f32], scratch: &mut AnomalyScratch) -> [f64; 3] {
        [
            self.forest.score(row, &mut scratch.slots),
            self.histograms.surprise(row),
            self.references.distance(row, &mut scratch.standard),
        ]
    }

    /// Buffers for [`AnomalyModel::score`].
    #[must_use]
    pub fn scratch(&self) -> AnomalyScratch {
        AnomalyScratch {
            slots: Slots::new(),
            standard: Vec::with_capacity(self.histograms.columns()),
        }
    }

    /// Scores one row. Does not allocate.
    ///
    /// # Errors
    /// [`AnomalyError::Columns`].
    pub fn score(
        &self,
        row: &[f32],
        scratch: &mut AnomalyScratch,
    ) -> Result<AnomalyScore, AnomalyError> {
        self.check_width(row)?;
        let each = self.each_score(row, scratch);
        let rank = self
            .ranks
            .iter()
            .zip(each)
            .map(|(table, score)| rank_of(table, score))
            .sum::<f64>();
        let [isolation, surprise, distance] = each;
        Ok(AnomalyScore {
            rank: rank / each.len() as f64,
            isolation,
            surprise,
            distance,
        })
    }

    /// The columns of a row, most surprising first.
    ///
    /// # Errors
    /// [`AnomalyError::Columns`].
    pub fn offenders(&self, row: &[f32]) -> Result<Vec<Offender>, AnomalyError> {
        self.check_width(row)?;
        let mut offenders = self.histograms.offenders(row);
        offenders.sort_by(|left, right| right.surprise.total_cmp(&left.surprise));
        Ok(offenders)
    }

    fn check_width(&self, row: &[f32]) -> Result<(), AnomalyError> {
        if row.len() == self.histograms.columns() {
            Ok(())
        } else {
            Err(AnomalyError::Columns {
                found: row.len(),
                expected: self.histograms.columns(),
            })
        }
    }

    /// The model as the bytes of a file.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, WriteError> {
        let mut writer = Writer::default();
        self.histograms.write(&mut writer)?;
        self.forest.write(&mut writer)?;
        self.references.write(&mut writer)?;
        for table in &self.ranks {
            writer.length("rank steps", table.len(), RANK_STEPS)?;
            writer.f64s(table);
        }
        writer.finish(FileKind::Anomaly)
    }

    /// Reads an anomaly model's file.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn from_bytes(file: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::open(file, FileKind::Anomaly)?;
        let histograms = Histograms::read(&mut reader)?;
        let forest = IsolationForest::read(&mut reader, histograms.columns())?;
        let references = References::read(&mut reader, histograms.columns())?;
        let mut table = || {
            let count = reader.length(RANK_STEPS, 8, "rank steps")?;
            let values = reader.f64s(count, "rank step")?;
            require(
                count > 0 && values.windows(2).all(|pair| pair[0] <= pair[1]),
                "rank step",
            )?;
            Ok::<_, ReadError>(values)
        };
        let ranks = [table()?, table()?, table()?];
        reader.end()?;
        Ok(Self {
            forest,
            histograms,
            references,
            ranks,
        })
    }
}

fn check(rows: &ArrayView2<'_, f32>) -> Result<(), AnomalyError> {
    if rows.nrows() < ROWS_MIN {
        return Err(AnomalyError::TooFewRows { rows: rows.nrows() });
    }
    if rows.ncols() == 0 || rows.ncols() > COLUMNS_MAX {
        return Err(AnomalyError::Columns {
            found: rows.ncols(),
            expected: COLUMNS_MAX,
        });
    }
    match rows.indexed_iter().find(|(_, value)| value.is_infinite()) {
        Some(((row, column), _)) => Err(AnomalyError::Infinite { row, column }),
        None => Ok(()),
    }
}

/// The scores at equally spaced shares of the sorted sample.
fn rank_table(mut scores: Vec<f64>) -> Vec<f64> {
    scores.sort_by(f64::total_cmp);
    let steps = RANK_STEPS.min(scores.len());
    (0..steps)
        .map(|step| scores[step * (scores.len() - 1) / (steps - 1).max(1)])
        .collect()
}

/// Share of the table below a score, interpolated; a score beyond the last one still ranks above it.
fn rank_of(table: &[f64], score: f64) -> f64 {
    let above = table.partition_point(|&step| step <= score);
    let below = table.partition_point(|&step| step < score);
    let within = match (table.get(below.wrapping_sub(1)), table.get(below)) {
        (Some(&low), Some(&high)) if high > low && below == above => {
            (score - low) / (high - low) - 1.0
        }
        _ => 0.0,
    };
    let middle = f64::midpoint(below as f64, above as f64) + within;
    let beyond = table.last().map_or(0.0, |&last| (score - last).max(0.0));
    // The squashed excess keeps the order of rows stranger than any seen in training.
    (middle + beyond / (1.0 + beyond)) / (table.len() as f64 + 1.0)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

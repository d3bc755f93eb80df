//! Makes probabilities mean what they say, and says how sure that is.
//!
//! Place on the path: model → **calibration** → answer. Fitted on rows the model was not trained on, in order of time.
//!
//! Sources: Platt, "Probabilistic Outputs for Support Vector Machines" (1999), with the corrections of Lin, Lin, Weng,
//! Machine Learning 68 (2007); Zadrozny, Elkan, KDD 2002 (isotonic); Ayer et al., Ann. Math. Stat. 26 (1955) (pool
//! adjacent violators); Vovk, Petej, "Venn-Abers Predictors", UAI 2014.

use crate::elementary::{log_odds, logistic};
use crate::frame::{ReadError, Reader, WriteError, Writer, require};
use crate::metric::logloss;

/// From this many rows on, isotonic regression is tried; below, Platt scaling.
pub const ISOTONIC_ROWS_MIN: usize = 1_000;
/// Fewest rows of each class for any calibration.
pub const CLASS_ROWS_MIN: usize = 10;
/// Most steps of an isotonic calibration.
pub const STEPS_MAX: usize = 100_000;
/// Groups into which Venn–Abers pools its calibration rows.
const VENN_ABERS_GROUPS: usize = 256;

/// A map from predicted to calibrated probability; it never falls.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Calibration {
    /// Leaves probabilities as they are.
    #[default]
    Identity,
    /// Logistic regression on the log-odds.
    Platt {
        /// Factor on the log-odds, not negative.
        slope: f64,
        /// Added to the log-odds.
        intercept: f64,
    },
    /// Piecewise linear between the centres of the pooled blocks.
    Isotonic {
        /// Ascending predicted probabilities.
        from: Vec<f64>,
        /// Calibrated probability at each, ascending.
        to: Vec<f64>,
    },
}

/// Why nothing could be calibrated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalibrateError {
    /// Labels and probabilities differ in number.
    #[error("{labels} labels for {probabilities} probabilities")]
    Length {
        /// Labels given.
        labels: usize,
        /// Probabilities given.
        probabilities: usize,
    },
    /// A probability is not a number in [0, 1], or a label not 0 or 1.
    #[error("row {row} is not a probability with a label of 0 or 1")]
    Invalid {
        /// Row, from 0.
        row: usize,
    },
    /// Too few rows of one class.
    #[error("{positives} positives and {negatives} negatives are too few to calibrate on")]
    TooFew {
        /// Rows with label 1.
        positives: usize,
        /// Rows with label 0.
        negatives: usize,
    },
}

impl Calibration {
    /// The calibrated probability.
    #[must_use]
    pub fn apply(&self, probability: f64) -> f64 {
        match self {
            Self::Identity => probability,
            Self::Platt { slope, intercept } => logistic(slope * log_odds(probability) + intercept),
            Self::Isotonic { from, to } => interpolate(from, to, probability),
        }
    }

    /// Chooses by held-out time: fits on the earlier half of the rows, and keeps the kind only if it lowers the log
    /// loss of the later half; then refits it on all rows. Rows must be in order of time.
    ///
    /// # Errors
    /// Any [`CalibrateError`].
    pub fn choose(probabilities: &[f64], labels: &[f32]) -> Result<Self, CalibrateError> {
        check(probabilities, labels)?;
        let half = labels.len() / 2;
        let fit = |probabilities: &[f64], labels: &[f32]| {
            if probabilities.len() >= ISOTONIC_ROWS_MIN / 2 {
                Self::isotonic(probabilities, labels)
            } else {
                Self::platt(probabilities, labels)
            }
        };
        let (earlier, later) = probabilities.split_at(half);
        let trials = [
            fit(earlier, &labels[..half]),
            Self::platt(earlier, &labels[..half]),
        ];
        let later_labels = &labels[half..];
        let mut best = (logloss(later_labels, later), None);
        for (kind, trial) in trials.into_iter().enumerate() {
            let Ok(trial) = trial else { continue };
            let calibrated: Vec<f64> = later
                .iter()
                .map(|&probability| trial.apply(probability))
                .collect();
            let loss = logloss(later_labels, &calibrated);
            if loss < best.0 {
                best = (loss, Some(kind));
            }
        }
        match best.1 {
            None => Ok(Self::Identity),
            Some(0) => fit(probabilities, labels),
            Some(_) => Self::platt(probabilities, labels),
        }
    }

    /// Platt scaling on the log-odds, by Newton's method with Platt's smoothed targets.
    ///
    /// # Errors
    /// Any [`CalibrateError`].
    pub fn platt(probabilities: &[f64], labels: &[f32]) -> Result<Self, CalibrateError> {
        let (positives, negatives) = check(probabilities, labels)?;
        let high = (positives as f64 + 1.0) / (positives as f64 + 2.0);
        let low = 1.0 / (negatives as f64 + 2.0);
        let (mut slope, mut intercept) = (1.0, 0.0);
        for _ in 0..100 {
            let (mut g0, mut g1, mut h00, mut h01, mut h11) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
            for (&probability, &label) in probabilities.iter().zip(labels) {
                let x = log_odds(probability);
                let p = logistic(slope * x + intercept);
                let off = p - if label >= 0.5 { high } else { low };
                let spread = p * (1.0 - p);
                g0 += off;
                g1 += off * x;
                h00 += spread;
                h01 += spread * x;
                h11 += spread * x * x;
            }
            let determinant = h00 * h11 - h01 * h01;
            if determinant.abs() < 1e-300 {
                break;
            }
            // Half a step where the full one would be wild keeps Newton stable far from the optimum.
            let step = (
                (h00 * g1 - h01 * g0) / determinant,
                (h11 * g0 - h01 * g1) / determinant,
            );
            let shrink = 1.0 / (step.0.abs().max(step.1.abs()) / 2.0).max(1.0);
            slope -= step.0 * shrink;
            intercept -= step.1 * shrink;
            if step.0.abs() + step.1.abs() < 1e-10 {
                break;
            }
        }
        Ok(Self::Platt {
            slope: slope.max(0.0),
            intercept,
        })
    }

    /// Isotonic regression by pooling adjacent violators. O(n log n).
    ///
    /// # Errors
    /// Any [`CalibrateError`].
    pub fn isotonic(probabilities: &[f64], labels: &[f32]) -> Result<Self, CalibrateError> {
        check(probabilities, labels)?;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|&left, &right| probabilities[left].total_cmp(&probabilities[right]));
        let blocks = pool(order.iter().map(|&row| Block {
            position: probabilities[row],
            value: f64::from(labels[row]),
            weight: 1.0,
        }));
        let stride = blocks.len().div_ceil(STEPS_MAX);
        let kept = blocks.iter().step_by(stride.max(1));
        let (from, to) = kept.map(|block| (block.position, block.value)).unzip();
        Ok(Self::Isotonic { from, to })
    }

    pub(crate) fn write(&self, writer: &mut Writer) -> Result<(), WriteError> {
        match self {
            Self::Identity => writer.u8(0),
            Self::Platt { slope, intercept } => {
                writer.u8(1);
                writer.f64s(&[*slope, *intercept]);
            }
            Self::Isotonic { from, to } => {
                writer.u8(2);
                writer.length("isotonic steps", from.len(), STEPS_MAX)?;
                writer.f64s(from);
                writer.f64s(to);
            }
        }
        Ok(())
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        match reader.u8("calibration")? {
            0 => Ok(Self::Identity),
            1 => {
                let (slope, intercept) = (reader.f64("slope")?, reader.f64("intercept")?);
                require(slope >= 0.0, "slope")?;
                Ok(Self::Platt { slope, intercept })
            }
            2 => {
                let count = reader.length(STEPS_MAX, 16, "isotonic steps")?;
                require(count > 0, "isotonic steps")?;
                let (from, to) = (
                    reader.f64s(count, "isotonic step")?,
                    reader.f64s(count, "isotonic step")?,
                );
                let rises = |values: &[f64]| values.windows(2).all(|pair| pair[0] <= pair[1]);
                let bounded = to.iter().all(|value| (0.0..=1.0).contains(value));
                require(rises(&from) && rises(&to) && bounded, "isotonic step")?;
                Ok(Self::Isotonic { from, to })
            }
            _ => Err(ReadError::Invalid {
                what: "calibration",
            }),
        }
    }
}

fn check(probabilities: &[f64], labels: &[f32]) -> Result<(usize, usize), CalibrateError> {
    if probabilities.len() != labels.len() {
        return Err(CalibrateError::Length {
            labels: labels.len(),
            probabilities: probabilities.len(),
        });
    }
    let sound = |(&probability, &label): (&f64, &f32)| {
        (0.0..=1.0).contains(&probability) && (label == 0.0 || label == 1.0)
    };
    if let Some(row) = probabilities
        .iter()
        .zip(labels)
        .position(|pair| !sound(pair))
    {
        return Err(CalibrateError::Invalid { row });
    }
    let positives = labels.iter().filter(|&&label| label == 1.0).count();
    let negatives = labels.len() - positives;
    if positives < CLASS_ROWS_MIN || negatives < CLASS_ROWS_MIN {
        return Err(CalibrateError::TooFew {
            positives,
            negatives,
        });
    }
    Ok((positives, negatives))
}

/// Rows pooled to one value.
#[derive(Debug, Clone, Copy)]
struct Block {
    position: f64,
    value: f64,
    weight: f64,
}

/// Merges neighbours until values rise: the least-squares fit among rising step functions.
fn pool(points: impl Iterator<Item = Block>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for mut block in points {
        while let Some(last) = blocks.last() {
            if last.value < block.value && last.position < block.position {
                break;
            }
            let weight = last.weight + block.weight;
            let blend =
                |left: f64, right: f64| (left * last.weight + right * block.weight) / weight;
            block = Block {
                position: blend(last.position, block.position),
                value: blend(last.value, block.value),
                weight,
            };
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks
}

fn interpolate(from: &[f64], to: &[f64], at: f64) -> f64 {
    let above = from.partition_point(|&position| position <= at);
    match (above.checked_sub(1), from.get(above)) {
        (None, _) => to.first().copied().unwrap_or(at),
        (Some(below), None) => to[below],
        (Some(below), Some(&next)) => {
            let share = (at - from[below]) / (next - from[below]);
            to[below] + share * (to[above] - to[below])
        }
    }
}

/// A probability with the range that the calibration rows allow: the Venn–Abers interval.
///
/// For a new row the isotonic fit is made twice, as if the row's label were 0 and 1; whatever the truth is, one of
/// the two probabilities is calibrated. The range is narrow where there are many comparable rows.
#[derive(Debug, Clone, PartialEq)]
pub struct VennAbers {
    /// Group centres, ascending.
    positions: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl VennAbers {
    /// Fits on held-out rows, pooled into 256 groups of equal size. O(n log n + groups²).
    ///
    /// # Errors
    /// Any [`CalibrateError`].
    pub fn fit(probabilities: &[f64], labels: &[f32]) -> Result<Self, CalibrateError> {
        check(probabilities, labels)?;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|&left, &right| probabilities[left].total_cmp(&probabilities[right]));
        let groups: Vec<Block> = order
            .chunks(order.len().div_ceil(VENN_ABERS_GROUPS))
            .map(|part| {
                let weight = part.len() as f64;
                Block {
                    position: part.iter().map(|&row| probabilities[row]).sum::<f64>() / weight,
                    value: part.iter().map(|&row| f64::from(labels[row])).sum::<f64>() / weight,
                    weight,
                }
            })
            .collect();
        let with = |at: usize, label: f64| {
            let extra = Block {
                position: groups[at].position,
                value: label,
                weight: 1.0,
            };
            let position = extra.position;
            let blocks = pool(
                groups[..=at]
                    .iter()
                    .copied()
                    .chain([extra])
                    .chain(groups[at + 1..].iter().copied()),
            );
            let (from, to): (Vec<f64>, Vec<f64>) = blocks
                .iter()
                .map(|block| (block.position, block.value))
                .unzip();
            interpolate(&from, &to, position)
        };
        Ok(Self {
            positions: groups.iter().map(|group| group.position).collect(),
            low: (0..groups.len()).map(|at| with(at, 0.0)).collect(),
            high: (0..groups.len()).map(|at| with(at, 1.0)).collect(),
        })
    }

    /// Lower and upper probability at a predicted one.
    #[must_use]
    pub fn interval(&self, probability: f64) -> (f64, f64) {
        let low = interpolate(&self.positions, &self.low, probability);
        let high = interpolate(&self.positions, &self.high, probability);
        (low.min(high), high.max(low))
    }

    pub(crate) fn write(&self, writer: &mut Writer) -> Result<(), WriteError> {
        writer.length("interval groups", self.positions.len(), VENN_ABERS_GROUPS)?;
        for values in [&self.positions, &self.low, &self.high] {
            writer.f64s(values);
        }
        Ok(())
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let count = reader.length(VENN_ABERS_GROUPS, 24, "interval groups")?;
        require(count > 0, "interval groups")?;
        let positions = reader.f64s(count, "interval")?;
        let (low, high) = (
            reader.f64s(count, "interval")?,
            reader.f64s(count, "interval")?,
        );
        require(
            positions.windows(2).all(|pair| pair[0] <= pair[1]),
            "interval",
        )?;
        let bounded = low
            .iter()
            .chain(&high)
            .all(|value| (0.0..=1.0).contains(value));
        require(bounded, "interval")?;
        Ok(Self {
            positions,
            low,
            high,
        })
    }
}

#[cfg(test)]
mod tests;

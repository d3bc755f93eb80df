//! Makes probabilities mean what they say, and says how sure that is.
//!
//! Place on the path: model → **calibration** → answer. Fitted on rows the model was not trained on, in order of time.
//!
//! Sources: Platt, "Probabilistic Outputs for Support Vector Machines" (1999), with the corrections of Lin, Lin, Weng,
//! Machine Learning 68 (2007); Zadrozny, Elkan, KDD 2002 (isotonic); Ayer et al., Ann. Math. Stat. 26 (1955) (pool
//! adjacent violators); Cox, "Two Further Applications of a Model for Binary Regression", Biometrika 45 (1958) (log-odds of
//! a probability as the one regressor); White, Econometrica 50 (1982) (the covariance that survives a wrong model).

use crate::elementary::{log_odds, logistic};
use crate::frame::{ReadError, Reader, WriteError, Writer, require};

/// From this many rows on, isotonic regression is tried; below, Platt scaling.
pub const ISOTONIC_ROWS_MIN: usize = 1_000;
/// Fewest rows of each class for any calibration.
pub const CLASS_ROWS_MIN: usize = 10;
/// Most steps of an isotonic calibration.
pub const STEPS_MAX: usize = 100_000;
/// Stretches of time whose rows may depend on each other when a range is fitted.
const STRETCHES: usize = 20;
/// Nine in ten of a normal distribution lie within this many deviations.
const NINE_IN_TEN: f64 = 1.644_853_626_951_472_2;
/// Groups of a Venn–Abers interval in a file of format number 1.
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
    /// Labels, weights and probabilities differ in number.
    #[error("{labels} labels and {weights} weights for {probabilities} probabilities")]
    Length {
        /// Labels given.
        labels: usize,
        /// Weights given.
        weights: usize,
        /// Probabilities given.
        probabilities: usize,
    },
    /// A probability is not a number in [0, 1], a label not 0 or 1, or a weight negative or not finite.
    #[error("row {row} is not a probability with a label of 0 or 1 and a weight")]
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

/// What was said of held-out rows and what became of them, in order of time.
#[derive(Debug, Clone, Copy)]
pub struct Outcomes<'data> {
    /// Predicted probabilities.
    pub probabilities: &'data [f64],
    /// What happened: 0 or 1.
    pub labels: &'data [f32],
    /// How many rows each stands for.
    pub weights: &'data [f64],
}

impl<'data> Outcomes<'data> {
    fn part(&self, span: std::ops::Range<usize>) -> Self {
        Self {
            probabilities: &self.probabilities[span.clone()],
            labels: &self.labels[span.clone()],
            weights: &self.weights[span],
        }
    }

    /// Probability, label and weight of each row.
    fn rows(&self) -> impl Iterator<Item = (f64, f64, f64)> + 'data {
        let each = self.probabilities.iter().zip(self.labels).zip(self.weights);
        each.map(|((&probability, &label), &weight)| (probability, f64::from(label), weight))
    }

    /// Weighted mean log loss after a calibration.
    fn logloss(&self, calibration: &Calibration) -> f64 {
        let (mut loss, mut total) = (0.0, 0.0);
        for (probability, label, weight) in self.rows() {
            let p = calibration.apply(probability).clamp(1e-15, 1.0 - 1e-15);
            loss -= weight * (label * p.ln() + (1.0 - label) * (1.0 - p).ln());
            total += weight;
        }
        loss / total
    }

    fn check(&self) -> Result<(), CalibrateError> {
        if self.probabilities.len() != self.labels.len() || self.weights.len() != self.labels.len()
        {
            return Err(CalibrateError::Length {
                labels: self.labels.len(),
                weights: self.weights.len(),
                probabilities: self.probabilities.len(),
            });
        }
        let sound = |(probability, label, weight): (f64, f64, f64)| {
            (0.0..=1.0).contains(&probability)
                && (label == 0.0 || label == 1.0)
                && weight.is_finite()
                && weight >= 0.0
        };
        if let Some(row) = self.rows().position(|row| !sound(row)) {
            return Err(CalibrateError::Invalid { row });
        }
        let positives = self.labels.iter().filter(|&&label| label == 1.0).count();
        let negatives = self.labels.len() - positives;
        if positives < CLASS_ROWS_MIN || negatives < CLASS_ROWS_MIN {
            return Err(CalibrateError::TooFew {
                positives,
                negatives,
            });
        }
        Ok(())
    }
}

/// How one kind of calibration is fitted.
type FitKind = fn(&Outcomes<'_>) -> Result<Calibration, CalibrateError>;

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
    /// loss of the later half; then refits that kind on all rows. Isotonic regression is among the kinds from
    /// [`ISOTONIC_ROWS_MIN`] rows on. Rows must be in order of time.
    ///
    /// # Errors
    /// Any [`CalibrateError`].
    pub fn choose(outcomes: &Outcomes<'_>) -> Result<Self, CalibrateError> {
        outcomes.check()?;
        let count = outcomes.labels.len();
        let every: [FitKind; 2] = [Self::isotonic, Self::platt];
        let kinds = if count >= ISOTONIC_ROWS_MIN {
            &every[..]
        } else {
            &every[1..]
        };
        let (earlier, later) = (outcomes.part(0..count / 2), outcomes.part(count / 2..count));
        let mut best: (f64, Option<FitKind>) = (later.logloss(&Self::Identity), None);
        for &kind in kinds {
            let Ok(trial) = kind(&earlier) else { continue };
            let loss = later.logloss(&trial);
            if loss < best.0 {
                best = (loss, Some(kind));
            }
        }
        match best.1 {
            None => Ok(Self::Identity),
            Some(kind) => kind(outcomes),
        }
    }

    /// Platt scaling on the log-odds, by Newton's method with Platt's smoothed targets.
    ///
    /// # Errors
    /// Any [`CalibrateError`].
    pub fn platt(outcomes: &Outcomes<'_>) -> Result<Self, CalibrateError> {
        outcomes.check()?;
        let (mut positives, mut negatives) = (0.0, 0.0);
        for (_, label, weight) in outcomes.rows() {
            positives += weight * label;
            negatives += weight * (1.0 - label);
        }
        let high = (positives + 1.0) / (positives + 2.0);
        let low = 1.0 / (negatives + 2.0);
        let (mut slope, mut intercept) = (1.0, 0.0);
        for _ in 0..100 {
            let (mut g0, mut g1, mut h00, mut h01, mut h11) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
            for (probability, label, weight) in outcomes.rows() {
                let x = log_odds(probability);
                let p = logistic(slope * x + intercept);
                let off = weight * (p - if label >= 0.5 { high } else { low });
                let spread = weight * p * (1.0 - p);
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
    pub fn isotonic(outcomes: &Outcomes<'_>) -> Result<Self, CalibrateError> {
        outcomes.check()?;
        let mut rows: Vec<(f64, f64, f64)> = outcomes
            .rows()
            .filter(|&(_, _, weight)| weight > 0.0)
            .collect();
        rows.sort_by(|left, right| left.0.total_cmp(&right.0));
        let blocks = pool(rows.into_iter().map(|(position, value, weight)| Block {
            position,
            value,
            weight,
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

/// How far a calibrated probability can be relied upon: the range that holds the true one nine times in ten, as far as the
/// held-out rows can tell.
///
/// The held-out rows are fitted once more, by a logistic regression on the calibrated log-odds. If calibration were perfect,
/// that regression would change nothing; how well the rows determine it is how well they determine the probability. The
/// range is taken on the log-odds around the probability itself, so it always holds it. It is wide where there are few rows
/// like it, and where the rows of one stretch of time say something else than those of another.
#[derive(Debug, Clone, PartialEq)]
pub struct Reliance {
    /// Covariance of intercept and slope: intercept with itself, with slope, slope with itself.
    covariance: [f64; 3],
}

impl Reliance {
    /// Fits on held-out rows in order of time, whose probabilities are calibrated. O(n).
    ///
    /// # Errors
    /// Any [`CalibrateError`].
    pub fn fit(outcomes: &Outcomes<'_>) -> Result<Self, CalibrateError> {
        outcomes.check()?;
        // Products of regressors by spread (the curvature), and squares of each stretch's score.
        let (mut curvature, mut scores) = ([1e-9, 0.0, 1e-9], [0.0; 3]);
        let count = outcomes.labels.len();
        let stretches = STRETCHES.min(count);
        for stretch in 0..stretches {
            let span = stretch * count / stretches..(stretch + 1) * count / stretches;
            let (mut g0, mut g1) = (0.0, 0.0);
            for (probability, label, weight) in outcomes.part(span).rows() {
                let x = log_odds(probability);
                let spread = weight * probability * (1.0 - probability);
                curvature[0] += spread;
                curvature[1] += spread * x;
                curvature[2] += spread * x * x;
                g0 += weight * (probability - label);
                g1 += weight * (probability - label) * x;
            }
            scores[0] += g0 * g0;
            scores[1] += g0 * g1;
            scores[2] += g1 * g1;
        }
        let few = stretches as f64 / (stretches as f64 - 1.0);
        Ok(Self {
            covariance: sandwich(curvature, scores.map(|score| score * few)),
        })
    }

    /// Lower and upper end around a calibrated probability, which lies between them.
    #[must_use]
    pub fn range(&self, probability: f64) -> (f64, f64) {
        let x = log_odds(probability);
        let [intercept, both, slope] = self.covariance;
        let variance = intercept + 2.0 * both * x + slope * x * x;
        let margin = NINE_IN_TEN * variance.max(0.0).sqrt();
        // Where the margin is nothing, the way over the log-odds and back may miss the probability by its last digit.
        (
            logistic(x - margin).min(probability),
            logistic(x + margin).max(probability),
        )
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.f64s(&self.covariance);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let values = reader.f64s(3, "interval")?;
        let covariance = [values[0], values[1], values[2]];
        require(
            covariance.iter().all(|value| value.is_finite())
                && covariance[0] >= 0.0
                && covariance[2] >= 0.0,
            "interval",
        )?;
        Ok(Self { covariance })
    }
}

/// Inverse curvature × scores × inverse curvature, for symmetric 2 × 2 matrices given by their upper half.
fn sandwich(curvature: [f64; 3], scores: [f64; 3]) -> [f64; 3] {
    let [a, b, c] = curvature;
    // Rows that are all alike determine a level but no slope: then the level alone is told.
    let determinant = a * c - b * b;
    if determinant <= 1e-9 * a * c {
        return [scores[0] / (a * a), 0.0, 0.0];
    }
    let inverse = [c / determinant, -b / determinant, a / determinant];
    let [i, j, k] = inverse;
    let [p, q, r] = scores;
    // The product of the first two, row by row, then with the inverse again.
    let (top, bottom) = (
        (i * p + j * q, i * q + j * r),
        (j * p + k * q, j * q + k * r),
    );
    [
        top.0 * i + top.1 * j,
        top.0 * j + top.1 * k,
        bottom.0 * j + bottom.1 * k,
    ]
}

/// Passes over a Venn–Abers interval, which files of format number 1 hold: it could exclude the very probability it stood
/// beside, so it is not used any more.
pub(crate) fn skip_venn_abers(reader: &mut Reader<'_>) -> Result<(), ReadError> {
    let count = reader.length(VENN_ABERS_GROUPS, 24, "interval groups")?;
    require(count > 0, "interval groups")?;
    reader.f64s(3 * count, "interval")?;
    Ok(())
}

#[cfg(test)]
mod tests;

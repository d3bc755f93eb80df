//! What training minimises: each loss gives a starting score, first and second derivatives, and its own mean.
//!
//! Place on the path: beside tree growth, in **boosting**. Scores are on the loss's own scale (log-odds, log of a
//! mean, or the value itself); [`Loss::predict`] turns them into what a caller wants to read.
//!
//! Sources: Friedman, "Greedy Function Approximation", Ann. Stat. 29 (2001) for logistic and multiclass; Jørgensen,
//! "The Theory of Dispersion Models" (1997) for Tweedie; Koenker, Bassett, Econometrica 46 (1978) for quantiles.

use crate::elementary::{exp, log_odds, logistic, softplus};

/// Most classes of a multiclass model.
pub const CLASSES_MAX: u32 = 256;
/// A leaf of a log-mean loss moves the log of the mean by at most this before the learning rate.
const LOG_STEP_MAX: f64 = 4.0;

/// A loss function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Half the squared error; the score is the mean.
    Squared,
    /// Negative log-likelihood of a 0/1 label; the score is the log-odds of 1. Labels between 0 and 1 are allowed.
    Logistic,
    /// Pinball loss; the score is the quantile of this level, which lies inside (0, 1).
    Quantile {
        /// Share of labels below the prediction.
        level: f64,
    },
    /// Poisson deviance; the score is the log of the mean count. Labels are not negative.
    Poisson,
    /// Tweedie deviance; the score is the log of the mean. Labels are not negative.
    Tweedie {
        /// Variance power, inside (1, 2).
        power: f64,
    },
    /// Softmax cross-entropy; one score a class. Labels are whole numbers below `classes`.
    Multiclass {
        /// Number of classes, at least 2 and at most [`CLASSES_MAX`].
        classes: u32,
    },
    /// [`Loss::Logistic`] on (unit, period) rows: the score is the log-odds of failing in a period survived so far.
    /// See [`crate::hazard`].
    Hazard {
        /// Number of periods.
        periods: u32,
    },
}

/// Why labels do not fit a loss, or a loss is not defined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LossError {
    /// A parameter lies outside its range.
    #[error("{what} is {value}, outside {range}")]
    Parameter {
        /// Name of the parameter.
        what: &'static str,
        /// Value given.
        value: f64,
        /// Allowed range.
        range: &'static str,
    },
    /// A label the loss cannot explain.
    #[error("label {value} of row {row} is outside {range}")]
    Label {
        /// Row, from 0.
        row: usize,
        /// Label given.
        value: f32,
        /// Allowed range.
        range: &'static str,
    },
    /// Every weighted row has the same class.
    #[error("all rows have the same class {class}, so there is nothing to learn")]
    OneClass {
        /// The class.
        class: f32,
    },
    /// Every label of a count or amount is zero.
    #[error("all labels are zero, so there is nothing to learn")]
    AllZero,
}

impl Loss {
    /// Scores a row has.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Self::Multiclass { classes } => *classes as usize,
            _ => 1,
        }
    }

    /// Whether the score is the log of a mean.
    fn is_log_mean(&self) -> bool {
        matches!(self, Self::Poisson | Self::Tweedie { .. })
    }

    /// The most a leaf may move a score, before the learning rate.
    pub(crate) fn step_max(&self) -> f64 {
        if self.is_log_mean() {
            LOG_STEP_MAX
        } else {
            f64::INFINITY
        }
    }

    /// Checks the loss's own parameters.
    ///
    /// # Errors
    /// [`LossError::Parameter`].
    pub fn check_parameters(&self) -> Result<(), LossError> {
        let (what, value, range, sound) = match *self {
            Self::Quantile { level } => (
                "quantile level",
                level,
                "(0, 1)",
                level > 0.0 && level < 1.0,
            ),
            Self::Tweedie { power } => {
                ("Tweedie power", power, "(1, 2)", power > 1.0 && power < 2.0)
            }
            Self::Multiclass { classes } => (
                "number of classes",
                f64::from(classes),
                "2..=256",
                (2..=CLASSES_MAX).contains(&classes),
            ),
            _ => return Ok(()),
        };
        if sound {
            Ok(())
        } else {
            Err(LossError::Parameter { what, value, range })
        }
    }

    /// Checks that the labels can be explained.
    ///
    /// # Errors
    /// Any [`LossError`].
    pub fn check(&self, labels: &[f32]) -> Result<(), LossError> {
        self.check_parameters()?;
        let (range, sound): (_, fn(f32, f64) -> bool) = match self {
            Self::Squared | Self::Quantile { .. } => return Ok(()),
            Self::Logistic | Self::Hazard { .. } => {
                ("[0, 1]", |label, _| (0.0..=1.0).contains(&label))
            }
            Self::Poisson | Self::Tweedie { .. } => ("[0, ∞)", |label, _| label >= 0.0),
            Self::Multiclass { .. } => ("the classes", |label, classes| {
                label >= 0.0 && label.fract() == 0.0 && f64::from(label) < classes
            }),
        };
        if let Some(row) = labels
            .iter()
            .position(|&label| !sound(label, self.outputs() as f64))
        {
            return Err(LossError::Label {
                row,
                value: labels[row],
                range,
            });
        }
        let first = labels.first().copied().unwrap_or(0.0);
        if self.is_log_mean() {
            if labels.iter().all(|&label| label == 0.0) {
                return Err(LossError::AllZero);
            }
        } else if labels.iter().all(|&label| label == first)
            && (first == 0.0 || first >= 1.0 || self.outputs() > 1)
        {
            return Err(LossError::OneClass { class: first });
        }
        Ok(())
    }

    /// The best constant scores, one an output.
    pub(crate) fn base(&self, labels: &[f32], weights: Option<&[f32]>) -> Vec<f64> {
        let weight = |row: usize| weights.map_or(1.0, |weights| f64::from(weights[row]));
        let total: f64 = (0..labels.len()).map(weight).sum();
        let mean = (0..labels.len())
            .map(|row| weight(row) * f64::from(labels[row]))
            .sum::<f64>()
            / total;
        match *self {
            Self::Squared => vec![mean],
            Self::Logistic | Self::Hazard { .. } => vec![log_odds(mean)],
            Self::Poisson | Self::Tweedie { .. } => vec![mean.max(1e-300).ln()],
            Self::Quantile { level } => {
                let mut pairs: Vec<(f64, f64)> = (0..labels.len())
                    .map(|row| (f64::from(labels[row]), weight(row)))
                    .collect();
                vec![weighted_quantile(&mut pairs, level)]
            }
            Self::Multiclass { classes } => {
                let mut share = vec![0.0; classes as usize];
                for (row, &label) in labels.iter().enumerate() {
                    share[class_of(label)] += weight(row) / total;
                }
                share
                    .into_iter()
                    .map(|share: f64| share.max(1e-9).ln())
                    .collect()
            }
        }
    }

    /// First and second derivatives of the weighted loss with respect to the score, for losses with one output.
    pub(crate) fn derivatives(
        &self,
        scores: &[f64],
        labels: &[f32],
        weights: Option<&[f32]>,
        gradients: &mut [f32],
        hessians: &mut [f32],
    ) {
        let pairs = scores.iter().zip(labels);
        let places = gradients.iter_mut().zip(hessians.iter_mut());
        // One loop a loss, so that the choice is made once and each loop can vectorise.
        macro_rules! fill {
            ($of:expr) => {
                for ((&score, &label), (gradient, hessian)) in pairs.zip(places) {
                    let (first, second): (f64, f64) = $of(score, f64::from(label));
                    (*gradient, *hessian) = (narrow(first), narrow(second));
                }
            };
        }
        match *self {
            Self::Squared => fill!(|score, label| (score - label, 1.0)),
            Self::Logistic | Self::Hazard { .. } => fill!(|score, label| {
                let p = logistic(score);
                (p - label, (p * (1.0 - p)).max(1e-16))
            }),
            Self::Quantile { level } => {
                fill!(|score, label| { (if score >= label { 1.0 - level } else { -level }, 1.0) })
            }
            Self::Poisson => fill!(|score, label| {
                let mean = exp(score);
                (mean - label, mean.max(1e-16))
            }),
            Self::Tweedie { power } => fill!(|score: f64, label: f64| {
                let (low, high): (f64, f64) =
                    (exp((1.0 - power) * score), exp((2.0 - power) * score));
                (
                    high - label * low,
                    ((2.0 - power) * high + (power - 1.0) * label * low).max(1e-16),
                )
            }),
            Self::Multiclass { .. } => unreachable!("a multiclass round fills all classes at once"),
        }
        if let Some(weights) = weights {
            for ((gradient, hessian), &weight) in
                gradients.iter_mut().zip(hessians.iter_mut()).zip(weights)
            {
                *gradient *= weight;
                *hessian *= weight;
            }
        }
    }

    /// Softmax derivatives of every class. Scores, gradients and hessians are classes × rows.
    pub(crate) fn softmax_derivatives(
        classes: usize,
        scores: &[f64],
        labels: &[f32],
        weights: Option<&[f32]>,
        gradients: &mut [f32],
        hessians: &mut [f32],
    ) {
        let rows = labels.len();
        let factor = classes as f64 / (classes as f64 - 1.0);
        let mut odds = vec![0.0; classes];
        for row in 0..rows {
            let top = (0..classes)
                .map(|class| scores[class * rows + row])
                .fold(f64::MIN, f64::max);
            for (class, odd) in odds.iter_mut().enumerate() {
                *odd = exp(scores[class * rows + row] - top);
            }
            let total: f64 = odds.iter().sum();
            let weight = weights.map_or(1.0, |weights| f64::from(weights[row]));
            for (class, &odd) in odds.iter().enumerate() {
                let p = odd / total;
                let hit = if class_of(labels[row]) == class {
                    1.0
                } else {
                    0.0
                };
                gradients[class * rows + row] = narrow(weight * (p - hit));
                hessians[class * rows + row] = narrow(weight * (factor * p * (1.0 - p)).max(1e-16));
            }
        }
    }

    /// Mean loss of scores (outputs × rows) against labels.
    #[must_use]
    pub fn mean(&self, scores: &[f64], labels: &[f32], weights: Option<&[f32]>) -> f64 {
        let rows = labels.len();
        let outputs = self.outputs();
        let mut mean = MeanLoss::default();
        if outputs == 1 {
            mean.add(self, scores, labels, weights);
            return mean.value();
        }
        let MeanLoss { sum, total } = &mut mean;
        for (row, &label) in labels.iter().enumerate() {
            let weight = weights.map_or(1.0, |weights| f64::from(weights[row]));
            let loss = {
                let top = (0..outputs)
                    .map(|class| scores[class * rows + row])
                    .fold(f64::MIN, f64::max);
                let odds: f64 = (0..outputs)
                    .map(|class| exp(scores[class * rows + row] - top))
                    .sum();
                odds.ln() + top - scores[class_of(label) * rows + row]
            };
            *sum += weight * loss;
            *total += weight;
        }
        mean.value()
    }

    fn of_score(&self, score: f64, label: f64) -> f64 {
        match *self {
            Self::Squared | Self::Multiclass { .. } => 0.5 * (score - label) * (score - label),
            Self::Logistic | Self::Hazard { .. } => softplus(score) - label * score,
            Self::Quantile { level } => {
                let over = label - score;
                (level * over).max((level - 1.0) * over)
            }
            Self::Poisson => exp(score) - label * score,
            Self::Tweedie { power } => {
                exp((2.0 - power) * score) / (2.0 - power)
                    - label * exp((1.0 - power) * score) / (1.0 - power)
            }
        }
    }

    /// Turns the scores of one row into predictions in place: probabilities, means or the values themselves.
    pub fn predict(&self, scores: &mut [f64]) {
        match self {
            Self::Squared | Self::Quantile { .. } => {}
            Self::Logistic | Self::Hazard { .. } => {
                for score in scores {
                    *score = logistic(*score);
                }
            }
            Self::Poisson | Self::Tweedie { .. } => {
                for score in scores {
                    *score = exp(*score);
                }
            }
            Self::Multiclass { .. } => {
                let top = scores.iter().copied().fold(f64::MIN, f64::max);
                let mut total = 0.0;
                for score in scores.iter_mut() {
                    *score = exp(*score - top);
                    total += *score;
                }
                for score in scores {
                    *score /= total;
                }
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "derivatives need the range of f32, not its last digits"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// A weighted mean loss that is taken in row by row, for losses with one output.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct MeanLoss {
    sum: f64,
    total: f64,
}

impl MeanLoss {
    /// Takes in rows, in their order.
    pub(crate) fn add(
        &mut self,
        loss: &Loss,
        scores: &[f64],
        labels: &[f32],
        weights: Option<&[f32]>,
    ) {
        for (row, (&score, &label)) in scores.iter().zip(labels).enumerate() {
            let weight = weights.map_or(1.0, |weights| f64::from(weights[row]));
            self.sum += weight * loss.of_score(score, f64::from(label));
            self.total += weight;
        }
    }

    pub(crate) fn value(self) -> f64 {
        self.sum / self.total
    }
}

/// The class a checked label names.
pub(crate) fn class_of(label: f32) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "labels were checked to be classes"
    )]
    let class = label as usize;
    class
}

/// The smallest value below or at which at least `level` of the weight lies, halfway to the next when it lies
/// exactly on the border. Sorts `pairs` of (value, weight).
pub(crate) fn weighted_quantile(pairs: &mut [(f64, f64)], level: f64) -> f64 {
    pairs.sort_by(|left, right| left.0.total_cmp(&right.0));
    let total: f64 = pairs.iter().map(|&(_, weight)| weight).sum();
    let target = level * total;
    let mut below = 0.0;
    for (index, &(value, weight)) in pairs.iter().enumerate() {
        below += weight;
        if below > target {
            return value;
        }
        if below == target {
            return pairs
                .get(index + 1)
                .map_or(value, |next| f64::midpoint(value, next.0));
        }
    }
    pairs.last().map_or(0.0, |pair| pair.0)
}

#[cfg(test)]
mod tests;

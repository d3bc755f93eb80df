//! Intervals with a promised coverage, from errors on rows the model has not seen.
//!
//! Place on the path: model → **interval** → answer. The promise holds on average over rows exchangeable with the
//! calibration rows; under drift it weakens, which the coverage on the backtest shows.
//!
//! Sources: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005) (split conformal); Romano,
//! Patterson, Candès, "Conformalized Quantile Regression", NeurIPS 2019.

/// By how much a prediction, or a pair of quantiles, is widened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conformal {
    margin: f64,
}

/// Why no interval can be promised.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConformalError {
    /// Labels and predictions differ in number.
    #[error("{labels} labels for {predictions} predictions")]
    Length {
        /// Labels given.
        labels: usize,
        /// Predictions given.
        predictions: usize,
    },
    /// The coverage is not inside (0, 1).
    #[error("coverage {coverage} is outside (0, 1)")]
    Coverage {
        /// Coverage asked for.
        coverage: f64,
    },
    /// With so few rows the interval would be infinite.
    #[error("{rows} rows are too few for coverage {coverage}; {needed} are needed")]
    TooFew {
        /// Rows given.
        rows: usize,
        /// Coverage asked for.
        coverage: f64,
        /// Rows needed.
        needed: usize,
    },
    /// A label or prediction is not finite.
    #[error("row {row} is not finite")]
    Invalid {
        /// Row, from 0.
        row: usize,
    },
}

impl Conformal {
    /// A symmetric interval around a prediction: the margin is a quantile of the absolute errors.
    ///
    /// # Errors
    /// Any [`ConformalError`].
    pub fn symmetric(
        labels: &[f32],
        predictions: &[f64],
        coverage: f64,
    ) -> Result<Self, ConformalError> {
        Self::quantiles(labels, predictions, predictions, coverage)
    }

    /// Widens (or narrows) a predicted lower and upper quantile until they hold the promise.
    ///
    /// # Errors
    /// Any [`ConformalError`].
    pub fn quantiles(
        labels: &[f32],
        lower: &[f64],
        upper: &[f64],
        coverage: f64,
    ) -> Result<Self, ConformalError> {
        if labels.len() != lower.len() || labels.len() != upper.len() {
            return Err(ConformalError::Length {
                labels: labels.len(),
                predictions: lower.len().min(upper.len()),
            });
        }
        if !(coverage > 0.0 && coverage < 1.0) {
            return Err(ConformalError::Coverage { coverage });
        }
        let mut errors: Vec<f64> = labels
            .iter()
            .zip(lower.iter().zip(upper))
            .map(|(&label, (low, high))| (low - f64::from(label)).max(f64::from(label) - high))
            .collect();
        if let Some(row) = errors.iter().position(|error| !error.is_finite()) {
            return Err(ConformalError::Invalid { row });
        }
        // The new row counts as one more: the rank is ⌈(n + 1) · coverage⌉ among n errors.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a share of a count is below the count"
        )]
        let rank = ((errors.len() as f64 + 1.0) * coverage).ceil() as usize;
        if rank > errors.len() {
            #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
            let needed = (coverage / (1.0 - coverage)).ceil() as usize;
            return Err(ConformalError::TooFew {
                rows: errors.len(),
                coverage,
                needed,
            });
        }
        errors.sort_by(f64::total_cmp);
        Ok(Self {
            margin: errors[rank.max(1) - 1],
        })
    }

    /// How far the interval reaches beyond what it was fitted around, in the label's unit; negative when quantiles
    /// were too wide.
    #[must_use]
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// The interval around one prediction.
    #[must_use]
    pub fn around(&self, prediction: f64) -> (f64, f64) {
        self.between(prediction, prediction)
    }

    /// The interval around a pair of quantiles; never turned inside out.
    #[must_use]
    pub fn between(&self, lower: f64, upper: f64) -> (f64, f64) {
        let (low, high) = (lower - self.margin, upper + self.margin);
        if low <= high {
            (low, high)
        } else {
            let middle = f64::midpoint(low, high);
            (middle, middle)
        }
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

//! How good predictions are: losses, ranking, calibration, drift.
//!
//! Labels are `f32` as in a [`crate::Dataset`]; predictions are `f64`. Both slices must have the same length.
//! Every metric of an empty input is NaN.

/// Bins of [`expected_calibration_error`].
pub const CALIBRATION_BINS: usize = 15;

/// Root of the mean squared error.
#[must_use]
pub fn rmse(labels: &[f32], predictions: &[f64]) -> f64 {
    mean(labels, predictions, |label, prediction| {
        (label - prediction) * (label - prediction)
    })
    .sqrt()
}

/// Mean absolute error.
#[must_use]
pub fn mae(labels: &[f32], predictions: &[f64]) -> f64 {
    mean(labels, predictions, |label, prediction| {
        (label - prediction).abs()
    })
}

/// Mean negative log-likelihood of 0/1 labels; probabilities are held 1e-15 away from the ends.
#[must_use]
pub fn logloss(labels: &[f32], probabilities: &[f64]) -> f64 {
    mean(labels, probabilities, |label, probability| {
        let p = probability.clamp(1e-15, 1.0 - 1e-15);
        -(label * p.ln() + (1.0 - label) * (1.0 - p).ln())
    })
}

/// Mean squared difference of probability and 0/1 label.
#[must_use]
pub fn brier(labels: &[f32], probabilities: &[f64]) -> f64 {
    mean(labels, probabilities, |label, probability| {
        (label - probability) * (label - probability)
    })
}

/// Mean pinball loss at a quantile level.
#[must_use]
pub fn pinball(labels: &[f32], predictions: &[f64], level: f64) -> f64 {
    mean(labels, predictions, |label, prediction| {
        let over = label - prediction;
        (level * over).max((level - 1.0) * over)
    })
}

/// Share of rows whose label is on the side of 0.5 where the probability is.
#[must_use]
pub fn accuracy(labels: &[f32], probabilities: &[f64]) -> f64 {
    mean(labels, probabilities, |label, probability| {
        f64::from(u8::from((probability >= 0.5) == (label >= 0.5)))
    })
}

/// Area under the ROC curve: the chance that a positive is ranked above a negative, ties counting half.
/// NaN with one class only. O(n log n).
#[must_use]
pub fn roc_auc(labels: &[f32], scores: &[f64]) -> f64 {
    let order = ascending(scores);
    let (mut rank_sum, mut positives) = (0.0, 0.0);
    let mut start = 0;
    while start < order.len() {
        let mut end = start;
        while end < order.len() && scores[order[end]] == scores[order[start]] {
            end += 1;
        }
        let mean_rank = (start + end + 1) as f64 / 2.0;
        for &row in &order[start..end] {
            if labels[row] >= 0.5 {
                rank_sum += mean_rank;
                positives += 1.0;
            }
        }
        start = end;
    }
    let negatives = order.len() as f64 - positives;
    (rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

/// Average precision: precision at each positive's rank, averaged; equal scores count as one step.
/// NaN without positives. O(n log n).
#[must_use]
pub fn pr_auc(labels: &[f32], scores: &[f64]) -> f64 {
    let order = ascending(scores);
    let total = labels.iter().filter(|&&label| label >= 0.5).count() as f64;
    let (mut hits, mut seen, mut area) = (0.0, 0.0, 0.0);
    let mut end = order.len();
    while end > 0 {
        let mut start = end;
        let mut fresh = 0.0;
        while start > 0 && scores[order[start - 1]] == scores[order[end - 1]] {
            start -= 1;
            fresh += f64::from(u8::from(labels[order[start]] >= 0.5));
        }
        seen += (end - start) as f64;
        hits += fresh;
        area += fresh / total * (hits / seen);
        end = start;
    }
    if total == 0.0 { f64::NAN } else { area }
}

/// One bin of a calibration table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// Rows in the bin.
    pub rows: usize,
    /// Mean predicted probability.
    pub predicted: f64,
    /// Share of positives.
    pub observed: f64,
}

/// Predictions in [`CALIBRATION_BINS`] bins of equal width over [0, 1]; empty bins have zero rows.
#[must_use]
pub fn calibration_table(labels: &[f32], probabilities: &[f64]) -> Vec<CalibrationBin> {
    let mut bins = vec![(0_usize, 0.0, 0.0); CALIBRATION_BINS];
    for (&label, &probability) in labels.iter().zip(probabilities) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates and the bin is bounded below"
        )]
        let at = (probability * CALIBRATION_BINS as f64) as usize;
        let bin = &mut bins[at.min(CALIBRATION_BINS - 1)];
        bin.0 += 1;
        bin.1 += probability;
        bin.2 += f64::from(label);
    }
    bins.into_iter()
        .map(|(rows, predicted, observed)| CalibrationBin {
            rows,
            predicted: predicted / rows.max(1) as f64,
            observed: observed / rows.max(1) as f64,
        })
        .collect()
}

/// Expected calibration error: |predicted − observed| of [`calibration_table`], weighted by rows.
/// Source: Naeini, Cooper, Hauskrecht, AAAI 2015.
#[must_use]
pub fn expected_calibration_error(labels: &[f32], probabilities: &[f64]) -> f64 {
    let table = calibration_table(labels, probabilities);
    let gap = |bin: &CalibrationBin| bin.rows as f64 * (bin.predicted - bin.observed).abs();
    table.iter().map(gap).sum::<f64>() / labels.len() as f64
}

/// Population stability index of two samples over quantile bins of the first, ten bins, shares floored at 1e-4.
/// Below 0.1 is stable, above 0.25 a shift. NaN values count as a bin of their own.
#[must_use]
pub fn population_stability(expected: &[f32], actual: &[f32]) -> f64 {
    let mut sorted: Vec<f32> = expected
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    sorted.sort_by(f32::total_cmp);
    let mut cuts: Vec<f32> = (1..10)
        .filter_map(|tenth| sorted.get(tenth * sorted.len() / 10).copied())
        .collect();
    cuts.dedup();
    let shares = |values: &[f32]| {
        let mut counts = vec![0.0; cuts.len() + 2];
        for value in values {
            let bin = if value.is_nan() {
                cuts.len() + 1
            } else {
                cuts.partition_point(|cut| cut < value)
            };
            counts[bin] += 1.0;
        }
        counts
            .into_iter()
            .map(|count: f64| (count / values.len() as f64).max(1e-4))
            .collect::<Vec<_>>()
    };
    let (expected, actual) = (shares(expected), shares(actual));
    expected
        .iter()
        .zip(&actual)
        .map(|(e, a)| (a - e) * (a / e).ln())
        .sum()
}

fn mean(labels: &[f32], predictions: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    assert_eq!(
        labels.len(),
        predictions.len(),
        "one prediction for each label"
    );
    let sum: f64 = labels
        .iter()
        .zip(predictions)
        .map(|(&label, &prediction)| of(f64::from(label), prediction))
        .sum();
    sum / labels.len() as f64
}

fn ascending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&left, &right| scores[left].total_cmp(&scores[right]));
    order
}

#[cfg(test)]
mod tests;

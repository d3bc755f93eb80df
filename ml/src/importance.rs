//! Which features a model lives on: gain over its splits, and the harm done by shuffling a feature.

use crate::dataset::Dataset;
use crate::model::{Model, PredictError};
use crate::random::Random;
use ndarray::Array2;

/// Loss saved on the training rows by all splits of each feature, as shares that add up to 1 (all zero for a model
/// without splits). Favours features with many distinct values; see [`permutation_importance`] for a fair judge.
#[must_use]
pub fn gain_importance(model: &Model) -> Vec<f64> {
    let mut gains = vec![0.0; model.features().len()];
    for node in model.trees().iter().flat_map(|tree| &tree.nodes) {
        gains[node.feature as usize] += f64::from(node.gain);
    }
    let total: f64 = gains.iter().sum();
    if total > 0.0 {
        gains.iter_mut().for_each(|gain| *gain /= total);
    }
    gains
}

/// Rise of the mean loss when one feature's values are shuffled among the rows, averaged over `repeats`.
///
/// Measure it on rows the model has not seen. Source: Breiman, "Random Forests", Machine Learning 45 (2001), §10.
///
/// # Errors
/// [`PredictError::FeatureCount`] when the table does not have the model's columns.
pub fn permutation_importance(
    model: &Model,
    dataset: &Dataset,
    repeats: usize,
    seed: u64,
    threads: usize,
) -> Result<Vec<f64>, PredictError> {
    let width = dataset.features().len();
    let mut rows = Array2::from_shape_fn((dataset.rows(), width), |(row, column)| {
        dataset.column(column)[row]
    });
    let loss_of = |rows: &Array2<f32>| -> Result<f64, PredictError> {
        let scores = model.scores(rows.view(), threads)?;
        let by_output: Vec<f64> = scores.t().iter().copied().collect();
        Ok(model
            .loss()
            .mean(&by_output, dataset.labels(), dataset.weights()))
    };
    let untouched = loss_of(&rows)?;
    let mut importances = vec![0.0; width];
    for (column, importance) in importances.iter_mut().enumerate() {
        let original = dataset.column(column);
        for repeat in 0..repeats {
            let mut random = Random::new(seed, (column * repeats + repeat) as u64);
            let mut shuffled = original.to_vec();
            for last in (1..shuffled.len()).rev() {
                shuffled.swap(last, random.below(last + 1));
            }
            rows.column_mut(column)
                .assign(&ndarray::ArrayView1::from(&shuffled));
            *importance += (loss_of(&rows)? - untouched) / repeats as f64;
        }
        rows.column_mut(column)
            .assign(&ndarray::ArrayView1::from(original));
    }
    Ok(importances)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

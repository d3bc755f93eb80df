//! Boosting over lags: one model learns from every series and every past origin what the coming periods bring.
//!
//! A row is a series at an origin; the label is its mean demand over the horizon after that origin. Features see only
//! periods before the origin.

use super::{DemandError, DemandSettings, Method};
use crate::boost::Fit;
use crate::dataset::{Dataset, Feature};
use crate::model::Model;
use crate::params::Params;
use ndarray::Array2;

/// Rows to train on at most; beyond, origins are thinned evenly.
const ROWS_MAX: usize = 200_000;
const FEATURES: usize = 14;

/// Forecast levels of all series after `history` periods, by a boosted method.
pub(super) fn levels(
    series: &[Vec<f64>],
    history: usize,
    method: Method,
    settings: &DemandSettings,
) -> Result<Option<Vec<f64>>, DemandError> {
    let Some(loss) = method.loss() else {
        return Ok(None);
    };
    let warm_up = settings.season.max(3);
    let origins: Vec<usize> = (warm_up..(history + 1).saturating_sub(settings.horizon)).collect();
    let step = (origins.len() * series.len()).div_ceil(ROWS_MAX).max(1);
    let origins: Vec<usize> = origins.iter().rev().step_by(step).copied().collect();
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for one in series {
        for &origin in &origins {
            rows.extend(features(&one[..origin], settings.season));
            let ahead = one[origin..origin + settings.horizon].iter().sum::<f64>();
            labels.push(narrow(ahead / settings.horizon as f64));
        }
    }
    // With a short history, or without any demand, there is nothing to learn; the classical methods remain.
    if labels.len() < 200 || labels.iter().all(|&label| label == 0.0) {
        return Ok(None);
    }
    let rows =
        Array2::from_shape_vec((labels.len(), FEATURES), rows).expect("each row has all features");
    let dataset = Dataset::from_rows(feature_list(), rows.view(), labels)?;
    let params = Params {
        loss,
        rounds_max: 150,
        learning_rate: 0.05,
        leaves_max: 15,
        rows_min: 100,
        l2: 10.0,
        row_share: 0.7,
        column_share: 0.7,
        seed: settings.seed,
        threads: settings.threads,
        ..Params::default()
    };
    let model = match Fit::new(&params).train(&dataset) {
        Ok(model) => model,
        Err(crate::boost::FitError::NoUsableFeature { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(
        series
            .iter()
            .map(|one| predict(&model, &one[..history], settings.season))
            .collect(),
    ))
}

fn predict(model: &Model, history: &[f64], season: usize) -> f64 {
    let row = features(history, season);
    let mut level = [0.0];
    model
        .predict_into(&row, &mut model.scratch(), &mut level)
        .expect("rows are made by the same function");
    level[0]
}

fn feature_list() -> Vec<Feature> {
    let names = [
        "lag_1",
        "lag_2",
        "lag_3",
        "mean_3",
        "mean_6",
        "mean_season",
        "mean_all",
        "size_mean",
        "share_of_periods",
        "share_season",
        "since_demand",
        "largest",
        "spread",
        "trend",
    ];
    names.map(Feature::numeric).to_vec()
}

fn features(history: &[f64], season: usize) -> [f32; FEATURES] {
    let count = history.len();
    let tail = |length: usize| &history[count.saturating_sub(length)..];
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let share = |values: &[f64]| {
        values.iter().filter(|&&demand| demand > 0.0).count() as f64 / values.len().max(1) as f64
    };
    let lag = |back: usize| count.checked_sub(back).map_or(f64::NAN, |at| history[at]);
    let all = mean(history);
    let since = history
        .iter()
        .rev()
        .position(|&demand| demand > 0.0)
        .unwrap_or(count);
    let spread = mean(
        &history
            .iter()
            .map(|demand| (demand - all) * (demand - all))
            .collect::<Vec<_>>(),
    )
    .sqrt();
    let size = if share(history) > 0.0 {
        all / share(history)
    } else {
        0.0
    };
    [
        lag(1),
        lag(2),
        lag(3),
        mean(tail(3)),
        mean(tail(6)),
        mean(tail(season)),
        all,
        size,
        share(history),
        share(tail(season)),
        since as f64,
        history.iter().copied().fold(0.0, f64::max),
        spread,
        mean(tail(season)) - mean(&history[..count.saturating_sub(season)]),
    ]
    .map(narrow)
}

#[expect(clippy::cast_possible_truncation, reason = "features are f32")]
fn narrow(value: f64) -> f32 {
    value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
}

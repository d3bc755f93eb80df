//! How wrong a forecast may be, from how wrong it would have been.
//!
//! At up to [`ORIGINS_MAX`] earlier months the method forecasts what is known by now. An error is measured against the
//! mean size of errors so many months ahead, so that all of them together, whichever their distance, say how wide a
//! share of them reaches: a few origins then give the 95 % that a single distance could not.

use super::season::SEASON;
use super::{Fitted, MONTHS_MIN};

/// Earlier months from which the forecast is tried.
const ORIGINS_MAX: usize = 12;
/// Months between them: neighbours make nearly the same errors, and each costs a decomposition.
const ORIGIN_STRIDE: usize = 2;

/// How many of the values to come a band shall hold, and how many errors it takes to say so.
///
/// The largest of n errors is expected to hold n of n + 1 values to come, and no band can be wider: four hold 80 %. Nine hold
/// 90 %, which is taken for 95, since one month ahead has [`ORIGINS_MAX`] errors at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    of_values: f64,
    errors_min: usize,
}

pub(super) const FOUR_OF_FIVE: Share = Share {
    of_values: 0.80,
    errors_min: 4,
};
pub(super) const NINETEEN_OF_TWENTY: Share = Share {
    of_values: 0.95,
    errors_min: 9,
};

/// Where a value will lie, in the series' unit; both ends belong to it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Band {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Errors of earlier forecasts.
#[derive(Debug)]
pub(super) struct PastErrors {
    /// How many there are.
    count: usize,
    /// Mean absolute error by steps ahead, never falling.
    size: Vec<f64>,
    /// Errors as shares of their distance's size, absolute, in ascending order.
    shares: Vec<f64>,
    /// Mean absolute error of forecasts within a year, over the last year's months; 0 without any.
    last_year: f64,
}

/// The errors of `fitted`'s forecasts at earlier months of `history`, up to `horizon` ahead.
pub(super) fn past_errors(fitted: &Fitted, history: &[f64], horizon: usize) -> PastErrors {
    let months = history.len();
    let shortest = MONTHS_MIN.max(months / 3);
    let mut errors: Vec<Vec<f64>> = vec![Vec::new(); horizon];
    let (mut year_sum, mut year_count) = (0.0, 0_u32);
    let origins = (shortest..months)
        .rev()
        .step_by(ORIGIN_STRIDE)
        .take(ORIGINS_MAX);
    for origin in origins {
        let ahead = horizon.min(months - origin);
        for (step, value) in fitted.ahead(&history[..origin], ahead).iter().enumerate() {
            let error = (history[origin + step] - value).abs();
            errors[step].push(error);
            if origin + SEASON >= months && step < SEASON {
                year_sum += error;
                year_count += 1;
            }
        }
    }
    let mut size: Vec<f64> = errors.iter().map(|errors| mean(errors)).collect();
    smooth(&mut size, &errors);
    let mut shares: Vec<f64> = errors
        .iter()
        .zip(&size)
        .filter(|(_, size)| **size > 0.0)
        .flat_map(|(errors, size)| errors.iter().map(move |error| error / size))
        .collect();
    shares.sort_by(f64::total_cmp);
    PastErrors {
        count: errors.iter().map(Vec::len).sum(),
        size,
        shares,
        last_year: year_sum / f64::from(year_count.max(1)),
    }
}

impl PastErrors {
    /// Bands of this share around `point`; `None` where too few errors are known.
    pub(super) fn bands(&self, point: &[f64], history: &[f64], share: Share) -> Option<Vec<Band>> {
        if self.count < share.errors_min {
            return None;
        }
        let width = self.width(share.of_values);
        let never_negative = history.iter().all(|value| *value >= 0.0);
        let bands = point.iter().zip(&self.size).map(|(value, size)| {
            let low = value - width * size;
            Band {
                low: if never_negative { low.max(0.0) } else { low },
                high: value + width * size,
            }
        });
        Some(bands.collect())
    }

    /// Sizes of error that so large a share of errors stays within; the conformal rank, so one more than all at the
    /// most.
    fn width(&self, share: f64) -> f64 {
        let count = self.shares.len();
        if count == 0 {
            // No forecast was ever off: every size is 0.
            return 1.0;
        }
        let rank = (count as f64 + 1.0) * share;
        let below = (1..count).find(|below| *below as f64 >= rank);
        self.shares[below.unwrap_or(count) - 1]
    }

    /// See [`super::Forecast::skill`].
    pub(super) fn skill(&self, history: &[f64]) -> Option<f64> {
        if history.len() < 3 * SEASON {
            return None;
        }
        let last = &history[history.len() - SEASON..];
        let before = &history[history.len() - 2 * SEASON..history.len() - SEASON];
        let naive: f64 = last
            .iter()
            .zip(before)
            .map(|(value, before)| (value - before).abs())
            .sum::<f64>()
            / SEASON as f64;
        (naive > 0.0).then(|| self.last_year / naive)
    }
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

/// Makes the sizes rise with the distance, pooling neighbours that do not (isotonic regression weighted by counts).
fn smooth(size: &mut [f64], errors: &[Vec<f64>]) {
    let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(size.len());
    for (value, errors) in size.iter().zip(errors) {
        pools.push((*value, errors.len() as f64, 1));
        while let [.., before, after] = pools.as_slice()
            && (before.0 > after.0 || after.1 == 0.0)
        {
            let weight = before.1 + after.1;
            let level = if weight > 0.0 {
                (before.0 * before.1 + after.0 * after.1) / weight
            } else {
                before.0
            };
            let merged = (level, weight, before.2 + after.2);
            pools.truncate(pools.len() - 2);
            pools.push(merged);
        }
    }
    let mut levels = pools
        .iter()
        .flat_map(|(level, _, steps)| std::iter::repeat_n(*level, *steps));
    for value in size {
        *value = levels.next().unwrap_or(*value);
    }
}

//! The classical methods: each turns a history into one level for the coming periods.

use crate::loss::Loss;

/// A way to forecast a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Mean of the whole history.
    Mean,
    /// Mean of the last season.
    MovingAverage,
    /// Simple exponential smoothing, its weight fitted to the history.
    Smoothing,
    /// Size over interval, both smoothed. Croston, Oper. Res. Q. 23 (1972).
    Croston,
    /// Croston's method with its bias taken off. Syntetos, Boylan, Int. J. Forecasting 21 (2005).
    Sba,
    /// Probability times size, both smoothed, so that it falls when demand stops. Teunter, Syntetos, Babai, EJOR 214
    /// (2011).
    Tsb,
    /// Smoothing of sums over the mean interval. Nikolopoulos et al., JORS 62 (2011).
    Adida,
    /// Mean of such smoothings over every length up to the mean interval. Petropoulos, Kourentzes, JORS 66 (2015).
    Imapa,
    /// Poisson boosting over lags, one model for all series.
    BoostedPoisson,
    /// Tweedie boosting over lags, one model for all series.
    BoostedTweedie,
}

/// The methods that learn from all series.
pub(super) const BOOSTED: [Method; 2] = [Method::BoostedPoisson, Method::BoostedTweedie];

/// Smoothing weight of sizes, intervals and probabilities, as is usual for slow movers.
const SLOW_WEIGHT: f64 = 0.1;

impl Method {
    /// The methods that look at one series alone.
    pub const CLASSICAL: [Self; 8] = [
        Self::Mean,
        Self::MovingAverage,
        Self::Smoothing,
        Self::Croston,
        Self::Sba,
        Self::Tsb,
        Self::Adida,
        Self::Imapa,
    ];

    /// The methods that follow a change without chasing every month. Their mean is hard to beat, and what stands where a
    /// backtest cannot tell methods apart. Source: Clemen, "Combining forecasts", Int. J. Forecasting 5 (1989).
    pub const STEADY: [Self; 5] = [
        Self::MovingAverage,
        Self::Smoothing,
        Self::Tsb,
        Self::Adida,
        Self::Imapa,
    ];

    /// The loss of a boosted method.
    pub(super) fn loss(self) -> Option<Loss> {
        match self {
            Self::BoostedPoisson => Some(Loss::Poisson),
            Self::BoostedTweedie => Some(Loss::Tweedie { power: 1.3 }),
            _ => None,
        }
    }

    /// The level after a history, for a classical method; a boosted one has no answer for a single series.
    #[must_use]
    pub fn level(self, history: &[f64], season: usize) -> f64 {
        match self {
            Self::Mean => mean(history),
            Self::MovingAverage => mean(&history[history.len().saturating_sub(season)..]),
            Self::Smoothing => fitted_smoothing(history, 1..=25),
            Self::Croston => croston(history),
            Self::Sba => croston(history) * (1.0 - SLOW_WEIGHT / 2.0),
            Self::Tsb => tsb(history),
            Self::Adida => aggregated(history, mean_interval(history)),
            Self::Imapa => {
                let longest = mean_interval(history);
                (1..=longest)
                    .map(|length| aggregated(history, length))
                    .sum::<f64>()
                    / longest as f64
            }
            Self::BoostedPoisson | Self::BoostedTweedie => 0.0,
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Smoothing that starts at the first value, with the weight, of so many fiftieths, that had the least squared one-step error.
fn fitted_smoothing(history: &[f64], fiftieths: std::ops::RangeInclusive<u32>) -> f64 {
    let Some((&first, rest)) = history.split_first() else {
        return 0.0;
    };
    let mut best = (f64::INFINITY, first);
    for step in fiftieths {
        let weight = f64::from(step) * 0.02;
        let (mut level, mut error) = (first, 0.0);
        for &demand in rest {
            error += (demand - level) * (demand - level);
            level += weight * (demand - level);
        }
        if error < best.0 {
            best = (error, level);
        }
    }
    best.1
}

fn croston(history: &[f64]) -> f64 {
    let (mut size, mut interval, mut since) = (0.0, 0.0, 0.0);
    for &demand in history {
        since += 1.0;
        if demand > 0.0 {
            if size == 0.0 {
                (size, interval) = (demand, since);
            } else {
                size += SLOW_WEIGHT * (demand - size);
                interval += SLOW_WEIGHT * (since - interval);
            }
            since = 0.0;
        }
    }
    if interval > 0.0 { size / interval } else { 0.0 }
}

fn tsb(history: &[f64]) -> f64 {
    let demanded = history.iter().filter(|&&demand| demand > 0.0).count();
    if demanded == 0 {
        return 0.0;
    }
    let mut size = mean(history) * history.len() as f64 / demanded as f64;
    let mut probability = demanded as f64 / history.len() as f64;
    for &demand in history {
        let hit = if demand > 0.0 { 1.0 } else { 0.0 };
        probability += SLOW_WEIGHT * (hit - probability);
        size += hit * SLOW_WEIGHT * (demand - size);
    }
    probability * size
}

/// Mean number of periods between demands, rounded, at least 1.
fn mean_interval(history: &[f64]) -> usize {
    let demanded = history.iter().filter(|&&demand| demand > 0.0).count();
    let interval = (history.len() + demanded / 2) / demanded.max(1);
    interval.clamp(1, (history.len() / 2).max(1))
}

/// Smoothing of sums over `length` periods, the last sum ending with the history, spread evenly again. Sums are few, so the
/// weight is kept between 0.1 and 0.3.
fn aggregated(history: &[f64], length: usize) -> f64 {
    let skip = history.len() % length;
    let sums: Vec<f64> = history[skip..]
        .chunks(length)
        .map(|part| part.iter().sum())
        .collect();
    fitted_smoothing(&sums, 5..=15) / length as f64
}

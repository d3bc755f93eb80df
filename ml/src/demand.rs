//! How many parts will be needed: intermittent demand, its method chosen by backtest, its quantiles calibrated.
//!
//! Place on the path: monthly demand of each part → **class** → method → mean and quantiles for the coming months.
//!
//! No method wins everywhere, so each class of series (by how often and how evenly it is demanded) takes the method, or
//! the mean of the three best, that did best on held-out periods before the end of the history. Forecasting nothing at
//! all often has the least squared error and would order nothing; it is therefore not among the methods, and the
//! backtest reports the bias beside the error.
//!
//! Sources: Syntetos, Boylan, Croston, JORS 56 (2005) (classes); Hyndman, Koehler, Int. J. Forecasting 22 (2006) and
//! Makridakis et al., "The M5 competition" (2022) (scaled errors).

use crate::boost::FitError;
use crate::dataset::DatasetError;

mod backtest;
mod lagged;
mod methods;
mod quantile;

pub use backtest::{ClassChoice, MethodScore};
pub use methods::Method;
pub use quantile::NegativeBinomial;

/// Most series of one call.
pub const SERIES_MAX: usize = 1_000_000;
/// Most periods of one series.
pub const PERIODS_MAX: usize = 10_000;
/// Quantile levels that are calibrated.
pub const LEVELS: [f64; 5] = [0.5, 0.75, 0.9, 0.95, 0.99];

/// What a forecast is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemandSettings {
    /// Periods ahead, at least 1.
    pub horizon: usize,
    /// Periods of a season, 12 for months; the longest lag of the boosted methods.
    pub season: usize,
    /// Held-out stretches of `horizon` periods in the backtest, at least 1.
    pub folds: usize,
    /// Whether boosted methods over all series compete too.
    pub boosted: bool,
    /// Seed of the boosted methods.
    pub seed: u64,
    /// Threads of the boosted methods.
    pub threads: usize,
}

/// Why nothing can be forecast.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DemandError {
    /// A setting is out of range.
    #[error("{what} is out of range")]
    Setting {
        /// Name of the setting.
        what: &'static str,
    },
    /// No series, or too many.
    #[error("{series} series are not between 1 and {SERIES_MAX}")]
    Series {
        /// Series given.
        series: usize,
    },
    /// Series of unequal or unusable length.
    #[error("series {index} has {periods} periods; {needed} are needed, all series alike")]
    Periods {
        /// Series, from 0.
        index: usize,
        /// Its periods.
        periods: usize,
        /// Periods needed.
        needed: usize,
    },
    /// Demand that is negative or not a number.
    #[error("series {index} has demand {value} in period {period}")]
    Demand {
        /// Series, from 0.
        index: usize,
        /// Period, from 0.
        period: usize,
        /// Value given.
        value: f64,
    },
    /// A boosted method's table was refused.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A boosted method could not be trained.
    #[error(transparent)]
    Fit(#[from] FitError),
}

/// How a series is demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DemandClass {
    /// Often and evenly.
    Smooth,
    /// Often, in uneven amounts.
    Erratic,
    /// Seldom, in even amounts.
    Intermittent,
    /// Seldom and unevenly.
    Lumpy,
}

/// The classes in order.
pub const CLASSES: [DemandClass; 4] = [
    DemandClass::Smooth,
    DemandClass::Erratic,
    DemandClass::Intermittent,
    DemandClass::Lumpy,
];

impl DemandClass {
    /// By mean interval between demands (1.32) and squared variation of their sizes (0.49).
    #[must_use]
    pub fn of(series: &[f64]) -> Self {
        let sizes: Vec<f64> = series
            .iter()
            .copied()
            .filter(|&demand| demand > 0.0)
            .collect();
        if sizes.is_empty() {
            return Self::Lumpy;
        }
        let interval = series.len() as f64 / sizes.len() as f64;
        let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
        let variance = sizes
            .iter()
            .map(|size| (size - mean) * (size - mean))
            .sum::<f64>()
            / sizes.len() as f64;
        match (interval > 1.32, variance / (mean * mean) > 0.49) {
            (false, false) => Self::Smooth,
            (false, true) => Self::Erratic,
            (true, false) => Self::Intermittent,
            (true, true) => Self::Lumpy,
        }
    }
}

/// The forecast of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesForecast {
    /// Class of its history.
    pub class: DemandClass,
    /// Mean demand of each coming period; the methods forecast a level, so it is the same for all of them.
    pub mean: f64,
    /// Variance of one period's demand over its mean, at least 1.
    pub dispersion: f64,
}

/// Forecasts of all series with the evidence for them.
#[derive(Debug, Clone, PartialEq)]
pub struct DemandForecast {
    /// One a series, in order.
    pub series: Vec<SeriesForecast>,
    /// What each class uses and how well it did.
    pub choices: Vec<ClassChoice>,
    /// Every method's backtest over all series.
    pub backtest: Vec<MethodScore>,
    /// The distribution level that covered each of [`LEVELS`] in the backtest.
    calibrated: [f64; LEVELS.len()],
}

impl DemandForecast {
    /// Chooses methods by backtest and forecasts every series. All series have the same number of periods.
    ///
    /// # Errors
    /// Any [`DemandError`].
    pub fn make(series: &[Vec<f64>], settings: &DemandSettings) -> Result<Self, DemandError> {
        check(series, settings)?;
        let outcome = backtest::run(series, settings)?;
        let means = backtest::forecast_chosen(series, settings, &outcome.choices)?;
        let forecasts = series
            .iter()
            .zip(means)
            .map(|(series, mean)| SeriesForecast {
                class: DemandClass::of(series),
                mean,
                dispersion: quantile::dispersion(series),
            })
            .collect();
        Ok(Self {
            series: forecasts,
            choices: outcome.choices,
            backtest: outcome.table,
            calibrated: outcome.calibrated,
        })
    }

    /// The demand that will not be exceeded with the given chance, summed over `periods` coming periods, which need not be
    /// a whole number. Levels between those of [`LEVELS`] are interpolated. None for a series that does not exist.
    #[must_use]
    pub fn quantile(&self, series: usize, periods: f64, level: f64) -> Option<f64> {
        let forecast = self.series.get(series)?;
        let total = NegativeBinomial::new(forecast.mean * periods, forecast.dispersion);
        Some(total.quantile(self.calibrated_level(level)))
    }

    fn calibrated_level(&self, level: f64) -> f64 {
        let above = LEVELS.partition_point(|&known| known <= level);
        let at = |index: Option<usize>, edge: f64| {
            index.map_or((edge, edge), |index| {
                (LEVELS[index], self.calibrated[index])
            })
        };
        let (low, low_used) = at(above.checked_sub(1), 0.0);
        let (high, high_used) = at((above < LEVELS.len()).then_some(above), 1.0);
        let share = if high > low {
            (level - low) / (high - low)
        } else {
            0.0
        };
        low_used + share.clamp(0.0, 1.0) * (high_used - low_used)
    }
}

fn check(series: &[Vec<f64>], settings: &DemandSettings) -> Result<(), DemandError> {
    for (what, value, most) in [
        ("horizon", settings.horizon, PERIODS_MAX),
        ("season", settings.season, 366),
        ("folds", settings.folds, 100),
        ("threads", settings.threads, crate::params::THREADS_MAX),
    ] {
        if value == 0 || value > most {
            return Err(DemandError::Setting { what });
        }
    }
    if series.is_empty() || series.len() > SERIES_MAX {
        return Err(DemandError::Series {
            series: series.len(),
        });
    }
    let needed = settings.horizon * settings.folds + 2;
    let all = series[0].len();
    for (index, one) in series.iter().enumerate() {
        if one.len() != all || one.len() < needed || one.len() > PERIODS_MAX {
            return Err(DemandError::Periods {
                index,
                periods: one.len(),
                needed: needed.max(all),
            });
        }
        if let Some(period) = one
            .iter()
            .position(|demand| !(demand.is_finite() && *demand >= 0.0))
        {
            return Err(DemandError::Demand {
                index,
                period,
                value: one[period],
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

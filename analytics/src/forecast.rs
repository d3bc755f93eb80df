//! Forecasts of monthly series: costs, failures, mileage.
//!
//! The forecast is the plain mean of three methods that err in different ways: Theta, a damped trend, and a damped trend
//! on the logarithm with the season taken out by STL. Short series have fewer of them, and say so ([`Method`]). Around
//! it stand intervals from the forecast's own past errors: the same method is asked at earlier months what would come,
//! and the share of errors that were smaller gives the width (split conformal, Vovk et al. 2005). Where too few are known there
//! are no intervals.
//!
//! Nothing is random and every search has a fixed count of steps: the same series gives the same bits.
//!
//! Source of the method's choice: `docs/benchmarks.md` has its scores beside the M3 and M4 competitions' benchmark.

mod interval;
mod season;
mod simplex;
mod smoothing;
#[cfg(test)]
mod tests;

pub use interval::Band;
pub(crate) use season::{autocorrelation, is_seasonal, month_effects};

use season::{Adjusted, SEASON};
use smoothing::{Damped, DampedConstants, Level};
use thiserror::Error;

/// The longest horizon in months.
pub const HORIZON_MAX: usize = 24;
/// Fewer months than this have no trend that could be told from chance.
pub const MONTHS_MIN: usize = 6;
/// Values beyond this are refused: their squares would not be finite.
pub const VALUE_MAX: f64 = 1e100;

/// How a forecast was made; which one depends on the history's length alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Fewer than 6 months: the last value, "too short".
    LastValue,
    /// Fewer than 12: a damped trend.
    Damped,
    /// Fewer than 24: the mean of Theta and a damped trend.
    ThetaDamped,
    /// The mean of Theta, a damped trend and STL on the logarithm.
    MeanOfThree,
}

/// Why there is no forecast.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ForecastError {
    /// There is no history at all.
    #[error("there is no history to forecast from")]
    Empty,
    /// A value is not finite, or beyond [`VALUE_MAX`].
    #[error("month {month} of the history is not a usable number")]
    NotFinite {
        /// Its index, 0 the oldest.
        month: usize,
    },
    /// The horizon is 0 or beyond [`HORIZON_MAX`].
    #[error("a horizon of {months} months; it must be 1 to {HORIZON_MAX}")]
    Horizon {
        /// What was asked for.
        months: usize,
    },
}

/// A forecast of the months after a history.
#[derive(Clone, PartialEq, Debug)]
pub struct Forecast {
    /// How it was made.
    pub method: Method,
    /// One value a month, in the history's unit, the first for the month after the history.
    pub point: Vec<f64>,
    /// Where four of five values will lie, a month each. `None` where too few earlier forecasts can be held against what
    /// came, as with fewer than nine months of history for a year ahead.
    pub band80: Option<Vec<Band>>,
    /// Where nineteen of twenty will lie. `None` for some months longer.
    pub band95: Option<Vec<Band>>,
    /// Mean absolute error over the last year, as a share of that of "the same month of the year before"; below 1 the
    /// forecast beats it. `None` below three years of history, or when nothing varies.
    pub skill: Option<f64>,
}

/// The forecast of the `horizon` months after `history` (one value a month, oldest first, gaps filled by the caller: a
/// month without bookings is 0).
///
/// # Errors
/// [`ForecastError`].
pub fn forecast(history: &[f64], horizon: usize) -> Result<Forecast, ForecastError> {
    if horizon == 0 || horizon > HORIZON_MAX {
        return Err(ForecastError::Horizon { months: horizon });
    }
    if history.is_empty() {
        return Err(ForecastError::Empty);
    }
    let usable = |value: &f64| value.is_finite() && value.abs() <= VALUE_MAX;
    if let Some(month) = history.iter().position(|value| !usable(value)) {
        return Err(ForecastError::NotFinite { month });
    }
    let fitted = Fitted::fit(history);
    let past = interval::past_errors(&fitted, history, horizon);
    let mut point = fitted.ahead(history, horizon);
    if history.iter().all(|value| *value >= 0.0) {
        for value in &mut point {
            *value = value.max(0.0);
        }
    }
    Ok(Forecast {
        method: fitted.method,
        band80: past.bands(&point, history, interval::FOUR_OF_FIVE),
        band95: past.bands(&point, history, interval::NINETEEN_OF_TWENTY),
        skill: past.skill(history),
        point,
    })
}

/// What a fit over a whole history found: the constants, which the same method takes to shorter histories of the series.
#[derive(Clone, Copy, Debug)]
struct Fitted {
    method: Method,
    theta_alpha: f64,
    damped: Option<DampedConstants>,
    damped_log: Option<DampedConstants>,
}

impl Fitted {
    fn fit(history: &[f64]) -> Self {
        let method = match history.len() {
            ..MONTHS_MIN => Method::LastValue,
            MONTHS_MIN..SEASON => Method::Damped,
            SEASON..24 => Method::ThetaDamped,
            _ => Method::MeanOfThree,
        };
        let adjusted = Adjusted::of(history);
        let stl = (method == Method::MeanOfThree)
            .then(|| LogSeason::of(history))
            .flatten();
        Fitted {
            method,
            theta_alpha: Level::fit(&adjusted.values).alpha,
            damped: (method != Method::LastValue).then(|| Damped::fit(&adjusted.values).constants),
            damped_log: stl.map(|season| Damped::fit(&season.values).constants),
        }
    }

    /// The forecast after `history`, which may be an earlier part of the series that was fitted.
    fn ahead(&self, history: &[f64], horizon: usize) -> Vec<f64> {
        let last = history[history.len() - 1];
        let Some(constants) = self.damped else {
            return vec![last; horizon];
        };
        let adjusted = Adjusted::of(history);
        let mut members = vec![damped(&adjusted, constants, horizon)];
        if self.method != Method::Damped {
            members.push(theta(&adjusted, self.theta_alpha, horizon));
        }
        if let Some(constants) = self.damped_log
            && history.len() >= 2 * SEASON
            && let Some(season) = LogSeason::of(history)
        {
            members.push(season.ahead(constants, horizon));
        }
        (0..horizon)
            .map(|step| {
                members.iter().map(|member| member[step]).sum::<f64>() / members.len() as f64
            })
            .collect()
    }
}

fn damped(adjusted: &Adjusted, constants: DampedConstants, horizon: usize) -> Vec<f64> {
    let months = adjusted.values.len();
    let fitted = Damped::run(&adjusted.values, constants);
    (0..horizon)
        .map(|step| adjusted.with_season(months + step, fitted.ahead(step + 1)))
        .collect()
}

/// The Theta method with theta 2: simple exponential smoothing, and half the slope of the line through all values as
/// drift. Source: Assimakopoulos and Nikolopoulos 2000, in the form of Hyndman and Billah 2003.
fn theta(adjusted: &Adjusted, alpha: f64, horizon: usize) -> Vec<f64> {
    let months = adjusted.values.len();
    let level = Level::run(&adjusted.values, alpha);
    let drift = slope(&adjusted.values) / 2.0;
    let settled = (1.0 - (1.0 - alpha).powf(months as f64)) / alpha;
    (0..horizon)
        .map(|step| {
            let value = level.level + drift * (step as f64 + settled);
            adjusted.with_season(months + step, value)
        })
        .collect()
}

/// The slope a step of the least squares line through `values`.
fn slope(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let (mut along, mut square) = (0.0, 0.0);
    for (step, value) in values.iter().enumerate() {
        let distance = step as f64 - middle;
        along += distance * (value - mean);
        square += distance * distance;
    }
    if square > 0.0 { along / square } else { 0.0 }
}

/// The logarithm of a positive series with its season taken out by STL (Cleveland et al. 1990).
#[derive(Debug)]
struct LogSeason {
    values: Vec<f64>,
    /// The season's last twelve months.
    last_year: Vec<f64>,
}

impl LogSeason {
    /// `None` when the series is not positive throughout or too short for STL.
    fn of(history: &[f64]) -> Option<Self> {
        if history.len() < 2 * SEASON || history.iter().any(|value| *value <= 0.0) {
            return None;
        }
        let logarithms: Vec<f64> = history.iter().map(|value| value.ln()).collect();
        let mut parameters = stlrs::Stl::params();
        // The least that Cleveland et al. recommend: a season may change from year to year.
        let parameters = parameters.seasonal_length(7);
        let fit = parameters.fit(&logarithms, SEASON).ok()?;
        let season = fit.seasonal();
        let values = logarithms
            .iter()
            .zip(season)
            .map(|(value, season)| value - season)
            .collect();
        let last_year = season[season.len() - SEASON..].to_vec();
        Some(LogSeason { values, last_year })
    }

    fn ahead(&self, constants: DampedConstants, horizon: usize) -> Vec<f64> {
        let fitted = Damped::run(&self.values, constants);
        (0..horizon)
            .map(|step| (fitted.ahead(step + 1) + self.last_year[step % SEASON]).exp())
            .collect()
    }
}

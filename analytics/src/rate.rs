//! Rates of rare events with honest intervals: time between failures, and workshops held against what their orders
//! should have taken.

#[cfg(test)]
mod tests;

use crate::normal::{gamma_quantile_upper, gamma_upper};

/// A mean time (or distance) between events.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MeanBetween {
    /// Exposure over events; `None` without events: the interval's lower end is then all that is known.
    pub mean: Option<f64>,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end; `None` without events.
    pub high: Option<f64>,
}

/// The mean exposure (hours, kilometres) between events that come at a constant rate, watched over a fixed exposure;
/// `confidence` in (0, 1). `None` without exposure: there is nothing to divide.
///
/// Two-sided 2T/χ²(1−α/2; 2r+2) … 2T/χ²(α/2; 2r); one-sided −T/ln α without events. Source: MIL-HDBK-338B 8.3.2.5.2,
/// time-truncated.
pub fn mean_between(exposure: f64, events: u64, confidence: f64) -> Option<MeanBetween> {
    if exposure <= 0.0 {
        return None;
    }
    let alpha = 1.0 - confidence;
    if events == 0 {
        return Some(MeanBetween {
            mean: None,
            low: exposure / -alpha.ln(),
            high: None,
        });
    }
    let r = events as f64;
    // A χ² of 2k degrees of freedom is twice a gamma of shape k.
    Some(MeanBetween {
        mean: Some(exposure / r),
        low: exposure / gamma_quantile_upper(r + 1.0, alpha / 2.0),
        high: Some(exposure / gamma_quantile_upper(r, 1.0 - alpha / 2.0)),
    })
}

/// Orders below which a workshop is shown and not ranked.
pub const ORDERS_RANKED_MIN: u64 = 20;

/// What a workshop did, and what its mix of orders takes elsewhere.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Performance {
    /// Orders closed.
    pub orders: u64,
    /// Hours they took.
    pub actual_hours: f64,
    /// Hours that the same orders take at the fleet's mean for their type.
    pub expected_hours: f64,
    /// The variance of these hours: for each order, the variance of hours among all orders of its type.
    pub variance: f64,
}

/// A workshop held against the others.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Standing {
    /// Actual over expected hours: 1 is the fleet's mean, less is faster.
    pub ratio: f64,
    /// The ratio's interval at 95 %.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The funnel at this workshop's size: where 95 % of workshops lie that are like the mean.
    pub funnel: (f64, f64),
    /// Whether there are enough orders to rank it ([`ORDERS_RANKED_MIN`]).
    pub ranked: bool,
}

/// Two-sided 95 % of the normal distribution.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// The standing of a workshop by indirect standardisation; `None` when nothing was expected of it.
///
/// The interval is a gamma distribution with the ratio's mean and variance, so it never falls below 0; the funnel is
/// normal around 1. Source: Spiegelhalter, "Funnel plots for comparing institutional performance", 2005.
pub fn standing(of: Performance) -> Option<Standing> {
    if of.expected_hours <= 0.0 {
        return None;
    }
    let ratio = of.actual_hours / of.expected_hours;
    let deviation = of.variance.max(0.0).sqrt() / of.expected_hours;
    let (low, high) = gamma_interval(ratio, deviation);
    let reach = NORMAL_95 * deviation;
    Some(Standing {
        ratio,
        low,
        high,
        funnel: ((1.0 - reach).max(0.0), 1.0 + reach),
        ranked: of.orders >= ORDERS_RANKED_MIN,
    })
}

fn gamma_interval(mean: f64, deviation: f64) -> (f64, f64) {
    if deviation == 0.0 || mean <= 0.0 {
        return (mean.max(0.0), mean.max(0.0));
    }
    let shape = (mean / deviation).powi(2);
    let scale = mean / shape;
    debug_assert!(gamma_upper(shape, shape) < 1.0, "the shape is positive");
    (
        scale * gamma_quantile_upper(shape, 0.975),
        scale * gamma_quantile_upper(shape, 0.025),
    )
}

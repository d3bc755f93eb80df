//! Whether a monthly figure rises or falls, told from chance.
//!
//! Monthly figures follow one another: a bad month makes a bad next one likely. A test that supposes independent months
//! then sees trends where there are none, in a quarter of trendless series and more. So the variance of Mann and
//! Kendall's statistic is inflated by the correlation from month to month, and a label needs two things: a change that
//! chance rarely makes, and one large enough to matter ([`Floor`]).

mod shift;
#[cfg(test)]
mod tests;

pub use shift::{Shift, level_shifts};

use crate::forecast::{autocorrelation, is_seasonal, month_effects};

/// Fewer months than this carry no label.
pub const MONTHS_MIN: usize = 12;
/// The two-sided chance of a label on a series without trend, were its months independent.
pub const SIGNIFICANCE: f64 = 0.05;
/// Two-sided 95 % of the normal distribution.
const NORMAL_95: f64 = 1.959_963_984_540_054;
/// The largest correlation from month to month that is corrected for: beyond it nothing would ever be a trend.
const CORRELATION_MAX: f64 = 0.9;

/// Which direction is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Polarity {
    /// More is better: availability.
    HigherIsBetter,
    /// Less is better: time to repair, costs.
    LowerIsBetter,
}

/// The least change over the whole window that is worth a word.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Floor {
    /// In the figure's own unit: 0.5 points of availability.
    Absolute(f64),
    /// As a share of the mean: 0.05 of the mean time between failures.
    Relative(f64),
}

/// What the months say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Label {
    /// It goes the good way.
    Improving,
    /// It goes the bad way.
    Declining,
    /// No change that could be told from chance, or none worth a word.
    Stable,
    /// Fewer than [`MONTHS_MIN`] months.
    TooLittleData,
}

/// A trend with what it was told from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Trend {
    /// The verdict.
    pub label: Label,
    /// Change a month: the median of the slopes between all pairs (Theil and Sen). 0 with fewer than two months.
    pub slope: f64,
    /// The interval of the slope that the same test gives at 95 %: low, high.
    pub slope_interval: (f64, f64),
    /// Two-sided chance of so clear an order without trend, given the correlation.
    pub p: f64,
    /// The months' correlation with the next, as corrected for, 0 to 0.9.
    pub correlation: f64,
    /// Months that were looked at.
    pub months: usize,
}

/// The trend of `values`, one a month, oldest first, all finite.
///
/// A season that shows (from three years on) is taken out first; one that does not only makes the test more careful. Sources: Mann 1945, Kendall 1975, Sen 1968; variance under
/// correlation: Yue and Wang 2004 with the bias of the correlation corrected as (n r + 2) / (n − 4).
pub fn trend(values: &[f64], polarity: Polarity, floor: Floor) -> Trend {
    let months = values.len();
    if months < 2 {
        return Trend {
            label: Label::TooLittleData,
            slope: 0.0,
            slope_interval: (0.0, 0.0),
            p: 1.0,
            correlation: 0.0,
            months,
        };
    }
    let mut flat = values.to_vec();
    if is_seasonal(values) {
        let effects = month_effects(values);
        for (month, value) in flat.iter_mut().enumerate() {
            *value -= effects[month % effects.len()];
        }
    }
    let slopes = pair_slopes(&flat);
    let slope = median(&slopes);
    let correlation = residual_correlation(&flat, slope);
    let deviation = (kendall_variance(&flat) * inflation(months, correlation)).sqrt();
    let p = p_value(kendall_score(&flat), deviation);
    let slope_interval = interval(&slopes, deviation);
    let change = slope * (months - 1) as f64;
    Trend {
        label: label(change, p, values, polarity, floor),
        slope,
        slope_interval,
        p,
        correlation,
        months,
    }
}

fn label(change: f64, p: f64, values: &[f64], polarity: Polarity, floor: Floor) -> Label {
    if values.len() < MONTHS_MIN {
        return Label::TooLittleData;
    }
    let floor = match floor {
        Floor::Absolute(least) => least,
        Floor::Relative(share) => share * (values.iter().sum::<f64>() / values.len() as f64).abs(),
    };
    if p >= SIGNIFICANCE || change.abs() <= floor {
        return Label::Stable;
    }
    if (change > 0.0) == (polarity == Polarity::HigherIsBetter) {
        Label::Improving
    } else {
        Label::Declining
    }
}

/// The slopes between all pairs of months, ascending.
fn pair_slopes(values: &[f64]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(values.len() * (values.len() - 1) / 2);
    for (from, before) in values.iter().enumerate() {
        for (to, after) in values.iter().enumerate().skip(from + 1) {
            slopes.push((after - before) / (to - from) as f64);
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes
}

/// The middle of ascending numbers; 0 of none.
fn median(ascending: &[f64]) -> f64 {
    let count = ascending.len();
    match count {
        0 => 0.0,
        _ if count % 2 == 1 => ascending[count / 2],
        _ => f64::midpoint(ascending[count / 2 - 1], ascending[count / 2]),
    }
}

/// Pairs that rise less pairs that fall.
fn kendall_score(values: &[f64]) -> f64 {
    let mut score = 0_i64;
    for (from, before) in values.iter().enumerate() {
        for after in &values[from + 1..] {
            score += i64::from(after > before) - i64::from(after < before);
        }
    }
    score as f64
}

/// The variance of the score over independent months, ties taken off.
fn kendall_variance(values: &[f64]) -> f64 {
    let spread = |count: f64| count * (count - 1.0) * (2.0 * count + 5.0);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted
        .chunk_by(|a, b| a == b)
        .map(|tied| spread(tied.len() as f64))
        .sum();
    (spread(values.len() as f64) - ties) / 18.0
}

/// The correlation of neighbouring months once the slope is taken out, its bias corrected, within 0 and 0.9.
fn residual_correlation(values: &[f64], slope: f64) -> f64 {
    let n = values.len() as f64;
    if n <= 4.0 {
        return 0.0;
    }
    let residuals: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(month, value)| value - slope * month as f64)
        .collect();
    let seen = autocorrelation(&residuals, 1);
    ((n * seen + 2.0) / (n - 4.0)).clamp(0.0, CORRELATION_MAX)
}

/// How much larger the score's variance is when neighbours correlate by `r` and months further apart by its powers.
fn inflation(months: usize, r: f64) -> f64 {
    let n = months as f64;
    let mut sum = 0.0;
    let mut power = 1.0;
    for lag in 1..months {
        power *= r;
        sum += (1.0 - lag as f64 / n) * power;
    }
    1.0 + 2.0 * sum
}

/// The two-sided chance of a score so far from 0, with the correction for its being a whole number.
fn p_value(score: f64, deviation: f64) -> f64 {
    if deviation == 0.0 || score == 0.0 {
        return 1.0;
    }
    let z = (score.abs() - 1.0) / deviation;
    crate::normal::two_sided(z)
}

/// The slopes between which the true one lies at 95 %.
fn interval(ascending: &[f64], deviation: f64) -> (f64, f64) {
    let count = ascending.len() as f64;
    let reach = NORMAL_95 * deviation;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "clamped to the list's indexes"
    )]
    let at = |rank: f64| ascending[rank.clamp(0.0, count - 1.0) as usize];
    (
        at(((count - reach) / 2.0 - 1.0).floor()),
        at(((count + reach) / 2.0).ceil()),
    )
}

//! Exponential smoothing: a level alone, and a level with a trend that fades.
//!
//! Both are fitted by least squares of the one-step errors. The errors are linear in the start values, so for given
//! smoothing constants the best start is solved for and not searched; what is searched is two or three bounded numbers,
//! by a fixed count of steps, so that the same series always gives the same bits.

use super::simplex;

/// Simple exponential smoothing, fitted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Level {
    /// How far one value moves the level, in (0, 1).
    pub(super) alpha: f64,
    /// The level after the last value.
    pub(super) level: f64,
}

/// Smallest and largest smoothing constants: at the ends a constant stops being one.
const CONSTANT_MIN: f64 = 0.01;
const CONSTANT_MAX: f64 = 0.99;

impl Level {
    /// The level model with the least squared one-step errors over `values`; at least one value.
    pub(super) fn fit(values: &[f64]) -> Self {
        let start = values[0];
        let squared = |alpha: f64| {
            let mut level = start;
            let mut sum = 0.0;
            for value in &values[1..] {
                let error = value - level;
                sum += error * error;
                level += alpha * error;
            }
            sum
        };
        let alpha = golden_section(squared, CONSTANT_MIN, CONSTANT_MAX);
        Level::run(values, alpha)
    }

    /// The level after `values` under a known constant.
    pub(super) fn run(values: &[f64], alpha: f64) -> Self {
        let mut level = values[0];
        for value in &values[1..] {
            level += alpha * (value - level);
        }
        Level { alpha, level }
    }
}

/// The constants of a damped trend.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct DampedConstants {
    /// How far one error moves the level.
    alpha: f64,
    /// How far one error moves the trend; at most `alpha`.
    beta: f64,
    /// What is left of the trend after a step.
    phi: f64,
}

/// A damped trend (Gardner and McKenzie 1985), fitted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Damped {
    pub(super) constants: DampedConstants,
    level: f64,
    trend: f64,
}

const PHI_MIN: f64 = 0.8;
const PHI_MAX: f64 = 0.98;

impl Damped {
    /// The damped trend with the least squared one-step errors over `values`; at least four values.
    pub(super) fn fit(values: &[f64]) -> Self {
        let squared = |at: [f64; 3]| {
            let constants = DampedConstants::from_unbounded(at);
            run_from_best_start(values, constants).0
        };
        let best = simplex::minimum(squared, [-0.5, -1.5, 1.0]);
        Damped::run(values, DampedConstants::from_unbounded(best))
    }

    /// The state after `values` under known constants.
    pub(super) fn run(values: &[f64], constants: DampedConstants) -> Self {
        let (_, level, trend) = run_from_best_start(values, constants);
        Damped {
            constants,
            level,
            trend,
        }
    }

    /// The forecast `steps` ahead, 1 being the next value.
    pub(super) fn ahead(&self, steps: usize) -> f64 {
        let mut fade = 1.0;
        let mut reach = 0.0;
        for _ in 0..steps {
            fade *= self.constants.phi;
            reach += fade;
        }
        self.level + reach * self.trend
    }
}

impl DampedConstants {
    /// From three free numbers to three bounded ones.
    fn from_unbounded(at: [f64; 3]) -> Self {
        let share = |x: f64| 1.0 / (1.0 + (-x).exp());
        let alpha = CONSTANT_MIN + (CONSTANT_MAX - CONSTANT_MIN) * share(at[0]);
        DampedConstants {
            alpha,
            beta: alpha * share(at[1]),
            phi: PHI_MIN + (PHI_MAX - PHI_MIN) * share(at[2]),
        }
    }
}

/// A state of the recursion: level and trend.
#[derive(Clone, Copy)]
struct Step {
    level: f64,
    trend: f64,
}

impl Step {
    fn next(&mut self, value: f64, constants: DampedConstants) -> f64 {
        let expected = self.level + constants.phi * self.trend;
        let error = value - expected;
        self.level = expected + constants.alpha * error;
        self.trend = constants.phi * self.trend + constants.beta * error;
        error
    }
}

/// The sum of squared errors, the last level and the last trend, from the start values that make the sum least.
///
/// The recursion is linear, so the errors from start (l, b) are `e0 + l * el + b * eb`, where `e0` runs on the values
/// from nought, and `el` and `eb` run on zeros from a unit start.
fn run_from_best_start(values: &[f64], constants: DampedConstants) -> (f64, f64, f64) {
    let mut zero = Step {
        level: 0.0,
        trend: 0.0,
    };
    let mut unit_level = Step {
        level: 1.0,
        trend: 0.0,
    };
    let mut unit_trend = Step {
        level: 0.0,
        trend: 1.0,
    };
    let (mut ll, mut lb, mut bb, mut l0, mut b0, mut sum) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for value in values {
        let e0 = zero.next(*value, constants);
        let el = unit_level.next(0.0, constants);
        let eb = unit_trend.next(0.0, constants);
        ll += el * el;
        lb += el * eb;
        bb += eb * eb;
        l0 += el * e0;
        b0 += eb * e0;
        sum += e0 * e0;
    }
    let determinant = ll * bb - lb * lb;
    let (level, trend) = if determinant > 1e-12 * ll * bb {
        (
            (-l0 * bb + b0 * lb) / determinant,
            (-b0 * ll + l0 * lb) / determinant,
        )
    } else if ll > 0.0 {
        (-l0 / ll, 0.0)
    } else {
        (0.0, 0.0)
    };
    let squared = sum
        + 2.0 * (level * l0 + trend * b0)
        + level * level * ll
        + 2.0 * level * trend * lb
        + trend * trend * bb;
    (
        squared.max(0.0),
        zero.level + level * unit_level.level + trend * unit_trend.level,
        zero.trend + level * unit_level.trend + trend * unit_trend.trend,
    )
}

/// Steps of the golden section: each leaves 0.618 of the interval.
const SECTIONS: usize = 25;

/// Where `cost` is least between `low` and `high`, if it has one valley there.
fn golden_section(cost: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let ratio = (5_f64.sqrt() - 1.0) / 2.0;
    let mut left = high - ratio * (high - low);
    let mut right = low + ratio * (high - low);
    let (mut at_left, mut at_right) = (cost(left), cost(right));
    for _ in 0..SECTIONS {
        if at_left <= at_right {
            high = right;
            right = left;
            at_right = at_left;
            left = high - ratio * (high - low);
            at_left = cost(left);
        } else {
            low = left;
            left = right;
            at_left = at_right;
            right = low + ratio * (high - low);
            at_right = cost(right);
        }
    }
    (low + high) / 2.0
}

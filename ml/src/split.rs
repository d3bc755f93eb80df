//! Split search: from one leaf's histogram of one feature to the best way to cut it in two.
//!
//! Place on the path: histogram → **split** → tree.
//!
//! The gain of a split is G_l²/(H_l+λ) + G_r²/(H_r+λ) − G²/(H+λ), with soft-thresholded G under L1.
//! Sources: Chen, Guestrin, "XGBoost", KDD 2016, eq. 7 (gain) and §3.4 (direction of missing values); Ke et al.,
//! "LightGBM", NIPS 2017 (histograms); Fisher, "On Grouping for Maximum Homogeneity", JASA 1958 (sorted categories).
//!
//! Sums are integers in the round's units. The number of rows behind a sum is estimated from its hessian, which is
//! exact where every row has the same hessian and saves a third of the histogram elsewhere.

use crate::binning::MISSING_BIN;
use crate::dataset::{FeatureKind, Monotone};
use crate::histogram::{BinSums, unpack};
use crate::matrix::UsedFeature;
use crate::params::Params;

mod category;

/// What makes a split admissible and how its gain is shrunk, in the units of one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SplitRules {
    pub(crate) gradient_unit: f64,
    pub(crate) hessian_unit: f64,
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    pub(crate) hessian_min: f64,
    pub(crate) rows_min: f64,
    pub(crate) gain_min: f64,
    pub(crate) category: CategoryRules,
}

/// How categorical splits are kept from fitting noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CategoryRules {
    /// Added to a category's hessian before categories are sorted by gradient over hessian; categories with fewer
    /// rows than this are not moved to the chosen side. Default 10.
    pub smoothing: f64,
    /// Added to `l2` for a split between sorted groups. Default 10.
    pub l2: f64,
    /// Fewest rows by which the chosen side must grow before it is tried again. Default 100.
    pub group_rows_min: f64,
    /// Most categories on the chosen side. Default 32.
    pub subset_max: usize,
    /// Up to this many categories, each is tried against the rest and nothing is sorted. Default 4.
    pub one_hot_max: usize,
}

impl Default for CategoryRules {
    fn default() -> Self {
        Self {
            smoothing: 10.0,
            l2: 10.0,
            group_rows_min: 100.0,
            subset_max: 32,
            one_hot_max: 4,
        }
    }
}

/// A leaf that may be split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeafTotals {
    /// Packed sum of its rows.
    pub(crate) sum: i64,
    pub(crate) rows: u32,
    /// Bounds that monotone splits above it have put on its value.
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

/// Where the rows of a leaf go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    /// Bins up to and including `bin` go left, missing ones as told; `None` where the leaf had no missing value.
    Threshold { bin: u8, missing_left: Option<bool> },
    /// Bins in the mask go left; the missing bin is a bin like the others here.
    Subset { mask: [u64; 4] },
}

/// The best split found for a leaf, with its left side's packed sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    /// Improvement over the unsplit leaf, in units of the loss.
    pub(crate) gain: f64,
    pub(crate) used: usize,
    pub(crate) rule: Rule,
    pub(crate) left: i64,
}

impl Candidate {
    /// The better of two; equal gains go to the lower feature, so that the order of search does not matter.
    pub(crate) fn better(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(a), Some(b)) => {
                let second_wins = b.gain > a.gain || (b.gain == a.gain && b.used < a.used);
                Some(if second_wins { b } else { a })
            }
            (a, b) => a.or(b),
        }
    }
}

impl SplitRules {
    /// Those of a round whose gradients and hessians are counted in these units.
    pub(crate) fn new(params: &Params, (gradient_unit, hessian_unit): (f64, f64)) -> Self {
        Self {
            gradient_unit,
            hessian_unit,
            l1: params.l1,
            l2: params.l2,
            hessian_min: params.hessian_min,
            rows_min: params.rows_min as f64,
            gain_min: params.gain_min,
            category: params.category,
        }
    }

    /// The value of a leaf: −T(G)/(H+λ), held in the leaf's bounds. Zero for an empty leaf.
    pub(crate) fn leaf_value(&self, leaf: &LeafTotals) -> f64 {
        let (gradient, hessian) = unpack(leaf.sum);
        self.bounded_value(f64::from(gradient), f64::from(hessian), leaf)
    }

    /// Narrows the bounds of two children so that no leaf below them can break the direction of their split.
    pub(crate) fn tighten(
        &self,
        monotone: Monotone,
        left: &mut LeafTotals,
        right: &mut LeafTotals,
    ) {
        let middle = f64::midpoint(self.leaf_value(left), self.leaf_value(right));
        match monotone {
            Monotone::Free => {}
            Monotone::Increasing => (left.upper, right.lower) = (middle, middle),
            Monotone::Decreasing => (left.lower, right.upper) = (middle, middle),
        }
    }

    fn bounded_value(&self, gradient: f64, hessian: f64, leaf: &LeafTotals) -> f64 {
        let denominator = hessian * self.hessian_unit + self.l2;
        if denominator <= 0.0 {
            return 0.0_f64.clamp(leaf.lower, leaf.upper);
        }
        let value = -self.thresholded(gradient * self.gradient_unit) / denominator;
        value.clamp(leaf.lower, leaf.upper)
    }

    fn thresholded(&self, gradient: f64) -> f64 {
        gradient.signum() * (gradient.abs() - self.l1).max(0.0)
    }

    /// Loss saved by giving a side its (bounded) value instead of zero, times two: −(2·T(G)·w + (H+λ)·w²).
    fn score(&self, gradient: f64, hessian: f64, value: f64, extra_l2: f64) -> f64 {
        let gradient = self.thresholded(gradient * self.gradient_unit);
        let hessian = hessian * self.hessian_unit + self.l2 + extra_l2;
        -(2.0 * gradient * value + hessian * value * value)
    }

    /// By how much the loss of rows with a packed sum changes when their scores move by `value`, to second order.
    pub(crate) fn loss_at(&self, sum: i64, value: f64) -> f64 {
        let (gradient, hessian) = unpack(sum);
        let curvature = f64::from(hessian) * self.hessian_unit;
        value * (f64::from(gradient) * self.gradient_unit + 0.5 * curvature * value)
    }

    /// Fewest hessian units of a child: the floor given, the rows wanted at the leaf's mean hessian, and one.
    fn hessian_units_min(&self, leaf: &LeafTotals) -> i32 {
        let (_, hessian) = unpack(leaf.sum);
        let per_row = f64::from(hessian) / f64::from(leaf.rows.max(1));
        let wanted = (self.hessian_min / self.hessian_unit).max(self.rows_min * per_row);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates, and then nothing is admissible"
        )]
        let units = wanted.ceil().max(1.0) as i32;
        units
    }
}

/// The best split of one feature, if any reaches the least gain.
pub(crate) fn search(
    sums: &BinSums,
    feature: &UsedFeature,
    used: usize,
    leaf: &LeafTotals,
    rules: &SplitRules,
) -> Option<Candidate> {
    let found = match feature.kind {
        FeatureKind::Numeric => search_numeric(sums, feature, leaf, rules),
        FeatureKind::Categorical => category::search(sums, feature.bins, leaf, rules),
    }?;
    (found.gain > rules.gain_min.max(0.0) && found.gain.is_finite())
        .then_some(Candidate { used, ..found })
}

fn search_numeric(
    sums: &BinSums,
    feature: &UsedFeature,
    leaf: &LeafTotals,
    rules: &SplitRules,
) -> Option<Candidate> {
    let missing = sums[usize::from(MISSING_BIN)];
    let mut left = [0_i64; 256];
    let mut running = 0_i64;
    // The last value bin is only a cut when missing values remain on the other side.
    let cuts = if missing == 0 {
        feature.bins - 1
    } else {
        feature.bins
    };
    for (place, &sum) in left.iter_mut().zip(&sums[..cuts]) {
        running += sum;
        *place = running;
    }
    let mut best =
        best_cut(&left[..cuts], leaf, feature.monotone, rules).map(|(bin, gain)| Candidate {
            gain,
            used: 0,
            rule: Rule::Threshold {
                bin,
                missing_left: (missing != 0).then_some(false),
            },
            left: left[usize::from(bin)],
        });
    if missing != 0 && feature.bins > 1 {
        let cuts = feature.bins - 1;
        for place in &mut left[..cuts] {
            *place += missing;
        }
        let other =
            best_cut(&left[..cuts], leaf, feature.monotone, rules).map(|(bin, gain)| Candidate {
                gain,
                used: 0,
                rule: Rule::Threshold {
                    bin,
                    missing_left: Some(true),
                },
                left: left[usize::from(bin)],
            });
        best = Candidate::better(best, other);
    }
    best
}

/// The cut with the greatest gain among left sums in bin order; the lowest bin among equals.
fn best_cut(
    left: &[i64],
    leaf: &LeafTotals,
    monotone: Monotone,
    rules: &SplitRules,
) -> Option<(u8, f64)> {
    let (_, total_hessian) = unpack(leaf.sum);
    let least = rules.hessian_units_min(leaf);
    // Hessians do not fall along the bins, so the admissible cuts are one range.
    let from = left.partition_point(|&sum| unpack(sum).1 < least);
    let to = left.partition_point(|&sum| total_hessian.saturating_sub(unpack(sum).1) >= least);
    if from >= to {
        return None;
    }
    let bounded = leaf.lower > f64::NEG_INFINITY || leaf.upper < f64::INFINITY;
    let mut gains = [f64::NEG_INFINITY; 256];
    if rules.l1 == 0.0 && monotone == Monotone::Free && !bounded {
        plain_gains(&left[from..to], leaf, rules, &mut gains);
    } else {
        for (gain, &sum) in gains.iter_mut().zip(&left[from..to]) {
            *gain = constrained_gain(sum, leaf, monotone, rules, 0.0);
        }
    }
    let mut best: Option<(usize, f64)> = None;
    for (offset, &gain) in gains[..to - from].iter().enumerate() {
        if best.is_none_or(|(_, top)| gain > top) && gain > f64::NEG_INFINITY {
            best = Some((offset, gain));
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "cuts are below 255")]
    let found = best.map(|(offset, gain)| ((from + offset) as u8, gain));
    found
}

/// Gains without L1 and bounds: one division each and no branch, so that the loop vectorises.
fn plain_gains(left: &[i64], leaf: &LeafTotals, rules: &SplitRules, gains: &mut [f64; 256]) {
    let (total_gradient, total_hessian) = unpack(leaf.sum);
    let (gradient, hessian) = (f64::from(total_gradient), f64::from(total_hessian));
    let l2 = rules.l2 / rules.hessian_unit;
    let scale = rules.gradient_unit * rules.gradient_unit / rules.hessian_unit;
    let unsplit = gradient * gradient / (hessian + l2);
    let both = hessian + 2.0 * l2;
    for (gain, &sum) in gains.iter_mut().zip(left) {
        let (left_gradient, left_hessian) = unpack(sum);
        let left_gradient = f64::from(left_gradient);
        let left_hessian = f64::from(left_hessian) + l2;
        let right_gradient = gradient - left_gradient;
        let right_hessian = both - left_hessian;
        let numerator = left_gradient * left_gradient * right_hessian
            + right_gradient * right_gradient * left_hessian;
        *gain = scale * (numerator / (left_hessian * right_hessian) - unsplit);
    }
}

/// Gain under L1, bounds and a monotone direction; minus infinity where the direction is violated.
fn constrained_gain(
    left: i64,
    leaf: &LeafTotals,
    monotone: Monotone,
    rules: &SplitRules,
    extra_l2: f64,
) -> f64 {
    let (left_gradient, left_hessian) = unpack(left);
    let (right_gradient, right_hessian) = unpack(leaf.sum - left);
    let (gradient, hessian) = unpack(leaf.sum);
    let shrunk = SplitRules {
        l2: rules.l2 + extra_l2,
        ..*rules
    };
    let left_value = shrunk.bounded_value(f64::from(left_gradient), f64::from(left_hessian), leaf);
    let right_value =
        shrunk.bounded_value(f64::from(right_gradient), f64::from(right_hessian), leaf);
    let violated = match monotone {
        Monotone::Free => false,
        Monotone::Increasing => left_value > right_value,
        Monotone::Decreasing => left_value < right_value,
    };
    if violated {
        return f64::NEG_INFINITY;
    }
    let value = rules.leaf_value(leaf);
    rules.score(
        f64::from(left_gradient),
        f64::from(left_hessian),
        left_value,
        extra_l2,
    ) + rules.score(
        f64::from(right_gradient),
        f64::from(right_hessian),
        right_value,
        extra_l2,
    ) - rules.score(f64::from(gradient), f64::from(hessian), value, 0.0)
}

#[cfg(test)]
mod tests;

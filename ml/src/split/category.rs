//! Splits of a categorical feature: one category against the rest, or a prefix of the categories sorted by their
//! own best value. For a convex loss the best of all subsets is such a prefix (Fisher 1958), so sorting loses nothing
//! but what the smoothing takes away on purpose.

use super::{Candidate, LeafTotals, Rule, SplitRules, constrained_gain};
use crate::binning::MISSING_BIN;
use crate::dataset::Monotone;
use crate::histogram::{BinSums, unpack};

/// The best subset split of a feature with `bins` value bins. The missing bin takes part as one more category.
pub(super) fn search(
    sums: &BinSums,
    bins: usize,
    leaf: &LeafTotals,
    rules: &SplitRules,
) -> Option<Candidate> {
    let mut present: Vec<u8> = (0..=MISSING_BIN)
        .filter(|&bin| usize::from(bin) < bins || bin == MISSING_BIN)
        .filter(|&bin| sums[usize::from(bin)] != 0)
        .collect();
    if present.len() < 2 {
        return None;
    }
    if present.len() <= rules.category.one_hot_max {
        return one_against_rest(sums, &present, leaf, rules);
    }
    let (_, total_hessian) = unpack(leaf.sum);
    let rows_per_unit = f64::from(leaf.rows) / f64::from(total_hessian.max(1));
    let rows_of = |bin: u8| f64::from(unpack(sums[usize::from(bin)]).1) * rows_per_unit;
    present.retain(|&bin| rows_of(bin) >= rules.category.smoothing);
    let smoothing = rules.category.smoothing / rules.hessian_unit;
    let key = |bin: u8| {
        let (gradient, hessian) = unpack(sums[usize::from(bin)]);
        f64::from(gradient) / (f64::from(hessian) + smoothing)
    };
    present.sort_by(|&a, &b| key(a).total_cmp(&key(b)).then(a.cmp(&b)));
    let forward = prefixes(sums, &present, leaf, rules, rows_per_unit);
    present.reverse();
    let backward = prefixes(sums, &present, leaf, rules, rows_per_unit);
    Candidate::better(forward, backward)
}

fn one_against_rest(
    sums: &BinSums,
    present: &[u8],
    leaf: &LeafTotals,
    rules: &SplitRules,
) -> Option<Candidate> {
    let least = rules.hessian_units_min(leaf);
    present
        .iter()
        .filter(|&&bin| admissible(sums[usize::from(bin)], leaf, least))
        .map(|&bin| {
            candidate(
                sums[usize::from(bin)],
                mask_with([0; 4], bin),
                leaf,
                rules,
                0.0,
            )
        })
        .fold(None, |best, next| Candidate::better(best, Some(next)))
}

fn prefixes(
    sums: &BinSums,
    order: &[u8],
    leaf: &LeafTotals,
    rules: &SplitRules,
    rows_per_unit: f64,
) -> Option<Candidate> {
    let least = rules.hessian_units_min(leaf);
    let longest = rules.category.subset_max.min(order.len().div_ceil(2));
    let (mut left, mut mask, mut group_rows) = (0_i64, [0_u64; 4], 0.0);
    let mut best = None;
    for &bin in &order[..longest] {
        let sum = sums[usize::from(bin)];
        left += sum;
        mask = mask_with(mask, bin);
        group_rows += f64::from(unpack(sum).1) * rows_per_unit;
        if !admissible(left, leaf, least) || group_rows < rules.category.group_rows_min {
            continue;
        }
        group_rows = 0.0;
        best = Candidate::better(
            best,
            Some(candidate(left, mask, leaf, rules, rules.category.l2)),
        );
    }
    best
}

fn admissible(left: i64, leaf: &LeafTotals, least: i32) -> bool {
    unpack(left).1 >= least && unpack(leaf.sum - left).1 >= least
}

fn candidate(
    left: i64,
    mask: [u64; 4],
    leaf: &LeafTotals,
    rules: &SplitRules,
    extra_l2: f64,
) -> Candidate {
    Candidate {
        gain: constrained_gain(left, leaf, Monotone::Free, rules, extra_l2),
        used: 0,
        rule: Rule::Subset { mask },
        left,
    }
}

fn mask_with(mut mask: [u64; 4], bin: u8) -> [u64; 4] {
    mask[usize::from(bin >> 6)] |= 1 << (bin & 63);
    mask
}

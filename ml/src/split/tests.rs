use super::*;
use crate::random::Random;

fn rules(l1: f64, l2: f64) -> SplitRules {
    SplitRules {
        gradient_unit: 1e-3,
        hessian_unit: 1e-3,
        l1,
        l2,
        hessian_min: 0.5,
        rows_min: 0.0,
        gain_min: 0.0,
        category: CategoryRules {
            smoothing: 0.0,
            l2: 0.0,
            group_rows_min: 0.0,
            subset_max: 256,
            one_hot_max: 1,
        },
    }
}

fn feature(kind: FeatureKind, monotone: Monotone, bins: usize) -> UsedFeature {
    UsedFeature {
        column: 0,
        kind,
        monotone,
        bins,
    }
}

/// Random sums in `bins` value bins and, half the time, in the missing bin.
fn random_sums(random: &mut Random, bins: usize) -> (BinSums, LeafTotals) {
    let mut sums = [0_i64; 256];
    let with_missing = random.below(2) == 0;
    let mut total = 0;
    let mut rows = 0;
    for bin in (0..bins).chain(with_missing.then_some(255)) {
        if random.below(5) > 0 {
            let gradient = random.below(20_001) as i64 - 10_000;
            let hessian = 1 + random.below(3_000) as i64;
            sums[bin] = (gradient << 32) + hessian;
            total += sums[bin];
            rows += 1;
        }
    }
    let leaf = LeafTotals {
        sum: total,
        rows,
        lower: f64::NEG_INFINITY,
        upper: f64::INFINITY,
    };
    (sums, leaf)
}

/// Gain of a set of bins going left, straight from the formula in real numbers; none where inadmissible.
fn gain_of_set(
    sums: &BinSums,
    set: &[bool; 256],
    leaf: &LeafTotals,
    rules: &SplitRules,
    monotone: Monotone,
) -> Option<f64> {
    let side = |wanted: bool| -> (f64, f64) {
        (0..256)
            .filter(|&bin| set[bin] == wanted)
            .fold((0.0, 0.0), |(g, h), bin| {
                let (gradient, hessian) = unpack(sums[bin]);
                (
                    g + f64::from(gradient) * rules.gradient_unit,
                    h + f64::from(hessian) * rules.hessian_unit,
                )
            })
    };
    let score = |(g, h): (f64, f64)| {
        let soft = (g.abs() - rules.l1).max(0.0);
        soft * soft / (h + rules.l2)
    };
    let value = |(g, h): (f64, f64)| -g.signum() * (g.abs() - rules.l1).max(0.0) / (h + rules.l2);
    let (left, right) = (side(true), side(false));
    let least = rules.hessian_min.max(rules.hessian_unit) - 1e-9;
    let wrong_way = match monotone {
        Monotone::Free => false,
        Monotone::Increasing => value(left) > value(right),
        Monotone::Decreasing => value(left) < value(right),
    };
    let admissible = left.1 >= least && right.1 >= least && !wrong_way;
    let _ = leaf;
    admissible.then(|| score(left) + score(right) - score((left.0 + right.0, left.1 + right.1)))
}

#[track_caller]
fn assert_same(found: Option<Candidate>, best: Option<f64>) {
    match (found, best.filter(|gain| *gain > 1e-9)) {
        (Some(found), Some(best)) => assert!(
            (found.gain - best).abs() < 1e-6 * best.max(1.0),
            "{} {best}",
            found.gain
        ),
        (None, None) => {}
        (found, best) => panic!("found {found:?}, brute force {best:?}"),
    }
}

#[test]
fn numeric_search_equals_trying_every_cut_and_direction() {
    let mut random = Random::new(21, 0);
    for trial in 0..600 {
        let bins = 2 + random.below(30);
        let (sums, leaf) = random_sums(&mut random, bins);
        let rules = rules([0.0, 0.7][trial % 2], [0.0, 2.5][trial / 2 % 2]);
        let monotone = [Monotone::Free, Monotone::Increasing, Monotone::Decreasing][trial % 3];
        let found = search(
            &sums,
            &feature(FeatureKind::Numeric, monotone, bins),
            0,
            &leaf,
            &rules,
        );
        let mut best: Option<f64> = None;
        for cut in 0..bins {
            for missing_left in [false, true] {
                let set =
                    std::array::from_fn(|bin| if bin == 255 { missing_left } else { bin <= cut });
                if let Some(gain) = gain_of_set(&sums, &set, &leaf, &rules, monotone) {
                    best = Some(best.map_or(gain, |best| best.max(gain)));
                }
            }
        }
        assert_same(found, best);
    }
}

#[test]
fn category_search_equals_trying_every_subset() {
    let mut random = Random::new(22, 0);
    for _ in 0..60 {
        let bins = 2 + random.below(8);
        let (sums, leaf) = random_sums(&mut random, bins);
        // Subsets are compared without a least hessian, because sorting does not promise the best bounded subset.
        let rules = SplitRules {
            hessian_min: 0.0,
            ..rules(0.0, 0.0)
        };
        let found = search(
            &sums,
            &feature(FeatureKind::Categorical, Monotone::Free, bins),
            0,
            &leaf,
            &rules,
        );
        let present: Vec<usize> = (0..256).filter(|&bin| sums[bin] != 0).collect();
        let mut best: Option<f64> = None;
        for subset in 1_u32..(1 << present.len()) - 1 {
            let set = std::array::from_fn(|bin| {
                present
                    .iter()
                    .position(|&at| at == bin)
                    .is_some_and(|at| subset >> at & 1 == 1)
            });
            if let Some(gain) = gain_of_set(&sums, &set, &leaf, &rules, Monotone::Free) {
                best = Some(best.map_or(gain, |best| best.max(gain)));
            }
        }
        assert_same(found, best);
    }
}

#[test]
fn one_against_rest_tries_each_category() {
    let mut random = Random::new(23, 0);
    for _ in 0..100 {
        let (sums, leaf) = random_sums(&mut random, 4);
        let mut rules = rules(0.0, 1.0);
        rules.category.one_hot_max = 8;
        let found = search(
            &sums,
            &feature(FeatureKind::Categorical, Monotone::Free, 4),
            0,
            &leaf,
            &rules,
        );
        let mut best: Option<f64> = None;
        for bin in [0, 1, 2, 3, 255] {
            let set = std::array::from_fn(|at| at == bin);
            if let Some(gain) = gain_of_set(&sums, &set, &leaf, &rules, Monotone::Free) {
                best = Some(best.map_or(gain, |best| best.max(gain)));
            }
        }
        assert_same(found, best);
    }
}

#[test]
fn the_left_sum_belongs_to_the_rule() {
    let mut random = Random::new(24, 0);
    for trial in 0..300 {
        let bins = 3 + random.below(20);
        let (sums, leaf) = random_sums(&mut random, bins);
        let kind = [FeatureKind::Numeric, FeatureKind::Categorical][trial % 2];
        let Some(found) = search(
            &sums,
            &feature(kind, Monotone::Free, bins),
            0,
            &leaf,
            &rules(0.0, 1.0),
        ) else {
            continue;
        };
        let goes_left = |bin: usize| match found.rule {
            Rule::Threshold { missing_left, .. } if bin == 255 => missing_left.unwrap_or(false),
            Rule::Threshold { bin: last, .. } => bin <= usize::from(last),
            Rule::Subset { mask } => mask[bin / 64] >> (bin % 64) & 1 == 1,
        };
        let left: i64 = (0..256)
            .filter(|&bin| goes_left(bin))
            .map(|bin| sums[bin])
            .sum();
        assert_eq!(left, found.left);
    }
}

#[test]
fn equal_gains_go_to_the_lower_feature() {
    let candidate = |used, gain| {
        Some(Candidate {
            gain,
            used,
            rule: Rule::Subset { mask: [0; 4] },
            left: 0,
        })
    };
    assert_eq!(
        Candidate::better(candidate(3, 1.0), candidate(2, 1.0)),
        candidate(2, 1.0)
    );
    assert_eq!(
        Candidate::better(candidate(2, 1.0), candidate(3, 1.0)),
        candidate(2, 1.0)
    );
    assert_eq!(
        Candidate::better(candidate(2, 1.0), candidate(3, 1.5)),
        candidate(3, 1.5)
    );
}

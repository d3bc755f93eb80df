//! Quantile bins: each feature's values become one byte, so that histograms have at most 256 places.
//!
//! Place on the path: dataset → **binning** → histogram → split → tree → boost → model.
//!
//! Value bins are `0..=254`; [`MISSING_BIN`] holds missing values, and for categories also the codes that were too
//! rare or unknown. A numeric value lies in the first bin whose upper cut it does not exceed. Cuts are midpoints of
//! neighbouring training values, so a threshold never depends on how a value between two seen ones is rounded.

use crate::dataset::{Dataset, FeatureKind, category_code};
use crate::random::Random;
use std::collections::BTreeMap;

/// The bin of missing and unknown values.
pub(crate) const MISSING_BIN: u8 = 255;
/// Most value bins of one feature.
pub const BINS_MAX: usize = 255;
/// With more rows than this, cuts are taken from a sample of this many, the same whatever the seed of the training, so that
/// forests of several seeds read the same bins.
const CUT_SAMPLE_ROWS: usize = 200_000;
const CUT_SAMPLE_SEED: u64 = 0;

/// How one feature's values map to bins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FeatureBins {
    /// Ascending upper bounds, inclusive; the last bin has none. Bins = cuts + 1.
    Numeric { cuts: Vec<f32> },
    /// Ascending codes and the bin of each, most frequent code first.
    Categorical { codes: Vec<u32>, bins: Vec<u8> },
}

impl FeatureBins {
    /// Learns the bins of a feature from values with their weights.
    pub(crate) fn of(
        kind: FeatureKind,
        values: impl Iterator<Item = (f32, f32)>,
        bins_max: usize,
    ) -> Self {
        let weighted = weighted_values(values);
        match kind {
            FeatureKind::Numeric => Self::Numeric {
                cuts: quantile_cuts(&weighted, bins_max),
            },
            FeatureKind::Categorical => frequent_categories(&weighted, bins_max),
        }
    }

    /// Number of value bins, without the missing one.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Numeric { cuts } => cuts.len() + 1,
            Self::Categorical { codes, .. } => codes.len(),
        }
    }

    /// The bin of a value.
    pub(crate) fn bin_of(&self, value: f32) -> u8 {
        match self {
            Self::Numeric { cuts } => {
                if value.is_nan() {
                    return MISSING_BIN;
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "there are at most 254 cuts"
                )]
                let bin = cuts.partition_point(|&cut| cut < value) as u8;
                bin
            }
            Self::Categorical { codes, bins } => category_code(value)
                .and_then(|code| codes.binary_search(&code).ok())
                .map_or(MISSING_BIN, |found| bins[found]),
        }
    }
}

/// The bins of every feature of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Binner {
    pub(crate) features: Vec<FeatureBins>,
}

impl Binner {
    /// Learns bins from a table; `bins_max` in `2..=255`. Rows of weight zero are not looked at.
    pub(crate) fn fit(dataset: &Dataset, bins_max: usize, threads: usize) -> Self {
        let sample = cut_sample(dataset.rows());
        let indices: Vec<usize> = (0..dataset.features().len()).collect();
        let share = indices.len().div_ceil(threads.max(1));
        let sample = sample.as_deref();
        let features = std::thread::scope(|scope| {
            let workers: Vec<_> = indices
                .chunks(share)
                .map(|part| scope.spawn(move || learn_features(dataset, part, sample, bins_max)))
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| {
                    worker
                        .join()
                        .expect("binning does not panic on a checked table")
                })
                .collect()
        });
        Self { features }
    }
}

fn learn_features(
    dataset: &Dataset,
    part: &[usize],
    sample: Option<&[usize]>,
    bins_max: usize,
) -> Vec<FeatureBins> {
    part.iter()
        .map(|&feature| {
            let values = dataset.column(feature);
            let value = |row: usize| {
                let weight = dataset.weights().map_or(1.0, |weights| weights[row]);
                (values[row], weight)
            };
            let kind = dataset.features()[feature].kind;
            match sample {
                Some(rows) => FeatureBins::of(kind, rows.iter().map(|&row| value(row)), bins_max),
                None => FeatureBins::of(kind, (0..values.len()).map(value), bins_max),
            }
        })
        .collect()
}

/// The rows from which cuts are taken, where these are not all.
pub(crate) fn cut_sample(rows: usize) -> Option<Vec<usize>> {
    let random = || Random::new(CUT_SAMPLE_SEED, u64::MAX);
    (rows > CUT_SAMPLE_ROWS).then(|| random().choose_ordered(rows, CUT_SAMPLE_ROWS))
}

/// The distinct present values in ascending order, each with its total weight; from values with their weights.
fn weighted_values(values: impl Iterator<Item = (f32, f32)>) -> Vec<(f32, f64)> {
    let present = values.filter(|(value, weight)| !value.is_nan() && *weight > 0.0);
    let mut keyed: Vec<(u32, f64)> = present
        .map(|(value, weight)| (order_key(value), f64::from(weight)))
        .collect();
    // A stable sort keeps equal values in row order, so that their weights add up the same way every time.
    keyed.sort_by_key(|&(key, _)| key);
    let mut distinct: Vec<(f32, f64)> = Vec::new();
    let mut last = None;
    for (key, weight) in keyed {
        if last == Some(key) {
            distinct.last_mut().expect("a last key has an entry").1 += weight;
        } else {
            distinct.push((value_of_key(key), weight));
            last = Some(key);
        }
    }
    distinct
}

/// A key whose unsigned order is the order of the values; both zeros share one key.
fn order_key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 {
        bits | 0x8000_0000
    } else {
        !bits
    }
}

fn value_of_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 {
        key & 0x7FFF_FFFF
    } else {
        !key
    })
}

/// Cuts that give every bin about the same weight; a value heavier than that has a bin of its own.
fn quantile_cuts(distinct: &[(f32, f64)], bins_max: usize) -> Vec<f32> {
    if distinct.len() <= bins_max {
        return distinct
            .windows(2)
            .map(|pair| midpoint(pair[0].0, pair[1].0))
            .collect();
    }
    let total: f64 = distinct.iter().map(|&(_, weight)| weight).sum();
    let fair = total / bins_max as f64;
    let heavy: Vec<bool> = distinct.iter().map(|&(_, weight)| weight >= fair).collect();
    let mut light_bins = bins_max - heavy.iter().filter(|&&is| is).count().min(bins_max - 1);
    let mut light_left: f64 = distinct
        .iter()
        .zip(&heavy)
        .filter(|&(_, &is)| !is)
        .map(|(&(_, weight), _)| weight)
        .sum();
    let mut target = light_left / light_bins as f64;
    let mut cuts = Vec::with_capacity(bins_max - 1);
    let mut filled = 0.0;
    for index in 0..distinct.len() - 1 {
        let weight = distinct[index].1;
        filled += weight;
        if !heavy[index] {
            light_left -= weight;
        }
        let closes = heavy[index]
            || filled >= target
            || (heavy[index + 1] && filled >= (target * 0.5).max(f64::MIN_POSITIVE));
        if closes {
            cuts.push(midpoint(distinct[index].0, distinct[index + 1].0));
            filled = 0.0;
            if !heavy[index] {
                light_bins = light_bins.saturating_sub(1).max(1);
                target = light_left / light_bins as f64;
            }
            if cuts.len() == bins_max - 1 {
                break;
            }
        }
    }
    cuts
}

/// A cut with `low <= cut < high`, halfway where `f32` allows it.
fn midpoint(low: f32, high: f32) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the midpoint of two f32 is in the range of f32"
    )]
    let middle = (f64::from(low) * 0.5 + f64::from(high) * 0.5) as f32;
    if middle >= high { low } else { middle }
}

/// The heaviest codes get bins in order of weight, ties by code; the rest shares the missing bin.
fn frequent_categories(distinct: &[(f32, f64)], bins_max: usize) -> FeatureBins {
    let mut ranked: Vec<(u32, f64)> = distinct
        .iter()
        .filter_map(|&(value, weight)| category_code(value).map(|code| (code, weight)))
        .collect();
    ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    ranked.truncate(bins_max);
    let by_code: BTreeMap<u32, u8> = ranked
        .iter()
        .zip(0_u8..)
        .map(|(&(code, _), bin)| (code, bin))
        .collect();
    FeatureBins::Categorical {
        codes: by_code.keys().copied().collect(),
        bins: by_code.values().copied().collect(),
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

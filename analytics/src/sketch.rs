//! Quantiles of what is skewed (durations, money), of any number of values in a few hundred counters.
//!
//! Source: Masson, Rim, Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees",
//! VLDB 2019, with logarithmic bins and without collapsing: whole numbers up to 2^63 need some 2,200 bins at 1 %. Merging is
//! adding counters, so sketches of parts merge to that of the whole, bit for bit, in any order.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

/// How far a quantile may lie from the true one, as a share of it.
pub const RELATIVE_ERROR: f64 = 0.01;

/// The quantiles of some whole numbers; what is below 1 counts as 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sketch {
    zeros: u64,
    /// By bin: how many values lie above `gamma^(bin - 1)` and up to `gamma^bin`.
    bins: BTreeMap<i32, u64>,
}

/// The ratio of a bin's ends.
fn gamma() -> f64 {
    (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)
}

impl Sketch {
    /// Takes in a value.
    pub fn add(&mut self, value: i64) {
        if value < 1 {
            self.zeros += 1;
            return;
        }
        let bin = ((value as f64).ln() / gamma().ln()).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the logarithm of an i64 is small"
        )]
        let bin = bin as i32;
        *self.bins.entry(bin).or_default() += 1;
    }

    /// Takes in what another one has.
    pub fn merge(&mut self, other: &Sketch) {
        self.zeros += other.zeros;
        for (bin, count) in &other.bins {
            *self.bins.entry(*bin).or_default() += count;
        }
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.zeros + self.bins.values().sum::<u64>()
    }

    /// The value below or at which a `share` (0 to 1) of the values lies; within [`RELATIVE_ERROR`] of that value. `None` of
    /// no values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.count().checked_sub(1)?;
        let rank = share.clamp(0.0, 1.0) * last as f64;
        let mut below = self.zeros;
        if (below as f64) > rank {
            return Some(0.0);
        }
        for (bin, count) in &self.bins {
            below += count;
            if below as f64 > rank {
                return Some(2.0 * gamma().powi(*bin) / (gamma() + 1.0));
            }
        }
        None
    }
}

//! Randomness that is the same on every machine and for ever.
//!
//! The generator is xoshiro256** seeded by SplitMix64 (D. Blackman, S. Vigna, "Scrambled Linear Pseudorandom Number
//! Generators", ACM TOMS 47, 2021). It is written out here because a crate may change its streams with a release, and
//! the demo's history must not. For the same reason nothing in the simulator calls `ln`, `exp` or `powf`: their last
//! bit is the platform's choice, while `+ - * /` are fixed by IEEE 754.

#[cfg(test)]
mod tests;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream named `label` and `index` under `seed`. Streams of different names do not move when one of them is
    /// drawn from more often, so a change to one part of the simulator leaves the others as they were.
    pub(super) fn new(seed: u64, label: &str, index: usize) -> Self {
        let mut mixed = seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in label.bytes().chain(index.to_le_bytes()) {
            mixed = split_mix(&mut mixed.rotate_left(7)) ^ u64::from(byte);
        }
        Random {
            state: std::array::from_fn(|_| split_mix(&mut mixed)),
        }
    }

    /// 64 random bits.
    fn next(&mut self) -> u64 {
        let [first, second, third, fourth] = &mut self.state;
        let result = second.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *second << 17;
        *third ^= *first;
        *fourth ^= *second;
        *second ^= *third;
        *first ^= *fourth;
        *third ^= shifted;
        *fourth = fourth.rotate_left(45);
        result
    }

    /// A number from 0 up to and without 1, in steps of 2^-53.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        debug_assert!(low <= high);
        let span = low.abs_diff(high) as u128 + 1;
        // The high half of a product; its bias is span / 2^64, far below what any test could see.
        let offset = (u128::from(self.next()) * span) >> 64;
        low + i64::try_from(offset).unwrap_or(0)
    }

    /// A number from `low` up to and without `high`.
    pub(super) fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// One of the items, each with its weight.
    ///
    /// # Panics
    /// If `table` is empty.
    pub(super) fn weighted<T: Copy>(&mut self, table: &[(T, f64)]) -> T {
        let total: f64 = table.iter().map(|(_, weight)| weight).sum();
        let mut left = self.unit() * total;
        for (item, weight) in table {
            if left < *weight {
                return *item;
            }
            left -= weight;
        }
        table
            .last()
            .expect("tables of choices are constants with items")
            .0
    }

    /// An index into `weights`, by weight.
    pub(super) fn index(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        weights.len() - 1
    }

    /// A draw from the distribution whose quantile function is `table`: (share below, value), straight between.
    pub(super) fn quantile(&mut self, table: &[(f64, f64)]) -> f64 {
        let share = self.unit();
        for pair in table.windows(2) {
            let ((low, from), (high, to)) = (pair[0], pair[1]);
            if share < high {
                return from + (to - from) * (share - low) / (high - low);
            }
        }
        table.last().map_or(0.0, |(_, value)| *value)
    }
}

/// The nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "metres, minutes and cents of one depot are far within 2^53"
)]
pub(super) fn round(value: f64) -> i64 {
    (value + 0.5).floor() as i64
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

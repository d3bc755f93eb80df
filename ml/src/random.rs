//! Seeded randomness: where sampling, bagging and isolation trees get their numbers.
//!
//! Training must give the same bytes on every machine, so the generator is spelled out here instead of taken
//! from a crate whose stream may change with its version.
//!
//! Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014 (SplitMix64).

/// A SplitMix64 stream: 64 bits of state, period 2^64.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    /// The stream named by `seed` and `lane`; two lanes of one seed are unrelated.
    pub(crate) fn new(seed: u64, lane: u64) -> Self {
        Self {
            state: mix(seed ^ mix(lane.wrapping_mul(GOLDEN_GAMMA))),
        }
    }

    /// The next 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// Uniform in [0, 1), with 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        let mantissa = (self.next() >> 11) as f64;
        mantissa / 9_007_199_254_740_992.0
    }

    /// Uniform in `0..bound`; zero when `bound` is zero. The bias is below 2^-32 for any bound used here.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next()) * (bound as u128);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the high word is below bound, which is a usize"
        )]
        let high = (wide >> 64) as usize;
        high
    }

    /// `count` distinct members of `0..total` in ascending order (Knuth's selection sampling, algorithm S).
    pub(crate) fn choose_ordered(&mut self, total: usize, count: usize) -> Vec<usize> {
        let mut chosen = Vec::with_capacity(count.min(total));
        self.choose_each(total, count, |member| chosen.push(member));
        chosen
    }

    /// The same, told one by one.
    pub(crate) fn choose_each(&mut self, total: usize, count: usize, mut take: impl FnMut(usize)) {
        let mut wanted = count.min(total);
        for candidate in 0..total {
            if wanted == 0 {
                break;
            }
            if self.below(total - candidate) < wanted {
                take(candidate);
                wanted -= 1;
            }
        }
    }
}

/// The finaliser of SplitMix64: every input bit flips every output bit with probability one half.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

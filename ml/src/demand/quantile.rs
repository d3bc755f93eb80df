//! Counts around a mean: the negative binomial distribution, and Poisson where demand is no wider than that.

/// A distribution of counts with a mean and a variance of `dispersion` times the mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NegativeBinomial {
    mean: f64,
    dispersion: f64,
}

/// Counts beyond this many means and deviations are not looked at.
const STEPS_MAX: u32 = 1_000_000;
/// Counts whose probability has a logarithm below this are walked over in logs: as doubles they would soon be zero, and
/// zero times any ratio stays zero.
const LOG_PROBABILITY_MIN: f64 = -600.0;

impl NegativeBinomial {
    /// A mean that is not negative; a dispersion below 1 counts as 1, which is Poisson.
    #[must_use]
    pub fn new(mean: f64, dispersion: f64) -> Self {
        Self {
            mean: mean.max(0.0),
            dispersion: dispersion.max(1.0),
        }
    }

    /// The smallest count whose cumulative probability reaches `level`. Walks up from zero, O(quantile).
    #[must_use]
    pub fn quantile(&self, level: f64) -> f64 {
        if self.mean <= 0.0 || level <= 0.0 {
            return 0.0;
        }
        if self.mean > 10_000.0 {
            // Far from zero the normal approximation is closer than a count.
            let deviation = (self.mean * self.dispersion).sqrt();
            return (self.mean + deviation * normal_quantile(level.min(1.0 - 1e-12)))
                .round()
                .max(0.0);
        }
        let (mut log_probability, mut count) = (self.log_none(), 0_u32);
        // What is walked over here adds up to less than any level. The walk ends well before the mode, whose logarithm
        // is about -10 for the largest mean.
        while log_probability < LOG_PROBABILITY_MIN && count < STEPS_MAX {
            log_probability += self.ratio(f64::from(count)).ln();
            count += 1;
        }
        let mut probability = log_probability.exp();
        let mut reached = probability;
        while reached < level.min(1.0 - 1e-12) && count < STEPS_MAX {
            probability *= self.ratio(f64::from(count));
            reached += probability;
            count += 1;
        }
        f64::from(count)
    }

    /// Logarithm of the probability of zero.
    fn log_none(&self) -> f64 {
        if self.dispersion - 1.0 < 1e-9 {
            return -self.mean;
        }
        let size = self.mean / (self.dispersion - 1.0);
        -size * self.dispersion.ln()
    }

    /// Probability of `count + 1` over that of `count`.
    fn ratio(&self, count: f64) -> f64 {
        if self.dispersion - 1.0 < 1e-9 {
            return self.mean / (count + 1.0);
        }
        let size = self.mean / (self.dispersion - 1.0);
        (size + count) / (count + 1.0) * (1.0 - 1.0 / self.dispersion)
    }
}

/// Variance over mean of a history, at least 1; with little history drawn towards 2, which is usual for parts.
pub(super) fn dispersion(series: &[f64]) -> f64 {
    const PRIOR_PERIODS: f64 = 6.0;
    let count = series.len() as f64;
    let mean = series.iter().sum::<f64>() / count.max(1.0);
    if mean <= 0.0 {
        return 2.0;
    }
    let variance = series
        .iter()
        .map(|demand| (demand - mean) * (demand - mean))
        .sum::<f64>()
        / (count - 1.0).max(1.0);
    let own = (variance / mean).max(1.0);
    (own * count + 2.0 * PRIOR_PERIODS) / (count + PRIOR_PERIODS)
}

/// Quantile of the standard normal distribution, absolute error below 4.5e-4.
/// Source: Abramowitz, Stegun, "Handbook of Mathematical Functions", 26.2.23.
fn normal_quantile(level: f64) -> f64 {
    let tail = level.min(1.0 - level).max(1e-300);
    let t = (-2.0 * tail.ln()).sqrt();
    let distance = t
        - (2.515_517 + 0.802_853 * t + 0.010_328 * t * t)
            / (1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t * t * t);
    if level < 0.5 { -distance } else { distance }
}

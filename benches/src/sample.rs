//! Durations of single operations, and what is said about them.

use std::time::{Duration, Instant};

/// How long each of many operations took.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    nanos: Vec<u64>,
}

impl Sample {
    /// Runs `operation` `count` times and notes how long each took.
    ///
    /// # Errors
    /// The first error that `operation` returns.
    pub fn of<E>(count: usize, mut operation: impl FnMut() -> Result<(), E>) -> Result<Self, E> {
        let mut sample = Sample::default();
        sample.nanos.reserve(count);
        for _ in 0..count {
            let began = Instant::now();
            operation()?;
            sample.push(began.elapsed());
        }
        Ok(sample)
    }

    /// Notes one duration.
    pub fn push(&mut self, took: Duration) {
        self.nanos
            .push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Takes over what another sample holds.
    pub fn absorb(&mut self, other: Sample) {
        self.nanos.extend(other.nanos);
    }

    /// How many durations are held.
    pub fn count(&self) -> usize {
        self.nanos.len()
    }

    /// The duration, in microseconds, that the share `quantile` (0 to 1) of operations stayed within: the nearest rank.
    /// 0 for an empty sample.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank within the sample"
    )]
    pub fn quantile_micros(&self, quantile: f64) -> f64 {
        let mut sorted = self.nanos.clone();
        sorted.sort_unstable();
        let rank = (quantile * sorted.len() as f64).ceil() as usize;
        let nanos = sorted.get(rank.max(1) - 1).copied().unwrap_or(0);
        nanos as f64 / 1e3
    }

    /// The median in microseconds.
    pub fn p50(&self) -> f64 {
        self.quantile_micros(0.5)
    }

    /// The 99th percentile in microseconds.
    pub fn p99(&self) -> f64 {
        self.quantile_micros(0.99)
    }

    /// Operations a second, had they been done one after the other without pause.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate needs no 53 bits of precision"
    )]
    pub fn rate(&self) -> f64 {
        let sum: u64 = self.nanos.iter().sum();
        self.nanos.len() as f64 / (sum.max(1) as f64 / 1e9)
    }
}

/// The median of some numbers; the mean of the two middle ones for an even count, 0 for none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(&below), Some(&above)) if sorted.len().is_multiple_of(2) => {
            f64::midpoint(below, above)
        }
        (_, Some(&middle)) => middle,
        _ => 0.0,
    }
}

/// How many a second.
#[expect(
    clippy::cast_precision_loss,
    reason = "a rate needs no 53 bits of precision"
)]
pub fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests;

//! Time of this thread's processor, which waiting for a core does not add to.

use rustix::time::{ClockId, clock_gettime};

/// A single measurement is repeated until it has taken this long, in nanoseconds.
const ENOUGH_NS: f64 = 30_000_000.0;

/// Nanoseconds that this thread has computed so far.
pub fn cpu_ns() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// The median nanoseconds of `work`, each time on what `fresh` makes, which is not counted. Short work is repeated.
pub fn median_ns<T, U>(mut fresh: impl FnMut() -> T, mut work: impl FnMut(&mut T) -> U) -> f64 {
    let mut times = Vec::new();
    let mut spent = 0.0;
    while spent < ENOUGH_NS {
        let mut on = fresh();
        let begun = cpu_ns();
        let made = std::hint::black_box(work(&mut on));
        let took = cpu_ns() - begun;
        drop(made);
        times.push(took);
        spent += took;
    }
    median(&times)
}

/// The middle one; the mean of the two in the middle of an even number. NaN of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

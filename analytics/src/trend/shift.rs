//! Where a figure's level changed for good: a depot opened, a task plan was replaced.

/// Months on either side of a shift: a level that holds shorter is a peak.
const MONTHS_BETWEEN_MIN: usize = 6;
/// The penalty of one more shift, in units of the noise's variance times the logarithm of the months: a place and two
/// levels are chosen freely, and what is chosen freely fits chance.
const PENALTY: f64 = 4.0;
/// From median absolute deviation to standard deviation under the normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// A change of level.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shift {
    /// The first month of the new level, counted from the series' first.
    pub month: usize,
    /// Mean before, back to the shift before it.
    pub before: f64,
    /// Mean from here on, up to the next shift.
    pub after: f64,
}

/// The shifts of the level of `values` (one a month, finite), oldest first; none below a year.
///
/// The segmentation that makes squared distances from the segments' means plus a penalty a shift least, found exactly
/// by PELT (Killick, Fearnhead and Eckley 2012). The noise is measured on the differences of neighbours, which a shift
/// touches once only.
pub fn level_shifts(values: &[f64]) -> Vec<Shift> {
    let months = values.len();
    if months < 2 * MONTHS_BETWEEN_MIN {
        return Vec::new();
    }
    let noise = noise_variance(values);
    if noise == 0.0 {
        return Vec::new();
    }
    let penalty = PENALTY * noise * (months as f64).ln();
    let sums = Sums::of(values);
    let starts = best_starts(&sums, months, penalty);
    let mut ends = vec![months];
    let mut end = months;
    while starts[end] > 0 {
        end = starts[end];
        ends.push(end);
    }
    ends.push(0);
    ends.reverse();
    ends.windows(3)
        .map(|at| Shift {
            month: at[1],
            before: sums.mean(at[0], at[1]),
            after: sums.mean(at[1], at[2]),
        })
        .collect()
}

/// For each count of months, where the last segment of their best segmentation begins.
fn best_starts(sums: &Sums, months: usize, penalty: f64) -> Vec<usize> {
    let mut cost = vec![f64::INFINITY; months + 1];
    cost[0] = -penalty;
    let mut starts = vec![0; months + 1];
    let mut candidates = vec![0_usize];
    for end in MONTHS_BETWEEN_MIN..=months {
        let newest = end - MONTHS_BETWEEN_MIN;
        if newest >= MONTHS_BETWEEN_MIN {
            candidates.push(newest);
        }
        for start in &candidates {
            let total = cost[*start] + sums.squares(*start, end) + penalty;
            if total < cost[end] {
                cost[end] = total;
                starts[end] = *start;
            }
        }
        // A start that costs more than the best without a further penalty can never be best later. It is kept as long
        // as segments of the least length could still be what saves it.
        let best = cost[end];
        candidates.retain(|start| {
            end - start < 2 * MONTHS_BETWEEN_MIN || cost[*start] + sums.squares(*start, end) <= best
        });
    }
    starts
}

/// The variance of noise around a level, from differences of neighbours; robust against the few that shifts make.
fn noise_variance(values: &[f64]) -> f64 {
    let mut distances: Vec<f64> = values
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .collect();
    distances.sort_by(f64::total_cmp);
    let deviation = MAD_TO_DEVIATION * super::median(&distances);
    deviation * deviation / 2.0
}

/// Running sums, so that a segment's mean and squares cost the same whatever its length. Values are taken relative to
/// the first, to keep the squares exact.
struct Sums {
    first: f64,
    values: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    fn of(values: &[f64]) -> Self {
        let first = values[0];
        let (mut sum, mut square) = (0.0, 0.0);
        let mut sums = Sums {
            first,
            values: vec![0.0],
            squares: vec![0.0],
        };
        for value in values {
            sum += value - first;
            square += (value - first) * (value - first);
            sums.values.push(sum);
            sums.squares.push(square);
        }
        sums
    }

    fn mean(&self, start: usize, end: usize) -> f64 {
        self.first + (self.values[end] - self.values[start]) / (end - start) as f64
    }

    /// The squared distances from the segment's mean.
    fn squares(&self, start: usize, end: usize) -> f64 {
        let sum = self.values[end] - self.values[start];
        let square = self.squares[end] - self.squares[start];
        (square - sum * sum / (end - start) as f64).max(0.0)
    }
}

/// The cost of the segmentation found, and that of the best without pruning.
#[cfg(test)]
pub(super) fn for_tests(values: &[f64], penalty: f64) -> (f64, f64) {
    let sums = Sums::of(values);
    let months = values.len();
    let starts = best_starts(&sums, months, penalty);
    let (mut found, mut end) = (-penalty, months);
    while end > 0 {
        found += sums.squares(starts[end], end) + penalty;
        end = starts[end];
    }
    let mut best = vec![f64::INFINITY; months + 1];
    best[0] = -penalty;
    for end in MONTHS_BETWEEN_MIN..=months {
        for start in 0..=end - MONTHS_BETWEEN_MIN {
            best[end] = best[end].min(best[start] + sums.squares(start, end) + penalty);
        }
    }
    (found, best[months])
}

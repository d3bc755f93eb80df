//! Whether a monthly series has a season, and its classical decomposition.

/// Months of a year.
pub(super) const SEASON: usize = 12;
/// Two-sided 90 % of the normal distribution, as the M4 competition tests for a season.
const NORMAL_90: f64 = 1.645;

/// A series with its season taken out, and how to put it back.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Adjusted {
    /// The series without its season.
    pub(super) values: Vec<f64>,
    /// The season by month of the series (index 0: months 0, 12, …); neutral without a season.
    index: [f64; SEASON],
    multiplies: bool,
}

impl Adjusted {
    /// Takes the season out where the series has one: as factors where all values are positive, else as summands. The
    /// season is drawn in by what chance has in it.
    pub(super) fn of(series: &[f64]) -> Self {
        Adjusted::by(series, shrunken_index)
    }

    /// The same with the classical season as it is, by which the competitions measure.
    #[cfg(test)]
    pub(super) fn classical(series: &[f64]) -> Self {
        Adjusted::by(series, classical_index)
    }

    fn by(series: &[f64], index: fn(&[f64], bool) -> [f64; SEASON]) -> Self {
        let multiplies = series.iter().all(|value| *value > 0.0);
        if !is_seasonal(series) {
            return Adjusted {
                values: series.to_vec(),
                index: [neutral(multiplies); SEASON],
                multiplies,
            };
        }
        let index = index(series, multiplies);
        let values = series
            .iter()
            .enumerate()
            .map(|(month, value)| {
                let season = index[month % SEASON];
                if multiplies {
                    value / season
                } else {
                    value - season
                }
            })
            .collect();
        Adjusted {
            values,
            index,
            multiplies,
        }
    }

    /// The forecast of the series for month `month` (counted from the series' first), given that without the season.
    pub(super) fn with_season(&self, month: usize, value: f64) -> f64 {
        let season = self.index[month % SEASON];
        if self.multiplies {
            value * season
        } else {
            value + season
        }
    }
}

/// Whether the autocorrelation at twelve months is too large for chance (90 %), with Bartlett's variance; false for less
/// than three years. Source: the M4 competition's benchmarks.
pub(crate) fn is_seasonal(series: &[f64]) -> bool {
    if series.len() < 3 * SEASON {
        return false;
    }
    let squares: f64 = (1..SEASON)
        .map(|lag| autocorrelation(series, lag).powi(2))
        .sum();
    let limit = NORMAL_90 * ((1.0 + 2.0 * squares) / series.len() as f64).sqrt();
    autocorrelation(series, SEASON).abs() > limit
}

/// The autocorrelation at `lag`; 0 for a constant series.
pub(crate) fn autocorrelation(series: &[f64], lag: usize) -> f64 {
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    let total: f64 = series.iter().map(|value| (value - mean).powi(2)).sum();
    if total == 0.0 || lag >= series.len() {
        return 0.0;
    }
    let together: f64 = series
        .iter()
        .zip(&series[lag..])
        .map(|(before, after)| (before - mean) * (after - mean))
        .sum();
    together / total
}

/// What a season is that changes nothing.
fn neutral(multiplies: bool) -> f64 {
    if multiplies { 1.0 } else { 0.0 }
}

/// Each month with its distance from the centred moving average.
fn distances(series: &[f64], multiplies: bool) -> impl Iterator<Item = (usize, f64)> {
    let half = SEASON / 2;
    (half..series.len() - half).map(move |month| {
        let inner: f64 = series[month - half + 1..month + half].iter().sum();
        let average = (0.5 * (series[month - half] + series[month + half]) + inner) / SEASON as f64;
        let distance = match multiplies {
            true => series[month] / average,
            false => series[month] - average,
        };
        (month, distance)
    })
}

/// The classical index, drawn towards no season by the share of its variance that is chance. Source: Miller and Williams
/// 2003, "Shrinkage estimators of time series seasonal factors and their effect on forecasting accuracy" (James-Stein).
fn shrunken_index(series: &[f64], multiplies: bool) -> [f64; SEASON] {
    let index = classical_index(series, multiplies);
    let (mut sums, mut squares) = ([0.0; SEASON], [0.0; SEASON]);
    let mut counts = [0_u32; SEASON];
    for (month, distance) in distances(series, multiplies) {
        let of = month % SEASON;
        sums[of] += distance;
        squares[of] += distance * distance;
        counts[of] += 1;
    }
    // How far a month's mean strays by chance, squared; a month with one value says nothing of it.
    let strays = (0..SEASON).filter(|of| counts[*of] > 1).map(|of| {
        let n = f64::from(counts[of]);
        (squares[of] - sums[of] * sums[of] / n).max(0.0) / (n - 1.0) / n
    });
    let chance = strays.sum::<f64>() / SEASON as f64;
    let neutral = neutral(multiplies);
    let spread = index.iter().map(|value| (value - neutral).powi(2));
    let spread = spread.sum::<f64>() / (SEASON as f64 - 1.0);
    if spread <= 0.0 {
        return index;
    }
    let freedom = (SEASON as f64 - 3.0) / (SEASON as f64 - 1.0);
    let share = (freedom * chance / spread).clamp(0.0, 1.0);
    index.map(|value| share * neutral + (1.0 - share) * value)
}

/// Mean distance from the centred moving average, by month of the year, normed to leave the level alone.
fn classical_index(series: &[f64], multiplies: bool) -> [f64; SEASON] {
    let mut sums = [0.0; SEASON];
    let mut counts = [0_u32; SEASON];
    for (month, distance) in distances(series, multiplies) {
        sums[month % SEASON] += distance;
        counts[month % SEASON] += 1;
    }
    let index: [f64; SEASON] =
        std::array::from_fn(|month| sums[month] / f64::from(counts[month].max(1)));
    let mean = index.iter().sum::<f64>() / SEASON as f64;
    index.map(|value| {
        if multiplies {
            value / mean
        } else {
            value - mean
        }
    })
}

/// What each month of the year adds to the level, estimated from the distances to the centred moving average; sums to 0.
/// Index 0 is the month of the series' first value. At least two years.
pub(crate) fn month_effects(series: &[f64]) -> [f64; SEASON] {
    classical_index(series, false)
}

//! Histograms of each column: the rarer a value's bin, the more bits of surprise.
//!
//! Source: Goldstein, Dengel, "Histogram-based Outlier Score (HBOS)", KI 2012.

use super::{COLUMNS_MAX, Offender};
use crate::frame::{ReadError, Reader, WriteError, Writer, require};
use ndarray::ArrayView2;

/// Most bins of one histogram.
const BINS_MAX: usize = 64;
/// Quantiles kept of each column.
const QUANTILES: usize = 32;

/// One column's histogram and quantiles.
#[derive(Debug, Clone, PartialEq)]
struct ColumnHistogram {
    low: f32,
    /// Bins over the range divided by the range; zero for a constant column.
    bins_per_unit: f32,
    /// Surprise in bits of each bin of equal width.
    surprise: Vec<f32>,
    missing_surprise: f32,
    outside_surprise: f32,
    quantiles: Vec<f32>,
}

/// Histograms of all columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histograms {
    columns: Vec<ColumnHistogram>,
}

impl Histograms {
    pub(super) fn fit(rows: &ArrayView2<'_, f32>) -> Self {
        Self {
            columns: rows
                .columns()
                .into_iter()
                .map(|column| ColumnHistogram::fit(&column.to_vec()))
                .collect(),
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Bits of surprise over all columns.
    pub(super) fn surprise(&self, row: &[f32]) -> f64 {
        self.columns
            .iter()
            .zip(row)
            .map(|(column, &value)| f64::from(column.surprise_of(value)))
            .sum()
    }

    pub(super) fn offenders(&self, row: &[f32]) -> Vec<Offender> {
        let each = self.columns.iter().zip(row).enumerate();
        each.map(|(column, (histogram, &value))| Offender {
            column,
            surprise: f64::from(histogram.surprise_of(value)),
            quantile: histogram.quantile_of(value),
        })
        .collect()
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), WriteError> {
        writer.length("columns", self.columns.len(), COLUMNS_MAX)?;
        for column in &self.columns {
            for value in [
                column.low,
                column.bins_per_unit,
                column.missing_surprise,
                column.outside_surprise,
            ] {
                writer.f32(value);
            }
            for (what, values, limit) in [
                ("bins", &column.surprise, BINS_MAX),
                ("quantiles", &column.quantiles, QUANTILES),
            ] {
                writer.length(what, values.len(), limit)?;
                values.iter().for_each(|&value| writer.f32(value));
            }
        }
        Ok(())
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let count = reader.length(COLUMNS_MAX, 24, "columns")?;
        require(count > 0, "columns")?;
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            let mut finite = |at| {
                let value = reader.f32(at)?;
                require(value.is_finite(), at)?;
                Ok::<_, ReadError>(value)
            };
            let (low, bins_per_unit) = (finite("low end")?, finite("bin width")?);
            let (missing_surprise, outside_surprise) = (finite("surprise")?, finite("surprise")?);
            let mut list = |limit, at| {
                let count = reader.length(limit, 4, at)?;
                (0..count)
                    .map(|_| reader.f32(at))
                    .collect::<Result<Vec<_>, _>>()
            };
            let (surprise, quantiles) = (list(BINS_MAX, "bins")?, list(QUANTILES, "quantiles")?);
            require(
                !surprise.is_empty() && surprise.iter().all(|value| value.is_finite()),
                "bins",
            )?;
            require(
                quantiles.windows(2).all(|pair| pair[0] <= pair[1]),
                "quantiles",
            )?;
            columns.push(ColumnHistogram {
                low,
                bins_per_unit,
                surprise,
                missing_surprise,
                outside_surprise,
                quantiles,
            });
        }
        Ok(Self { columns })
    }
}

impl ColumnHistogram {
    fn fit(values: &[f32]) -> Self {
        let mut sorted: Vec<f32> = values
            .iter()
            .copied()
            .filter(|value| !value.is_nan())
            .collect();
        sorted.sort_by(f32::total_cmp);
        let total = values.len() as f64;
        let bits = |share: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "surprise needs no more than f32"
            )]
            let bits = -share.log2() as f32;
            bits
        };
        let missing = values.len() - sorted.len();
        let (low, high) = (
            sorted.first().copied().unwrap_or(0.0),
            sorted.last().copied().unwrap_or(0.0),
        );
        let bins = bin_count(sorted.len());
        let width = (f64::from(high) - f64::from(low)) / bins as f64;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "bins need no more than f32"
        )]
        let bins_per_unit = if width > 0.0 {
            (1.0 / width) as f32
        } else {
            0.0
        };
        let mut histogram = Self {
            low,
            bins_per_unit: if bins_per_unit.is_finite() {
                bins_per_unit
            } else {
                0.0
            },
            surprise: Vec::new(),
            missing_surprise: bits((missing as f64 + 0.5) / (total + 1.0)),
            outside_surprise: bits(0.5 / (total + 1.0)),
            quantiles: (0..QUANTILES.min(sorted.len()))
                .map(|step| {
                    sorted[step * (sorted.len() - 1) / (QUANTILES.min(sorted.len()) - 1).max(1)]
                })
                .collect(),
        };
        histogram.surprise = vec![
            0.0;
            if histogram.bins_per_unit > 0.0 {
                bins
            } else {
                1
            }
        ];
        let mut counts = vec![0.0_f64; histogram.surprise.len()];
        for &value in &sorted {
            if let Some(bin) = histogram.bin_of(value) {
                counts[bin] += 1.0;
            }
        }
        // A tenth of the fullest bin's weight keeps an empty bin from drowning every other column.
        let most = counts.iter().copied().fold(1.0, f64::max);
        for (surprise, count) in histogram.surprise.iter_mut().zip(counts) {
            *surprise = bits((count / most + 0.1) / 1.1);
        }
        histogram
    }

    fn bin_of(&self, value: f32) -> Option<usize> {
        let at = (value - self.low) * self.bins_per_unit;
        // The highest value sits on the upper edge and belongs to the last bin.
        let last = self.surprise.len() - 1;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be within the bins"
        )]
        let bin = at as usize;
        (at >= 0.0 && at <= last as f32 + 1.001).then_some(bin.min(last))
    }

    fn surprise_of(&self, value: f32) -> f32 {
        if value.is_nan() {
            return self.missing_surprise;
        }
        if self.bins_per_unit == 0.0 {
            return if value == self.low {
                0.0
            } else {
                self.outside_surprise
            };
        }
        self.bin_of(value)
            .map_or(self.outside_surprise, |bin| self.surprise[bin])
    }

    fn quantile_of(&self, value: f32) -> f64 {
        if value.is_nan() || self.quantiles.is_empty() {
            return f64::NAN;
        }
        let below = self.quantiles.partition_point(|&step| step < value);
        let above = self.quantiles.partition_point(|&step| step <= value);
        f64::midpoint(below as f64, above as f64) / self.quantiles.len() as f64
    }
}

/// About the square root of the rows, within bounds.
fn bin_count(rows: usize) -> usize {
    rows.isqrt().clamp(5, BINS_MAX)
}

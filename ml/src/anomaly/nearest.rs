//! Distance to ordinary rows: how far the nearest row of a small random sample of training rows is, mean over three samples.
//!
//! Source: Sugiyama, Borgwardt, "Rapid Distance-Based Outlier Detection via Sampling", NeurIPS 2013 (a small sample of
//! references is enough). Columns are standardised; a missing value counts as the mean.

use super::COLUMNS_MAX;
use crate::frame::{ReadError, Reader, WriteError, Writer, require};
use crate::random::Random;
use ndarray::ArrayView2;

/// Reference rows.
const REFERENCES: usize = 96;
/// References of one block, whose distances are summed side by side; few enough for the processor's registers.
const BLOCK: usize = 32;

/// Reference rows by column, so that one column's differences are computed side by side.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct References {
    columns: Vec<ReferenceColumn>,
}

#[derive(Debug, Clone, PartialEq)]
struct ReferenceColumn {
    mean: f32,
    /// One over the standard deviation; zero for a constant column.
    scale: f32,
    /// Standardised values of the reference rows; repeated where there are fewer rows than references.
    values: Box<[f32; REFERENCES]>,
}

impl References {
    pub(super) fn fit(rows: &ArrayView2<'_, f32>, seed: u64) -> Self {
        let mut random = Random::new(seed, u64::MAX - 1);
        let chosen = random.choose_ordered(rows.nrows(), REFERENCES);
        let column = |column: usize| {
            let values: Vec<f64> = rows
                .column(column)
                .iter()
                .filter(|value| !value.is_nan())
                .map(|&value| f64::from(value))
                .collect();
            let count = values.len().max(1) as f64;
            let mean = values.iter().sum::<f64>() / count;
            let variance = values
                .iter()
                .map(|value| (value - mean) * (value - mean))
                .sum::<f64>()
                / count;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "scales need no more than f32"
            )]
            let (mean, scale) = (
                mean as f32,
                if variance > 0.0 {
                    variance.sqrt().recip() as f32
                } else {
                    0.0
                },
            );
            let mut made = ReferenceColumn {
                mean,
                scale: if scale.is_finite() { scale } else { 0.0 },
                values: Box::new([0.0; REFERENCES]),
            };
            for place in 0..REFERENCES {
                // Chosen rows are in order of time; each block takes every third, so that it knows the whole of it.
                let dealt = place % BLOCK * (REFERENCES / BLOCK) + place / BLOCK;
                made.values[place] = made.standardise(rows[(chosen[dealt % chosen.len()], column)]);
            }
            made
        };
        Self {
            columns: (0..rows.ncols()).map(column).collect(),
        }
    }

    /// Mean distance to the nearest reference of each block, in standard deviations. `standard` keeps the standardised row.
    pub(super) fn distance(&self, row: &[f32], standard: &mut Vec<f32>) -> f64 {
        standard.clear();
        let each = self.columns.iter().zip(row);
        standard.extend(each.map(|(column, &value)| column.standardise(value)));
        let mut total = 0.0;
        for block in 0..REFERENCES / BLOCK {
            let mut squares = [0.0_f32; BLOCK];
            for (column, &value) in self.columns.iter().zip(&*standard) {
                let references = &column.values.as_chunks::<BLOCK>().0[block];
                for (square, &reference) in squares.iter_mut().zip(references) {
                    let off = value - reference;
                    *square += off * off;
                }
            }
            total += f64::from(least(&squares).min(f32::MAX)).sqrt();
        }
        total / (REFERENCES / BLOCK) as f64
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), WriteError> {
        writer.length("reference columns", self.columns.len(), COLUMNS_MAX)?;
        for column in &self.columns {
            writer.f32(column.mean);
            writer.f32(column.scale);
            column.values.iter().for_each(|&value| writer.f32(value));
        }
        Ok(())
    }

    pub(super) fn read(reader: &mut Reader<'_>, columns: usize) -> Result<Self, ReadError> {
        let count = reader.length(COLUMNS_MAX, 8 + 4 * REFERENCES, "reference columns")?;
        require(count == columns, "reference columns")?;
        let mut made = Vec::with_capacity(count);
        for _ in 0..count {
            let mut finite = || {
                let value = reader.f32("reference")?;
                require(value.is_finite(), "reference")?;
                Ok::<_, ReadError>(value)
            };
            let (mean, scale) = (finite()?, finite()?);
            let mut values = Box::new([0.0; REFERENCES]);
            for value in values.iter_mut() {
                *value = finite()?;
            }
            made.push(ReferenceColumn {
                mean,
                scale,
                values,
            });
        }
        Ok(Self { columns: made })
    }
}

/// The least of a block, four lanes at a time.
#[inline]
fn least(squares: &[f32; BLOCK]) -> f32 {
    let mut lanes = [f32::INFINITY; 4];
    for quad in squares.as_chunks::<4>().0 {
        for (lane, &square) in lanes.iter_mut().zip(quad) {
            *lane = if square < *lane { square } else { *lane };
        }
    }
    lanes.into_iter().fold(f32::INFINITY, f32::min)
}

impl ReferenceColumn {
    #[inline]
    fn standardise(&self, value: f32) -> f32 {
        let standard = (value - self.mean) * self.scale;
        if standard.is_nan() {
            0.0
        } else {
            standard.clamp(-1e15, 1e15)
        }
    }
}

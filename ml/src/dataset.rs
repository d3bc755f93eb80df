//! The training table: checked once here, so that everything after it can trust its shape and its numbers.
//!
//! Place on the path: **dataset** → binning → histogram → split → tree → boost → model.
//!
//! Values are `f32`. A missing value is NaN; an infinite one is refused. A categorical value is its code, a whole
//! number from 0 to [`CATEGORY_CODE_MAX`]; the caller keeps the dictionary of names.

use ndarray::{Array2, ArrayView1, ArrayView2};

/// Most features of one table. A wider one is refused: at this width a histogram of one leaf is 8 MiB.
pub const FEATURES_MAX: usize = 4_096;
/// Most rows of one table; with more, fixed-point gradient sums would lose too many bits a row.
pub const ROWS_MAX: usize = 1 << 24;
/// Largest code of a category: the last whole number up to which `f32` is exact.
pub const CATEGORY_CODE_MAX: u32 = (1 << 24) - 1;
/// Longest feature name in bytes.
pub const NAME_BYTES_MAX: usize = 1_024;

/// How the values of a feature are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// By order; splits are thresholds.
    Numeric,
    /// By identity; splits are sets of codes.
    Categorical,
}

/// What the prediction must do as the feature grows, other things equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Monotone {
    /// Anything.
    #[default]
    Free,
    /// Never fall.
    Increasing,
    /// Never rise.
    Decreasing,
}

/// One column's name and meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Name shown in importances and explanations; at most [`NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// Numeric or categorical.
    pub kind: FeatureKind,
    /// Constraint on the prediction; only numeric features may carry one.
    pub monotone: Monotone,
}

impl Feature {
    /// An unconstrained numeric feature.
    #[must_use]
    pub fn numeric(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: FeatureKind::Numeric,
            monotone: Monotone::Free,
        }
    }

    /// A categorical feature.
    #[must_use]
    pub fn categorical(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: FeatureKind::Categorical,
            monotone: Monotone::Free,
        }
    }

    /// The same feature with a constraint.
    #[must_use]
    pub fn with_monotone(mut self, monotone: Monotone) -> Self {
        self.monotone = monotone;
        self
    }
}

/// Why a table was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DatasetError {
    /// No rows or no columns.
    #[error("the table is empty ({rows} rows, {columns} columns)")]
    Empty {
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
    },
    /// Wider than [`FEATURES_MAX`].
    #[error("{found} features exceed the limit of {limit}")]
    TooManyFeatures {
        /// Columns given.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// Longer than [`ROWS_MAX`].
    #[error("{found} rows exceed the limit of {limit}")]
    TooManyRows {
        /// Rows given.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The list of features does not match the columns.
    #[error("{features} features describe {columns} columns")]
    FeatureCount {
        /// Features described.
        features: usize,
        /// Columns given.
        columns: usize,
    },
    /// Labels or weights do not match the rows.
    #[error("{found} {what} for {rows} rows")]
    Length {
        /// "labels" or "weights".
        what: &'static str,
        /// Entries given.
        found: usize,
        /// Rows of the table.
        rows: usize,
    },
    /// A label or weight is NaN or infinite, or a weight is negative.
    #[error("the {what} of row {row} is {value}")]
    Invalid {
        /// "label" or "weight".
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// What stood there.
        value: f32,
    },
    /// A feature value is infinite.
    #[error("feature {feature:?} is infinite in row {row}")]
    Infinite {
        /// Name of the feature.
        feature: String,
        /// Row, from 0.
        row: usize,
    },
    /// A category is not a whole number within bounds.
    #[error(
        "feature {feature:?} has category {value} in row {row}, not a whole number up to {CATEGORY_CODE_MAX}"
    )]
    Category {
        /// Name of the feature.
        feature: String,
        /// Row, from 0.
        row: usize,
        /// What stood there.
        value: f32,
    },
    /// A categorical feature carries a monotone constraint.
    #[error("feature {feature:?} is categorical and cannot be monotone")]
    MonotoneCategory {
        /// Name of the feature.
        feature: String,
    },
    /// A name is longer than [`NAME_BYTES_MAX`].
    #[error("the name of feature {index} has {bytes} bytes, more than {NAME_BYTES_MAX}")]
    NameTooLong {
        /// Column, from 0.
        index: usize,
        /// Length given.
        bytes: usize,
    },
    /// Every weight is zero.
    #[error("all weights are zero")]
    NoWeight,
}

/// A checked table: features × rows, labels and optional weights.
///
/// Shape: `columns` is features × rows in row-major order, so each feature lies contiguous in memory.
#[derive(Debug, Clone)]
pub struct Dataset {
    features: Vec<Feature>,
    columns: Array2<f32>,
    labels: Vec<f32>,
    weights: Option<Vec<f32>>,
}

impl Dataset {
    /// Takes a rows × features matrix, as callers usually have it, and transposes it.
    ///
    /// # Errors
    /// Any [`DatasetError`]; nothing is guessed or repaired.
    pub fn from_rows(
        features: Vec<Feature>,
        rows: ArrayView2<'_, f32>,
        labels: Vec<f32>,
    ) -> Result<Self, DatasetError> {
        check_shape(&features, rows.nrows(), rows.ncols())?;
        let columns = rows.t().as_standard_layout().into_owned();
        Self::from_columns(features, columns, labels)
    }

    /// Takes a features × rows matrix. A matrix in another memory order is copied into row-major order.
    ///
    /// # Errors
    /// Any [`DatasetError`].
    pub fn from_columns(
        features: Vec<Feature>,
        columns: Array2<f32>,
        labels: Vec<f32>,
    ) -> Result<Self, DatasetError> {
        check_shape(&features, columns.ncols(), columns.nrows())?;
        let columns = if columns.is_standard_layout() {
            columns
        } else {
            columns.as_standard_layout().into_owned()
        };
        check_series("label", "labels", &labels, columns.ncols(), f32::MIN)?;
        for (feature, values) in features.iter().zip(columns.rows()) {
            check_values(feature, values)?;
        }
        Ok(Self {
            features,
            columns,
            labels,
            weights: None,
        })
    }

    /// The same table with a non-negative weight a row.
    ///
    /// # Errors
    /// [`DatasetError::Length`], [`DatasetError::Invalid`] or [`DatasetError::NoWeight`].
    pub fn with_weights(mut self, weights: Vec<f32>) -> Result<Self, DatasetError> {
        check_series("weight", "weights", &weights, self.rows(), 0.0)?;
        if weights.iter().all(|&weight| weight == 0.0) {
            return Err(DatasetError::NoWeight);
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.ncols()
    }

    /// The columns' descriptions, in order.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The labels, one a row.
    #[must_use]
    pub fn labels(&self) -> &[f32] {
        &self.labels
    }

    /// The weights, if the rows do not all count the same.
    #[must_use]
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }

    /// The values of one feature, one a row. `feature` must be below the number of features.
    #[must_use]
    pub fn column(&self, feature: usize) -> &[f32] {
        let row = self.columns.row(feature);
        row.to_slice().expect("columns are kept in standard layout")
    }

    /// Copies one row into `row`, which must have one place a feature.
    pub fn copy_row(&self, index: usize, row: &mut [f32]) {
        for (place, &value) in row.iter_mut().zip(self.columns.column(index)) {
            *place = value;
        }
    }

    /// A table of the given rows, in the given order; a row may be taken more than once.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            features: self.features.clone(),
            columns: self
                .columns
                .select(ndarray::Axis(1), rows)
                .as_standard_layout()
                .into_owned(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            weights: self
                .weights
                .as_ref()
                .map(|weights| rows.iter().map(|&row| weights[row]).collect()),
        }
    }

    /// The same rows with other labels.
    ///
    /// # Errors
    /// [`DatasetError::Length`] or [`DatasetError::Invalid`].
    pub fn with_labels(mut self, labels: Vec<f32>) -> Result<Self, DatasetError> {
        check_series("label", "labels", &labels, self.rows(), f32::MIN)?;
        self.labels = labels;
        Ok(self)
    }
}

pub(crate) fn check_shape(
    features: &[Feature],
    rows: usize,
    columns: usize,
) -> Result<(), DatasetError> {
    if rows == 0 || columns == 0 {
        return Err(DatasetError::Empty { rows, columns });
    }
    if columns > FEATURES_MAX {
        return Err(DatasetError::TooManyFeatures {
            found: columns,
            limit: FEATURES_MAX,
        });
    }
    if rows > ROWS_MAX {
        return Err(DatasetError::TooManyRows {
            found: rows,
            limit: ROWS_MAX,
        });
    }
    if features.len() != columns {
        return Err(DatasetError::FeatureCount {
            features: features.len(),
            columns,
        });
    }
    for (index, feature) in features.iter().enumerate() {
        if feature.name.len() > NAME_BYTES_MAX {
            return Err(DatasetError::NameTooLong {
                index,
                bytes: feature.name.len(),
            });
        }
        if feature.kind == FeatureKind::Categorical && feature.monotone != Monotone::Free {
            return Err(DatasetError::MonotoneCategory {
                feature: feature.name.clone(),
            });
        }
    }
    Ok(())
}

fn check_series(
    one: &'static str,
    many: &'static str,
    values: &[f32],
    rows: usize,
    least: f32,
) -> Result<(), DatasetError> {
    if values.len() != rows {
        return Err(DatasetError::Length {
            what: many,
            found: values.len(),
            rows,
        });
    }
    match values
        .iter()
        .position(|value| !value.is_finite() || *value < least)
    {
        Some(row) => Err(DatasetError::Invalid {
            what: one,
            row,
            value: values[row],
        }),
        None => Ok(()),
    }
}

/// Refuses a value that its feature cannot have.
pub(crate) fn check_value(feature: &Feature, row: usize, value: f32) -> Result<(), DatasetError> {
    let feature_name = || feature.name.clone();
    if value.is_infinite() {
        return Err(DatasetError::Infinite {
            feature: feature_name(),
            row,
        });
    }
    let is_category = feature.kind == FeatureKind::Categorical;
    if is_category && !value.is_nan() && category_code(value).is_none() {
        return Err(DatasetError::Category {
            feature: feature_name(),
            row,
            value,
        });
    }
    Ok(())
}

fn check_values(feature: &Feature, values: ArrayView1<'_, f32>) -> Result<(), DatasetError> {
    let mut values = values.iter().enumerate();
    values.try_for_each(|(row, &value)| check_value(feature, row, value))
}

/// The code a value stands for, or none for a missing, fractional, negative or too large one.
#[must_use]
#[inline]
pub fn category_code(value: f32) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the cast saturates and the comparison below catches every change of value"
    )]
    let code = value as u32;
    // Codes up to the limit are exact in f32, so this comparison misses nothing.
    let same = code as f32 == value;
    (same && code <= CATEGORY_CODE_MAX).then_some(code)
}

#[cfg(test)]
mod tests;

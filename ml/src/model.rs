//! A trained model: its trees, the meaning of its columns, and prediction.
//!
//! Place on the path: boosting → **model** → prediction, explanation, model file.
//!
//! Not here: calibration and intervals ([`crate::calibrate`], [`crate::conformal`]), which belong to a use of a model.

use crate::binning::{Binner, FeatureBins, MISSING_BIN};
use crate::dataset::{Feature, FeatureKind, category_code};
use crate::flat::FlatForest;
use crate::loss::Loss;
use crate::tree::Tree;
use ndarray::{Array2, ArrayView2};

/// One column of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFeature {
    /// Name, kind and constraint, as trained.
    pub feature: Feature,
    /// Known categories in ascending order; empty for a numeric feature.
    pub(crate) codes: Vec<u32>,
    /// The bin of each known category.
    pub(crate) bins: Vec<u8>,
}

impl ModelFeature {
    pub(crate) fn new(feature: Feature, bins: &FeatureBins) -> Self {
        let (codes, bins) = match bins {
            FeatureBins::Numeric { .. } => (Vec::new(), Vec::new()),
            FeatureBins::Categorical { codes, bins } => (codes.clone(), bins.clone()),
        };
        Self {
            feature,
            codes,
            bins,
        }
    }

    /// The bin of a category; missing and unknown ones share bin 255.
    #[inline]
    pub(crate) fn bin_of(&self, value: f32) -> u8 {
        category_code(value)
            .and_then(|code| self.codes.binary_search(&code).ok())
            .map_or(MISSING_BIN, |found| self.bins[found])
    }
}

/// How a model came to be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainingRecord {
    /// Training rows of the last run.
    pub rows: u64,
    /// Rounds the model holds, those of an earlier run included.
    pub rounds: u64,
    /// Least mean validation loss, if there was a validation table.
    pub valid_loss: Option<f64>,
    /// Settings by name, and whatever the caller wants to remember (data position, creation time, metrics).
    pub notes: Vec<(String, String)>,
}

/// Why a row or a table cannot be predicted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// The input does not have the model's columns.
    #[error("the model has {expected} features, the input {found}")]
    FeatureCount {
        /// Columns of the model.
        expected: usize,
        /// Columns given.
        found: usize,
    },
    /// The place for the answer has the wrong size.
    #[error("the model has {expected} outputs, the place for them {found}")]
    OutputCount {
        /// Outputs of the model.
        expected: usize,
        /// Places given.
        found: usize,
    },
}

/// Buffers of one thread that predicts row by row; made once by [`Model::scratch`], then nothing is allocated.
#[derive(Debug, Clone)]
pub struct Scratch {
    /// Leaves in reach, for a forest that is laid out.
    reach: Vec<u32>,
    /// The encoded row, for one that is not.
    encoded: Vec<f32>,
}

/// A trained forest.
///
/// Trees stand round by round, each round one tree an output.
#[derive(Debug, Clone)]
pub struct Model {
    loss: Loss,
    features: Vec<ModelFeature>,
    base: Vec<f64>,
    trees: Vec<Tree>,
    record: TrainingRecord,
    flat: Option<FlatForest>,
}

impl PartialEq for Model {
    /// Equal in everything that is stored; the layout for prediction follows from it.
    fn eq(&self, other: &Self) -> bool {
        self.loss == other.loss
            && self.features == other.features
            && self.base == other.base
            && self.trees == other.trees
            && self.record == other.record
    }
}

impl Model {
    pub(crate) fn new(
        loss: Loss,
        features: Vec<ModelFeature>,
        base: Vec<f64>,
        trees: Vec<Tree>,
        record: TrainingRecord,
    ) -> Self {
        let flat = FlatForest::compile(&features, &trees, loss.outputs());
        Self {
            loss,
            features,
            base,
            trees,
            record,
            flat,
        }
    }

    /// The mean of several models' scores as one model: all their trees, each with its share of a leaf's value. None unless
    /// they read the same features and bins for the same loss.
    pub(crate) fn mean_of(models: Vec<Self>) -> Option<Self> {
        let count = models.len() as f64;
        let first = models.first()?;
        let same = |other: &Self| other.loss == first.loss && other.features == first.features;
        if !models.iter().all(same) {
            return None;
        }
        let base = (0..first.base.len())
            .map(|output| models.iter().map(|model| model.base[output]).sum::<f64>() / count)
            .collect();
        let mut record = first.record.clone();
        record.rounds = models.iter().map(|model| model.record.rounds).sum();
        let losses = models.iter().map(|model| model.record.valid_loss);
        record.valid_loss = losses.sum::<Option<f64>>().map(|sum| sum / count);
        record
            .notes
            .push(("forests".to_owned(), models.len().to_string()));
        let (loss, features) = (first.loss, first.features.clone());
        let mut trees: Vec<Tree> = models.into_iter().flat_map(|model| model.trees).collect();
        for leaf in trees.iter_mut().flat_map(|tree| &mut tree.leaves) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "leaf values are stored as f32"
            )]
            let part = (f64::from(leaf.value) / count) as f32;
            leaf.value = part;
        }
        Some(Self::new(loss, features, base, trees, record))
    }

    /// The loss it was trained with.
    #[must_use]
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// Its columns, in the order rows must have.
    #[must_use]
    pub fn features(&self) -> &[ModelFeature] {
        &self.features
    }

    /// The score of each output before any tree.
    #[must_use]
    pub fn base(&self) -> &[f64] {
        &self.base
    }

    /// The trees.
    #[must_use]
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// How it was trained.
    #[must_use]
    pub fn record(&self) -> &TrainingRecord {
        &self.record
    }

    /// Adds a note to the record; limits are checked when the model is written.
    pub fn note(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.record.notes.push((name.into(), value.into()));
    }

    /// Buffers for [`Model::scores_into`].
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        match &self.flat {
            Some(flat) => Scratch {
                reach: vec![0; flat.words()],
                encoded: Vec::new(),
            },
            None => Scratch {
                reach: Vec::new(),
                encoded: vec![0.0; self.features.len()],
            },
        }
    }

    /// Raw scores of one row, one an output, without allocating. `scratch` must come from this model.
    ///
    /// NaN is missing; an infinite value counts as the largest finite one; an unknown category counts as missing.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn scores_into(
        &self,
        row: &[f32],
        scratch: &mut Scratch,
        scores: &mut [f64],
    ) -> Result<(), PredictError> {
        self.check_width(row.len())?;
        if scores.len() != self.base.len() {
            return Err(PredictError::OutputCount {
                expected: self.base.len(),
                found: scores.len(),
            });
        }
        scores.copy_from_slice(&self.base);
        match &self.flat {
            Some(flat) => {
                scratch.reach.resize(flat.words(), 0);
                let bin_of = |feature: usize, value| self.features[feature].bin_of(value);
                flat.add_scores(row, &mut scratch.reach, bin_of, scores);
            }
            None => {
                scratch.encoded.resize(row.len(), 0.0);
                self.encode(row, &mut scratch.encoded);
                self.walk(&scratch.encoded, scores);
            }
        }
        Ok(())
    }

    /// Prediction of one row, one an output: probability, mean, quantile or class probabilities. Does not allocate.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn predict_into(
        &self,
        row: &[f32],
        scratch: &mut Scratch,
        outputs: &mut [f64],
    ) -> Result<(), PredictError> {
        self.scores_into(row, scratch, outputs)?;
        self.loss.predict(outputs);
        Ok(())
    }

    /// Raw scores of many rows: rows × outputs, from rows × features. `threads` share the rows.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn scores(
        &self,
        rows: ArrayView2<'_, f32>,
        threads: usize,
    ) -> Result<Array2<f64>, PredictError> {
        self.batch(rows, threads, false)
    }

    /// Predictions of many rows: rows × outputs, from rows × features. `threads` share the rows.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn predict(
        &self,
        rows: ArrayView2<'_, f32>,
        threads: usize,
    ) -> Result<Array2<f64>, PredictError> {
        self.batch(rows, threads, true)
    }

    fn batch(
        &self,
        rows: ArrayView2<'_, f32>,
        threads: usize,
        transform: bool,
    ) -> Result<Array2<f64>, PredictError> {
        self.check_width(rows.ncols())?;
        let width = rows.ncols();
        let outputs = self.base.len();
        let rows = rows.as_standard_layout();
        let values = rows.as_slice().expect("standard layout is contiguous");
        let mut answer = Array2::<f64>::zeros((rows.nrows(), outputs));
        let places = answer.as_slice_mut().expect("a fresh array is contiguous");
        let share = rows.nrows().div_ceil(threads.max(1)).max(1);
        std::thread::scope(|scope| {
            for (rows, places) in values
                .chunks(share * width)
                .zip(places.chunks_mut(share * outputs))
            {
                let mut work = move || {
                    let mut scratch = self.scratch();
                    for (row, place) in rows
                        .chunks_exact(width)
                        .zip(places.chunks_exact_mut(outputs))
                    {
                        let result = if transform {
                            self.predict_into(row, &mut scratch, place)
                        } else {
                            self.scores_into(row, &mut scratch, place)
                        };
                        result.expect("widths were checked for the whole table");
                    }
                };
                if threads > 1 {
                    scope.spawn(work);
                } else {
                    work();
                }
            }
        });
        Ok(answer)
    }

    /// Turns a raw row into what trees read: categories become bins, infinities the largest finite value.
    ///
    /// Both slices have one place a feature.
    pub fn encode(&self, row: &[f32], encoded: &mut [f32]) {
        for ((feature, &value), place) in self.features.iter().zip(row).zip(encoded) {
            *place = match feature.feature.kind {
                FeatureKind::Numeric if value.is_nan() => f32::NAN,
                FeatureKind::Numeric => value.clamp(f32::MIN, f32::MAX),
                FeatureKind::Categorical => match feature.bin_of(value) {
                    MISSING_BIN => f32::NAN,
                    bin => f32::from(bin),
                },
            };
        }
    }

    /// Adds the trees' values for an encoded row, tree by tree: the plain way, and the reference for the fast one.
    pub(crate) fn walk(&self, encoded: &[f32], scores: &mut [f64]) {
        for (index, tree) in self.trees.iter().enumerate() {
            scores[index % self.base.len()] += tree.value_of(encoded);
        }
    }

    /// Gives a new run's bins the categories this model knows, so that its subsets keep their meaning.
    pub(crate) fn keep_categories(&self, binner: &mut Binner) {
        for (bins, known) in binner.features.iter_mut().zip(&self.features) {
            if let FeatureBins::Categorical { codes, bins } = bins {
                (*codes, *bins) = (known.codes.clone(), known.bins.clone());
            }
        }
    }

    pub(crate) fn check_width(&self, found: usize) -> Result<(), PredictError> {
        if found == self.features.len() {
            Ok(())
        } else {
            Err(PredictError::FeatureCount {
                expected: self.features.len(),
                found,
            })
        }
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

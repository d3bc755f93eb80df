//! Boosting: round after round, a tree is fitted to the derivatives of the loss and added to the scores.
//!
//! Place on the path: tree growth → **boosting** → model. Pure: no clock, no files; progress and cancellation go
//! through a callback. Equal inputs give equal bytes, whatever the number of threads.
//!
//! Source: Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Ann. Stat. 29 (2001).

use crate::binning::Binner;
use crate::dataset::{Dataset, Feature};
use crate::loss::LossError;
use crate::matrix::BinnedMatrix;
use crate::model::Model;
use crate::params::{Params, ParamsError};
use std::ops::ControlFlow;

mod run;
use run::{Run, ValidScores};
pub(crate) use run::{chosen_features, finished, share_of};

/// With sampling, a round may find nothing by bad luck; after this many in a row, training stops.
const FRUITLESS_ROUNDS_MAX: usize = 10;

/// Why a model could not be trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// A setting is out of range.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The labels do not fit the loss.
    #[error(transparent)]
    Labels(#[from] LossError),
    /// The validation labels do not fit the loss.
    #[error("validation: {0}")]
    ValidLabels(LossError),
    /// Every feature is constant or missing throughout.
    #[error("no feature varies: {constant} are constant, {missing} have no value")]
    NoUsableFeature {
        /// Features with one value.
        constant: usize,
        /// Features without any value.
        missing: usize,
    },
    /// Early stopping was asked for without a validation table.
    #[error("early stopping needs a validation table")]
    NoValidation,
    /// Two tables, or a table and the model to continue, do not have the same features.
    #[error("{what} does not have the training table's features")]
    FeatureMismatch {
        /// "the validation table" or "the model to continue".
        what: &'static str,
    },
    /// The model to continue was trained with another loss.
    #[error("the model to continue was trained with another loss")]
    LossMismatch,
    /// The observer asked to stop.
    #[error("training was cancelled after {rounds} rounds")]
    Cancelled {
        /// Rounds finished.
        rounds: usize,
    },
}

/// Where a training run stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Rounds finished in this run.
    pub round: usize,
    /// Rounds at most.
    pub rounds_max: usize,
    /// Mean validation loss of the trees so far, if there are a validation table and a tree.
    pub valid_loss: Option<f64>,
}

/// A training run being put together.
pub struct Fit<'run> {
    params: &'run Params,
    valid: Option<&'run Dataset>,
    start: Option<&'run Model>,
    observe: Option<&'run mut dyn FnMut(Progress) -> ControlFlow<()>>,
}

impl std::fmt::Debug for Fit<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Fit")
            .field("params", self.params)
            .finish_non_exhaustive()
    }
}

impl<'run> Fit<'run> {
    /// A run with these settings.
    #[must_use]
    pub fn new(params: &'run Params) -> Self {
        Self {
            params,
            valid: None,
            start: None,
            observe: None,
        }
    }

    /// Watches the loss on a table that is not trained on.
    #[must_use]
    pub fn valid(mut self, valid: &'run Dataset) -> Self {
        self.valid = Some(valid);
        self
    }

    /// Continues a model: its trees are kept, its categories keep their meaning, new rounds are added.
    #[must_use]
    pub fn start_from(mut self, model: &'run Model) -> Self {
        self.start = Some(model);
        self
    }

    /// Calls `observe` after every round; a break cancels the run.
    #[must_use]
    pub fn observe(mut self, observe: &'run mut dyn FnMut(Progress) -> ControlFlow<()>) -> Self {
        self.observe = Some(observe);
        self
    }

    /// Trains.
    ///
    /// # Errors
    /// Any [`FitError`].
    pub fn train(self, train: &Dataset) -> Result<Model, FitError> {
        self.check(train)?;
        let params = self.params;
        let mut binner = Binner::fit(train, params.bins_max, params.threads);
        if let Some(start) = self.start {
            start.keep_categories(&mut binner);
        }
        let matrix = BinnedMatrix::new(train, &binner, params.threads);
        if matrix.used.is_empty() {
            return Err(no_usable_feature(train));
        }
        let run = Run::new(params, train, matrix, binner, self.start);
        let valid = self
            .valid
            .map(|valid| ValidScores::new(valid, &run, self.start));
        let mut rounds = InMemory { run, valid };
        let best = boost(params, &mut rounds, self.observe)?;
        Ok(rounds.run.finish(params, train, best, self.start))
    }

    fn check(&self, train: &Dataset) -> Result<(), FitError> {
        self.params.check()?;
        self.params.loss.check(train.labels())?;
        if self.params.patience_rounds.is_some() && self.valid.is_none() {
            return Err(FitError::NoValidation);
        }
        if let Some(valid) = self.valid {
            if !same_features(valid.features(), train.features()) {
                return Err(FitError::FeatureMismatch {
                    what: "the validation table",
                });
            }
            match self.params.loss.check(valid.labels()) {
                // A validation part may happen to hold one class only; its loss is still defined.
                Ok(()) | Err(LossError::OneClass { .. } | LossError::AllZero) => {}
                Err(error) => return Err(FitError::ValidLabels(error)),
            }
        }
        if let Some(start) = self.start {
            if *start.loss() != self.params.loss {
                return Err(FitError::LossMismatch);
            }
            let known: Vec<Feature> = start
                .features()
                .iter()
                .map(|known| known.feature.clone())
                .collect();
            if !same_features(&known, train.features()) {
                return Err(FitError::FeatureMismatch {
                    what: "the model to continue",
                });
            }
        }
        Ok(())
    }
}

/// A run's rounds, wherever its rows are.
pub(crate) trait Rounds {
    /// Why it cannot go on.
    type Error: From<FitError>;

    /// Adds one tree an output, unless none of them splits; returns whether any does.
    fn round(&mut self, round: usize) -> Result<bool, Self::Error>;

    /// Mean validation loss of the trees so far, if anything is validated on. Asked only after a round that added trees.
    fn valid_loss(&self) -> Option<f64>;
}

struct InMemory<'run> {
    run: Run<'run>,
    valid: Option<ValidScores<'run>>,
}

impl Rounds for InMemory<'_> {
    type Error = FitError;

    fn round(&mut self, round: usize) -> Result<bool, FitError> {
        Ok(self.run.round(round, self.valid.as_mut()))
    }

    fn valid_loss(&self) -> Option<f64> {
        let valid = self.valid.as_ref();
        valid.map(|valid| valid.loss(self.run.loss()))
    }
}

/// Goes on as long as the settings want; returns how many of the rounds that added trees there were when the validation
/// loss was least, and that loss.
pub(crate) fn boost<R: Rounds>(
    params: &Params,
    rounds: &mut R,
    mut observe: Option<&mut dyn FnMut(Progress) -> ControlFlow<()>>,
) -> Result<Option<(usize, f64)>, R::Error> {
    let mut best: Option<(usize, f64)> = None;
    let (mut kept, mut best_round) = (0, 0);
    let (mut fruitless, mut valid_loss) = (0, None);
    for round in 0..params.rounds_max {
        let grown = rounds.round(round)?;
        fruitless = if grown { 0 } else { fruitless + 1 };
        let samples = params.row_share < 1.0 || params.column_share < 1.0;
        if fruitless > 0 && (!samples || fruitless >= FRUITLESS_ROUNDS_MAX) {
            break;
        }
        if grown {
            kept += 1;
            valid_loss = rounds.valid_loss();
        }
        // A round without a tree leaves the loss as it was, which is no improvement.
        if let Some(loss) = valid_loss
            && best.is_none_or(|(_, least)| loss < least)
        {
            best = Some((kept, loss));
            best_round = round + 1;
        }
        if let Some(observe) = &mut observe {
            let progress = Progress {
                round: round + 1,
                rounds_max: params.rounds_max,
                valid_loss,
            };
            if observe(progress).is_break() {
                return Err(FitError::Cancelled { rounds: round + 1 }.into());
            }
        }
        let stale = best.map_or(0, |_| round + 1 - best_round);
        if params
            .patience_rounds
            .is_some_and(|patience| stale >= patience)
        {
            break;
        }
    }
    Ok(best)
}

fn same_features(left: &[Feature], right: &[Feature]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.name == right.name && left.kind == right.kind)
}

fn no_usable_feature(train: &Dataset) -> FitError {
    let features = train.features().len();
    let is_missing = |&feature: &usize| train.column(feature).iter().all(|value| value.is_nan());
    let missing = (0..features).filter(is_missing).count();
    FitError::NoUsableFeature {
        constant: features - missing,
        missing,
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

//! What a training run is told: every knob with its default, its range and a check.

use crate::binning::BINS_MAX;
use crate::loss::Loss;
use crate::split::CategoryRules;

/// Most leaves of one tree.
pub const LEAVES_MAX: usize = 1 << 15;
/// Most edges from root to leaf; explanations are exact up to this depth.
pub const DEPTH_MAX: usize = 64;
/// Most boosting rounds of one run.
pub const ROUNDS_MAX: usize = 100_000;
/// Most threads of one run.
pub const THREADS_MAX: usize = 64;

/// Settings of a training run.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// What is minimised. Default [`Loss::Squared`].
    pub loss: Loss,
    /// Rounds at most; each adds one tree an output. Default 500.
    pub rounds_max: usize,
    /// Share of each tree's step that is taken, in (0, 1]. Default 0.05.
    pub learning_rate: f64,
    /// Leaves of a tree at most, in `2..=LEAVES_MAX`. Default 31.
    pub leaves_max: usize,
    /// Edges from root to leaf at most, in `1..=DEPTH_MAX`. Default 64.
    pub depth_max: usize,
    /// Fewest rows of a leaf, estimated from hessians during the search. Default 20.
    pub rows_min: usize,
    /// Least sum of hessians of a leaf; keeps losses whose hessian is small, as that of a rare class, from leaves that know next
    /// to nothing. Default 1.
    pub hessian_min: f64,
    /// L1 penalty on leaf values. Default 0.
    pub l1: f64,
    /// L2 penalty on leaf values. Default 1.
    pub l2: f64,
    /// A split must save more loss than this. Default 0.
    pub gain_min: f64,
    /// Share of rows drawn without replacement for each round, in (0, 1]. Trees are grown on them; the values of their leaves
    /// are taken from all rows. Default 1.
    pub row_share: f64,
    /// Whether a split is taken back where the rows that were not drawn would lose by it, to second order. Trees get smaller,
    /// which helps where rows resemble each other or the signal is faint, and takes more rounds elsewhere. Default false.
    pub unseen_rows_veto: bool,
    /// Share of features drawn for each tree, in (0, 1]. Default 1.
    pub column_share: f64,
    /// Value bins of a feature at most, in `2..=255`. Default 255.
    pub bins_max: usize,
    /// Regularisation of categorical splits.
    pub category: CategoryRules,
    /// Stop when the validation loss has not improved for this many rounds, and keep the best round. Needs a
    /// validation table. Default none.
    pub patience_rounds: Option<usize>,
    /// Factor on the weight of each class, for logistic (two) and multiclass losses. Default none.
    pub class_weights: Option<Vec<f64>>,
    /// Seed of row and column sampling. The same seed gives the same bytes for any number of threads.
    pub seed: u64,
    /// Threads, in `1..=THREADS_MAX`; more than there are features is not used. Default 1.
    pub threads: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            loss: Loss::Squared,
            rounds_max: 500,
            learning_rate: 0.05,
            leaves_max: 31,
            depth_max: DEPTH_MAX,
            rows_min: 20,
            hessian_min: 1.0,
            l1: 0.0,
            l2: 1.0,
            gain_min: 0.0,
            row_share: 1.0,
            unseen_rows_veto: false,
            column_share: 1.0,
            bins_max: BINS_MAX,
            category: CategoryRules::default(),
            patience_rounds: None,
            class_weights: None,
            seed: 0,
            threads: 1,
        }
    }
}

/// A setting outside its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} is {value}, outside {range}")]
pub struct ParamsError {
    /// Name of the setting.
    pub what: &'static str,
    /// Value given.
    pub value: f64,
    /// Allowed range.
    pub range: &'static str,
}

impl Params {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`ParamsError`] naming the first one out of range.
    pub fn check(&self) -> Result<(), ParamsError> {
        let whole = |what, value: usize, from: usize, to: usize, range| {
            refuse_unless((from..=to).contains(&value), what, value as f64, range)
        };
        whole("rounds_max", self.rounds_max, 1, ROUNDS_MAX, "1..=100000")?;
        whole("leaves_max", self.leaves_max, 2, LEAVES_MAX, "2..=32768")?;
        whole("depth_max", self.depth_max, 1, DEPTH_MAX, "1..=64")?;
        whole("bins_max", self.bins_max, 2, BINS_MAX, "2..=255")?;
        whole("threads", self.threads, 1, THREADS_MAX, "1..=64")?;
        whole(
            "rows_min",
            self.rows_min,
            0,
            crate::dataset::ROWS_MAX,
            "0..=16777216",
        )?;
        for (what, value) in [
            ("learning_rate", self.learning_rate),
            ("row_share", self.row_share),
            ("column_share", self.column_share),
        ] {
            refuse_unless(value > 0.0 && value <= 1.0, what, value, "(0, 1]")?;
        }
        for (what, value) in [
            ("hessian_min", self.hessian_min),
            ("l1", self.l1),
            ("l2", self.l2),
            ("gain_min", self.gain_min),
            ("category.smoothing", self.category.smoothing),
            ("category.l2", self.category.l2),
            ("category.group_rows_min", self.category.group_rows_min),
        ] {
            refuse_unless(value >= 0.0 && value.is_finite(), what, value, "[0, ∞)")?;
        }
        self.check_class_weights()
    }

    fn check_class_weights(&self) -> Result<(), ParamsError> {
        let Some(weights) = &self.class_weights else {
            return Ok(());
        };
        let classes = match self.loss {
            Loss::Logistic | Loss::Hazard { .. } => 2,
            Loss::Multiclass { classes } => classes as usize,
            _ => 0,
        };
        refuse_unless(
            weights.len() == classes,
            "number of class weights",
            weights.len() as f64,
            "one a class of a classifying loss",
        )?;
        for &weight in weights {
            refuse_unless(
                weight > 0.0 && weight.is_finite(),
                "class weight",
                weight,
                "(0, ∞)",
            )?;
        }
        Ok(())
    }

    /// Every setting but the threads, which do not change the model, as name and value for the model's record.
    #[must_use]
    pub fn describe(&self) -> Vec<(String, String)> {
        let patience = self
            .patience_rounds
            .map_or_else(|| "none".to_owned(), |rounds| rounds.to_string());
        let class_weights = format!("{:?}", self.class_weights.as_deref().unwrap_or(&[]));
        [
            ("loss", format!("{:?}", self.loss)),
            ("rounds_max", self.rounds_max.to_string()),
            ("learning_rate", self.learning_rate.to_string()),
            ("leaves_max", self.leaves_max.to_string()),
            ("depth_max", self.depth_max.to_string()),
            ("rows_min", self.rows_min.to_string()),
            ("hessian_min", self.hessian_min.to_string()),
            ("l1", self.l1.to_string()),
            ("l2", self.l2.to_string()),
            ("gain_min", self.gain_min.to_string()),
            ("row_share", self.row_share.to_string()),
            ("unseen_rows_veto", self.unseen_rows_veto.to_string()),
            ("column_share", self.column_share.to_string()),
            ("bins_max", self.bins_max.to_string()),
            ("category", format!("{:?}", self.category)),
            ("patience_rounds", patience),
            ("class_weights", class_weights),
            ("seed", self.seed.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

fn refuse_unless(
    sound: bool,
    what: &'static str,
    value: f64,
    range: &'static str,
) -> Result<(), ParamsError> {
    if sound {
        Ok(())
    } else {
        Err(ParamsError { what, value, range })
    }
}

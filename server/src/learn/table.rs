//! Snapshots of the fleet with what became of them, wherever they are: in memory, taken from the log, or in Parquet.
//!
//! The same rows give the same model from either. Rows come in order of time; those of one time in the order of vehicles.

use fleet::calendar::DAY;
use ml::hazard::HazardModel;

use super::failure::{GAP_DAYS, LearnError, Observe};

/// One snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shot<'a> {
    pub(crate) row: &'a [f32],
    /// Days to the next failure, or to the end of the label window.
    pub(crate) days: f32,
    pub(crate) failed: bool,
}

impl Shot<'_> {
    pub(crate) fn failed_within(&self, horizon: f32) -> bool {
        self.failed && self.days < horizon
    }
}

/// What is trained on and what is validated on, by time; each span without its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    pub(crate) first: i64,
    pub(crate) train_to: i64,
    pub(crate) valid_from: i64,
    pub(crate) valid_to: i64,
}

impl Split {
    /// Everything before `valid_from`, with a gap longer than the label window.
    pub(crate) fn new(first: i64, valid_from: i64, valid_to: i64) -> Self {
        Split {
            first,
            train_to: valid_from - GAP_DAYS * DAY,
            valid_from,
            valid_to,
        }
    }
}

/// Snapshots that can be read again and again.
pub(crate) trait Table {
    /// How many there are.
    fn rows(&self) -> usize;

    /// The first and the last time.
    fn span(&self) -> Option<(i64, i64)>;

    /// Gives those of `from <= time < to`.
    fn each(
        &self,
        from: i64,
        to: i64,
        visit: &mut dyn FnMut(&Shot<'_>) -> Result<(), LearnError>,
    ) -> Result<(), LearnError>;

    /// Trains and calibrates.
    fn fit(
        &self,
        split: &Split,
        seed: u64,
        observe: Observe<'_>,
    ) -> Result<HazardModel, LearnError>;

    /// So many values of a column at equal shares; missing ones last.
    fn quantiles(&self, column: usize, count: usize) -> Result<Vec<f32>, LearnError>;
}

/// Which of so many sorted values stand for equal shares.
pub(crate) fn ranks(values: usize, count: usize) -> impl Iterator<Item = usize> {
    let count = count.min(values);
    (0..count).map(move |step| (2 * step + 1) * values / (2 * count))
}

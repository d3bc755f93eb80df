//! Training on more rows than memory holds: rows are read again and again where they lie, and what a run needs beside them
//! lies in a working file.
//!
//! Place on the path: beside [`crate::boost`], for hazard models. The same rows in the same order give **the same bytes** as
//! [`HazardModel::train`]: cuts come from the same sample, sums of gradients are integers, and what is added as floating
//! numbers is added in the order of rows.
//!
//! ```text
//! rows ─1─▶ count and check ─2─▶ sample ─▶ cuts ─3─▶ bins, a byte a value, in blocks of the working file
//!                                                     └─▶ rounds: each pass reads the bytes it asks for, block by block
//! ```
//!
//! In memory are a few blocks, the histograms of one tree, the sample of one feature, a bit for each row and period, and for
//! each unit of the validation cohort some 60 bytes while it calibrates. The file has about as many bytes a row as there are
//! features, and 26 more. One thread works.

use crate::boost::{boost, finished};
use crate::dataset::Feature;
use crate::hazard::{
    HazardError, HazardModel, Lifetimes, Observer, check_ends, hazard_settings, tell,
};
use crate::params::Params;

mod bins;
mod blocks;
mod forest;

use bins::Binned;
use blocks::Store;
use forest::Forest;

/// A working file: bytes at offsets. What was never written is never read.
pub trait Spill {
    /// Writes all bytes from `offset` on.
    ///
    /// # Errors
    /// What the file says; training ends with it.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// What the file says; training ends with it.
    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()>;
}

/// A unit as it is streamed by.
#[derive(Debug, Clone, Copy)]
pub struct LifeRow<'row> {
    /// Features as of the snapshot, one a column.
    pub values: &'row [f32],
    /// Time from the snapshot to the failure, or to the end of observation.
    pub duration: f32,
    /// Whether it ended with a failure.
    pub observed: bool,
}

/// Takes a row.
pub type Visit<'run> = &'run mut dyn FnMut(LifeRow<'_>) -> Result<(), HazardError>;

/// Rows that can be read as often as is wanted.
pub trait LifeSource {
    /// Gives every row to `visit`, in the same order each time; ends at once with an error that `visit` returns.
    ///
    /// # Errors
    /// [`HazardError::Rows`] in words of the source, or what `visit` returned.
    fn scan(&mut self, visit: Visit<'_>) -> Result<(), HazardError>;
}

/// Trains as [`HazardModel::train`] does, on rows that are streamed. `features` describe the columns.
///
/// # Errors
/// Any [`HazardError`].
pub fn train(
    settings: &[Params],
    ends: &[f32],
    features: &[Feature],
    train: &mut dyn LifeSource,
    mut valid: Option<&mut dyn LifeSource>,
    spill: &mut dyn Spill,
    mut observe: Option<Observer<'_>>,
) -> Result<HazardModel, HazardError> {
    check_ends(ends)?;
    let bins_max = settings.first().ok_or(HazardError::Settings)?.bins_max;
    let same = settings.iter().all(|params| params.bins_max == bins_max);
    // A hazard model has one class, and one binned table serves all forests.
    if !same || settings.iter().any(|params| params.class_weights.is_some()) {
        return Err(HazardError::Settings);
    }
    let settings: Vec<Params> = settings
        .iter()
        .map(|params| hazard_settings(params, ends))
        .collect();
    for params in &settings {
        params.check().map_err(crate::FitError::from)?;
        if params.patience_rounds.is_some() && valid.is_none() {
            return Err(crate::FitError::NoValidation.into());
        }
    }
    let mut store = Store::new(spill);
    let binned = Binned::make(features, ends, bins_max, train, &mut valid, &mut store)?;
    let mut forests = Vec::with_capacity(settings.len());
    for (done, params) in settings.iter().enumerate() {
        let mut told = |progress| tell(&mut observe, progress, done, settings.len());
        let mut forest = Forest::begin(params, &binned, &mut store)?;
        let best = boost(params, &mut forest, Some(&mut told))?;
        let trees = forest.finish(best);
        let table = (&binned.features[..], binned.train.rows);
        let base = vec![binned.base];
        forests.push(finished(params, table, &binned.binner, base, trees, best));
    }
    let mut model = HazardModel::uncalibrated(forests, ends)?;
    if let Some(valid) = valid {
        calibrate(&mut model, valid, ends.len())?;
    }
    Ok(model)
}

fn calibrate(
    model: &mut HazardModel,
    valid: &mut dyn LifeSource,
    periods: usize,
) -> Result<(), HazardError> {
    let (mut durations, mut observed, mut curves) = (Vec::new(), Vec::new(), Vec::new());
    let mut scratch = model.scratch();
    let mut curve = vec![0.0; periods];
    valid.scan(&mut |row| {
        model
            .raw_failure_into(row.values, &mut scratch, &mut curve)
            .map_err(|error| HazardError::Rows(error.to_string()))?;
        durations.push(row.duration);
        observed.push(row.observed);
        curves.extend_from_slice(&curve);
        Ok(())
    })?;
    let lifetimes = Lifetimes {
        durations: &durations,
        observed: &observed,
    };
    model.calibrate(&curves, &lifetimes);
    Ok(())
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

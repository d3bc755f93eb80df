//! Time to train, to predict one row, to predict many, and to explain one; the same trees for all.
//!
//! Training counts from raw values in memory to a model that predicts, binning included. Peer and we take turns, round
//! by round, and the ratio is the median of the rounds' ratios, so that a busy machine weighs on both.

use crate::data::Folder;
use crate::error::BenchError;
use crate::peer::{Peers, write_part};
use crate::quality::{categories, peer_settings, settings};
use crate::report::Report;
use ml::{Dataset, Explainer, Feature, Fit, Loss, Model, Params};
use ndarray::{Array2, s};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Instant;

/// Rounds of a training comparison.
const ROUNDS: usize = 3;
/// Rows of the sample that is predicted.
const SAMPLE_ROWS: usize = 4_000;
/// Rows of the sample that is explained.
const EXPLAINED_ROWS: usize = 200;
/// Passes over the sample; the median counts.
const PASSES: usize = 9;
/// Rows and columns of the synthetic table.
const SYNTHETIC: (usize, usize) = (200_000, 30);

/// A table to be fast on.
struct Subject {
    name: String,
    features: Vec<Feature>,
    rows: Array2<f32>,
    labels: Vec<f32>,
    loss: Loss,
    categories: Vec<usize>,
}

/// The tables: the training part of each supervised data set, and a large synthetic one.
fn subjects(folders: &[Folder], with_synthetic: bool) -> Result<Vec<Subject>, BenchError> {
    let mut found = Vec::new();
    for folder in folders
        .iter()
        .filter(|folder| matches!(folder.task(), "binary" | "regression"))
    {
        let table = folder.table()?;
        let Some(&target) = folder.list("targets").first() else {
            continue;
        };
        let rows = table.rows_of("train", target, folder.missing_target(), false);
        found.push(Subject {
            name: folder.name.clone(),
            rows: table.values(&rows),
            labels: table.other(target, &rows),
            loss: if folder.task() == "binary" {
                Loss::Logistic
            } else {
                Loss::Squared
            },
            categories: categories(&table),
            features: table.features,
        });
    }
    if with_synthetic {
        found.push(synthetic());
    }
    Ok(found)
}

/// Numbers in [0, 1) from a counter, by splitmix64: the same on every machine.
fn noise(counter: u64) -> f32 {
    let mut mixed = counter.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
}

fn synthetic() -> Subject {
    let (count, width) = SYNTHETIC;
    let rows = Array2::from_shape_fn((count, width), |(row, column)| {
        noise((row * width + column) as u64)
    });
    let labels = rows.rows().into_iter().enumerate().map(|(row, values)| {
        let signal =
            3.0 * (values[0] - 0.5) + (values[1] * 6.0).sin() * values[2] + values[3] * values[4]
                - 0.25;
        f32::from(u8::from(
            1.0 / (1.0 + (-2.0 * signal).exp()) > noise(u64::MAX / 2 + row as u64),
        ))
    });
    Subject {
        name: "synthetic".to_owned(),
        labels: labels.collect(),
        features: (0..width)
            .map(|at| Feature::numeric(format!("x{at}")))
            .collect(),
        rows,
        loss: Loss::Logistic,
        categories: Vec::new(),
    }
}

impl Subject {
    fn params(&self, threads: usize) -> Params {
        Params {
            row_share: 1.0,
            column_share: 1.0,
            patience_rounds: None,
            threads,
            ..settings(self.loss)
        }
    }

    fn fit(&self, threads: usize) -> Result<Model, BenchError> {
        let dataset =
            Dataset::from_rows(self.features.clone(), self.rows.view(), self.labels.clone())?;
        Ok(Fit::new(&self.params(threads)).train(&dataset)?)
    }

    /// A task for the peer, its table written.
    fn task(
        &self,
        peers: &Peers,
        what: &str,
        threads: usize,
        xgboost: bool,
    ) -> Result<(std::path::PathBuf, Value), BenchError> {
        let folder = peers.folder(&format!("speed-{}", self.name))?;
        write_part(&folder, "train", &self.rows, &self.labels)?;
        let task = json!({
            "folder": folder,
            "columns": self.features.len(),
            "categories": self.categories,
            "loss": if self.loss == Loss::Logistic { "logistic" } else { "squared" },
            "threads": threads,
            "params": peer_settings(&self.params(threads)),
            "what": what,
            "xgboost": xgboost,
            "batch": SAMPLE_ROWS,
            "explained": EXPLAINED_ROWS,
            "single_row": peers.single_row(),
        });
        Ok((folder, task))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds of a piece of work.
fn seconds<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let made = work();
    (made, start.elapsed().as_secs_f64())
}

fn said(answer: &Value, name: &str) -> f64 {
    answer[name].as_f64().unwrap_or(f64::NAN)
}

/// Training time, one and two threads.
pub(crate) fn ask_training(
    folders: &[Folder],
    synthetic: bool,
    peers: &Peers,
    report: &mut Report,
) -> Result<(), BenchError> {
    report.section(
        "Training time",
        "Seconds for 500 trees of 31 leaves from raw values, binning included, without early stopping; medians of three rounds in turns.",
    );
    let mut rows = Vec::new();
    let mut by_threads = [Vec::new(), Vec::new()];
    for subject in subjects(folders, synthetic)? {
        for (threads, ratios_of) in [1, 2].into_iter().zip(&mut by_threads) {
            let (folder, task) = subject.task(peers, "fit", threads, false)?;
            let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let (model, took) = seconds(|| subject.fit(threads));
                black_box(model?);
                let peer = said(&peers.run(&folder, &task)?, "lightgbm");
                ours.push(took);
                theirs.push(peer);
                ratios.push(took / peer);
            }
            let ratio = median(ratios);
            ratios_of.push(ratio);
            rows.push(vec![
                subject.name.clone(),
                format!("{} × {}", subject.rows.nrows(), subject.rows.ncols()),
                threads.to_string(),
                format!("{:.2}", median(ours)),
                format!("{:.2}", median(theirs)),
                format!("{ratio:.2}"),
            ]);
        }
    }
    report.table(
        &[
            "data",
            "rows × columns",
            "threads",
            "ml s",
            "LightGBM s",
            "ratio",
        ],
        &rows,
    );
    for (threads, ratios) in [1, 2].into_iter().zip(by_threads) {
        let most = ratios.iter().copied().fold(0.0, f64::max);
        report.at_most(
            &format!("training on {threads} of the cores over LightGBM's time, slowest"),
            0.8,
            most,
        );
    }
    Ok(())
}

/// Prediction of one row and of many, and exact Shapley values.
pub(crate) fn ask_prediction(
    folders: &[Folder],
    synthetic: bool,
    peers: &Peers,
    report: &mut Report,
) -> Result<(), BenchError> {
    report.section(
        "Prediction and explanation",
        "500 trees of 31 leaves. One row: µs through LightGBM's fast single-row C function, and through `predict_into`. Batch: rows/s of \
         one thread. Exact TreeSHAP: µs a row, one thread.",
    );
    let mut rows = Vec::new();
    let (mut single, mut batch, mut shap) = (Vec::new(), Vec::new(), Vec::new());
    for subject in subjects(folders, synthetic)? {
        let model = subject.fit(2)?;
        let (folder, task) = subject.task(peers, "predict", 2, false)?;
        let peer = peers.run(&folder, &task)?;
        let sample = subject
            .rows
            .slice(s![..SAMPLE_ROWS.min(subject.rows.nrows()), ..])
            .to_owned();
        let ours_single = single_row(&model, &sample)?;
        let ours_batch = batch_rows(&model, &sample)?;
        let ours_shap = explained_row(&model, &sample)?;
        let theirs = ["single_row_us", "batch_rows_s_1", "shap_us"].map(|name| said(&peer, name));
        single.push(ours_single / theirs[0]);
        batch.push(ours_batch / theirs[1]);
        shap.push(ours_shap / theirs[2]);
        rows.push(vec![
            subject.name.clone(),
            format!(
                "{ours_single:.1} / {:.1} = {:.2}",
                theirs[0],
                ours_single / theirs[0]
            ),
            format!(
                "{ours_batch:.0} / {:.0} = {:.1}",
                theirs[1],
                ours_batch / theirs[1]
            ),
            format!(
                "{ours_shap:.0} / {:.0} = {:.2}",
                theirs[2],
                ours_shap / theirs[2]
            ),
        ]);
    }
    report.table(
        &["data", "one row µs", "batch rows/s", "TreeSHAP µs"],
        &rows,
    );
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let least = batch.iter().copied().fold(f64::INFINITY, f64::min);
    report.at_most(
        "one row over LightGBM's fast single-row function, slowest",
        0.25,
        most(&single),
    );
    report.at_least("batch over LightGBM's rows/s, slowest", 5.0, least);
    report.at_most("TreeSHAP over LightGBM's time, slowest", 0.25, most(&shap));
    Ok(())
}

fn single_row(model: &Model, sample: &Array2<f32>) -> Result<f64, BenchError> {
    let mut scratch = model.scratch();
    let mut output = vec![0.0; model.base().len()];
    let rows: Vec<Vec<f32>> = sample.rows().into_iter().map(|row| row.to_vec()).collect();
    let mut passes = Vec::new();
    for _ in 0..PASSES {
        let start = Instant::now();
        for row in &rows {
            model.predict_into(black_box(row), &mut scratch, &mut output)?;
            black_box(&output);
        }
        passes.push(start.elapsed().as_secs_f64() / rows.len() as f64 * 1e6);
    }
    Ok(median(passes))
}

fn batch_rows(model: &Model, sample: &Array2<f32>) -> Result<f64, BenchError> {
    let mut passes = Vec::new();
    for _ in 0..PASSES {
        let (answer, took) = seconds(|| model.predict(sample.view(), 1));
        black_box(answer?);
        passes.push(sample.nrows() as f64 / took);
    }
    Ok(median(passes))
}

fn explained_row(model: &Model, sample: &Array2<f32>) -> Result<f64, BenchError> {
    let explainer = Explainer::new(model);
    let rows: Vec<Vec<f32>> = sample
        .rows()
        .into_iter()
        .take(EXPLAINED_ROWS)
        .map(|row| row.to_vec())
        .collect();
    let mut passes = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        for row in &rows {
            black_box(explainer.explain(row)?);
        }
        passes.push(start.elapsed().as_secs_f64() / rows.len() as f64 * 1e6);
    }
    Ok(median(passes))
}

//! Anomalies without labels: tables scored whole, and single signals scored as they stream by.

use crate::data::{Folder, records};
use crate::error::BenchError;
use crate::report::{Report, decimals};
use ml::anomaly::AnomalyModel;
use ml::anomaly::signal::{SignalSettings, SignalWatch};
use ml::metric;
use ndarray::Array2;
use std::time::Instant;

/// Asks every data set of anomalies.
pub(crate) fn ask(folders: &[Folder], report: &mut Report) -> Result<(), BenchError> {
    report.section(
        "Anomalies",
        "Fitted without labels on all rows and scored on the same, as ADBench does. Signals: each reading is scored by earlier ones only.",
    );
    for folder in folders {
        match folder.task() {
            "anomaly_tab" => tables(folder, report)?,
            "anomaly_ts" => signals(folder, report)?,
            _ => {}
        }
    }
    Ok(())
}

fn files<'a>(folder: &'a Folder, list: &str) -> Vec<(&'a str, usize)> {
    let list = folder.schema[list].as_array();
    list.into_iter()
        .flatten()
        .map(|one| {
            let unscored = usize::try_from(one["probation"].as_u64().unwrap_or(0)).unwrap_or(0);
            (one["file"].as_str().unwrap_or_default(), unscored)
        })
        .collect()
}

/// Values of all but the last column, rows × columns, and the last column.
fn labelled(
    folder: &Folder,
    file: &str,
    skipped: usize,
) -> Result<(Array2<f32>, Vec<f32>), BenchError> {
    let path = folder.path.join(file);
    let records = records(&path)?;
    let width = records[0].len() - 1;
    let number = |text: &str| text.parse().unwrap_or(f32::NAN);
    let body = &records[1..];
    let labels = body.iter().map(|record| number(&record[width])).collect();
    let values = body
        .iter()
        .flat_map(|record| {
            record
                .iter()
                .take(width)
                .skip(skipped)
                .map(number)
                .collect::<Vec<f32>>()
        })
        .collect();
    let table = Array2::from_shape_vec((body.len(), width - skipped), values)
        .map_err(|error| BenchError::data(&path, error.to_string()))?;
    Ok((table, labels))
}

fn tables(folder: &Folder, report: &mut Report) -> Result<(), BenchError> {
    let mut rows = Vec::new();
    let (mut roc, mut pr, mut mean_time) = (0.0, 0.0, 0.0);
    let files = files(folder, "sets");
    for &(file, _) in &files {
        let (table, labels) = labelled(folder, file, 0)?;
        let model = AnomalyModel::fit(table.view(), 1)?;
        let mut scratch = model.scratch();
        let start = Instant::now();
        let mut ranks = Vec::with_capacity(labels.len());
        for row in table.rows() {
            ranks.push(
                model
                    .score(row.as_slice().unwrap_or_default(), &mut scratch)?
                    .rank,
            );
        }
        let time = start.elapsed().as_secs_f64() / labels.len() as f64 * 1e6;
        let found = (
            metric::roc_auc(&labels, &ranks),
            metric::pr_auc(&labels, &ranks),
        );
        roc += found.0 / files.len() as f64;
        pr += found.1 / files.len() as f64;
        mean_time += time / files.len() as f64;
        rows.push(vec![
            file.to_owned(),
            decimals(found.0),
            decimals(found.1),
            format!("{time:.2}"),
        ]);
    }
    rows.push(vec![
        "mean".to_owned(),
        decimals(roc),
        decimals(pr),
        format!("{mean_time:.2}"),
    ]);
    report.table(&["set", "ROC-AUC", "PR-AUC", "µs a row"], &rows);
    report.at_least("anomalies: mean ROC-AUC of the tables", 0.83, roc);
    report.at_least("anomalies: mean PR-AUC of the tables", 0.52, pr);
    report.at_most("anomalies: µs a row, mean", 2.0, mean_time);
    Ok(())
}

fn signals(folder: &Folder, report: &mut Report) -> Result<(), BenchError> {
    let mut rows = Vec::new();
    let (mut roc, mut pr, mut mean_time) = (0.0, 0.0, 0.0);
    let files = files(folder, "series");
    for &(file, unscored) in &files {
        let path = folder.path.join(file);
        let hours: Vec<usize> = records(&path)?
            .iter()
            .skip(1)
            .map(|record| {
                record[0]
                    .get(11..13)
                    .and_then(|hour| hour.parse().ok())
                    .unwrap_or(0)
            })
            .collect();
        let (values, labels) = labelled(folder, file, 1)?;
        let mut watch = SignalWatch::new(SignalSettings::default())
            .map_err(|error| BenchError::data(&path, error.to_string()))?;
        let start = Instant::now();
        let mut scores = Vec::with_capacity(labels.len());
        for (row, &hour) in values.rows().into_iter().zip(&hours) {
            let verdict = watch.observe(f64::from(row[0]), hour);
            scores.push(verdict.ok().flatten().map_or(0.0, |verdict| verdict.score));
        }
        let time = start.elapsed().as_secs_f64() / labels.len() as f64 * 1e6;
        let found = (
            metric::roc_auc(&labels[unscored..], &scores[unscored..]),
            metric::pr_auc(&labels[unscored..], &scores[unscored..]),
        );
        roc += found.0 / files.len() as f64;
        pr += found.1 / files.len() as f64;
        mean_time += time / files.len() as f64;
        rows.push(vec![
            file.to_owned(),
            decimals(found.0),
            decimals(found.1),
            format!("{time:.2}"),
        ]);
    }
    rows.push(vec![
        "mean".to_owned(),
        decimals(roc),
        decimals(pr),
        format!("{mean_time:.2}"),
    ]);
    report.table(&["signal", "ROC-AUC", "PR-AUC", "µs a reading"], &rows);
    report.at_most("anomalies: µs a reading of a signal, mean", 2.0, mean_time);
    Ok(())
}

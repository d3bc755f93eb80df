//! Failure within 30, 60 and 90 units of time: one hazard model, beside the base rate and a one-line rule.

use crate::data::{Folder, Table};
use crate::error::BenchError;
use crate::report::{Report, decimals};
use ml::hazard::{Cohort, HazardModel, Lifetimes, fleet_settings};
use ml::{Dataset, Params, metric};

const ENDS: [f32; 3] = [30.0, 60.0, 90.0];
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// Where a table keeps what happened after the snapshot.
struct Lives {
    days: &'static str,
    event: Option<&'static str>,
}

/// Asks every data set that knows lifetimes.
pub(crate) fn ask(folders: &[Folder], report: &mut Report) -> Result<(), BenchError> {
    report.section(
        "Failure within 30, 60 and 90 days",
        "One hazard model, mean of five seeds, on the test part. Accuracy stands beside the share of the majority; a faint signal shows \
         in ROC-AUC.",
    );
    let mut rows = Vec::new();
    for folder in folders
        .iter()
        .filter(|folder| matches!(folder.task(), "binary" | "regression"))
    {
        let table = folder.table()?;
        let lives = if table.has("y_days_to_fail") && table.has("y_event") {
            Lives {
                days: "y_days_to_fail",
                event: Some("y_event"),
            }
        } else if table.has("y_rul") {
            Lives {
                days: "y_rul",
                event: None,
            }
        } else {
            continue;
        };
        measure(&folder.name, &table, &lives, &mut rows)?;
    }
    report.table(
        &[
            "data",
            "days",
            "log loss",
            "base rate's",
            "ROC-AUC",
            "PR-AUC",
            "ECE",
            "accuracy",
            "majority",
        ],
        &rows,
    );
    Ok(())
}

/// Rows of a part with their lives.
struct Part {
    rows: Dataset,
    durations: Vec<f32>,
    observed: Vec<bool>,
}

impl Part {
    fn of(table: &Table, name: &str, lives: &Lives) -> Result<Self, BenchError> {
        let rows = table.rows_of(name, lives.days, None, false);
        let observed = lives.event.map(|event| table.other(event, &rows));
        Ok(Self {
            durations: table.other(lives.days, &rows),
            observed: observed.map_or_else(
                || vec![true; rows.len()],
                |marks| marks.iter().map(|&mark| mark == 1.0).collect(),
            ),
            rows: table.dataset(&rows, lives.days)?,
        })
    }

    fn cohort(&self) -> Cohort<'_> {
        Cohort {
            rows: &self.rows,
            lifetimes: Lifetimes {
                durations: &self.durations,
                observed: &self.observed,
            },
        }
    }
}

fn measure(
    name: &str,
    table: &Table,
    lives: &Lives,
    rows: &mut Vec<Vec<String>>,
) -> Result<(), BenchError> {
    let [train, valid, test] = ["train", "valid", "test"].map(|part| Part::of(table, part, lives));
    let (train, valid, test) = (train?, valid?, test?);
    let mut sums = [[0.0; 6]; ENDS.len()];
    let mut trivial = [[0.0; 2]; ENDS.len()];
    for seed in SEEDS {
        let params = Params {
            seed,
            threads: 2,
            ..fleet_settings(train.rows.rows())
        };
        let model =
            HazardModel::train(&params, &ENDS, &train.cohort(), Some(&valid.cohort()), None)?;
        let mut scratch = model.scratch();
        let mut row = vec![0.0; train.rows.features().len()];
        let mut curves = Vec::with_capacity(test.durations.len());
        for index in 0..test.durations.len() {
            test.rows.copy_row(index, &mut row);
            let mut curve = [0.0; ENDS.len()];
            model.failure_into(&row, &mut scratch, &mut curve)?;
            curves.push(curve);
        }
        for (period, &end) in ENDS.iter().enumerate() {
            let known =
                (0..curves.len()).filter(|&at| test.durations[at] >= end || test.observed[at]);
            let (labels, chances): (Vec<f32>, Vec<f64>) = known
                .map(|at| {
                    (
                        f32::from(u8::from(test.durations[at] < end)),
                        curves[at][period],
                    )
                })
                .unzip();
            let base = f64::from(labels.iter().sum::<f32>()) / labels.len() as f64;
            trivial[period] = [
                metric::logloss(&labels, &vec![base; labels.len()]),
                base.max(1.0 - base),
            ];
            let each = [
                metric::logloss(&labels, &chances),
                metric::roc_auc(&labels, &chances),
                metric::pr_auc(&labels, &chances),
                metric::expected_calibration_error(&labels, &chances),
                metric::accuracy(&labels, &chances),
                0.0,
            ];
            for (sum, value) in sums[period].iter_mut().zip(each) {
                *sum += value / SEEDS.len() as f64;
            }
        }
    }
    for ((end, sums), trivial) in ENDS.iter().zip(sums).zip(trivial) {
        let [loss, roc, pr, calibration, accuracy, _] = sums;
        rows.push(vec![
            name.to_owned(),
            end.to_string(),
            decimals(loss),
            decimals(trivial[0]),
            decimals(roc),
            decimals(pr),
            decimals(calibration),
            decimals(accuracy),
            decimals(trivial[1]),
        ]);
    }
    Ok(())
}

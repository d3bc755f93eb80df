//! Failure within 30, 60 and 90 units of time: one hazard model, beside the base rate and a one-line rule.

use crate::baseline::Baselines;
use crate::data::{Folder, Table};
use crate::error::BenchError;
use crate::report::{Report, decimals};
use ml::hazard::{Cohort, HazardModel, Lifetimes, fleet_settings};
use ml::{Dataset, metric};

const ENDS: [f32; 3] = [30.0, 60.0, 90.0];
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// Where a table keeps what happened after the snapshot.
struct Lives {
    days: &'static str,
    event: Option<&'static str>,
}

/// Asks every data set that knows lifetimes.
pub(crate) fn ask(
    folders: &[Folder],
    baselines: &Baselines,
    report: &mut Report,
) -> Result<(), BenchError> {
    report.section(
        "Failure within 30, 60 and 90 days",
        "One hazard model, mean of five seeds, on the test part, on snapshots whose whole window was observed. Beside it stand the base \
         rate and a one-line rule: the training part's share of failures by sixths of the one feature that does best on the validation \
         part. Accuracy stands beside the share of the majority; a faint signal shows in ROC-AUC.",
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
        measure(folder, &table, &lives, baselines, &mut rows, report)?;
    }
    report.table(
        &[
            "data",
            "days",
            "log loss",
            "base rate's",
            "rule's",
            "rule",
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

/// Buckets of the one-line rule.
const BUCKETS: usize = 6;

/// Rows of a part with their lives.
struct Part {
    rows: Dataset,
    durations: Vec<f32>,
    observed: Vec<bool>,
    /// For each horizon, the rows whose fate is known and that fate, 0 or 1.
    fates: Vec<Vec<(usize, f32)>>,
}

impl Part {
    fn of(table: &Table, name: &str, lives: &Lives, folder: &Folder) -> Result<Self, BenchError> {
        let rows = table.rows_of(name, lives.days, None, false);
        let observed = lives.event.map(|event| table.other(event, &rows));
        let durations = table.other(lives.days, &rows);
        let fates = ENDS.map(|end| {
            // Where the table says the label of a horizon, a window that was seen only in part has none.
            let target = format!("y_fail_{end}");
            let labels = if table.has(&target) {
                table.other(&target, &rows)
            } else {
                let failed = durations
                    .iter()
                    .map(|&days| f32::from(u8::from(days < end)));
                failed.collect()
            };
            let known = labels.into_iter().enumerate();
            known
                .filter(|&(_, label)| !label.is_nan() && Some(label) != folder.missing_target())
                .collect()
        });
        Ok(Self {
            observed: observed.map_or_else(
                || vec![true; rows.len()],
                |marks| marks.iter().map(|&mark| mark == 1.0).collect(),
            ),
            durations,
            rows: table.dataset(&rows, lives.days)?,
            fates: fates.into(),
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

/// The share of failures in the sixths of one feature, learned from the training part.
struct Rule<'part> {
    feature: usize,
    /// Upper ends of all but the last sixth.
    cuts: Vec<f32>,
    shares: [f64; BUCKETS],
    name: &'part str,
}

impl<'part> Rule<'part> {
    fn of(train: &'part Part, horizon: usize, feature: usize) -> Self {
        let column = train.rows.column(feature);
        let mut sorted: Vec<f32> = column
            .iter()
            .copied()
            .filter(|value| !value.is_nan())
            .collect();
        sorted.sort_by(f32::total_cmp);
        let cut = |at: usize| sorted.get(at * sorted.len() / BUCKETS).copied();
        let mut rule = Self {
            feature,
            cuts: (1..BUCKETS).filter_map(cut).collect(),
            shares: [0.0; BUCKETS],
            name: &train.rows.features()[feature].name,
        };
        let fates = &train.fates[horizon];
        let base = fates
            .iter()
            .map(|&(_, label)| f64::from(label))
            .sum::<f64>()
            / fates.len() as f64;
        let mut counts = [(10.0 * base, 10.0); BUCKETS];
        for &(row, label) in fates {
            let place = &mut counts[rule.bucket(column[row])];
            place.0 += f64::from(label);
            place.1 += 1.0;
        }
        rule.shares = counts.map(|(failures, rows)| failures / rows);
        rule
    }

    /// Missing values lie in the first sixth.
    fn bucket(&self, value: f32) -> usize {
        self.cuts.partition_point(|&cut| cut <= value)
    }

    fn logloss(&self, part: &Part, horizon: usize) -> f64 {
        let column = part.rows.column(self.feature);
        let (labels, chances): (Vec<f32>, Vec<f64>) = part.fates[horizon]
            .iter()
            .map(|&(row, label)| (label, self.shares[self.bucket(column[row])]))
            .unzip();
        metric::logloss(&labels, &chances)
    }

    /// The rule of the feature that does best on the validation part.
    fn choose(train: &'part Part, valid: &Part, horizon: usize) -> Self {
        let rules =
            (0..train.rows.features().len()).map(|feature| Self::of(train, horizon, feature));
        rules
            .min_by(|left, right| {
                left.logloss(valid, horizon)
                    .total_cmp(&right.logloss(valid, horizon))
            })
            .expect("a table has features")
    }
}

fn measure(
    folder: &Folder,
    table: &Table,
    lives: &Lives,
    baselines: &Baselines,
    rows: &mut Vec<Vec<String>>,
    report: &mut Report,
) -> Result<(), BenchError> {
    let name = &folder.name;
    let [train, valid, test] =
        ["train", "valid", "test"].map(|part| Part::of(table, part, lives, folder));
    let (train, valid, test) = (train?, valid?, test?);
    let mut sums = [[0.0; 5]; ENDS.len()];
    for seed in SEEDS {
        let curves = curves(&train, &valid, &test, seed)?;
        for (period, fates) in test.fates.iter().enumerate() {
            let (labels, chances): (Vec<f32>, Vec<f64>) = fates
                .iter()
                .map(|&(row, label)| (label, curves[row][period]))
                .unzip();
            let each = [
                metric::logloss(&labels, &chances),
                metric::roc_auc(&labels, &chances),
                metric::pr_auc(&labels, &chances),
                metric::expected_calibration_error(&labels, &chances),
                metric::accuracy(&labels, &chances),
            ];
            for (sum, value) in sums[period].iter_mut().zip(each) {
                *sum += value / SEEDS.len() as f64;
            }
        }
    }
    for (period, (end, sums)) in ENDS.iter().zip(sums).enumerate() {
        let [loss, roc, pr, calibration, accuracy] = sums;
        let labels: Vec<f32> = test.fates[period].iter().map(|&(_, label)| label).collect();
        let share = |part: &Part| {
            let fates = &part.fates[period];
            fates
                .iter()
                .map(|&(_, label)| f64::from(label))
                .sum::<f64>()
                / fates.len() as f64
        };
        let (base, now) = (share(&train), share(&test));
        let rule = Rule::choose(&train, &valid, period);
        let losses = [
            loss,
            metric::logloss(&labels, &vec![base; labels.len()]),
            rule.logloss(&test, period),
        ];
        let mut cells = vec![name.to_owned(), end.to_string()];
        cells.extend(losses.map(decimals));
        cells.push(rule.name.to_owned());
        cells.extend([roc, pr, calibration, accuracy, now.max(1.0 - now)].map(decimals));
        rows.push(cells);
        let what = format!("failure within {end}: {name}");
        report.at_most(&format!("{what}, log loss, base rate's"), losses[1], loss);
        if let Some(known) = baselines.of(name, &format!("hazard_{end}")) {
            report.at_most(&format!("{what}, log loss, best known"), known, loss);
        }
        if let Some(least) = baselines.of(name, &format!("accuracy_{end}")) {
            report.at_least(&format!("{what}, accuracy"), least, accuracy);
        }
        if let Some(bar) = baselines.of(name, &format!("ece_{end}")) {
            report.at_most(&format!("{what}, calibration error"), bar, calibration);
        }
    }
    Ok(())
}

/// Probabilities of every test row by a model of one seed.
fn curves(
    train: &Part,
    valid: &Part,
    test: &Part,
    seed: u64,
) -> Result<Vec<[f64; ENDS.len()]>, BenchError> {
    let settings = fleet_settings(train.rows.rows(), seed, 2);
    let model = HazardModel::train(
        &settings,
        &ENDS,
        &train.cohort(),
        Some(&valid.cohort()),
        None,
    )?;
    let mut scratch = model.scratch();
    let mut row = vec![0.0; train.rows.features().len()];
    (0..test.durations.len())
        .map(|index| {
            test.rows.copy_row(index, &mut row);
            let mut curve = [0.0; ENDS.len()];
            model.failure_into(&row, &mut scratch, &mut curve)?;
            Ok(curve)
        })
        .collect()
}

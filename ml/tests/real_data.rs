//! The crate on real data with fixed splits: better than the trivial answer, and near what is known to be possible.
//!
//! The data lie beside the workspace, in `../shared/data`; where they are absent each test says so and passes.

#![expect(
    clippy::unwrap_used,
    reason = "a test reads fixed files and reports its numbers"
)]

use ml::anomaly::AnomalyModel;
use ml::demand::{DemandForecast, DemandSettings};
use ml::hazard::{Cohort, HazardModel, Lifetimes, fleet_settings};
use ml::{Dataset, Explainer, Feature, FeatureKind, Fit, Loss, Model, Params, metric};
use ndarray::Array2;
use std::collections::BTreeMap;
use std::io::{Read, Write as _};
use std::path::PathBuf;

/// The lines of a compressed table, or none with a loud remark.
fn read(file: &str) -> Option<Vec<Vec<String>>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(file);
    let Ok(packed) = std::fs::File::open(&path) else {
        // The runner captures what the print macros write; nobody would read it there.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: {} is not there",
            path.display()
        );
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_string(&mut text)
        .expect("the shared file unpacks");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows = reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect());
    Some(rows.collect())
}

/// Parts of a table by name, for one target; `categories` are the categorical columns, `left_out` other columns.
fn parts(
    rows: &[Vec<String>],
    target: &str,
    categories: &[&str],
    left_out: &[&str],
) -> BTreeMap<String, Dataset> {
    let header = &rows[0];
    let columns: Vec<usize> = (1..header.len())
        .filter(|&at| header[at] != target && !left_out.contains(&header[at].as_str()))
        .collect();
    let target = header.iter().position(|name| name == target).unwrap();
    let features: Vec<Feature> = columns
        .iter()
        .map(|&at| match categories.contains(&header[at].as_str()) {
            true => Feature::categorical(&header[at]),
            false => Feature::numeric(&header[at]),
        })
        .collect();
    let mut codes: Vec<BTreeMap<&str, usize>> = vec![BTreeMap::new(); columns.len()];
    let mut made: BTreeMap<String, (Vec<f32>, Vec<f32>)> = BTreeMap::new();
    for row in &rows[1..] {
        let (values, labels) = made.entry(row[0].clone()).or_default();
        for ((&at, feature), codes) in columns.iter().zip(&features).zip(&mut codes) {
            let text = row[at].as_str();
            values.push(match feature.kind {
                _ if text.is_empty() => f32::NAN,
                FeatureKind::Numeric => text.parse().unwrap(),
                FeatureKind::Categorical => {
                    let next = codes.len();
                    *codes.entry(text).or_insert(next) as f32
                }
            });
        }
        labels.push(row[target].parse().unwrap());
    }
    let dataset = |(values, labels): (Vec<f32>, Vec<f32>)| {
        let table = Array2::from_shape_vec((labels.len(), columns.len()), values).unwrap();
        Dataset::from_rows(features.clone(), table.view(), labels).unwrap()
    };
    made.into_iter()
        .map(|(name, part)| (name, dataset(part)))
        .collect()
}

fn table_of(dataset: &Dataset) -> Array2<f32> {
    let shape = (dataset.rows(), dataset.features().len());
    Array2::from_shape_fn(shape, |(row, column)| dataset.column(column)[row])
}

fn train(parts: &BTreeMap<String, Dataset>, loss: Loss) -> (Model, Vec<f64>) {
    let params = Params {
        loss,
        row_share: 0.8,
        column_share: 0.8,
        patience_rounds: Some(50),
        threads: 2,
        ..Params::default()
    };
    let model = Fit::new(&params)
        .valid(&parts["valid"])
        .train(&parts["train"])
        .unwrap();
    let predictions = model.predict(table_of(&parts["test"]).view(), 2).unwrap();
    (model, predictions.into_iter().collect())
}

#[test]
fn census_income_with_categories_and_holes() {
    let Some(rows) = read("adult/data.csv.gz") else {
        return;
    };
    let categories = [
        "workclass",
        "education",
        "marital_status",
        "occupation",
        "relationship",
        "race",
        "sex",
        "native_country",
    ];
    let parts = parts(&rows, "y", &categories, &[]);
    let (model, predictions) = train(&parts, Loss::Logistic);
    let labels = parts["test"].labels();
    let loss = metric::logloss(labels, &predictions);
    println!("adult: log loss {loss:.4}, trivial 0.5467, best known 0.2778");
    assert!(loss < 0.2810 && metric::expected_calibration_error(labels, &predictions) < 0.012);

    let explainer = Explainer::new(&model);
    let test = table_of(&parts["test"]);
    for row in test.rows().into_iter().take(50) {
        let row = row.to_vec();
        let mut score = [0.0];
        model
            .scores_into(&row, &mut model.scratch(), &mut score)
            .unwrap();
        let total = explainer.expected()[0] + explainer.explain(&row).unwrap().iter().sum::<f64>();
        assert!((total - score[0]).abs() < 1e-7);
    }
    assert_eq!(
        Model::from_bytes(&model.to_bytes().unwrap()).unwrap(),
        model
    );
}

#[test]
fn house_prices() {
    let Some(rows) = read("california_housing/data.csv.gz") else {
        return;
    };
    let parts = parts(&rows, "y", &["ocean_proximity"], &[]);
    let (_, predictions) = train(&parts, Loss::Squared);
    let error = metric::rmse(parts["test"].labels(), &predictions);
    println!("california_housing: rmse {error:.4}, trivial 1.1469, peers 0.443 to 0.449");
    assert!(error < 0.452);
}

#[test]
fn anomalies_without_labels() {
    let sets = [
        "23_mammography",
        "32_shuttle",
        "2_annthyroid",
        "30_satellite",
        "42_WBC",
        "12_fault",
        "20_letter",
        "38_thyroid",
    ];
    let (mut roc, mut pr) = (0.0, 0.0);
    for set in sets {
        let Some(rows) = read(&format!("adbench_dev/{set}.csv.gz")) else {
            return;
        };
        let width = rows[0].len() - 1;
        let labels: Vec<f32> = rows[1..]
            .iter()
            .map(|row| row[width].parse().unwrap())
            .collect();
        let values = rows[1..]
            .iter()
            .flat_map(|row| row[..width].iter().map(|text| text.parse().unwrap()))
            .collect();
        let table = Array2::from_shape_vec((labels.len(), width), values).unwrap();
        let model = AnomalyModel::fit(table.view(), 1).unwrap();
        let mut scratch = model.scratch();
        let score = |row: ndarray::ArrayView1<'_, f32>| {
            model
                .score(row.as_slice().unwrap(), &mut scratch)
                .unwrap()
                .rank
        };
        let ranks: Vec<f64> = table.rows().into_iter().map(score).collect();
        roc += metric::roc_auc(&labels, &ranks) / sets.len() as f64;
        pr += metric::pr_auc(&labels, &ranks) / sets.len() as f64;
    }
    println!("anomalies: mean ROC-AUC {roc:.4}, PR-AUC {pr:.4}; best single peer 0.825 and 0.511");
    assert!(roc >= 0.83 && pr >= 0.52);
}

#[test]
fn metro_faults_by_month() {
    let Some(rows) = read("ttc_subway/fault_counts.csv.gz") else {
        return;
    };
    let all: Vec<Vec<f64>> = rows[1..]
        .iter()
        .map(|row| row[1..].iter().map(|text| text.parse().unwrap()).collect())
        .collect();
    let known = all[0].len() - 12;
    let history: Vec<Vec<f64>> = all.iter().map(|series| series[..known].to_vec()).collect();
    let settings = DemandSettings {
        horizon: 12,
        season: 12,
        folds: 2,
        boosted: true,
        seed: 1,
        threads: 2,
    };
    let forecast = DemandForecast::make(&history, &settings).unwrap();
    let (mut chosen, mut nothing, mut covered) = (0.0, 0.0, 0.0);
    for (index, series) in all.iter().enumerate() {
        let past = &series[..known];
        let scale = past
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).powi(2))
            .sum::<f64>()
            / (known - 1) as f64;
        let error = |level: f64| {
            let sum: f64 = series[known..]
                .iter()
                .map(|demand| (demand - level).powi(2))
                .sum();
            (sum / 12.0 / scale).sqrt() / all.len() as f64
        };
        chosen += error(forecast.series[index].mean);
        nothing += error(0.0);
        let limit = forecast.quantile(index, 1.0, 0.95).unwrap();
        covered += series[known..]
            .iter()
            .filter(|&&demand| demand <= limit)
            .count() as f64
            / 12.0
            / all.len() as f64;
    }
    println!(
        "ttc faults: rmsse {chosen:.4}, forecasting nothing {nothing:.4}, best known 0.717; 95 % covers {covered:.3}"
    );
    assert!(chosen < 0.74 && (0.91..0.98).contains(&covered));
}

#[test]
fn metro_failures_within_thirty_sixty_and_ninety_days() {
    let Some(rows) = read("ttc_subway/data.csv.gz") else {
        return;
    };
    let header = rows[0].clone();
    let place = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (days, event) = (place("y_days_to_fail"), place("y_event"));
    let left_out = [
        "snapshot_date",
        "unit",
        "y_event",
        "y_fail_30",
        "y_fail_60",
        "y_fail_90",
        "y_count_90",
    ];
    let parts = parts(
        &rows,
        "y_days_to_fail",
        &["fleet", "month", "main_line"],
        &left_out,
    );
    let lives = |part: &str| -> (Vec<f32>, Vec<bool>) {
        let own = rows[1..].iter().filter(|row| row[0] == part);
        own.map(|row| (row[days].parse::<f32>().unwrap(), row[event] == "1"))
            .unzip()
    };
    let (train, valid, test) = (lives("train"), lives("valid"), lives("test"));
    let train = Cohort {
        rows: &parts["train"],
        lifetimes: Lifetimes {
            durations: &train.0,
            observed: &train.1,
        },
    };
    let valid = Cohort {
        rows: &parts["valid"],
        lifetimes: Lifetimes {
            durations: &valid.0,
            observed: &valid.1,
        },
    };
    let settings = fleet_settings(train.rows.rows(), 1, 2);
    let model =
        HazardModel::train(&settings, &[30.0, 60.0, 90.0], &train, Some(&valid), None).unwrap();
    let table = table_of(&parts["test"]);
    let mut scratch = model.scratch();
    for (period, (end, best_known)) in [(30.0, 0.3662), (60.0, 0.5219), (90.0, 0.6011)]
        .into_iter()
        .enumerate()
    {
        let (mut labels, mut chances) = (Vec::new(), Vec::new());
        for ((row, &duration), &failed) in table.rows().into_iter().zip(&test.0).zip(&test.1) {
            if duration >= end || failed {
                let mut curve = [0.0; 3];
                model
                    .failure_into(row.as_slice().unwrap(), &mut scratch, &mut curve)
                    .unwrap();
                labels.push(f32::from(u8::from(duration < end)));
                chances.push(curve[period]);
            }
        }
        let base = f64::from(labels.iter().sum::<f32>()) / labels.len() as f64;
        let trivial = metric::logloss(&labels, &vec![base; labels.len()]);
        let (loss, error) = (
            metric::logloss(&labels, &chances),
            metric::expected_calibration_error(&labels, &chances),
        );
        println!(
            "ttc {end} days: log loss {loss:.4}, base rate {trivial:.4}, best known {best_known}, ECE {error:.4}"
        );
        assert!(loss < trivial && loss < best_known * 1.005 && error < 0.025);
    }
}

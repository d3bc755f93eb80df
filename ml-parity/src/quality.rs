//! Quality of the boosters: the same tables, splits, settings and seeds for all; mean of five seeds on the test part.

use crate::baseline::Baselines;
use crate::data::{Folder, Table};
use crate::error::BenchError;
use crate::peer::{Peers, read_predictions, write_part};
use crate::report::Report;
use ml::{FeatureKind, Fit, Loss, Params, metric};
use serde_json::{Value, json};

/// Not worse than the better peer by more than this.
const WORSE_MAX: f64 = 0.005;

/// The settings everyone gets.
pub(crate) fn settings(loss: Loss) -> Params {
    Params {
        loss,
        rounds_max: 500,
        learning_rate: 0.05,
        leaves_max: 31,
        rows_min: 20,
        l2: 1.0,
        row_share: 0.8,
        column_share: 0.8,
        patience_rounds: Some(50),
        threads: 1,
        ..Params::default()
    }
}

/// The same settings in the peers' words.
pub(crate) fn peer_settings(params: &Params) -> Value {
    json!({
        "learning_rate": params.learning_rate,
        "leaves_max": params.leaves_max,
        "rows_min": params.rows_min,
        "l2": params.l2,
        "row_share": params.row_share,
        "column_share": params.column_share,
        "rounds_max": params.rounds_max,
        "patience_rounds": params.patience_rounds,
    })
}

/// Columns of categories, by number.
pub(crate) fn categories(table: &Table) -> Vec<usize> {
    let each = table.features.iter().enumerate();
    each.filter(|(_, feature)| feature.kind == FeatureKind::Categorical)
        .map(|(at, _)| at)
        .collect()
}

/// Asks every supervised data set and target.
pub(crate) fn ask(
    folders: &[Folder],
    peers: &Peers,
    baselines: &Baselines,
    seeds: u64,
    report: &mut Report,
) -> Result<(), BenchError> {
    report.section(
        "Quality",
        &format!(
            "Log loss or RMSE on the test part, lower is better; 500 rounds at most, learning rate 0.05, 31 leaves, early stopping on \
             the validation part, one thread. Mean of {seeds} seeds ± its standard error, which tells how far draws of rows and \
             columns matter, not how far another test part would. Accuracy stands beside the share of the majority."
        ),
    );
    let (mut rows, mut better, mut worse) = (Vec::new(), 0, Vec::new());
    for folder in folders
        .iter()
        .filter(|folder| matches!(folder.task(), "binary" | "regression"))
    {
        let table = folder.table()?;
        for target in folder.list("targets") {
            let found = compare(folder, &table, target, peers, seeds)?;
            let [ours, peer @ ..] = &found.scores;
            let (own, _) = mean_and_error(&ours.losses);
            let best = peer
                .iter()
                .map(|scores| mean_and_error(&scores.losses).0)
                .fold(f64::INFINITY, f64::min);
            let ratio = own / best;
            let what = format!("quality: {} {target}", folder.name);
            if let Some(known) = baselines.of(&folder.name, target) {
                report.at_most(&format!("{what}, best known"), known, own);
            }
            let accuracy = mean_of(&ours.accuracies);
            if let Some(least) = baselines.of(&folder.name, &format!("accuracy_{target}")) {
                report.at_least(&format!("{what}, accuracy"), least, accuracy);
            }
            if ratio < 1.0 {
                better += 1;
            }
            if ratio > 1.0 + WORSE_MAX {
                worse.push(format!("{} {target}", folder.name));
            }
            let mut cells = vec![format!("{} {target}", folder.name)];
            cells.extend(found.scores.iter().map(shown));
            cells.push(format!("{ratio:.4}"));
            cells.push(found.majority.map_or_else(String::new, |majority| {
                format!("{accuracy:.4} / {majority:.4}")
            }));
            rows.push(cells);
        }
    }
    report.table(
        &[
            "data",
            "ml",
            "LightGBM",
            "XGBoost",
            "ml / better peer",
            "accuracy of ml / majority",
        ],
        &rows,
    );
    let worse = if worse.is_empty() {
        "nowhere".to_owned()
    } else {
        worse.join(", ")
    };
    report.bar(
        "quality: worse than the better peer by more than 0.5 %",
        "nowhere",
        &worse,
        worse == "nowhere",
    );
    report.bar(
        "quality: better than both peers",
        "on at least half",
        &format!("{better} of {}", rows.len()),
        2 * better >= rows.len(),
    );
    Ok(())
}

/// What one library reached, seed by seed.
#[derive(Default)]
struct Scores {
    /// Log loss, or root mean squared error.
    losses: Vec<f64>,
    /// Empty without classes, like accuracies.
    areas: Vec<f64>,
    accuracies: Vec<f64>,
}

impl Scores {
    fn add(&mut self, loss: Loss, labels: &[f32], predictions: &[f64]) {
        if loss == Loss::Logistic {
            self.losses.push(metric::logloss(labels, predictions));
            self.areas.push(metric::roc_auc(labels, predictions));
            self.accuracies.push(metric::accuracy(labels, predictions));
        } else {
            self.losses.push(metric::rmse(labels, predictions));
        }
    }
}

fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The mean and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let (mean, count) = (mean_of(values), values.len() as f64);
    let squares = values.iter().map(|value| (value - mean) * (value - mean));
    let variance = squares.sum::<f64>() / (count - 1.0).max(1.0);
    (mean, (variance / count).sqrt())
}

/// Loss or error, and beside a log loss the ROC-AUC.
fn shown(scores: &Scores) -> String {
    let (mean, error) = mean_and_error(&scores.losses);
    let loss = format!("{mean:.4} ± {error:.4}");
    if scores.areas.is_empty() {
        loss
    } else {
        format!("{loss} (AUC {:.4})", mean_of(&scores.areas))
    }
}

/// How the three libraries did on one target.
struct Comparison {
    /// Ours, LightGBM's, XGBoost's.
    scores: [Scores; 3],
    /// Share of the more frequent class in the test part, where there are classes.
    majority: Option<f64>,
}

fn compare(
    folder: &Folder,
    table: &Table,
    target: &str,
    peers: &Peers,
    seeds: u64,
) -> Result<Comparison, BenchError> {
    let loss = if folder.task() == "binary" {
        Loss::Logistic
    } else {
        Loss::Squared
    };
    let missing = folder.missing_target();
    let exchange = peers.folder(&format!("{}-{target}", folder.name))?;
    for (part, scored) in [("train", false), ("valid", false), ("test", true)] {
        let rows = table.rows_of(part, target, missing, scored);
        write_part(
            &exchange,
            part,
            &table.values(&rows),
            &table.other(target, &rows),
        )?;
    }
    let params = settings(loss);
    let task = json!({
        "folder": exchange,
        "columns": table.features.len(),
        "categories": categories(table),
        "loss": if loss == Loss::Logistic { "logistic" } else { "squared" },
        "seeds": (1..=seeds).collect::<Vec<_>>(),
        "threads": 1,
        "params": peer_settings(&params),
        "what": "quality",
    });
    let rows = |part: &str, scored: bool| table.rows_of(part, target, missing, scored);
    let train = table.dataset(&rows("train", false), target)?;
    let valid = table.dataset(&rows("valid", false), target)?;
    let test_rows = rows("test", true);
    let (test, labels) = (table.values(&test_rows), table.other(target, &test_rows));
    // The peers take one core and we the other.
    let (asked, ours) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| peers.run(&exchange, &task));
        let ours = || {
            let mut scores = Scores::default();
            for seed in 1..=seeds {
                let params = Params {
                    seed,
                    ..params.clone()
                };
                let model = Fit::new(&params).valid(&valid).train(&train)?;
                let predictions = model.predict(test.view(), 1)?.into_raw_vec_and_offset().0;
                scores.add(loss, &labels, &predictions);
            }
            Ok::<_, BenchError>(scores)
        };
        let ours = ours();
        (asked.join(), ours)
    });
    asked.map_err(|_| BenchError::Peer("the thread that asks has panicked".to_owned()))??;
    let theirs = |peer: &str| {
        let mut scores = Scores::default();
        for seed in 1..=seeds {
            let predictions = read_predictions(&exchange.join(format!("{peer}.{seed}")))?;
            scores.add(loss, &labels, &predictions);
        }
        Ok::<_, BenchError>(scores)
    };
    let ones = mean_of(
        &labels
            .iter()
            .map(|&label| f64::from(label))
            .collect::<Vec<_>>(),
    );
    Ok(Comparison {
        scores: [ours?, theirs("lightgbm")?, theirs("xgboost")?],
        majority: (loss == Loss::Logistic).then_some(ones.max(1.0 - ones)),
    })
}

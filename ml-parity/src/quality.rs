//! Quality of the boosters: the same tables, splits, settings and seeds for all; mean of five seeds on the test part.

use crate::baseline::Baselines;
use crate::data::{Folder, Table};
use crate::error::BenchError;
use crate::peer::{Peers, read_predictions, write_part};
use crate::report::{Report, decimals};
use ml::{FeatureKind, Fit, Loss, Params, metric};
use serde_json::{Value, json};

/// Seeds of the runs whose mean is reported.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
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
    report: &mut Report,
) -> Result<(), BenchError> {
    report.section(
        "Quality",
        "Log loss or RMSE on the test part, lower is better; 500 rounds at most, learning rate 0.05, 31 leaves, early stopping on \
         the validation part, mean of five seeds, one thread.",
    );
    let (mut rows, mut better, mut worse) = (Vec::new(), 0, Vec::new());
    for folder in folders
        .iter()
        .filter(|folder| matches!(folder.task(), "binary" | "regression"))
    {
        let table = folder.table()?;
        for target in folder.list("targets") {
            let (ours, peer) = compare(folder, &table, target, peers)?;
            let best = peer
                .iter()
                .map(|(_, value)| value[0])
                .fold(f64::INFINITY, f64::min);
            let ratio = ours[0] / best;
            if let Some(known) = baselines.of(&folder.name, target) {
                let what = format!("quality: {} {target}, best known", folder.name);
                report.at_most(&what, known, ours[0]);
            }
            if ratio < 1.0 {
                better += 1;
            }
            if ratio > 1.0 + WORSE_MAX {
                worse.push(format!("{} {target}", folder.name));
            }
            let mut cells = vec![format!("{} {target}", folder.name)];
            cells.extend(
                [ours]
                    .iter()
                    .chain(peer.iter().map(|(_, value)| value))
                    .map(|value| shown(value)),
            );
            cells.push(format!("{ratio:.4}"));
            rows.push(cells);
        }
    }
    report.table(
        &["data", "ml", "LightGBM", "XGBoost", "ml / better peer"],
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

/// Loss or error, and beside a log loss the ROC-AUC.
fn shown(values: &[f64]) -> String {
    match values {
        [loss, auc] => format!("{loss:.4} (AUC {auc:.4})"),
        _ => decimals(values[0]),
    }
}

fn score(loss: Loss, labels: &[f32], predictions: &[f64]) -> Vec<f64> {
    match loss {
        Loss::Logistic => vec![
            metric::logloss(labels, predictions),
            metric::roc_auc(labels, predictions),
        ],
        _ => vec![metric::rmse(labels, predictions)],
    }
}

fn mean(runs: &[Vec<f64>]) -> Vec<f64> {
    let sum = |at: usize| runs.iter().map(|run| run[at]).sum::<f64>() / runs.len() as f64;
    (0..runs[0].len()).map(sum).collect()
}

type Scores = Vec<f64>;

/// A peer's name and its scores.
type PeerScores = (&'static str, Scores);

fn compare(
    folder: &Folder,
    table: &Table,
    target: &str,
    peers: &Peers,
) -> Result<(Scores, Vec<PeerScores>), BenchError> {
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
        "seeds": SEEDS,
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
        let ours: Result<Vec<Scores>, BenchError> = SEEDS
            .iter()
            .map(|&seed| {
                let params = Params {
                    seed,
                    ..params.clone()
                };
                let model = Fit::new(&params).valid(&valid).train(&train)?;
                let predictions = model.predict(test.view(), 1)?.into_raw_vec_and_offset().0;
                Ok(score(loss, &labels, &predictions))
            })
            .collect();
        (asked.join(), ours)
    });
    asked.map_err(|_| BenchError::Peer("the thread that asks has panicked".to_owned()))??;
    let ours = ours?;
    let mut theirs = Vec::new();
    for peer in ["lightgbm", "xgboost"] {
        let mut runs = Vec::new();
        for seed in SEEDS {
            let predictions = read_predictions(&exchange.join(format!("{peer}.{seed}")))?;
            runs.push(score(loss, &labels, &predictions));
        }
        theirs.push((peer, mean(&runs)));
    }
    Ok((mean(&ours), theirs))
}

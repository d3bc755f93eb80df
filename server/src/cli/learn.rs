//! `railfleet train`, `predict` and `backtest`: learning on a data folder that no server has open.
//!
//! Tables go to standard output; `--report` writes a page with plots.

use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ::lake::Target;
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde_json::Value;
use storage::{Log, SystemClock};

use super::lake::told;
use super::{CliError, DataArgs, print, require_log, say};
use crate::app::open_log;
use crate::learn::{
    self, Artifact, Backtest, DirectTraining, Learning, Streamed, Table as _, Wanted, metrics,
    report,
};
use crate::rfc3339;

/// What is learned.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum What {
    /// Which vehicle fails within 30, 60 and 90 days.
    Failure,
}

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    /// What to learn.
    #[arg(value_enum, default_value = "failure")]
    what: What,
    /// Windows of the backtest that stands beside the model.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=20))]
    folds: u8,
    /// Write a page with plots to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    report: Option<PathBuf>,
    /// Learn from what railfleet lake features wrote instead of from the log: file:///folder, s3://bucket/prefix or a folder's
    /// path. Given several times, from several depots at once. Rows are streamed and may be more than memory holds.
    #[arg(long, value_name = "URL")]
    from: Vec<String>,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
    /// What to try.
    #[arg(value_enum, default_value = "failure")]
    what: What,
    /// Windows over the last fifth of the history; each is predicted by a model trained before it.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    folds: u8,
    /// Write a page with plots to this file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
pub(super) struct PredictArgs {
    /// What to predict.
    #[arg(value_enum, default_value = "failure")]
    what: What,
    /// A vehicle, by its asset id; without one the fleet is ranked.
    #[arg(long, value_name = "ID")]
    vehicle: Option<String>,
    /// As of when, RFC 3339; the end of what is known where absent.
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Vehicles in the ranking.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArgs,
}

/// The log and learning over it.
pub(super) fn open(data: &DataArgs) -> Result<(Arc<Log>, Arc<Learning>), CliError> {
    let config = data.load()?;
    require_log(&config)?;
    let clock = Arc::new(SystemClock);
    let log = Arc::new(open_log(&config, clock.clone())?);
    let learning = Arc::new(Learning::new(log.clone(), clock, config.models_folder()));
    Ok((log, learning))
}

/// Shows a share of the work done, on a terminal only.
struct Meter(ProgressBar);

impl Meter {
    fn new(what: &'static str) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(1_000)
        } else {
            ProgressBar::hidden()
        };
        bar.set_prefix(what);
        Self(bar)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a share of a thousand")]
    fn show(&self, share: f64) -> ControlFlow<()> {
        self.0
            .set_position((share.clamp(0.0, 1.0) * 1_000.0) as u64);
        ControlFlow::Continue(())
    }
}

fn other(error: impl std::fmt::Display) -> CliError {
    CliError::Other(error.to_string())
}

/// The moment that an option names, in microseconds since 1970 UTC.
pub(super) fn time_of(option: &str, text: Option<&str>) -> Result<Option<i64>, CliError> {
    let parsed = text.map(|text| {
        let time = rfc3339::parse(text).map_err(|error| other(format!("{option}: {error}")));
        Ok(time?.micros())
    });
    parsed.transpose()
}

fn prepare(
    learning: &Learning,
    log: &Log,
    folds: u8,
) -> Result<(DirectTraining, Backtest), CliError> {
    let direct = DirectTraining::prepare(learning, log.durable_position()).map_err(other)?;
    print(&direct.summary());
    let meter = Meter::new("backtest");
    let backtest = direct.backtest(usize::from(folds), &mut |share| meter.show(share));
    meter.0.finish_and_clear();
    let backtest = backtest.map_err(other)?;
    print(report::table(&backtest).trim_end());
    Ok((direct, backtest))
}

pub(super) fn train(args: TrainArgs) -> Result<ExitCode, CliError> {
    let What::Failure = args.what;
    let (log, learning) = open(&args.data)?;
    if !args.from.is_empty() {
        let folder = args.data.load()?.models_folder();
        let (artifact, file, backtest) = train_streamed(&args, &folder)?;
        return keep(&learning, &artifact, &file, &backtest);
    }
    let (direct, backtest) = prepare(&learning, &log, args.folds)?;
    let meter = Meter::new("training");
    let trained = direct.train(&backtest, &mut |share| meter.show(share));
    meter.0.finish_and_clear();
    let (artifact, file) = trained.map_err(other)?;
    let code = keep(&learning, &artifact, &file, &backtest)?;
    if let Some(path) = &args.report {
        write_report(path, &direct, &backtest, &artifact)?;
    }
    Ok(code)
}

/// Trains on what was exported, without holding it.
fn train_streamed(
    args: &TrainArgs,
    folder: &Path,
) -> Result<(Artifact, Vec<u8>, Backtest), CliError> {
    let places = args.from.iter().map(|from| place(from));
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let table = Streamed::open(places, folder).map_err(other)?;
    let (position, end) = table.as_of();
    print(&format!(
        "{} snapshots from {} place(s), up to {}",
        table.rows(),
        args.from.len(),
        rfc3339::to_string(storage::Timestamp::from_micros(end))
    ));
    let meter = Meter::new("backtest");
    let folds = usize::from(args.folds);
    let tested = learn::backtest(&table, folds, learn::SEED, &mut |share| meter.show(share));
    meter.0.finish_and_clear();
    let backtest = tested.map_err(other)?;
    print(report::table(&backtest).trim_end());
    let meter = Meter::new("training");
    let words = table.words();
    let trained = learn::pack(&table, &words, (position, end), &backtest, &mut |share| {
        meter.show(share)
    });
    meter.0.finish_and_clear();
    let (artifact, file) = trained.map_err(other)?;
    Ok((artifact, file, backtest))
}

fn place(from: &str) -> Result<Target, CliError> {
    if from.contains("://") {
        return Target::open_existing(from).map_err(told);
    }
    let folder = std::path::absolute(from).map_err(other)?;
    let url = url::Url::from_file_path(&folder)
        .map_err(|()| other(format!("{} is no folder's path", folder.display())))?;
    Target::open_existing(url.as_str()).map_err(told)
}

/// Keeps and registers a model, and deploys it if it is better.
fn keep(
    learning: &Learning,
    artifact: &Artifact,
    file: &[u8],
    backtest: &Backtest,
) -> Result<ExitCode, CliError> {
    let added = learning.add(artifact, file, metrics(backtest), None);
    let id = added.map_err(other)?;
    let deployed = learning.deploy_if_better(&id).map_err(other)?;
    print(&format!(
        "model {id}: {} bytes, {}",
        file.len(),
        if deployed {
            "deployed"
        } else {
            "not deployed, since its backtest is no better than the deployed model's or the base rate's"
        }
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn backtest(args: BacktestArgs) -> Result<ExitCode, CliError> {
    let What::Failure = args.what;
    let (log, learning) = open(&args.data)?;
    let (direct, backtest) = prepare(&learning, &log, args.folds)?;
    if let Some(path) = &args.report {
        let (artifact, _) = direct
            .train(&backtest, &mut |_| ControlFlow::Continue(()))
            .map_err(other)?;
        write_report(path, &direct, &backtest, &artifact)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_report(
    path: &Path,
    direct: &DirectTraining,
    backtest: &Backtest,
    artifact: &Artifact,
) -> Result<(), CliError> {
    let (shap, curves) = direct.plots(artifact).map_err(other)?;
    let page = report::html(backtest, &shap, &curves);
    std::fs::write(path, page).map_err(CliError::io(format!("cannot write {}", path.display())))?;
    say(&format!("the report is in {}", path.display()));
    Ok(())
}

pub(super) fn predict(args: PredictArgs) -> Result<ExitCode, CliError> {
    let What::Failure = args.what;
    let as_of = time_of("--as-of", args.as_of.as_deref())?;
    let (_log, learning) = open(&args.data)?;
    let answer = match &args.vehicle {
        Some(vehicle) => learning.predict_maintenance(&Wanted {
            vehicle: vehicle.clone(),
            as_of,
            ..Wanted::default()
        }),
        None => learning.rank_fleet(as_of, args.limit),
    };
    let answer = answer.map_err(other)?;
    if args.json {
        print(&answer.to_string());
    } else if args.vehicle.is_some() {
        tell_vehicle(&answer);
    } else {
        tell_fleet(&answer);
    }
    Ok(ExitCode::SUCCESS)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn percent(value: &Value) -> String {
    value
        .as_f64()
        .map_or("-".to_owned(), |chance| format!("{:.1} %", 100.0 * chance))
}

fn tell_vehicle(answer: &Value) {
    print(&format!(
        "{} as of {}, by {}",
        text(answer, "vehicle_id"),
        text(answer, "as_of"),
        text(answer, "source")
    ));
    for horizon in answer["horizons"].as_array().into_iter().flatten() {
        let interval = match horizon["interval"].as_array().map(Vec::as_slice) {
            Some([low, high]) => format!(" ({} to {})", percent(low), percent(high)),
            _ => String::new(),
        };
        print(&format!(
            "  fails within {:>2} days: {}{interval}",
            horizon["days"],
            percent(&horizon["probability"])
        ));
    }
    let date = &answer["maintenance"];
    print(&format!(
        "  risk: {}; take it in on {}",
        text(answer, "risk_level"),
        date["recommended_date"].as_str().unwrap_or("-")
    ));
    for reason in answer["reasons"].as_array().into_iter().flatten() {
        print(&format!(
            "  {} by {}: {}",
            text(reason, "effect"),
            percent(&reason["weight"]),
            text(reason, "text")
        ));
    }
    for case in answer["similar_cases"].as_array().into_iter().flatten() {
        print(&format!(
            "  similar: {} on {}: {}",
            text(case, "vehicle_id"),
            text(case, "date"),
            text(case, "outcome")
        ));
    }
    print(&format!("  {}", text(answer, "note")));
}

fn tell_fleet(answer: &Value) {
    print(&format!(
        "{} vehicles in service as of {}, by {}",
        answer["fleet_size"],
        text(answer, "as_of"),
        text(answer, "source")
    ));
    print(&format!(
        "{:>4}  {:<16} {:>8} {:>8} {:>8}  risk",
        "rank", "vehicle", "30 days", "60 days", "90 days"
    ));
    for row in answer["vehicles"].as_array().into_iter().flatten() {
        let chance = |days: u32| percent(&row[format!("failure_probability_{days}d").as_str()]);
        print(&format!(
            "{:>4}  {:<16} {:>8} {:>8} {:>8}  {}",
            row["rank"],
            text(row, "vehicle_id"),
            chance(30),
            chance(60),
            chance(90),
            text(row, "risk_level")
        ));
    }
    print(text(answer, "note"));
}

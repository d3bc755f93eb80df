//! `railfleet lake`: the log's history as Parquet in a folder or in object storage, for query engines.
//!
//! A running server exports by itself where `lake.to` says so; this is for a log that no server has open, and for whoever
//! wants to know which files an export consists of.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use ::lake::{LakeError, Target, read_manifest};
use clap::{Args, Subcommand, ValueEnum};
use storage::{Clock as _, SystemClock};

use super::import::stop_on_signals;
use super::learn::{What, open as open_learning, time_of};
use super::{CliError, DataArgs, chain, print, require_log, say};
use crate::app::open_log_and_keys;
use crate::config::Config;
use crate::lake::bring_up;
use crate::learn::{Times, export_features};

/// It was interrupted.
const INTERRUPTED: u8 = 130;
/// Events are missing from the export, for the log's own are damaged.
const DAMAGED: u8 = 20;

#[derive(Debug, Args)]
pub(super) struct LakeArgs {
    #[command(subcommand)]
    command: LakeCommand,
}

#[derive(Debug, Subcommand)]
enum LakeCommand {
    /// Bring a folder or bucket up to what the log holds. What is there already is not written again.
    Export(ExportArgs),
    /// Write what a model learns from, as of the times it is learned from, for query engines and for railfleet train --from.
    Features(FeaturesArgs),
    /// Print the files that an export consists of, one a line.
    Files(FilesArgs),
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// Where to: file:///folder or s3://bucket/prefix. Keys for S3 are taken from the environment (AWS_ACCESS_KEY_ID,
    /// AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT). If not given, what the setting lake.to says.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct FeaturesArgs {
    /// Of which model.
    #[arg(long, value_enum, default_value = "failure")]
    model: What,
    /// Where to: file:///folder or s3://bucket/prefix; the lake's place or another. If not given, what lake.to says.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Take history to end then, RFC 3339; the end of what is known where absent.
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Days between two snapshots of the whole fleet, however many these are. Where absent, those that a training from the
    /// log takes: every 14 days, fewer of a long history of a large fleet.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=365))]
    every_days: Option<u16>,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct FilesArgs {
    /// The export: file:///folder or s3://bucket/prefix.
    #[arg(long, value_name = "URL")]
    from: String,
    /// Which rows.
    #[arg(long, value_enum, default_value_t = Table::Events)]
    table: Table,
    /// Only of this aggregate type.
    #[arg(long, value_name = "TYPE")]
    aggregate_type: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Table {
    /// What happened.
    Events,
    /// What is now.
    States,
}

pub(super) fn run(args: LakeArgs) -> Result<ExitCode, CliError> {
    match args.command {
        LakeCommand::Export(args) => export(&args),
        LakeCommand::Features(args) => features(&args),
        LakeCommand::Files(args) => files(&args),
    }
}

/// The place that was named, or the setting's.
fn place(given: Option<&String>, config: &Config) -> Result<Target, CliError> {
    let Some(to) = given.or(config.lake.to.as_ref()) else {
        return Err(CliError::Other(
            "say where to export to: --to file:///folder, --to s3://bucket/prefix, or the setting lake.to".to_owned(),
        ));
    };
    Target::open(to).map_err(told)
}

fn features(args: &FeaturesArgs) -> Result<ExitCode, CliError> {
    let What::Failure = args.model;
    let as_of = time_of("--as-of", args.as_of.as_deref())?;
    let times = args.every_days.map_or(Times::USUAL, |days| Times {
        step_days: i64::from(days),
        snapshots_max: usize::MAX,
    });
    let target = place(args.to.as_ref(), &args.data.load()?)?;
    let (_log, learning) = open_learning(&args.data)?;
    let began = Instant::now();
    let manifest = export_features(&learning, &target, as_of, times)
        .map_err(|error| CliError::Other(error.to_string()))?;
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    print(&format!(
        "{} holds {} snapshots with {} features each, up to position {}, in {} files, {bytes} bytes, in {:.1} s",
        target.url(),
        manifest.rows(),
        manifest.columns.len(),
        manifest.position,
        manifest.files.len(),
        began.elapsed().as_secs_f64()
    ));
    Ok(ExitCode::SUCCESS)
}

fn export(args: &ExportArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    require_log(&config)?;
    let target = place(args.to.as_ref(), &config)?;
    let stop = stop_on_signals()?;
    let clock = Arc::new(SystemClock);
    let (log, privacy) = open_log_and_keys(&config, clock.clone())?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    let outcome = bring_up(&log, &privacy, &target, clock.now(), threads, &stop);
    log.close();
    let report = match outcome {
        Ok(report) => report,
        Err(LakeError::Stopped) => {
            say(&LakeError::Stopped.to_string());
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Err(error) => return Err(told(error)),
    };
    print(&format!(
        "{} holds the log up to position {}: {} events and {} states written into {} files, {} bytes, in {:.1} s",
        target.url(),
        report.position,
        report.events,
        report.states,
        report.files,
        report.bytes,
        began.elapsed().as_secs_f64()
    ));
    if report.erased_spans > 0 {
        print(&format!(
            "{} older spans were written anew without people who were erased",
            report.erased_spans
        ));
    }
    if report.unreadable > 0 {
        say(&format!(
            "{} events cannot be read: states lack them, and files of events that were written since. Restore them from a \
             backup, and the next export takes them in",
            report.unreadable
        ));
        return Ok(ExitCode::from(DAMAGED));
    }
    Ok(ExitCode::SUCCESS)
}

fn files(args: &FilesArgs) -> Result<ExitCode, CliError> {
    let target = Target::open_existing(&args.from).map_err(told)?;
    let Some(manifest) = read_manifest(&target).map_err(told)? else {
        return Err(CliError::Other(format!(
            "nothing was exported to {}",
            target.url()
        )));
    };
    let wanted = args.aggregate_type.as_deref();
    let base = target.base();
    match args.table {
        Table::Events => manifest
            .event_files(wanted)
            .for_each(|file| print(&format!("{base}/{}", file.path))),
        Table::States => manifest
            .state_files(wanted)
            .for_each(|file| print(&format!("{base}/{}", file.path))),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn told(error: LakeError) -> CliError {
    CliError::Other(chain(&error))
}

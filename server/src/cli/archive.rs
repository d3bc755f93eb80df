//! `railfleet archive`: sends the old segments of a log that no server has open to object storage. A running server does so by
//! itself where `archive.to` says so.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use storage::{Clock as _, SystemClock};

use super::import::stop_on_signals;
use super::{CliError, DataArgs, chain, print, require_log};
use crate::app::open_log;
use crate::archive::send;

#[derive(Debug, Args)]
pub(super) struct ArchiveArgs {
    /// Where to: file:///folder or s3://bucket/prefix, as for the lake. If not given, what the setting archive.to says; reading
    /// what was sent needs that setting in any case.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Segments whose events are all older than so many days. If not given, what the setting archive.after_days says.
    #[arg(long, value_name = "N")]
    after_days: Option<u32>,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: &ArchiveArgs) -> Result<ExitCode, CliError> {
    let mut config = args.data.load()?;
    require_log(&config)?;
    config.archive.to = args.to.clone().or(config.archive.to);
    config.archive.after_days = args.after_days.unwrap_or(config.archive.after_days);
    let Some(to) = config.archive.to.clone() else {
        return Err(CliError::Other(
            "say where to send segments to: --to file:///folder, --to s3://bucket/prefix, or the setting archive.to".to_owned(),
        ));
    };
    let stop = stop_on_signals()?;
    let clock = Arc::new(SystemClock);
    let log = open_log(&config, clock.clone())?;
    let outcome = send(&log, &config.archive, clock.now(), &stop);
    let away = log.tier_stats().unwrap_or_default();
    log.close();
    let report = outcome.map_err(|error| CliError::Other(chain(&error)))?;
    print(&format!(
        "sent {} segments, {} bytes, to {to}; {} segments, {} bytes, lie there now",
        report.segments, report.bytes, away.segments, away.bytes
    ));
    Ok(ExitCode::SUCCESS)
}

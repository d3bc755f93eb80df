//! `railfleet drill`: a restore that is thrown away. A backup that was never restored is a hope.
//!
//! It reads every event, wherever it lies: with a large archive it takes as long as fetching all of that, once. What is fetched
//! goes with the rest, and what a running server has fetched for itself is left alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use fleet::calendar::MINUTE;
use storage::{Clock as _, Log, LogOptions, ReadRequest, SystemClock, TierOptions};

use super::{CliError, DataArgs, chain, log_folder, print};
use crate::archive::{self, Scratch};
use crate::backups;

#[derive(Debug, Args)]
pub(super) struct DrillArgs {
    /// The backup's folder; the newest one that the server took by itself if absent.
    #[arg(value_name = "FROM")]
    from: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

/// What came of a restore.
struct Restored {
    events: u64,
    /// Segments that lie in the archive.
    archived: u64,
    took: Duration,
    /// When the last event was recorded, in microseconds.
    newest: Option<i64>,
}

pub(super) fn run(args: &DrillArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    let folder = config.backups_folder();
    let from = match &args.from {
        Some(from) => from.clone(),
        None => backups::newest(&folder, SystemClock.now())
            .map_err(CliError::io(format!("cannot list {}", folder.display())))?
            .ok_or_else(|| {
                let place = folder.display();
                CliError::Other(format!(
                    "there is no backup in {place}: the server takes the first one ten minutes after its start, or name one"
                ))
            })?,
    };
    let scratch = Scratch::of_drill(&config).map_err(CliError::io(format!(
        "cannot make a folder in {}",
        folder.display()
    )))?;
    let tier = archive::options_in(&config, &scratch.path().join("fetched"))
        .map_err(|error| CliError::Other(chain(&error)))?;
    // One folder further in: a restore that fails leaves its half beside the place it was meant for.
    let restored = restore(&from, &scratch.path().join("log"), tier)?;
    print(&format!(
        "{} can be restored: {} events in {:.1} s, each verified and read",
        from.display(),
        restored.events,
        restored.took.as_secs_f64()
    ));
    if restored.archived > 0 {
        print(&format!(
            "{} of its segments lie in the archive, and were fetched from there: it needs the archive, and archive.to",
            restored.archived
        ));
    }
    if let Some(recorded) = restored.newest {
        let minutes = (SystemClock.now().micros() - recorded) / MINUTE;
        print(&format!(
            "its last event was recorded {minutes} minutes ago: what came since would be lost with the disk"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Restores, verifies, opens and reads the whole log. What lies in the archive is verified where it is read, so that it is
/// fetched once.
fn restore(from: &Path, to: &Path, tier: Option<TierOptions>) -> Result<Restored, CliError> {
    let began = Instant::now();
    let failed = |what: &'static str| {
        let from = from.display().to_string();
        move |reason: String| CliError::Other(format!("{from} {what}: {reason}"))
    };
    let report = storage::restore_tiered(&log_folder(from), to, None, tier.as_ref())
        .map_err(|error| failed("cannot be restored")(chain(&error)))?;
    let problems = storage::verify_here(to, tier.as_ref())
        .map_err(|error| failed("cannot be verified")(chain(&error)))?;
    if let Some(problem) = problems.first() {
        let problem = format!("{}: {}", problem.file, problem.what);
        return Err(failed("is damaged, keep an older one")(problem));
    }
    let options = LogOptions {
        tier,
        ..LogOptions::default()
    };
    let log = Log::open(to, options).map_err(|error| failed("cannot be opened")(chain(&error)))?;
    let (mut events, mut newest) = (0, None);
    let mut reader = log
        .read(&ReadRequest::default())
        .map_err(|error| failed("cannot be read")(chain(&error)))?;
    while let Some(event) = reader.next() {
        let event = event.map_err(|error| failed("cannot be read")(chain(&error)))?;
        events += 1;
        newest = Some(event.recorded_at().micros());
    }
    drop(reader);
    log.close();
    Ok(Restored {
        events,
        archived: report.archived,
        took: began.elapsed(),
        newest,
    })
}

//! `railfleet drill`: a restore that is thrown away. A backup that was never restored is a hope.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use storage::{Clock as _, Log, LogOptions, ReadRequest, SystemClock, VerifyOptions};

use super::{CliError, DataArgs, chain, log_folder, print};
use crate::auth::keys::create_private_folder;
use crate::backups;

const MICROS_PER_MINUTE: i64 = 60_000_000;

#[derive(Debug, Args)]
pub(super) struct DrillArgs {
    /// The backup's folder; the newest one that the server took by itself if absent.
    #[arg(value_name = "FROM")]
    from: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

/// A folder that is gone in the end, however that comes.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn run(args: &DrillArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    let folder = config.backups_folder();
    let from = match &args.from {
        Some(from) => from.clone(),
        None => backups::newest(&folder)
            .map_err(CliError::io(format!("cannot list {}", folder.display())))?
            .ok_or_else(|| {
                let place = folder.display();
                CliError::Other(format!(
                    "there is no backup in {place}: the server takes the first one ten minutes after its start, or name one"
                ))
            })?,
    };
    let scratch = Scratch(folder.join(format!(".drill-{}", std::process::id())));
    create_private_folder(&scratch.0).map_err(CliError::io(format!(
        "cannot create {}",
        scratch.0.display()
    )))?;
    // One folder further in: a restore that fails leaves its half beside the place it was meant for.
    let (events, took, newest) = restore(&from, &scratch.0.join("log"))?;
    print(&format!(
        "{} can be restored: {events} events in {:.1} s, each verified and read",
        from.display(),
        took.as_secs_f64()
    ));
    if let Some(recorded) = newest {
        let minutes = (SystemClock.now().micros() - recorded) / MICROS_PER_MINUTE;
        print(&format!(
            "its last event was recorded {minutes} minutes ago: what came since would be lost with the disk"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Restores, verifies, opens and reads the whole log: how many events, how long it took, when the last was recorded.
fn restore(from: &Path, to: &Path) -> Result<(u64, Duration, Option<i64>), CliError> {
    let began = Instant::now();
    let failed = |what: &'static str| {
        let from = from.display().to_string();
        move |reason: String| CliError::Other(format!("{from} {what}: {reason}"))
    };
    storage::restore(&log_folder(from), to, None)
        .map_err(|error| failed("cannot be restored")(chain(&error)))?;
    let report = storage::verify(to, &VerifyOptions::default())
        .map_err(|error| failed("cannot be verified")(chain(&error)))?;
    if let Some(problem) = report.problems.first() {
        let problem = format!("{}: {}", problem.file, problem.what);
        return Err(failed("is damaged, keep an older one")(problem));
    }
    let log = Log::open(to, LogOptions::default())
        .map_err(|error| failed("cannot be opened")(chain(&error)))?;
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
    Ok((events, began.elapsed(), newest))
}

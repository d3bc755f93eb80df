//! `railfleet import --follow` and `--cut-over`: how one asks the other, who has the data folder to itself.
//!
//! The one that follows leaves a note in the folder of reports for as long as it runs. A request is a second note beside
//! it; when the first is gone, the log says what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use migrate_from_postgres::follow::{Following, Look, follow, is_cut_over};
use migrate_from_postgres::report::Report;
use migrate_from_postgres::{ImportError, Wanted, Watch};
use storage::{Log, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

use super::{INTERRUPTED, MISMATCHES};
use crate::app::open_log;
use crate::cli::{CliError, print, say, small_runtime};
use crate::config::Config;

/// Says that somebody follows.
const FOLLOWING: &str = "following";
/// Asks whoever follows to cut over.
const REQUEST: &str = "cut-over";
/// How often it is looked whether the one that follows has ended.
const GLANCE: Duration = Duration::from_millis(100);

/// Whether somebody follows, or did until it was killed.
pub(super) fn is_there(reports: &Path) -> bool {
    reports.join(FOLLOWING).exists()
}

/// Both notes; removed when dropped.
struct Notes(PathBuf);

impl Notes {
    fn leave(reports: &Path) -> Result<Self, CliError> {
        let doing = || CliError::io(format!("cannot write to {}", reports.display()));
        fs::create_dir_all(reports).map_err(doing())?;
        let notes = Notes(reports.to_owned());
        // A request that nobody saw is not for us.
        let _ = fs::remove_file(reports.join(REQUEST));
        fs::write(reports.join(FOLLOWING), std::process::id().to_string()).map_err(doing())?;
        Ok(notes)
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.join(REQUEST));
        let _ = fs::remove_file(self.0.join(FOLLOWING));
    }
}

/// Follows until it is asked to cut over, by SIGUSR1 or by [`cut_over`].
pub(super) fn run(
    log: &Log,
    wanted: &Wanted,
    reports: &Path,
    interval: Duration,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<Result<Report, ImportError>, CliError> {
    let asked = on_signal()?;
    let _notes = Notes::leave(reports)?;
    let request = reports.join(REQUEST);
    let mut following = Following {
        interval,
        cut_over: &|| asked.load(Ordering::Relaxed) || request.exists(),
        told: &mut tell,
    };
    Ok(follow(log, wanted, &mut following, watch, stop))
}

fn tell(look: Look<'_>) {
    match look {
        Look::First(report) => say(&format!(
            "following: {} rows are in; SIGUSR1 or railfleet import --cut-over ends it",
            report.totals.rows
        )),
        Look::Changed(report) => say(&format!(
            "followed: {} rows read again, {} events",
            report.totals.rows, report.totals.appended
        )),
        Look::Away(error) => say(&format!("{error}; it is asked again")),
    }
}

/// Asks whoever follows to cut over, waits, and says what came of it.
pub(super) fn cut_over(
    config: &Config,
    wanted: &Wanted,
    reports: &Path,
    stop: &AtomicBool,
) -> Result<ExitCode, CliError> {
    let request = reports.join(REQUEST);
    fs::write(&request, "").map_err(CliError::io(format!(
        "cannot write to {}",
        request.display()
    )))?;
    say("asked the one that follows to cut over; waiting");
    while is_there(reports) {
        if stop.load(Ordering::Relaxed) {
            let _ = fs::remove_file(&request);
            return Ok(ExitCode::from(INTERRUPTED));
        }
        thread::sleep(GLANCE);
    }
    // It lets the folder go a moment after its note.
    let log = loop {
        match open_log(config, Arc::new(SystemClock)) {
            Ok(log) => break log,
            Err(error) if stop.load(Ordering::Relaxed) => return Err(error.into()),
            Err(_) => thread::sleep(GLANCE),
        }
    };
    let done = is_cut_over(&log, wanted);
    log.close();
    match done {
        Ok(true) => {
            print("cut over: the old database is followed no more");
            Ok(ExitCode::SUCCESS)
        }
        Ok(false) => {
            print("not cut over: the report of the one that followed says why");
            Ok(ExitCode::from(MISMATCHES))
        }
        Err(error) => Err(CliError::Other(error.to_string())),
    }
}

/// A flag that turns true at SIGUSR1.
fn on_signal() -> Result<Arc<AtomicBool>, CliError> {
    let asked = Arc::new(AtomicBool::new(false));
    let flag = asked.clone();
    let doing = || CliError::io("cannot wait for signals");
    let runtime = small_runtime()?;
    let mut signals = {
        let _inside = runtime.enter();
        signal(SignalKind::user_defined1()).map_err(doing())?
    };
    let waiting = move || {
        runtime.block_on(async {
            while signals.recv().await.is_some() {
                flag.store(true, Ordering::Relaxed);
            }
        });
    };
    thread::Builder::new()
        .name("cut-over".to_owned())
        .spawn(waiting)
        .map_err(doing())?;
    Ok(asked)
}

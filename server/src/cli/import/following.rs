//! `railfleet import --follow` and `--cut-over`: how one asks the other, who has the data folder to itself.
//!
//! The one that follows leaves a note in the folder of reports for as long as it runs, and keeps it locked: the lock ends
//! with the process, however that ends, so that a note which nobody holds is known to be left over. One that follows and is of
//! an earlier version holds no lock: it is known by the process that its note names. A request is a second note beside it; when
//! the first is gone, the log says what came of it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use migrate_from_postgres::follow::{Following, Look, follow, is_cut_over};
use migrate_from_postgres::report::Report;
use migrate_from_postgres::{ImportError, Wanted, Watch};
use storage::{Log, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

use super::{INTERRUPTED, MISMATCHES};
use crate::app::{StartError, open_log};
use crate::cli::{CliError, chain, print, say, small_runtime};
use crate::config::Config;

/// Says that somebody follows.
const FOLLOWING: &str = "following";
/// The same before it is locked.
const FOLLOWING_UNLOCKED: &str = "following.new";
/// Asks whoever follows to cut over.
const REQUEST: &str = "cut-over";
/// How often it is looked whether the one that follows has ended.
const GLANCE: Duration = Duration::from_millis(100);
/// How long the one that followed has to let the data folder go once its note is gone.
const LETTING_GO_MAX: Duration = Duration::from_secs(60);

/// What the note says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Note {
    /// Nobody follows.
    None,
    /// Somebody does.
    Held,
    /// Somebody did until it was killed.
    LeftOver,
}

/// Looks at the note of whoever follows.
pub(super) fn note(reports: &Path) -> Note {
    let Ok(file) = File::open(reports.join(FOLLOWING)) else {
        return Note::None;
    };
    // Shared: two that look at the same time do not take each other for the one that follows.
    match file.try_lock_shared() {
        Ok(()) if its_writer_follows(&file) => Note::Held,
        Ok(()) => Note::LeftOver,
        // Where a file system knows no locks, a note is a note.
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Note::Held,
    }
}

/// Whether the process that a note names is there, and follows.
fn its_writer_follows(note: &File) -> bool {
    let said = io::read_to_string(note).unwrap_or_default();
    let Ok(process) = said.trim().parse::<u32>() else {
        return false;
    };
    fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| follows(&line))
}

/// Whether this command line, whose words end with 0 each, is that of one that follows. A server may have the number of a process
/// that was killed, and does not.
fn follows(command_line: &[u8]) -> bool {
    let has = |wanted: &[u8]| {
        let mut words = command_line.split(|byte| *byte == 0);
        words.any(|word| word == wanted)
    };
    has(b"import") && has(b"--follow")
}

/// Why nobody can be asked to cut over: somebody else has the folder, and the note is left over.
pub(super) fn left_over(reports: &Path, error: &StartError) -> CliError {
    CliError::Other(format!(
        "{}; {} is left over from a --follow that was killed, so nobody was asked to cut over: end what has the folder \
         open, and ask again",
        chain(error),
        reports.join(FOLLOWING).display()
    ))
}

/// Both notes; removed when dropped.
struct Notes {
    reports: PathBuf,
    /// What the lock belongs to.
    _following: File,
}

impl Notes {
    fn leave(reports: &Path) -> Result<Self, CliError> {
        let doing = || CliError::io(format!("cannot write to {}", reports.display()));
        fs::create_dir_all(reports).map_err(doing())?;
        // A request that nobody saw is not for us.
        let _ = fs::remove_file(reports.join(REQUEST));
        Ok(Notes {
            _following: Notes::leave_locked(reports).map_err(doing())?,
            reports: reports.to_owned(),
        })
    }

    /// Locked before anybody sees it: whoever waits for it may ask at once.
    fn leave_locked(reports: &Path) -> io::Result<File> {
        let unlocked = reports.join(FOLLOWING_UNLOCKED);
        let mut file = File::create(&unlocked)?;
        match file.try_lock() {
            // Where a file system knows no locks, the note has to do.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        }
        file.write_all(std::process::id().to_string().as_bytes())?;
        fs::rename(&unlocked, reports.join(FOLLOWING))?;
        Ok(file)
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.reports.join(REQUEST));
        let _ = fs::remove_file(self.reports.join(FOLLOWING));
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
    while note(reports) == Note::Held {
        if stop.load(Ordering::Relaxed) {
            let _ = fs::remove_file(&request);
            return Ok(ExitCode::from(INTERRUPTED));
        }
        thread::sleep(GLANCE);
    }
    let was_killed = note(reports) == Note::LeftOver;
    if was_killed {
        let _ = fs::remove_file(&request);
    }
    // It lets the folder go a moment after its note; somebody else may take it then.
    let until = Instant::now() + LETTING_GO_MAX;
    let log = loop {
        match open_log(config, Arc::new(SystemClock)) {
            Ok(log) => break log,
            Err(error) if error.is_locked() && was_killed => {
                return Err(left_over(reports, &error));
            }
            Err(error)
                if error.is_locked() && !stop.load(Ordering::Relaxed) && Instant::now() < until =>
            {
                thread::sleep(GLANCE);
            }
            Err(error) => return Err(error.into()),
        }
    };
    let done = is_cut_over(&log, wanted);
    log.close();
    match done {
        Ok(true) => {
            print("cut over: the old database is followed no more");
            Ok(ExitCode::SUCCESS)
        }
        Ok(false) if was_killed => {
            print("not cut over: the one that followed was killed before it could; ask again");
            Ok(ExitCode::from(MISMATCHES))
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

#[cfg(test)]
mod tests;

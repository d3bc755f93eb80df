//! Backups: that there is one, how old it is, and whether it would be lost together with the log.

use std::fs;
use std::path::Path;
use std::time::Duration;

use storage::{Clock as _, SystemClock, Timestamp};

use super::{Finding, disk};
use crate::backups::{Taken, taken};
use crate::cli::holds_log;
use crate::config::Config;
use crate::rfc3339;

/// A backup may be late by so many times its interval: a server was off, a disk slow.
const INTERVALS_MAX: u32 = 2;

pub(super) fn backups(config: &Config) -> Vec<Finding> {
    if !holds_log(&config.log_folder()) {
        return Vec::new();
    }
    let folder = config.backups_folder();
    let shown = folder.display();
    let interval = config.backups.interval;
    if interval.is_zero() {
        return vec![Finding::Look(
            "the server takes no backups by itself (backups.interval_h is 0): see that somebody else does, and that `railfleet drill FROM` can restore them".to_owned(),
        )];
    }
    let now = SystemClock.now();
    let mut findings = match taken(&folder, now) {
        Err(error) => vec![Finding::Bad(format!("{shown} cannot be read: {error}"))],
        Ok(taken) => judge(&taken, now, interval, &folder),
    };
    if same_disk(&folder, &config.log_folder()) {
        findings.push(Finding::Look(format!(
            "backups lie on the same disk as the log, in {shown}: they are lost with it; set events.backups_path, or copy them elsewhere"
        )));
    } else {
        findings.push(disk::space_for_backups(&folder));
    }
    findings
}

fn judge(taken: &Taken, now: Timestamp, interval: Duration, folder: &Path) -> Vec<Finding> {
    let shown = folder.display();
    let mut findings = vec![match taken.newest {
        None => Finding::Look(format!(
            "there is no backup in {shown} yet: a running server takes one every {} hours; `railfleet backup` takes one now",
            interval.as_secs() / 3_600
        )),
        Some(newest) => judge_age(newest, now, interval),
    }];
    if let Some(first) = taken.ahead.first() {
        findings.push(Finding::Look(format!(
            "{} backups in {shown} are of a time that has not come, the first is {first}: the clock is wrong, or was when they were taken; they count as the oldest",
            taken.ahead.len()
        )));
    }
    findings
}

pub(super) fn judge_age(taken: Timestamp, now: Timestamp, interval: Duration) -> Finding {
    let seconds = (now.micros() - taken.micros()) / 1_000_000;
    let text = format!(
        "the newest verified backup is of {}, {} hours ago",
        rfc3339::to_string(taken),
        seconds / 3_600
    );
    let late = (interval * INTERVALS_MAX).as_secs();
    if u64::try_from(seconds).is_ok_and(|seconds| seconds > late) {
        return Finding::Bad(format!(
            "{text}: one is due every {} hours; look for `there is no backup` in the server's log, and for space where they go",
            interval.as_secs() / 3_600
        ));
    }
    Finding::Fine(text)
}

#[cfg(unix)]
fn same_disk(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let disk = |path: &Path| {
        let there = path.ancestors().find_map(|path| fs::metadata(path).ok());
        there.map(|found| found.dev())
    };
    disk(one).is_some_and(|device| disk(other) == Some(device))
}

#[cfg(not(unix))]
fn same_disk(_: &Path, _: &Path) -> bool {
    false
}

//! The disk under the data folder: space, and how long a sync takes.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Finding, tempfile_in};

/// Syncs that are timed.
const SYNCS: usize = 25;
/// Below this share of the disk, space is short.
const FREE_PERCENT_MIN: u64 = 5;
/// Below this share it soon will be.
const FREE_PERCENT_LOOK: u64 = 15;
/// Syncs faster than this reach no disk.
const SYNC_MICROS_BELIEVABLE: u128 = 30;
/// Syncs slower than this are felt.
const SYNC_MICROS_SLOW: u128 = 20_000;

pub(super) fn space(data: &Path) -> Finding {
    match free(data) {
        Some((free, all)) => judge_space(free, all),
        None => Finding::Look("how much space the disk has cannot be told".to_owned()),
    }
}

/// The same where backups have a disk of their own.
pub(super) fn space_for_backups(folder: &Path) -> Finding {
    match free(folder) {
        Some((free, all)) => judge_space_for_backups(free, all),
        None => Finding::Look("how much space the backups' disk has cannot be told".to_owned()),
    }
}

/// Bytes that are free on the disk of this folder, which need not be there yet, and all it has.
fn free(folder: &Path) -> Option<(u64, u64)> {
    let existing = folder
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("."));
    let disk = rustix::fs::statvfs(existing).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Some((bytes(disk.f_bavail), bytes(disk.f_blocks)))
}

fn percent(free: u64, all: u64) -> u64 {
    free.saturating_mul(100) / all.max(1)
}

pub(super) fn judge_space(free: u64, all: u64) -> Finding {
    let percent = percent(free, all);
    let text = format!("{} MiB of the disk are free, {percent} %", free >> 20);
    match percent {
        ..FREE_PERCENT_MIN => Finding::Bad(format!(
            "{text}: appends are refused when it is full; make space, or set events.retention_days and move the archive"
        )),
        FREE_PERCENT_MIN..FREE_PERCENT_LOOK => Finding::Look(format!(
            "{text}: see how fast it goes (railfleet_disk_free_bytes), and make space or send old segments away (archive.to)"
        )),
        _ => Finding::Fine(text),
    }
}

pub(super) fn judge_space_for_backups(free: u64, all: u64) -> Finding {
    let percent = percent(free, all);
    let text = format!(
        "{} MiB of the backups' disk are free, {percent} %",
        free >> 20
    );
    match percent {
        ..FREE_PERCENT_MIN => Finding::Bad(format!(
            "{text}: no backup is taken when it is full; make space, or keep fewer (backups.keep)"
        )),
        FREE_PERCENT_MIN..FREE_PERCENT_LOOK => Finding::Look(format!(
            "{text}: a backup is as large as the log; make space, or keep fewer (backups.keep)"
        )),
        _ => Finding::Fine(text),
    }
}

/// How long a small write takes to reach the disk: every acknowledged event waits for one of these.
pub(super) fn syncs(data: &Path) -> Finding {
    let existing = data
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(Path::new("."));
    let timed = tempfile_in(existing).and_then(|(mut file, path)| {
        let times = time_syncs(&mut file);
        fs::remove_file(path)?;
        times
    });
    let Ok(mut times) = timed else {
        return Finding::Look("how fast the disk syncs cannot be measured".to_owned());
    };
    times.sort_unstable();
    judge_syncs(times[times.len() / 2].as_micros())
}

pub(super) fn judge_syncs(median: u128) -> Finding {
    let text = format!("a sync takes {median} µs (median of {SYNCS})");
    match median {
        micros if micros < SYNC_MICROS_BELIEVABLE => Finding::Look(format!(
            "{text}: faster than disks are, so it may not survive a power cut; see whether this is memory or a cache without a battery"
        )),
        micros if micros > SYNC_MICROS_SLOW => Finding::Look(format!(
            "{text}: each write waits this long; a disk that is nearer would be felt"
        )),
        _ => Finding::Fine(text),
    }
}

fn time_syncs(file: &mut File) -> std::io::Result<Vec<Duration>> {
    (0..SYNCS)
        .map(|_| {
            file.write_all(&[0; 4_096])?;
            let began = Instant::now();
            file.sync_data()?;
            Ok(began.elapsed())
        })
        .collect()
}

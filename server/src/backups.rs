//! Backups of the running server on a schedule: taken, read again whole, and the oldest put away.
//!
//! Of what lies in the archive a backup has stubs, and the archive is asked whether it has the rest, in a short question for
//! each segment; nothing is fetched, see [`storage::verify_here`]. `railfleet drill` and `railfleet verify` do fetch it. While
//! the archive does not answer, a backup is not known to be whole: it stays unverified and another one is tried, older ones
//! stay, and the operator is told.
//!
//! A backup that was taken by the clock is called `auto-` and when. It has that name only once it was verified; until
//! then `.unverified` stands behind it. So who restores takes the last name of the list, and what is put away never
//! leaves fewer good backups than are to be kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use storage::{BackupError, Problem, Timestamp, VerifyError};

use crate::app::AppState;
use crate::archive::{self, ArchivePlaceError, Scratch};
use crate::auth::keys::create_private_folder;
use crate::cli::chain;

#[cfg(test)]
mod tests;

/// How often it is looked whether a backup is due; also how long a start is left alone.
const LOOK_PAUSE: Duration = Duration::from_secs(600);
const PREFIX: &str = "auto-";
const UNVERIFIED: &str = ".unverified";
/// Behind the name of one that is being copied, as [`storage::Log::backup`] has it.
const HALF_MADE: &str = ".partial";
/// Where a segment is fetched to whose index a backup lacks, in the folder of what was fetched.
const FETCHED: &str = "backup";
/// When it was taken, in UTC, so that names sort by time.
const TIME_FORMAT: &str = "%Y-%m-%dT%H%M%SZ";

/// Why there is no backup, or no verified one.
#[derive(Debug, thiserror::Error)]
pub enum ScheduledError {
    /// It could not be taken.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The folder for backups cannot be used.
    #[error("the folder for backups cannot be used")]
    Folder(#[from] io::Error),
    /// The archive cannot be used.
    #[error(transparent)]
    Archive(#[from] ArchivePlaceError),
    /// What was taken cannot be read, or the archive does not have the rest.
    #[error("what was taken cannot be verified")]
    Verify(#[from] VerifyError),
    /// What was taken is damaged, so the log is most likely.
    #[error(
        "what was taken is damaged: {file}: {what}; verify the log, and restore an older backup beside it"
    )]
    Damaged {
        /// The file in the backup.
        file: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Takes a backup whenever one is due, until the server stops.
pub(crate) async fn follow(state: AppState) {
    let mut stopping = state.stopping.subscribe();
    let mut damaged = None;
    loop {
        let stopped = stopping.wait_for(|stopping| *stopping);
        if tokio::time::timeout(LOOK_PAUSE, stopped).await.is_ok() {
            return;
        }
        let (task, now) = (state.clone(), state.clock.now());
        if rests(damaged, now, state.config.backups.interval) {
            // One is due and is not taken: who watches is told for as long as that lasts.
            state.metrics.backups_failed.inc();
            continue;
        }
        let taken = tokio::task::spawn_blocking(move || take_due(&task, now)).await;
        damaged = match &taken {
            Ok(Err(ScheduledError::Damaged { .. })) => Some(now),
            _ => None,
        };
        match taken {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(name))) => {
                tracing::info!(name, "a backup was taken and verified");
            }
            Ok(Err(error)) => {
                state.metrics.backups_failed.inc();
                let when = match damaged {
                    Some(_) => "when the next is due",
                    None => "soon",
                };
                tracing::error!(error = %chain(&error), "there is no backup; it is tried again {when}");
            }
            Err(error) => tracing::error!(%error, "taking a backup was cut short"),
        }
    }
}

/// Takes a backup if one is due at `now`, verifies it, and puts away those beyond the number to keep. Blocks on the disk.
///
/// # Errors
/// See [`ScheduledError`]; older backups lie there as before then.
pub fn take_due(state: &AppState, now: Timestamp) -> Result<Option<String>, ScheduledError> {
    let folder = state.config.backups_folder();
    let settings = &state.config.backups;
    let present = list(&folder)?;
    let newest = newest_before(&present, now);
    if let Some(taken) = newest {
        state.metrics.backup_taken(taken);
    }
    if !is_due(newest, now, settings.interval) {
        return Ok(None);
    }
    create_private_folder(&folder)?;
    archive::remove_orphans(&state.config);
    let name = name_at(now);
    let draft_name = format!("{name}{UNVERIFIED}");
    let draft = folder.join(&draft_name);
    remove_drafts(&folder, |name| {
        // Half made, or of a try within the same second.
        name.ends_with(HALF_MADE) || name == draft_name
    });
    match state.log.backup(&draft) {
        Err(BackupError::Io(error)) if error.kind() == io::ErrorKind::StorageFull => {
            remove_drafts(&folder, |_| true);
            state.log.backup(&draft)?;
        }
        taken => drop(taken?),
    }
    // Only now: an earlier draft is better than none.
    remove_drafts(&folder, |name| name != draft_name);
    let scratch = Scratch::new(state.config.fetched_folder().join(FETCHED));
    let tier = archive::options_in(&state.config, scratch.path())?;
    let problems = storage::verify_here(&draft, tier.as_ref())?;
    if let Some(Problem { file, what }) = problems.into_iter().next() {
        return Err(ScheduledError::Damaged { file, what });
    }
    fs::rename(&draft, folder.join(&name))?;
    fs::File::open(&folder)?.sync_all()?;
    state.metrics.backup_taken(now);
    for old in to_put_away(&list(&folder)?, &name, settings.keep) {
        fs::remove_dir_all(folder.join(old))?;
    }
    Ok(Some(name))
}

/// The newest verified backup that was taken by the clock. One from the future, of a clock that was set back since, is older than
/// any other, and only taken where there is none.
///
/// # Errors
/// When the folder cannot be listed.
pub fn newest(folder: &Path, now: Timestamp) -> io::Result<Option<PathBuf>> {
    let names = list(folder)?;
    let is_past = |name: &&String| taken_at(name).is_some_and(|taken| taken <= now);
    let name = names.iter().rfind(is_past).or(names.last());
    Ok(name.map(|name| folder.join(name)))
}

/// How the verified backups that were taken by the clock stand to what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// When the newest was taken.
    pub newest: Option<Timestamp>,
    /// Those from the future.
    pub ahead: Vec<String>,
}

/// When backups were taken, as the server sees it.
///
/// # Errors
/// When the folder cannot be listed.
pub fn taken(folder: &Path, now: Timestamp) -> io::Result<Taken> {
    let mut names = list(folder)?;
    let newest = newest_before(&names, now);
    names.retain(|name| taken_at(name).is_some_and(|taken| taken > now));
    Ok(Taken {
        newest,
        ahead: names,
    })
}

/// Names of verified backups, the oldest first. None where there is no folder.
fn list(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = names_in(folder)?;
    names.retain(|name| taken_at(name).is_some());
    names.sort();
    Ok(names)
}

/// Removes of what earlier tries left (not finished, or found damaged and told of) what is `unwanted`. What somebody else put
/// there is not touched, whatever it is called. What cannot be removed is no reason not to take the next.
fn remove_drafts(folder: &Path, unwanted: impl Fn(&str) -> bool) {
    for name in names_in(folder).unwrap_or_default() {
        let whole = name.strip_suffix(HALF_MADE).unwrap_or(&name);
        let is_draft = whole
            .strip_suffix(UNVERIFIED)
            .is_some_and(|taken| taken_at(taken).is_some());
        if is_draft
            && unwanted(&name)
            && let Err(error) = fs::remove_dir_all(folder.join(&name))
        {
            tracing::warn!(%error, name, "what a backup left cannot be removed");
        }
    }
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn name_at(now: Timestamp) -> String {
    let moment = DateTime::from_timestamp_micros(now.micros()).unwrap_or_default();
    format!("{PREFIX}{}", moment.format(TIME_FORMAT))
}

/// When a backup of this name was taken; `None` for any other name.
fn taken_at(name: &str) -> Option<Timestamp> {
    let time = NaiveDateTime::parse_from_str(name.strip_prefix(PREFIX)?, TIME_FORMAT).ok()?;
    Some(Timestamp::from_micros(time.and_utc().timestamp_micros()))
}

/// When the newest was taken that was not taken in the future: behind a clock that was set back nobody waits for a backup until
/// it has caught up.
fn newest_before(names: &[String], now: Timestamp) -> Option<Timestamp> {
    let taken = names.iter().filter_map(|name| taken_at(name));
    taken.filter(|taken| *taken <= now).max()
}

fn is_due(newest: Option<Timestamp>, now: Timestamp, interval: Duration) -> bool {
    let interval = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX);
    newest.is_none_or(|taken| now >= taken.plus_micros(interval))
}

/// Whether the next waits until it would be due had the last been good: that was damaged, so the log is. Another would be as well,
/// and each is the whole log, read and written.
fn rests(damaged: Option<Timestamp>, now: Timestamp, interval: Duration) -> bool {
    damaged.is_some_and(|at| at <= now && !is_due(Some(at), now, interval))
}

/// The oldest beyond the number to keep. Those whose names are later than the one just taken are of a clock that was set back
/// since, and older.
fn to_put_away<'a>(names: &'a [String], taken: &str, keep: usize) -> Vec<&'a String> {
    let (earlier, later): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.as_str() <= taken);
    let beyond = names.len().saturating_sub(keep);
    later.into_iter().chain(earlier).take(beyond).collect()
}

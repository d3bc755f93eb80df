//! Old segments in object storage: what `storage` sends away and fetches, spoken over the lake's wiring of object stores, and the
//! loop that sends while the server serves.
//!
//! Whoever reads history waits here, so a place that does not answer is asked for some seconds and then left alone for a
//! few: meanwhile everybody is told at once, and no thread waits for what will not come.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::lake::{LakeError, Patience, Target, Why};
use storage::repo::{FsRepo, View};
use storage::{ArchiveReport, Log, Tier, TierOptions, Timestamp};

use crate::app::AppState;
use crate::auth::keys::create_private_folder;
use crate::config::{ArchiveConfig, Config};
use crate::lake::stopped;

/// Aggregate types that a start reads: who may come in, which tablets, which models, who was erased, and what was decided about
/// other depots.
const KEPT_TYPES: [&str; 5] = [
    fleet::user::AGGREGATE_TYPE,
    fleet::device::AGGREGATE_TYPE,
    fleet::model::AGGREGATE_TYPE,
    fleet::erasure::AGGREGATE_TYPE,
    fleet::depot::AGGREGATE_TYPE,
];
/// Bytes that are asked for at once: what a fetch holds in memory.
const PART_BYTES: u64 = 8 << 20;
/// For how long a place that failed is left alone.
const REST: Duration = Duration::from_secs(5);
/// How the place is asked: somebody is waiting for the answer.
const PATIENCE: Patience = Patience {
    request: Duration::from_secs(20),
    retry: Duration::from_secs(15),
    retries_max: 4,
};
/// When the first look at what is old enough comes after the start.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// After how long sending that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(60);
const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;
/// What a command calls a folder of its own; the number of its process stands behind it.
const SCRATCH_OF_DRILL: &str = ".drill-";
const SCRATCH_OF_VERIFY: &str = "verify-";
const SCRATCH_OF_RESTORE: &str = "restore-";
/// The file in such a folder that its process holds locked.
const LOCK: &str = "lock";

/// Why there is no archive, although one is configured.
#[derive(Debug, thiserror::Error)]
pub enum ArchivePlaceError {
    /// The address cannot be used.
    #[error("archive.to cannot be used")]
    Address(#[from] LakeError),
    /// The folder of what was fetched cannot be made.
    #[error("the folder of what was fetched from the archive, {path}, cannot be used")]
    Folder {
        /// The folder.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// The archive of these settings; `None` where none is set. Nothing is asked of it yet.
///
/// # Errors
/// See [`ArchivePlaceError`].
pub fn options(config: &Config) -> Result<Option<TierOptions>, ArchivePlaceError> {
    options_in(config, &config.fetched_folder())
}

/// The same, with what is fetched in this folder, usually a [`Scratch`]: who looks at a log once may do so beside a running
/// server, and neither may tidy up what the other fetches.
///
/// # Errors
/// See [`ArchivePlaceError`].
pub(crate) fn options_in(
    config: &Config,
    folder: &Path,
) -> Result<Option<TierOptions>, ArchivePlaceError> {
    let Some(to) = &config.archive.to else {
        return Ok(None);
    };
    let tier = Arc::new(Place::new(Target::open_patiently(to, PATIENCE)?));
    let fetched = FsRepo::open(folder).map_err(|source| ArchivePlaceError::Folder {
        path: folder.display().to_string(),
        source,
    })?;
    Ok(Some(TierOptions {
        tier,
        fetched: Arc::new(fetched),
        fetched_bytes_max: config.archive.cache_bytes_max,
        kept_types: KEPT_TYPES.map(Box::from).to_vec(),
    }))
}

/// Asks the archive at this address for an object that need not be there: whether it answers. Nothing is made for that: a folder
/// that somebody else made by looking would be closed to the server.
///
/// # Errors
/// Those of the place; `Folder` for a folder that is not there.
pub(crate) fn ask(to: &str) -> Result<(), LakeError> {
    let target = match to.starts_with("file:") {
        true => Target::open_existing(to)?,
        false => Target::open_patiently(to, PATIENCE)?,
    };
    target.length("doctor")?;
    Ok(())
}

/// A folder that is gone in the end, however that comes; a process that is killed leaves it to [`remove_orphans`].
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// What says that somebody uses the folder, also to other machines that have the same disk, where process numbers say nothing.
    _lock: Option<File>,
    /// Whether it is removed in the end; otherwise nothing was made.
    is_ours: bool,
}

impl Scratch {
    /// The folder of this path, which need not be there yet, and which nobody else uses.
    pub(crate) fn new(path: PathBuf) -> Self {
        Scratch {
            path,
            _lock: None,
            is_ours: true,
        }
    }

    /// One for a drill of this process, beside the backups.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn of_drill(config: &Config) -> io::Result<Self> {
        remove_orphans(config);
        Scratch::held(&config.backups_folder(), SCRATCH_OF_DRILL)
    }

    /// One for what this process fetches to verify a log.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn of_verify(config: &Config) -> io::Result<Self> {
        Scratch::for_fetching(config, SCRATCH_OF_VERIFY)
    }

    /// One for what this process fetches to restore a log.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn of_restore(config: &Config) -> io::Result<Self> {
        Scratch::for_fetching(config, SCRATCH_OF_RESTORE)
    }

    /// Without an archive nothing is fetched, and nothing is made.
    fn for_fetching(config: &Config, name: &str) -> io::Result<Self> {
        remove_orphans(config);
        let folder = config.fetched_folder();
        if config.archive.to.is_some() {
            return Scratch::held(&folder, name);
        }
        Ok(Scratch {
            path: folder.join(format!("{name}{}", std::process::id())),
            _lock: None,
            is_ours: false,
        })
    }

    /// One that is named by the number of this process. On a disk of several machines, or in a container, that may be another's
    /// as well: where its folder is in use, another number goes behind it.
    fn held(folder: &Path, name: &str) -> io::Result<Self> {
        let process = std::process::id();
        let mut path = folder.join(format!("{name}{process}"));
        let mut number = 2_u32;
        loop {
            if let Some(lock) = hold(&path)? {
                return Ok(Scratch {
                    path,
                    _lock: Some(lock),
                    is_ours: true,
                });
            }
            path = folder.join(format!("{name}{process}-{number}"));
            number += 1;
        }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Makes the folder and takes its lock, which goes with the process, however that ends. What was left in it is removed. `None`:
/// somebody has it.
fn hold(path: &Path) -> io::Result<Option<File>> {
    create_private_folder(path)?;
    let place = path.join(LOCK);
    let mut options = File::options();
    let lock = match options
        .write(true)
        .create(true)
        .truncate(false)
        .open(&place)
    {
        // Another account's.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        lock => lock?,
    };
    let is_locked = match lock.try_lock() {
        // Removed as an orphan between the two steps.
        Ok(()) if !place.exists() => return Ok(None),
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(_)) => false,
    };
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        if !is_locked {
            // On a share where nothing can be locked what lies in it may be in use.
            return Ok(None);
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(Some(lock))
}

/// Removes what drills, restores and looks at a log left whose process is gone: a copy of the whole log, or what was fetched.
/// What cannot be removed is left to the next.
pub(crate) fn remove_orphans(config: &Config) {
    let fetched = config.fetched_folder();
    for (folder, name) in [
        (&config.backups_folder(), SCRATCH_OF_DRILL),
        (&fetched, SCRATCH_OF_VERIFY),
        (&fetched, SCRATCH_OF_RESTORE),
    ] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let called = entry.file_name();
            let behind = called.to_str().and_then(|called| called.strip_prefix(name));
            if let Some(process) = behind.and_then(process_in) {
                remove_orphan(&entry.path(), process);
            }
        }
    }
}

/// The process whose folder has this behind its name, as [`Scratch`] names them.
fn process_in(behind: &str) -> Option<u32> {
    let (process, number) = behind.split_once('-').unwrap_or((behind, "1"));
    number.parse::<u32>().ok()?;
    process.parse().ok()
}

/// Removes a process's folder that nobody uses.
fn remove_orphan(folder: &Path, process: u32) {
    // Held until the folder is gone, so that nobody takes it meanwhile.
    let lock = File::options().write(true).open(folder.join(LOCK));
    let is_orphan = match &lock {
        Ok(lock) => lock.try_lock().is_ok(),
        // As releases of before left it: the machine's own processes have to say.
        Err(error) => error.kind() == io::ErrorKind::NotFound && is_gone(process),
    };
    if is_orphan {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Whether no process has this number. Where that cannot be told, one may.
fn is_gone(process: u32) -> bool {
    let processes = Path::new("/proc");
    processes.join("self").exists() && !processes.join(process.to_string()).exists()
}

/// Sends what is older than `archive.after_days`.
///
/// # Errors
/// See [`storage::ArchiveError`].
pub fn send(
    log: &Log,
    settings: &ArchiveConfig,
    now: Timestamp,
    stop: &AtomicBool,
) -> Result<ArchiveReport, storage::ArchiveError> {
    let before = now.plus_micros(-(i64::from(settings.after_days) * MICROS_PER_DAY));
    let report = log.send_away(before, &|| stop.load(Ordering::Relaxed))?;
    if report.renamed > 0 {
        tracing::warn!(
            segments = report.renamed,
            "the archive has something else under the names of old segments, and lets nothing be replaced: they lie beside it, under the next free name"
        );
    }
    Ok(report)
}

/// Sends now and then, until the server stops.
pub(crate) async fn follow(state: AppState) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut stopping = state.stopping.subscribe();
    let mut next = FIRST_LOOK;
    while tokio::time::timeout(next, stopped(&mut stopping))
        .await
        .is_err()
    {
        next = state.config.archive.interval;
        let (task, flag) = (state.clone(), stop.clone());
        let sending = tokio::task::spawn_blocking(move || {
            send(&task.log, &task.config.archive, task.clock.now(), &flag)
        });
        tokio::pin!(sending);
        let ended = tokio::select! {
            outcome = &mut sending => Some(outcome),
            () = stopped(&mut stopping) => None,
        };
        let outcome = match ended {
            Some(outcome) => outcome,
            None => {
                stop.store(true, Ordering::Relaxed);
                sending.await
            }
        };
        match outcome {
            Ok(Ok(report)) if report.segments > 0 => tracing::info!(
                segments = report.segments,
                bytes = report.bytes,
                last_position = report.last_position.get(),
                "old segments were sent to the archive"
            ),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                next = next.min(RETRY_PAUSE);
                tracing::error!(
                    error = crate::cli::chain(&error),
                    "old segments stay here: they cannot be sent to the archive"
                );
            }
            Err(error) => tracing::error!(%error, "sending old segments was cut short"),
        }
    }
}

/// An object store as a [`Tier`].
#[derive(Debug)]
struct Place {
    target: Target,
    /// When it failed last, and what it said.
    failed: Mutex<Option<(Instant, String)>>,
}

impl Place {
    fn new(target: Target) -> Self {
        Place {
            target,
            failed: Mutex::new(None),
        }
    }

    /// Asks the place, unless it failed a moment ago.
    fn ask<T>(&self, ask: impl FnOnce(&Target) -> Result<T, LakeError>) -> io::Result<T> {
        let failed = || self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, said)) = &*failed()
            && at.elapsed() < REST
        {
            let text = format!("it failed a moment ago, and is asked again soon: {said}");
            return Err(io::Error::other(text));
        }
        let answer = ask(&self.target);
        *failed() = match &answer {
            Err(error) => Some((Instant::now(), crate::cli::chain(error))),
            Ok(_) => None,
        };
        answer.map_err(io::Error::other)
    }
}

impl Tier for Place {
    fn place(&self) -> String {
        self.target.url().to_owned()
    }

    fn put(&self, object: &str, bytes: Arc<dyn View>) -> io::Result<()> {
        let bytes = bytes::Bytes::from_owner(Shown(bytes));
        // A place that refuses has answered: it is asked at once what it has there.
        let outcome = self.ask(|target| match target.put(object, bytes) {
            Err(error) => match refusal_of(&error) {
                Some(kind) => Ok(Err(io::Error::new(kind, error))),
                None => Err(error),
            },
            Ok(()) => Ok(Ok(())),
        });
        outcome?
    }

    fn length(&self, object: &str) -> io::Result<Option<u64>> {
        self.ask(|target| target.length(object))
    }

    fn fetch(&self, object: &str, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let length = self.length(object)?.ok_or(io::ErrorKind::NotFound)?;
        let mut at = 0;
        while at < length {
            let to = length.min(at + PART_BYTES);
            let part = self.ask(|target| target.part(object, at..to))?;
            take(&part)?;
            if part.len() as u64 != to - at {
                // Shorter than it says: whoever counts the bytes finds out.
                return Ok(());
            }
            at = to;
        }
        Ok(())
    }
}

/// How `storage` is told that a place answers and does not take an object; `None` for every other error.
fn refusal_of(error: &LakeError) -> Option<io::ErrorKind> {
    match error {
        LakeError::Store { why, source, .. } => kind_of(*why, &source.to_string()),
        _ => None,
    }
}

/// The same of what is behind the error, and of what the place said: whether it keeps what it has is told in the status alone, as
/// 405, 409 or 412. By 403 it may keep that as well, or refuse to be written to at all.
fn kind_of(why: Why, said: &str) -> Option<io::ErrorKind> {
    let is = |status: &str| said.contains(&format!("status code: {status}"));
    match why {
        Why::Refused => Some(io::ErrorKind::PermissionDenied),
        _ if ["405", "409", "412"].into_iter().any(is) => Some(io::ErrorKind::AlreadyExists),
        _ => None,
    }
}

/// A segment's bytes as they are mapped, so that sending copies none.
struct Shown(Arc<dyn View>);

impl AsRef<[u8]> for Shown {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

#[cfg(test)]
mod tests;

//! The lock file: one process owns a log's folder.
//!
//! Place on the data path: taken before the first file is opened, let go after the last. What the maps of
//! [`crate::mmap`] and the writer rely upon, that nobody else writes here, begins and ends with it.
//!
//! The lock is the kernel's (`flock`), not the file's existence: it goes with the process, however that ends, so a crash
//! leaves nothing to clean up. What stands in the file only tells a person who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::open::{self, OpenError};
use crate::repo::FsRepo;

#[cfg(test)]
mod tests;

/// The lock file's name in the folder.
pub(crate) const LOCK_FILE: &str = "lock";
/// Bytes of the file that are read to name the holder: more than is ever written, and a bound on what somebody else did.
const HOLDER_BYTES_MAX: u64 = 256;

/// Why a folder could not be locked.
#[derive(Debug, Error)]
pub(crate) enum LockError {
    /// Another process, or another log in this one, owns the folder.
    #[error("{} is held by {by}", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Who, by what stands in the file: `process 4711`; `another process` when that cannot be told.
        by: String,
    },
    /// The file could not be made, locked or written.
    #[error("{} cannot be locked", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
}

impl From<LockError> for OpenError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { by, .. } => OpenError::Locked { by },
            LockError::Io { source, .. } => OpenError::Io {
                doing: "locking the folder",
                source,
            },
        }
    }
}

/// A log's folder, owned by this value; free again once it is dropped or the process ends.
#[derive(Debug)]
pub struct DirectoryLock {
    folder: PathBuf,
    /// The lock belongs to the open file.
    _file: File,
}

/// A share in the lock of a log's folder: while it lives nobody opens the log, and others may read the folder as well.
#[derive(Debug)]
pub struct ReadLock {
    /// The lock belongs to the open file.
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of a log's folder, which is made where there is none. Whoever keeps something beside the log that one process
    /// alone may change takes it first, sees to that, and opens the log by [`Log::open_locked`](crate::Log::open_locked).
    ///
    /// # Errors
    /// [`OpenError::Locked`] at once when another process has it; [`OpenError::Io`] otherwise.
    pub fn take(folder: &Path) -> Result<DirectoryLock, OpenError> {
        FsRepo::open(folder).map_err(open::doing("opening the folder"))?;
        Ok(DirectoryLock::acquire(folder)?)
    }

    /// Takes a share of the lock of a folder that is only read, such as a backup's, where there is one to take: others may read
    /// meanwhile, and nobody opens the log. `None`: there is none, or this account may not read it, or it lies on a share where
    /// nothing can be locked, and so no log can be opened. Nothing is made, and nothing written.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when a process has the log open.
    pub fn take_if_there(folder: &Path) -> Result<Option<ReadLock>, OpenError> {
        let path = folder.join(LOCK_FILE);
        let Ok(mut file) = File::open(&path) else {
            return Ok(None);
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(ReadLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
                by: holder(&mut file),
            }),
            // Of all times in a disaster: what cannot be locked can still be read.
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the lock of the folder `dir`, which exists, and writes who holds it into `dir/lock`.
    ///
    /// The file stays when the lock is let go: removing it could remove the one that the next holder has just locked.
    ///
    /// # Errors
    /// [`LockError::Held`] at once when it is taken; [`LockError::Io`] otherwise.
    pub(crate) fn acquire(dir: &Path) -> Result<DirectoryLock, LockError> {
        let path = dir.join(LOCK_FILE);
        let io = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        // Not emptied on opening: until the lock is taken the text is another's.
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let mut file = opened.map_err(io)?;
        lock(&mut file, &path)?;
        write_holder(&mut file).map_err(io)?;
        Ok(DirectoryLock {
            folder: dir.to_owned(),
            _file: file,
        })
    }
}

/// Locks the opened file.
fn lock(file: &mut File, path: &Path) -> Result<(), LockError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(LockError::Held {
            by: holder(file),
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(LockError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Never synced: after a power cut there is no holder.
fn write_holder(file: &mut File) -> io::Result<()> {
    let text = format!(
        "{}\nThis process has the log in this folder open; the lock ends with it.\n",
        std::process::id()
    );
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

/// Who holds the file, by its first line.
fn holder(file: &mut File) -> String {
    let mut text = Vec::new();
    // Whatever stands there, even half of it, is better than nothing, and nothing depends upon it.
    let read = file.take(HOLDER_BYTES_MAX).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    match text.lines().next().map(str::parse::<u32>) {
        Some(Ok(process)) if read.is_ok() => format!("process {process}"),
        _ => "another process".to_owned(),
    }
}

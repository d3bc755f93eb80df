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

/// A folder owned by this value; free again once it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    /// The lock belongs to the open file.
    _file: File,
}

impl DirectoryLock {
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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    by: holder(&mut file),
                    path,
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        write_holder(&mut file).map_err(io)?;
        Ok(DirectoryLock { _file: file })
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

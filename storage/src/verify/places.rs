//! Where a log lies, and what belongs to it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::VerifyError;
use crate::lock::{DirectoryLock, LockError};
use crate::log::{ARCHIVE_FOLDER, SNAPSHOT_FOLDER};
use crate::merkle::TREE_FOLDER;
use crate::open::OpenError;
use crate::repo::{FsRepo, Repo};

/// Where the rest of a log lies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) archive: Option<Arc<dyn Repo>>,
    /// The nodes of its tree.
    pub(crate) tree: Option<Arc<dyn Repo>>,
    pub(crate) snapshots: Option<Arc<dyn Repo>>,
}

/// The log's folder, which nobody else opens while the lock is held, and where the rest of the log lies.
pub(super) fn find(
    folder: &Path,
    archive: Option<&Path>,
) -> Result<(DirectoryLock, Arc<dyn Repo>, Places), VerifyError> {
    if !folder.is_dir() {
        return Err(VerifyError::NoLog);
    }
    let lock = DirectoryLock::acquire(folder).map_err(|error| match error {
        LockError::Held { by, .. } => OpenError::Locked { by },
        LockError::Io { source, .. } => OpenError::Io {
            doing: "locking the folder",
            source,
        },
    })?;
    let repo: Arc<dyn Repo> = Arc::new(FsRepo::open(folder)?);
    let usual = folder.join(ARCHIVE_FOLDER);
    let archive_folder = archive.unwrap_or(&usual);
    let archive: Option<Arc<dyn Repo>> = if archive_folder.is_dir() {
        Some(Arc::new(FsRepo::open(archive_folder)?))
    } else {
        None
    };
    let within = |name: &str| -> io::Result<Option<Arc<dyn Repo>>> {
        let path = folder.join(name);
        Ok(match path.is_dir() {
            true => Some(Arc::new(FsRepo::open(&path)?)),
            false => None,
        })
    };
    let places = Places {
        archive,
        tree: within(TREE_FOLDER)?,
        snapshots: within(SNAPSHOT_FOLDER)?,
    };
    Ok((lock, repo, places))
}

//! Where the benches write: a folder on the disk that the build folder is on, removed afterwards.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is removed with all it holds when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

impl Scratch {
    /// A new folder within `parent`, which is made where it is missing.
    ///
    /// # Errors
    /// What the file system says.
    pub fn within(parent: &Path) -> io::Result<Self> {
        let name = format!(
            "{}-{}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        );
        let folder = parent.join(name);
        fs::create_dir_all(&folder)?;
        Ok(Scratch { folder })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// A path in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to `cargo clean`: the folder is below the build folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Bytes free on the disk that holds `path`.
///
/// # Errors
/// What the file system says.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail * found.f_frsize)
}

/// Bytes of all files in a folder and the folders in it: their lengths, and what they occupy on the disk.
///
/// # Errors
/// What the file system says.
pub fn folder_bytes(folder: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let (mut length, mut occupied) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            let (more_length, more_occupied) = folder_bytes(&entry.path())?;
            length += more_length;
            occupied += more_occupied;
        } else {
            length += metadata.len();
            occupied += metadata.blocks() * 512;
        }
    }
    Ok((length, occupied))
}

//! The world that lasts: a folder of a file system.
//!
//! Place on the data path: the log's writes and syncs end here; its reads begin here, through [`crate::mmap`].
//! POSIX systems only (`pread`, `pwrite`, the sync of a folder).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::name::check_name;
use super::{Repo, RepoFile, View};
use crate::mmap::{MappedBytes, MappedFile, Scratch};

#[cfg(test)]
mod tests;

/// The log holds personal data, so nobody but its owner may enter the folder or read a file.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A folder of a file system as a [`Repo`]. Files below subfolders are not its own.
#[derive(Debug)]
pub struct FsRepo {
    dir: PathBuf,
    /// Held open: a sync must reach this folder even when its path has come to name another.
    folder: File,
}

impl FsRepo {
    /// Opens the folder `dir`; makes it (and the folders above it, as far as they are missing) with mode 0700.
    ///
    /// Durability: on return the folder itself survives a power cut.
    ///
    /// # Errors
    /// Those of the file system, among them `NotADirectory`.
    pub fn open(dir: &Path) -> io::Result<FsRepo> {
        let made = make_folders(dir)?;
        // A crash may have come between an earlier run's making of the folder and its sync, so the entry in the
        // parent is synced again, where this user may. Only for a folder made just now is that a must.
        if let Err(error) = sync_parent(dir)
            && made
        {
            return Err(error);
        }
        let folder = File::open(dir)?;
        if !folder.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(FsRepo {
            dir: dir.to_path_buf(),
            folder,
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path_of(&self, name: &str) -> io::Result<PathBuf> {
        check_name(name)?;
        Ok(self.dir.join(name))
    }
}

impl Repo for FsRepo {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                continue;
            }
            // A name that is no UTF-8 was not given by this crate.
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn RepoFile>> {
        let path = self.path_of(name)?;
        // A file of that name is removed, not emptied: its bytes may be mapped, or shared with a backup by a hard
        // link, and both must keep them.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path)?;
        Ok(FsFile::shared(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn RepoFile>> {
        let path = self.path_of(name)?;
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if is_read_only(error.kind()) => File::open(&path)?,
            opened => opened?,
        };
        Ok(FsFile::shared(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path_of(from)?, self.path_of(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path_of(name)?)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.folder.sync_all()
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.path_of(name).ok()
    }

    fn scratch(&self) -> Option<Scratch> {
        let file = tempfile::tempfile_in(&self.dir).ok()?;
        Scratch::new(file).ok()
    }
}

/// A file that may be kept but not written: an archive on read-only media, a backup owned by another user.
fn is_read_only(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Makes `dir` and what is missing above it, each made durable in its parent; whether anything was missing.
fn make_folders(dir: &Path) -> io::Result<bool> {
    if dir.is_dir() {
        return Ok(false);
    }
    if let Some(parent) = parent_of(dir) {
        make_folders(parent)?;
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(dir) {
        // Somebody was faster, which is as good, or a file has the name, which the caller finds when it opens it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
        Ok(()) => sync_parent(dir).map(|()| true),
    }
}

fn sync_parent(dir: &Path) -> io::Result<()> {
    match parent_of(dir) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// The parent, where the path names one: neither for the root nor for a single relative name.
fn parent_of(dir: &Path) -> Option<&Path> {
    dir.parent().filter(|parent| !parent.as_os_str().is_empty())
}

#[derive(Debug)]
struct FsFile {
    mapped: MappedFile,
}

impl FsFile {
    fn shared(file: File) -> Arc<dyn RepoFile> {
        Arc::new(FsFile {
            mapped: MappedFile::new(file),
        })
    }
}

impl RepoFile for FsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.mapped.file().metadata()?.len())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // Goes on after EINTR and after a short write.
        self.mapped.file().write_all_at(bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.mapped.file().read_exact_at(buffer, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.mapped.file().set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.mapped.file().sync_data()
    }

    fn view(&self, length: u64, reserve: u64) -> io::Result<Arc<dyn View>> {
        Ok(Arc::new(self.mapped.view(length, reserve)?))
    }
}

impl View for MappedBytes {
    fn bytes(&self) -> &[u8] {
        self.as_slice()
    }
}

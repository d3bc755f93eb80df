//! Where the log's files live: one trait, three worlds.
//!
//! The log speaks to a [`Repo`] only, so the same code runs on a file system ([`FsRepo`]), in memory
//! ([`MemoryRepo`]), and on a memory that fails, tears and forgets on purpose ([`FaultyRepo`]).
//! A repo is one flat folder: names contain no separator.

mod faulty;
mod fs;
mod memory;
mod name;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;

pub use crate::mmap::Scratch;
pub use faulty::{Crash, Fault, FaultKind, FaultyRepo, NameModel, Operation};
pub use fs::FsRepo;
pub use memory::MemoryRepo;

/// A folder of files.
///
/// Creating, renaming and removing a file is durable only after [`sync_folder`](Repo::sync_folder); what a file
/// holds is durable only after [`RepoFile::sync_data`].
pub trait Repo: Send + Sync + fmt::Debug {
    /// The names of all files, sorted.
    ///
    /// # Errors
    /// Those of the file system.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file, readable by its owner only, in place of any of that name.
    ///
    /// # Errors
    /// Those of the file system.
    fn create(&self, name: &str) -> io::Result<Arc<dyn RepoFile>>;

    /// Opens an existing file for reading and writing; read-only where writing is not permitted.
    ///
    /// # Errors
    /// `NotFound`, and those of the file system.
    fn open(&self, name: &str) -> io::Result<Arc<dyn RepoFile>>;

    /// Gives a file another name, in place of any file of that name, at once.
    ///
    /// # Errors
    /// Those of the file system.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound`, and those of the file system.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync_folder(&self) -> io::Result<()>;

    /// The path of a file, where it has one: lets a backup link instead of copy, and messages name a file.
    fn path(&self, name: &str) -> Option<std::path::PathBuf>;

    /// A file to use instead of memory, gone with the process; `None` where there is none to be had.
    fn scratch(&self) -> Option<Scratch> {
        None
    }
}

/// A file of a [`Repo`], shared by the writer and the readers.
#[expect(
    clippy::len_without_is_empty,
    reason = "no caller asks whether a file is empty"
)]
pub trait RepoFile: Send + Sync + fmt::Debug {
    /// Bytes in the file.
    ///
    /// # Errors
    /// Those of the file system.
    fn len(&self) -> io::Result<u64>;

    /// Writes all of `bytes` at `offset`, growing the file where needed. A failure may leave any part written.
    ///
    /// # Errors
    /// Those of the file system; `StorageFull` when there is no space.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` beyond the end, and those of the file system.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Cuts or lengthens (with zeros) the file. Never cuts below what a [`view`](RepoFile::view) may be reading.
    ///
    /// # Errors
    /// Those of the file system.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Returns once what was written is on the disk and survives a power cut.
    ///
    /// # Errors
    /// Those of the file system. After one, nothing written since the last success can be trusted, and calling
    /// again proves nothing.
    fn sync_data(&self) -> io::Result<()>;

    /// The file's first `length` bytes for reading, without a copy where the world allows it.
    ///
    /// In a file that is still appended to, bytes written before this call are seen; the caller reads only bytes
    /// that are no longer written to. `reserve` says how long the file may become: a later `view` within it is free.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file is shorter than `length`, and those of the file system.
    fn view(&self, length: u64, reserve: u64) -> io::Result<Arc<dyn View>>;
}

/// Bytes of a file held for reading.
pub trait View: Send + Sync + fmt::Debug {
    /// The bytes; as many as were asked for, or more.
    fn bytes(&self) -> &[u8];
}

//! The world without a disk: a folder of files in memory, for tests and for logs that need not last.
//!
//! Everything is "durable" at once and nothing fails except what a file system would refuse. Also what
//! [`FaultyRepo`](super::FaultyRepo) leaves behind after a power cut, and where tests damage bytes on purpose.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::name::check_name;
use super::{Repo, RepoFile, View};

/// Bytes in a file. A wrong offset is answered with an error, as by a file system, and not by the end of the process.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// A folder in memory as a [`Repo`]. A clone is the same folder.
#[derive(Clone, Debug, Default)]
pub struct MemoryRepo {
    files: Arc<Mutex<BTreeMap<String, Arc<MemoryFile>>>>,
}

impl MemoryRepo {
    /// An empty folder.
    pub fn new() -> Self {
        MemoryRepo::default()
    }

    /// A copy of what the file holds; empty when there is none of that name.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.files()
            .get(name)
            .map_or_else(Vec::new, |file| file.content().bytes().to_vec())
    }

    /// Puts a new file with this content in the place of any of that name. Handles and views of the old one keep it.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        self.files()
            .insert(name.to_owned(), Arc::new(MemoryFile::new(bytes)));
    }

    /// Another folder with the same files, for an experiment that must not touch this one.
    #[must_use]
    pub fn copy(&self) -> MemoryRepo {
        let copy = MemoryRepo::new();
        for (name, bytes) in self.all() {
            copy.put(&name, bytes);
        }
        copy
    }

    /// Every file with a copy of what it holds, by name.
    pub(super) fn all(&self) -> Vec<(String, Vec<u8>)> {
        self.files()
            .iter()
            .map(|(name, file)| (name.clone(), file.content().bytes().to_vec()))
            .collect()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Arc<MemoryFile>>> {
        // Each change of the map is one call, so a panic elsewhere leaves it whole.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Repo for MemoryRepo {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files().keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn RepoFile>> {
        check_name(name)?;
        let file = Arc::new(MemoryFile::new(Vec::new()));
        self.files().insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn RepoFile>> {
        check_name(name)?;
        match self.files().get(name) {
            Some(file) => Ok(Arc::<MemoryFile>::clone(file)),
            None => Err(not_found(name)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        let mut files = self.files();
        let file = files.remove(from).ok_or_else(|| not_found(from))?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.files()
            .remove(name)
            .map(drop)
            .ok_or_else(|| not_found(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(())
    }

    fn path(&self, _name: &str) -> Option<PathBuf> {
        None
    }
}

/// What opening, renaming or removing a file that is not there is answered with.
pub(super) fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file {name}"))
}

#[derive(Debug)]
struct MemoryFile(Mutex<Content>);

impl MemoryFile {
    fn new(bytes: Vec<u8>) -> Self {
        MemoryFile(Mutex::new(Content::new(bytes)))
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // A panic inside can at worst leave a write done in part, which the contract of `write_at` allows.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RepoFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content().length())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.content().write(bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.content().read(buffer, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.content().set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn view(&self, length: u64, _reserve: u64) -> io::Result<Arc<dyn View>> {
        Ok(Arc::new(self.content().view(length)?))
    }
}

/// What a simulated file holds, with the copy that its last view was given.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    bytes: Vec<u8>,
    /// Always equal to the start of `bytes`; views share it until a write touches that part.
    shared: Arc<[u8]>,
}

impl Content {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Content {
            bytes,
            shared: Arc::default(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let start = memory_length(offset)?;
        let end = memory_length(offset.saturating_add(bytes.len() as u64))?;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(bytes);
        self.forget_shared_from(start);
        Ok(())
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let held = usize::try_from(offset)
            .ok()
            .and_then(|start| self.bytes.get(start..));
        match held.and_then(|held| held.get(..buffer.len())) {
            Some(wanted) => buffer.copy_from_slice(wanted),
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, length: u64) -> io::Result<()> {
        let length = memory_length(length)?;
        self.bytes.resize(length, 0);
        self.forget_shared_from(length);
        Ok(())
    }

    /// The first `length` bytes; copies them only when no earlier view left a copy that still holds.
    pub(super) fn view(&mut self, length: u64) -> io::Result<MemoryView> {
        if self.length() < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let length = memory_length(length)?;
        if self.shared.len() < length {
            self.shared = Arc::from(&self.bytes[..length]);
        }
        Ok(MemoryView {
            bytes: Arc::clone(&self.shared),
            length,
        })
    }

    fn forget_shared_from(&mut self, changed: usize) {
        if changed < self.shared.len() {
            self.shared = Arc::default();
        }
    }
}

/// The first bytes of a simulated file, as they were when the view was taken.
#[derive(Debug)]
pub(super) struct MemoryView {
    bytes: Arc<[u8]>,
    length: usize,
}

impl View for MemoryView {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A length or an offset as memory counts it.
fn memory_length(length: u64) -> io::Result<usize> {
    if length > FILE_BYTES_MAX {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    usize::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))
}

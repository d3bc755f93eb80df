//! Which snapshots there are, and where: in memory only, read from the files at the first use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::SnapshotStats;
use crate::event::StreamName;
use crate::position::{Position, Version};
use crate::repo::RepoFile;

/// Where a snapshot lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the file.
    pub(super) file: u32,
    pub(super) offset: u64,
    /// Bytes of header and state.
    pub(super) bytes: u64,
}

/// One snapshot of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) version: Version,
    pub(super) position: Position,
    pub(super) place: Place,
}

/// One file.
#[derive(Debug)]
pub(super) struct SnapshotFile {
    pub(super) file: Arc<dyn RepoFile>,
    /// Bytes up to the end of the last snapshot, known or being written.
    pub(super) length: u64,
    /// The highest position among its snapshots, superseded and damaged ones included; [`Position::MAX`] when there
    /// may be some that are not known.
    pub(super) position_max: Position,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    /// By stream, its snapshots in the order of their versions.
    streams: HashMap<StreamName, Vec<Entry>>,
    /// By number, which is also by age.
    files: BTreeMap<u32, SnapshotFile>,
    /// The number of the newest file there ever was; 0 at the start.
    last_number: u32,
    /// Whether the newest file may be written to.
    tail_is_open: bool,
    /// Files that may be in the folder and are not used: they could not be opened, or not be removed.
    unused: BTreeSet<u32>,
    /// What was done; what there is, is counted when asked.
    pub(super) counted: SnapshotStats,
}

impl Index {
    /// The newest snapshot of the stream at or below both bounds.
    pub(super) fn newest(
        &self,
        stream: &StreamName,
        at_most: Version,
        durable: Position,
    ) -> Option<(Entry, Arc<dyn RepoFile>)> {
        let entries = self.streams.get(stream)?;
        let end = entries.partition_point(|entry| entry.version <= at_most);
        let entry = entries[..end]
            .iter()
            .rev()
            .find(|entry| entry.position <= durable)?;
        let file = &self.files.get(&entry.place.file)?.file;
        Some((*entry, Arc::clone(file)))
    }

    /// Notes a snapshot that was written or found; it supersedes one of the same version.
    pub(super) fn add(
        &mut self,
        stream: &StreamName,
        version: Version,
        position: Position,
        place: Place,
    ) {
        let Some(file) = self.files.get_mut(&place.file) else {
            return;
        };
        file.position_max = file.position_max.max(position);
        let entries = match self.streams.get_mut(stream) {
            Some(entries) => entries,
            None => self.streams.entry(stream.clone()).or_default(),
        };
        let entry = Entry {
            version,
            position,
            place,
        };
        match entries.binary_search_by_key(&version, |entry| entry.version) {
            Ok(at) => entries[at] = entry,
            Err(at) => entries.insert(at, entry),
        }
    }

    /// Gives up a snapshot that could not be read, unless another has taken its place meanwhile.
    pub(super) fn forget_damaged(&mut self, stream: &StreamName, damaged: &Entry) {
        self.counted.damaged += 1;
        if let Some(entries) = self.streams.get_mut(stream) {
            entries.retain(|entry| entry != damaged);
            if entries.is_empty() {
                self.streams.remove(stream);
            }
        }
    }

    /// Room for `bytes` behind the last snapshot, if its file may be written to and is not full.
    pub(super) fn place_at_tail(
        &mut self,
        bytes: u64,
        file_bytes_max: u64,
    ) -> Option<(Arc<dyn RepoFile>, Place)> {
        if !self.tail_is_open {
            return None;
        }
        let (number, file) = self.files.last_key_value()?;
        let (number, offset) = (*number, file.length);
        if offset > 0 && offset.saturating_add(bytes) > file_bytes_max {
            return None;
        }
        self.reserve(number, offset, bytes)
    }

    /// Notes a new, empty file, and gives its first `bytes` away.
    pub(super) fn start_file(
        &mut self,
        number: u32,
        file: Arc<dyn RepoFile>,
        bytes: u64,
    ) -> (Arc<dyn RepoFile>, Place) {
        self.add_file(
            number,
            SnapshotFile {
                file: Arc::clone(&file),
                length: bytes,
                position_max: Position::START,
            },
        );
        self.tail_is_open = true;
        (
            file,
            Place {
                file: number,
                offset: 0,
                bytes,
            },
        )
    }

    fn reserve(
        &mut self,
        number: u32,
        offset: u64,
        bytes: u64,
    ) -> Option<(Arc<dyn RepoFile>, Place)> {
        let file = self.files.get_mut(&number)?;
        file.length = offset + bytes;
        Some((
            Arc::clone(&file.file),
            Place {
                file: number,
                offset,
                bytes,
            },
        ))
    }

    /// Lets the next snapshot go to a new file.
    pub(super) fn end_tail(&mut self) {
        self.tail_is_open = false;
    }

    /// Lets the next snapshot go behind the newest file's last.
    pub(super) fn continue_tail(&mut self) {
        self.tail_is_open = true;
    }

    pub(super) fn add_file(&mut self, number: u32, file: SnapshotFile) {
        self.last_number = self.last_number.max(number);
        self.files.insert(number, file);
    }

    /// Notes that the file may hold more than is known of it, and so any position.
    pub(super) fn distrust_file(&mut self, number: u32) {
        if let Some(file) = self.files.get_mut(&number) {
            file.position_max = Position::MAX;
        }
    }

    /// Notes up to where the file holds whole snapshots.
    pub(super) fn lengthen_file(&mut self, number: u32, length: u64) {
        if let Some(file) = self.files.get_mut(&number) {
            file.length = length;
        }
    }

    /// The number for a new file.
    pub(super) fn next_number(&self) -> Option<u32> {
        self.last_number.checked_add(1)
    }

    /// Stops using the files for which `condition` holds, with their snapshots.
    pub(super) fn leave_files(&mut self, condition: impl Fn(&SnapshotFile) -> bool) {
        let left = self
            .files
            .iter()
            .filter(|(_, file)| condition(file))
            .map(|(number, _)| *number);
        self.leave(left.collect());
    }

    /// Stops using the oldest files, until at most `count` are used.
    pub(super) fn leave_oldest_beyond(&mut self, count: usize) {
        let beyond = self.files.len().saturating_sub(count);
        self.leave(self.files.keys().copied().take(beyond).collect());
    }

    fn leave(&mut self, numbers: Vec<u32>) {
        if numbers.is_empty() {
            return;
        }
        for number in &numbers {
            self.files.remove(number);
        }
        // The newest of what is then left may have ended in bytes that are not known; it is not gone on with.
        if numbers.contains(&self.last_number) {
            self.tail_is_open = false;
        }
        self.unused.extend(numbers);
        self.streams.retain(|_, entries| {
            entries.retain(|entry| self.files.contains_key(&entry.place.file));
            !entries.is_empty()
        });
    }

    /// Notes that there is a file which cannot be used.
    pub(super) fn add_unused(&mut self, number: u32) {
        self.last_number = self.last_number.max(number);
        self.unused.insert(number);
    }

    /// The files that are in the folder without use.
    pub(super) fn unused(&self) -> Vec<u32> {
        self.unused.iter().copied().collect()
    }

    /// Notes that a file is no longer in the folder.
    pub(super) fn removed(&mut self, number: u32) {
        self.unused.remove(&number);
    }

    pub(super) fn stats(&self) -> SnapshotStats {
        SnapshotStats {
            snapshots: self
                .streams
                .values()
                .map(|entries| entries.len() as u64)
                .sum(),
            streams: self.streams.len() as u64,
            files: self.files.len() as u64,
            bytes: self.files.values().map(|file| file.length).sum(),
            ..self.counted
        }
    }
}

//! Folds of single aggregates, saved at a version: always disposable.
//!
//! Place on the data path: beside it. Whoever folds a long stream loads the newest snapshot that is not above the
//! version wanted, folds only the events behind it, and may save the result. Without snapshots the answers are the same
//! and slower, so nothing here waits for the disk: a save reaches the page cache and no further, and what a power cut
//! leaves of it is told by checksums.
//!
//! Shape: a [`Repo`] of its own with append-only files `snapshots-0001.dat`, `snapshots-0002.dat`, …; the layout of what
//! stands in them is in `layout`, which of it is where is kept in memory by `index`, read from the headers at the first
//! use. Several versions of a stream are kept, since time travel asks for old ones. When there are more files than
//! [`FILES_MAX`] the oldest goes.
//!
//! Invariants:
//! - A state comes out as it went in, or not at all: it is checked against its checksum, its stream, its version and its
//!   log each time that it is read.
//! - A snapshot above the log's durable position is never given out; after [`SnapshotStore::remove_above`] it is gone
//!   from the disk, so that it cannot come back when the log has grown past it with other events.
//! - The index lock is never held while a state is read or written.

mod files;
mod index;
mod layout;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use uuid::Uuid;

use self::index::{Index, Place, SnapshotFile};
use self::layout::Header;
use crate::event::StreamName;
use crate::limits::{AGGREGATE_ID_BYTES_MAX, TYPE_NAME_BYTES_MAX};
use crate::position::{Position, Version};
use crate::repo::{Repo, RepoFile};

/// Bytes in the state of one snapshot.
pub const SNAPSHOT_BYTES_MAX: usize = 64 << 20;
/// Bytes after which a file takes no further snapshot. One snapshot larger than this has a file of its own.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Files, 4 GiB in all.
const FILES_MAX: usize = 64;

/// A saved fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The version of the last event that is folded in.
    pub version: Version,
    /// The position of that event.
    pub position: Position,
    /// The state, as it was saved.
    pub state: Vec<u8>,
}

/// What a [`SnapshotStore`] holds, and what was done with it since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotStats {
    /// Snapshots that can be loaded.
    pub snapshots: u64,
    /// Streams that have any.
    pub streams: u64,
    /// Files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Snapshots saved.
    pub saved: u64,
    /// Loads that found one.
    pub found: u64,
    /// Loads that found none.
    pub missed: u64,
    /// Snapshots, or ends of files, that were passed over because they were damaged or could not be read.
    pub damaged: u64,
}

/// Why a snapshot was not saved. Nothing is lost by it but time.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The state, or the stream's name, is too long.
    #[error("{what} of {actual} bytes, at most {limit}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// How long it may be.
        limit: usize,
        /// How long it is.
        actual: usize,
    },
    /// The file could not be made or written.
    #[error("snapshots cannot be written")]
    Io(#[from] io::Error),
}

/// The snapshots of one log. Shared by all threads.
#[derive(Debug)]
pub struct SnapshotStore {
    repo: Arc<dyn Repo>,
    log_id: Uuid,
    bounds: Bounds,
    /// Held through a save, so that snapshots lie behind one another; taken before `index`.
    writing: Mutex<()>,
    /// `None` until the first use.
    index: Mutex<Option<Index>>,
}

/// How large files become, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    file_bytes_max: u64,
    files_max: usize,
}

impl SnapshotStore {
    /// The snapshots in `repo`, a folder that nothing else writes to. Touches nothing: files are read at the first use,
    /// and of them only the headers.
    ///
    /// Those of another log than `log_id` are not seen.
    pub fn open(repo: Arc<dyn Repo>, log_id: Uuid) -> SnapshotStore {
        let bounds = Bounds {
            file_bytes_max: FILE_BYTES_MAX,
            files_max: FILES_MAX,
        };
        SnapshotStore::with_bounds(repo, log_id, bounds)
    }

    fn with_bounds(repo: Arc<dyn Repo>, log_id: Uuid, bounds: Bounds) -> SnapshotStore {
        SnapshotStore {
            repo,
            log_id,
            bounds,
            writing: Mutex::new(()),
            index: Mutex::new(None),
        }
    }

    /// Saves the state of `stream` after its event of `version`, which lies at `position` and is durable. One saved
    /// before at the same version is superseded.
    ///
    /// Durability: none. A kill of the process keeps it, a power cut may lose it. Copies the state once.
    ///
    /// # Errors
    /// [`SnapshotError::TooLarge`], [`SnapshotError::Io`]; the snapshots that were there stay.
    pub fn save(
        &self,
        stream: &StreamName,
        version: Version,
        position: Position,
        state: &[u8],
    ) -> Result<(), SnapshotError> {
        check_length(
            "aggregate_type",
            stream.aggregate_type.len(),
            TYPE_NAME_BYTES_MAX,
        )?;
        check_length(
            "aggregate_id",
            stream.aggregate_id.len(),
            AGGREGATE_ID_BYTES_MAX,
        )?;
        check_length("state", state.len(), SNAPSHOT_BYTES_MAX)?;
        let bytes = layout::encode(
            &Header {
                log_id: self.log_id,
                stream: stream.clone(),
                version,
                position,
            },
            state,
        );

        let _writing = self.writing();
        let (file, place) = self.with_index(|index| self.room_for(index, bytes.len() as u64))??;
        if let Err(error) = file.write_at(&bytes, place.offset) {
            // What now stands at the end of that file is unknown; nothing must be written behind it.
            self.with_index(Index::end_tail)?;
            return Err(SnapshotError::Io(error));
        }
        self.with_index(|index| {
            index.add(stream, version, position, place);
            index.counted.saved += 1;
        })?;
        Ok(())
    }

    /// The newest snapshot of `stream` that is neither above `at_most` nor above the log's durable position.
    ///
    /// A damaged one is counted and passed over for the next older one. `None` when there is none, and when snapshots
    /// cannot be read at all.
    pub fn load(
        &self,
        stream: &StreamName,
        at_most: Version,
        durable: Position,
    ) -> Option<Snapshot> {
        loop {
            let found = self
                .with_index(|index| index.newest(stream, at_most, durable))
                .ok()?;
            let Some((entry, file)) = found else {
                self.with_index(|index| index.counted.missed += 1).ok()?;
                return None;
            };
            let header = Header {
                log_id: self.log_id,
                stream: stream.clone(),
                version: entry.version,
                position: entry.position,
            };
            // Outside of the lock: it may wait for the disk. The file may be removed meanwhile; its bytes stay readable.
            let state = files::read_state(&*file, entry.place, &header);
            let counted = self.with_index(|index| match state {
                Some(_) => index.counted.found += 1,
                None => index.forget_damaged(stream, &entry),
            });
            counted.ok()?;
            if let Some(state) = state {
                return Some(Snapshot {
                    version: entry.version,
                    position: entry.position,
                    state,
                });
            }
        }
    }

    /// Removes every snapshot above `position`, with the files that hold one. To be called before anything is appended
    /// whenever the log has lost events that were durable (restored, cut behind damage): it will give their versions and
    /// positions to other events.
    ///
    /// Durability: on return they stay away after a power cut.
    ///
    /// # Errors
    /// Those of the file system. Then this store gives out no such snapshot, but one opened later may: the log must not
    /// grow in this folder until a call has succeeded.
    pub fn remove_above(&self, position: Position) -> io::Result<()> {
        let _writing = self.writing();
        self.remove_files(|file| file.position_max > position)
    }

    /// Removes every snapshot; also how an erased person leaves them.
    ///
    /// Durability: on return they stay away after a power cut.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn clear(&self) -> io::Result<()> {
        let _writing = self.writing();
        self.remove_files(|_| true)
    }

    /// What there is, and what was done with it. Counts as a use.
    pub fn stats(&self) -> SnapshotStats {
        self.with_index(|index| index.stats()).unwrap_or_default()
    }

    /// Where the next `bytes` go: behind the last snapshot, or at the start of a new file.
    fn room_for(&self, index: &mut Index, bytes: u64) -> io::Result<(Arc<dyn RepoFile>, Place)> {
        if let Some(place) = index.place_at_tail(bytes, self.bounds.file_bytes_max) {
            return Ok(place);
        }
        index.leave_oldest_beyond(self.bounds.files_max - 1);
        files::remove_unused(&*self.repo, index)?;
        let number = index
            .next_number()
            .ok_or_else(|| io::Error::other("no number is left for a file"))?;
        let file = self.repo.create(&files::name_of(number))?;
        Ok(index.start_file(number, file, bytes))
    }

    /// Removes the files for which `condition` holds, and those that are in the folder without use.
    fn remove_files(&self, condition: impl Fn(&SnapshotFile) -> bool) -> io::Result<()> {
        let removed = self.with_index(|index| {
            index.leave_files(condition);
            files::remove_unused(&*self.repo, index)
        });
        removed.flatten()?;
        // Even when there was nothing to remove: what made room earlier may still come back.
        self.repo.sync_folder()
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the index, read first if it is not there. Holds the lock meanwhile.
    fn with_index<T>(&self, work: impl FnOnce(&mut Index) -> T) -> io::Result<T> {
        // A panic in between would have left one entry too many or too few, and each is checked when it is read.
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match &mut *index {
            Some(index) => index,
            none => none.insert(files::read_index(&*self.repo, self.log_id)?),
        };
        Ok(work(index))
    }
}

/// What in a folder of snapshots is not as it was written: the file, and the offset behind which it is passed over.
pub(crate) fn faults(repo: &dyn Repo, log_id: Uuid) -> io::Result<Vec<(String, u64)>> {
    files::faults(repo, log_id)
}

/// See [`crate::fuzzing::snapshot`].
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz(bytes: &[u8]) {
    layout::fuzz(bytes);
}

/// A snapshot of a stream as it lies in a file.
#[cfg(test)]
pub(crate) fn sample(aggregate_id: &str, state: &[u8]) -> Vec<u8> {
    let header = Header {
        log_id: Uuid::from_u128(7),
        stream: StreamName::new("Vehicle", aggregate_id),
        version: Version::new(3),
        position: Position::new(9),
    };
    layout::encode(&header, state)
}

fn check_length(what: &'static str, actual: usize, limit: usize) -> Result<(), SnapshotError> {
    if actual > limit {
        Err(SnapshotError::TooLarge {
            what,
            limit,
            actual,
        })
    } else {
        Ok(())
    }
}

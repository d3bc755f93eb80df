//! Where checkpoints are kept: one small trait, and sled behind it. The only module that knows sled.
//!
//! Nothing here is truth: whatever is lost or damaged is folded from the log again. What sled 0.34.7 does not do is
//! done by its callers: its `open` may panic or hang on damaged files, so [`keeper`](super::keeper) guards it; its
//! `flush` is no fsync on Linux, so [`make_durable`](CheckpointStore::make_durable) syncs its file as well.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::checkpoint::{Batch, UnverifiedSet};

/// The key of a tree's heading; pages have four-byte keys.
const HEADING_KEY: &[u8] = b"heading";

/// Why a store could not do what it was asked.
#[derive(Debug, Error)]
#[error("the checkpoint store failed: {reason}")]
pub(super) struct StoreError {
    /// What it said.
    pub(super) reason: String,
}

impl StoreError {
    /// A failure for this reason.
    pub(super) fn new(reason: impl Into<String>) -> Self {
        StoreError {
            reason: reason.into(),
        }
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        StoreError::new(error.to_string())
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        StoreError::new(error.to_string())
    }
}

/// A place for checkpoints, one set a projection.
pub(super) trait CheckpointStore: Send {
    /// Everything saved for this projection.
    ///
    /// # Errors
    /// When it cannot be read.
    fn load(&self, projection: &str) -> Result<UnverifiedSet, StoreError>;

    /// Replaces what the batch names, all of it or nothing.
    ///
    /// # Errors
    /// When it cannot be written; then nothing is known about what is kept.
    fn save(&self, projection: &str, batch: Batch) -> Result<(), StoreError>;

    /// Returns once what was saved survives a power cut.
    ///
    /// # Errors
    /// When that cannot be had.
    fn make_durable(&self) -> Result<(), StoreError>;
}

/// Checkpoints in a sled folder: one tree a projection, one atomic batch a checkpoint.
#[derive(Debug)]
pub(super) struct SledStore {
    database: sled::Db,
    folder: PathBuf,
}

impl SledStore {
    /// Opens or makes the folder, with at most about `cache_bytes` of it in memory. May panic or hang on damaged files.
    ///
    /// # Errors
    /// When sled notices that something is wrong.
    pub(super) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        // The background flush stays on (500 ms): without one sled never syncs at all, not even at its end.
        let database = sled::Config::new()
            .path(folder)
            .cache_capacity(cache_bytes)
            .flush_every_ms(Some(500))
            .open()?;
        Ok(SledStore {
            database,
            folder: folder.to_owned(),
        })
    }
}

impl CheckpointStore for SledStore {
    fn load(&self, projection: &str) -> Result<UnverifiedSet, StoreError> {
        let mut set = UnverifiedSet::default();
        for entry in &self.database.open_tree(projection)? {
            let (key, value) = entry?;
            if key.as_ref() == HEADING_KEY {
                set.heading = Some(value.to_vec());
            } else if let Ok(number) = <[u8; 4]>::try_from(key.as_ref()) {
                set.pages.push((u32::from_be_bytes(number), value.to_vec()));
            } else {
                return Err(StoreError::new(format!(
                    "a key of {} bytes in {projection}",
                    key.len()
                )));
            }
        }
        Ok(set)
    }

    fn save(&self, projection: &str, batch: Batch) -> Result<(), StoreError> {
        let tree = self.database.open_tree(projection)?;
        let mut writes = sled::Batch::default();
        if batch.whole {
            let kept: HashSet<[u8; 4]> = batch
                .pages
                .iter()
                .map(|(number, _)| number.to_be_bytes())
                .collect();
            for key in tree.iter().keys() {
                let key = key?;
                if !<[u8; 4]>::try_from(key.as_ref()).is_ok_and(|number| kept.contains(&number)) {
                    writes.remove(key);
                }
            }
        }
        for (number, page) in batch.pages {
            writes.insert(&number.to_be_bytes(), page);
        }
        writes.insert(HEADING_KEY, batch.heading);
        tree.apply_batch(writes)?;
        Ok(())
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        self.database.flush()?;
        // An fsync counts for the file, whoever holds it.
        File::open(self.folder.join("db"))?.sync_all()?;
        Ok(())
    }
}

//! Where checkpoints are kept: one small trait, and redb behind it. The only module that knows redb.
//!
//! Nothing here is truth: whatever is lost or damaged is folded from the log again. That the file may be damaged, and what
//! reading it then does, is [`keeper`](super::keeper)'s to guard against.

use std::fs;
use std::io;
use std::path::Path;

use redb::{
    Builder, Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition,
    TableError,
};
use thiserror::Error;

use super::checkpoint::{Batch, UnverifiedSet};
use crate::auth::keys::create_private_folder;

/// The one file in the folder.
pub(super) const FILE: &str = "checkpoints.redb";
/// The heading of each projection's set, by its name. Its pages are in a table of the projection's own, by their number.
const HEADINGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("headings");

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

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        StoreError::new(error.to_string())
    }
}

/// Each of redb's operations has an error of its own.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::new(error.into().to_string())
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

/// Checkpoints in a redb file: one table of pages a projection, one transaction a checkpoint.
#[derive(Debug)]
pub(super) struct RedbStore {
    database: Database,
}

impl RedbStore {
    /// Opens or makes the file in this folder, with at most about `cache_bytes` of it in memory. A folder without the file
    /// holds nothing that is of use, such as what an earlier release's store left, and is emptied. May panic on damaged files.
    ///
    /// # Errors
    /// When redb notices that something is wrong.
    pub(super) fn open(folder: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        create_private_folder(folder)?;
        let file = folder.join(FILE);
        if !file.exists() {
            empty(folder)?;
        }
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        let database = builder.create(file).map_err(failed)?;
        Ok(RedbStore { database })
    }
}

fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn pages_of(projection: &str) -> TableDefinition<'_, u32, &'static [u8]> {
    TableDefinition::new(projection)
}

impl CheckpointStore for RedbStore {
    fn load(&self, projection: &str) -> Result<UnverifiedSet, StoreError> {
        let reading = self.database.begin_read().map_err(failed)?;
        let mut set = UnverifiedSet::default();
        let headings = match reading.open_table(HEADINGS) {
            Ok(headings) => headings,
            Err(TableError::TableDoesNotExist(_)) => return Ok(set),
            Err(error) => return Err(failed(error)),
        };
        let Some(heading) = headings.get(projection).map_err(failed)? else {
            return Ok(set);
        };
        set.heading = Some(heading.value().to_vec());
        let pages = reading.open_table(pages_of(projection)).map_err(failed)?;
        for page in pages.iter().map_err(failed)? {
            let (number, page) = page.map_err(failed)?;
            set.pages.push((number.value(), page.value().to_vec()));
        }
        Ok(set)
    }

    fn save(&self, projection: &str, batch: Batch) -> Result<(), StoreError> {
        let mut writing = self.database.begin_write().map_err(failed)?;
        writing.set_durability(Durability::None).map_err(failed)?;
        if batch.whole {
            writing.delete_table(pages_of(projection)).map_err(failed)?;
        }
        {
            let mut pages = writing.open_table(pages_of(projection)).map_err(failed)?;
            for (number, page) in batch.pages {
                pages.insert(number, page.as_slice()).map_err(failed)?;
            }
            let mut headings = writing.open_table(HEADINGS).map_err(failed)?;
            let heading = batch.heading.as_slice();
            headings.insert(projection, heading).map_err(failed)?;
        }
        writing.commit().map_err(failed)
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        // A durable transaction makes those before it durable, too. What else it writes spares the next start a walk through
        // the file where this process ends without closing it.
        let mut writing = self.database.begin_write().map_err(failed)?;
        writing.set_quick_repair(true);
        writing.commit().map_err(failed)
    }
}

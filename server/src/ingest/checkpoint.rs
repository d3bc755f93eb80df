//! How far an input was taken into the log: a small JSON file beside the log, one an input.
//!
//! It only saves time. A checkpoint that is lost, torn or of another input makes the next run read from the beginning, and
//! the log refuses what it has. A checkpoint is used only if the log still has the event that it names and the input
//! still begins with the same bytes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use storage::{Log, Position};
use uuid::Uuid;

/// The layout of the file.
const FORMAT: u32 = 1;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) format: u32,
    /// For whoever reads the file.
    pub(super) input: String,
    /// The log that took the events.
    pub(super) log_id: Uuid,
    /// Whole lines that were taken, header included.
    pub(super) line: u64,
    /// Decompressed bytes that they have.
    pub(super) offset: u64,
    /// The CRC32 of these bytes.
    pub(super) checksum: u32,
    /// The last event that was taken with them, and where it is.
    pub(super) event_id: Uuid,
    pub(super) event_position: u64,
}

/// A place for the checkpoint of one input.
#[derive(Debug)]
pub(super) struct CheckpointFile {
    path: PathBuf,
    input: String,
}

impl CheckpointFile {
    /// The one of the file at `input`, read by this mapping under this source name.
    ///
    /// # Errors
    /// When the folder cannot be made, or `input` is not there.
    pub(super) fn of(
        folder: &Path,
        input: &Path,
        mapping: &str,
        source_name: &str,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let input = fs::canonicalize(input)?.to_string_lossy().into_owned();
        let mut digest = Sha256::new();
        for part in [&input, mapping, source_name] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        let name: String = digest
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(CheckpointFile {
            path: folder.join(format!("{name}.json")),
            input,
        })
    }

    /// What was written last, if it is whole and the log agrees.
    pub(super) fn read(&self, log: &Log) -> Option<Checkpoint> {
        let text = fs::read(&self.path).ok()?;
        let checkpoint: Checkpoint = serde_json::from_slice(&text).ok()?;
        let same = checkpoint.format == FORMAT
            && checkpoint.input == self.input
            && checkpoint.log_id == log.log_id();
        let position = log.position_of(checkpoint.event_id).ok().flatten();
        (same && position == Some(Position::new(checkpoint.event_position))).then_some(checkpoint)
    }

    /// Writes how far it is, in place of what was written before. What it says must be durable in the log.
    ///
    /// # Errors
    /// Those of the file system; then the older one, or none, is there.
    pub(super) fn write(&self, log_id: Uuid, reached: &Reached) -> io::Result<()> {
        let checkpoint = Checkpoint {
            format: FORMAT,
            input: self.input.clone(),
            log_id,
            line: reached.line,
            offset: reached.offset,
            checksum: reached.checksum,
            event_id: reached.event_id,
            event_position: reached.event_position.get(),
        };
        let fresh = self.path.with_extension("tmp");
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec_pretty(&checkpoint)?)?;
        file.sync_data()?;
        fs::rename(&fresh, &self.path)
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) line: u64,
    pub(super) offset: u64,
    pub(super) checksum: u32,
    pub(super) event_id: Uuid,
    pub(super) event_position: Position,
}

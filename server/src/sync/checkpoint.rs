//! The state of sync saved beside the log, so that a start folds what came since and not everything.
//!
//! One file, derived and disposable: a frame (`storage::frame`) around the log's id, an event of the log by which its
//! history is known again, a fingerprint of the tables, and the state. It is written under another name and renamed when
//! it is durable. A file that is damaged, of another log or history, ahead of the log, or of other tables is passed over,
//! and the log is folded from its beginning. Nothing personal that the log seals is in it, since no table has such a field.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crdt::collapsed::Handle;
use crdt::sync::Depot;
use crdt::wire::{DecodeError, Reader, TEXT_BYTES_MAX, Writer};
use fleet::sync::TABLES;
use sha2::{Digest as _, Sha256};
use storage::frame::{self, FrameError};
use storage::{Log, Position};
use thiserror::Error;
use uuid::Uuid;

use super::engine::{DECODED_MAX, Fold, event_in};
use super::planned::Plans;
use crate::auth::keys::create_private_folder;

const KIND: u16 = 0x5201;
/// Raised when the same events are folded to another state than before.
const FORMAT: u16 = 4;
const FILE: &str = "state";

/// Why a saved state is not gone on from.
#[derive(Debug, Error)]
pub(crate) enum CheckpointError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its bytes are not those that were saved, or of another format.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Its content is none.
    #[error(transparent)]
    Content(#[from] DecodeError),
    /// It was folded by other tables.
    #[error("it was folded by other tables")]
    OtherTables,
    /// It is of another log, ahead of this one, or of a history that this log does not have.
    #[error("it reflects position {position} of a history that this log does not have")]
    OtherHistory {
        /// Which.
        position: Position,
    },
}

/// Where the state is saved.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    folder: PathBuf,
}

impl Checkpoint {
    /// In this folder, which is made when something is saved.
    pub(super) fn at(folder: &Path) -> Self {
        Checkpoint {
            folder: folder.to_owned(),
        }
    }

    /// What was saved; `None` where nothing was.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    pub(super) fn load(&self, log: &Log) -> Result<Option<Fold>, CheckpointError> {
        let bytes = match fs::read(self.folder.join(FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (content, _) = frame::decode(&bytes, KIND, FORMAT)?;
        decode(log, content).map(Some)
    }

    /// Saves what [`encode`] made, in place of what was saved before. Returns when it is durable.
    ///
    /// # Errors
    /// Those of the file system; then the older one is there, or none.
    pub(super) fn save(&self, content: &[u8]) -> Result<(), CheckpointError> {
        write_durably(&self.folder, FILE, &frame::encode(KIND, FORMAT, content))
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Writes a file of the folder under another name and renames it when it is durable.
pub(crate) fn write_durably(
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<(), CheckpointError> {
    create_private_folder(folder)?;
    let path = folder.join(name);
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// The state as bytes. `None` where there is nothing to save, or the log cannot say which history it is of.
pub(super) fn encode(log: &Log, fold: &Fold) -> Option<Vec<u8>> {
    let (id, recorded_at) = anchor(log, fold.position)?;
    let mut writer = Writer::new();
    writer.raw(log.log_id().as_bytes());
    writer.raw(&fingerprint());
    writer.varint(fold.position.get());
    writer.raw(id.as_bytes());
    writer.signed(recorded_at);
    fold.save(&mut writer);
    Some(writer.into_bytes())
}

fn decode(log: &Log, content: &[u8]) -> Result<Fold, CheckpointError> {
    let mut reader = Reader::new(content);
    let log_id = uuid(&mut reader)?;
    let tables = reader.raw(32)?;
    let position = Position::new(reader.exact("position")?);
    let said = (uuid(&mut reader)?, reader.signed()?);
    if tables != fingerprint() {
        return Err(CheckpointError::OtherTables);
    }
    let is_of_this = log_id == log.log_id() && position <= log.durable_position();
    if !is_of_this || anchor(log, position) != Some(said) {
        return Err(CheckpointError::OtherHistory { position });
    }
    Ok(Fold::restore(position, &mut reader)?)
}

impl Fold {
    /// Appends what [`Fold::restore`] needs beside the position.
    pub(super) fn save(&self, writer: &mut Writer) {
        let mut numbers: Vec<_> = self.numbers.iter().collect();
        numbers.sort_unstable();
        writer.count(numbers.len());
        for (name, number) in numbers {
            writer.text(name);
            writer.varint((*number).into());
        }
        let mut sums: Vec<_> = self.sums.iter().collect();
        sums.sort_unstable();
        writer.count(sums.len());
        for (name, total) in sums {
            writer.text(name);
            writer.signed(*total);
        }
        self.plans.save(writer);
        writer.count(self.readings.len());
        for (handle, readings) in &self.readings {
            writer.varint(handle.0.into());
            let bytes = rmp_serde::to_vec(readings).expect("what is in memory always encodes");
            writer.bytes(&bytes);
        }
        writer.raw(&self.depot.save());
    }

    /// Reads what [`Fold::save`] wrote.
    ///
    /// # Errors
    /// Bytes that are none.
    pub(super) fn restore(
        position: Position,
        reader: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let mut fold = Fold::new();
        fold.position = position;
        for _ in 0..reader.count(2)? {
            let name = reader.text("device", TEXT_BYTES_MAX)?;
            let number = reader.varint_u32("device number")?;
            fold.numbers.insert(name.into(), number);
        }
        for _ in 0..reader.count(2)? {
            let name = reader.text("count", TEXT_BYTES_MAX)?;
            let total = reader.signed()?;
            fold.sums.insert(name.into(), total);
        }
        fold.plans = Plans::restore(reader)?;
        for _ in 0..reader.count(2)? {
            let handle = Handle(reader.varint_u32("handle")?);
            let bytes = reader.bytes("readings", TEXT_BYTES_MAX)?;
            let what = "readings";
            let readings = rmp_serde::from_slice(bytes);
            let readings = readings.map_err(|_| DecodeError::NotCanonical { what })?;
            fold.readings.insert(handle, readings);
        }
        fold.depot = Depot::restore(&TABLES, DECODED_MAX, reader.rest())?;
        Ok(fold)
    }
}

/// The event at a position, by which a history is known again.
pub(crate) fn anchor(log: &Log, position: Position) -> Option<(Uuid, i64)> {
    event_in(log, position, |event| {
        (event.id(), event.recorded_at().micros())
    })
}

fn uuid(reader: &mut Reader<'_>) -> Result<Uuid, DecodeError> {
    let bytes = reader.raw(16)?;
    Uuid::from_slice(bytes).map_err(|_| DecodeError::UnexpectedEnd)
}

/// What the tables are: fields, kinds and values. Another table folds another state.
fn fingerprint() -> [u8; 32] {
    Sha256::digest(format!("{TABLES:?}")).into()
}

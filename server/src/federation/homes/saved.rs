//! What is known of the homes, kept beside the log: a start folds what came since and not everything, which may lie in an
//! archive that cannot be reached.
//!
//! One file, derived and disposable: a frame (`storage::frame`) around the log's id, an event of the log by which its history
//! is known again, and the table. A file that is damaged, of another log or history, or ahead of the log is passed over, and
//! the log is folded from its beginning. Nothing personal is in it.

use std::fs;
use std::io;
use std::path::Path;

use bincode::config::{self, Config};
use bincode::{Decode, Encode};
use fleet::vehicle::home::{Claims, Ground, Recorded, Told};
use storage::frame::{self, FrameError};
use storage::{Log, Position};
use uuid::Uuid;

use super::{Gone, Known};
use crate::sync::checkpoint::{CheckpointError, anchor, write_durably};

const KIND: u16 = 0x5203;
/// Raised when the same events are folded to another table than before.
const FORMAT: u16 = 1;
const FILE: &str = "homes";
/// A table of a million vehicles takes some hundred megabytes.
const BYTES_MAX: usize = 512 << 20;

/// Why a saved table is not gone on from.
#[derive(Debug, thiserror::Error)]
pub(super) enum SavedError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("its content is none: {0}")]
    Content(#[from] bincode::error::DecodeError),
    #[error("it reflects position {position} of a history that this log does not have")]
    OtherHistory { position: u64 },
}

#[derive(Encode, Decode)]
struct Table {
    log: u128,
    position: u64,
    /// The event there, and when it was recorded.
    event: (u128, i64),
    vehicles: Vec<(String, Vec<Row>)>,
    gone: Vec<(u128, i64, String)>,
}

#[derive(Encode, Decode)]
struct Row {
    at: i64,
    id: u128,
    log: u128,
    said: Said,
}

#[derive(Encode, Decode)]
enum Said {
    Created,
    TookOver(u128),
    TookFromGone(u128),
    HandedOver { of: u128, to: u128 },
}

fn layout() -> impl Config {
    config::standard().with_limit::<BYTES_MAX>()
}

/// What was saved; `None` where nothing was.
///
/// # Errors
/// See [`SavedError`].
pub(super) fn load(folder: &Path, log: &Log) -> Result<Option<Known>, SavedError> {
    let bytes = match fs::read(folder.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (content, _) = frame::decode(&bytes, KIND, FORMAT)?;
    let (table, _): (Table, usize) = bincode::decode_from_slice(content, layout())?;
    let position = Position::new(table.position);
    let here = anchor(log, position).map(|(id, at)| (id.as_u128(), at));
    let is_of_this = table.log == log.log_id().as_u128() && position <= log.durable_position();
    if !is_of_this || here != Some(table.event) {
        return Err(SavedError::OtherHistory {
            position: table.position,
        });
    }
    let mut known = Known {
        up_to: position,
        ..Known::default()
    };
    for (asset_id, rows) in table.vehicles {
        let mut claims = Claims::default();
        for row in rows {
            claims.take_in(recorded(&row), said(&row.said));
        }
        known.vehicles.insert(asset_id.into(), claims);
    }
    for (other, since, reason) in table.gone {
        known
            .gone
            .insert(Uuid::from_u128(other), Gone { since, reason });
    }
    Ok(Some(known))
}

/// Saves the table in place of the one before. Nothing is saved of a log that cannot say which history it is of.
///
/// # Errors
/// Those of the file system; then the older one is there, or none.
pub(super) fn save(folder: &Path, log: &Log, known: &Known) -> Result<(), CheckpointError> {
    let Some((id, recorded_at)) = anchor(log, known.up_to) else {
        return Ok(());
    };
    let vehicles = known.vehicles.iter().map(|(asset_id, claims)| {
        let rows = claims.told().map(|(recorded, told)| row(recorded, told));
        (asset_id.to_string(), rows.collect())
    });
    let gone = known.gone.iter();
    let table = Table {
        log: log.log_id().as_u128(),
        position: known.up_to.get(),
        event: (id.as_u128(), recorded_at),
        vehicles: vehicles.collect(),
        gone: gone
            .map(|(other, gone)| (other.as_u128(), gone.since, gone.reason.clone()))
            .collect(),
    };
    let content = bincode::encode_to_vec(&table, layout()).map_err(io::Error::other)?;
    write_durably(folder, FILE, &frame::encode(KIND, FORMAT, &content))
}

fn row(recorded: Recorded, told: Told) -> Row {
    Row {
        at: recorded.at,
        id: recorded.id.as_u128(),
        log: recorded.log.as_u128(),
        said: match told {
            Told::Claimed(Ground::Created) => Said::Created,
            Told::Claimed(Ground::HandOver(id)) => Said::TookOver(id.as_u128()),
            Told::Claimed(Ground::Gone(id)) => Said::TookFromGone(id.as_u128()),
            Told::HandedOver { of, to } => Said::HandedOver {
                of: of.as_u128(),
                to: to.as_u128(),
            },
        },
    }
}

fn recorded(row: &Row) -> Recorded {
    Recorded {
        at: row.at,
        id: Uuid::from_u128(row.id),
        log: Uuid::from_u128(row.log),
    }
}

fn said(said: &Said) -> Told {
    match *said {
        Said::Created => Told::Claimed(Ground::Created),
        Said::TookOver(id) => Told::Claimed(Ground::HandOver(Uuid::from_u128(id))),
        Said::TookFromGone(id) => Told::Claimed(Ground::Gone(Uuid::from_u128(id))),
        Said::HandedOver { of, to } => Told::HandedOver {
            of: Uuid::from_u128(of),
            to: Uuid::from_u128(to),
        },
    }
}

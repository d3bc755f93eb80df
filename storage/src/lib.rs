//! An append-only event log for one server: the only crate that touches the log's files.
//!
//! ```text
//! append ─▶ queue ─▶ group (check, lay out) ─▶ commit (write, one sync) ─▶ index, names, tips ─▶ durable position
//!                                                                                                      │
//!            read ◀── segment (mapped) ◀── index (in memory, or a mapped file) ◀───────────────────────┘
//! ```
//!
//! - [`Log::append`] answers when the transaction is on the disk. One thread at a time writes: whoever comes while nobody
//!   does; everything that queues up meanwhile shares the next sync (`queue`, `group`, `commit`).
//! - Records are framed in `record`, laid out in segments that begin with a `header`; `docs/format.md` draws them.
//!   To change the record format, change `record`, raise the number in `header`, and keep reading the old one.
//! - `open` turns whatever a crash left into a log again; `recovery` is the pure function that judges a segment's bytes.
//! - `index` finds events without reading the log; it, the saved tables (`state`) and the [`SnapshotStore`] are derived
//!   and disposable.
//! - [`Log::read`] and [`Log::read_stream`] give events borrowed from the page cache, each checked.
//! - [`Log::inclusion_proof`] and its neighbours (`merkle`) prove what the log holds to whoever keeps a root of it.
//! - A [`Veil`] may hide parts of events from whoever reads the files: it covers what enters and uncovers what leaves.
//! - `tier` keeps sealed segments elsewhere, behind a trait, and fetches them when history is asked for.
//! - `maintenance` is the thread that prepares, seals, and writes the watermark.
//!
//! Not this crate's business: what the bytes of an event mean (no JSON here), HTTP, accounts, async runtimes. It reads
//! the clock through [`Clock`] and files through a `Repo`, so tests run it on a simulated disk.
//!
//! ```
//! use storage::{ExpectedVersion, Log, LogOptions, NewEvent, ReadRequest, StreamName, Transaction};
//!
//! let folder = tempfile::tempdir()?;
//! let log = Log::open(folder.path(), LogOptions::default())?;
//! let vehicle = StreamName::new("Vehicle", "185 123-4");
//! let event = NewEvent::new("VehicleCreated", r#"{"model":"BR 185"}"#);
//! let receipt = log.append(Transaction::single(vehicle, ExpectedVersion::NoStream, event))?;
//! assert_eq!(receipt.last_position(), log.durable_position());
//!
//! let mut reader = log.read(&ReadRequest::default())?;
//! while let Some(event) = reader.next() {
//!     println!("{:?}", event?.stream());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod append;
mod archive;
mod backup;
mod chain;
mod commit;
mod durable;
mod event;
pub mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod header;
mod id_filter;
mod ids;
mod index;
mod limits;
mod lock;
mod log;
mod maintenance;
mod matching;
mod merkle;
mod mmap;
mod names;
mod open;
mod position;
mod query;
mod queue;
mod read;
mod record;
mod recovery;
pub mod repo;
mod scrub;
mod segment;
mod shared;
mod snapshot;
mod state;
mod tier;
mod time;
mod transaction;
mod veil;
mod verify;
mod watermark;

pub use append::{AppendError, AppendErrorKind};
pub use archive::{ArchiveError, ArchiveReport};
pub use backup::{
    BackupError, BackupReport, RestoreError, RestoreReport, remove_unbegun, restore, restore_tiered,
};
pub use event::{Event, EventRef, NewEvent, StreamName, StreamRef};
pub use limits::*;
pub use lock::{DirectoryLock, ReadLock};
pub use log::{Health, Log, LogOptions, Stats};
pub use merkle::{Accumulator, ConsistencyProof, InclusionProof, TILE_LEAVES, TreeError, TreeHash};
pub use open::{OpenError, OpenReport};
pub use position::{Position, SegmentId, Version};
pub use query::{Query, QueryItem};
pub use read::{Direction, Order, ReadError, ReadRequest, Reader, StreamRange, TimeRange};
pub use scrub::{ScrubCursor, ScrubProgress};
pub use shared::{DamagedRange, LogState};
pub use snapshot::{SNAPSHOT_BYTES_MAX, Snapshot, SnapshotError, SnapshotStats, SnapshotStore};
pub use tier::{ArchivedError, Tier, TierOptions, TierStats};
pub use time::{Clock, SystemClock, Timestamp};
pub use transaction::{
    Condition, EventReceipt, ExpectedVersion, Receipt, StreamTip, StreamWrite, Transaction,
};

pub use veil::{COVERED_PREFIX, Payload, Uncovered, Veil};
pub use verify::{Problem, VerifyError, VerifyOptions, VerifyReport, verify, verify_here};

#[cfg(test)]
mod tests;

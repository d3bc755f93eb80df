//! What the tests of the whole log share.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::log::Beside;
use crate::repo::{MemoryRepo, Repo, RepoFile};
use crate::*;

/// A clock that rises by a millisecond each time it is asked, unless it is set.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn at(micros: i64) -> Arc<Self> {
        Arc::new(TestClock(AtomicI64::new(micros)))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1_000, Ordering::Relaxed))
    }
}

/// A clock that is set back by an hour each time it is asked.
#[derive(Debug, Default)]
pub(crate) struct FallingClock(AtomicI64);

impl Clock for FallingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_sub(3_600_000_000, Ordering::Relaxed))
    }
}

/// Small segments, so that a few events fill several.
pub(crate) fn small() -> LogOptions {
    LogOptions {
        segment_bytes_min: 2_048,
        segment_bytes_max: 2_048,
        watermark_idle: Duration::from_secs(3_600),
        clock: TestClock::at(1_700_000_000_000_000),
        ..LogOptions::default()
    }
}

/// Opens the log in `repo`.
#[track_caller]
pub(crate) fn open(repo: &Arc<dyn Repo>, options: &LogOptions) -> Log {
    try_open(repo, options).unwrap()
}

pub(crate) fn try_open(repo: &Arc<dyn Repo>, options: &LogOptions) -> Result<Log, OpenError> {
    Log::open_in(repo.clone(), None, beside(memory()), options.clone(), None)
}

/// Beside the log these snapshots, and a tree that nobody keeps.
pub(crate) fn beside(snapshots: Arc<dyn Repo>) -> Beside {
    Beside {
        snapshots,
        tree: memory(),
    }
}

pub(crate) fn memory() -> Arc<dyn Repo> {
    Arc::new(MemoryRepo::new())
}

/// An event for `aggregate_id` of type Vehicle.
pub(crate) fn one(aggregate_id: &str, event_type: &str, data: &str) -> Transaction {
    Transaction::single(
        StreamName::new("Vehicle", aggregate_id),
        ExpectedVersion::Any,
        NewEvent::new(event_type, data),
    )
}

/// Everything a request gives.
#[track_caller]
pub(crate) fn collect(log: &Log, request: &ReadRequest) -> Vec<Event> {
    let mut reader = log.read(request).unwrap();
    let mut events = Vec::new();
    while let Some(event) = reader.next() {
        events.push(event.unwrap().to_owned());
    }
    events
}

/// Everything in the log.
#[track_caller]
pub(crate) fn all(log: &Log) -> Vec<Event> {
    collect(log, &ReadRequest::default())
}

/// The file and the offset at which the event at a position lies.
#[track_caller]
pub(crate) fn event_place(log: &Log, position: u64) -> (String, usize) {
    let position = Position::new(position);
    let segments = log.shared.segments();
    let segment = segments
        .iter()
        .rfind(|segment| segment.place.first_position <= position)
        .unwrap();
    let ordinal = segment.ordinal(position);
    let offset = segment
        .with_index(|index| index.offset(ordinal))
        .unwrap()
        .unwrap();
    (
        crate::segment::segment_file(segment.id),
        usize::try_from(offset).unwrap(),
    )
}

/// Hears what is done to which file, and panics where it is set to.
type Trap = dyn Fn(&str, &str) + Send + Sync;

/// A folder in memory that asks `trap` before a file is made or removed, with "create" or "remove" and the file's name. One that
/// panics stands for a fault of the program in the middle of its work.
pub(crate) struct TrappedRepo {
    pub(crate) files: MemoryRepo,
    trap: Box<Trap>,
}

impl TrappedRepo {
    pub(crate) fn new(trap: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        TrappedRepo {
            files: MemoryRepo::new(),
            trap: Box::new(trap),
        }
    }
}

impl fmt::Debug for TrappedRepo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TrappedRepo")
    }
}

impl Repo for TrappedRepo {
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn RepoFile>> {
        (self.trap)("create", name);
        self.files.create(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn RepoFile>> {
        self.files.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        (self.trap)("remove", name);
        self.files.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.files.sync_folder()
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.files.path(name)
    }
}

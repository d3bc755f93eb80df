//! The log: what a program opens, appends to and reads. The work is done in the modules that each method names.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use uuid::Uuid;

use crate::append::{self, AppendError};
use crate::archive;
use crate::commit::{self, Writer};
use crate::event::StreamName;
use crate::limits::{self, Limits};
use crate::lock::DirectoryLock;
use crate::maintenance;
use crate::merkle::{TREE_FOLDER, Tree};
use crate::open::{self, OpenError, OpenReport};
use crate::position::Position;
use crate::queue::{Pushed, Request, Slot};
use crate::read::{self, ReadError, ReadRequest, Reader, StreamRange};
use crate::record::TypeNameOf;
use crate::repo::{FsRepo, Repo};
use crate::shared::{DamagedRange, LogState, Shared};

use crate::snapshot::SnapshotStore;
use crate::tier::{TierOptions, TierStats};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::transaction::{Receipt, StreamTip, Transaction};
use crate::veil::Veil;

/// The folder of aggregates' snapshots within the log's folder.
pub(crate) const SNAPSHOT_FOLDER: &str = "snapshots";
/// The folder of archived segments within the log's folder, where none other is given.
pub(crate) const ARCHIVE_FOLDER: &str = "archive";

/// How a log is opened. The default suits a depot's server.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Bounds on what an append may carry.
    pub limits: Limits,
    /// Bytes that a segment is prepared with at most.
    pub segment_bytes_max: u64,
    /// Bytes that a segment is prepared with at least.
    pub segment_bytes_min: u64,
    /// After how long without an append the watermark is written. Default 50 ms. Until then the last group, should it
    /// rot, is taken for one that a crash tore.
    pub watermark_idle: Duration,
    /// Where `recorded_at` comes from.
    pub clock: Arc<dyn Clock>,
    /// Where archived segments lie. Default: the folder `archive` in the log's folder.
    pub archive: Option<std::path::PathBuf>,
    /// Where archived segments are sent to and fetched from. Default: nowhere.
    pub tier: Option<TierOptions>,
    /// What hides parts of events from whoever reads the files. Default: nothing is hidden, and what was hidden stays so.
    pub veil: Option<Arc<dyn Veil>>,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions {
            limits: Limits::default(),
            segment_bytes_max: limits::SEGMENT_BYTES_MAX,
            segment_bytes_min: limits::SEGMENT_BYTES_MIN,
            watermark_idle: Duration::from_millis(50),
            clock: Arc::new(SystemClock),
            archive: None,
            tier: None,
            veil: None,
        }
    }
}

/// How a log fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it accepts events.
    pub state: LogState,
    /// What is known to be damaged: found at open, by a read, or by the scrub. Beyond a thousand ranges the last of a segment stands
    /// for those behind it as well, and for what lies between.
    pub damage: Vec<DamagedRange>,
    /// Whether the thread behind the writer still does its work: prepares segments, writes indexes and saved tables, and the
    /// watermark when the log is idle. `false` after a panic there: the log takes events and is read as before, slower, until it
    /// is opened again.
    pub maintained: bool,
}

/// Sizes and counts. Counts of what was done are since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events in the log.
    pub events: u64,
    /// Streams in the log.
    pub streams: u64,
    /// Segments, the one being written included.
    pub segments: u64,
    /// Bytes of all files in the log's folder, the prepared space included; 0 when they cannot be listed.
    pub bytes_on_disk: u64,
    /// Bytes that the id filter holds in memory.
    pub id_filter_bytes: u64,
    /// Transactions answered.
    pub transactions: u64,
    /// Groups made durable.
    pub groups: u64,
    /// Syncs of segments.
    pub syncs: u64,
    /// Events appended.
    pub events_appended: u64,
    /// Bytes appended, markers and names included.
    pub bytes_appended: u64,
    /// How often the watermark could not be written: it is tried again whenever the log falls idle.
    pub watermark_failures: u64,
}

/// The folders beside the log that hold what is derived from it.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) snapshots: Arc<dyn Repo>,
    pub(crate) tree: Arc<dyn Repo>,
}

/// An append-only log of events in one folder, owned by this process while it is open.
///
/// All methods may be called from any thread. Dropping a log closes it.
#[derive(Debug)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Arc<Mutex<Writer>>,
    opened: OpenReport,
    snapshots: SnapshotStore,
    pub(crate) tree: Tree,
    pub(crate) archive_folder: std::path::PathBuf,
    /// Held by whoever moves segments or sends them away: one at a time. Taken before `places`.
    pub(crate) moving: Mutex<()>,
    /// Held while one segment changes its place, and by a backup, which wants to find them all.
    pub(crate) places: Mutex<()>,
    threads: Vec<JoinHandle<()>>,
    _lock: Option<DirectoryLock>,
}

impl Log {
    /// Opens the log in `folder`, or begins one there. Costs the last segment, not the log's length.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another process has it; the others say what to do.
    pub fn open(folder: &Path, options: LogOptions) -> Result<Log, OpenError> {
        Log::open_locked(DirectoryLock::take(folder)?, options)
    }

    /// Opens the log in the folder that the lock is of, as [`open`](Log::open) does.
    ///
    /// # Errors
    /// As there, but for [`OpenError::Locked`].
    pub fn open_locked(lock: DirectoryLock, options: LogOptions) -> Result<Log, OpenError> {
        let folder = lock.folder();
        let repo: Arc<dyn Repo> =
            Arc::new(FsRepo::open(folder).map_err(open::doing("opening the folder"))?);
        let archive_folder = options
            .archive
            .clone()
            .unwrap_or_else(|| folder.join(ARCHIVE_FOLDER));
        let archive =
            archive::existing(&archive_folder).map_err(open::doing("opening the archive"))?;
        if archive::is_missing(&*repo, archive.as_ref())
            .map_err(open::doing("looking for the archive"))?
        {
            return Err(OpenError::ArchiveMissing {
                folder: archive_folder,
            });
        }
        let snapshots = FsRepo::open(&folder.join(SNAPSHOT_FOLDER))
            .map_err(open::doing("opening the snapshots"))?;
        let options = LogOptions {
            archive: Some(archive_folder),
            ..options
        };
        let tree = FsRepo::open(&folder.join(TREE_FOLDER))
            .map_err(open::doing("opening the tree's nodes"))?;
        let beside = Beside {
            snapshots: Arc::new(snapshots),
            tree: Arc::new(tree),
        };
        Log::open_in(repo, archive, beside, options, Some(lock))
    }

    /// Opens the log in `repo`: how tests open one in memory.
    pub(crate) fn open_in(
        repo: Arc<dyn Repo>,
        archive: Option<Arc<dyn Repo>>,
        beside: Beside,
        options: LogOptions,
        lock: Option<DirectoryLock>,
    ) -> Result<Log, OpenError> {
        let archive_folder = options
            .archive
            .clone()
            .unwrap_or_else(|| ARCHIVE_FOLDER.into());
        let opened = open::open(repo, archive, options)?;
        let shared = Arc::new(opened.shared);
        let writer = Arc::new(Mutex::new(opened.writer));
        let snapshots = SnapshotStore::open(beside.snapshots, shared.log_id);
        let tree = Tree::new(beside.tree, shared.log_id);
        if opened.report.torn_bytes > 0 || !opened.report.damage.is_empty() {
            // Positions that were cut will be given again, to other events.
            let durable = shared.durable.get();
            snapshots
                .remove_above(durable)
                .map_err(open::doing("removing snapshots ahead of the log"))?;
        }
        let mut log = Log {
            shared,
            writer,
            opened: opened.report,
            snapshots,
            tree,
            archive_folder,
            moving: Mutex::new(()),
            places: Mutex::new(()),
            threads: Vec::with_capacity(2),
            _lock: lock,
        };
        let (shared, writer) = (log.shared.clone(), log.writer.clone());
        log.spawn("log-committer", move || {
            while shared.queue.wait_for_call() {
                // A panic stops the log and has told its message; who comes later is still to be refused, by this thread.
                let _panicked = catch_unwind(AssertUnwindSafe(|| {
                    commit::lead(&shared, &writer, None);
                }));
            }
        })?;
        let shared = log.shared.clone();
        log.spawn("log-maintenance", move || maintenance::run(&shared))?;
        Ok(log)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(open::doing("starting a thread"))?;
        self.threads.push(thread);
        Ok(())
    }

    /// What opening found.
    pub fn opened(&self) -> &OpenReport {
        &self.opened
    }

    /// The log's identity, given when it was begun.
    pub fn log_id(&self) -> Uuid {
        self.shared.log_id
    }

    /// Appends a transaction. On return it is on the disk and survives a power cut. See [`queue`](crate) for who writes.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing of the transaction is in the log then.
    pub fn append(&self, transaction: Transaction) -> Result<Receipt, AppendError> {
        let transaction = self.covered(&transaction)?.unwrap_or(transaction);
        let bytes_max = append::check(&transaction, &self.shared.options.limits)?;
        let slot = Arc::new(Slot::default());
        let request = Request::for_slot(transaction, bytes_max, slot.clone());
        if self.push(request) == Some(Pushed::Lead) {
            commit::lead(&self.shared, &self.writer, Some(&slot));
        }
        slot.take()
    }

    /// The transaction as it is to lie in the log; `None`: just as it is.
    fn covered(&self, transaction: &Transaction) -> Result<Option<Transaction>, AppendError> {
        match &self.shared.options.veil {
            Some(veil) => veil.cover(transaction),
            None => Ok(None),
        }
    }

    /// Appends a transaction without blocking: `done` is called with it and the answer once it is durable or refused.
    ///
    /// `done` runs on the writer's thread, before the next group is begun: it should only hand the answer on.
    pub fn submit(
        &self,
        transaction: Transaction,
        done: impl FnOnce(Transaction, Result<Receipt, AppendError>) + Send + 'static,
    ) {
        match self.covered(&transaction) {
            Ok(None) => self.submit_as_is(transaction, done),
            // Whoever waits gets back what it handed in.
            Ok(Some(covered)) => {
                self.submit_as_is(covered, move |_, result| done(transaction, result));
            }
            Err(error) => done(transaction, Err(error)),
        }
    }

    fn submit_as_is(
        &self,
        transaction: Transaction,
        done: impl FnOnce(Transaction, Result<Receipt, AppendError>) + Send + 'static,
    ) {
        let bytes_max = match append::check(&transaction, &self.shared.options.limits) {
            Ok(bytes_max) => bytes_max,
            Err(error) => return done(transaction, Err(error)),
        };
        if self.push(Request::for_call(transaction, bytes_max, done)) == Some(Pushed::Lead) {
            self.shared.queue.call_committer();
        }
    }

    /// Says that a transaction will be [submitted](Log::submit) at once, as soon as it is read: the writer's thread wakes meanwhile,
    /// and looks for it for some tens of microseconds. For a caller whose transaction is the only one; nothing depends on it.
    pub fn announce(&self) {
        self.shared.queue.announce();
    }

    /// Queues a request; one for which there is no place is answered at once.
    fn push(&self, request: Request) -> Option<Pushed> {
        let pending_max = self.shared.options.limits.queue_transactions_max;
        match self.shared.queue.push(request, pending_max) {
            Ok(pushed) => Some(pushed),
            Err((request, error)) => {
                request.answer(Err(error));
                None
            }
        }
    }

    /// The last position that is durable, [`Position::START`] in an empty log. Everything up to it can be read.
    pub fn durable_position(&self) -> Position {
        self.shared.durable.get()
    }

    /// Blocks until the durable position is above `position`, or `timeout` has passed. Returns the durable position.
    pub fn wait_past(&self, position: Position, timeout: Duration) -> Position {
        self.shared.durable.wait_past(position, timeout)
    }

    /// Has `hook` called with the durable position after each group, on the writer's thread: it must not block.
    pub fn on_durable(&self, hook: impl Fn(Position) + Send + Sync + 'static) {
        self.shared
            .hooks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(hook));
    }

    /// The last event of a stream; `None` when the stream has none.
    pub fn stream(&self, name: &StreamName) -> Option<StreamTip> {
        let number = self.shared.names.stream_number(name)?;
        let tip = self.shared.tip(number);
        (tip.position > Position::START).then_some(tip)
    }

    /// The streams, of whatever aggregate type, whose aggregate has this id.
    pub fn streams_of_id(&self, aggregate_id: &str) -> Vec<StreamName> {
        let types = self.aggregate_type_names().into_iter();
        types
            .map(|of| StreamName::new(of, aggregate_id))
            .filter(|name| self.stream(name).is_some())
            .collect()
    }

    /// The streams of this aggregate type, in the order in which they began. Goes through the names of all streams.
    pub fn streams_of_type(&self, aggregate_type: &str) -> Vec<StreamName> {
        let tips = self.tips_of_type(aggregate_type).into_iter();
        tips.map(|(name, _)| name).collect()
    }

    /// The same, each with its last event: for who would ask for that of every one.
    pub fn tips_of_type(&self, aggregate_type: &str) -> Vec<(StreamName, StreamTip)> {
        let names = &self.shared.names;
        let Some(number) = names.type_number(TypeNameOf::Aggregate, aggregate_type) else {
            return Vec::new();
        };
        names
            .streams_of_type(number)
            .map(|(stream, name)| (name, self.shared.tip(stream)))
            .filter(|(_, tip)| tip.position > Position::START)
            .map(|(name, tip)| (name.to_name(), tip))
            .collect()
    }

    /// How many streams have events.
    pub fn stream_count(&self) -> u64 {
        u64::from(self.shared.names.stream_count())
    }

    /// Every event type that occurs in the log, in the order of first use.
    pub fn event_type_names(&self) -> Vec<Box<str>> {
        self.type_names(TypeNameOf::Event)
    }

    /// Every aggregate type that occurs in the log, in the order of first use.
    pub fn aggregate_type_names(&self) -> Vec<Box<str>> {
        self.type_names(TypeNameOf::Aggregate)
    }

    /// Without those whose names are lost.
    fn type_names(&self, of: TypeNameOf) -> Vec<Box<str>> {
        let types = self.shared.names.known_types(of);
        types.into_iter().flatten().collect()
    }

    /// The position of the event with this id; `None` when there is none.
    ///
    /// # Errors
    /// [`ReadError::Unreadable`] when a segment that may hold it cannot be read. Nothing is fetched from an archive.
    pub fn position_of(&self, id: Uuid) -> Result<Option<Position>, ReadError> {
        Ok(self.shared.position_of(id)?)
    }

    /// The last position recorded at or before `time`; [`Position::START`] when there is none. A binary search.
    ///
    /// # Errors
    /// [`ReadError::Unreadable`] when a segment cannot be read.
    pub fn position_at(&self, time: Timestamp) -> Result<Position, ReadError> {
        Ok(read::position_at(&self.shared, time)?)
    }

    /// Begins to read what `request` asks for, of what is durable now.
    ///
    /// # Errors
    /// [`ReadError::Unreadable`] when the place to begin at cannot be found.
    pub fn read(&self, request: &ReadRequest) -> Result<Reader<'_>, ReadError> {
        Reader::of_log(&self.shared, request)
    }

    /// Begins to read one stream. A stream without events gives none, and names as damaged what may be of it.
    pub fn read_stream(&self, name: &StreamName, range: &StreamRange) -> Reader<'_> {
        Reader::of_stream(&self.shared, name, range)
    }

    /// Saved folds of single aggregates.
    pub fn snapshots(&self) -> &SnapshotStore {
        &self.snapshots
    }

    /// How the log fares.
    pub fn health(&self) -> Health {
        Health {
            state: self.shared.state(),
            damage: self.shared.damage(),
            maintained: !self.shared.maintenance.has_failed(),
        }
    }

    /// Sizes and counts.
    pub fn stats(&self) -> Stats {
        use std::sync::atomic::Ordering::Relaxed;
        let counters = &self.shared.counters;
        let repo = &self.shared.repo;
        let length = |name: &String| repo.open(name).and_then(|file| file.len()).unwrap_or(0);
        Stats {
            events: self.durable_position().get(),
            streams: self.stream_count(),
            segments: self.shared.segments().len() as u64,
            bytes_on_disk: repo
                .list()
                .map_or(0, |names| names.iter().map(length).sum()),
            id_filter_bytes: self
                .shared
                .ids
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .memory() as u64,
            transactions: counters.transactions.load(Relaxed),
            groups: counters.groups.load(Relaxed),
            syncs: counters.syncs.load(Relaxed),
            events_appended: counters.events.load(Relaxed),
            bytes_appended: counters.bytes.load(Relaxed),
            watermark_failures: counters.watermark_failures.load(Relaxed),
        }
    }

    /// What lies in the archive and what was fetched from it; `None` when nothing does and none is configured.
    pub fn tier_stats(&self) -> Option<TierStats> {
        let segments = self.shared.segments();
        let away = segments.iter().filter_map(|segment| segment.away());
        let (count, bytes) = away.fold((0, 0), |(count, bytes), away| {
            (count + 1, bytes + away.stub.bytes)
        });
        let cache = self.shared.cache.as_ref();
        (count > 0 || cache.is_some()).then(|| TierStats {
            segments: count,
            bytes,
            ..cache.map_or_else(TierStats::default, |cache| cache.stats())
        })
    }

    /// Waits until sealed segments are trimmed and indexed. For tests and benches; nothing depends on it.
    pub fn settle(&self) {
        self.shared.maintenance.settle();
    }

    /// Closes the log: commits what is queued, writes the watermark, and gives prepared space back.
    pub fn close(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        if self.threads.is_empty() {
            return;
        }
        self.shared.queue.close();
        self.shared.maintenance.close();
        for thread in self.threads.drain(..) {
            // One that panicked has said so: the writer has stopped the log, the other is missed in its health.
            let _ = thread.join();
        }
        self.shared.durable.close();
        if let LogState::Stopped { .. } = self.shared.state() {
            return;
        }
        // All of this is for speed and space at the next open: what fails here is made up for there.
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if maintenance::mark(&self.shared).is_ok() && writer.dirty == 0 {
            let _ = writer.file.set_len(writer.end);
            let _ = writer.file.sync_data();
        }
        self.shared.maintenance.remove_spare(&self.shared);
        // What made the thread panic is not tried again by whoever closes the log.
        let thread = &self.shared.maintenance;
        if thread.bytes_since_state() > 0 && !thread.has_failed() {
            let _ = maintenance::save_state(&self.shared);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shut_down();
    }
}

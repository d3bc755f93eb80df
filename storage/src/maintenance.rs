//! What a thread of its own does behind the writer: prepares the next segment, trims and indexes sealed ones, saves the
//! engine's tables, and writes the watermark when the log falls idle. All of it may be lost at any moment.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::index;
use crate::record;
use crate::segment::{Segment, index_file, segment_file};
use crate::shared::{Counters, Shared};
use crate::state::{self, StateIdentity};

/// What the names of prepared files begin with. Each has a number of its own: the writer may still be renaming one
/// while the next is made.
pub(crate) const SPARE_PREFIX: &str = "spare-";
/// A log's next segment is prepared with one part in this many of its size, so that a small log stays small on disk.
const SEGMENT_SHARE: u64 = 16;
/// What is written at once while zero-filling. Part of the program, so that no memory is cleared to clear a disk.
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];
/// Ids taken into the filter at once.
const FILTER_STEP: usize = 1_024;
/// The tables are saved when this many times their size has been sealed since: a bound on the bytes written for them.
const STATE_SHARE: u64 = 2;
/// Saved tables that are kept. Should they be damaged, they are made again from the indexes.
const STATES_KEPT: usize = 1;

/// What is to be done, and who waits for it.
#[derive(Debug)]
pub(crate) struct Maintenance {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Whether the thread waits for a commit: lets the writer leave the lock alone while it does not.
    asleep: AtomicBool,
}

/// A prepared file: zeros, allocated and durable.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

#[derive(Debug, Default)]
struct Inner {
    spare: Option<Spare>,
    spares_made: u64,
    /// Whether the thread is making a spare right now.
    making_spare: bool,
    sealed: Vec<(Arc<Segment>, u64)>,
    bytes_sealed: u64,
    bytes_since_state: u64,
    state_bytes: u64,
    /// Whether something is being done with what `sealed` held.
    busy: bool,
    /// Whether the thread ended in a panic.
    failed: bool,
    closing: bool,
}

impl Maintenance {
    pub(crate) fn new() -> Self {
        Maintenance {
            inner: Mutex::default(),
            changed: Condvar::new(),
            asleep: AtomicBool::new(false),
        }
    }

    /// Says how large the log is, and which sealed segments are not finished, when it is opened.
    pub(crate) fn begin(
        &self,
        bytes_sealed: u64,
        bytes_since_state: u64,
        unfinished: Vec<Arc<Segment>>,
    ) {
        let mut inner = self.lock();
        inner.bytes_sealed = bytes_sealed;
        inner.bytes_since_state = bytes_since_state;
        inner.sealed = unfinished.into_iter().map(|segment| (segment, 0)).collect();
    }

    /// Says that something was committed.
    pub(crate) fn note_commit(&self) {
        // Pairs with the fence in `run`: either this sees that the thread sleeps, or the thread sees the commit.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            drop(self.lock());
            self.changed.notify_all();
        }
    }

    /// Hands over a segment that was just sealed and holds `bytes`.
    pub(crate) fn note_sealed(&self, segment: Arc<Segment>, bytes: u64) {
        let mut inner = self.lock();
        inner.bytes_sealed += bytes;
        inner.bytes_since_state += bytes;
        if !inner.failed {
            inner.sealed.push((segment, bytes));
            self.changed.notify_all();
        }
    }

    /// The prepared file, the caller's from now on; made on the spot when there is none, or none large enough.
    pub(crate) fn take_spare(&self, shared: &Shared, bytes_min: u64) -> io::Result<Spare> {
        let mut inner = self.lock();
        while inner.making_spare {
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(spare) = inner.spare.take() {
            if spare.bytes >= bytes_min {
                return Ok(spare);
            }
            shared.repo.remove(&spare.name)?;
        }
        // Too large a transaction, or too late: the writer waits. A full disk gets the smallest segment that will do.
        let wanted = segment_bytes(shared, inner.bytes_sealed).max(bytes_min);
        let smallest = bytes_min.max(shared.options.segment_bytes_min);
        for bytes in [wanted, smallest, bytes_min] {
            inner.spares_made += 1;
            match make_spare(shared, inner.spares_made, bytes) {
                Err(error) if bytes > bytes_min && crate::commit::is_full(&error) => {}
                made => return made,
            }
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Removes the prepared file: the log is closing.
    pub(crate) fn remove_spare(&self, shared: &Shared) {
        if let Some(spare) = self.lock().spare.take() {
            // What stays behind is removed at the next open.
            let _ = shared.repo.remove(&spare.name);
        }
    }

    /// Bytes sealed since the tables were saved.
    pub(crate) fn bytes_since_state(&self) -> u64 {
        self.lock().bytes_since_state
    }

    /// Whether the thread ended in a panic, and all that it did is left undone until the log is opened again.
    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// Waits until all that was sealed has its index and, where due, the tables are saved; not at all once nobody does that.
    pub(crate) fn settle(&self) {
        let mut inner = self.lock();
        while inner.busy || !inner.sealed.is_empty() {
            inner = self
                .changed
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the thread once what was sealed is done with.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's work, as long as it does any.
struct Work<'a>(&'a Maintenance);

impl Drop for Work<'_> {
    /// Lets nobody wait for a thread that panics: the writer makes its segments itself from then on. The log goes on, for
    /// nothing that is left undone is needed; it grows slower and opens slower, which its health says.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut inner = self.0.lock();
            inner.failed = true;
            inner.making_spare = false;
            inner.busy = false;
            inner.sealed.clear();
            self.0.changed.notify_all();
        }
    }
}

/// The thread.
pub(crate) fn run(shared: &Shared) {
    let maintenance = &shared.maintenance;
    let _work = Work(maintenance);
    let mut marked = shared.durable.get();
    let mut spare_failed = false;
    loop {
        let mut inner = maintenance.lock();
        if inner.closing && inner.sealed.is_empty() {
            return;
        }
        if inner.spare.is_none() && !spare_failed && !inner.closing {
            inner.making_spare = true;
            inner.spares_made += 1;
            let number = inner.spares_made;
            let bytes = segment_bytes(shared, inner.bytes_sealed);
            drop(inner);
            let made = make_spare(shared, number, bytes);
            // A full disk is tried again when a segment is sealed, not in a loop.
            spare_failed = made.is_err();
            let mut inner = maintenance.lock();
            inner.making_spare = false;
            inner.spare = made.ok();
            maintenance.changed.notify_all();
            continue;
        }
        if !inner.sealed.is_empty() {
            let sealed = std::mem::take(&mut inner.sealed);
            inner.busy = true;
            drop(inner);
            spare_failed = false;
            finish_sealed(shared, &sealed);
            maintenance.lock().busy = false;
            maintenance.changed.notify_all();
            continue;
        }
        let durable = shared.durable.get();
        if durable == marked {
            // Nothing to mark: sleep until something is committed.
            maintenance.asleep.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if shared.durable.get() == marked {
                drop(
                    maintenance
                        .changed
                        .wait(inner)
                        .unwrap_or_else(PoisonError::into_inner),
                );
            }
            maintenance.asleep.store(false, Ordering::Relaxed);
            continue;
        }
        let (inner, _) = maintenance
            .changed
            .wait_timeout(inner, shared.options.watermark_idle)
            .unwrap_or_else(PoisonError::into_inner);
        let idle = inner.sealed.is_empty() && shared.durable.get() == durable;
        drop(inner);
        if idle && mark(shared).is_ok() {
            marked = durable;
        }
    }
}

/// Writes the watermark for what is durable now. Every event is safe without it, but no longer told from a torn write where the
/// last group rots: a failure is counted.
pub(crate) fn mark(shared: &Shared) -> io::Result<()> {
    let tail = shared.tail();
    let written = shared
        .watermark
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .write(tail.position, tail.segment, tail.chain);
    if written.is_err() {
        Counters::add(&shared.counters.watermark_failures, 1);
    }
    written
}

/// Bytes that the next segment is prepared with.
fn segment_bytes(shared: &Shared, bytes_sealed: u64) -> u64 {
    let options = &shared.options;
    (bytes_sealed / SEGMENT_SHARE).clamp(
        options.segment_bytes_min,
        options.segment_bytes_max.max(options.segment_bytes_min),
    )
}

/// Makes a prepared file of `bytes` zeros, so that writing into it changes no metadata.
fn make_spare(shared: &Shared, number: u64, bytes: u64) -> io::Result<Spare> {
    let name = format!("{SPARE_PREFIX}{number}");
    let file = shared.repo.create(&name)?;
    if let Err(error) = zero_fill(&*file, 0, bytes).and_then(|()| file.sync_data()) {
        // Its space is needed for what is to be written.
        drop(file);
        let _ = shared.repo.remove(&name);
        return Err(error);
    }
    Ok(Spare { name, bytes })
}

/// Writes zeros from `from` to `to`.
pub(crate) fn zero_fill(file: &dyn crate::repo::RepoFile, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let step = usize::try_from(to - at)
            .unwrap_or(usize::MAX)
            .min(ZEROS.len());
        file.write_at(&ZEROS[..step], at)?;
        at += step as u64;
    }
    Ok(())
}

/// Trims sealed segments, writes their indexes, and saves the tables where that is due. A failure costs only time at
/// the next open.
fn finish_sealed(shared: &Shared, sealed: &[(Arc<Segment>, u64)]) {
    let _ = mark(shared);
    for (segment, end) in sealed {
        if *end > 0 {
            let _ = trim(shared, segment, *end);
        }
        // Loads the index, or makes it again where its file is gone. Nothing is fetched for it: a reader will.
        if segment.away().is_none() {
            let _ = segment.with_index(|_| Ok(()));
        }
        if segment.wants_index_file() && write_index(segment).is_ok() {
            segment.adopt_index_file();
        }
        fill_filter(shared, segment);
    }
    let (since, saved) = {
        let inner = shared.maintenance.lock();
        (inner.bytes_since_state, inner.state_bytes)
    };
    if since >= saved * STATE_SHARE
        && let Ok(Some(bytes)) = save_state(shared)
    {
        let mut inner = shared.maintenance.lock();
        inner.state_bytes = bytes;
        // What was sealed while the tables were written may not be in them.
        inner.bytes_since_state -= since;
    }
}

/// Takes the ids of the sealed segments up to `last` into the id filter, so that their indexes need not be asked for each
/// new id. Without gaps, since the filter's "no" is taken for all segments before one that is in it: a segment that
/// cannot be read now holds the later ones up until it can.
fn fill_filter(shared: &Shared, last: &Segment) {
    let segments = shared.segments();
    let missing = segments.iter().skip_while(|segment| segment.is_in_filter());
    for segment in missing.take_while(|segment| segment.id <= last.id) {
        filter_ids(shared, segment);
        if !segment.is_in_filter() {
            return;
        }
    }
}

fn filter_ids(shared: &Shared, segment: &Segment) {
    if let Some(away) = segment.away() {
        let Some(ids) = away.stub.ids() else { return };
        let ids: Vec<_> = ids.collect();
        for part in ids.chunks(FILTER_STEP) {
            let mut filter = shared.ids.write().unwrap_or_else(PoisonError::into_inner);
            part.iter().for_each(|id| filter.insert(id.as_u128()));
        }
        segment.set_in_filter();
        return;
    }
    let Ok(view) = segment.bytes() else { return };
    let offsets = segment.with_index(|index| {
        (0..index.count())
            .map(|ordinal| index.offset(ordinal))
            .collect::<Result<Vec<_>, _>>()
    });
    let Ok(offsets) = offsets else { return };
    // The writer asks the filter for each new id: it is held for a short while at a time.
    for part in offsets.chunks(FILTER_STEP) {
        let mut ids = shared.ids.write().unwrap_or_else(PoisonError::into_inner);
        for &offset in part.iter().flatten() {
            let record = usize::try_from(offset)
                .ok()
                .and_then(|from| view.bytes().get(from..));
            if let Some(id) = record.and_then(record::peek_id) {
                ids.insert(id.as_u128());
            }
        }
    }
    segment.set_in_filter();
}

/// Gives the prepared space behind a sealed segment's last group back.
fn trim(shared: &Shared, segment: &Segment, end: u64) -> io::Result<()> {
    let file = shared.repo.open(&segment_file(segment.id))?;
    if file.len()? > end {
        file.set_len(end)?;
    }
    Ok(())
}

/// Writes a sealed segment's index beside it.
pub(crate) fn write_index(segment: &Segment) -> io::Result<()> {
    let Some(identity) = segment.identity() else {
        return Ok(());
    };
    let bytes = segment
        .with_index(|index| match index {
            index::SegmentIndex::Memory(index) => Ok(Some(index::encode(index, &identity))),
            index::SegmentIndex::File(_) => Ok(None),
        })
        .map_err(|error| error.source)?;
    let Some(bytes) = bytes else { return Ok(()) };
    let repo = segment.repo();
    let name = index_file(segment.id);
    let temporary = format!("{name}.new");
    let file = repo.create(&temporary)?;
    file.write_at(&bytes, 0)?;
    file.sync_data()?;
    repo.rename(&temporary, &name)?;
    repo.sync_folder()
}

/// Saves the engine's tables as of the end of the last sealed segment. They may hold more than that: names, tips and ids
/// that came since are the same when they come again from the segments behind. Returns the bytes written.
pub(crate) fn save_state(shared: &Shared) -> io::Result<Option<u64>> {
    let segments = shared.segments();
    let Some(sealed) = segments
        .iter()
        .take_while(|segment| segment.is_in_filter())
        .last()
    else {
        return Ok(None);
    };
    let Some((next, chain)) = sealed.successor() else {
        return Ok(None);
    };
    let identity = StateIdentity {
        log_id: shared.log_id,
        segment: sealed.id,
        next,
        chain,
    };
    // Ids are added by this very thread, so nobody waits for them.
    let ids = shared.ids.read().unwrap_or_else(PoisonError::into_inner);
    let bytes = state::save(&*shared.repo, &identity, &shared.names, &shared.tips, &ids)?;
    drop(ids);
    let mut states: Vec<String> = shared
        .repo
        .list()?
        .into_iter()
        .filter(|name| name.ends_with(".state"))
        .collect();
    states.sort_unstable();
    for old in states.iter().rev().skip(STATES_KEPT) {
        shared.repo.remove(old)?;
    }
    Ok(Some(bytes))
}

//! The writer: takes queued transactions, makes each group durable with one sync, and only then answers.
//!
//! Exactly one thread is the leader at a time and holds the [`Writer`]. A failed write or sync is final: nothing is
//! retried, nothing further is acknowledged, and what the group held is known only after the log is opened again.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::append::AppendError;
use crate::group::{Group, GroupBytes, GroupStart};
use crate::header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::ids::IdSource;
use crate::index::MemoryIndex;
use crate::position::Position;
use crate::queue::{Answer, Request, Slot};
use crate::record::{self, Chain, Commit};
use crate::recovery::{self, Found};
use crate::repo::RepoFile;
use crate::segment::{Segment, index_found, segment_file};
use crate::shared::{Counters, LogState, Shared, Tail};
use crate::time::Timestamp;
use crate::transaction::StreamTip;

/// Bytes after which a group is closed although more is waiting: beyond this a sync takes longer than the sum of its parts.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// What only the leader touches.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file: Arc<dyn RepoFile>,
    /// The offset behind the last group.
    pub(crate) end: u64,
    /// Bytes of the file that are prepared: zero and allocated.
    pub(crate) prepared: u64,
    /// Bytes from `end` on that a failed write may have left.
    pub(crate) dirty: u64,
    pub(crate) next: Position,
    pub(crate) chain: Chain,
    pub(crate) recorded_last: Timestamp,
    pub(crate) ids: IdSource,
    pub(crate) buffer: Vec<u8>,
    pub(crate) waiting: VecDeque<Request>,
}

/// Commits what is queued until nothing is, or until `own` has its answer and the committer's thread can go on.
pub(crate) fn lead(shared: &Shared, writer: &Mutex<Writer>, own: Option<&Slot>) {
    let mut leader = Leader {
        shared,
        writer: writer.lock().unwrap_or_else(PoisonError::into_inner),
    };
    while shared.queue.take(&mut leader.writer.waiting) {
        if own.is_some_and(Slot::is_filled) {
            shared.queue.call_committer();
            break;
        }
        leader.writer.commit_group(shared);
    }
}

/// The writer in the leader's hands.
struct Leader<'a> {
    shared: &'a Shared,
    writer: MutexGuard<'a, Writer>,
}

impl Drop for Leader<'_> {
    /// Stops the log when the leader panics: what it was doing is half done. Whoever waits is told so.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.set_state(LogState::Stopped {
                reason: "the writer failed; see the program's messages".to_owned(),
            });
            self.writer.waiting.clear();
            self.shared.queue.abandon();
        }
    }
}

impl Writer {
    /// Makes one group of the first of the waiting transactions, and answers them.
    fn commit_group(&mut self, shared: &Shared) {
        if let LogState::Stopped { reason } = shared.state() {
            return self.refuse_all(&AppendError::Stopped { reason });
        }
        let room_for = self.waiting.front().map_or(0, |request| request.bytes_max);
        if let Err(error) = self.make_room(shared, room_for) {
            return self.refuse_all(&error);
        }
        let mut answers: Vec<(Request, Answer)> = Vec::with_capacity(self.waiting.len());
        let room = usize::try_from(self.prepared - self.end)
            .unwrap_or(usize::MAX)
            .min(GROUP_BYTES_MAX.max(room_for));
        let mut group = Group::begin(
            shared,
            self.group_start(shared),
            std::mem::take(&mut self.buffer),
        );
        while let Some(request) = self.waiting.front()
            && group.len() + request.bytes_max <= room
        {
            let answer = group.stage(&request.transaction, &mut self.ids);
            if let Some(request) = self.waiting.pop_front() {
                answers.push((request, answer));
            }
        }
        if group.is_empty() {
            self.buffer = group.into_buffer();
        } else {
            let group = group.finish(self.next.previous());
            let written = self.write(shared, &group);
            if written.is_ok() {
                self.publish(shared, &group);
            }
            self.buffer = group.bytes;
            if let Err(error) = written {
                // Refusals may have been decided against transactions that now do not exist.
                answers
                    .iter_mut()
                    .for_each(|(_, answer)| *answer = Err(error.clone()));
            }
        }
        Counters::add(&shared.counters.transactions, answers.len() as u64);
        answers
            .into_iter()
            .for_each(|(request, answer)| request.answer(answer));
    }

    fn group_start(&self, shared: &Shared) -> GroupStart {
        GroupStart {
            seed: self.segment.place.seed,
            first: self.next,
            chain: self.chain,
            recorded_before: self.recorded_last,
            now: shared.options.clock.now(),
        }
    }

    fn refuse_all(&mut self, error: &AppendError) {
        for request in self.waiting.drain(..) {
            request.answer(Err(error.clone()));
        }
    }

    /// Writes a group and makes it durable. On an error nothing of it counts.
    fn write(&mut self, shared: &Shared, group: &GroupBytes) -> Result<(), AppendError> {
        // What is written must be what recovery would accept: the pair of the check after a crash.
        debug_assert!(self.recovers(group));
        if let Err(error) = self.file.write_at(&group.bytes, self.end) {
            self.dirty = group.bytes.len() as u64;
            return Err(self.failed(shared, "writing", &error));
        }
        if let Err(error) = self.file.sync_data() {
            return Err(stop(
                shared,
                &format!("syncing segment {} failed: {error}", self.segment.id),
            ));
        }
        Counters::add(&shared.counters.syncs, 1);
        Ok(())
    }

    fn recovers(&self, group: &GroupBytes) -> bool {
        let place = recovery::Place {
            first_position: self.next,
            ..self.segment.place
        };
        let scan = recovery::scan(&group.bytes, 0, place, Position::START, &mut |_| {});
        scan.end == group.bytes.len() && scan.chain == group.commit.chain
    }

    /// A write that failed for want of space can be made up for; any other cannot.
    fn failed(&mut self, shared: &Shared, doing: &str, error: &io::Error) -> AppendError {
        if is_full(error) {
            shared.set_state(LogState::DiskFull);
            return AppendError::DiskFull;
        }
        stop(
            shared,
            &format!("{doing} segment {} failed: {error}", self.segment.id),
        )
    }

    /// Lets readers see a group that is durable.
    fn publish(&mut self, shared: &Shared, group: &GroupBytes) {
        let start = usize::try_from(self.end).unwrap_or(usize::MAX);
        let last = self.index_group(shared, &group.bytes, start, &group.commit);
        self.end += group.bytes.len() as u64;
        self.next = last.next();
        self.chain = group.commit.chain;
        self.recorded_last = group.recorded_last;
        self.segment.publish(self.end);
        // Before the position: a backup that is begun by somebody who has seen it holds it.
        shared.set_tail(Tail {
            position: last,
            segment: self.segment.id,
            chain: self.chain,
            end: self.end,
        });
        shared.durable.publish(last);
        Counters::add(&shared.counters.groups, 1);
        Counters::add(&shared.counters.events, u64::from(group.commit.event_count));
        Counters::add(&shared.counters.bytes, group.bytes.len() as u64);
        shared.set_state(LogState::Writable);
        shared.maintenance.note_commit();
        for hook in shared
            .hooks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            hook(last);
        }
    }

    /// Takes the group into names, index, tips and id filter. Returns its last position.
    fn index_group(
        &self,
        shared: &Shared,
        bytes: &[u8],
        start: usize,
        commit: &Commit,
    ) -> Position {
        let place = self.segment.place;
        let mut tips = shared.tips.write().unwrap_or_else(PoisonError::into_inner);
        let mut position = commit.first_position;
        self.segment.update_index(|index| {
            let mut offset = 0;
            while let Ok((found, length)) = record::read(&bytes[offset..], place.seed, position) {
                let found = match found {
                    record::Record::Event(event) => {
                        let at = event.stream as usize;
                        if tips.len() <= at {
                            tips.resize(at + 1, StreamTip::default());
                        }
                        tips[at] = StreamTip {
                            version: event.version,
                            position,
                        };
                        let found = Found::Event {
                            position,
                            offset: start + offset,
                            event,
                        };
                        position = position.next();
                        found
                    }
                    record::Record::StreamName {
                        number,
                        aggregate_type,
                        aggregate_id,
                    } => Found::StreamName {
                        number,
                        aggregate_type,
                        aggregate_id,
                    },
                    record::Record::TypeName { of, number, name } => {
                        Found::TypeName { of, number, name }
                    }
                    record::Record::Commit(_) => break,
                };
                index_found(index, &shared.names, place, &found);
                offset += length;
            }
        });
        let last = position.previous();
        assert_eq!(
            commit.first_position.distance_to(position),
            u64::from(commit.event_count),
            "a group is indexed whole"
        );
        last
    }

    /// Sees to it that `bytes` fit behind the last group, in a new segment where this one is full.
    fn make_room(&mut self, shared: &Shared, bytes: usize) -> Result<(), AppendError> {
        if self.dirty > 0 {
            let zeros = vec![0; usize::try_from(self.dirty).unwrap_or(usize::MAX)];
            if let Err(error) = self.file.write_at(&zeros, self.end) {
                return Err(self.failed(shared, "clearing", &error));
            }
            self.dirty = 0;
        }
        let bytes = bytes as u64;
        if self.end + bytes <= self.prepared {
            return Ok(());
        }
        self.roll(shared, SEGMENT_HEADER_BYTES as u64 + bytes)
    }

    /// Begins the next segment, with at least `bytes_min` bytes prepared.
    pub(crate) fn roll(&mut self, shared: &Shared, bytes_min: u64) -> Result<(), AppendError> {
        let header = SegmentHeader {
            log_id: shared.log_id,
            segment: self.segment.id.next(),
            first_position: self.next,
            created_at: shared.options.clock.now(),
            chain: self.chain,
        };
        let (file, prepared) = match begin_segment(shared, &header, bytes_min) {
            Ok(begun) => begun,
            Err(BeginError::Sync(error)) => {
                return Err(stop(
                    shared,
                    &format!("syncing segment {} failed: {error}", header.segment),
                ));
            }
            Err(BeginError::Io(error)) if is_full(&error) => {
                shared.set_state(LogState::DiskFull);
                return Err(AppendError::DiskFull);
            }
            Err(BeginError::Io(error)) => {
                return Err(AppendError::Unavailable {
                    reason: format!("segment {} cannot be begun: {error}", header.segment),
                });
            }
        };
        let closed = Segment::closed(shared.repo.clone(), &shared.names, &header, None);
        let begun = Arc::new(Segment::active(
            closed,
            file.clone(),
            SEGMENT_HEADER_BYTES as u64,
            prepared,
            MemoryIndex::new(),
        ));
        self.segment.seal(self.next, self.chain);
        shared.push_segment(begun.clone());
        shared
            .maintenance
            .note_sealed(self.segment.clone(), self.end);
        self.segment = begun;
        self.file = file;
        self.end = SEGMENT_HEADER_BYTES as u64;
        self.prepared = prepared;
        Ok(())
    }
}

/// Stops the log for good: what a failed write or sync left on the disk is unknown.
fn stop(shared: &Shared, reason: &str) -> AppendError {
    shared.set_state(LogState::Stopped {
        reason: reason.to_owned(),
    });
    AppendError::Stopped {
        reason: reason.to_owned(),
    }
}

/// Whether an error says that there is no space.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

enum BeginError {
    /// Nothing depends on the new file yet: trying again later is safe.
    Io(io::Error),
    /// A sync failed: the disk is not to be trusted.
    Sync(io::Error),
}

/// Makes a segment's file with its header and at least `bytes_min` prepared bytes, durable with its name on return.
fn begin_segment(
    shared: &Shared,
    header: &SegmentHeader,
    bytes_min: u64,
) -> Result<(Arc<dyn RepoFile>, u64), BeginError> {
    let spare = shared
        .maintenance
        .take_spare(shared, bytes_min)
        .map_err(BeginError::Io)?;
    let file = shared.repo.open(&spare.name).map_err(BeginError::Io)?;
    file.write_at(&header.encode(), 0).map_err(BeginError::Io)?;
    file.sync_data().map_err(BeginError::Sync)?;
    shared
        .repo
        .rename(&spare.name, &segment_file(header.segment))
        .map_err(BeginError::Io)?;
    shared.repo.sync_folder().map_err(BeginError::Sync)?;
    Ok((file, spare.bytes))
}

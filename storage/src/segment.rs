//! One segment: its file, what it begins with, and its index, loaded when first asked.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use uuid::Uuid;

use crate::header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::index::{
    IndexDamaged, IndexFile, IndexIdentity, IndexedEvent, MemoryIndex, SegmentIndex,
};
use crate::names::Names;
use crate::position::{Position, SegmentId};
use crate::record::{self, Chain, EventRecord};
use crate::recovery::{self, Damage, Found, Place};
use crate::repo::{Repo, RepoFile, View};
use crate::tier::{ArchivedError, Away};

/// The name of a segment's file.
pub(crate) fn segment_file(segment: SegmentId) -> String {
    format!("{segment}.log")
}

/// The name of its index.
pub(crate) fn index_file(segment: SegmentId) -> String {
    format!("{segment}.idx")
}

/// The segment that a file name means.
pub(crate) fn segment_of(name: &str, suffix: &str) -> Option<SegmentId> {
    let digits = name.strip_suffix(suffix)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() == 12)?;
    (number > 0).then(|| SegmentId::new(number))
}

/// A segment that can be read; the last one of a log is still written.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    pub(crate) log_id: Uuid,
    pub(crate) place: Place,
    names: Arc<Names>,
    /// Where its file and its index lie; the archive for one that was moved there.
    repo: RwLock<Arc<dyn Repo>>,
    /// Where its bytes are fetched from, once it was sent away.
    away: OnceLock<Arc<Away>>,
    /// The file of the segment being written; a sealed one is opened when it is first read.
    file: Option<Arc<dyn RepoFile>>,
    view: Mutex<Option<Arc<dyn View>>>,
    /// Bytes that readers may look at.
    readable: AtomicU64,
    /// Bytes that the file may grow to.
    reserve: u64,
    index: RwLock<Option<SegmentIndex>>,
    /// What is known of the segment behind it: its first position and the chain it begins with.
    successor: RwLock<Option<(Position, Chain)>>,
    /// Whether the log's id filter knows its ids; otherwise its index is asked.
    in_filter: AtomicBool,
    /// Whether its index lies only in memory although the segment is sealed.
    index_unwritten: AtomicBool,
}

/// Why a segment's bytes or index cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("segment {segment} cannot be read")]
pub(crate) struct SegmentUnreadable {
    pub(crate) segment: SegmentId,
    pub(crate) source: io::Error,
}

impl SegmentUnreadable {
    /// Whether it lies in an archive, where it is whole as far as anybody knows.
    pub(crate) fn is_archived(&self) -> bool {
        let inner = self.source.get_ref();
        inner.is_some_and(|inner| inner.is::<ArchivedError>())
    }
}

impl Segment {
    /// A segment as found at open: nothing of it is loaded yet.
    pub(crate) fn closed(
        repo: Arc<dyn Repo>,
        names: &Arc<Names>,
        header: &SegmentHeader,
        successor: Option<(Position, Chain)>,
    ) -> Self {
        Segment {
            id: header.segment,
            log_id: header.log_id,
            place: header.place(),
            names: names.clone(),
            repo: RwLock::new(repo),
            away: OnceLock::new(),
            file: None,
            view: Mutex::new(None),
            readable: AtomicU64::new(0),
            reserve: 0,
            index: RwLock::new(None),
            successor: RwLock::new(successor),
            in_filter: AtomicBool::new(false),
            index_unwritten: AtomicBool::new(false),
        }
    }

    /// The segment being written: `readable` bytes of `file`, which may become `reserve` bytes long, are durable and
    /// described by `index`.
    pub(crate) fn active(
        closed: Segment,
        file: Arc<dyn RepoFile>,
        readable: u64,
        reserve: u64,
        index: MemoryIndex,
    ) -> Self {
        Segment {
            file: Some(file),
            readable: AtomicU64::new(readable),
            reserve,
            index: RwLock::new(Some(SegmentIndex::Memory(index))),
            ..closed
        }
    }

    /// Where its files lie.
    pub(crate) fn repo(&self) -> Arc<dyn Repo> {
        self.repo
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Its files have been moved; what is mapped stays mapped.
    pub(crate) fn moved_to(&self, repo: Arc<dyn Repo>) {
        *self.repo.write().unwrap_or_else(PoisonError::into_inner) = repo;
    }

    /// Where it was sent.
    pub(crate) fn away(&self) -> Option<&Arc<Away>> {
        self.away.get()
    }

    /// Its bytes are fetched from now on; its index lies where it lay. Who has its file mapped keeps it.
    pub(crate) fn sent_away(&self, away: Arc<Away>) {
        let mut held = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.away.set(away);
        *held = None;
    }

    /// The last position in a sealed segment; `None` for the one being written.
    pub(crate) fn last_position(&self) -> Option<Position> {
        self.successor
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .map(|(first, _)| first.previous())
    }

    /// The first position behind a sealed segment, and the chain there.
    pub(crate) fn successor(&self) -> Option<(Position, Chain)> {
        *self
            .successor
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The chain at the end of a sealed segment.
    pub(crate) fn chain_after(&self) -> Option<Chain> {
        self.successor
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .map(|(_, chain)| chain)
    }

    /// The position of the event with this number within the segment.
    pub(crate) fn position(&self, ordinal: u32) -> Position {
        self.place.first_position.advanced_by(u64::from(ordinal))
    }

    /// The number within the segment of the event at `position`, held to the segment's ends.
    pub(crate) fn ordinal(&self, position: Position) -> u32 {
        u32::try_from(self.place.first_position.distance_to(position)).unwrap_or(u32::MAX)
    }

    /// The segment's bytes: all of a sealed one, the durable ones of the one being written. Those of one that was sent away
    /// are fetched, which may take minutes: for readers alone.
    pub(crate) fn bytes(&self) -> Result<Arc<dyn View>, SegmentUnreadable> {
        match self.bytes_here()? {
            Some(view) => Ok(view),
            None => self.of_archive(|away| away.view()),
        }
    }

    /// The same for the writer, which fetches nothing.
    pub(crate) fn bytes_at_hand(&self) -> Result<Arc<dyn View>, SegmentUnreadable> {
        match self.bytes_here()? {
            Some(view) => Ok(view),
            None => self.of_archive(Away::view_at_hand),
        }
    }

    fn of_archive(
        &self,
        ask: impl FnOnce(&Arc<Away>) -> Result<Arc<dyn View>, ArchivedError>,
    ) -> Result<Arc<dyn View>, SegmentUnreadable> {
        let away = self.away.get().expect("what is not here was sent away");
        ask(away).map_err(|error| SegmentUnreadable {
            segment: self.id,
            source: error.into(),
        })
    }

    /// The bytes of a segment that was not sent away.
    fn bytes_here(&self) -> Result<Option<Arc<dyn View>>, SegmentUnreadable> {
        let readable = self.readable.load(Ordering::Acquire);
        let mut held = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        if self.away.get().is_some() {
            return Ok(None);
        }
        if let Some(view) = &*held
            && view.bytes().len() as u64 >= readable
        {
            return Ok(Some(view.clone()));
        }
        let open = || match &self.file {
            Some(file) => file.view(readable, self.reserve),
            None => {
                let file = self.repo().open(&segment_file(self.id))?;
                file.view(file.len()?, 0)
            }
        };
        let view = open().map_err(|source| SegmentUnreadable {
            segment: self.id,
            source,
        })?;
        *held = Some(view.clone());
        Ok(Some(view))
    }

    /// Lets readers see the first `readable` bytes, all of which are durable.
    pub(crate) fn publish(&self, readable: u64) {
        self.readable.store(readable, Ordering::Release);
    }

    /// Marks the segment as sealed: another one follows.
    pub(crate) fn seal(&self, next_first: Position, chain: Chain) {
        *self
            .successor
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some((next_first, chain));
        self.index_unwritten.store(true, Ordering::Relaxed);
    }

    /// Changes the index of the segment being written.
    pub(crate) fn update_index(&self, change: impl FnOnce(&mut MemoryIndex)) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(SegmentIndex::Memory(index)) = &mut *index {
            change(index);
        }
    }

    /// Sees to it, for a reader, that the index of a segment that was sent away can be asked: where its file is damaged or
    /// gone, the segment is fetched and the file made again.
    pub(crate) fn bring_index(&self) -> Result<(), SegmentUnreadable> {
        let is_loaded = || {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            index.is_some()
        };
        if self.away.get().is_none() || is_loaded() {
            return Ok(());
        }
        let found = match self.load_index() {
            Some(SegmentIndex::File(file)) if file.is_whole() => SegmentIndex::File(file),
            damaged => match (self.rebuild_index(), damaged) {
                (Ok((rebuilt, _)), _) => {
                    self.index_unwritten.store(true, Ordering::Relaxed);
                    SegmentIndex::Memory(rebuilt)
                }
                // What of it is whole still answers.
                (Err(_), Some(damaged)) => damaged,
                (Err(error), None) => return Err(error),
            },
        };
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Some(found);
        if self.wants_index_file() && crate::maintenance::write_index(self).is_ok() {
            self.adopt_index_file();
        }
        Ok(())
    }

    /// Asks the index, which is loaded, or rebuilt from the segment's bytes, where that is needed. Fetches nothing.
    pub(crate) fn with_index<T>(
        &self,
        ask: impl Fn(&SegmentIndex) -> Result<T, IndexDamaged>,
    ) -> Result<T, SegmentUnreadable> {
        {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(Ok(answer)) = index.as_ref().map(&ask) {
                return Ok(answer);
            }
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if index.is_none() {
            *index = self.load_index();
        }
        if let Some(Ok(answer)) = index.as_ref().map(&ask) {
            return Ok(answer);
        }
        let rebuilt = SegmentIndex::Memory(self.index_from(self.bytes_at_hand())?.0);
        self.index_unwritten.store(true, Ordering::Relaxed);
        let answer = ask(&rebuilt);
        *index = Some(rebuilt);
        answer.map_err(|IndexDamaged| SegmentUnreadable {
            segment: self.id,
            source: io::Error::other("its index answers nothing"),
        })
    }

    /// The index file, when it is there and was made from this segment as it is.
    fn load_index(&self) -> Option<SegmentIndex> {
        let identity = self.identity()?;
        let file = self.repo().open(&index_file(self.id)).ok()?;
        let view = file.view(file.len().ok()?, 0).ok()?;
        IndexFile::open(view, &identity)
            .ok()
            .map(SegmentIndex::File)
    }

    /// What an index file of this segment must say of itself; `None` while it is written.
    pub(crate) fn identity(&self) -> Option<IndexIdentity> {
        Some(IndexIdentity {
            log_id: self.log_id,
            segment: self.id,
            first_position: self.place.first_position,
            chain: self.chain_after()?,
        })
    }

    /// Reads the whole segment and makes its index anew; also says what is damaged. A missing file is all damage.
    pub(crate) fn rebuild_index(&self) -> Result<(MemoryIndex, Vec<Damage>), SegmentUnreadable> {
        self.index_from(self.bytes())
    }

    fn index_from(
        &self,
        bytes: Result<Arc<dyn View>, SegmentUnreadable>,
    ) -> Result<(MemoryIndex, Vec<Damage>), SegmentUnreadable> {
        let known = self.last_position().unwrap_or(Position::START);
        let view = match bytes {
            Ok(view) => Some(view),
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let bytes = view.as_ref().map_or(&[][..], |view| view.bytes());
        let mut index = MemoryIndex::new();
        let mut damage = Vec::new();
        recovery::scan(
            bytes,
            SEGMENT_HEADER_BYTES.min(bytes.len()),
            self.place,
            known,
            &mut |found| {
                index_found(&mut index, &self.names, self.place, found);
                if let Found::Damage(found) = found {
                    damage.push(*found);
                }
            },
        );
        Ok((index, damage))
    }

    /// Replaces the index in memory by the one in the file that was just written; keeps the former when that fails.
    pub(crate) fn adopt_index_file(&self) -> bool {
        let Some(loaded) = self.load_index() else {
            return false;
        };
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        self.index_unwritten.store(false, Ordering::Relaxed);
        true
    }

    /// Whether the log's id filter knows its ids.
    pub(crate) fn is_in_filter(&self) -> bool {
        self.in_filter.load(Ordering::Acquire)
    }

    /// Says that the log's id filter knows its ids.
    pub(crate) fn set_in_filter(&self) {
        self.in_filter.store(true, Ordering::Release);
    }

    /// Whether the segment is sealed and its index has yet to be written to a file.
    pub(crate) fn wants_index_file(&self) -> bool {
        self.index_unwritten.load(Ordering::Relaxed) && self.last_position().is_some()
    }

    /// The event with this number, its checksum verified; `None` when it was lost or does not verify.
    pub(crate) fn event<'a>(
        &self,
        bytes: &'a [u8],
        ordinal: u32,
        offset: Option<u64>,
    ) -> Option<EventRecord<'a>> {
        let from = usize::try_from(offset?).ok()?;
        record::read_event(bytes.get(from..)?, self.place.seed, self.position(ordinal)).ok()
    }
}

/// Takes what a scan finds into an index, and names into the log's names.
pub(crate) fn index_found(index: &mut MemoryIndex, names: &Names, place: Place, found: &Found<'_>) {
    match *found {
        Found::StreamName {
            number,
            aggregate_type,
            aggregate_id,
        } => {
            names.add_stream(number, aggregate_type, aggregate_id);
            record::write_stream_name(
                index.names_mut(),
                place.seed,
                number,
                aggregate_type,
                aggregate_id,
            );
        }
        Found::TypeName { of, number, name } => {
            names.add_type(of, number, name);
            record::write_type_name(index.names_mut(), place.seed, of, number, name);
        }
        Found::Event {
            offset, ref event, ..
        } => {
            names.keep_numbers(event.stream, event.event_type);
            let aggregate_type = names.aggregate_type_of(event.stream);
            let offset = u32::try_from(offset).expect("a segment is shorter than 4 GiB");
            index.push(&IndexedEvent {
                offset,
                aggregate_type,
                event,
            });
        }
        Found::Damage(damage) => {
            names.note_damage();
            (0..damage.lost).for_each(|_| index.push_lost());
        }
        Found::Group { .. } => {}
    }
}

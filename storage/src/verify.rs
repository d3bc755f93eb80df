//! Checking everything: every record, the chain, the order, the indexes and the saved tables, and what was acknowledged.
//!
//! Reads only; what it finds is what [`Log::open`](crate::Log::open) would find, and more, since opening does not read
//! sealed segments. What an event hangs on is a *problem* where it does not agree. What a power cut may leave without harm (a
//! torn group that was never acknowledged, a torn slot of the watermark, half a snapshot, a torn file of the tree's nodes)
//! is a *remark*. Between the two, no byte of the log's files can change without being named; the one file that carries
//! nothing is `lock`.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use crate::chain;
use crate::header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::index::{IndexIdentity, MemoryIndex};
use crate::merkle::{self, TreeHash};
use crate::names::Names;
use crate::open::{Listed, Listing, OpenError, damaged_range};
use crate::position::{Position, SegmentId, Version};
use crate::record::{Chain, EVENT_BYTES_MIN, EventRecord};
use crate::recovery::{self, Found, Place, Scan};
use crate::repo::{Repo, View};
use crate::segment::{index_file, index_found, segment_file};
use crate::tier::{ArchivedError, Cache, Stub, TierOptions, stub_file};
use crate::time::Timestamp;
use crate::veil::COVERED_PREFIX;
use crate::watermark;

mod beside;
mod here;
mod pieces;
mod places;
mod tree;
mod unnamed;

use here::Reach;
pub use here::verify_here;
use pieces::{Hands, Ids, Index, Known, Link, Links, Piece, Where, saved_tables};
pub(crate) use places::Places;
use places::find;
use tree::{Extent, Hashed, Leaves};
use unnamed::Unnamed;

/// What to verify beyond the log itself.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Ids of events that were acknowledged and must be there.
    pub acknowledged: Vec<Uuid>,
    /// Where archived segments lie; the folder `archive` in the log's folder where none is given.
    pub archive: Option<std::path::PathBuf>,
    /// Where segments are fetched from that were sent away.
    pub tier: Option<TierOptions>,
    /// Roots of the log's Merkle tree that somebody kept: of how many events, and what it was.
    pub roots: Vec<(Position, TreeHash)>,
}

/// What does not agree, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// What is wrong, with offsets and positions.
    pub what: String,
}

/// What a log's folder holds.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// The log's identity.
    pub log_id: Uuid,
    /// Events that verify.
    pub events: u64,
    /// The root of the Merkle tree over all events up to `head`, see [`Log::tree_root`](crate::Log::tree_root).
    pub digest: TreeHash,
    /// The position up to which the log reaches, lost events included.
    pub head: Position,
    /// The chain at the end.
    pub chain: [u8; 32],
    /// Segments looked at.
    pub segments: u64,
    /// Bytes of records looked at.
    pub bytes: u64,
    /// Bytes of a group that was never acknowledged; opening cuts it.
    pub torn_bytes: u64,
    /// Empty when all is well.
    pub problems: Vec<Problem>,
    /// What is not as it was written though no event hangs on it: derived, and made again; or never acknowledged.
    pub remarks: Vec<Problem>,
    /// Under whose names values are encrypted (what follows [`COVERED_PREFIX`] in tags), and when the first event of each
    /// was recorded.
    pub covered: BTreeMap<Box<str>, Timestamp>,
    /// When the last event that verifies was recorded.
    pub last_recorded: Option<Timestamp>,
    /// Acknowledged events that are not there.
    pub missing: Vec<Uuid>,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no log in the folder.
    #[error("there is no log in this folder")]
    NoLog,
    /// See [`OpenError`].
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A segment lies in an archive and cannot be had.
    #[error("segment {segment} cannot be fetched from the archive")]
    Archived {
        /// The segment.
        segment: SegmentId,
        /// Why not.
        source: ArchivedError,
    },
    /// The file system refuses.
    #[error("the log cannot be read")]
    Io(#[from] io::Error),
}

/// Verifies the log in `folder`, which no process may have open.
///
/// # Errors
/// When there is no log, when it is in use, or when the file system refuses. What is wrong with the log's bytes is not an
/// error but in the report.
pub fn verify(folder: &Path, options: &VerifyOptions) -> Result<VerifyReport, VerifyError> {
    let (_lock, repo, places) = find(folder, options.archive.as_deref())?;
    verify_with(&repo, &places, options)
}

/// Verifies the log in `repo`, which keeps neither nodes of its tree nor snapshots.
#[cfg(test)]
pub(crate) fn verify_in(
    repo: &Arc<dyn Repo>,
    archive: Option<&Arc<dyn Repo>>,
    options: &VerifyOptions,
) -> Result<VerifyReport, VerifyError> {
    let places = Places {
        archive: archive.cloned(),
        ..Places::default()
    };
    verify_with(repo, &places, options)
}

/// Verifies the log in `repo`.
pub(crate) fn verify_with(
    repo: &Arc<dyn Repo>,
    places: &Places,
    options: &VerifyOptions,
) -> Result<VerifyReport, VerifyError> {
    walk(repo, places, options, Reach::Everything)
}

fn walk(
    repo: &Arc<dyn Repo>,
    places: &Places,
    options: &VerifyOptions,
    reach: Reach,
) -> Result<VerifyReport, VerifyError> {
    let archive = places.archive.as_ref();
    let watermark = watermark::read(&**repo)?;
    let cache = options.tier.clone().map(Cache::new).transpose()?;
    let cache = cache.map(Arc::new);
    let listing = Listing::read(repo, archive, cache.as_ref(), &watermark)?;
    if listing.segments.is_empty() {
        return Err(VerifyError::NoLog);
    }
    let mut verifier = Verifier::new(&listing, options)?;
    for damage in &listing.damage {
        let what = format!(
            "the header of segment {} is damaged, or the file is missing",
            damage.segment
        );
        let at = (damage.segment, Position::START);
        verifier.problem(at, segment_file(damage.segment), what);
    }
    for (at, listed) in listing.segments.iter().enumerate() {
        let next = listing.segments.get(at + 1).map(|next| &next.header);
        if reach == Reach::Here && verifier.look(listed, next)? {
            continue;
        }
        verifier.segment(&listing, listed, next)?;
    }
    verifier.tell_unnamed(&listing);
    if let watermark::Found::Valid(watermark) = &watermark {
        let missing = listing.last_header().segment.next();
        if missing <= watermark.segment {
            let what = format!(
                "it is missing: segment {} was written to when position {} was acknowledged",
                watermark.segment, watermark.position
            );
            verifier.problem(END, segment_file(missing), what);
        }
    }
    if let watermark::Found::Valid(watermark) = &watermark
        && watermark.position == verifier.head
        && watermark.chain != verifier.chain
    {
        let what = format!(
            "the chain at position {} is not the one that was durable there",
            watermark.position
        );
        verifier.problem(END, watermark::WATERMARK_FILE.to_owned(), what);
    }
    let log_id = listing.log_id;
    let sealed = listing.segments.iter().rev().skip(1);
    let sealed = sealed.map(|listed| listed.header.segment).collect();
    let mut remarks = beside::of_watermark(&**repo, log_id)?;
    remarks.extend(beside::of_leftovers(&**repo, &sealed)?);
    if let Some(snapshots) = &places.snapshots {
        remarks.extend(beside::of_snapshots(&**snapshots, log_id)?);
    }
    let tree = places.tree.as_ref();
    let stored = tree.and_then(|tree| merkle::stored_tiles(&**tree, log_id));
    let stored = stored.unwrap_or_default();
    remarks.extend(beside::of_nodes(&stored));
    verifier.remarks.extend(remarks);
    Ok(verifier.report(log_id, &options.roots, &stored.tiles))
}

/// Behind everything that is found in segments.
const END: Where = (SegmentId::MAX, Position::MAX);

/// Walks the records in their order, and gives away what needs none.
struct Verifier {
    names: Arc<Names>,
    unnamed: Unnamed,
    hands: Hands,
    /// At which sizes the tree's root is asked for, ascending.
    sizes: Vec<Position>,
    leaves: Leaves,
    /// Where the record behind the last event begins; `None` behind damage.
    behind: Option<usize>,
    /// The first position of each segment.
    starts: Vec<(Position, SegmentId)>,
    events: u64,
    bytes: u64,
    torn_bytes: u64,
    head: Position,
    chain: Chain,
    recorded_last: Timestamp,
    versions: Vec<Version>,
    acknowledged: HashSet<Uuid>,
    /// Below it some saved tables must know every event.
    saved_up_to: Position,
    problems: Vec<(Where, Problem)>,
    remarks: Vec<Problem>,
    covered: BTreeMap<Box<str>, Timestamp>,
    segments: u64,
}

impl Verifier {
    fn new(listing: &Listing, options: &VerifyOptions) -> io::Result<Self> {
        let chain = listing
            .segments
            .first()
            .map_or_else(|| chain::start(listing.log_id), |first| first.header.chain);
        let mut sizes: Vec<Position> = options.roots.iter().map(|(size, _)| *size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let (saved, problems) = saved_tables(listing);
        let saved_up_to = saved.iter().map(|saved| saved.next).max();
        let unnamed = Unnamed::beside(&saved);
        let hands = Hands::start(Known {
            saved,
            sizes: sizes.clone(),
        })?;
        Ok(Verifier {
            names: Arc::new(Names::new(None)),
            unnamed,
            hands,
            sizes,
            leaves: Leaves::default(),
            behind: None,
            starts: Vec::new(),
            events: 0,
            bytes: 0,
            torn_bytes: 0,
            head: Position::START,
            chain,
            recorded_last: Timestamp::MIN,
            versions: Vec::new(),
            acknowledged: options.acknowledged.iter().copied().collect(),
            saved_up_to: saved_up_to.unwrap_or(Position::START),
            problems,
            remarks: Vec::new(),
            covered: BTreeMap::new(),
            segments: 0,
        })
    }

    fn problem(&mut self, at: Where, file: String, what: impl Into<String>) {
        let what = what.into();
        self.problems.push((at, Problem { file, what }));
    }

    /// Holds a segment's header against what came before it.
    fn begin(&mut self, header: &SegmentHeader) {
        let id = header.segment;
        if header.chain != self.chain {
            self.problem(
                (id, Position::START),
                segment_file(id),
                "the segment does not continue the chain of the one before it",
            );
        }
        self.starts.push((header.first_position, id));
    }

    /// Holds the position behind a segment against the header of the next one.
    fn meet(&mut self, id: SegmentId, behind: Position, next: &SegmentHeader) {
        if next.first_position != behind {
            let what = format!(
                "the segment ends before position {behind}, the next one begins at {}",
                next.first_position
            );
            self.problem((id, behind), segment_file(id), what);
        }
    }

    fn segment(
        &mut self,
        listing: &Listing,
        listed: &Listed,
        next: Option<&SegmentHeader>,
    ) -> Result<(), VerifyError> {
        let id = listed.header.segment;
        let known = next.map_or(listing.known, |next| next.first_position.previous());
        let view: Option<Arc<dyn View>> = match listed.view() {
            Ok(view) => Some(view),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(match error.downcast::<ArchivedError>() {
                    Ok(source) => VerifyError::Archived {
                        segment: id,
                        source,
                    },
                    Err(error) => error.into(),
                });
            }
        };
        self.begin(&listed.header);
        let place = listed.header.place();
        self.leaves.begin_segment(view.as_ref());
        let (index, scan) = self.records(id, view.as_ref(), place, known);
        self.segments += 1;
        self.bytes += scan.end.saturating_sub(SEGMENT_HEADER_BYTES) as u64;
        self.head = scan.next.previous();
        // A damaged segment's own chain is broken; the next one is held to what its header says.
        self.chain = if scan.damaged {
            next.map_or(scan.chain, |next| next.chain)
        } else {
            scan.chain
        };
        if scan.torn_bytes > 0 {
            if next.is_some() {
                self.problem(
                    (id, scan.next),
                    segment_file(id),
                    format!(
                        "{} bytes follow the last group, at offset {}",
                        scan.torn_bytes, scan.end
                    ),
                );
            } else {
                let what = format!(
                    "the {} bytes from offset {} on, which would begin with position {}, were never acknowledged",
                    scan.torn_bytes, scan.end, scan.next
                );
                self.remarks.push(Problem {
                    file: segment_file(id),
                    what,
                });
            }
            self.torn_bytes += scan.torn_bytes as u64;
        }
        if let Some(next) = next {
            self.meet(id, scan.next, next);
            if !scan.damaged {
                self.index(listed, index, next.chain);
            }
            if let (Some(away), Some(view)) = (&listed.away, &view)
                && !self.is_stub_of(&away.stub, view)
            {
                self.problem(
                    (id, scan.next),
                    stub_file(id),
                    "the stub does not say what the archived segment does: restore it from a backup",
                );
            }
        }
        Ok(())
    }

    /// Whether the stub is, byte for byte, the one that would be made of the segment now.
    fn is_stub_of(&self, stub: &Stub, view: &Arc<dyn View>) -> bool {
        let ordinals: HashSet<u32> = stub.kept_ordinals().collect();
        let made = Stub::make(view.bytes(), &stub.header, stub.successor, &|ordinal, _| {
            ordinals.contains(&ordinal)
        });
        made.is_ok_and(|made| made == stub.view().bytes())
    }

    /// Holds a segment's records against the order and what was acknowledged, and gives the rest away.
    fn records(
        &mut self,
        id: SegmentId,
        view: Option<&Arc<dyn View>>,
        place: Place,
        known: Position,
    ) -> (MemoryIndex, Scan) {
        let bytes = view.map_or(&[][..], |view| view.bytes());
        let mut index = MemoryIndex::new();
        // As many as a sealed segment says it has, and no more than its bytes can hold.
        let events = place.first_position.distance_to(known.next());
        let room = bytes.len() / EVENT_BYTES_MIN;
        index.reserve(usize::try_from(events).map_or(room, |events| events.min(room)));
        let mut chain = place.chain;
        let mut links = Links::of(id, view);
        let mut ids = Ids::of(id);
        let names = self.names.clone();
        let from = SEGMENT_HEADER_BYTES.min(bytes.len());
        self.behind = Some(from);
        let scan = recovery::scan(bytes, from, place, known, &mut |found| {
            index_found(&mut index, &names, place, found);
            match found {
                Found::Event {
                    position,
                    offset,
                    event,
                } => {
                    let (position, offset) = (*position, *offset);
                    let end = offset + event.bytes.len();
                    let start = self
                        .behind
                        .map_or(offset, |behind| merkle::leaf_start(bytes, behind, offset));
                    self.leaves.push(start, end, &self.hands);
                    self.behind = Some(end);
                    if position < self.saved_up_to {
                        ids.push(position, event.id, &self.hands);
                    }
                    self.event(id, position, offset, event);
                }
                Found::Group { start, end, commit } => {
                    let group = *start..*end - crate::record::COMMIT_BYTES;
                    links.push(Link::of(group, chain, commit), &self.hands);
                    chain = commit.chain;
                }
                Found::Damage(damage) => {
                    self.leaves.push_lost(damage.lost, &self.hands);
                    self.behind = None;
                    let what = damaged_range(id, damage).to_string();
                    self.problem((id, damage.first_lost), segment_file(id), what);
                    // The chain cannot be followed through damage; it is taken up again at the next marker.
                    if let Some(commit) = recovery::marker_before(bytes, damage.end, place) {
                        chain = commit.chain;
                    }
                }
                Found::StreamName { .. } | Found::TypeName { .. } => {}
            }
        });
        links.give(&self.hands);
        ids.give(&self.hands);
        (index, scan)
    }

    fn event(&mut self, id: SegmentId, position: Position, offset: usize, event: &EventRecord<'_>) {
        self.events += 1;
        if let Some(name) = self.names.lacks(event) {
            self.unnamed.note(name, (id, position));
        }
        if !self.acknowledged.is_empty() {
            self.acknowledged.remove(&event.id);
        }
        for of in event
            .tags()
            .filter_map(|tag| tag.strip_prefix(COVERED_PREFIX))
        {
            if !self.covered.contains_key(of) {
                self.covered.insert(of.into(), event.recorded_at);
            }
        }
        if event.recorded_at <= self.recorded_last {
            self.problem((id, position), segment_file(id), format!("the event at position {position}, offset {offset}, was recorded before the one before it"));
        }
        self.recorded_last = event.recorded_at;
        let stream = event.stream as usize;
        if self.versions.len() <= stream {
            self.versions.resize(stream + 1, Version::NONE);
        }
        // Behind lost events of its stream a version may be higher than the next, never lower.
        let expected = self.versions[stream].next();
        if expected.is_none_or(|expected| {
            event.version < expected || event.version > expected && self.problems.is_empty()
        }) {
            self.problem((id, position), segment_file(id), format!("the event at position {position}, offset {offset}, does not follow in its stream"));
        }
        self.versions[stream] = event.version;
    }

    /// Gives a sealed segment's index file away, where there is one, with what the segment says.
    fn index(&mut self, listed: &Listed, index: MemoryIndex, chain: Chain) {
        let header = &listed.header;
        let file = listed.repo.open(&index_file(header.segment));
        let Ok(view) = file.and_then(|file| file.view(file.len()?, 0)) else {
            return;
        };
        let identity = IndexIdentity {
            log_id: header.log_id,
            segment: header.segment,
            first_position: header.first_position,
            chain,
        };
        self.hands.give(Piece::Index(Box::new(Index {
            identity,
            view,
            index,
        })));
    }

    fn report(
        mut self,
        log_id: Uuid,
        roots: &[(Position, TreeHash)],
        stored: &[TreeHash],
    ) -> VerifyReport {
        self.leaves.give(&self.hands);
        let apart = self.hands.finish();
        let tiles = apart.tiles.iter().flat_map(|(_, tiles)| tiles);
        let hashed = Hashed::of(tiles, &self.sizes);
        let mut placed = self.problems;
        placed.extend(apart.problems);
        placed.sort_by_key(|(at, _)| *at);
        let mut problems: Vec<Problem> = placed.into_iter().map(|(_, problem)| problem).collect();
        let place = Extent {
            starts: &self.starts,
            head: self.head,
        };
        problems.extend(place.compare(&hashed, roots, stored));
        let mut missing: Vec<Uuid> = self.acknowledged.into_iter().collect();
        missing.sort_unstable();
        VerifyReport {
            log_id,
            events: self.events,
            digest: hashed.root,
            head: self.head,
            chain: self.chain,
            segments: self.segments,
            bytes: self.bytes,
            torn_bytes: self.torn_bytes,
            problems,
            remarks: self.remarks,
            covered: self.covered,
            last_recorded: (self.events > 0).then_some(self.recorded_last),
            missing,
        }
    }
}

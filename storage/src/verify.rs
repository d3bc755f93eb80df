//! Checking everything: every record, the chain, the order, the indexes and the saved tables, and what was acknowledged.
//!
//! Reads only; what it finds is what [`Log::open`](crate::Log::open) would find, and more, since opening does not read
//! sealed segments. What an event hangs on is a *problem* where it does not agree. What a power cut may leave without harm (a
//! torn group that was never acknowledged, a torn slot of the watermark, half a snapshot) is a *remark*. Between the two, no
//! byte of the log's files can change without being named; the one file that carries nothing is `lock`.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use crate::chain;
use crate::header::SEGMENT_HEADER_BYTES;
use crate::index::{self, MemoryIndex};
use crate::lock::{DirectoryLock, LockError};
use crate::log::{ARCHIVE_FOLDER, SNAPSHOT_FOLDER};
use crate::merkle::{self, Stored, TREE_FOLDER, TreeHash};
use crate::names::Names;
use crate::open::{Listed, Listing, OpenError, damaged_range};
use crate::position::{Position, SegmentId, Version};
use crate::record::{Chain, EVENT_BYTES_MIN, EventRecord};
use crate::recovery::{self, Found, Place, Scan};
use crate::repo::{FsRepo, Repo, View};
use crate::segment::{index_file, index_found, segment_file};
use crate::state::{self, StateIdentity, Tables, state_file};
use crate::time::Timestamp;
use crate::veil::COVERED_PREFIX;
use crate::watermark;

mod beside;
mod tree;

use tree::{Extent, TreeHasher};

/// What to verify beyond the log itself.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Ids of events that were acknowledged and must be there.
    pub acknowledged: Vec<Uuid>,
    /// Where archived segments lie; the folder `archive` in the log's folder where none is given.
    pub archive: Option<std::path::PathBuf>,
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
    if !folder.is_dir() {
        return Err(VerifyError::NoLog);
    }
    let _lock = DirectoryLock::acquire(folder).map_err(|error| match error {
        LockError::Held { by, .. } => OpenError::Locked { by },
        LockError::Io { source, .. } => OpenError::Io {
            doing: "locking the folder",
            source,
        },
    })?;
    let repo: Arc<dyn Repo> = Arc::new(FsRepo::open(folder)?);
    let archive_folder = options
        .archive
        .clone()
        .unwrap_or_else(|| folder.join(ARCHIVE_FOLDER));
    let archive: Option<Arc<dyn Repo>> = if archive_folder.is_dir() {
        Some(Arc::new(FsRepo::open(&archive_folder)?))
    } else {
        None
    };
    let within = |name: &str| -> io::Result<Option<Arc<dyn Repo>>> {
        let path = folder.join(name);
        Ok(match path.is_dir() {
            true => Some(Arc::new(FsRepo::open(&path)?)),
            false => None,
        })
    };
    let places = Places {
        archive,
        tree: within(TREE_FOLDER)?,
        snapshots: within(SNAPSHOT_FOLDER)?,
    };
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

/// Where the rest of a log lies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) archive: Option<Arc<dyn Repo>>,
    /// The nodes of its tree.
    pub(crate) tree: Option<Arc<dyn Repo>>,
    pub(crate) snapshots: Option<Arc<dyn Repo>>,
}

/// Verifies the log in `repo`.
pub(crate) fn verify_with(
    repo: &Arc<dyn Repo>,
    places: &Places,
    options: &VerifyOptions,
) -> Result<VerifyReport, VerifyError> {
    let archive = places.archive.as_ref();
    let watermark = watermark::read(&**repo)?;
    let listing = Listing::read(repo, archive, &watermark)?;
    if listing.segments.is_empty() {
        return Err(VerifyError::NoLog);
    }
    let mut verifier = Verifier::new(&listing, options)?;
    for damage in &listing.damage {
        let what = format!(
            "the header of segment {} is damaged, or the file is missing",
            damage.segment
        );
        verifier.problems.push(Problem {
            file: segment_file(damage.segment),
            what,
        });
    }
    for (at, listed) in listing.segments.iter().enumerate() {
        verifier.segment(&listing, at, listed)?;
    }
    if let watermark::Found::Valid(watermark) = &watermark {
        let missing = listing.last_header().segment.next();
        if missing <= watermark.segment {
            let what = format!(
                "it is missing: segment {} was written to when position {} was acknowledged",
                watermark.segment, watermark.position
            );
            verifier.problem(segment_file(missing), what);
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
        verifier.problems.push(Problem {
            file: watermark::WATERMARK_FILE.to_owned(),
            what,
        });
    }
    let log_id = listing.log_id;
    let sealed = listing.segments.iter().rev().skip(1);
    let sealed = sealed.map(|listed| listed.header.segment).collect();
    let mut remarks = beside::of_watermark(&**repo, log_id)?;
    remarks.extend(beside::of_leftovers(&**repo, &sealed)?);
    if let Some(snapshots) = &places.snapshots {
        remarks.extend(beside::of_snapshots(&**snapshots, log_id)?);
    }
    verifier.remarks.extend(remarks);
    let tree = places.tree.as_ref();
    let stored = tree.and_then(|tree| merkle::stored_tiles(&**tree, log_id));
    Ok(verifier.report(log_id, &options.roots, stored))
}

struct Verifier {
    names: Arc<Names>,
    tree: TreeHasher,
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
    /// Saved tables, and the position behind what they cover: each must know all events below.
    states: Vec<(Tables, Position, String)>,
    problems: Vec<Problem>,
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
        let sizes = options.roots.iter().map(|(size, _)| *size).collect();
        let verifier = Verifier {
            names: Arc::new(Names::new()),
            tree: TreeHasher::start(sizes)?,
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
            states: Vec::new(),
            problems: Vec::new(),
            remarks: Vec::new(),
            covered: BTreeMap::new(),
            segments: 0,
        };
        Ok(verifier.with_states(listing))
    }

    /// Reads the saved tables first, so that each event can be looked up in them as it comes by.
    fn with_states(mut self, listing: &Listing) -> Self {
        for pair in listing.segments.windows(2) {
            let (covered, next) = (&pair[0].header, &pair[1].header);
            let file = state_file(covered.segment);
            let Ok(view) = pair[1]
                .repo
                .open(&file)
                .and_then(|file| file.view(file.len()?, 0))
            else {
                continue;
            };
            let identity = StateIdentity {
                log_id: listing.log_id,
                segment: covered.segment,
                next: next.first_position,
                chain: next.chain,
            };
            match state::matches(view.bytes(), &identity) {
                Some(tables) => self.states.push((tables, next.first_position, file)),
                None => self.problem(file, "the saved tables are damaged or not of this log"),
            }
        }
        self
    }

    fn problem(&mut self, file: String, what: impl Into<String>) {
        self.problems.push(Problem {
            file,
            what: what.into(),
        });
    }

    fn segment(
        &mut self,
        listing: &Listing,
        at: usize,
        listed: &Listed,
    ) -> Result<(), VerifyError> {
        let id = listed.header.segment;
        let next = listing.segments.get(at + 1).map(|next| &next.header);
        let known = next.map_or(listing.known, |next| next.first_position.previous());
        let view: Option<Arc<dyn View>> = match listed
            .repo
            .open(&segment_file(id))
            .and_then(|file| file.view(file.len()?, 0))
        {
            Ok(view) => Some(view),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let bytes = view.as_ref().map_or(&[][..], |view| view.bytes());
        if listed.header.chain != self.chain {
            self.problem(
                segment_file(id),
                "the segment does not continue the chain of the one before it",
            );
        }
        let place = listed.header.place();
        self.starts.push((place.first_position, id));
        self.tree.begin_segment(view.as_ref());
        let (index, scan) = self.records(id, bytes, place, known);
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
            if next.first_position != scan.next {
                let what = format!(
                    "the segment ends before position {}, the next one begins at {}",
                    scan.next, next.first_position
                );
                self.problem(segment_file(id), what);
            }
            if !scan.damaged {
                self.index(id, listed, &index, next.chain, listing.log_id);
            }
        }
        Ok(())
    }

    /// Holds a segment's records against the chain, the order, and what was acknowledged.
    fn records(
        &mut self,
        id: SegmentId,
        bytes: &[u8],
        place: Place,
        known: Position,
    ) -> (MemoryIndex, Scan) {
        let mut index = MemoryIndex::new();
        // As many as a sealed segment says it has, and no more than its bytes can hold.
        let events = place.first_position.distance_to(known.next());
        let room = bytes.len() / EVENT_BYTES_MIN;
        index.reserve(usize::try_from(events).map_or(room, |events| events.min(room)));
        let mut chain = place.chain;
        let names = self.names.clone();
        let from = SEGMENT_HEADER_BYTES.min(bytes.len());
        self.behind = Some(from);
        let scan = recovery::scan(bytes, from, place, known, &mut |found| {
            index_found(&mut index, &names, place, &found);
            match found {
                Found::Event {
                    position,
                    offset,
                    event,
                } => {
                    let end = offset + event.bytes.len();
                    let start = self
                        .behind
                        .map_or(offset, |behind| merkle::leaf_start(bytes, behind, offset));
                    self.tree.push(start, end);
                    self.behind = Some(end);
                    self.event(id, position, offset, &event);
                }
                Found::Group { start, end, commit } => {
                    let linked =
                        chain::link(&chain, &bytes[start..end - crate::record::COMMIT_BYTES]);
                    if linked != commit.chain {
                        self.problem(
                            segment_file(id),
                            format!("the hash chain breaks in the group at offset {start}"),
                        );
                    }
                    chain = commit.chain;
                }
                Found::Damage(damage) => {
                    self.tree.push_lost(damage.lost);
                    self.behind = None;
                    self.problem(segment_file(id), damaged_range(id, &damage).to_string());
                    // The chain cannot be followed through damage; it is taken up again at the next marker.
                    if let Some(commit) = recovery::marker_before(bytes, damage.end, place) {
                        chain = commit.chain;
                    }
                }
                Found::StreamName { .. } | Found::TypeName { .. } => {}
            }
        });
        (index, scan)
    }

    fn event(&mut self, id: SegmentId, position: Position, offset: usize, event: &EventRecord<'_>) {
        self.events += 1;
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
            self.problem(segment_file(id), format!("the event at position {position}, offset {offset}, was recorded before the one before it"));
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
            self.problem(segment_file(id), format!("the event at position {position}, offset {offset}, does not follow in its stream"));
        }
        self.versions[stream] = event.version;
        let unknown = self.states.iter().filter(|(tables, next, _)| {
            position < *next && !tables.ids.might_contain(event.id.as_u128())
        });
        let files: Vec<String> = unknown.map(|(_, _, file)| file.clone()).collect();
        for file in files {
            self.problem(
                file,
                format!("the saved tables do not know the event at position {position}"),
            );
        }
    }

    /// Compares a sealed segment's index file, where there is one, with what the segment says.
    fn index(
        &mut self,
        id: SegmentId,
        listed: &Listed,
        index: &MemoryIndex,
        chain: Chain,
        log_id: Uuid,
    ) {
        let file = index_file(id);
        let Ok(view) = listed
            .repo
            .open(&file)
            .and_then(|file| file.view(file.len()?, 0))
        else {
            return;
        };
        let identity = index::IndexIdentity {
            log_id,
            segment: id,
            first_position: listed.header.first_position,
            chain,
        };
        if view.bytes() != index::encode(index, &identity) {
            self.problem(
                file,
                "the index does not agree with its segment; remove it and it is made again",
            );
        }
    }

    fn report(
        mut self,
        log_id: Uuid,
        roots: &[(Position, TreeHash)],
        stored: Option<Stored>,
    ) -> VerifyReport {
        let hashed = self.tree.finish();
        let place = Extent {
            starts: &self.starts,
            head: self.head,
        };
        self.problems.extend(place.compare(&hashed, roots, stored));
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
            problems: self.problems,
            remarks: self.remarks,
            covered: self.covered,
            missing,
        }
    }
}

//! Which segments a folder holds, and where each begins: from their headers, or from their neighbours where a header or
//! a whole file is damaged or gone.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;

use uuid::Uuid;

use super::{OpenError, doing};
use crate::chain;
use crate::header::{HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::names::Names;
use crate::position::{Position, SegmentId};
use crate::recovery::{self, Damage};
use crate::repo::{Repo, View};
use crate::segment::{Segment, segment_file, segment_of};
use crate::shared::DamagedRange;
use crate::tier::{Away, Cache, Stub, StubFault, stub_file};
use crate::time::Timestamp;
use crate::watermark::{self, Found};

/// See the module.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) log_id: Uuid,
    /// In order, without gaps.
    pub(crate) segments: Vec<Listed>,
    /// Up to where events are known to have been acknowledged.
    pub(crate) known: Position,
    pub(crate) damage: Vec<DamagedRange>,
    /// Bytes of all segments but the last.
    pub(crate) bytes_sealed: u64,
    indexes: HashSet<SegmentId>,
    states: HashSet<SegmentId>,
}

/// A segment and where its file lies, or should.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) header: SegmentHeader,
    pub(crate) repo: Arc<dyn Repo>,
    /// Where its bytes are, when its file is not here.
    pub(crate) away: Option<Arc<Away>>,
}

impl Listed {
    /// The segment's bytes, wherever they lie.
    pub(crate) fn view(&self) -> io::Result<Arc<dyn View>> {
        if let Some(away) = &self.away {
            return Ok(away.view()?);
        }
        let file = self.repo.open(&segment_file(self.header.segment))?;
        file.view(file.len()?, 0)
    }
}

/// A segment's file as found.
struct FoundFile {
    repo: Arc<dyn Repo>,
    bytes: u64,
    header: Result<SegmentHeader, HeaderFault>,
    away: Option<Arc<Away>>,
}

/// Damage in the words that users get.
pub(crate) fn damaged_range(segment: SegmentId, damage: &Damage) -> DamagedRange {
    let last = damage.first_lost.advanced_by(damage.lost).previous();
    DamagedRange {
        segment,
        offsets: (damage.start as u64, damage.end as u64),
        positions: (damage.lost > 0).then_some((damage.first_lost, last)),
    }
}

impl Listing {
    pub(crate) fn read(
        repo: &Arc<dyn Repo>,
        archive: Option<&Arc<dyn Repo>>,
        cache: Option<&Arc<Cache>>,
        watermark: &Found,
    ) -> Result<Listing, OpenError> {
        if let Found::Newer(format) = *watermark {
            return Err(OpenError::FileFormat {
                file: watermark::WATERMARK_FILE.to_owned(),
                format,
            });
        }
        let names = repo.list().map_err(doing("listing the folder"))?;
        let mut files = BTreeMap::new();
        find_stubs(repo, &names, cache, &mut files)?;
        if let Some(archive) = archive {
            let archived = archive.list().map_err(doing("listing the archive"))?;
            find_segments(archive, &archived, &mut files)?;
        }
        find_segments(repo, &names, &mut files)?;
        let of_suffix = |suffix| {
            names
                .iter()
                .filter_map(|name| segment_of(name, suffix))
                .collect()
        };
        let mut listing = Listing {
            log_id: log_id(watermark, &files),
            segments: Vec::new(),
            known: Position::START,
            damage: Vec::new(),
            bytes_sealed: 0,
            indexes: of_suffix(".idx"),
            states: of_suffix(".state"),
        };
        if let Found::Valid(watermark) = watermark {
            listing.known = watermark.position;
        }
        match files.keys().next_back().copied() {
            Some(last) => listing.place_all(repo, &files, last)?,
            _ if listing.known > Position::START => {
                return Err(OpenError::SegmentsMissing {
                    events: listing.known.get(),
                });
            }
            _ => {}
        }
        Ok(listing)
    }

    /// Whether the file of a segment lies in this folder.
    pub(super) fn has_segments_in(&self, folder: &Arc<dyn Repo>) -> bool {
        let mut segments = self.segments.iter();
        segments.any(|listed| Arc::ptr_eq(&listed.repo, folder))
    }

    /// Says where every segment up to `last` begins.
    fn place_all(
        &mut self,
        repo: &Arc<dyn Repo>,
        files: &BTreeMap<SegmentId, FoundFile>,
        last: SegmentId,
    ) -> Result<(), OpenError> {
        // A log begins with segment 1; when its file is gone, that is damage like any other.
        let mut segment = SegmentId::FIRST;
        while segment <= last {
            let file = files.get(&segment);
            let listed_repo = file.map_or_else(|| repo.clone(), |file| file.repo.clone());
            let header = match file.map(|file| file.header) {
                Some(Ok(header)) if header.log_id == self.log_id && header.segment == segment => {
                    header
                }
                Some(Err(HeaderFault::Format(format))) => {
                    return Err(OpenError::Format { segment, format });
                }
                _ => {
                    let bytes = SEGMENT_HEADER_BYTES as u64;
                    self.damage.push(DamagedRange {
                        segment,
                        offsets: (0, bytes),
                        positions: None,
                    });
                    self.infer_header(segment)?
                }
            };
            if segment != last {
                self.bytes_sealed += file.map_or(0, |file| file.bytes);
            }
            self.segments.push(Listed {
                header,
                repo: listed_repo,
                away: file.and_then(|file| file.away.clone()),
            });
            segment = segment.next();
        }
        Ok(())
    }

    /// What a segment's header must have said: it begins where the one before it ends.
    fn infer_header(&self, segment: SegmentId) -> Result<SegmentHeader, OpenError> {
        let begins = match self.segments.last() {
            None => (Position::FIRST, chain::start(self.log_id), Timestamp::MIN),
            Some(Listed {
                header,
                away: Some(away),
                ..
            }) => {
                let (next, chain) = away.stub.successor;
                (next, chain, header.created_at)
            }
            Some(before) => match before.view() {
                Ok(view) => {
                    let from = SEGMENT_HEADER_BYTES.min(view.bytes().len());
                    let scan = recovery::scan(
                        view.bytes(),
                        from,
                        before.header.place(),
                        Position::START,
                        &mut |_| {},
                    );
                    (scan.next, scan.chain, before.header.created_at)
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => (
                    before.header.first_position,
                    before.header.chain,
                    before.header.created_at,
                ),
                Err(error) => return Err(doing("reading a segment")(error)),
            },
        };
        let (first_position, chain, created_at) = begins;
        Ok(SegmentHeader {
            log_id: self.log_id,
            segment,
            first_position,
            created_at,
            chain,
        })
    }

    /// Adds a segment that was just made.
    pub(super) fn push(&mut self, header: SegmentHeader, repo: Arc<dyn Repo>) {
        self.segments.push(Listed {
            header,
            repo,
            away: None,
        });
    }

    pub(crate) fn has_index(&self, segment: SegmentId) -> bool {
        self.indexes.contains(&segment)
    }

    pub(crate) fn has_state(&self, segment: SegmentId) -> bool {
        self.states.contains(&segment)
    }

    /// All segments, none of them loaded; each but the last knows what follows it.
    pub(crate) fn closed_segments(&self, names: &Arc<Names>) -> Vec<Arc<Segment>> {
        let nexts = self
            .segments
            .iter()
            .skip(1)
            .map(|next| Some((next.header.first_position, next.header.chain)));
        let listed = self.segments.iter().zip(nexts.chain([None]));
        listed
            .map(|(listed, next)| {
                let segment = Segment::closed(listed.repo.clone(), names, &listed.header, next);
                if let Some(away) = &listed.away {
                    segment.sent_away(away.clone());
                }
                Arc::new(segment)
            })
            .collect()
    }

    pub(crate) fn last_header(&self) -> SegmentHeader {
        self.segments
            .last()
            .expect("a log has at least one segment")
            .header
    }
}

/// The log's id: the watermark says it, or else most of the headers do. A new log gets a new one.
fn log_id(watermark: &Found, files: &BTreeMap<SegmentId, FoundFile>) -> Uuid {
    if let Found::Valid(watermark) = watermark {
        return watermark.log_id;
    }
    let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
    for header in files.values().filter_map(|file| file.header.ok()) {
        *counts.entry(header.log_id).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|&(_, count)| count)
        .map_or_else(Uuid::new_v4, |(log_id, _)| log_id)
}

/// Segments that were sent away. One whose file is here as well, for a crash came before it was removed, is read here.
fn find_stubs(
    repo: &Arc<dyn Repo>,
    names: &[String],
    cache: Option<&Arc<Cache>>,
    files: &mut BTreeMap<SegmentId, FoundFile>,
) -> Result<(), OpenError> {
    for name in names {
        let Some(segment) = segment_of(name, ".stub") else {
            continue;
        };
        let open = || {
            let file = repo.open(name)?;
            file.view(file.len()?, 0)
        };
        let view = open().map_err(doing("reading the stub of an archived segment"))?;
        // One that was damaged is as good as none: its segment is missing, which is named as such.
        let stub = match Stub::open(view) {
            Ok(stub) => stub,
            Err(StubFault::Newer(format)) => {
                let file = stub_file(segment);
                return Err(OpenError::FileFormat { file, format });
            }
            Err(StubFault::Damaged) => continue,
        };
        files.insert(
            segment,
            FoundFile {
                repo: repo.clone(),
                bytes: stub.bytes,
                header: Ok(stub.header),
                away: Some(Arc::new(Away::new(stub, cache.cloned()))),
            },
        );
    }
    Ok(())
}

fn find_segments(
    repo: &Arc<dyn Repo>,
    names: &[String],
    files: &mut BTreeMap<SegmentId, FoundFile>,
) -> Result<(), OpenError> {
    for name in names {
        let Some(segment) = segment_of(name, ".log") else {
            continue;
        };
        let file = repo.open(name).map_err(doing("opening a segment"))?;
        let bytes = file.len().map_err(doing("measuring a segment"))?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        let header = match file.read_at(&mut header, 0) {
            Ok(()) => SegmentHeader::decode(&header),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(HeaderFault::Short),
            Err(error) => return Err(doing("reading a segment's header")(error)),
        };
        if header.is_err() && files.contains_key(&segment) {
            continue;
        }
        files.insert(
            segment,
            FoundFile {
                repo: repo.clone(),
                bytes,
                header,
                away: None,
            },
        );
    }
    Ok(())
}

//! Sending segments away: put, read back, note, and only then remove.
//!
//! | a power cut | leaves | the next run |
//! |---|---|---|
//! | before the object is whole | the segment | sends it again, under the same name |
//! | before the stub has its name | the segment, and an object that nobody knows of | sends it again, or finds it whole where nothing may be replaced; goes on |
//! | before the segment is removed | the segment and its stub, which say the same | goes on; until then the segment is read |
//! | behind that | the stub | – |

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, PoisonError};

use super::{ArchivedError, Away, Cache, Stub, stub_file};
use crate::archive::{ArchiveError, ArchiveReport};
use crate::header::SegmentHeader;
use crate::log::Log;
use crate::maintenance;
use crate::position::Position;
use crate::read::position_at;
use crate::record::{EventRecord, TypeNameOf};
use crate::repo::{Repo, View};
use crate::segment::{Segment, SegmentUnreadable, index_file, segment_file};
use crate::time::Timestamp;

/// How often an object is sent that comes back as something else.
const ATTEMPTS: usize = 3;

impl Log {
    /// Sends the sealed segments whose events were all recorded before `before` to the tier of
    /// [`LogOptions`](crate::LogOptions), oldest first, until `stop` says so. Each is removed here only when what lies there was
    /// read back and is the same, and a stub that says where it is has reached the disk. Reads and appends go on.
    ///
    /// # Errors
    /// [`ArchiveError::NotConfigured`] without a tier. What was sent before an error stays sent.
    pub fn send_away(
        &self,
        before: Timestamp,
        stop: &dyn Fn() -> bool,
    ) -> Result<ArchiveReport, ArchiveError> {
        let cache = self
            .shared
            .cache
            .clone()
            .ok_or(ArchiveError::NotConfigured)?;
        let _one_at_a_time = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let unreadable = |error: SegmentUnreadable| error.source;
        let last = position_at(&self.shared, before.plus_micros(-1)).map_err(unreadable)?;
        // What is hashed into the tree needs not be fetched for it: what is not stays here.
        let last = last.min(self.hashed()?);
        self.settle();
        let mut report = ArchiveReport::default();
        let segments = self.shared.segments();
        // The newest sealed one stays: what has just been read is read again at the next start.
        for segment in &segments[..segments.len().saturating_sub(2)] {
            let segment_last = segment.last_position();
            let Some(segment_last) = segment_last.filter(|&position| position <= last) else {
                break;
            };
            if segment.away().is_some() {
                continue;
            }
            if stop() {
                break;
            }
            let (bytes, is_renamed) = self.send(segment, &cache)?;
            report.bytes += bytes;
            report.renamed += u64::from(is_renamed);
            report.segments += 1;
            report.last_position = segment_last;
        }
        Ok(report)
    }

    /// Up to where the tree's full tiles are hashed, after all of them were.
    fn hashed(&self) -> Result<Position, ArchiveError> {
        let tiles = self.tree_catch_up(usize::MAX);
        tiles.map_err(|error| io::Error::other(error).into())
    }

    /// Returns its bytes, and whether its object has another than its first name.
    fn send(&self, segment: &Segment, cache: &Arc<Cache>) -> Result<(u64, bool), ArchiveError> {
        let shared = &self.shared;
        let source = segment.repo();
        let view = segment.bytes().map_err(|error| error.source)?;
        let damaged = || ArchiveError::Damaged {
            segment: segment.id,
        };
        let (header, successor) = SegmentHeader::decode(view.bytes())
            .ok()
            .zip(segment.successor())
            .ok_or_else(damaged)?;
        let kept: HashSet<u16> = cache
            .options
            .kept_types
            .iter()
            .filter_map(|name| shared.names.type_number(TypeNameOf::Aggregate, name))
            .collect();
        let is_kept = |_, event: &EventRecord<'_>| {
            let of = shared.names.aggregate_type_of(event.stream);
            of.is_some_and(|of| kept.contains(&of))
        };
        let bytes =
            Stub::make(view.bytes(), &header, successor, &is_kept).map_err(|_| damaged())?;
        self.keep_index(segment, &*source)?;

        // Under another name as yet: neither a crash nor an error here leaves anything that counts.
        let name = stub_file(segment.id);
        let temporary = format!("{name}.new");
        write(&*shared.repo, &temporary, &bytes)?;
        let stub = open(&*shared.repo, &temporary)?;
        let is_renamed = put_and_read_back(cache, &stub, &view)?;
        let _place = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        shared.repo.rename(&temporary, &name)?;
        shared.repo.sync_folder()?;
        segment.moved_to(shared.repo.clone());
        segment.sent_away(Arc::new(Away::new(stub, Some(cache.clone()))));
        source.remove(&segment_file(segment.id))?;
        if !is_same(&*source, &*shared.repo) {
            remove_if_there(&*source, &index_file(segment.id))?;
        }
        source.sync_folder()?;
        Ok((view.bytes().len() as u64, is_renamed))
    }

    /// Sees to it that the index is a file in the log's own folder.
    fn keep_index(&self, segment: &Segment, source: &dyn Repo) -> Result<(), ArchiveError> {
        segment
            .with_index(|_| Ok(()))
            .map_err(|error| error.source)?;
        if segment.wants_index_file() {
            maintenance::write_index(segment)?;
            segment.adopt_index_file();
        }
        if is_same(source, &*self.shared.repo) {
            return Ok(());
        }
        let name = index_file(segment.id);
        let file = source.open(&name)?;
        let view = file.view(file.len()?, 0)?;
        let temporary = format!("{name}.new");
        write(&*self.shared.repo, &temporary, view.bytes())?;
        self.shared.repo.rename(&temporary, &name)?;
        Ok(())
    }
}

/// Puts the segment there and reads it back, under the first of its names that does not hold something else for good: an attempt
/// before may have left that in a place where nothing is replaced. Returns whether it was another than the first.
fn put_and_read_back(
    cache: &Cache,
    stub: &Stub,
    view: &Arc<dyn View>,
) -> Result<bool, ArchivedError> {
    let mut is_renamed = false;
    let mut what = String::new();
    for object in stub.objects() {
        match put_as(cache, stub, &object, view)? {
            Put::There => return Ok(is_renamed),
            Put::Taken(differs) => {
                is_renamed = true;
                what = differs;
            }
        }
    }
    Err(cache.altered(&stub.object(), what))
}

/// What came of an object under one of its names.
enum Put {
    /// It is there as it was sent.
    There,
    /// Something else is, and stays; in what it differs.
    Taken(String),
}

/// Puts the object there also where it can be read there already: a put that failed or was cut off may have left it in the memory
/// of the machine that answers. Only a place that refuses is believed what it has.
///
/// A name counts as taken when the first put is refused: what this run put itself is looked at by the next before another name is,
/// since it may be whole there and have come back wrong.
fn put_as(
    cache: &Cache,
    stub: &Stub,
    object: &str,
    view: &Arc<dyn View>,
) -> Result<Put, ArchivedError> {
    let tier = &cache.options.tier;
    let mut refused = None;
    let mut what = String::new();
    for attempt in 0..ATTEMPTS {
        if refused.is_none() {
            match tier.put(object, view.clone()) {
                Err(error) if !is_refusal(&error) => return Err(cache.unreachable(object, error)),
                Err(error) if attempt == 0 => refused = Some(error),
                _ => {}
            }
        }
        match cache.read_object(stub, object, &mut |_| Ok(())) {
            Ok(None) => return Ok(Put::There),
            Ok(Some(differs)) => what = differs,
            Err(error) => {
                return Err(match (error, refused) {
                    // It has nothing there, so it refuses more than to replace.
                    (ArchivedError::Missing { .. }, Some(refusal)) => {
                        cache.unreachable(object, refusal)
                    }
                    (error, _) => error,
                });
            }
        }
    }
    match refused {
        Some(_) => Ok(Put::Taken(what)),
        None => Err(cache.altered(object, what)),
    }
}

/// Whether a place that answers does not take an object, for it has one of that name or takes none.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AlreadyExists | io::ErrorKind::PermissionDenied
    )
}

fn write(repo: &dyn Repo, name: &str, bytes: &[u8]) -> io::Result<()> {
    let file = repo.create(name)?;
    file.write_at(bytes, 0)?;
    file.sync_data()
}

fn open(repo: &dyn Repo, name: &str) -> io::Result<Stub> {
    let file = repo.open(name)?;
    let view = file.view(file.len()?, 0)?;
    Stub::open(view).map_err(|_| io::Error::other("a stub just written cannot be read"))
}

/// Whether the two are one folder. A world without paths has one folder.
fn is_same(one: &dyn Repo, other: &dyn Repo) -> bool {
    let path = |repo: &dyn Repo| {
        repo.path("x")
            .and_then(|path| path.parent()?.canonicalize().ok())
    };
    path(one) == path(other)
}

fn remove_if_there(repo: &dyn Repo, name: &str) -> io::Result<()> {
    match repo.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

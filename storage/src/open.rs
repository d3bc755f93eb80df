//! Opening: from a folder of files, in whatever state, to a log that can be read and written.
//!
//! The engine's tables come from the newest saved state, the sealed segments behind it add what their indexes say, and
//! only the last segment is read whole. Its end is judged by [`recovery`](crate::recovery); nothing but a torn group is
//! ever cut, and everything that is missing or damaged is reported and stepped over. What can be read is not therefore on
//! the disk: names are synced and the last group is written again before anything of it counts.

mod listing;

use std::io;
use std::sync::Arc;

use crate::archive;
use crate::chain;
use crate::commit::{Writer, is_full};
use crate::header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::ids::IdSource;
use crate::index::{IndexFile, MemoryIndex, SegmentIndex, StreamEnd};
use crate::log::LogOptions;
use crate::maintenance::{self, SPARE_PREFIX};
use crate::names::Names;
use crate::position::{Position, SegmentId};
use crate::record::{self, Record, Seed, TypeNameOf};
use crate::recovery::{self, Found, Scan};
use crate::repo::{Repo, RepoFile};
use crate::segment::{Segment, index_file, index_found, segment_file};
use crate::shared::{DamagedRange, LogState, Shared, SharedParts, Tail};
use crate::state::{self, StateIdentity, Tables};
use crate::tier::Cache;
use crate::time::Timestamp;
use crate::transaction::StreamTip;
use crate::watermark::{self, WatermarkWriter};

pub(crate) use listing::{Listed, Listing, damaged_range};

/// Why a log cannot be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the log is in use by {by}")]
    Locked {
        /// Which one.
        by: String,
    },
    /// Its segments are gone, although events were acknowledged.
    #[error("no segment is left, although {events} events were acknowledged: restore a backup")]
    SegmentsMissing {
        /// How many were.
        events: u64,
    },
    /// Segments were moved to a folder that is not there.
    #[error(
        "segments were moved to {}, and that is not in its place: mount its disk; or, where it is lost for good, remove the file {} from the log's folder, and what was moved counts as damaged",
        folder.display(), crate::archive::USED_MARK
    )]
    ArchiveMissing {
        /// Where they were moved to.
        folder: std::path::PathBuf,
    },
    /// A newer program wrote it.
    #[error(
        "segment {segment} has format {format}, which this program does not know: use the program that wrote it"
    )]
    Format {
        /// The segment.
        segment: SegmentId,
        /// Its format number.
        format: u32,
    },
    /// A newer program wrote a file beside the segments that cannot be made again.
    #[error(
        "{file} has format {format}, which this program does not know: use the program that wrote it"
    )]
    FileFormat {
        /// The file.
        file: String,
        /// Its format number.
        format: u32,
    },
    /// The file system refuses.
    #[error("cannot open the log: {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the file system says.
        source: io::Error,
    },
}

/// What is done where an archived segment has no whole index here, and no saved tables cover it.
const INDEX_ARCHIVED: &str = "fetching a segment, for its index is damaged or gone and no saved tables cover it: see to it that \
     the archive can be reached, or put the index back from a backup";

/// Says what was being done when the file system refused.
pub(crate) fn doing(what: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io {
        doing: what,
        source,
    }
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The last durable position: how many events the log has, lost ones included.
    pub events: u64,
    /// How many segments.
    pub segments: u64,
    /// Bytes of a group that was never acknowledged and was cut.
    pub torn_bytes: u64,
    /// Sealed segments whose index is absent and is made again.
    pub indexes_missing: u64,
    /// Sealed segments that were looked into because no saved state covers them.
    pub segments_folded: u64,
    /// Damage found so far. Sealed segments are not read at open: verify or scrub them for certainty.
    pub damage: Vec<DamagedRange>,
}

/// A log's parts, just opened.
pub(crate) struct Opened {
    pub(crate) shared: Shared,
    pub(crate) writer: Writer,
    pub(crate) report: OpenReport,
}

/// Opens the log in `repo`, or begins one there. `archive` holds segments that were moved away.
pub(crate) fn open(
    repo: Arc<dyn Repo>,
    archive: Option<Arc<dyn Repo>>,
    options: LogOptions,
) -> Result<Opened, OpenError> {
    let cache = options.tier.clone().map(Cache::new).transpose();
    let cache = cache
        .map_err(doing("looking into the folder of what was fetched"))?
        .map(Arc::new);
    let found = watermark::read(&*repo).map_err(doing("reading the watermark"))?;
    // A segment's name may have been given and not synced: what is listed below must be there after a power cut.
    repo.sync_folder()
        .map_err(doing("making the folder's names durable"))?;
    remove_leftovers(&*repo)?;
    let mut listing = Listing::read(&repo, archive.as_ref(), cache.as_ref(), &found)?;
    if let Some(archive) = archive.filter(|archive| listing.has_segments_in(archive)) {
        // An earlier program moved them, and put none.
        archive::put_marks(&*repo, &*archive, listing.log_id)
            .map_err(doing("marking the archive"))?;
    }
    if listing.segments.is_empty() {
        begin_log(&repo, &mut listing, &options)?;
    }
    let mut tables = Tables::new(repo.scratch());
    let first_unfolded = match load_state(&*repo, &listing) {
        Some((loaded, covered)) => {
            tables = loaded;
            covered + 1
        }
        None => 0,
    };
    if !listing.damage.is_empty() {
        tables.names.note_damage();
        salvage_names(&listing, &tables.names);
    }
    let mut report = OpenReport {
        damage: std::mem::take(&mut listing.damage),
        ..OpenReport::default()
    };
    let segments = listing.closed_segments(&tables.names);
    let (active, sealed) = segments
        .split_last()
        .expect("a log has at least one segment");
    let unfolded = sealed.get(first_unfolded..).unwrap_or(&[]);
    for segment in unfolded {
        fold_sealed(segment, &mut tables).map_err(|unreadable| OpenError::Io {
            doing: match unreadable.is_archived() {
                true => INDEX_ARCHIVED,
                false => "reading a segment",
            },
            source: unreadable.source,
        })?;
        report.segments_folded += 1;
    }

    let active_header = listing.last_header();
    let file = repo
        .open(&segment_file(active.id))
        .map_err(doing("opening the last segment"))?;
    let known = listing.known;
    let (index, scan, recorded_last) =
        recover_active(active, &*file, known, &mut tables, &mut report)?;
    sealed
        .iter()
        .take(first_unfolded)
        .for_each(|segment| segment.set_in_filter());
    let unfinished =
        |segment: &&Arc<Segment>| !segment.is_in_filter() || !listing.has_index(segment.id);
    let unfinished: Vec<_> = sealed.iter().filter(unfinished).cloned().collect();
    report.indexes_missing = sealed
        .iter()
        .filter(|segment| !listing.has_index(segment.id))
        .count() as u64;
    report.events = scan.next.previous().get();
    report.segments = segments.len() as u64;

    let end = scan.end as u64;
    let mut prepared = file
        .len()
        .map_err(doing("measuring the last segment"))?
        .max(end);
    let mut state = LogState::Writable;
    if !scan.damaged {
        match prepare(&*file, end, prepared, &options) {
            Ok(to) => prepared = to,
            Err(error) if is_full(&error) => state = LogState::DiskFull,
            Err(error) => return Err(doing("preparing the last segment")(error)),
        }
    }
    let reserve = prepared.max(end);
    let closed = Segment::closed(active.repo(), &tables.names, &active_header, None);
    let written = Arc::new(Segment::active(closed, file.clone(), end, reserve, index));
    let mut all: Vec<Arc<Segment>> = sealed.to_vec();
    all.push(written.clone());
    // An empty log holds no time back; where the last events cannot be read, their segment's beginning stands for them.
    let floor = match scan.next {
        Position::FIRST => Timestamp::MIN,
        _ => active_header.created_at,
    };
    let recorded_last = recorded_last
        .or_else(|| last_recorded(sealed))
        .unwrap_or(floor);
    let watermark = WatermarkWriter::open(&*repo, listing.log_id, &found)
        .map_err(doing("opening the watermark"))?;
    let bytes_sealed = listing.bytes_sealed;
    let shared = Shared::new(SharedParts {
        log_id: listing.log_id,
        repo,
        options,
        tables,
        segments: all,
        tail: Tail {
            position: scan.next.previous(),
            segment: active.id,
            chain: scan.chain,
            end,
        },
        watermark,
        damage: report.damage.clone(),
        cache,
    });
    shared.set_state(state);
    let bytes_unfolded = bytes_sealed * report.segments_folded / sealed.len().max(1) as u64;
    shared
        .maintenance
        .begin(bytes_sealed, bytes_unfolded, unfinished);
    let mut writer = Writer {
        segment: written,
        file,
        end,
        prepared,
        dirty: 0,
        next: scan.next,
        chain: scan.chain,
        recorded_last,
        ids: IdSource::new(),
        buffer: Vec::new(),
        waiting: std::collections::VecDeque::new(),
    };
    if scan.damaged {
        // Behind damage nothing is written: the segment is left as evidence and the next one begun, so that no version
        // is given again in a segment where the event that had it was lost. When even that fails, the log can be read,
        // and each append tries again.
        writer.prepared = writer.end;
        let _ = writer.roll(&shared, SEGMENT_HEADER_BYTES as u64);
    }
    Ok(Opened {
        shared,
        writer,
        report,
    })
}

/// Files that a crash may leave half made.
fn remove_leftovers(repo: &dyn Repo) -> Result<(), OpenError> {
    for name in repo.list().map_err(doing("listing the folder"))? {
        if name.starts_with(SPARE_PREFIX) || name.ends_with(".new") {
            repo.remove(&name)
                .map_err(doing("removing a file left by a crash"))?;
        }
    }
    Ok(())
}

/// Makes the first segment of a new log.
fn begin_log(
    repo: &Arc<dyn Repo>,
    listing: &mut Listing,
    options: &LogOptions,
) -> Result<(), OpenError> {
    let header = SegmentHeader {
        log_id: listing.log_id,
        segment: SegmentId::FIRST,
        first_position: Position::FIRST,
        created_at: options.clock.now(),
        chain: chain::start(listing.log_id),
    };
    let name = segment_file(header.segment);
    let temporary = format!("{name}.new");
    let make = || {
        let file = repo.create(&temporary)?;
        maintenance::zero_fill(
            &*file,
            0,
            options.segment_bytes_min.max(SEGMENT_HEADER_BYTES as u64),
        )?;
        file.write_at(&header.encode(), 0)?;
        file.sync_data()?;
        repo.rename(&temporary, &name)?;
        repo.sync_folder()
    };
    make().map_err(doing("making the first segment"))?;
    listing.push(header, repo.clone());
    Ok(())
}

/// The newest saved tables, and the number in the list of the last segment they cover.
fn load_state(repo: &dyn Repo, listing: &Listing) -> Option<(Tables, usize)> {
    (0..listing.segments.len().saturating_sub(1))
        .rev()
        .find_map(|at| {
            let (covered, next) = (
                &listing.segments[at].header,
                &listing.segments[at + 1].header,
            );
            if !listing.has_state(covered.segment) {
                return None;
            }
            let identity = StateIdentity {
                log_id: listing.log_id,
                segment: covered.segment,
                next: next.first_position,
                chain: next.chain,
            };
            Some((state::load(repo, &identity)?, at))
        })
}

/// Takes the names that the index files still hold: a segment that is damaged or gone may be the one that gave them.
pub(crate) fn salvage_names(listing: &Listing, names: &Names) {
    for listed in &listing.segments {
        let segment = listed.header.segment;
        let Ok(view) = listed
            .repo
            .open(&index_file(segment))
            .and_then(|file| file.view(file.len()?, 0))
        else {
            continue;
        };
        if let Ok((index, found)) = IndexFile::open_any(view)
            && (found.log_id, found.segment) == (listing.log_id, segment)
            && let Ok(records) = index.names()
        {
            add_names(records, listed.header.seed(), names);
        }
    }
}

/// Takes name records in.
pub(crate) fn add_names(mut records: &[u8], seed: Seed, names: &Names) {
    while let Ok((record, length)) = record::read(records, seed, Position::START) {
        match record {
            Record::StreamName {
                number,
                aggregate_type,
                aggregate_id,
            } => names.add_stream(number, aggregate_type, aggregate_id),
            Record::TypeName { of, number, name } => names.add_type(of, number, name),
            Record::Event(_) | Record::Commit(_) => {}
        }
        records = &records[length..];
    }
}

/// Takes what a sealed segment's index says into the tables.
fn fold_sealed(
    segment: &Segment,
    tables: &mut Tables,
) -> Result<(), crate::segment::SegmentUnreadable> {
    segment.bring_index()?;
    // A file's names come before anything that asks for them; an index rebuilt from the segment has added them itself.
    segment.with_index(|index| {
        if let SegmentIndex::File(index) = index {
            add_names(index.names()?, segment.place.seed, &tables.names);
        }
        Ok(())
    })?;
    // Nothing is fetched to open a log. A segment that was sent away is whole.
    let is_away = segment.away().is_some();
    let (event_types, ends) = segment.with_index(|index| {
        let is_whole = is_away || index.lost(0, u32::MAX)?.is_empty();
        let ends = is_whole.then(|| index.stream_ends()).transpose()?;
        Ok((index.event_types()?, ends))
    })?;
    for number in event_types {
        tables.names.keep_type(TypeNameOf::Event, number);
    }
    // The index of a whole segment knows the last versions, so its events need not be read; also of those that have rotted since,
    // or went with the file: their versions were given.
    if let Some(ends) = ends {
        advance_to(&ends, segment, tables);
        return Ok(());
    }
    // Where events were lost before the index was made, versions do not follow one another: the records say them.
    let Ok(view) = segment.bytes() else {
        return Ok(());
    };
    let bytes = view.bytes();
    let places = segment.with_index(|index| {
        (0..index.count())
            .map(|ordinal| index.offset(ordinal))
            .collect::<Result<Vec<_>, _>>()
    })?;
    for (ordinal, offset) in (0..).zip(places) {
        let Some(event) = segment.event(bytes, ordinal, offset) else {
            continue;
        };
        tables.names.keep_stream(event.stream);
        tables.advance(
            event.stream,
            StreamTip {
                version: event.version,
                position: segment.position(ordinal),
            },
        );
    }
    Ok(())
}

/// Notes the last events of streams in a segment.
fn advance_to(ends: &[StreamEnd], segment: &Segment, tables: &mut Tables) {
    for end in ends {
        tables.names.keep_stream(end.stream);
        let (version, position) = (end.version, segment.position(end.ordinal));
        tables.advance(end.stream, StreamTip { version, position });
    }
}

/// Reads the last segment whole, cuts a torn group, makes the last whole one durable, and takes all of it into the tables and
/// an index.
fn recover_active(
    active: &Segment,
    file: &dyn RepoFile,
    known: Position,
    tables: &mut Tables,
    report: &mut OpenReport,
) -> Result<(MemoryIndex, Scan, Option<Timestamp>), OpenError> {
    let length = file.len().map_err(doing("measuring the last segment"))?;
    let view = file
        .view(length, 0)
        .map_err(doing("reading the last segment"))?;
    let bytes = view.bytes();
    let mut index = MemoryIndex::new();
    index.reserve(bytes.len() / 512);
    let mut recorded_last = None;
    let mut last_group = None;
    let mut damage = Vec::new();
    let names = tables.names.clone();
    let scan = recovery::scan(
        bytes,
        SEGMENT_HEADER_BYTES.min(bytes.len()),
        active.place,
        known,
        &mut |found| {
            index_found(&mut index, &names, active.place, found);
            match *found {
                Found::Event {
                    position, event, ..
                } => {
                    tables.advance(
                        event.stream,
                        StreamTip {
                            version: event.version,
                            position,
                        },
                    );
                    recorded_last = Some(event.recorded_at);
                }
                Found::Group { start, end, .. } => last_group = Some(start..end),
                Found::Damage(found) => damage.push(damaged_range(active.id, &found)),
                _ => {}
            }
        },
    );
    report.damage.append(&mut damage);
    let torn = scan.torn_bytes > 0;
    if torn {
        report.torn_bytes = scan.torn_bytes as u64;
        maintenance::zero_fill(file, scan.end as u64, (scan.end + scan.torn_bytes) as u64)
            .map_err(doing("cutting a torn group"))?;
    }
    // The last group may be in memory alone: the process that wrote it ended before its sync, or the sync failed and the
    // kernel took the pages for clean. So it is written again, and counts once that is synced.
    let unproven = last_group.filter(|_| known < scan.next.previous());
    if let Some(group) = &unproven {
        let start = group.start as u64;
        let again = bytes[group.clone()].to_vec();
        match file.write_at(&again, start) {
            // Where a full disk has no room to write what is there already, the sync has to do.
            Err(error) if !is_full(&error) => {
                return Err(doing("writing the last group again")(error));
            }
            _ => {}
        }
    }
    if torn || unproven.is_some() {
        file.sync_data()
            .map_err(doing("making the last group durable"))?;
    }
    Ok((index, scan, recorded_last))
}

/// Sees to it that some prepared space follows the last group. Returns where it ends.
fn prepare(file: &dyn RepoFile, end: u64, length: u64, options: &LogOptions) -> io::Result<u64> {
    let wanted = end.max(SEGMENT_HEADER_BYTES as u64) + options.segment_bytes_min / 2;
    if length >= wanted {
        return Ok(length);
    }
    maintenance::zero_fill(file, length.max(end), wanted)?;
    file.sync_data()?;
    Ok(wanted)
}

/// When the last readable event of the sealed segments was recorded.
fn last_recorded(sealed: &[Arc<Segment>]) -> Option<Timestamp> {
    sealed.iter().rev().find_map(|segment| {
        if let Some(away) = segment.away() {
            return Some(away.stub.recorded.1);
        }
        let view = segment.bytes().ok()?;
        let count = segment.with_index(|index| Ok(index.count())).ok()?;
        (0..count).rev().find_map(|ordinal| {
            let offset = segment.with_index(|index| index.offset(ordinal)).ok()?;
            Some(segment.event(view.bytes(), ordinal, offset)?.recorded_at)
        })
    })
}

//! A copy of a log while it is written, and a log made from a copy, up to a position.
//!
//! Sealed segments never change, so a backup on the same disk links them; the last one is copied up to what is durable.
//! A folder appears under its name only when all of it is on the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use crate::chain;
use crate::header::SEGMENT_HEADER_BYTES;
use crate::lock::{DirectoryLock, LOCK_FILE};
use crate::log::{ARCHIVE_FOLDER, Log};
use crate::open::{Listed, Listing, OpenError};
use crate::position::{Position, SegmentId};
use crate::record::{self, Commit, Record};
use crate::recovery::{self, Found, Place};
use crate::repo::{FsRepo, Repo};
use crate::segment::{index_file, segment_file};
use crate::tier::{Cache, TierOptions, stub_file};
use crate::watermark::{self, WatermarkWriter};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Every event up to here.
    pub position: Position,
    /// Segments, the last one included.
    pub segments: u64,
    /// How many of them are links to the log's own files: they cost no space, and share the fate of the disk.
    pub linked: u64,
    /// How many of them lie in the archive: of them the backup has stubs, and needs the archive.
    pub archived: u64,
    /// Bytes copied.
    pub bytes_copied: u64,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target exists and is not an empty folder.
    #[error("{} exists and is not an empty folder", path.display())]
    NotEmpty {
        /// The target.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("the backup cannot be written")]
    Io(#[from] io::Error),
}

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// The last position in the restored log: the asked one, or the end of the last whole transaction before it.
    pub position: Position,
    /// Segments.
    pub segments: u64,
    /// How many of them lie in the archive.
    pub archived: u64,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The target exists and is not an empty folder.
    #[error("{} exists and is not an empty folder", path.display())]
    NotEmpty {
        /// The target.
        path: PathBuf,
    },
    /// There is no log in the backup's folder.
    #[error("there is no log in {}", path.display())]
    NoLog {
        /// The backup's folder.
        path: PathBuf,
    },
    /// The backup ends before the asked position.
    #[error("the backup ends at position {last}, before {asked}")]
    Beyond {
        /// What was asked.
        asked: Position,
        /// Where the backup ends.
        last: Position,
    },
    /// The backup is damaged at or before the asked position.
    #[error(
        "the backup is damaged in segment {segment}: verify it, and restore an older one or to an earlier position"
    )]
    Damaged {
        /// The segment.
        segment: SegmentId,
    },
    /// See [`OpenError`].
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file system refuses.
    #[error("the log cannot be restored")]
    Io(#[from] io::Error),
}

impl Log {
    /// Copies the log, as it is durable now, into the folder `to`, which must not exist or be empty. Appends go on.
    ///
    /// # Errors
    /// Nothing is left under `to` then; where the process ends meanwhile, a folder `to` with `.partial` behind its name is.
    pub fn backup(&self, to: &Path) -> Result<BackupReport, BackupError> {
        if !is_free(to)? {
            return Err(BackupError::NotEmpty {
                path: to.to_owned(),
            });
        }
        // Segments stay where they are meanwhile.
        let _places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let partial = partial_of(to);
        if is_whole(&partial)? {
            return Err(BackupError::NotEmpty { path: partial });
        }
        remove_folder(&partial)?;
        let made = FsRepo::open(&partial)
            .map_err(BackupError::from)
            .and_then(|target| self.copy_into(&target, &partial))
            .and_then(|report| Ok(publish_folder(&partial, to).map(|()| report)?));
        if made.is_err() {
            // What is half made takes room that the next one needs.
            let _ = remove_folder(&partial);
        }
        made
    }

    fn copy_into(&self, target: &dyn Repo, folder: &Path) -> Result<BackupReport, BackupError> {
        // Not the writer's lock: under load that is held for as long as anything waits.
        let tail = self.shared.tail();
        let segments = self.shared.segments();
        let segments: Vec<_> = segments
            .iter()
            .take_while(|segment| segment.id <= tail.segment)
            .collect();
        let mut report = BackupReport {
            position: tail.position,
            segments: segments.len() as u64,
            linked: 0,
            archived: 0,
            bytes_copied: 0,
        };
        let (active, sealed) = segments
            .split_last()
            .expect("a log has at least one segment");
        for segment in sealed {
            let (repo, own) = (segment.repo(), &self.shared.repo);
            let (from, name) = match segment.away() {
                Some(_) => {
                    report.archived += 1;
                    (own, stub_file(segment.id))
                }
                None => (&repo, segment_file(segment.id)),
            };
            if link_or_copy(&**from, &name, target, folder, &mut report.bytes_copied)? {
                report.linked += 1;
            }
            // The index saves whoever opens the backup some work, or makes an archived segment's events findable. Saved
            // tables stay behind: they may know streams that began after this copy.
            let from = segment.away().map_or(&repo, |_| own);
            let index = index_file(segment.id);
            match link_or_copy(&**from, &index, target, folder, &mut report.bytes_copied) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => drop(other?),
            }
        }
        let view = active.bytes().map_err(|unreadable| unreadable.source)?;
        let end = usize::try_from(tail.end).unwrap_or(usize::MAX);
        let bytes = view
            .bytes()
            .get(..end)
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        write_file(target, &segment_file(active.id), bytes)?;
        report.bytes_copied += bytes.len() as u64;
        let mut watermark =
            WatermarkWriter::open(target, self.shared.log_id, &watermark::Found::Absent)?;
        watermark.write(tail.position, active.id, tail.chain)?;
        target.sync_folder()?;
        Ok(report)
    }
}

/// Makes a log in `to`, which must not exist or be empty, from the backup (or any closed log) in `from`: all of it, or all
/// whole transactions up to the position `up_to`.
///
/// # Errors
/// Nothing is left under `to` then; a folder `to` with `.partial` behind its name may be.
pub fn restore(
    from: &Path,
    to: &Path,
    up_to: Option<Position>,
) -> Result<RestoreReport, RestoreError> {
    restore_tiered(from, to, up_to, None)
}

/// The same for a backup of a log some of which lies in an archive: that stays there, and is fetched from `tier` only where
/// the restored log ends in it.
///
/// # Errors
/// As for [`restore`].
pub fn restore_tiered(
    from: &Path,
    to: &Path,
    up_to: Option<Position>,
    tier: Option<&TierOptions>,
) -> Result<RestoreReport, RestoreError> {
    if !from.is_dir() {
        return Err(RestoreError::NoLog {
            path: from.to_owned(),
        });
    }
    if !is_free(to)? {
        return Err(RestoreError::NotEmpty {
            path: to.to_owned(),
        });
    }
    let source: Arc<dyn Repo> = Arc::new(FsRepo::open(from)?);
    let archive_folder = from.join(ARCHIVE_FOLDER);
    let archive: Option<Arc<dyn Repo>> = if archive_folder.is_dir() {
        Some(Arc::new(FsRepo::open(&archive_folder)?))
    } else {
        None
    };
    let watermark = watermark::read(&*source)?;
    let cache = tier.cloned().map(Cache::new).transpose()?.map(Arc::new);
    let listing = Listing::read(&source, archive.as_ref(), cache.as_ref(), &watermark)?;
    if listing.segments.is_empty() {
        return Err(RestoreError::NoLog {
            path: from.to_owned(),
        });
    }
    let partial = partial_of(to);
    if is_whole(&partial)? {
        return Err(RestoreError::NotEmpty { path: partial });
    }
    remove_folder(&partial)?;
    let target: Arc<dyn Repo> = Arc::new(FsRepo::open(&partial)?);
    let report = restore_into(&listing, &*target, up_to)?;
    publish_folder(&partial, to)?;
    Ok(report)
}

fn restore_into(
    listing: &Listing,
    target: &dyn Repo,
    up_to: Option<Position>,
) -> Result<RestoreReport, RestoreError> {
    let asked = up_to.unwrap_or(Position::MAX);
    let mut restored = None;
    let (mut segments, mut archived) = (0, 0);
    for (at, listed) in listing.segments.iter().enumerate() {
        if listed.header.first_position > asked && segments > 0 {
            break;
        }
        let next = listing.segments.get(at + 1).map(|next| &next.header);
        // The last segment is written to, so it must be here.
        if let Some(away) = &listed.away
            && next.is_some_and(|next| next.first_position <= asked)
        {
            keep_away(listed, target)?;
            segments += 1;
            archived += 1;
            let (next, chain) = away.stub.successor;
            restored = Some((next.previous(), listed.header.segment, chain));
            continue;
        }
        let known = next.map_or(listing.known, |next| next.first_position.previous());
        let cut = cut_segment(listed, known, asked)?;
        write_file(target, &segment_file(listed.header.segment), &cut.bytes)?;
        segments += 1;
        restored = Some((cut.last, listed.header.segment, cut.chain));
    }
    let (position, segment, chain) = restored.expect("a log has at least one segment");
    if up_to.is_some_and(|asked| asked > position) && asked_is_beyond(listing, position, asked) {
        return Err(RestoreError::Beyond {
            asked,
            last: position,
        });
    }
    let mut watermark = WatermarkWriter::open(target, listing.log_id, &watermark::Found::Absent)?;
    watermark.write(position, segment, chain)?;
    target.sync_folder()?;
    Ok(RestoreReport {
        position,
        segments,
        archived,
    })
}

/// Takes the stub of an archived segment over, and its index, so that the restored log opens without the archive.
fn keep_away(listed: &Listed, target: &dyn Repo) -> io::Result<()> {
    let segment = listed.header.segment;
    for name in [stub_file(segment), index_file(segment)] {
        let file = match listed.repo.open(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        let view = file.view(file.len()?, 0)?;
        write_file(target, &name, view.bytes())?;
    }
    Ok(())
}

/// Whether no event of the backup lies at the asked position; otherwise the position was inside a transaction.
fn asked_is_beyond(listing: &Listing, restored: Position, asked: Position) -> bool {
    let Some(last) = listing.segments.last() else {
        return true;
    };
    let next = last.view().map(|view| {
        let from = SEGMENT_HEADER_BYTES.min(view.bytes().len());
        recovery::scan(
            view.bytes(),
            from,
            last.header.place(),
            listing.known,
            &mut |_| {},
        )
        .next
    });
    asked > next.map_or(restored, Position::previous)
}

/// A segment's bytes up to a position.
struct Cut {
    bytes: Vec<u8>,
    last: Position,
    chain: record::Chain,
}

/// Keeps the groups up to `asked`. One that goes on behind it is made anew from its whole transactions up to there.
fn cut_segment(listed: &Listed, known: Position, asked: Position) -> Result<Cut, RestoreError> {
    let segment = listed.header.segment;
    let view = listed.view()?;
    let place = listed.header.place();
    let mut bytes = listed.header.encode().to_vec();
    let mut cut = Cut {
        bytes: Vec::new(),
        last: place.first_position.previous(),
        chain: place.chain,
    };
    let mut damaged = false;
    let source = view.bytes();
    recovery::scan(
        source,
        SEGMENT_HEADER_BYTES.min(source.len()),
        place,
        known,
        &mut |found| match *found {
            Found::Group { start, end, commit } if commit.first_position <= asked && !damaged => {
                let last = commit
                    .first_position
                    .advanced_by(u64::from(commit.event_count))
                    .previous();
                if last <= asked {
                    bytes.extend_from_slice(&source[start..end]);
                    (cut.last, cut.chain) = (last, commit.chain);
                } else if let Some(part) =
                    cut_group(&source[start..end], place, &commit, cut.chain, asked)
                {
                    bytes.extend_from_slice(&part.bytes);
                    (cut.last, cut.chain) = (part.last, part.chain);
                }
            }
            Found::Damage(damage) if damage.first_lost <= asked => damaged = true,
            _ => {}
        },
    );
    if damaged {
        return Err(RestoreError::Damaged { segment });
    }
    cut.bytes = bytes;
    Ok(cut)
}

/// The transactions of a group that end at or before `asked`, as a group of their own; `None` when there is none.
fn cut_group(
    group: &[u8],
    place: Place,
    commit: &Commit,
    chain: record::Chain,
    asked: Position,
) -> Option<Cut> {
    let mut offset = 0;
    let mut position = commit.first_position;
    let mut whole = None;
    while let Ok((found, length)) = record::read(&group[offset..], place.seed, position) {
        offset += length;
        if let Record::Event(event) = found {
            if position > asked {
                break;
            }
            if event.ends_transaction {
                whole = Some((offset, position));
            }
            position = position.next();
        }
    }
    let (end, last) = whole?;
    let mut bytes = group[..end].to_vec();
    let chain = chain::link(&chain, &bytes);
    let cut = Commit {
        event_count: u32::try_from(commit.first_position.distance_to(last.next())).ok()?,
        first_position: commit.first_position,
        durable: commit.durable,
        group_bytes: u32::try_from(end).ok()?,
        chain,
    };
    record::write_commit(&mut bytes, place.seed, &cut);
    Some(Cut { bytes, last, chain })
}

/// Whether something can be made under this name: nothing is there, or an empty folder, or one of a log that was never begun. A
/// start that is refused leaves that, with nothing in it but the lock, which nobody holds.
fn is_free(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(entries) => {
            let mut has_lock = false;
            for entry in entries {
                if entry?.file_name() != LOCK_FILE {
                    return Ok(false);
                }
                has_lock = true;
            }
            Ok(!has_lock || matches!(DirectoryLock::take_if_there(path), Ok(Some(_))))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

fn partial_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// Whether it holds all of a log: what is half made has no watermark yet, and may be made anew. Somebody may have called a
/// backup so.
fn is_whole(partial: &Path) -> io::Result<bool> {
    if !partial.is_dir() {
        return Ok(false);
    }
    let found = watermark::read(&FsRepo::open(partial)?)?;
    Ok(!matches!(
        found,
        watermark::Found::Absent | watermark::Found::Damaged
    ))
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Takes away the folder of a log that was never begun: an empty one, or one with nothing in it but a lock that nobody holds, as
/// a start leaves it that was refused. False: something else is there, and stays. One that is not there is no error.
///
/// # Errors
/// Those of the file system.
pub fn remove_unbegun(folder: &Path) -> io::Result<bool> {
    if !is_free(folder)? {
        return Ok(false);
    }
    // From here on nobody begins one.
    let Ok(_lock) = DirectoryLock::take_if_there(folder) else {
        return Ok(false);
    };
    let gone = |removed: io::Result<()>| match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(fs::remove_file(folder.join(LOCK_FILE)))?;
    gone(fs::remove_dir(folder))?;
    Ok(true)
}

/// Gives a folder whose files are all on the disk its name.
fn publish_folder(partial: &Path, to: &Path) -> io::Result<()> {
    if !remove_unbegun(to)? {
        return Err(io::ErrorKind::DirectoryNotEmpty.into());
    }
    fs::rename(partial, to)?;
    let parent = to
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}

/// Whether the file could be linked; it is copied otherwise.
fn link_or_copy(
    source: &dyn Repo,
    name: &str,
    target: &dyn Repo,
    folder: &Path,
    copied: &mut u64,
) -> io::Result<bool> {
    if let Some(path) = source.path(name) {
        match fs::hard_link(&path, folder.join(name)) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
    }
    let file = source.open(name)?;
    let view = file.view(file.len()?, 0)?;
    write_file(target, name, view.bytes())?;
    *copied += view.bytes().len() as u64;
    Ok(false)
}

fn write_file(target: &dyn Repo, name: &str, bytes: &[u8]) -> io::Result<()> {
    let file = target.create(name)?;
    file.write_at(bytes, 0)?;
    file.sync_data()
}

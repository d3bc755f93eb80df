//! Old sealed segments on another disk: moved, still read, still part of the chain.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use uuid::Uuid;

use crate::log::Log;
use crate::position::{Position, SegmentId};
use crate::read::position_at;
use crate::repo::{FsRepo, Repo};
use crate::segment::{Segment, SegmentUnreadable, index_file, segment_file};
use crate::tier::ArchivedError;
use crate::time::Timestamp;

/// In the archive folder, from the first move on.
const HERE_MARK: &str = "archive-is-here";
/// In the log's folder, from the first move on. Whoever gave the archive folder up removes it.
pub(crate) const USED_MARK: &str = "archive-is-used";

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArchiveReport {
    /// How many segments.
    pub segments: u64,
    /// Their bytes, indexes included.
    pub bytes: u64,
    /// The last position that now lies in the archive; [`Position::START`] when nothing was moved.
    pub last_position: Position,
    /// Of the segments that were sent away, those whose object has another than its first name: there lies something else, such as
    /// an upload that went wrong, and the place lets nothing be replaced.
    pub renamed: u64,
}

/// Why segments could not be moved or sent away. Those that were before it stay where they are; none is lost.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The log was opened without a tier.
    #[error("no archive is configured to send segments to")]
    NotConfigured,
    /// A segment is not whole. It stays here, and those behind it.
    #[error("segment {segment} is damaged, and stays here: verify the log, and restore a backup")]
    Damaged {
        /// The segment.
        segment: SegmentId,
    },
    /// The archive does not take it, or does not give it back as it was.
    #[error("a segment cannot be sent to the archive")]
    Tier(#[from] ArchivedError),
    /// Segments were moved to a folder that is not there any more.
    #[error("segments were moved to {}, and that is not in its place: mount its disk", folder.display())]
    Missing {
        /// Where they were moved to.
        folder: PathBuf,
    },
    /// The file system refuses.
    #[error("segments cannot be archived")]
    Io(#[from] io::Error),
}

impl Log {
    /// Moves the sealed segments whose events were all recorded before `before` to the archive folder of
    /// [`LogOptions`](crate::LogOptions). They are read from there; opening needs the folder in its place.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn archive(&self, before: Timestamp) -> Result<ArchiveReport, ArchiveError> {
        let _one_at_a_time = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let log = &*self.shared.repo;
        if is_missing(log, existing(&self.archive_folder)?.as_ref())? {
            return Err(ArchiveError::Missing {
                folder: self.archive_folder.clone(),
            });
        }
        let target: Arc<dyn Repo> = Arc::new(FsRepo::open(&self.archive_folder)?);
        let unreadable = |error: SegmentUnreadable| error.source;
        let last = position_at(&self.shared, before.plus_micros(-1)).map_err(unreadable)?;
        self.settle();
        let mut report = ArchiveReport::default();
        for segment in self.shared.segments().iter() {
            let Some(segment_last) = segment
                .last_position()
                .filter(|&segment_last| segment_last <= last)
            else {
                break;
            };
            if segment.away().is_some() || lies_in(segment, &*target) {
                continue;
            }
            let _place = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            // Where this segment is not to be had, it may lie in an archive that is not in its place: no mark is put then.
            segment.repo().open(&segment_file(segment.id))?;
            put_marks(log, &*target, self.shared.log_id)?;
            report.bytes += move_segment(segment, &target)?;
            report.segments += 1;
            report.last_position = segment_last;
        }
        Ok(report)
    }
}

/// The archive folder, where there is one.
pub(crate) fn existing(folder: &Path) -> io::Result<Option<Arc<dyn Repo>>> {
    match folder.is_dir() {
        true => Ok(Some(Arc::new(FsRepo::open(folder)?))),
        false => Ok(None),
    }
}

/// Whether the log moved segments to a folder that is not in its place: a disk that was not mounted leaves an empty one, or
/// another log's disk is there. Opened so, their events would count as lost, and their ids as free.
pub(crate) fn is_missing(log: &dyn Repo, archive: Option<&Arc<dyn Repo>>) -> io::Result<bool> {
    let Some(used) = mark(log, USED_MARK)? else {
        return Ok(false);
    };
    let here = archive.map_or(Ok(None), |archive| mark(&**archive, HERE_MARK))?;
    Ok(here != Some(used))
}

/// Puts the marks: that segments lie in this folder, and that it is this log's. Where an earlier program moved some, there are
/// none yet.
pub(crate) fn put_marks(log: &dyn Repo, archive: &dyn Repo, id: Uuid) -> io::Result<()> {
    for (repo, name) in [(archive, HERE_MARK), (log, USED_MARK)] {
        if mark(repo, name)?.is_none() {
            let file = repo.create(name)?;
            file.write_at(format!("{id}\n").as_bytes(), 0)?;
            file.sync_data()?;
            repo.sync_folder()?;
        }
    }
    Ok(())
}

/// What a mark says: whose it is.
fn mark(repo: &dyn Repo, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = match repo.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
    file.read_at(&mut text, 0)?;
    Ok(Some(text))
}

/// Whether the segment's file is in the folder already, by whatever path: moving it would remove it.
fn lies_in(segment: &Segment, target: &dyn Repo) -> bool {
    let name = segment_file(segment.id);
    let real_path = |repo: &dyn Repo| repo.path(&name)?.canonicalize().ok();
    let source = real_path(&*segment.repo());
    source.is_some() && source == real_path(target)
}

/// Copies a segment and its index, durably, and only then removes them. A crash in between leaves both copies, which is
/// the same log.
fn move_segment(segment: &Segment, target: &Arc<dyn Repo>) -> io::Result<u64> {
    let source = segment.repo();
    let mut bytes = 0;
    let names = [segment_file(segment.id), index_file(segment.id)];
    for name in &names {
        let file = match source.open(name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && *name != names[0] => continue,
            Err(error) => return Err(error),
        };
        let view = file.view(file.len()?, 0)?;
        let temporary = format!("{name}.new");
        let copy = target.create(&temporary)?;
        copy.write_at(view.bytes(), 0)?;
        copy.sync_data()?;
        target.rename(&temporary, name)?;
        bytes += view.bytes().len() as u64;
    }
    target.sync_folder()?;
    segment.moved_to(target.clone());
    for name in &names {
        match source.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    source.sync_folder()?;
    Ok(bytes)
}

//! Old sealed segments on another disk: moved, still read, still part of the chain.

use std::io;
use std::sync::{Arc, PoisonError};

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
        let target: Arc<dyn Repo> = Arc::new(FsRepo::open(&self.archive_folder)?);
        for (repo, mark) in [(&target, HERE_MARK), (&self.shared.repo, USED_MARK)] {
            put_mark(&**repo, mark)?;
        }
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
            report.bytes += move_segment(segment, &target)?;
            report.segments += 1;
            report.last_position = segment_last;
        }
        Ok(report)
    }
}

/// Whether the log moved segments to a folder that is not in its place: a disk that was not mounted leaves an empty one.
/// Opened so, their events would count as lost, and their ids as free.
pub(crate) fn is_missing(log: &dyn Repo, archive: Option<&Arc<dyn Repo>>) -> io::Result<bool> {
    let is_there = |repo: &dyn Repo, mark: &str| match repo.open(mark) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    Ok(is_there(log, USED_MARK)?
        && !archive.map_or(Ok(false), |archive| is_there(&**archive, HERE_MARK))?)
}

fn put_mark(repo: &dyn Repo, mark: &str) -> io::Result<()> {
    if repo.open(mark).is_err() {
        repo.create(mark)?.sync_data()?;
        repo.sync_folder()?;
    }
    Ok(())
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

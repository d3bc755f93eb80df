//! What lies beside the segments and is not as it was written. No event hangs on any of it: it is derived and made again, or
//! it was never acknowledged. A power cut may leave it so, and so may somebody's hand; either way it is named.

use std::collections::HashSet;
use std::io;

use uuid::Uuid;

use super::Problem;
use crate::log::SNAPSHOT_FOLDER;
use crate::maintenance::SPARE_PREFIX;
use crate::merkle::{NODES_FILE, Stored, TREE_FOLDER};
use crate::position::SegmentId;
use crate::repo::Repo;
use crate::segment::segment_of;
use crate::snapshot;
use crate::watermark::{self, WATERMARK_FILE};

/// What is told of the watermark.
pub(super) fn of_watermark(repo: &dyn Repo, log_id: Uuid) -> io::Result<Vec<Problem>> {
    let faults = watermark::faults(repo, log_id)?.into_iter();
    Ok(faults
        .map(|what| Problem {
            file: WATERMARK_FILE.to_owned(),
            what,
        })
        .collect())
}

/// What is told of files that opening the log removes or passes over: prepared ones that are not empty, drafts, and indexes
/// and tables of no sealed segment.
pub(super) fn of_leftovers(
    repo: &dyn Repo,
    sealed: &HashSet<SegmentId>,
) -> io::Result<Vec<Problem>> {
    let mut found = Vec::new();
    for file in repo.list()? {
        let what = if file.ends_with(".new") {
            "was not finished; it is removed when the log is opened".to_owned()
        } else if file.starts_with(SPARE_PREFIX) {
            match first_not_zero(repo, &file)? {
                Some(at) => format!(
                    "was prepared, and the byte at offset {at} is not zero; it is removed when the log is opened"
                ),
                None => continue,
            }
        } else {
            let of = [".idx", ".state"].map(|suffix| segment_of(&file, suffix));
            match of.into_iter().flatten().next() {
                Some(segment) if !sealed.contains(&segment) => {
                    "is of no segment that is sealed; it is not used".to_owned()
                }
                _ => continue,
            }
        };
        found.push(Problem { file, what });
    }
    Ok(found)
}

fn first_not_zero(repo: &dyn Repo, file: &str) -> io::Result<Option<usize>> {
    let file = repo.open(file)?;
    let view = file.view(file.len()?, 0)?;
    Ok(view.bytes().iter().position(|byte| *byte != 0))
}

/// What is told of saved folds.
pub(super) fn of_snapshots(repo: &dyn Repo, log_id: Uuid) -> io::Result<Vec<Problem>> {
    let faults = snapshot::faults(repo, log_id)?.into_iter();
    Ok(faults
        .map(|(file, offset)| Problem {
            file: format!("{SNAPSHOT_FOLDER}/{file}"),
            what: format!(
                "there is no whole snapshot of this log at offset {offset}; what is behind it is passed over"
            ),
        })
        .collect())
}

/// What is told of the file of the tree's nodes. That its whole tiles are those of the events is another matter, and a problem.
pub(super) fn of_nodes(stored: &Stored) -> Option<Problem> {
    stored.is_damaged.then(|| Problem {
        file: format!("{TREE_FOLDER}/{NODES_FILE}"),
        what: format!(
            "tile {} does not verify; it is hashed again, and what is behind it, when the log is opened",
            stored.tiles.len()
        ),
    })
}

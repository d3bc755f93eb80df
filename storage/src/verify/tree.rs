//! The Merkle tree of a log that is verified: leaves are hashed on a thread of their own, while the next ones are checked.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::Problem;
use crate::merkle::{Accumulator, NODES_FILE, Stored, TILE_LEAVES, TREE_FOLDER, TreeHash};
use crate::position::{Position, SegmentId};
use crate::repo::View;
use crate::segment::segment_file;

/// Leaves handed over at once.
const BATCH_LEAVES: usize = 2_048;
/// Batches that may wait.
const BATCHES_MAX: usize = 4;

/// What was hashed.
#[derive(Debug)]
pub(super) struct Hashed {
    /// The root of all leaves.
    pub(super) root: TreeHash,
    /// The hashes of full tiles.
    pub(super) tiles: Vec<TreeHash>,
    /// The roots at the sizes asked for, as far as the log reaches.
    pub(super) roots: Vec<(Position, TreeHash)>,
}

/// Leaves of one segment, by where they begin and end; empty ones are lost.
#[derive(Debug, Default)]
struct Batch {
    view: Option<Arc<dyn View>>,
    leaves: Vec<(usize, usize)>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct TreeHasher {
    batch: Batch,
    sender: SyncSender<Batch>,
    thread: JoinHandle<Hashed>,
}

impl TreeHasher {
    /// Begins, to tell the roots at these sizes.
    pub(super) fn start(mut sizes: Vec<Position>) -> std::io::Result<Self> {
        sizes.sort_unstable();
        sizes.dedup();
        let (sender, receiver) = sync_channel(BATCHES_MAX);
        let thread = std::thread::Builder::new()
            .name("verify-tree".to_owned())
            .spawn(move || hash(&receiver, &sizes))?;
        Ok(TreeHasher {
            batch: Batch::default(),
            sender,
            thread,
        })
    }

    /// The leaves that follow are in this segment.
    pub(super) fn begin_segment(&mut self, view: Option<&Arc<dyn View>>) {
        self.flush();
        self.batch.view = view.cloned();
    }

    /// The next leaf.
    pub(super) fn push(&mut self, start: usize, end: usize) {
        self.batch.leaves.push((start, end));
        if self.batch.leaves.len() == BATCH_LEAVES {
            self.flush();
        }
    }

    /// The next leaves, which cannot be read.
    pub(super) fn push_lost(&mut self, count: u64) {
        (0..count).for_each(|_| self.push(0, 0));
    }

    fn flush(&mut self) {
        let view = self.batch.view.clone();
        let full = std::mem::replace(
            &mut self.batch,
            Batch {
                view,
                leaves: Vec::with_capacity(BATCH_LEAVES),
            },
        );
        // The thread ends before this one only by a panic, which `finish` passes on.
        let _ = self.sender.send(full);
    }

    /// The hashes of everything that was pushed.
    pub(super) fn finish(mut self) -> Hashed {
        self.flush();
        drop(self.sender);
        match self.thread.join() {
            Ok(hashed) => hashed,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn hash(batches: &Receiver<Batch>, sizes: &[Position]) -> Hashed {
    let mut sizes = sizes.iter().copied().peekable();
    let mut tree = Accumulator::default();
    let mut hashed = Hashed {
        root: TreeHash::empty(),
        tiles: Vec::new(),
        roots: Vec::new(),
    };
    if sizes.next_if_eq(&Position::START).is_some() {
        hashed.roots.push((Position::START, tree.root()));
    }
    for batch in batches {
        let bytes = batch.view.as_ref().map_or(&[][..], |view| view.bytes());
        for (start, end) in batch.leaves {
            tree.push(TreeHash::leaf(bytes.get(start..end).unwrap_or_default()));
            if tree.size().is_multiple_of(TILE_LEAVES) {
                hashed.tiles.extend(tree.tile());
            }
            let size = Position::new(tree.size());
            if sizes.next_if_eq(&size).is_some() {
                hashed.roots.push((size, tree.root()));
            }
        }
    }
    hashed.root = tree.root();
    hashed
}

/// Where the log's events lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent<'a> {
    /// The first position of each segment.
    pub(super) starts: &'a [(Position, SegmentId)],
    /// The last position.
    pub(super) head: Position,
}

impl Extent<'_> {
    /// Holds the tree against the roots that somebody kept, and against the nodes that the log keeps.
    pub(super) fn compare(
        self,
        hashed: &Hashed,
        roots: &[(Position, TreeHash)],
        stored: Option<Stored>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        let stored = stored.unwrap_or_default();
        if stored.is_damaged {
            problems.push(Problem {
                file: format!("{TREE_FOLDER}/{NODES_FILE}"),
                what: "the tree's nodes are damaged; remove the file and it is made again"
                    .to_owned(),
            });
        }
        let mut pairs = hashed.tiles.iter().zip(&stored.tiles).zip(0..);
        let changed = pairs
            .find(|((now, then), _)| now != then)
            .map(|(_, tile)| Position::new(tile * TILE_LEAVES + 1));
        if let Some(first) = changed {
            let last = first.advanced_by(TILE_LEAVES - 1);
            problems.push(self.problem(
                first,
                format!("the events at positions {first} to {last} are not what they were when they were hashed"),
            ));
        }
        let mut roots = roots.to_vec();
        roots.sort_unstable();
        let mut agreed = Position::START;
        for (size, expected) in roots {
            match hashed.roots.iter().find(|(known, _)| *known == size) {
                None => {
                    let head = self.head;
                    problems.push(self.problem(
                        head,
                        format!("the log ends at position {head}, the checkpoint was made at {size}: events were removed"),
                    ));
                }
                Some((_, root)) if *root == expected => agreed = size,
                Some(_) => {
                    let tile = changed.filter(|first| *first > agreed && *first <= size);
                    let first = tile.unwrap_or(agreed.next());
                    let last =
                        tile.map_or(size, |first| first.advanced_by(TILE_LEAVES - 1).min(size));
                    problems.push(self.problem(
                        first,
                        format!("the first {size} events are not those of the checkpoint: something at positions {first} to {last} was changed, removed, inserted or reordered"),
                    ));
                }
            }
        }
        problems
    }

    /// A problem with the segment that holds a position.
    fn problem(self, position: Position, what: String) -> Problem {
        let before = self.starts.partition_point(|(first, _)| *first <= position);
        let segment = self.starts.get(before.saturating_sub(1));
        Problem {
            file: segment_file(segment.map_or(SegmentId::FIRST, |(_, segment)| *segment)),
            what,
        }
    }
}

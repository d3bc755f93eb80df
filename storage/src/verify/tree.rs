//! The Merkle tree of a log that is verified: its leaves are hashed in pieces, whose tiles are put together in the end.

use std::sync::Arc;

use super::Problem;
use super::pieces::{Hands, Piece};
use crate::merkle::{Accumulator, TILE_LEAVES, TreeHash, hash_leaves, root_of};
use crate::position::{Position, SegmentId};
use crate::repo::View;
use crate::segment::segment_file;

/// Tiles in a piece.
const PIECE_TILES: u64 = 8;

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

/// Leaves, gathered up to the end of a piece.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    /// Leaves in front of these.
    before: u64,
    count: u64,
    runs: Vec<Run>,
}

/// Leaves of one segment, by where they begin and end; empty ones are lost.
#[derive(Debug)]
struct Run {
    view: Option<Arc<dyn View>>,
    leaves: Vec<(usize, usize)>,
}

/// A tile's hash; its leaves where a root is asked for that ends among them, or where there are too few of them.
#[derive(Debug)]
pub(super) struct Tile {
    root: TreeHash,
    leaves: Vec<TreeHash>,
}

impl Leaves {
    /// The leaves that follow are in this segment.
    pub(super) fn begin_segment(&mut self, view: Option<&Arc<dyn View>>) {
        self.runs.push(Run {
            view: view.cloned(),
            leaves: Vec::new(),
        });
    }

    /// The next leaf.
    pub(super) fn push(&mut self, start: usize, end: usize, hands: &Hands) {
        if let Some(run) = self.runs.last_mut() {
            run.leaves.push((start, end));
            self.count += 1;
        }
        if self.count == PIECE_TILES * TILE_LEAVES {
            self.give(hands);
        }
    }

    /// The next leaves, which cannot be read.
    pub(super) fn push_lost(&mut self, count: u64, hands: &Hands) {
        (0..count).for_each(|_| self.push(0, 0, hands));
    }

    /// Gives away what was gathered; the leaves that follow are in the same segment.
    pub(super) fn give(&mut self, hands: &Hands) {
        let view = self.runs.last().and_then(|run| run.view.clone());
        let mut next = Leaves {
            before: self.before + self.count,
            ..Leaves::default()
        };
        next.begin_segment(view.as_ref());
        hands.give(Piece::Leaves(std::mem::replace(self, next)));
    }

    /// The number of the first tile.
    pub(super) fn first_tile(&self) -> u64 {
        self.before / TILE_LEAVES
    }

    /// Hashes them. `sizes` are those at which a root is asked for, ascending.
    pub(super) fn hash(&self, sizes: &[Position]) -> Vec<Tile> {
        let hashes = hash_leaves(self.runs.iter().flat_map(|run| {
            let bytes = run.view.as_ref().map_or(&[][..], |view| view.bytes());
            let leaves = run.leaves.iter();
            leaves.map(move |(start, end)| bytes.get(*start..*end).unwrap_or_default())
        }));
        let tiles = hashes.chunks(usize::try_from(TILE_LEAVES).unwrap_or(usize::MAX));
        tiles
            .zip(self.first_tile()..)
            .map(|(leaves, tile)| {
                let before = Position::new(tile * TILE_LEAVES);
                let within = sizes.partition_point(|size| *size <= before);
                let is_asked = sizes
                    .get(within)
                    .is_some_and(|size| before.distance_to(*size) < TILE_LEAVES);
                let is_full = leaves.len() as u64 == TILE_LEAVES;
                Tile {
                    root: root_of(leaves),
                    leaves: match is_asked || !is_full {
                        true => leaves.to_vec(),
                        false => Vec::new(),
                    },
                }
            })
            .collect()
    }
}

impl Hashed {
    /// Puts the tree together from all of its tiles, in order. `sizes` as in [`Leaves::hash`].
    pub(super) fn of<'a>(tiles: impl IntoIterator<Item = &'a Tile>, sizes: &[Position]) -> Self {
        let mut sizes = sizes.iter().copied().peekable();
        let mut tree = Accumulator::default();
        let mut hashed = Hashed {
            root: TreeHash::empty(),
            tiles: Vec::new(),
            roots: Vec::new(),
        };
        let mut note = |tree: &Accumulator, hashed: &mut Hashed| {
            let size = Position::new(tree.size());
            if sizes.next_if_eq(&size).is_some() {
                hashed.roots.push((size, tree.root()));
            }
        };
        note(&tree, &mut hashed);
        for tile in tiles {
            if tile.leaves.is_empty() {
                tree.push_tile(tile.root);
                note(&tree, &mut hashed);
            }
            for leaf in &tile.leaves {
                tree.push(*leaf);
                note(&tree, &mut hashed);
            }
            if tree.size().is_multiple_of(TILE_LEAVES) {
                hashed.tiles.push(tile.root);
            }
        }
        hashed.root = tree.root();
        hashed
    }
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
        stored: &[TreeHash],
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut pairs = hashed.tiles.iter().zip(stored).zip(0..);
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

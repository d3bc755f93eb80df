//! The Merkle tree over the log, in the manner of RFC 9162: proof that an event is in the log, and that the log as it was
//! once is the beginning of the log as it is now.
//!
//! Place on the data path: behind it. The leaf at index `position − 1` is what its event brought into the log: the name
//! records in front of it, where it is the first to use a stream or a type, and its own record. So the names that an
//! event's numbers stand for are as provable as the event. Hashes are SHA-256; the tree of no events is `SHA-256("")`.
//!
//! Shape: leaves in tiles of [`TILE_LEAVES`]. The hash of each full tile is kept (`nodes`: in memory, and in a file that
//! can be deleted), so a proof hashes the leaves of a tile or two and takes the rest from memory. Nothing here is done by
//! the writer: [`Log::tree_catch_up`] hashes what has become durable, a few tiles at a time, whenever the caller likes;
//! every question catches up by itself.
//!
//! What cannot be read has the hash of an empty leaf. An event that rots after its tile was hashed keeps its true hash
//! there, and a proof for it fails by name.

mod hash;
mod lanes;
mod leaves;
mod nodes;
mod path;
mod proof;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::log::Log;
use crate::position::Position;
use crate::read::ReadError;
use crate::repo::Repo;
use crate::shared::Shared;

pub use hash::{Accumulator, TreeHash};
pub(crate) use hash::{hash_leaves, root_of};
pub(crate) use leaves::leaf_start;
use nodes::Nodes;
pub(crate) use nodes::{NODES_FILE, Stored, stored_tiles};
use path::Subtrees;
pub use proof::{ConsistencyProof, InclusionProof};

/// Leaves in a tile, a power of two: what a proof hashes anew.
pub const TILE_LEAVES: u64 = 256;
/// Tiles hashed before others may have their turn.
const TILES_AT_ONCE: usize = 16;
/// The folder of the tree's nodes within the log's folder.
pub(crate) const TREE_FOLDER: &str = "tree";

/// Why the tree has no answer.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The tree is asked about events that the log does not have.
    #[error("the tree was asked for {asked} events, the log has {durable}")]
    Beyond {
        /// The position asked for.
        asked: Position,
        /// The last durable position.
        durable: Position,
    },
    /// There is no such event: positions begin with 1, and an event is proved within a tree that holds it.
    #[error("position {position} is not among the first {size} events")]
    NotInTree {
        /// The position asked for.
        position: Position,
        /// Events in the tree asked for.
        size: Position,
    },
    /// The events hash to something else than they did when they were recorded.
    #[error(
        "the events at positions {first} to {last} are not what they were when they were hashed"
    )]
    Changed {
        /// The first event of the tile.
        first: Position,
        /// The last event of the tile.
        last: Position,
    },
    /// See [`ReadError`].
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The tree of one log.
#[derive(Debug)]
pub(crate) struct Tree {
    repo: Arc<dyn Repo>,
    log_id: Uuid,
    /// Held while tiles are hashed, so that each is hashed once; taken before `nodes`.
    hashing: Mutex<()>,
    /// `None` until the first use.
    nodes: Mutex<Option<Nodes>>,
}

impl Tree {
    pub(crate) fn new(repo: Arc<dyn Repo>, log_id: Uuid) -> Self {
        Tree {
            repo,
            log_id,
            hashing: Mutex::new(()),
            nodes: Mutex::new(None),
        }
    }

    /// Hashes up to `tiles_max` tiles of what is durable. Says up to where all is hashed.
    fn catch_up(&self, shared: &Shared, tiles_max: usize) -> Result<Position, TreeError> {
        let _hashing = self.hashing.lock().unwrap_or_else(PoisonError::into_inner);
        let full = shared.durable.get().get() / TILE_LEAVES;
        self.load(shared, full)?;
        let mut known = self.tiles();
        let mut left = tiles_max as u64;
        while known < full && left > 0 {
            let step = (full - known).min(left).min(TILES_AT_ONCE as u64);
            // Outside of the lock on the nodes: questions about what is known go on meanwhile.
            let mut hashes = Vec::with_capacity(TILES_AT_ONCE);
            for tile in known..known + step {
                hashes.push(root_of(&leaves::tile(shared, tile)?.leaves));
            }
            self.with_nodes(|nodes| nodes.append(&hashes));
            known += step;
            left -= step;
        }
        Ok(Position::new(known * TILE_LEAVES))
    }

    /// Reads the nodes' file at the first use, and drops what is not of this log.
    fn load(&self, shared: &Shared, full: u64) -> Result<(), TreeError> {
        if self.lock().is_some() {
            return Ok(());
        }
        let mut nodes = Nodes::load(self.repo.clone(), self.log_id, full);
        if let Some(last) = nodes.tiles().checked_sub(1) {
            let is_other = match leaves::tile(shared, last) {
                Ok(tile) => tile.is_readable && nodes.tile(last) != Some(root_of(&tile.leaves)),
                // A proof holds the leaves it reads against the nodes all the same.
                Err(ReadError::Archived { .. }) => false,
                Err(error) => return Err(error.into()),
            };
            if is_other {
                nodes = Nodes::empty(self.repo.clone(), self.log_id);
            }
        }
        *self.lock() = Some(nodes);
        Ok(())
    }

    fn tiles(&self) -> u64 {
        self.with_nodes(|nodes| nodes.tiles())
    }

    /// Works on the nodes, which [`Tree::load`] has brought.
    fn with_nodes<T>(&self, work: impl FnOnce(&mut Nodes) -> T) -> T {
        let mut nodes = self.lock();
        let empty = || Nodes::empty(self.repo.clone(), self.log_id);
        work(nodes.get_or_insert_with(empty))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Nodes>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Hashes up to `tiles_max` tiles of [`TILE_LEAVES`] events that have become durable since. Says up to which position
    /// full tiles are hashed; less than a tile below [`Log::durable_position`] when there is nothing left to do.
    ///
    /// For a caller that does this in the background, so that nobody waits for it.
    ///
    /// # Errors
    /// [`TreeError::Read`] when a segment cannot be read.
    pub fn tree_catch_up(&self, tiles_max: usize) -> Result<Position, TreeError> {
        self.tree.catch_up(&self.shared, tiles_max)
    }

    /// The root of the tree of the first `size` events.
    ///
    /// # Errors
    /// [`TreeError::Beyond`] above the durable position, [`TreeError::Read`].
    pub fn tree_root(&self, size: Position) -> Result<TreeHash, TreeError> {
        self.ready_for(size)?;
        Questions::of(self).range(0, size.get())
    }

    /// Hashes the events from `from` to `to`, both included, anew, and holds them against what was hashed when they were new;
    /// neighbours in the same tile are held with them. A root is made of hashes that are kept: it is what it was, also where an
    /// event has been changed since. This tells.
    ///
    /// Reads all of them: a second for some millions.
    ///
    /// # Errors
    /// [`TreeError::Changed`] with the first tile that is not what it was; [`TreeError::Read`]; [`TreeError::Beyond`].
    pub fn tree_recheck(&self, from: Position, to: Position) -> Result<(), TreeError> {
        self.ready_for(to)?;
        let first = from.max(Position::FIRST).previous().get() / TILE_LEAVES;
        let behind = to.get().div_ceil(TILE_LEAVES);
        for tile in first..behind {
            Questions::of(self).leaves(tile)?;
        }
        Ok(())
    }

    /// Proof that the event at `position` is in the tree of the first `size` events.
    ///
    /// # Errors
    /// [`TreeError::NotInTree`], [`TreeError::Beyond`]; [`TreeError::Changed`] when the event, or a neighbour, is not what
    /// was hashed; [`TreeError::Read`].
    pub fn inclusion_proof(
        &self,
        position: Position,
        size: Position,
    ) -> Result<InclusionProof, TreeError> {
        if position < Position::FIRST || position > size {
            return Err(TreeError::NotInTree { position, size });
        }
        self.ready_for(size)?;
        let index = position.previous().get();
        let leaf = leaves::bytes(&self.shared, position)?;
        let path = Questions::of(self).inclusion(index, 0, size.get())?;
        Ok(InclusionProof {
            position,
            size,
            leaf,
            path,
        })
    }

    /// Proof that the tree of the first `old` events is the beginning of that of the first `new` ones.
    ///
    /// # Errors
    /// [`TreeError::NotInTree`] when `old` is above `new`; as [`Log::tree_root`].
    pub fn consistency_proof(
        &self,
        old: Position,
        new: Position,
    ) -> Result<ConsistencyProof, TreeError> {
        if old > new {
            return Err(TreeError::NotInTree {
                position: old,
                size: new,
            });
        }
        self.ready_for(new)?;
        let path = match old {
            Position::START => Vec::new(),
            _ if old == new => Vec::new(),
            _ => Questions::of(self).consistency(old.get(), 0, new.get(), true)?,
        };
        Ok(ConsistencyProof { old, new, path })
    }

    fn ready_for(&self, size: Position) -> Result<(), TreeError> {
        let durable = self.durable_position();
        if size > durable {
            return Err(TreeError::Beyond {
                asked: size,
                durable,
            });
        }
        while self.tree.catch_up(&self.shared, usize::MAX)?.get() / TILE_LEAVES
            < size.get() / TILE_LEAVES
        {}
        Ok(())
    }
}

/// The log's tree for one question: keeps the leaves of the tiles that were hashed for it.
struct Questions<'a> {
    tree: &'a Tree,
    shared: &'a Shared,
    tiles: Vec<(u64, Vec<TreeHash>)>,
}

impl<'a> Questions<'a> {
    fn of(log: &'a Log) -> Self {
        Questions {
            tree: &log.tree,
            shared: &log.shared,
            tiles: Vec::new(),
        }
    }

    /// The leaves of a tile, checked against the tile's hash where there is one.
    fn leaves(&mut self, tile: u64) -> Result<&[TreeHash], TreeError> {
        let place = match self.tiles.iter().position(|(known, _)| *known == tile) {
            Some(place) => place,
            None => {
                let leaves = leaves::tile(self.shared, tile)?.leaves;
                let stored = self.tree.with_nodes(|nodes| nodes.tile(tile));
                if stored.is_some_and(|stored| stored != root_of(&leaves)) {
                    return Err(TreeError::Changed {
                        first: Position::new(tile * TILE_LEAVES + 1),
                        last: Position::new((tile + 1) * TILE_LEAVES),
                    });
                }
                self.tiles.push((tile, leaves));
                self.tiles.len() - 1
            }
        };
        Ok(&self.tiles[place].1)
    }
}

impl Subtrees for Questions<'_> {
    type Error = TreeError;

    fn whole(&mut self, start: u64, leaves: u64) -> Result<TreeHash, TreeError> {
        if leaves >= TILE_LEAVES {
            let known = self
                .tree
                .with_nodes(|nodes| nodes.subtree(start / TILE_LEAVES, leaves / TILE_LEAVES));
            if let Some(hash) = known {
                return Ok(hash);
            }
        }
        if leaves > TILE_LEAVES {
            let half = leaves / 2;
            return Ok(TreeHash::node(
                &self.whole(start, half)?,
                &self.whole(start + half, half)?,
            ));
        }
        let (tile, within) = (start / TILE_LEAVES, start % TILE_LEAVES);
        let all = self.leaves(tile)?;
        let from = usize::try_from(within).unwrap_or(usize::MAX);
        let count = usize::try_from(leaves).unwrap_or(usize::MAX);
        Ok(root_of(all.get(from..from + count).unwrap_or_default()))
    }
}

//! The hashes of leaves and nodes (RFC 9162 §2.1.1), and the root of leaves that come one after the other.

use std::fmt;

use sha2::{Digest, Sha256};

use super::TILE_LEAVES;
use super::leaves::Leaf;

/// What leads a leaf's bytes, so that none can pass for a node.
const LEAF_PREFIX: [u8; 1] = [0];
/// What leads a node's two hashes.
const NODE_PREFIX: [u8; 1] = [1];

/// A SHA-256 hash in the tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeHash(pub [u8; 32]);

impl TreeHash {
    /// The root of a tree without leaves.
    pub fn empty() -> Self {
        TreeHash(Sha256::digest([]).into())
    }

    /// The hash of a leaf with these bytes.
    pub fn leaf(bytes: &[u8]) -> Self {
        let hasher = Sha256::new_with_prefix(LEAF_PREFIX);
        TreeHash(hasher.chain_update(bytes).finalize().into())
    }

    /// The hash of a node with these children.
    pub fn node(left: &TreeHash, right: &TreeHash) -> Self {
        let hasher = Sha256::new_with_prefix(NODE_PREFIX);
        TreeHash(
            hasher
                .chain_update(left.0)
                .chain_update(right.0)
                .finalize()
                .into(),
        )
    }
}

/// In hexadecimal.
impl fmt::Display for TreeHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The root of these leaves.
pub(super) fn root_of(leaves: &[Leaf]) -> TreeHash {
    let mut accumulator = Accumulator::default();
    leaves.iter().for_each(|leaf| accumulator.push(leaf.hash));
    accumulator.root()
}

/// A tree that grows leaf by leaf, of which only the roots of its full subtrees are kept: 32 bytes for each bit of its
/// size.
#[derive(Clone, Debug, Default)]
pub struct Accumulator {
    size: u64,
    /// The roots of the full subtrees, the largest first.
    peaks: Vec<TreeHash>,
    /// Of the last full tile, which may have gone into a larger subtree.
    tile: Option<TreeHash>,
}

impl Accumulator {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: TreeHash) {
        let mut hash = leaf;
        // Each one at the end of the size is a full subtree of the same size on the left.
        for level in 0..self.size.trailing_ones() {
            if level == TILE_LEAVES.ilog2() {
                self.tile = Some(hash);
            }
            if let Some(left) = self.peaks.pop() {
                hash = TreeHash::node(&left, &hash);
            }
        }
        if self.size.trailing_ones() == TILE_LEAVES.ilog2() {
            self.tile = Some(hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree so far.
    pub fn root(&self) -> TreeHash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return TreeHash::empty();
        };
        peaks.fold(*last, |right, left| TreeHash::node(left, &right))
    }

    /// The hash of the last full tile.
    pub(crate) fn tile(&self) -> Option<TreeHash> {
        self.tile
    }
}

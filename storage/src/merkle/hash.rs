//! The hashes of leaves and nodes (RFC 9162 §2.1.1), and the root of leaves that come one after the other.

use std::fmt;

use sha2::{Digest, Sha256};

use super::TILE_LEAVES;
use super::lanes::digest_each;

/// What leads a leaf's bytes, so that none can pass for a node.
const LEAF_PREFIX: u8 = 0;
/// What leads a node's two hashes.
const NODE_PREFIX: u8 = 1;

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
        let hasher = Sha256::new_with_prefix([LEAF_PREFIX]);
        TreeHash(hasher.chain_update(bytes).finalize().into())
    }

    /// The hash of a node with these children.
    pub fn node(left: &TreeHash, right: &TreeHash) -> Self {
        let hasher = Sha256::new_with_prefix([NODE_PREFIX]);
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

/// The hashes of leaves with these bytes.
pub(crate) fn hash_leaves<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> Vec<TreeHash> {
    let mut hashes = Vec::new();
    digest_each(LEAF_PREFIX, leaves, |hash| hashes.push(TreeHash(hash)));
    hashes
}

/// The root of leaves with these hashes.
pub(crate) fn root_of(leaves: &[TreeHash]) -> TreeHash {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let pairs: Vec<[u8; 64]> = level.as_chunks().0.iter().map(side_by_side).collect();
        // One without a neighbour is the root of a smaller subtree, which stands beside the others a level above.
        let alone = level.pop().filter(|_| level.len().is_multiple_of(2));
        level.clear();
        let pairs = pairs.iter().map(|pair| &pair[..]);
        digest_each(NODE_PREFIX, pairs, |hash| level.push(TreeHash(hash)));
        level.extend(alone);
    }
    level.pop().unwrap_or_else(TreeHash::empty)
}

fn side_by_side([left, right]: &[TreeHash; 2]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&left.0);
    bytes[32..].copy_from_slice(&right.0);
    bytes
}

/// A tree that grows leaf by leaf, of which only the roots of its full subtrees are kept: 32 bytes for each bit of its
/// size.
#[derive(Clone, Debug, Default)]
pub struct Accumulator {
    size: u64,
    /// The roots of the full subtrees, the largest first.
    peaks: Vec<TreeHash>,
}

impl Accumulator {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: TreeHash) {
        self.push_subtree(leaf, 1);
    }

    /// Adds a full tile with this root, behind full tiles.
    pub(crate) fn push_tile(&mut self, root: TreeHash) {
        self.push_subtree(root, TILE_LEAVES);
    }

    /// Adds a full subtree of so many leaves: a power of two that divides the size.
    fn push_subtree(&mut self, root: TreeHash, leaves: u64) {
        debug_assert!(leaves.is_power_of_two() && self.size.is_multiple_of(leaves));
        let mut hash = root;
        // Each one at the end of the size is a full subtree of the same size on the left.
        for _ in 0..(self.size / leaves).trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = TreeHash::node(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += leaves;
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
}

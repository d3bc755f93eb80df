//! Proofs, and how they are checked (RFC 9162 §2.1.3.2 and §2.1.4.2). Pure: who checks one needs the roots and nothing else.

use super::hash::TreeHash;
use crate::position::Position;

/// Proof that an event is in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The event's position; its leaf's index is one less.
    pub position: Position,
    /// Events in the tree.
    pub size: Position,
    /// What the event brought into the log: name records it was the first to use, and its own record.
    pub leaf: Vec<u8>,
    /// The siblings on the way from the leaf to the root.
    pub path: Vec<TreeHash>,
}

impl InclusionProof {
    /// The root that the proof leads to; `None` when its parts do not fit each other.
    pub fn root(&self) -> Option<TreeHash> {
        let mut index = self.position.get().checked_sub(1)?;
        let mut last = self.size.get().checked_sub(1)?;
        if index > last {
            return None;
        }
        let mut hash = TreeHash::leaf(&self.leaf);
        for sibling in &self.path {
            if last == 0 {
                return None;
            }
            if index & 1 == 1 || index == last {
                hash = TreeHash::node(sibling, &hash);
                // A node without a right sibling moves up unchanged.
                while index & 1 == 0 && index != 0 {
                    (index, last) = (index >> 1, last >> 1);
                }
            } else {
                hash = TreeHash::node(&hash, sibling);
            }
            (index, last) = (index >> 1, last >> 1);
        }
        (last == 0).then_some(hash)
    }

    /// Whether it proves the event to be in the tree with this root.
    pub fn holds(&self, root: &TreeHash) -> bool {
        self.root() == Some(*root)
    }
}

/// Proof that one tree is the beginning of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Events in the earlier tree.
    pub old: Position,
    /// Events in the later tree.
    pub new: Position,
    /// The nodes that both are made of.
    pub path: Vec<TreeHash>,
}

impl ConsistencyProof {
    /// Whether it proves the tree with the root `old` to be the beginning of the one with the root `new`.
    pub fn holds(&self, old: &TreeHash, new: &TreeHash) -> bool {
        match (self.old.get(), self.new.get()) {
            (0, _) => self.path.is_empty() && *old == TreeHash::empty(),
            (first, second) if first == second => self.path.is_empty() && old == new,
            (first, second) if first < second => self.leads_to(old, new),
            _ => false,
        }
    }

    fn leads_to(&self, old: &TreeHash, new: &TreeHash) -> bool {
        let (mut first, mut last) = (self.old.get() - 1, self.new.get() - 1);
        let mut path = self.path.iter();
        // A full earlier tree is a node of the later one: the proof begins with its root, which is known.
        let begin = match self.old.get().is_power_of_two() {
            true => Some(old),
            false => path.next(),
        };
        let Some(begin) = begin else { return false };
        while first & 1 == 1 {
            (first, last) = (first >> 1, last >> 1);
        }
        let (mut earlier, mut later) = (*begin, *begin);
        for node in path {
            if last == 0 {
                return false;
            }
            if first & 1 == 1 || first == last {
                earlier = TreeHash::node(node, &earlier);
                later = TreeHash::node(node, &later);
                while first & 1 == 0 && first != 0 {
                    (first, last) = (first >> 1, last >> 1);
                }
            } else {
                later = TreeHash::node(&later, node);
            }
            (first, last) = (first >> 1, last >> 1);
        }
        last == 0 && earlier == *old && later == *new
    }
}

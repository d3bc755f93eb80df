//! An isolation forest laid out for scoring: every tree is filled up to seven levels, so that a node's children are
//! found by arithmetic, and eight trees are walked at once to hide the latency of each load.
//!
//! A node is `threshold:f32 | slot:u16`; node `i` leads to `2i + 1` or, where the value is greater, `2i + 2`. Each column has
//! two slots, which differ in where a missing value goes. A leaf above the last level is filled up with nodes that
//! lead left for ever. All arrays have a fixed size that is a power of two, so a masked position needs no bounds check.

use super::COLUMNS_MAX;
use crate::tree::{Child, Test, Tree};

/// Levels of a filled tree.
pub(super) const LEVELS: usize = 7;
/// Nodes of a filled tree, and one unused.
const NODES: usize = 1 << LEVELS;
/// Two slots a column.
const SLOTS: usize = 2 * COLUMNS_MAX;
/// Trees walked together.
const LANES: usize = 8;

/// Values of one row in the order that nodes ask for.
#[derive(Debug, Clone)]
pub(super) struct Slots(Box<[f32; SLOTS]>);

impl Slots {
    pub(super) fn new() -> Self {
        Self(Box::new([0.0; SLOTS]))
    }

    /// Takes up a row of at most [`COLUMNS_MAX`] columns.
    pub(super) fn fill(&mut self, row: &[f32]) {
        for (pair, &value) in self.0.as_chunks_mut::<2>().0.iter_mut().zip(row) {
            *pair = if value.is_nan() {
                [f32::NEG_INFINITY, f32::INFINITY]
            } else {
                [value.clamp(f32::MIN, f32::MAX); 2]
            };
        }
    }
}

#[derive(Debug, Clone)]
struct PerfectTree {
    nodes: [u64; NODES],
    leaves: [f32; NODES],
}

/// The forest; its trees count is rounded up with trees of value zero.
#[derive(Debug, Clone)]
pub(super) struct PerfectForest {
    groups: Vec<[PerfectTree; LANES]>,
}

impl PerfectForest {
    /// None where a tree is deeper than seven levels.
    pub(super) fn new(trees: &[Tree]) -> Option<Self> {
        let groups = trees.chunks(LANES).map(|part| {
            let mut group: Vec<PerfectTree> = Vec::with_capacity(LANES);
            for tree in part {
                let mut made = PerfectTree::blank();
                made.place(tree, tree.root(), 0, 0)?;
                group.push(made);
            }
            group.resize(LANES, PerfectTree::blank());
            group.try_into().ok()
        });
        Some(Self {
            groups: groups.collect::<Option<_>>()?,
        })
    }

    /// Sum of the leaf values that a row falls into.
    pub(super) fn sum(&self, slots: &Slots) -> f64 {
        let mut total = 0.0;
        for group in &self.groups {
            let mut at = [0_usize; LANES];
            for _ in 0..LEVELS {
                for lane in 0..LANES {
                    let word = group[lane].nodes[at[lane] % NODES];
                    let value = slots.0[slot_of(word)];
                    let threshold = f32::from_bits((word >> 32) as u32);
                    at[lane] = 2 * at[lane] + 1 + usize::from(value > threshold);
                }
            }
            for lane in 0..LANES {
                total += f64::from(group[lane].leaves[(at[lane] + 1) % NODES]);
            }
        }
        total
    }
}

#[inline]
fn slot_of(word: u64) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
    let slot = word as usize % SLOTS;
    slot
}

impl PerfectTree {
    /// A tree of value zero: every node leads left.
    fn blank() -> Self {
        Self {
            nodes: [u64::from(f32::INFINITY.to_bits()) << 32; NODES],
            leaves: [0.0; NODES],
        }
    }

    /// Puts a subtree at a node of a level; the leaves below it are at its positions on the last level.
    fn place(&mut self, tree: &Tree, child: Child, at: usize, level: usize) -> Option<()> {
        match child {
            Child::Leaf(leaf) => {
                // Nodes below stay as they are: always left, to the first leaf below this node.
                let first = (at + 1) << (LEVELS - level);
                self.leaves[first % NODES] = tree.leaves[leaf as usize].value;
                Some(())
            }
            Child::Node(_) if level == LEVELS => None,
            Child::Node(index) => {
                let node = tree.nodes[index as usize];
                let Test::Threshold {
                    at: threshold,
                    missing_left,
                } = node.test
                else {
                    return None;
                };
                let slot = 2 * u64::from(node.feature) + u64::from(!missing_left);
                // A bound of +∞ must still let the +∞ of a missing value pass to the right.
                self.nodes[at] = u64::from(threshold.min(f32::MAX).to_bits()) << 32 | slot;
                self.place(tree, node.left, 2 * at + 1, level + 1)?;
                self.place(tree, node.right, 2 * at + 2, level + 1)
            }
        }
    }
}

//! One decision tree, as it is trained, stored and explained.
//!
//! Place on the path: split → **tree** → boost → model.
//!
//! Trees read *encoded* rows: numeric values as they are, categories as the bin number the model's dictionary gives
//! them, NaN for missing values and unknown categories. Children have higher numbers than their parent, and node 0 is
//! the root, so a tree cannot contain a cycle.

use crate::binning::MISSING_BIN;

/// A child of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Child {
    /// Index into [`Tree::nodes`].
    Node(u32),
    /// Index into [`Tree::leaves`].
    Leaf(u32),
}

/// The question a node asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    /// Left where the value does not exceed `at`; NaN as told.
    Threshold {
        /// Inclusive upper bound of the left side; may be +∞ to part missing from present.
        at: f32,
        /// Whether missing values go left.
        missing_left: bool,
    },
    /// Left where the category's bin is in the mask; bin 255 stands for missing and unknown.
    Subset {
        /// 256 bits, bin `b` in bit `b % 64` of word `b / 64`.
        mask: [u64; 4],
    },
}

impl Test {
    /// Whether an encoded value goes left.
    #[must_use]
    #[inline]
    pub fn goes_left(&self, value: f32) -> bool {
        match *self {
            Self::Threshold { at, missing_left } => {
                if value.is_nan() {
                    missing_left
                } else {
                    value <= at
                }
            }
            Self::Subset { mask } => mask_holds(&mask, encoded_bin(value)),
        }
    }
}

/// The bin an encoded categorical value stands for.
#[inline]
pub(crate) fn encoded_bin(value: f32) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "encoded categories are 0..=254, and the cast saturates"
    )]
    let bin = value as u8;
    if value.is_nan() { MISSING_BIN } else { bin }
}

/// Whether a mask holds a bin.
#[inline]
pub(crate) fn mask_holds(mask: &[u64; 4], bin: u8) -> bool {
    mask[usize::from(bin >> 6)] >> (bin & 63) & 1 == 1
}

/// An inner node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Column of the model.
    pub feature: u32,
    /// The question.
    pub test: Test,
    /// Where it leads on yes.
    pub left: Child,
    /// Where it leads on no.
    pub right: Child,
    /// Loss saved on the training rows.
    pub gain: f32,
    /// Training rows that reached it.
    pub rows: u32,
}

/// A leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leaf {
    /// Added to the score, learning rate included. Training adds the same rounded value, so nothing drifts.
    pub value: f32,
    /// Training rows that reached it.
    pub rows: u32,
}

/// A tree; one without nodes is its single leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Inner nodes, root first, parents before children.
    pub nodes: Vec<Node>,
    /// Leaves; one more than nodes.
    pub leaves: Vec<Leaf>,
}

impl Tree {
    /// A tree that gives every row the same value.
    #[must_use]
    pub fn constant(value: f32, rows: u32) -> Self {
        Self {
            nodes: Vec::new(),
            leaves: vec![Leaf { value, rows }],
        }
    }

    /// The root: node 0, or the only leaf.
    #[must_use]
    pub fn root(&self) -> Child {
        if self.nodes.is_empty() {
            Child::Leaf(0)
        } else {
            Child::Node(0)
        }
    }

    /// Index of the leaf an encoded row falls into.
    #[must_use]
    pub fn leaf_of(&self, encoded: &[f32]) -> usize {
        let mut at = self.root();
        loop {
            match at {
                Child::Leaf(leaf) => return leaf as usize,
                Child::Node(index) => {
                    let node = &self.nodes[index as usize];
                    let left = node.test.goes_left(encoded[node.feature as usize]);
                    at = if left { node.left } else { node.right };
                }
            }
        }
    }

    /// The value an encoded row gets.
    #[must_use]
    pub fn value_of(&self, encoded: &[f32]) -> f64 {
        f64::from(self.leaves[self.leaf_of(encoded)].value)
    }

    /// Training rows below a child.
    #[must_use]
    pub fn rows_of(&self, child: Child) -> u32 {
        match child {
            Child::Node(index) => self.nodes[index as usize].rows,
            Child::Leaf(index) => self.leaves[index as usize].rows,
        }
    }

    /// Edges on the longest way from the root to a leaf.
    #[must_use]
    pub fn depth(&self) -> usize {
        let mut deepest = 0;
        let mut depths = vec![0_usize; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            let below = depths[index] + 1;
            deepest = deepest.max(below);
            for child in [node.left, node.right] {
                if let Child::Node(child) = child {
                    depths[child as usize] = below;
                }
            }
        }
        deepest
    }
}

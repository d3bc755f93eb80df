//! A second opinion on a grown tree: rows that it was not grown on take back splits that only fit those it was.
//!
//! A split is chosen as the best of thousands, so what it saves on the rows that chose it flatters it; rows that had no say
//! tell what it is worth. Splits are looked at from the leaves upwards, and the whole tree may go.
//!
//! Source: Quinlan, "Simplifying Decision Trees", Int. J. Man-Machine Studies 27 (1987), §3 (reduced error pruning).

use super::{GrownLeaf, GrownTree};
use crate::split::{LeafTotals, SplitRules};
use crate::tree::Child;

impl GrownTree {
    /// Takes back each split between two leaves by which the rows not grown on would lose. `others` has their packed sum for
    /// each leaf. Returns the new number of each leaf.
    pub(crate) fn veto(&mut self, mut others: Vec<i64>, rules: &SplitRules) -> Vec<usize> {
        let mut standing: Vec<bool> = vec![true; self.nodes.len()];
        let mut goes_to: Vec<usize> = (0..self.leaves.len()).collect();
        // Children come after their parents, so that a node is met when both of its sides are settled.
        for index in (0..self.nodes.len()).rev() {
            let node = &self.nodes[index];
            let (Child::Leaf(left), Child::Leaf(right)) = (node.left, node.right) else {
                continue;
            };
            let (left, right) = (left as usize, right as usize);
            let whole = merged(&self.leaves[left], &self.leaves[right], rules);
            let saved = rules.loss_at(others[left] + others[right], whole.value)
                - rules.loss_at(others[left], self.leaves[left].value)
                - rules.loss_at(others[right], self.leaves[right].value);
            if saved >= 0.0 {
                continue;
            }
            self.leaves[left] = whole;
            others[left] += others[right];
            goes_to[right] = left;
            standing[index] = false;
            let gone = Child::Node(super::index_of(index));
            for above in &mut self.nodes[..index] {
                for side in [&mut above.left, &mut above.right] {
                    if *side == gone {
                        *side = Child::Leaf(super::index_of(left));
                    }
                }
            }
        }
        self.close_ranks(&standing, &goes_to)
    }

    /// Drops nodes that stand no more and leaves that went into another; returns the new number of each leaf.
    fn close_ranks(&mut self, standing: &[bool], goes_to: &[usize]) -> Vec<usize> {
        let new_node = new_numbers(standing);
        let stays: Vec<bool> = goes_to
            .iter()
            .enumerate()
            .map(|(at, &to)| at == to)
            .collect();
        let new_leaf = new_numbers(&stays);
        let renumbered = |child: Child| match child {
            Child::Node(index) => Child::Node(super::index_of(new_node[index as usize])),
            Child::Leaf(leaf) => Child::Leaf(super::index_of(new_leaf[leaf as usize])),
        };
        let mut places = standing.iter();
        self.nodes.retain(|_| places.next() == Some(&true));
        for node in &mut self.nodes {
            (node.left, node.right) = (renumbered(node.left), renumbered(node.right));
        }
        let mut places = stays.iter();
        self.leaves.retain(|_| places.next() == Some(&true));
        let last_of = |mut leaf: usize| {
            while goes_to[leaf] != leaf {
                leaf = goes_to[leaf];
            }
            leaf
        };
        (0..goes_to.len())
            .map(|leaf| new_leaf[last_of(leaf)])
            .collect()
    }
}

/// The leaf that two neighbours were before they were parted: their rows lie side by side, and a monotone split between them
/// had narrowed the bounds of each on one side only.
fn merged(left: &GrownLeaf, right: &GrownLeaf, rules: &SplitRules) -> GrownLeaf {
    debug_assert_eq!(left.rows.end, right.rows.start, "siblings lie side by side");
    let rows = left.rows.start..right.rows.end;
    let totals = LeafTotals {
        sum: left.sum + right.sum,
        rows: super::index_of(rows.len()),
        lower: left.lower.min(right.lower),
        upper: left.upper.max(right.upper),
    };
    GrownLeaf {
        value: rules.leaf_value(&totals),
        sum: totals.sum,
        lower: totals.lower,
        upper: totals.upper,
        rows,
    }
}

/// The place of each entry among those that are kept; of those that are not, the next one's.
fn new_numbers(kept: &[bool]) -> Vec<usize> {
    let mut next = 0;
    kept.iter()
        .map(|&is_kept| {
            next += usize::from(is_kept);
            next - usize::from(is_kept)
        })
        .collect()
}

#[cfg(test)]
mod tests;

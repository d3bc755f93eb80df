//! Exact Shapley values of a forest's score: how much each feature moved one prediction away from the average.
//!
//! Place on the path: model → **explanation**.
//!
//! The game is the path-dependent one of Lundberg et al., "From local explanations to global understanding with
//! explainable AI for trees", Nature Machine Intelligence 2 (2020): an unknown feature follows both branches in
//! proportion to the training rows. The Shapley value is the integral over t in [0, 1] of the game's multilinear
//! extension (Owen, "Multilinear Extensions of Games", Management Science 18, 1972). Along a path each feature
//! contributes a factor z·(1−t) + o·t, with z the share of rows its branches keep and o whether the row takes them all;
//! the product is a polynomial in t, so Gauss–Legendre quadrature with enough points is exact. One walk down and up a
//! tree then costs O(nodes × points), where the published algorithm costs O(leaves × depth²).

use crate::model::{Model, PredictError};
use crate::tree::{Child, Test, Tree};

mod quadrature;
mod walk;
use quadrature::Rule;
use walk::{Edge, Walk};

/// A model prepared for explanation: conditions and row shares of every edge, laid out in walking order.
#[derive(Debug, Clone)]
pub struct Explainer<'model> {
    model: &'model Model,
    trees: Vec<PreparedTree>,
    /// Mean score over the training rows, an output.
    expected: Vec<f64>,
    rules: [Rule; 4],
}

/// A tree as a list of edges in depth-first order.
#[derive(Debug, Clone)]
struct PreparedTree {
    output: usize,
    /// Index into the quadrature rules.
    rule: usize,
    edges: Vec<Edge>,
    tests: Vec<(u32, Test)>,
    depth: usize,
}

/// Numbers of points offered; a rule with `n` points is exact for paths of up to `2n` distinct features.
const POINTS: [usize; 4] = [4, 8, 16, 32];

impl<'model> Explainer<'model> {
    /// Prepares a model; costs about as much as reading it once.
    #[must_use]
    pub fn new(model: &'model Model) -> Self {
        let outputs = model.base().len();
        let mut expected = model.base().to_vec();
        let mut trees = Vec::with_capacity(model.trees().len());
        for (index, tree) in model.trees().iter().enumerate() {
            let output = index % outputs;
            expected[output] += mean_value(tree);
            if !tree.nodes.is_empty() {
                trees.push(prepare(tree, output));
            }
        }
        Self {
            model,
            trees,
            expected,
            rules: POINTS.map(Rule::new),
        }
    }

    /// The score an output has before anything is known about a row.
    #[must_use]
    pub fn expected(&self) -> &[f64] {
        &self.expected
    }

    /// Shapley values of one row on the score's scale: outputs × features in row-major order. Each output's values
    /// and its expected score add up to the row's score.
    ///
    /// # Errors
    /// [`PredictError::FeatureCount`].
    pub fn explain(&self, row: &[f32]) -> Result<Vec<f64>, PredictError> {
        self.model.check_width(row.len())?;
        let mut encoded = vec![0.0; row.len()];
        self.model.encode(row, &mut encoded);
        let mut values = vec![0.0; self.expected.len() * row.len()];
        let mut walk = Walk::default();
        for tree in &self.trees {
            let values = &mut values[tree.output * row.len()..(tree.output + 1) * row.len()];
            walk.decide(&tree.tests, &encoded);
            let rule = &self.rules[tree.rule];
            match POINTS[tree.rule] {
                4 => walk.run::<4>(&tree.edges, rule, tree.depth, values),
                8 => walk.run::<8>(&tree.edges, rule, tree.depth, values),
                16 => walk.run::<16>(&tree.edges, rule, tree.depth, values),
                _ => walk.run::<32>(&tree.edges, rule, tree.depth, values),
            }
        }
        Ok(values)
    }
}

/// Mean leaf value over the training rows.
fn mean_value(tree: &Tree) -> f64 {
    let total: f64 = tree.leaves.iter().map(|leaf| f64::from(leaf.rows)).sum();
    if tree.nodes.is_empty() || total == 0.0 {
        return tree
            .leaves
            .first()
            .map_or(0.0, |leaf| f64::from(leaf.value));
    }
    tree.leaves
        .iter()
        .map(|leaf| f64::from(leaf.value) * f64::from(leaf.rows) / total)
        .sum()
}

/// Lists the edges of a tree depth-first, each with its share of rows and the edge above that asked the same feature.
fn prepare(tree: &Tree, output: usize) -> PreparedTree {
    let mut edges: Vec<Edge> = Vec::with_capacity(tree.nodes.len() * 2);
    let mut most_features = 0;
    let mut deepest = 0;
    // Each entry: the child, its edge's parent node, whether it is the left one, its level, the path's edges.
    let mut stack: Vec<(Child, u32, bool, usize)> = Vec::new();
    let mut path: Vec<usize> = Vec::new();
    push_children(tree, 0, 0, &mut stack);
    while let Some((child, parent, is_left, level)) = stack.pop() {
        path.truncate(level);
        let node = &tree.nodes[parent as usize];
        let same = path
            .iter()
            .rev()
            .copied()
            .find(|&edge| edges[edge].feature == node.feature);
        let share = f64::from(tree.rows_of(child)) / f64::from(node.rows.max(1));
        let distinct =
            path.last().map_or(0, |&edge| edges[edge].distinct) + usize::from(same.is_none());
        edges.push(Edge {
            feature: node.feature,
            node: parent,
            is_left,
            level,
            share: share * same.map_or(1.0, |edge| edges[edge].share),
            same_level: same.map(|edge| edges[edge].level),
            distinct,
            leaf: match child {
                Child::Leaf(leaf) => Some(f64::from(tree.leaves[leaf as usize].value)),
                Child::Node(_) => None,
            },
        });
        most_features = most_features.max(distinct);
        deepest = deepest.max(level + 1);
        path.push(edges.len() - 1);
        if let Child::Node(index) = child {
            push_children(tree, index, level + 1, &mut stack);
        }
    }
    let rule = POINTS
        .iter()
        .position(|&points| most_features <= 2 * points);
    PreparedTree {
        output,
        rule: rule.unwrap_or(POINTS.len() - 1),
        edges,
        tests: tree
            .nodes
            .iter()
            .map(|node| (node.feature, node.test))
            .collect(),
        depth: deepest,
    }
}

fn push_children(
    tree: &Tree,
    index: u32,
    level: usize,
    stack: &mut Vec<(Child, u32, bool, usize)>,
) {
    let node = &tree.nodes[index as usize];
    stack.push((node.right, index, false, level));
    stack.push((node.left, index, true, level));
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

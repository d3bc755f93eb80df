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
use walk::{Edge, NO_SAME, PLACES_BEFORE, ROOT, Walk};

/// A model prepared for explanation: conditions and row shares of every edge, laid out in walking order.
#[derive(Debug, Clone)]
pub struct Explainer<'model> {
    model: &'model Model,
    trees: Vec<PreparedTree>,
    /// Mean score over the training rows, an output.
    expected: Vec<f64>,
    rules: [Rule; POINTS.len()],
}

/// A tree as a list of edges, parents before children.
#[derive(Debug, Clone)]
struct PreparedTree {
    output: usize,
    /// Index into the quadrature rules.
    rule: usize,
    edges: Vec<Edge>,
    tests: Vec<(u32, Test)>,
}

/// Numbers of points offered; a rule with `n` points is exact for paths of up to `2n` distinct features.
const POINTS: [usize; 8] = [2, 4, 6, 8, 10, 12, 16, 32];

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
                2 => walk.run::<2>(&tree.edges, rule, values),
                4 => walk.run::<4>(&tree.edges, rule, values),
                6 => walk.run::<6>(&tree.edges, rule, values),
                8 => walk.run::<8>(&tree.edges, rule, values),
                10 => walk.run::<10>(&tree.edges, rule, values),
                12 => walk.run::<12>(&tree.edges, rule, values),
                16 => walk.run::<16>(&tree.edges, rule, values),
                _ => walk.run::<32>(&tree.edges, rule, values),
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

/// Lists the edges of a tree, each with its share of rows and the edge above that asked the same feature.
fn prepare(tree: &Tree, output: usize) -> PreparedTree {
    let mut edges: Vec<Edge> = Vec::with_capacity(tree.nodes.len() * 2);
    // Place of the edge that leads to each node, and distinct features down to each edge.
    let mut places = vec![ROOT; tree.nodes.len()];
    let mut distinct: Vec<usize> = Vec::with_capacity(tree.nodes.len() * 2);
    for ((index, node), parent) in tree.nodes.iter().enumerate().zip(0_u32..) {
        let above = places[index];
        let same = same_above(&edges, above, node.feature);
        let known = |place: u32| &edges[(place - PLACES_BEFORE) as usize];
        let share_above = if same == NO_SAME {
            1.0
        } else {
            known(same).share
        };
        let features = if above == ROOT {
            0
        } else {
            distinct[(above - PLACES_BEFORE) as usize]
        };
        for (child, is_left) in [(node.left, true), (node.right, false)] {
            let share = f64::from(tree.rows_of(child)) / f64::from(node.rows.max(1));
            let place = PLACES_BEFORE + u32::try_from(edges.len()).unwrap_or(u32::MAX);
            edges.push(Edge {
                feature: node.feature,
                node: parent,
                is_left,
                parent: above,
                same,
                share: share * share_above,
                value: match child {
                    Child::Leaf(leaf) => f64::from(tree.leaves[leaf as usize].value),
                    Child::Node(_) => 0.0,
                },
            });
            distinct.push(features + usize::from(same == NO_SAME));
            if let Child::Node(child) = child {
                places[child as usize] = place;
            }
        }
    }
    let most_features = distinct.iter().copied().max().unwrap_or(0);
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
    }
}

/// Place of the nearest edge at or above `place` that asks `feature`.
fn same_above(edges: &[Edge], mut place: u32, feature: u32) -> u32 {
    while place != ROOT {
        let edge = &edges[(place - PLACES_BEFORE) as usize];
        if edge.feature == feature {
            return place;
        }
        place = edge.parent;
    }
    NO_SAME
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests make small numbers")]
mod tests;

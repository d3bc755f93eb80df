//! The walk over one tree that collects Shapley values: products of factors on the way down, sums on the way up.

use super::quadrature::Rule;
use crate::tree::Test;

/// One edge of a tree, in depth-first order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) feature: u32,
    /// The node it leaves from and its side.
    pub(super) node: u32,
    pub(super) is_left: bool,
    /// Edges above it.
    pub(super) level: usize,
    /// Share of rows kept by this edge and every edge above that asks the same feature.
    pub(super) share: f64,
    /// Level of the nearest edge above that asks the same feature.
    pub(super) same_level: Option<usize>,
    /// Distinct features from the root to here.
    pub(super) distinct: usize,
    /// The leaf's value, if it leads to one.
    pub(super) leaf: Option<f64>,
}

/// Buffers of a walk, reused from tree to tree.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Whether the row goes left, by node.
    goes_left: Vec<bool>,
}

/// What one level of the current path holds.
#[derive(Clone, Copy)]
struct Level<const POINTS: usize> {
    feature: u32,
    /// Whether the row takes this edge and all above that ask the same feature.
    taken: f64,
    share: f64,
    same_level: Option<usize>,
    /// Weighted 1 / factor of the feature up to this edge, at each point.
    inverse: [f64; POINTS],
    /// Product of all features' factors.
    product: [f64; POINTS],
    /// Sum over the leaves below of value × product.
    below: [f64; POINTS],
}

impl Walk {
    /// Answers every node's question once.
    pub(super) fn decide(&mut self, tests: &[(u32, Test)], encoded: &[f32]) {
        self.goes_left.clear();
        let answers = tests
            .iter()
            .map(|(feature, test)| test.goes_left(encoded[*feature as usize]));
        self.goes_left.extend(answers);
    }

    /// Adds one tree's Shapley values to `values`, one place a feature.
    pub(super) fn run<const POINTS: usize>(
        &self,
        edges: &[Edge],
        rule: &Rule,
        depth: usize,
        values: &mut [f64],
    ) {
        let (Ok(points), Ok(weights)) = (
            <[f64; POINTS]>::try_from(rule.points.as_slice()),
            <[f64; POINTS]>::try_from(rule.weights.as_slice()),
        ) else {
            return;
        };
        let blank = Level {
            feature: 0,
            taken: 0.0,
            share: 0.0,
            same_level: None,
            inverse: [0.0; POINTS],
            product: [0.0; POINTS],
            below: [0.0; POINTS],
        };
        // Paths are at most DEPTH_MAX long; the levels live on the stack.
        let mut levels = [blank; crate::params::DEPTH_MAX + 1];
        let mut open = 0;
        for edge in edges {
            while open > edge.level {
                open -= 1;
                close(&mut levels, open, &weights, values);
            }
            let goes = self.goes_left[edge.node as usize] == edge.is_left;
            descend(&mut levels, edge, if goes { 1.0 } else { 0.0 }, &points);
            open += 1;
        }
        debug_assert!(
            open <= depth,
            "a path is never longer than its tree is deep"
        );
        while open > 0 {
            open -= 1;
            close(&mut levels, open, &weights, values);
        }
    }
}

fn descend<const POINTS: usize>(
    levels: &mut [Level<POINTS>],
    edge: &Edge,
    goes: f64,
    points: &[f64; POINTS],
) {
    let (above, rest) = levels.split_at_mut(edge.level);
    let level = &mut rest[0];
    let same = edge.same_level.map(|same| &above[same]);
    level.feature = edge.feature;
    level.same_level = edge.same_level;
    level.share = edge.share;
    level.taken = goes * same.map_or(1.0, |same| same.taken);
    level.below = [0.0; POINTS];
    let parent = above.last().map_or([1.0; POINTS], |parent| parent.product);
    for point in 0..POINTS {
        let factor = edge.share * (1.0 - points[point]) + level.taken * points[point];
        level.inverse[point] = 1.0 / factor;
        level.product[point] = parent[point] * factor;
    }
    if let Some(same) = same {
        for (product, &inverse) in level.product.iter_mut().zip(&same.inverse) {
            *product *= inverse;
        }
    }
    if let Some(value) = edge.leaf {
        for (below, &product) in level.below.iter_mut().zip(&level.product) {
            *below = value * product;
        }
    }
}

/// Books a finished edge's leaves on its feature and passes them up.
fn close<const POINTS: usize>(
    levels: &mut [Level<POINTS>],
    at: usize,
    weights: &[f64; POINTS],
    values: &mut [f64],
) {
    let (above, rest) = levels.split_at_mut(at);
    let level = &rest[0];
    let weighted = |inverse: &[f64; POINTS]| {
        let mut terms = [0.0; POINTS];
        for point in 0..POINTS {
            terms[point] = weights[point] * level.below[point] * inverse[point];
        }
        terms.iter().sum::<f64>()
    };
    let mut value = (level.taken - level.share) * weighted(&level.inverse);
    if let Some(same) = level.same_level {
        // The edge above with the same feature will book these leaves with its own share; that is taken back here.
        let same = &above[same];
        value -= (same.taken - same.share) * weighted(&same.inverse);
    }
    values[level.feature as usize] += value;
    if let Some(parent) = above.last_mut() {
        for (sum, &below) in parent.below.iter_mut().zip(&level.below) {
            *sum += below;
        }
    }
}

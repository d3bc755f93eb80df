//! The walk over one tree that collects Shapley values: products of factors on the way down, sums on the way up.
//!
//! Edges stand with parents before children, so that both ways are plain loops. An edge without an edge above that asks
//! the same feature points to a place whose factor is one: the loops have no branch for it, and what is booked there is
//! worth nothing.

use super::quadrature::Rule;
use crate::tree::Test;

/// Place of the root, above all edges.
pub(super) const ROOT: u32 = 0;
/// Place that stands for "no edge above asks the same feature".
pub(super) const NO_SAME: u32 = 1;
/// Places before the first edge's.
pub(super) const PLACES_BEFORE: u32 = 2;

/// One edge of a tree; its place is its index and [`PLACES_BEFORE`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) feature: u32,
    /// The node it leaves from and its side.
    pub(super) node: u32,
    pub(super) is_left: bool,
    /// Place of the edge above it, or [`ROOT`].
    pub(super) parent: u32,
    /// Place of the nearest edge above that asks the same feature, or [`NO_SAME`].
    pub(super) same: u32,
    /// Share of rows kept by this edge and every edge above that asks the same feature.
    pub(super) share: f64,
    /// The leaf's value; zero for an edge that leads to a node.
    pub(super) value: f64,
}

/// Buffers of a walk, reused from tree to tree.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Whether the row goes left, by node.
    goes_left: Vec<bool>,
    /// By place, whether the row takes the edge and all above that ask the same feature: one or zero.
    taken: Vec<f64>,
    /// By place and point, 1 / factor of the feature up to this edge.
    inverse: Vec<f64>,
    /// By place and point: on the way down the product of all features' factors, on the way up the sum over the leaves
    /// below of value × product.
    below: Vec<f64>,
    /// The same sum without the leaves that an edge further down books on the same feature.
    net: Vec<f64>,
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
        &mut self,
        edges: &[Edge],
        rule: &Rule,
        values: &mut [f64],
    ) {
        let (Ok(points), Ok(weights)) = (
            <[f64; POINTS]>::try_from(rule.points.as_slice()),
            <[f64; POINTS]>::try_from(rule.weights.as_slice()),
        ) else {
            return;
        };
        let places = edges.len() + PLACES_BEFORE as usize;
        self.taken.clear();
        self.taken.resize(places, 1.0);
        for buffer in [&mut self.inverse, &mut self.below] {
            buffer.resize(buffer.len().max(places * POINTS), 0.0);
            buffer[..PLACES_BEFORE as usize * POINTS].fill(1.0);
        }
        self.net.clear();
        self.net.resize(places * POINTS, 0.0);
        let inverse = &mut self.inverse.as_chunks_mut::<POINTS>().0[..places];
        let below = &mut self.below.as_chunks_mut::<POINTS>().0[..places];
        let net = &mut self.net.as_chunks_mut::<POINTS>().0[..places];
        for (edge, place) in edges.iter().zip(PLACES_BEFORE as usize..places) {
            let goes = self.goes_left[edge.node as usize] == edge.is_left;
            let taken = if goes {
                self.taken[edge.same as usize]
            } else {
                0.0
            };
            self.taken[place] = taken;
            let (parent, same) = (below[edge.parent as usize], inverse[edge.same as usize]);
            for point in 0..POINTS {
                let factor = edge.share + (taken - edge.share) * points[point];
                inverse[place][point] = 1.0 / factor;
                below[place][point] = parent[point] * factor * same[point];
            }
        }
        for (edge, below) in edges.iter().zip(&mut below[PLACES_BEFORE as usize..]) {
            for product in below {
                *product *= edge.value;
            }
        }
        for (edge, place) in edges.iter().zip(PLACES_BEFORE as usize..places).rev() {
            let own = below[place];
            let mut sums = [0.0; POINTS];
            for point in 0..POINTS {
                sums[point] =
                    weights[point] * inverse[place][point] * (net[place][point] + own[point]);
            }
            values[edge.feature as usize] +=
                (self.taken[place] - edge.share) * sums.iter().sum::<f64>();
            for point in 0..POINTS {
                below[edge.parent as usize][point] += own[point];
                net[edge.same as usize][point] -= own[point];
            }
        }
    }
}

//! Leaf-wise growth of one tree: always split the leaf that saves the most loss.
//!
//! Place on the path: histogram and split → **growth** → tree.
//!
//! The leader keeps the leaves and the partition of rows. Each worker owns some tiles of features and their
//! histograms, builds the smaller child of a split from rows, takes it from the parent for the larger one, and answers
//! with its best split of both. Sums are integers and ties go to the lower feature, so neither the number of workers
//! nor their timing can show in the tree.

use crate::binning::{Binner, FeatureBins};
use crate::crew::Crew;
use crate::histogram::PackedGradients;
use crate::matrix::{BinnedMatrix, UsedFeature};
use crate::params::Params;
use crate::split::{Candidate, LeafTotals, Rule, SplitRules};
use crate::tree::{Child, Leaf, Node, Test, Tree, mask_holds};
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

mod in_memory;
mod veto;
mod worker;
use in_memory::InMemory;
use worker::Worker;
pub(crate) use worker::{ChildTask, Task};

/// Histograms of all leaves are kept up to this many bytes; beyond, both children are built from their rows.
const HISTOGRAM_BYTES_MAX: usize = 512 << 20;

/// When growth stops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrowthLimits {
    pub(crate) leaves_max: usize,
    pub(crate) depth_max: usize,
    pub(crate) rows_min: usize,
}

impl GrowthLimits {
    pub(crate) fn new(params: &Params) -> Self {
        Self {
            leaves_max: params.leaves_max,
            depth_max: params.depth_max,
            rows_min: params.rows_min,
        }
    }
}

/// A tree over bins, with the rows of each leaf.
#[derive(Debug)]
pub(crate) struct GrownTree {
    nodes: Vec<GrownNode>,
    leaves: Vec<GrownLeaf>,
}

#[derive(Debug)]
struct GrownNode {
    used: usize,
    rule: Rule,
    left: Child,
    right: Child,
    gain: f64,
    rows: u32,
}

/// A finished leaf: its value before the learning rate, its packed sum and bounds, and its rows in the grower's order.
#[derive(Debug, Clone)]
pub(crate) struct GrownLeaf {
    pub(crate) value: f64,
    sum: i64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) rows: Range<usize>,
}

/// Buffers that live as long as a training run.
#[derive(Debug)]
pub(crate) struct Grower {
    workers: Vec<Worker>,
    rows: RwLock<Vec<u32>>,
    scratch: Vec<u32>,
    keeps_histograms: bool,
}

/// Where the rows of a growing tree are: in memory, or streamed past it.
pub(crate) trait Growth {
    /// Why it cannot go on.
    type Error;

    /// Builds the histograms that the task wants and answers with the best splits.
    fn evaluate(&mut self, task: Task) -> Result<[Option<Candidate>; 2], Self::Error>;

    /// Parts the rows of the leaf `leaf`, those in `range` of the order in which leaves lie side by side: the right side becomes
    /// the leaf `new`. Returns how many rows went left.
    fn part(
        &mut self,
        leaf: usize,
        new: usize,
        range: Range<usize>,
        candidate: &Candidate,
    ) -> Result<usize, Self::Error>;
}

struct OpenLeaf {
    range: Range<usize>,
    totals: LeafTotals,
    depth: usize,
    slot: usize,
    best: Option<Candidate>,
    /// The parent node and whether this leaf is its left child.
    parent: Option<(usize, bool)>,
}

impl Grower {
    /// Buffers for trees of at most `leaves_max` leaves over the matrix.
    pub(crate) fn new(matrix: &BinnedMatrix, leaves_max: usize, threads: usize) -> Self {
        let tiles = matrix.tile_starts.len() - 1;
        let workers = threads.clamp(1, tiles.max(1));
        let bytes = leaves_max * matrix.used.len() * 256 * 8;
        Self {
            workers: (0..workers)
                .map(|index| Worker::new(index * tiles / workers..(index + 1) * tiles / workers))
                .collect(),
            rows: RwLock::new(Vec::new()),
            scratch: Vec::new(),
            keeps_histograms: bytes <= HISTOGRAM_BYTES_MAX,
        }
    }

    /// The rows of the last tree's leaves; a leaf's range points in here.
    pub(crate) fn rows(&mut self) -> &[u32] {
        self.rows.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grows one tree on `rows`, using the features whose flag in `chosen` is set.
    pub(crate) fn grow(
        &mut self,
        matrix: &BinnedMatrix,
        gradients: &PackedGradients,
        rows: impl Iterator<Item = u32>,
        chosen: &[bool],
        rules: &SplitRules,
        limits: &GrowthLimits,
    ) -> GrownTree {
        let list = self.rows.get_mut().unwrap_or_else(PoisonError::into_inner);
        list.clear();
        list.extend(rows);
        let sum = list.iter().map(|&row| gradients.words[row as usize]).sum();
        let count = list.len();
        for worker in &mut self.workers {
            worker.choose(matrix, chosen);
        }
        let context = Context {
            matrix,
            gradients,
            rows: &self.rows,
            rules,
            keeps_histograms: self.keeps_histograms,
        };
        let (own, others) = self
            .workers
            .split_first_mut()
            .expect("there is at least one worker");
        let crew = Crew::new();
        std::thread::scope(|scope| {
            let _closing = crew.closing();
            let helpers = others.len();
            for worker in others {
                let (crew, context) = (&crew, &context);
                scope.spawn(move || worker.serve(crew, context));
            }
            let evaluate = |task: Task| {
                if helpers > 0 {
                    crew.post(task);
                }
                let mut best = own.evaluate(task, &context);
                if helpers > 0 {
                    for answer in crew.collect(helpers) {
                        best[0] = Candidate::better(best[0], answer[0]);
                        best[1] = Candidate::better(best[1], answer[1]);
                    }
                }
                best
            };
            let scratch = &mut self.scratch;
            let mut growth = InMemory {
                context: &context,
                scratch,
                evaluate,
            };
            let Ok(tree) = grow_leaves(count, sum, &mut growth, &matrix.used, rules, limits);
            tree
        })
    }
}

/// What leader and workers read while a tree grows; the rows are written only while no worker has a task.
pub(crate) struct Context<'run> {
    matrix: &'run BinnedMatrix,
    gradients: &'run PackedGradients,
    rows: &'run RwLock<Vec<u32>>,
    rules: &'run SplitRules,
    keeps_histograms: bool,
}

/// Grows a tree on `rows` rows of this packed sum.
pub(crate) fn grow_leaves<G: Growth>(
    rows: usize,
    sum: i64,
    growth: &mut G,
    used: &[UsedFeature],
    rules: &SplitRules,
    limits: &GrowthLimits,
) -> Result<GrownTree, G::Error> {
    let mut nodes: Vec<GrownNode> = Vec::new();
    let mut leaves = vec![OpenLeaf::root(rows, sum)];
    if limits.leaves_max > 1 && leaves[0].may_split(limits) {
        let task = leaves[0].task(0);
        leaves[0].best = growth.evaluate(Task::Root(task))?[0];
    }
    while leaves.len() < limits.leaves_max {
        let Some((index, candidate)) = best_leaf(&leaves) else {
            break;
        };
        let new = leaves.len();
        let left_rows = growth.part(index, new, leaves[index].range.clone(), &candidate)?;
        let (left, right, rule) =
            leaves[index].split(&candidate, left_rows, used, rules, nodes.len(), new);
        let node = index_of(nodes.len());
        if let Some((parent, is_left)) = leaves[index].parent {
            let place = if is_left {
                &mut nodes[parent].left
            } else {
                &mut nodes[parent].right
            };
            *place = Child::Node(node);
        }
        nodes.push(GrownNode {
            used: candidate.used,
            rule,
            left: Child::Leaf(index_of(index)),
            right: Child::Leaf(index_of(leaves.len())),
            gain: candidate.gain,
            rows: leaves[index].totals.rows,
        });
        let parent_slot = leaves[index].slot;
        leaves[index] = left;
        leaves.push(right);
        if leaves.len() < limits.leaves_max {
            evaluate_children(&mut leaves, index, parent_slot, limits, growth)?;
        }
    }
    let leaves = leaves
        .into_iter()
        .map(|leaf| GrownLeaf {
            value: rules.leaf_value(&leaf.totals),
            sum: leaf.totals.sum,
            lower: leaf.totals.lower,
            upper: leaf.totals.upper,
            rows: leaf.range,
        })
        .collect();
    Ok(GrownTree { nodes, leaves })
}

fn evaluate_children<G: Growth>(
    leaves: &mut [OpenLeaf],
    left: usize,
    parent_slot: usize,
    limits: &GrowthLimits,
    growth: &mut G,
) -> Result<(), G::Error> {
    let right = leaves.len() - 1;
    let left_is_small = leaves[left].range.len() <= leaves[right].range.len();
    let (small, large) = if left_is_small {
        (left, right)
    } else {
        (right, left)
    };
    if !leaves[small].may_split(limits) && !leaves[large].may_split(limits) {
        return Ok(());
    }
    let [small_best, large_best] = growth.evaluate(Task::Children {
        parent_slot,
        small: leaves[small].task(small),
        small_wanted: leaves[small].may_split(limits),
        large: leaves[large].task(large),
        large_wanted: leaves[large].may_split(limits),
    })?;
    leaves[small].best = small_best;
    leaves[large].best = large_best;
    Ok(())
}

/// The open leaf with the greatest gain; the lowest index among equals.
fn best_leaf(leaves: &[OpenLeaf]) -> Option<(usize, Candidate)> {
    let mut best: Option<(usize, Candidate)> = None;
    for (index, leaf) in leaves.iter().enumerate() {
        if let Some(candidate) = leaf.best
            && best.is_none_or(|(_, top)| candidate.gain > top.gain)
        {
            best = Some((index, candidate));
        }
    }
    best
}

fn index_of(value: usize) -> u32 {
    u32::try_from(value).expect("a tree has fewer than 2^16 leaves")
}

impl OpenLeaf {
    fn root(rows: usize, sum: i64) -> Self {
        Self {
            range: 0..rows,
            totals: LeafTotals {
                sum,
                rows: index_of(rows),
                lower: f64::NEG_INFINITY,
                upper: f64::INFINITY,
            },
            depth: 0,
            slot: 0,
            best: None,
            parent: None,
        }
    }

    fn may_split(&self, limits: &GrowthLimits) -> bool {
        self.depth < limits.depth_max && self.range.len() >= 2 * limits.rows_min.max(1)
    }

    fn task(&self, leaf: usize) -> ChildTask {
        ChildTask {
            leaf,
            begin: self.range.start,
            end: self.range.end,
            slot: self.slot,
            totals: self.totals,
        }
    }

    /// Makes the two children of a leaf whose rows were parted; the larger one takes over the parent's histogram slot.
    fn split(
        &self,
        candidate: &Candidate,
        left_rows: usize,
        used: &[UsedFeature],
        rules: &SplitRules,
        node: usize,
        free_slot: usize,
    ) -> (Self, Self, Rule) {
        let middle = self.range.start + left_rows;
        let (left_range, right_range) = (self.range.start..middle, middle..self.range.end);
        let rule = settle(candidate.rule, left_range.len() >= right_range.len());
        let left_is_small = left_range.len() <= right_range.len();
        let (mut left, mut right) = (self.totals, self.totals);
        left.sum = candidate.left;
        right.sum = self.totals.sum - candidate.left;
        left.rows = index_of(left_range.len());
        right.rows = index_of(right_range.len());
        rules.tighten(used[candidate.used].monotone, &mut left, &mut right);
        let child = |range, totals, slot, is_left| Self {
            range,
            totals,
            depth: self.depth + 1,
            slot,
            best: None,
            parent: Some((node, is_left)),
        };
        let (left_slot, right_slot) = if left_is_small {
            (free_slot, self.slot)
        } else {
            (self.slot, free_slot)
        };
        (
            child(left_range, left, left_slot, true),
            child(right_range, right, right_slot, false),
            rule,
        )
    }
}

/// A leaf without missing values sends those of later rows to its larger child.
pub(crate) fn settle(rule: Rule, left_is_larger: bool) -> Rule {
    match rule {
        Rule::Threshold { bin, missing_left } => Rule::Threshold {
            bin,
            missing_left: Some(missing_left.unwrap_or(left_is_larger)),
        },
        Rule::Subset { mask } => Rule::Subset { mask },
    }
}

/// For each bin, 1 where it goes left.
pub(crate) fn left_table(rule: &Rule) -> [u8; 256] {
    std::array::from_fn(|bin| {
        #[expect(clippy::cast_possible_truncation, reason = "the array has 256 places")]
        let bin = bin as u8;
        u8::from(match *rule {
            Rule::Threshold {
                bin: last,
                missing_left,
            } => {
                if bin == crate::binning::MISSING_BIN {
                    missing_left.unwrap_or(false)
                } else {
                    bin <= last
                }
            }
            Rule::Subset { mask } => mask_holds(&mask, bin),
        })
    })
}

impl GrownLeaf {
    /// What the leaf adds to a score at a learning rate, rounded as it will be stored.
    pub(crate) fn step(&self, learning_rate: f64) -> f32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "leaf values are stored as f32 on purpose"
        )]
        let step = (self.value * learning_rate) as f32;
        step
    }
}

impl GrownTree {
    /// The finished leaves.
    pub(crate) fn leaves(&self) -> &[GrownLeaf] {
        &self.leaves
    }

    /// Whether no split was worth it.
    pub(crate) fn is_constant(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Takes rows that the tree was not grown on, given as leaf and packed sum, into the leaves' values.
    pub(crate) fn take_in(&mut self, rows: impl Iterator<Item = (usize, i64)>, rules: &SplitRules) {
        for (leaf, sum) in rows {
            self.leaves[leaf].sum += sum;
        }
        for leaf in &mut self.leaves {
            leaf.value = rules.leaf_value(&LeafTotals {
                sum: leaf.sum,
                rows: index_of(leaf.rows.len()),
                lower: leaf.lower,
                upper: leaf.upper,
            });
        }
    }

    /// Replaces the value of a leaf, held in its bounds.
    pub(crate) fn set_value(&mut self, leaf: usize, value: f64) {
        let leaf = &mut self.leaves[leaf];
        leaf.value = value.clamp(leaf.lower, leaf.upper);
    }

    /// The leaf of one row of a matrix binned like the training one.
    pub(crate) fn leaf_of(&self, matrix: &BinnedMatrix, row: usize) -> usize {
        self.leaf_by(|used| matrix.bin(row, used))
    }

    /// The used features that any of its splits looks at.
    pub(crate) fn asked(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().map(|node| node.used)
    }

    /// The leaf of a row, by its bin of each used feature.
    pub(crate) fn leaf_by(&self, bin: impl Fn(usize) -> u8) -> usize {
        let mut at = if self.nodes.is_empty() {
            Child::Leaf(0)
        } else {
            Child::Node(0)
        };
        loop {
            match at {
                Child::Leaf(leaf) => return leaf as usize,
                Child::Node(index) => {
                    let node = &self.nodes[index as usize];
                    at = if rule_goes_left(&node.rule, bin(node.used)) {
                        node.left
                    } else {
                        node.right
                    };
                }
            }
        }
    }

    /// The tree in terms of raw values, its leaves scaled by the learning rate.
    pub(crate) fn finish(&self, used: &[UsedFeature], binner: &Binner, learning_rate: f64) -> Tree {
        Tree {
            nodes: self
                .nodes
                .iter()
                .map(|node| node.finish(used, binner))
                .collect(),
            leaves: self
                .leaves
                .iter()
                .map(|leaf| Leaf {
                    value: leaf.step(learning_rate),
                    rows: index_of(leaf.rows.len()),
                })
                .collect(),
        }
    }
}

fn rule_goes_left(rule: &Rule, bin: u8) -> bool {
    match *rule {
        Rule::Threshold { missing_left, .. } if bin == crate::binning::MISSING_BIN => {
            missing_left.unwrap_or(false)
        }
        Rule::Threshold { bin: last, .. } => bin <= last,
        Rule::Subset { mask } => mask_holds(&mask, bin),
    }
}

impl GrownNode {
    fn finish(&self, used: &[UsedFeature], binner: &Binner) -> Node {
        let column = used[self.used].column;
        let test = match (self.rule, &binner.features[column as usize]) {
            (Rule::Threshold { bin, missing_left }, FeatureBins::Numeric { cuts }) => {
                Test::Threshold {
                    at: cuts.get(usize::from(bin)).copied().unwrap_or(f32::INFINITY),
                    missing_left: missing_left.unwrap_or(false),
                }
            }
            (Rule::Subset { mask }, _) => Test::Subset { mask },
            (Rule::Threshold { .. }, FeatureBins::Categorical { .. }) => {
                unreachable!("categories are split by subset")
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "importances need no more than f32"
        )]
        let gain = self.gain as f32;
        Node {
            feature: column,
            test,
            left: self.left,
            right: self.right,
            gain,
            rows: self.rows,
        }
    }
}

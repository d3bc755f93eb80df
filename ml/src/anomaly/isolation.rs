//! An isolation forest: random cuts part odd rows from the rest sooner than ordinary ones.
//!
//! Source: Liu, Ting, Zhou, "Isolation Forest", ICDM 2008. Missing values go to a random side.

use super::perfect::{LEVELS, PerfectForest, Slots};
use crate::dataset::Feature;
use crate::frame::{ReadError, Reader, WriteError, Writer, require};
use crate::model::ModelFeature;
use crate::model_file::{read_tree, write_tree};
use crate::random::Random;
use crate::tree::{Child, Leaf, Node, Test, Tree};
use ndarray::ArrayView2;

const TREES: usize = 64;
const TREES_MAX: usize = 10_000;
/// Rows each tree sees.
const SAMPLE_ROWS: usize = 1 << LEVELS;

/// Trees whose leaf values are path lengths.
#[derive(Debug, Clone)]
pub(super) struct IsolationForest {
    trees: Vec<Tree>,
    /// Mean path length of an unsuccessful search among the sampled rows.
    ordinary_path: f64,
    perfect: PerfectForest,
}

impl PartialEq for IsolationForest {
    fn eq(&self, other: &Self) -> bool {
        self.trees == other.trees && self.ordinary_path == other.ordinary_path
    }
}

impl IsolationForest {
    /// None when no column varies.
    pub(super) fn fit(rows: &ArrayView2<'_, f32>, seed: u64) -> Option<Self> {
        let sample_rows = SAMPLE_ROWS.min(rows.nrows());
        let trees: Vec<Tree> = (0..TREES)
            .map(|tree| {
                let mut random = Random::new(seed, tree as u64);
                let sample = random.choose_ordered(rows.nrows(), sample_rows);
                Grower::new(rows, sample_rows).grow(sample, &mut random)
            })
            .collect();
        if trees.iter().all(|tree| tree.nodes.is_empty()) {
            return None;
        }
        Self::new(trees, mean_search_path(sample_rows as f64))
    }

    fn new(trees: Vec<Tree>, ordinary_path: f64) -> Option<Self> {
        Some(Self {
            perfect: PerfectForest::new(&trees)?,
            trees,
            ordinary_path,
        })
    }

    /// 2^(−mean path / ordinary path): near 1 for a row that is parted early.
    pub(super) fn score(&self, row: &[f32], slots: &mut Slots) -> f64 {
        slots.fill(row);
        let total = self.perfect.sum(slots);
        (-total / self.trees.len() as f64 / self.ordinary_path).exp2()
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), WriteError> {
        writer.f64(self.ordinary_path);
        writer.length("trees", self.trees.len(), TREES_MAX)?;
        self.trees
            .iter()
            .try_for_each(|tree| write_tree(writer, tree))
    }

    pub(super) fn read(reader: &mut Reader<'_>, columns: usize) -> Result<Self, ReadError> {
        let ordinary_path = reader.f64("ordinary path")?;
        require(ordinary_path > 0.0, "ordinary path")?;
        let count = reader.length(TREES_MAX, 12, "trees")?;
        require(count > 0, "trees")?;
        let features = numeric_features(columns);
        let trees = (0..count)
            .map(|_| read_tree(reader, &features))
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(trees, ordinary_path).ok_or(ReadError::Invalid { what: "trees" })
    }
}

fn numeric_features(columns: usize) -> Vec<ModelFeature> {
    let feature = |index| ModelFeature {
        feature: Feature::numeric(format!("column {index}")),
        codes: Vec::new(),
        bins: Vec::new(),
    };
    (0..columns).map(feature).collect()
}

/// Mean path of an unsuccessful search in a binary tree of `count` entries: 2·H(n−1) − 2·(n−1)/n.
fn mean_search_path(count: f64) -> f64 {
    if count < 2.0 {
        return 0.0;
    }
    let harmonic = (count - 1.0).ln() + 0.577_215_664_901_532_9;
    (2.0 * harmonic - 2.0 * (count - 1.0) / count).max(1.0)
}

struct Grower<'rows> {
    rows: &'rows ArrayView2<'rows, f32>,
    depth_max: u32,
    tree: Tree,
}

impl<'rows> Grower<'rows> {
    fn new(rows: &'rows ArrayView2<'rows, f32>, sample_rows: usize) -> Self {
        let tree = Tree {
            nodes: Vec::new(),
            leaves: Vec::new(),
        };
        Self {
            rows,
            depth_max: sample_rows.next_power_of_two().trailing_zeros().max(1),
            tree,
        }
    }

    fn grow(mut self, sample: Vec<usize>, random: &mut Random) -> Tree {
        self.branch(sample, 0, random);
        self.tree
    }

    fn branch(&mut self, part: Vec<usize>, depth: u32, random: &mut Random) -> Child {
        let count = u32::try_from(part.len()).expect("a tree sees 256 rows");
        if depth >= self.depth_max || part.len() < 2 {
            return self.leaf(count, depth);
        }
        let Some((feature, at)) = self.choose_cut(&part, random) else {
            return self.leaf(count, depth);
        };
        let missing_left = random.below(2) == 0;
        let test = Test::Threshold { at, missing_left };
        let (left, right): (Vec<usize>, Vec<usize>) = part
            .into_iter()
            .partition(|&row| test.goes_left(self.rows[(row, feature)]));
        if left.is_empty() || right.is_empty() {
            return self.leaf(count, depth);
        }
        let index = self.tree.nodes.len();
        self.tree.nodes.push(Node {
            feature: u32::try_from(feature).expect("columns are at most 1024"),
            test,
            left: Child::Leaf(0),
            right: Child::Leaf(0),
            gain: 0.0,
            rows: count,
        });
        let left = self.branch(left, depth + 1, random);
        let right = self.branch(right, depth + 1, random);
        let node = &mut self.tree.nodes[index];
        (node.left, node.right) = (left, right);
        Child::Node(u32::try_from(index).expect("a tree has fewer than 256 nodes"))
    }

    fn leaf(&mut self, count: u32, depth: u32) -> Child {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "path lengths are small numbers"
        )]
        let value = (f64::from(depth) + mean_search_path(f64::from(count))) as f32;
        self.tree.leaves.push(Leaf { value, rows: count });
        Child::Leaf(
            u32::try_from(self.tree.leaves.len() - 1).expect("a tree has at most 256 leaves"),
        )
    }

    /// A random column that varies in the part, and a uniform cut inside its range.
    fn choose_cut(&self, part: &[usize], random: &mut Random) -> Option<(usize, f32)> {
        let columns = self.rows.ncols();
        let start = random.below(columns);
        let draw = random.unit();
        // A few independent draws first, so that runs of constant columns do not favour the one after them.
        let tries = (0..8).map(|_| random.below(columns)).collect::<Vec<_>>();
        let all = (0..columns).map(|step| (start + step) % columns);
        for column in tries.into_iter().chain(all) {
            let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
            for &row in part {
                let value = self.rows[(row, column)];
                (low, high) = (low.min(value), high.max(value));
            }
            if low < high {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a cut between two f32 is in the range of f32"
                )]
                let at = (f64::from(low) + draw * (f64::from(high) - f64::from(low))) as f32;
                return Some((column, if at >= high { low } else { at }));
            }
        }
        None
    }
}

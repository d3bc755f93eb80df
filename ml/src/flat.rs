//! The forest laid out for prediction: every tree is a word of bits, one a leaf, and a row strikes out leaves it cannot reach.
//!
//! Place on the path: model → **flat** → prediction.
//!
//! Leaves are numbered from left to right. Where a row goes right at a node, the leaves of the left side are out of
//! reach; when all such nodes have struck theirs out, the first leaf left standing is the row's. The order of nodes does
//! not matter, so they are sorted by column instead of by tree, and nothing is walked:
//! * a numeric column keeps its nodes in order of threshold: those a value exceeds are a prefix. Every so often the
//!   prefix so far is kept as a whole vector of words, so that only the nodes behind the last such vector are gone through.
//!   Striking out twice does no harm, so their number is rounded up with nodes before them: a loop that always takes
//!   [`STRIKES_AT_ONCE`] seldom surprises the processor;
//! * a category, and a missing value, strikes out the same leaves each time: a list, or a vector where the list is long.
//!
//! Source: Lucchese et al., "QuickScorer: a Fast Algorithm to Rank Documents with Additive Ensembles of Regression Trees",
//! SIGIR 2015 (the bits and the order by threshold; the vectors in between are ours).

use crate::binning::MISSING_BIN;
use crate::model::ModelFeature;
use crate::tree::{Child, Test, Tree, mask_holds};

/// Leaves of a tree that is one word.
const WORD_LEAVES: usize = 32;
/// Leaves a word of a larger tree; its last bit is never struck out and stands for "none of these".
const PART_LEAVES: usize = WORD_LEAVES - 1;
/// The bit that stands for none, whose value is zero.
const NONE: u32 = 1 << PART_LEAVES;
/// Trees are summed in so many lanes; a sum's order is fixed by it.
const LANES: usize = 4;
/// Thresholds of one block; a value is placed among the blocks' last ones first.
const BLOCK: usize = 16;
/// Thresholds that are compared side by side; each place keeps a count of its own.
const COMPARED_AT_ONCE: usize = 4;
/// A vector costs about as much as this share of its words costs as single strikes.
const VECTOR_SHARE: usize = 4;
/// Fewest strikes that are worth a vector.
const VECTOR_STRIKES_MIN: usize = 16;
/// Strikes that are gone through at once; the number of every effect's is a multiple of it.
const STRIKES_AT_ONCE: usize = 8;
/// Strikes nothing.
const NO_STRIKE: Strike = Strike {
    word: 0,
    kept: u32::MAX,
};
/// Columns whose values are placed together.
const COLUMNS_AT_ONCE: usize = 16;
/// Vectors that are applied in one pass over the words.
const VECTORS_AT_ONCE: usize = 8;
/// A forest that needs more memory than this, as an unlucky or hostile file may, walks its trees instead.
const BYTES_MAX: usize = 64 << 20;

/// Takes leaves of one word out of reach.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Strike {
    word: u32,
    kept: u32,
}

/// What one value of a column strikes out: a vector, and a stretch of strikes.
#[derive(Debug, Clone, Copy, Default)]
struct Effect {
    /// Number of the vector, from 1; zero for none.
    vector: u32,
    from: u32,
    to: u32,
}

/// One column that is asked about.
#[derive(Debug, Clone)]
struct Column {
    feature: usize,
    /// First of its effects: one a rank or category bin, then the missing value's.
    first_effect: usize,
    values: usize,
    /// Blocks of ascending thresholds, and of the last one of each, filled up with +∞; both empty for a categorical column.
    blocks: Vec<[f32; BLOCK]>,
    lasts: Vec<[f32; BLOCK]>,
}

/// A tree of several words.
#[derive(Debug, Clone, Copy)]
struct LargeTree {
    first: usize,
    words: usize,
}

/// A forest ready to predict.
#[derive(Debug, Clone)]
pub(crate) struct FlatForest {
    /// Words of all trees, those of one output together and filled up to whole lanes.
    words: usize,
    /// First word of each output, and one past the last.
    output_starts: Vec<usize>,
    columns: Vec<Column>,
    effects: Vec<Effect>,
    strikes: Vec<Strike>,
    vectors: Vec<u32>,
    large: Vec<LargeTree>,
    leaves: Vec<[f32; WORD_LEAVES]>,
}

/// A node with the leaves it strikes out when a row goes right.
struct PlacedNode {
    test: Test,
    strikes: Vec<Strike>,
}

impl FlatForest {
    /// Lays out a forest; none when that would take too much memory.
    pub(crate) fn compile(
        features: &[ModelFeature],
        trees: &[Tree],
        outputs: usize,
    ) -> Option<Self> {
        let mut flat = Self {
            words: 0,
            output_starts: vec![0],
            columns: Vec::new(),
            effects: Vec::new(),
            strikes: Vec::new(),
            vectors: Vec::new(),
            large: Vec::new(),
            leaves: Vec::new(),
        };
        let mut nodes: Vec<Vec<PlacedNode>> = features.iter().map(|_| Vec::new()).collect();
        let mut bytes = 0;
        for output in 0..outputs {
            for tree in trees.iter().skip(output).step_by(outputs) {
                flat.place(tree, &mut nodes, &mut bytes)?;
            }
            flat.leaves.resize(
                flat.leaves.len().next_multiple_of(LANES),
                [0.0; WORD_LEAVES],
            );
            flat.output_starts.push(flat.leaves.len());
        }
        flat.words = flat.leaves.len();
        for (feature, nodes) in nodes
            .iter()
            .enumerate()
            .filter(|(_, nodes)| !nodes.is_empty())
        {
            let bins = features[feature].codes.len();
            flat.add_column(feature, nodes, bins);
            if flat.bytes() > BYTES_MAX {
                return None;
            }
        }
        Some(flat)
    }

    fn bytes(&self) -> usize {
        self.vectors.len() * 4 + self.strikes.len() * 8 + self.effects.len() * 12
    }

    /// Gives a tree its words and its nodes their strikes.
    fn place(
        &mut self,
        tree: &Tree,
        nodes: &mut [Vec<PlacedNode>],
        bytes: &mut usize,
    ) -> Option<()> {
        let first = self.leaves.len();
        let count = tree.leaves.len();
        let a_word = if count <= WORD_LEAVES {
            WORD_LEAVES
        } else {
            PART_LEAVES
        };
        let words = count.div_ceil(a_word);
        self.leaves.resize(first + words, [0.0; WORD_LEAVES]);
        if words > 1 {
            self.large.push(LargeTree { first, words });
        }
        for (number, child) in in_order(tree) {
            match child {
                Child::Leaf(leaf) => {
                    self.leaves[first + number.start / a_word][number.start % a_word] =
                        tree.leaves[leaf as usize].value;
                }
                Child::Node(index) => {
                    let node = &tree.nodes[index as usize];
                    let strikes = strikes_of(first, a_word, &number);
                    *bytes += strikes.len() * size_of::<Strike>() + size_of::<PlacedNode>();
                    if *bytes > BYTES_MAX {
                        return None;
                    }
                    nodes[node.feature as usize].push(PlacedNode {
                        test: node.test,
                        strikes,
                    });
                }
            }
        }
        Some(())
    }

    fn add_column(&mut self, feature: usize, nodes: &[PlacedNode], bins: usize) {
        let mut thresholds: Vec<(f32, &PlacedNode)> = Vec::new();
        for node in nodes {
            if let Test::Threshold { at, .. } = node.test {
                thresholds.push((at.min(f32::MAX), node));
            }
        }
        let first_effect = self.effects.len();
        let mut column = Column {
            feature,
            first_effect,
            values: bins,
            blocks: Vec::new(),
            lasts: Vec::new(),
        };
        if thresholds.is_empty() {
            for bin in (0..MISSING_BIN).take(bins).chain([MISSING_BIN]) {
                self.add_effect(nodes, |test| match test {
                    Test::Subset { mask } => !mask_holds(mask, bin),
                    Test::Threshold { .. } => false,
                });
            }
        } else {
            thresholds.sort_by(|left, right| left.0.total_cmp(&right.0));
            let distinct = self.add_ranks(&thresholds);
            column.values = distinct.len() + 1;
            // The last block always ends with +∞, which no value exceeds.
            column.blocks = vec![[f32::INFINITY; BLOCK]; distinct.len() / BLOCK + 1];
            for (place, at) in column.blocks.iter_mut().flatten().zip(distinct) {
                *place = at;
            }
            let lasts: Vec<f32> = column.blocks.iter().map(|block| block[BLOCK - 1]).collect();
            let filled = lasts.chunks(BLOCK).map(|part| {
                let mut block = [f32::INFINITY; BLOCK];
                block[..part.len()].copy_from_slice(part);
                block
            });
            column.lasts = filled.collect();
            self.add_effect(nodes, |test| {
                matches!(
                    test,
                    Test::Threshold {
                        missing_left: false,
                        ..
                    }
                )
            });
        }
        self.columns.push(column);
    }

    /// The effect of each rank among the distinct thresholds, which are returned.
    fn add_ranks(&mut self, thresholds: &[(f32, &PlacedNode)]) -> Vec<f32> {
        let spacing = (self.words / (4 * VECTOR_SHARE)).max(VECTOR_STRIKES_MIN);
        let mut reach = vec![u32::MAX; self.words];
        self.strikes.extend([NO_STRIKE; STRIKES_AT_ONCE - 1]);
        let (mut vector, mut from) = (0, self.strikes.len());
        let mut distinct: Vec<f32> = Vec::new();
        for group in thresholds.chunk_by(|left, right| left.0 == right.0) {
            self.push_effect(vector, from);
            distinct.push(group[0].0);
            for strike in group.iter().flat_map(|(_, node)| &node.strikes) {
                reach[strike.word as usize] &= strike.kept;
                self.strikes.push(*strike);
            }
            if self.strikes.len() - from >= spacing {
                vector = self.push_vector(&reach);
                from = self.strikes.len();
            }
        }
        self.push_effect(vector, from);
        distinct
    }

    /// The effect of a value that goes right where `goes_right` says so.
    fn add_effect(&mut self, nodes: &[PlacedNode], goes_right: impl Fn(&Test) -> bool) {
        let right = nodes.iter().filter(|node| goes_right(&node.test));
        let mut strikes: Vec<Strike> = right
            .flat_map(|node| node.strikes.iter().copied())
            .collect();
        strikes.sort_by_key(|strike| strike.word);
        strikes.dedup_by(|next, kept| {
            let same = next.word == kept.word;
            if same {
                kept.kept &= next.kept;
            }
            same
        });
        if strikes.len() > (self.words / VECTOR_SHARE).max(VECTOR_STRIKES_MIN) {
            let mut reach = vec![u32::MAX; self.words];
            for strike in &strikes {
                reach[strike.word as usize] &= strike.kept;
            }
            let vector = self.push_vector(&reach);
            self.push_effect(vector, self.strikes.len());
        } else {
            let from = self.strikes.len();
            strikes.resize(strikes.len().next_multiple_of(STRIKES_AT_ONCE), NO_STRIKE);
            self.strikes.extend(strikes);
            self.push_effect(0, from);
        }
    }

    fn push_vector(&mut self, reach: &[u32]) -> u32 {
        self.vectors.extend(reach);
        number(self.vectors.len() / self.words)
    }

    /// An effect with the strikes from `from` on, and so many before them that their number is whole.
    fn push_effect(&mut self, vector: u32, from: usize) {
        let to = self.strikes.len();
        let count = (to - from).next_multiple_of(STRIKES_AT_ONCE);
        self.effects.push(Effect {
            vector,
            from: number(to - count),
            to: number(to),
        });
    }

    /// Words a row needs.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Adds each output's leaf values to `scores`, in the fixed order of the layout. `bin_of` gives the bin of a
    /// categorical value; `reach` has room for [`FlatForest::words`].
    pub(crate) fn add_scores(
        &self,
        row: &[f32],
        reach: &mut [u32],
        bin_of: impl Fn(usize, f32) -> u8,
        scores: &mut [f64],
    ) {
        reach.fill(u32::MAX);
        let (mut vectors, mut waiting) = ([0; VECTORS_AT_ONCE], 0);
        for columns in self.columns.chunks(COLUMNS_AT_ONCE) {
            // Where values lie is found for several columns before anything is struck out: each look-up waits for the one
            // before it, and those of several columns wait together.
            let mut effects = [Effect::default(); COLUMNS_AT_ONCE];
            for (effect, column) in effects.iter_mut().zip(columns) {
                let value = row[column.feature];
                let at = if column.blocks.is_empty() {
                    usize::from(bin_of(column.feature, value)).min(column.values)
                } else if value.is_nan() {
                    column.values
                } else {
                    column.rank_of(value.clamp(f32::MIN, f32::MAX))
                };
                *effect = self.effects[column.first_effect + at];
            }
            for effect in &effects[..columns.len()] {
                let strikes = &self.strikes[effect.from as usize..effect.to as usize];
                for eight in strikes.as_chunks::<STRIKES_AT_ONCE>().0 {
                    for strike in eight {
                        reach[strike.word as usize] &= strike.kept;
                    }
                }
                if effect.vector > 0 {
                    vectors[waiting] = effect.vector as usize;
                    waiting += 1;
                    if waiting == VECTORS_AT_ONCE {
                        self.apply(vectors, reach);
                        waiting = 0;
                    }
                }
            }
        }
        if waiting > 0 {
            let first = vectors[0];
            vectors[waiting..].fill(first);
            self.apply(vectors, reach);
        }
        for tree in &self.large {
            settle(&mut reach[tree.first..tree.first + tree.words]);
        }
        for (score, span) in scores.iter_mut().zip(self.output_starts.windows(2)) {
            let span = span[0]..span[1];
            let fours = self.leaves[span.clone()].as_chunks::<LANES>().0;
            let mut sums = [0.0; LANES];
            for (leaves, words) in fours.iter().zip(reach[span].as_chunks::<LANES>().0) {
                for lane in 0..LANES {
                    // A word is never empty; the last bit, which changes nothing, says so to the compiler.
                    let leaf = (words[lane] | NONE).trailing_zeros() as usize % WORD_LEAVES;
                    sums[lane] += f64::from(leaves[lane][leaf]);
                }
            }
            *score += (sums[0] + sums[1]) + (sums[2] + sums[3]);
        }
    }

    /// Strikes out what the vectors strike out; the same one may be given more than once.
    fn apply(&self, vectors: [usize; VECTORS_AT_ONCE], reach: &mut [u32]) {
        let [a, b, c, d, e, f, g, h] =
            vectors.map(|vector| &self.vectors[(vector - 1) * self.words..vector * self.words]);
        let first = a.iter().zip(b).zip(c).zip(d);
        let second = e.iter().zip(f).zip(g).zip(h);
        for ((word, (((a, b), c), d)), (((e, f), g), h)) in reach.iter_mut().zip(first).zip(second)
        {
            *word &= (a & b & c & d) & (e & f & g & h);
        }
    }
}

impl Column {
    /// Thresholds below a value: whole blocks first, then inside one. Both loops are counts without a branch.
    #[inline]
    fn rank_of(&self, value: f32) -> usize {
        let count = |thresholds: &[f32; BLOCK]| {
            let mut below = [0_u32; COMPARED_AT_ONCE];
            for some in thresholds.as_chunks::<COMPARED_AT_ONCE>().0 {
                for (below, &at) in below.iter_mut().zip(some) {
                    *below += u32::from(at < value);
                }
            }
            below.iter().sum::<u32>() as usize
        };
        let block = self.lasts.iter().map(count).sum::<usize>();
        block * BLOCK + count(&self.blocks[block])
    }
}

/// Leaves the first word in which a leaf is in reach, and makes the others of its tree stand for none.
fn settle(words: &mut [u32]) {
    let found = words.iter().position(|&word| word & !NONE != 0);
    for (at, word) in words.iter_mut().enumerate() {
        if Some(at) != found {
            *word = NONE;
        }
    }
}

/// A tree's children from left to right: a leaf with its number, a node with the numbers of the leaves on its left.
fn in_order(tree: &Tree) -> Vec<(std::ops::Range<usize>, Child)> {
    let mut found = Vec::with_capacity(tree.nodes.len() + tree.leaves.len());
    let mut next_leaf = 0;
    // A node is met twice: before its left side, and with the number of the first leaf there, after it.
    let mut open: Vec<(Child, Option<usize>)> = vec![(tree.root(), None)];
    while let Some((child, first)) = open.pop() {
        match (child, first) {
            (Child::Leaf(_), _) => {
                found.push((next_leaf..next_leaf + 1, child));
                next_leaf += 1;
            }
            (Child::Node(index), None) => {
                open.push((child, Some(next_leaf)));
                open.push((tree.nodes[index as usize].left, None));
            }
            (Child::Node(index), Some(first)) => {
                found.push((first..next_leaf, child));
                open.push((tree.nodes[index as usize].right, None));
            }
        }
    }
    found
}

/// Strikes that take a stretch of a tree's leaves out of reach, one a word.
fn strikes_of(first: usize, a_word: usize, leaves: &std::ops::Range<usize>) -> Vec<Strike> {
    let words = leaves.start / a_word..=(leaves.end - 1) / a_word;
    words
        .map(|word| {
            let begin = leaves.start.max(word * a_word) - word * a_word;
            let end = leaves.end.min((word + 1) * a_word) - word * a_word;
            let struck = (u64::MAX << begin) & !(u64::MAX << end);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a word has 32 leaves at most"
            )]
            let kept = !(struck as u32);
            Strike {
                word: number(first + word),
                kept,
            }
        })
        .collect()
}

fn number(value: usize) -> u32 {
    u32::try_from(value).expect("the layout's memory is bounded far below 2^32")
}

#[cfg(test)]
mod tests;

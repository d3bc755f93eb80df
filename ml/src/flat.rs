//! The forest laid out for prediction: every node is one 64-bit word, and a row is walked through eight trees at once.
//!
//! Place on the path: model → **flat** → prediction.
//!
//! A node is `threshold:f32 | left:u16 | slot:u16`; the right child follows the left one, so a step is
//! `left + (row[slot] > threshold)` without a branch. Three tricks keep that one comparison enough:
//! * missing values: a numeric feature has up to two slots, with NaN replaced by −∞ or +∞, and a node reads the one
//!   that sends missing values its way;
//! * categories: each distinct subset of a feature is a slot holding 0 or 1, copied from a table by the row's category;
//! * leaves: a leaf compares with slot 0, which is always −∞, and so stays where it is; its threshold is its value.
//!
//! Walking eight trees in step hides the latency of each load. Trees of equal depth walk together.

use crate::binning::MISSING_BIN;
use crate::model::ModelFeature;
use crate::tree::{Child, Node, Test, Tree, mask_holds};
use std::collections::BTreeMap;

/// Trees walked together.
const LANES: usize = 8;
/// Words of a small tree: enough for 32 leaves, and a power of two, so that a masked position needs no bounds check.
const SMALL_WORDS: usize = 64;
/// With at most this many slots, a slot is one byte and needs no bounds check either.
const SMALL_SLOTS: usize = 256;
/// Slots and positions inside a tree are 16-bit numbers.
const INDEX_MAX: usize = u16::MAX as usize;

/// Where a slot's value comes from.
#[derive(Debug, Clone, Copy)]
struct NumericSlot {
    feature: u32,
    slot: u32,
    missing: f32,
}

/// The slots of one categorical feature: a table of bins × subsets, 1 where the bin goes right.
#[derive(Debug, Clone)]
struct SubsetSlots {
    feature: u32,
    first_slot: usize,
    count: usize,
    /// Rows for bins `0..bins`, then one for missing and unknown.
    table: Vec<u8>,
    bins: usize,
}

/// Eight trees of one output that walk together for `depth` steps.
#[derive(Debug, Clone)]
struct Group {
    output: usize,
    depth: u32,
    /// Whether `bases` number small trees; otherwise they are first words of large ones.
    small: bool,
    /// Where each tree is; a group that is not full repeats the empty tree.
    bases: [u32; LANES],
}

/// A forest ready to predict.
#[derive(Debug, Clone)]
pub(crate) struct FlatForest {
    numeric: Vec<NumericSlot>,
    subsets: Vec<SubsetSlots>,
    pub(crate) slots: usize,
    /// Trees of up to 64 words, each in a block of its own.
    small: Vec<[u64; SMALL_WORDS]>,
    /// Larger trees, one after the other.
    words: Vec<u64>,
    groups: Vec<Group>,
}

/// Slots of features and subsets while trees are being laid out.
struct SlotMap {
    numeric: BTreeMap<(u32, bool), u32>,
    subsets: BTreeMap<u32, BTreeMap<[u64; 4], u32>>,
    next: u32,
}

impl FlatForest {
    /// Lays out a forest; none when it needs more than 65 535 slots, which then walks the trees themselves.
    pub(crate) fn compile(
        features: &[ModelFeature],
        trees: &[Tree],
        outputs: usize,
    ) -> Option<Self> {
        let map = SlotMap::collect(trees);
        if map.next as usize > INDEX_MAX {
            return None;
        }
        let mut flat = Self {
            numeric: map.numeric_slots(),
            subsets: map.subset_slots(features),
            slots: (map.next as usize).max(SMALL_SLOTS),
            // The first block and the first word are the empty tree: a leaf of value zero.
            small: vec![[leaf_word(0.0, 0); SMALL_WORDS]],
            words: vec![leaf_word(0.0, 0)],
            groups: Vec::new(),
        };
        let order: Vec<(usize, usize)> = trees.iter().map(Tree::depth).zip(0..).collect();
        for output in 0..outputs {
            let mut own: Vec<(usize, usize)> = order
                .iter()
                .copied()
                .filter(|&(_, tree)| tree % outputs == output)
                .collect();
            own.sort_unstable();
            let is_small = |&(_, tree): &(usize, usize)| trees[tree].nodes.len() * 2 < SMALL_WORDS;
            let (small, large): (Vec<_>, Vec<_>) = own.into_iter().partition(is_small);
            for (part, small) in small
                .chunks(LANES)
                .map(|part| (part, true))
                .chain(large.chunks(LANES).map(|part| (part, false)))
            {
                let mut bases = [0; LANES];
                for (base, &(_, tree)) in bases.iter_mut().zip(part) {
                    *base = flat.place(&trees[tree], &map, small)?;
                }
                let depth = u32::try_from(part.last().map_or(0, |last| last.0)).ok()?;
                flat.groups.push(Group {
                    output,
                    depth,
                    small,
                    bases,
                });
            }
        }
        Some(flat)
    }

    /// Lays out one tree and says where.
    fn place(&mut self, tree: &Tree, map: &SlotMap, small: bool) -> Option<u32> {
        let mut words = Vec::with_capacity(SMALL_WORDS);
        lay_out(tree, map, &mut words)?;
        if !small {
            let base = u32::try_from(self.words.len()).ok()?;
            self.words.extend(words);
            return Some(base);
        }
        words.resize(SMALL_WORDS, leaf_word(0.0, 0));
        self.small.push(words.try_into().ok()?);
        u32::try_from(self.small.len() - 1).ok()
    }

    /// Fills the slots of one row. `bin_of` gives the bin of a categorical value.
    pub(crate) fn fill(&self, row: &[f32], slots: &mut [f32], bin_of: impl Fn(u32, f32) -> u8) {
        slots[0] = f32::NEG_INFINITY;
        for numeric in &self.numeric {
            let value = row[numeric.feature as usize];
            slots[numeric.slot as usize] = if value.is_nan() {
                numeric.missing
            } else {
                value.clamp(f32::MIN, f32::MAX)
            };
        }
        for subsets in &self.subsets {
            let bin = bin_of(subsets.feature, row[subsets.feature as usize]);
            let at = usize::from(bin).min(subsets.bins) * subsets.count;
            let places = &mut slots[subsets.first_slot..subsets.first_slot + subsets.count];
            for (place, &goes_right) in places
                .iter_mut()
                .zip(&subsets.table[at..at + subsets.count])
            {
                *place = f32::from(goes_right);
            }
        }
    }

    /// Adds each output's leaf values to `scores`, in the fixed order of the layout.
    pub(crate) fn add_scores(&self, slots: &[f32], scores: &mut [f64]) {
        match slots.first_chunk::<SMALL_SLOTS>() {
            // The low byte of a word is its whole slot here.
            Some(few) if slots.len() == SMALL_SLOTS => {
                self.add_with(scores, |word| few[usize::from(word.to_le_bytes()[0])]);
            }
            _ => self.add_with(scores, |word| slots[usize::from(low_half(word))]),
        }
    }

    fn add_with(&self, scores: &mut [f64], value_of: impl Fn(u64) -> f32) {
        for group in &self.groups {
            let leaves = if group.small {
                walk_small(
                    group.bases.map(|base| &self.small[base as usize]),
                    group.depth,
                    &value_of,
                )
            } else {
                walk_large(
                    group.bases.map(|base| &self.words[base as usize..]),
                    group.depth,
                    &value_of,
                )
            };
            scores[group.output] += leaves.into_iter().map(f64::from).sum::<f64>();
        }
    }
}

#[inline]
fn walk_small(
    trees: [&[u64; SMALL_WORDS]; LANES],
    depth: u32,
    value_of: &impl Fn(u64) -> f32,
) -> [f32; LANES] {
    let mut at = [0_usize; LANES];
    for _ in 0..depth {
        for lane in 0..LANES {
            let word = trees[lane][at[lane] % SMALL_WORDS];
            at[lane] =
                usize::from(low_half(word >> 16)) + usize::from(value_of(word) > threshold(word));
        }
    }
    std::array::from_fn(|lane| threshold(trees[lane][at[lane] % SMALL_WORDS]))
}

#[inline]
fn walk_large(trees: [&[u64]; LANES], depth: u32, value_of: &impl Fn(u64) -> f32) -> [f32; LANES] {
    let mut at = [0_usize; LANES];
    for _ in 0..depth {
        for lane in 0..LANES {
            let word = trees[lane][at[lane]];
            at[lane] =
                usize::from(low_half(word >> 16)) + usize::from(value_of(word) > threshold(word));
        }
    }
    std::array::from_fn(|lane| threshold(trees[lane][at[lane]]))
}

#[inline]
fn threshold(word: u64) -> f32 {
    let bits = (word >> 32) as u32;
    f32::from_bits(bits)
}

#[inline]
fn low_half(word: u64) -> u16 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 16 bits are wanted"
    )]
    let half = word as u16;
    half
}

fn leaf_word(value: f32, position: u16) -> u64 {
    u64::from(value.to_bits()) << 32 | u64::from(position) << 16
}

/// Appends a tree breadth-first, children side by side, so that the top of a tree shares cache lines.
fn lay_out(tree: &Tree, map: &SlotMap, words: &mut Vec<u64>) -> Option<()> {
    let base = words.len();
    words.push(0);
    let mut queue = std::collections::VecDeque::from([(tree.root(), 0_usize)]);
    while let Some((child, position)) = queue.pop_front() {
        let place = u16::try_from(position).ok()?;
        words[base + position] = match child {
            Child::Leaf(leaf) => leaf_word(tree.leaves[leaf as usize].value, place),
            Child::Node(index) => {
                let node = &tree.nodes[index as usize];
                let left = words.len() - base;
                words.extend([0, 0]);
                queue.push_back((node.left, left));
                queue.push_back((node.right, left + 1));
                map.node_word(node, u16::try_from(left).ok()?)?
            }
        };
    }
    Some(())
}

impl SlotMap {
    fn collect(trees: &[Tree]) -> Self {
        let mut map = Self {
            numeric: BTreeMap::new(),
            subsets: BTreeMap::new(),
            next: 1,
        };
        for node in trees.iter().flat_map(|tree| &tree.nodes) {
            match node.test {
                Test::Threshold { missing_left, .. } => {
                    map.numeric.insert((node.feature, missing_left), 0);
                }
                Test::Subset { mask } => {
                    map.subsets.entry(node.feature).or_default().insert(mask, 0);
                }
            }
        }
        let subsets = map.subsets.values_mut().flat_map(BTreeMap::values_mut);
        for slot in map.numeric.values_mut().chain(subsets) {
            *slot = map.next;
            map.next += 1;
        }
        map
    }

    fn node_word(&self, node: &Node, left: u16) -> Option<u64> {
        let (slot, at) = match node.test {
            Test::Threshold { at, missing_left } => {
                // A bound of +∞ must still let the +∞ of a missing value pass to the right.
                (
                    *self.numeric.get(&(node.feature, missing_left))?,
                    at.min(f32::MAX),
                )
            }
            Test::Subset { mask } => (*self.subsets.get(&node.feature)?.get(&mask)?, 0.5),
        };
        Some(leaf_word(at, left) | u64::from(u16::try_from(slot).ok()?))
    }

    fn numeric_slots(&self) -> Vec<NumericSlot> {
        let slot = |(&(feature, missing_left), &slot): (&(u32, bool), &u32)| NumericSlot {
            feature,
            slot,
            missing: if missing_left {
                f32::NEG_INFINITY
            } else {
                f32::INFINITY
            },
        };
        self.numeric.iter().map(slot).collect()
    }

    fn subset_slots(&self, features: &[ModelFeature]) -> Vec<SubsetSlots> {
        self.subsets
            .iter()
            .map(|(&feature, masks)| {
                let bins = features[feature as usize].codes.len();
                let all_bins = (0..MISSING_BIN).take(bins).chain([MISSING_BIN]);
                let table = all_bins
                    .flat_map(|bin| {
                        masks
                            .keys()
                            .map(move |mask| u8::from(!mask_holds(mask, bin)))
                    })
                    .collect();
                SubsetSlots {
                    feature,
                    first_slot: masks.values().next().map_or(0, |&slot| slot as usize),
                    count: masks.len(),
                    table,
                    bins,
                }
            })
            .collect()
    }
}

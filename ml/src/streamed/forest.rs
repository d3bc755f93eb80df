//! The rounds of one forest over blocks: each step of [`crate::boost`] as a pass over the working file.

use std::ops::Range;

use super::bins::Binned;
use super::blocks::{Blocks, Store};
use crate::boost::{Rounds, chosen_features, share_of};
use crate::grow::{GrownTree, Growth, GrowthLimits, Task, grow_leaves, left_table, settle};
use crate::hazard::HazardError;
use crate::histogram::{BinSums, UnitSum, packed, subtract};
use crate::loss::MeanLoss;
use crate::params::Params;
use crate::random::Random;
use crate::split::{Candidate, LeafTotals, SplitRules, search};
use crate::tree::Tree;

/// A forest in the making.
pub(super) struct Forest<'run, 'store> {
    params: &'run Params,
    binned: &'run Binned,
    store: &'run mut Store<'store>,
    units: (f64, f64),
    valid_loss: Option<f64>,
    trees: Vec<Tree>,
    buffers: Buffers,
}

/// One block's numbers.
#[derive(Default)]
struct Buffers {
    labels: Vec<f32>,
    weights: Vec<f32>,
    scores: Vec<f64>,
    words: Vec<i64>,
    leaves: Vec<u16>,
    bins: Vec<u8>,
    gradients: Vec<f32>,
    hessians: Vec<f32>,
}

/// Which rows a tree is grown on: a bit each, or all.
struct Drawn {
    bits: Option<Vec<u64>>,
    count: usize,
}

impl Drawn {
    fn holds(&self, row: usize) -> bool {
        match &self.bits {
            Some(bits) => bits[row / 64] >> (row % 64) & 1 == 1,
            None => true,
        }
    }
}

impl<'run, 'store> Forest<'run, 'store> {
    /// Every row at the base score, with the first derivatives.
    pub(super) fn begin(
        params: &'run Params,
        binned: &'run Binned,
        store: &'run mut Store<'store>,
    ) -> Result<Self, HazardError> {
        for blocks in [Some(&binned.train), binned.valid.as_ref()]
            .into_iter()
            .flatten()
        {
            for block in 0..blocks.count() {
                let scores = vec![binned.base; blocks.rows_in(block)];
                store.write_f64s(blocks.scores(block), &scores)?;
            }
        }
        let mut forest = Self {
            params,
            binned,
            store,
            units: (1.0, 1.0),
            valid_loss: None,
            trees: Vec::new(),
            buffers: Buffers::default(),
        };
        forest.move_scores(None)?;
        Ok(forest)
    }

    /// The trees up to the best round.
    pub(super) fn finish(mut self, best: Option<(usize, f64)>) -> Vec<Tree> {
        if let Some((kept, _)) = best
            && self.params.patience_rounds.is_some()
        {
            self.trees.truncate(kept);
        }
        self.trees
    }

    /// Adds to each row's score what its leaf says, and computes the derivatives there.
    fn move_scores(&mut self, steps: Option<&[f64]>) -> Result<(), HazardError> {
        let blocks = &self.binned.train;
        let store = &mut *self.store;
        let buffers = &mut self.buffers;
        let mut sums = (UnitSum::default(), UnitSum::default());
        for block in 0..blocks.count() {
            let rows = blocks.rows_in(block);
            store.read_f64s(blocks.scores(block), rows, &mut buffers.scores)?;
            if let Some(steps) = steps {
                store.read_u16s(blocks.leaves(block), rows, &mut buffers.leaves)?;
                for (score, &leaf) in buffers.scores.iter_mut().zip(&buffers.leaves) {
                    *score += steps[usize::from(leaf)];
                }
                store.write_f64s(blocks.scores(block), &buffers.scores)?;
            }
            store.read_f32s(blocks.labels(block), rows, &mut buffers.labels)?;
            store.read_f32s(blocks.weights(block), rows, &mut buffers.weights)?;
            buffers.gradients.resize(rows, 0.0);
            buffers.hessians.resize(rows, 0.0);
            self.params.loss.derivatives(
                &buffers.scores,
                &buffers.labels,
                Some(&buffers.weights),
                &mut buffers.gradients,
                &mut buffers.hessians,
            );
            sums.0.add(&buffers.gradients);
            sums.1.add(&buffers.hessians);
            store.write_f32s(blocks.words(block), &buffers.gradients)?;
            let behind = blocks.words(block) + 4 * rows as u64;
            store.write_f32s(behind, &buffers.hessians)?;
        }
        self.units = (sums.0.unit(), sums.1.unit());
        Ok(())
    }

    /// Packs the derivatives and puts every row into the root; returns the packed sum of the rows drawn.
    fn plant(&mut self, drawn: &Drawn) -> Result<i64, HazardError> {
        let blocks = &self.binned.train;
        let buffers = &mut self.buffers;
        let mut sum = 0;
        for block in 0..blocks.count() {
            let rows = blocks.rows_in(block);
            let (at, store) = (blocks.words(block), &mut *self.store);
            store.read_f32s(at, rows, &mut buffers.gradients)?;
            store.read_f32s(at + 4 * rows as u64, rows, &mut buffers.hessians)?;
            buffers.words.clear();
            let words = packed(&buffers.gradients, &buffers.hessians, self.units);
            buffers.words.extend(words);
            store.write_i64s(at, &buffers.words)?;
            buffers.leaves.clear();
            buffers.leaves.resize(rows, 0);
            store.write_u16s(blocks.leaves(block), &buffers.leaves)?;
            let first = Blocks::first(block);
            let words = buffers.words.iter().enumerate();
            let own = words.filter(|(row, _)| drawn.holds(first + row));
            sum += own.map(|(_, &word)| word).sum::<i64>();
        }
        Ok(sum)
    }

    /// The packed sum, in each leaf, of the rows that were not drawn.
    fn others(&mut self, drawn: &Drawn, leaves: usize) -> Result<Vec<i64>, HazardError> {
        let blocks = &self.binned.train;
        let buffers = &mut self.buffers;
        let mut sums = vec![0; leaves];
        for block in 0..blocks.count() {
            let rows = blocks.rows_in(block);
            let store = &mut *self.store;
            store.read_i64s(blocks.words(block), rows, &mut buffers.words)?;
            store.read_u16s(blocks.leaves(block), rows, &mut buffers.leaves)?;
            let first = Blocks::first(block);
            for (row, (&word, &leaf)) in buffers.words.iter().zip(&buffers.leaves).enumerate() {
                if !drawn.holds(first + row) {
                    sums[usize::from(leaf)] += word;
                }
            }
        }
        Ok(sums)
    }

    /// Adds the tree to the validation rows' scores, and takes their loss.
    fn validate(&mut self, grown: &GrownTree) -> Result<(), HazardError> {
        let Some(blocks) = &self.binned.valid else {
            return Ok(());
        };
        let buffers = &mut self.buffers;
        let mut asked: Vec<usize> = grown.asked().collect();
        asked.sort_unstable();
        asked.dedup();
        let mut lanes: Vec<Vec<u8>> = vec![Vec::new(); asked.len()];
        let leaves = grown.leaves().iter();
        let steps: Vec<f64> = leaves
            .map(|leaf| f64::from(leaf.step(self.params.learning_rate)))
            .collect();
        let mut mean = MeanLoss::default();
        for block in 0..blocks.count() {
            let rows = blocks.rows_in(block);
            let store = &mut *self.store;
            for (bins, &used) in lanes.iter_mut().zip(&asked) {
                let place = blocks.lane(block, self.binned.lanes[used]);
                store.read_bytes(place, rows, bins)?;
            }
            store.read_f64s(blocks.scores(block), rows, &mut buffers.scores)?;
            for (row, score) in buffers.scores.iter_mut().enumerate() {
                let leaf = grown.leaf_by(|used| {
                    let at = asked.binary_search(&used);
                    lanes[at.expect("its lane was read")][row]
                });
                *score += steps[leaf];
            }
            store.write_f64s(blocks.scores(block), &buffers.scores)?;
            store.read_f32s(blocks.labels(block), rows, &mut buffers.labels)?;
            store.read_f32s(blocks.weights(block), rows, &mut buffers.weights)?;
            let weights = Some(&buffers.weights[..]);
            mean.add(&self.params.loss, &buffers.scores, &buffers.labels, weights);
        }
        self.valid_loss = Some(mean.value());
        Ok(())
    }
}

impl Rounds for Forest<'_, '_> {
    type Error = HazardError;

    fn round(&mut self, round: usize) -> Result<bool, HazardError> {
        let params = self.params;
        let mut random = Random::new(params.seed, round as u64);
        let drawn = draw(params, self.binned.train.rows, &mut random);
        let chosen = chosen_features(params, self.binned.used.len(), &mut random);
        let sum = self.plant(&drawn)?;
        let rules = SplitRules::new(params, self.units);
        let mut growing = Growing {
            binned: self.binned,
            store: &mut *self.store,
            buffers: &mut self.buffers,
            drawn: &drawn,
            chosen: (0..chosen.len()).filter(|&used| chosen[used]).collect(),
            rules: &rules,
            slots: Vec::new(),
        };
        let limits = GrowthLimits::new(params);
        let used = &self.binned.used;
        let mut grown = grow_leaves(drawn.count, sum, &mut growing, used, &rules, &limits)?;
        if grown.is_constant() {
            // The scores stay as they are; their derivatives were packed where they stood and are computed anew.
            self.move_scores(None)?;
            return Ok(false);
        }
        let count = grown.leaves().len();
        let mut numbers: Vec<usize> = (0..count).collect();
        let all = drawn.count == self.binned.train.rows;
        let others = match all {
            true => vec![0; count],
            false => self.others(&drawn, count)?,
        };
        if params.unseen_rows_veto {
            numbers = grown.veto(others.clone(), &rules);
        }
        if !all {
            let sums = numbers.iter().copied().zip(others);
            grown.take_in(sums, &rules);
        }
        let leaves = grown.leaves();
        let step = |&leaf: &usize| f64::from(leaves[leaf].step(params.learning_rate));
        let steps: Vec<f64> = numbers.iter().map(step).collect();
        self.move_scores(Some(&steps))?;
        self.validate(&grown)?;
        let tree = grown.finish(used, &self.binned.binner, params.learning_rate);
        self.trees.push(tree);
        Ok(true)
    }

    fn valid_loss(&self) -> Option<f64> {
        self.valid_loss
    }
}

fn draw(params: &Params, rows: usize, random: &mut Random) -> Drawn {
    if params.row_share >= 1.0 {
        return Drawn {
            bits: None,
            count: rows,
        };
    }
    let count = share_of(rows, params.row_share);
    let mut bits = vec![0_u64; rows.div_ceil(64)];
    random.choose_each(rows, count, |row| bits[row / 64] |= 1 << (row % 64));
    Drawn {
        bits: Some(bits),
        count,
    }
}

/// A tree that grows over blocks. Each row's leaf stands in the file, for rows that were not drawn as well.
struct Growing<'run, 'store> {
    binned: &'run Binned,
    store: &'run mut Store<'store>,
    buffers: &'run mut Buffers,
    drawn: &'run Drawn,
    /// Used features that this round looks at.
    chosen: Vec<usize>,
    rules: &'run SplitRules,
    /// Histograms of the chosen features, a slot a leaf.
    slots: Vec<Vec<BinSums>>,
}

impl Growing<'_, '_> {
    fn build(&mut self, leaf: usize, slot: usize) -> Result<(), HazardError> {
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, Vec::new);
        }
        let mut sums = std::mem::take(&mut self.slots[slot]);
        sums.clear();
        sums.resize(self.chosen.len(), [0; 256]);
        let blocks = &self.binned.train;
        let (mut own, mut words) = (Vec::new(), Vec::new());
        for block in 0..blocks.count() {
            let rows = blocks.rows_in(block);
            let first = Blocks::first(block);
            let (store, buffers) = (&mut *self.store, &mut *self.buffers);
            store.read_u16s(blocks.leaves(block), rows, &mut buffers.leaves)?;
            own.clear();
            let of_leaf = buffers.leaves.iter().enumerate();
            let of_leaf = of_leaf.filter(|(_, of)| usize::from(**of) == leaf);
            own.extend(
                of_leaf
                    .map(|(row, _)| row)
                    .filter(|row| self.drawn.holds(first + row)),
            );
            if own.is_empty() {
                continue;
            }
            store.read_i64s(blocks.words(block), rows, &mut buffers.words)?;
            words.clear();
            words.extend(own.iter().map(|&row| buffers.words[row]));
            for (sums, &used) in sums.iter_mut().zip(&self.chosen) {
                let place = blocks.lane(block, self.binned.lanes[used]);
                store.read_bytes(place, rows, &mut buffers.bins)?;
                for (&row, &word) in own.iter().zip(&words) {
                    sums[usize::from(buffers.bins[row])] += word;
                }
            }
        }
        self.slots[slot] = sums;
        Ok(())
    }

    fn search(&self, slot: usize, totals: &LeafTotals) -> Option<Candidate> {
        let each = self.chosen.iter().zip(&self.slots[slot]);
        each.filter_map(|(&used, sums)| {
            let feature = &self.binned.used[used];
            search(sums, feature, used, totals, self.rules)
        })
        .fold(None, |best, next| Candidate::better(best, Some(next)))
    }
}

impl Growth for Growing<'_, '_> {
    type Error = HazardError;

    fn evaluate(&mut self, task: Task) -> Result<[Option<Candidate>; 2], HazardError> {
        match task {
            Task::Root(root) => {
                self.build(root.leaf, 0)?;
                Ok([self.search(0, &root.totals), None])
            }
            Task::Children {
                parent_slot,
                small,
                small_wanted,
                large,
                large_wanted,
            } => {
                self.build(small.leaf, small.slot)?;
                if large_wanted
                    && let Ok([parent, child]) =
                        self.slots.get_disjoint_mut([parent_slot, small.slot])
                {
                    subtract(parent, child);
                }
                let best = |wanted: bool, slot, totals| {
                    wanted.then(|| self.search(slot, totals)).flatten()
                };
                Ok([
                    best(small_wanted, small.slot, &small.totals),
                    best(large_wanted, large.slot, &large.totals),
                ])
            }
        }
    }

    fn part(
        &mut self,
        leaf: usize,
        new: usize,
        range: Range<usize>,
        candidate: &Candidate,
    ) -> Result<usize, HazardError> {
        // Where rows without a value go follows from where most of the others go, so these are counted first.
        let by_sample = left_table(&candidate.rule);
        let left = self.each_bin(leaf, candidate.used, |bin, is_drawn, _| {
            usize::from(is_drawn) & usize::from(by_sample[usize::from(bin)])
        })?;
        let settled = settle(candidate.rule, left >= range.len() - left);
        let goes_left = left_table(&settled);
        let right = u16::try_from(new).expect("a tree has fewer than 2^16 leaves");
        self.each_bin(leaf, candidate.used, |bin, _, of| {
            if goes_left[usize::from(bin)] == 0 {
                *of = right;
            }
            0
        })?;
        Ok(left)
    }
}

impl Growing<'_, '_> {
    /// Calls `look` with the bin of a used feature of each row of a leaf, whether the row was drawn, and its leaf; leaves that
    /// were changed are written. Returns the sum of what `look` returns.
    fn each_bin(
        &mut self,
        leaf: usize,
        used: usize,
        mut look: impl FnMut(u8, bool, &mut u16) -> usize,
    ) -> Result<usize, HazardError> {
        let blocks = &self.binned.train;
        let lane = self.binned.lanes[used];
        let mut sum = 0;
        for block in 0..blocks.count() {
            let rows = blocks.rows_in(block);
            let first = Blocks::first(block);
            let (store, buffers) = (&mut *self.store, &mut *self.buffers);
            store.read_u16s(blocks.leaves(block), rows, &mut buffers.leaves)?;
            store.read_bytes(blocks.lane(block, lane), rows, &mut buffers.bins)?;
            let mut is_changed = false;
            let pairs = buffers.leaves.iter_mut().zip(&buffers.bins);
            for (row, (of, &bin)) in pairs.enumerate() {
                if usize::from(*of) == leaf {
                    let before = *of;
                    sum += look(bin, self.drawn.holds(first + row), of);
                    is_changed |= *of != before;
                }
            }
            if is_changed {
                store.write_u16s(blocks.leaves(block), &buffers.leaves)?;
            }
        }
        Ok(sum)
    }
}

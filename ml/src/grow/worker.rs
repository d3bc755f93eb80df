//! A worker of tree growth: it owns the histograms of some tiles and answers with its best splits.

use super::Context;
use crate::crew::Crew;
use crate::histogram::{BinSums, accumulate, subtract};
use crate::matrix::BinnedMatrix;
use crate::split::{Candidate, LeafTotals, search};
use std::ops::Range;
use std::sync::PoisonError;

/// One leaf to look at: its rows, its sums, and where its histogram is or will be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChildTask {
    pub(crate) leaf: usize,
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(crate) slot: usize,
    pub(crate) totals: LeafTotals,
}

/// What the leader asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    /// Build and search the root; the answer's first place is its best split.
    Root(ChildTask),
    /// Build the smaller child, derive the larger; the answer is the best split of each.
    Children {
        parent_slot: usize,
        small: ChildTask,
        small_wanted: bool,
        large: ChildTask,
        large_wanted: bool,
    },
}

/// Histograms of one worker's tiles, one slot a leaf.
#[derive(Debug)]
pub(super) struct Worker {
    tiles: Range<usize>,
    /// Tile, the lanes chosen in it, and the used feature of each lane.
    lanes: Vec<(usize, Vec<u8>, Vec<usize>)>,
    slots: Vec<Vec<BinSums>>,
    /// Gradients of the leaf being built, in the order of its rows.
    ordered: Vec<i64>,
}

impl Worker {
    pub(super) fn new(tiles: Range<usize>) -> Self {
        Self {
            tiles,
            lanes: Vec::new(),
            slots: Vec::new(),
            ordered: Vec::new(),
        }
    }

    /// Takes up the features chosen for the next tree.
    pub(super) fn choose(&mut self, matrix: &BinnedMatrix, chosen: &[bool]) {
        self.lanes.clear();
        for tile in self.tiles.clone() {
            let used = matrix.tile_starts[tile]..matrix.tile_starts[tile + 1];
            let picked: Vec<(u8, usize)> = (0_u8..)
                .zip(used)
                .filter(|&(_, used)| chosen[used])
                .collect();
            if !picked.is_empty() {
                let (lanes, used) = picked.into_iter().unzip();
                self.lanes.push((tile, lanes, used));
            }
        }
    }

    /// Answers tasks until the crew is closed.
    pub(super) fn serve(
        &mut self,
        crew: &Crew<Task, [Option<Candidate>; 2]>,
        context: &Context<'_>,
    ) {
        struct OnPanic<F: FnMut()>(F);
        impl<F: FnMut()> Drop for OnPanic<F> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    (self.0)();
                }
            }
        }
        let _guard = OnPanic(|| drop(crew.closing()));
        let mut done = 0;
        while let Some(task) = crew.next(done) {
            done += 1;
            crew.answer(self.evaluate(task, context));
        }
    }

    /// Does one task on this worker's features.
    pub(super) fn evaluate(&mut self, task: Task, context: &Context<'_>) -> [Option<Candidate>; 2] {
        match task {
            Task::Root(root) => {
                self.build(&root, 0, context);
                [self.search(0, &root.totals, context), None]
            }
            Task::Children {
                parent_slot,
                small,
                small_wanted,
                large,
                large_wanted,
            } if context.keeps_histograms => {
                self.build(&small, small.slot, context);
                if large_wanted {
                    self.derive(parent_slot, small.slot);
                }
                let search = |child: &ChildTask, wanted: bool| {
                    wanted
                        .then(|| self.search(child.slot, &child.totals, context))
                        .flatten()
                };
                [search(&small, small_wanted), search(&large, large_wanted)]
            }
            Task::Children {
                small,
                small_wanted,
                large,
                large_wanted,
                ..
            } => [(small, small_wanted), (large, large_wanted)].map(|(child, wanted)| {
                wanted
                    .then(|| {
                        self.build(&child, 0, context);
                        self.search(0, &child.totals, context)
                    })
                    .flatten()
            }),
        }
    }

    fn build(&mut self, leaf: &ChildTask, slot: usize, context: &Context<'_>) {
        let width: usize = self.lanes.iter().map(|(_, lanes, _)| lanes.len()).sum();
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, Vec::new);
        }
        let sums = &mut self.slots[slot];
        sums.resize(width, [0; 256]);
        let rows = context.rows.read().unwrap_or_else(PoisonError::into_inner);
        let rows = &rows[leaf.begin..leaf.end];
        let words = &context.gradients.words;
        self.ordered.clear();
        self.ordered
            .extend(rows.iter().map(|&row| words[row as usize]));
        let mut rest = sums.as_mut_slice();
        for (tile, lanes, _) in &self.lanes {
            let (own, after) = rest.split_at_mut(lanes.len());
            accumulate(context.matrix.tile(*tile), rows, &self.ordered, lanes, own);
            rest = after;
        }
    }

    fn derive(&mut self, parent: usize, child: usize) {
        if let Ok([parent, child]) = self.slots.get_disjoint_mut([parent, child]) {
            subtract(parent, child);
        }
    }

    fn search(&self, slot: usize, totals: &LeafTotals, context: &Context<'_>) -> Option<Candidate> {
        let used = self
            .lanes
            .iter()
            .flat_map(|(_, _, used)| used.iter().copied());
        used.zip(&self.slots[slot])
            .filter_map(|(used, sums)| {
                search(
                    sums,
                    &context.matrix.used[used],
                    used,
                    totals,
                    context.rules,
                )
            })
            .fold(None, |best, next| Candidate::better(best, Some(next)))
    }
}

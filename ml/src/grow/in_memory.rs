//! Rows in memory: a leaf is a stretch of a list of their numbers.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::PoisonError;

use super::{Context, Growth, Task, left_table};
use crate::matrix::{BinnedMatrix, TILE_LANES};
use crate::split::Candidate;

/// Rows as a list of their numbers, parted in place.
pub(super) struct InMemory<'run, F> {
    pub(super) context: &'run Context<'run>,
    pub(super) scratch: &'run mut Vec<u32>,
    pub(super) evaluate: F,
}

impl<F: FnMut(Task) -> [Option<Candidate>; 2]> Growth for InMemory<'_, F> {
    type Error = Infallible;

    fn evaluate(&mut self, task: Task) -> Result<[Option<Candidate>; 2], Infallible> {
        Ok((self.evaluate)(task))
    }

    fn part(
        &mut self,
        _: usize,
        _: usize,
        range: Range<usize>,
        candidate: &Candidate,
    ) -> Result<usize, Infallible> {
        let table = left_table(&candidate.rule);
        let rows = self.context.rows.write();
        let mut rows = rows.unwrap_or_else(PoisonError::into_inner);
        let part = &mut rows[range];
        Ok(partition(
            part,
            self.scratch,
            self.context.matrix,
            candidate.used,
            &table,
        ))
    }
}

/// Moves the rows that go left to the front, keeping both sides' order; returns how many go left.
fn partition(
    rows: &mut [u32],
    scratch: &mut Vec<u32>,
    matrix: &BinnedMatrix,
    used: usize,
    goes_left: &[u8; 256],
) -> usize {
    let (tile, lane) = matrix.lane_of(used);
    let lane = lane % TILE_LANES;
    scratch.resize(rows.len().max(scratch.len()), 0);
    let (mut left, mut right) = (0_usize, 0_usize);
    for index in 0..rows.len() {
        let row = rows[index];
        let is_left = usize::from(goes_left[usize::from(tile[row as usize][lane])]);
        // Writing to both sides and advancing one of them avoids a branch that is taken at random.
        rows[left] = row;
        scratch[right] = row;
        left += is_left;
        right += 1 - is_left;
    }
    rows[left..].copy_from_slice(&scratch[..right]);
    left
}

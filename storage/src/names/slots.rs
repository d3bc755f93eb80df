//! A list that grows while it is read.

use std::sync::OnceLock;

#[cfg(test)]
mod tests;

/// A list that grows while it is read, and a slot once set stays. Block `n` holds `2^(n + 6)` slots, in pieces that are made as
/// they are needed: a list just over a power of two takes no more than a piece too much.
pub(super) struct Slots<T> {
    blocks: [OnceLock<Free<Free<T>>>; SLOT_BLOCKS],
}

/// Places of which each is free until it is set.
type Free<T> = Box<[OnceLock<T>]>;

const SLOTS_FIRST_LOG2: u32 = 6;
const SLOT_BLOCKS: usize = (u32::BITS - SLOTS_FIRST_LOG2 + 1) as usize;
/// Slots of a piece, where its block has so many.
const PIECE_SLOTS: usize = 1 << 10;

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Slots {
            blocks: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&T> {
        let (block, slot) = slot_of(index);
        let piece = self.blocks[block].get()?[slot / PIECE_SLOTS].get()?;
        piece[slot % PIECE_SLOTS].get()
    }

    /// Whether the slot was free.
    pub(super) fn set(&self, index: u32, value: T) -> bool {
        let (block, slot) = slot_of(index);
        let length = block_length(block);
        let pieces = self.blocks[block].get_or_init(|| free(length.div_ceil(PIECE_SLOTS)));
        let piece = pieces[slot / PIECE_SLOTS].get_or_init(|| free(length.min(PIECE_SLOTS)));
        piece[slot % PIECE_SLOTS].set(value).is_ok()
    }
}

fn free<T>(count: usize) -> Free<T> {
    (0..count).map(|_| OnceLock::new()).collect()
}

fn block_length(block: usize) -> usize {
    1 << (block + SLOTS_FIRST_LOG2 as usize)
}

fn slot_of(index: u32) -> (usize, usize) {
    let shifted = u64::from(index) + (1 << SLOTS_FIRST_LOG2);
    let block = shifted.ilog2() - SLOTS_FIRST_LOG2;
    let slot = shifted - (1 << (block + SLOTS_FIRST_LOG2));
    (block as usize, usize::try_from(slot).unwrap_or(usize::MAX))
}

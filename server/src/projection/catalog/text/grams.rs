//! In which blocks of a text each gram begins.
//!
//! A gram is three neighbouring bytes, a block some kilobytes of text. Grams share [`BUCKETS`] lists by their hash, so a list
//! names blocks that have one of several grams: what is searched for is looked for in all blocks that every one of its grams' lists
//! names, and never missed. Text is only added at the end, so lists grow at the end and are in order.
//!
//! **Memory.** Four bytes for each different gram of a block: about as much as the text, less where it repeats itself.

use std::fmt;
use std::ops::Range;

/// Bytes of a gram.
const GRAM_BYTES: usize = 3;
/// Bytes of a block. A hit costs looking through one; a smaller block costs memory.
const BLOCK_BYTES: usize = 4 << 10;
/// Lists of blocks.
const BUCKETS: usize = 1 << 16;
/// Grams of what is searched for that are looked up: more of them rule hardly anything out any more.
const LOOKED_UP_MAX: usize = 24;

/// See the module.
pub(super) struct Grams {
    /// By the hash of a gram: the blocks in which one begins, ascending.
    blocks: Vec<Vec<u32>>,
    /// Grams that begin before are noted.
    noted: usize,
}

impl Default for Grams {
    fn default() -> Self {
        Grams {
            blocks: vec![Vec::new(); BUCKETS],
            noted: 0,
        }
    }
}

impl fmt::Debug for Grams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Grams")
            .field("noted", &self.noted)
            .finish_non_exhaustive()
    }
}

impl Grams {
    /// Notes what was added to `text` since the last call.
    pub(super) fn note(&mut self, text: &[u8]) {
        let new = text.get(self.noted..).unwrap_or_default();
        for (gram, at) in new.windows(GRAM_BYTES).zip(self.noted..) {
            let block = u32::try_from(at / BLOCK_BYTES).unwrap_or(u32::MAX);
            let blocks = &mut self.blocks[bucket_of(gram)];
            if blocks.last() != Some(&block) {
                blocks.push(block);
            }
        }
        self.noted = self.noted.max((text.len() + 1).saturating_sub(GRAM_BYTES));
    }

    /// The stretches of a text of `length` bytes in which `needle` may stand, ascending; neighbours overlap by less than
    /// its length.
    pub(super) fn stretches(&self, needle: &[u8], length: usize) -> Vec<Range<usize>> {
        let mut lists: Vec<&[u32]> = Vec::new();
        let grams = needle.len().saturating_sub(GRAM_BYTES - 1);
        // A needle may begin in one block and go on in the next, but not behind that.
        let grams = grams.min(LOOKED_UP_MAX);
        for place in 0..grams {
            lists.push(&self.blocks[bucket_of(&needle[place..place + GRAM_BYTES])]);
        }
        if lists.is_empty() {
            return std::iter::once(0..length).collect();
        }
        let first = lists[0];
        lists[1..].sort_unstable_by_key(|list| list.len());
        let mut blocks = first.to_vec();
        for list in &lists[1..] {
            keep_near(&mut blocks, list);
        }
        joined(&blocks, needle.len(), length)
    }
}

/// Keeps the blocks that `list` has, or the block behind.
fn keep_near(blocks: &mut Vec<u32>, list: &[u32]) {
    let mut rest = list;
    blocks.retain(|&block| {
        // Both ascend; what lies far ahead is found by ever larger steps.
        let mut step = 1;
        while rest.get(step).is_some_and(|other| *other < block) {
            step *= 2;
        }
        let near = &rest[..rest.len().min(step + 1)];
        let behind = near.partition_point(|other| *other < block);
        rest = &rest[behind..];
        rest.first().is_some_and(|next| *next <= block + 1)
    });
}

/// The stretches of these blocks, each with what a needle that begins in it may need of the next; neighbours are one.
fn joined(blocks: &[u32], needle: usize, length: usize) -> Vec<Range<usize>> {
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for &block in blocks {
        let start = block as usize * BLOCK_BYTES;
        let end = (start + BLOCK_BYTES + needle - 1).min(length);
        match stretches.last_mut() {
            Some(last) if last.end >= start => last.end = end,
            _ => stretches.push(start..end),
        }
    }
    stretches
}

/// The list of a gram.
fn bucket_of(gram: &[u8]) -> usize {
    let gram = gram
        .iter()
        .fold(0_u32, |gram, byte| gram << 8 | u32::from(*byte));
    (gram.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

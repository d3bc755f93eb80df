//! In which blocks of a text each gram begins.
//!
//! A gram is three neighbouring bytes, a block a kilobyte of text. Grams share [`BUCKETS`] lists by their hash, so a list
//! names blocks that have one of several grams: what is searched for is looked for in all blocks that each of the lists that are
//! asked names, and never missed. Text is only added at the end, so lists grow at the end and are in order.
//!
//! **Memory.** A byte or two for each different gram of a block: about as much as the text, less where it repeats itself.

use std::fmt;
use std::ops::Range;

/// Bytes of a gram.
const GRAM_BYTES: usize = 3;
/// Bytes of a block. A hit costs looking through one; a smaller block costs memory.
const BLOCK_BYTES: usize = 1 << 10;
/// Lists of blocks.
const BUCKETS: usize = 1 << 16;
/// Grams of what is searched for, from its beginning, of which the rarest are asked.
const GRAMS_MAX: usize = 256;
/// How many are asked: more of them rule hardly anything out any more.
const ASKED_MAX: usize = 4;

/// See the module.
pub(super) struct Grams {
    /// By the hash of a gram: the blocks in which one begins.
    lists: Vec<List>,
    /// Grams that begin before are noted.
    noted: usize,
}

/// Numbers of blocks, ascending: each as the distance from the one before, seven bits a byte, the low ones first.
#[derive(Clone, Default)]
struct List {
    bytes: Vec<u8>,
    /// The last one and one; 0 while there is none.
    end: u32,
}

impl Default for Grams {
    fn default() -> Self {
        Grams {
            lists: vec![List::default(); BUCKETS],
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
            let block = u32::try_from(at / BLOCK_BYTES).unwrap_or(u32::MAX - 1);
            self.lists[bucket_of(gram)].add(block);
        }
        self.noted = self.noted.max((text.len() + 1).saturating_sub(GRAM_BYTES));
    }

    /// The stretches of a text of `length` bytes in which `needle` may stand, ascending; neighbours overlap by less than
    /// its length.
    pub(super) fn stretches(&self, needle: &[u8], length: usize) -> Vec<Range<usize>> {
        let grams = needle.windows(GRAM_BYTES).take(GRAMS_MAX);
        let mut lists: Vec<(usize, &List)> = grams
            .map(|gram| &self.lists[bucket_of(gram)])
            .enumerate()
            .collect();
        lists.sort_unstable_by_key(|(_, list)| list.bytes.len());
        let Some(((place, rarest), others)) = lists.split_first() else {
            return std::iter::once(0..length).collect();
        };
        let mut blocks: Vec<u32> = rarest.iter().collect();
        for (_, list) in others.iter().take(ASKED_MAX - 1) {
            keep_near(&mut blocks, list);
        }
        joined(&blocks, *place, needle.len(), length)
    }
}

impl List {
    fn add(&mut self, block: u32) {
        if self.end > block {
            return;
        }
        let mut distance = block - self.end;
        while distance >= 0x80 {
            self.bytes.push(0x80 | low_bits(distance));
            distance >>= 7;
        }
        self.bytes.push(low_bits(distance));
        self.end = block + 1;
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let mut end = 0_u32;
        let (mut distance, mut shift) = (0_u32, 0);
        self.bytes.iter().filter_map(move |byte| {
            distance |= u32::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 != 0 {
                return None;
            }
            let block = end + distance;
            (end, distance, shift) = (block + 1, 0, 0);
            Some(block)
        })
    }
}

/// The lowest seven bits.
fn low_bits(number: u32) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or(0)
}

/// Keeps the blocks that `list` has, or whose neighbour it has: grams of one needle are no further apart.
fn keep_near(blocks: &mut Vec<u32>, list: &List) {
    let mut rest = list.iter();
    let mut next = rest.next();
    blocks.retain(|&block| {
        while next.is_some_and(|next| next + 1 < block) {
            next = rest.next();
        }
        next.is_some_and(|next| next <= block + 1)
    });
}

/// The stretches where a needle can stand whose gram at `place` begins in one of these blocks; neighbours are one.
fn joined(blocks: &[u32], place: usize, needle: usize, length: usize) -> Vec<Range<usize>> {
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for &block in blocks {
        let start = block as usize * BLOCK_BYTES;
        let end = (start + BLOCK_BYTES - 1 + needle - place).min(length);
        let start = start.saturating_sub(place);
        match stretches.last_mut() {
            Some(last) if last.end >= start => last.end = last.end.max(end),
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

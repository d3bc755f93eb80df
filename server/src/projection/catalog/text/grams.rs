//! In which blocks of a text each gram begins.
//!
//! A gram is three neighbouring bytes, a block some neighbouring pieces, a quarter of a kilobyte or more. Pieces are never cut, so all
//! grams of what is searched for begin in the block where it stands, and only blocks that each of the lists asked names are
//! looked into. Grams share [`BUCKETS`] lists by their hash, so a list names blocks that have one of several grams: a
//! block may be looked into for nothing, and none is missed. Text is only added at the end, so lists grow at the end and are in order.
//!
//! **Memory.** A byte or two for each different gram of a block: about half as much as the text, where it repeats itself.

use std::fmt;
use std::ops::Range;

/// Bytes of a gram.
const GRAM_BYTES: usize = 3;
/// Bytes from which on a block is full. A hit costs looking through one; a smaller block costs memory.
const BLOCK_BYTES: usize = 256;
/// Lists of blocks.
const BUCKETS: usize = 1 << 16;
/// Grams of what is searched for, from its beginning, of which the rarest are asked.
const GRAMS_MAX: usize = 256;
/// Bytes of a list that are read while a block is looked through.
const LIST_BYTES_A_BLOCK: usize = 32;

/// See the module.
pub(super) struct Grams {
    /// By the hash of a gram: the blocks in which one begins.
    lists: Vec<List>,
    /// The first piece of each block.
    first_pieces: Vec<u32>,
    /// Bytes of the last block.
    last_bytes: usize,
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
            first_pieces: Vec::new(),
            last_bytes: BLOCK_BYTES,
        }
    }
}

impl fmt::Debug for Grams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Grams")
            .field("blocks", &self.first_pieces.len())
            .finish_non_exhaustive()
    }
}

impl Grams {
    /// Notes the next piece.
    pub(super) fn note(&mut self, piece: u32, text: &[u8]) {
        if self.last_bytes >= BLOCK_BYTES {
            self.first_pieces.push(piece);
            self.last_bytes = 0;
        }
        self.last_bytes += text.len();
        let block = u32::try_from(self.first_pieces.len() - 1).unwrap_or(u32::MAX - 1);
        for gram in text.windows(GRAM_BYTES) {
            self.lists[bucket_of(gram)].add(block);
        }
    }

    /// The pieces, of `count` that were noted, among which all are that have `needle`; ascending, neighbours joined.
    pub(super) fn pieces_with(&self, needle: &[u8], count: usize) -> Vec<Range<usize>> {
        let grams = needle.windows(GRAM_BYTES).take(GRAMS_MAX);
        let mut lists: Vec<&List> = grams.map(|gram| &self.lists[bucket_of(gram)]).collect();
        lists.sort_unstable_by_key(|list| list.bytes.len());
        let Some((rarest, others)) = lists.split_first() else {
            return std::iter::once(0..count).collect();
        };
        let mut blocks: Vec<u32> = rarest.iter().collect();
        for list in others {
            if !self.is_worth_reading(list, blocks.len()) {
                break;
            }
            keep_common(&mut blocks, list);
        }
        self.joined(&blocks, count)
    }

    /// Whether reading a list takes less than looking through those of `left` blocks that it likely rules out.
    fn is_worth_reading(&self, list: &List, left: usize) -> bool {
        let all = self.first_pieces.len().max(1);
        let ruled_out = left * all.saturating_sub(list.bytes.len()) / all;
        list.bytes.len() < ruled_out * LIST_BYTES_A_BLOCK
    }

    /// The pieces of these blocks; neighbours are one.
    fn joined(&self, blocks: &[u32], count: usize) -> Vec<Range<usize>> {
        let first = |block: usize| self.first_pieces.get(block).map(|piece| *piece as usize);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for block in blocks.iter().map(|block| *block as usize) {
            let (Some(start), end) = (first(block), first(block + 1).unwrap_or(count)) else {
                continue;
            };
            match joined.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => joined.push(start..end),
            }
        }
        joined
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

/// Keeps the blocks that `list` has, too.
fn keep_common(blocks: &mut Vec<u32>, list: &List) {
    let mut rest = list.iter();
    let mut next = rest.next();
    blocks.retain(|&block| {
        while next.is_some_and(|next| next < block) {
            next = rest.next();
        }
        next == Some(block)
    });
}

/// The list of a gram.
fn bucket_of(gram: &[u8]) -> usize {
    let gram = gram
        .iter()
        .fold(0_u32, |gram, byte| gram << 8 | u32::from(*byte));
    (gram.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

//! Rows in an order: a list in which the n-th is found at once, which a tree does not give.
//!
//! Ordinals lie in chunks of a few kilobytes. A chunk, and the place in it, is found by halving; the n-th row by adding
//! up the chunks' lengths, of which a million rows have two thousand.

use std::cmp::Ordering;

/// Ordinals in a chunk at most; a full one is halved.
const CHUNK_MAX: usize = 1_024;

/// Ordinals of rows in an order that the caller compares by.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    chunks: Vec<Vec<u32>>,
    len: usize,
}

impl Sorted {
    /// These ordinals, which are in the order already.
    pub(super) fn of(ordinals: &[u32]) -> Self {
        Sorted {
            chunks: ordinals.chunks(CHUNK_MAX).map(<[u32]>::to_vec).collect(),
            len: ordinals.len(),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many stand before the first that `is_before` is false for; it must be true for all in front of that one.
    pub(super) fn rank(&self, is_before: impl Fn(u32) -> bool) -> usize {
        let (chunk, place) = self.place(&is_before);
        let before: usize = self.chunks[..chunk].iter().map(Vec::len).sum();
        before + place
    }

    /// Puts an ordinal in. `compare` says how another stands to it; none may be equal.
    pub(super) fn insert(&mut self, ordinal: u32, compare: impl Fn(u32) -> Ordering) {
        let (mut chunk, mut place) = self.place(&|other| compare(other) == Ordering::Less);
        if self.chunks.is_empty() {
            self.chunks.push(Vec::new());
        }
        if chunk == self.chunks.len() {
            chunk -= 1;
            place = self.chunks[chunk].len();
        }
        self.chunks[chunk].insert(place, ordinal);
        self.len += 1;
        let full = &mut self.chunks[chunk];
        if full.len() > CHUNK_MAX {
            // What grows at the end only keeps its chunks full.
            let at = if place + 1 == full.len() {
                CHUNK_MAX
            } else {
                CHUNK_MAX / 2
            };
            let rest = full.split_off(at);
            self.chunks.insert(chunk + 1, rest);
        }
    }

    /// Takes an ordinal out, if it is there. `compare` as it was when it was put in.
    pub(super) fn remove(&mut self, ordinal: u32, compare: impl Fn(u32) -> Ordering) {
        let (chunk, place) = self.place(&|other| compare(other) == Ordering::Less);
        if self.chunks.get(chunk).and_then(|found| found.get(place)) != Some(&ordinal) {
            return;
        }
        self.chunks[chunk].remove(place);
        self.len -= 1;
        if self.chunks[chunk].is_empty() {
            self.chunks.remove(chunk);
        }
    }

    /// The ordinals from the `rank`-th on, first is 0.
    pub(super) fn from(&self, rank: usize) -> impl Iterator<Item = u32> {
        let mut chunk = 0;
        let mut left = rank;
        while let Some(found) = self.chunks.get(chunk).filter(|found| found.len() <= left) {
            left -= found.len();
            chunk += 1;
        }
        self.chunks[chunk..].iter().flatten().copied().skip(left)
    }

    /// The ordinals before the `rank`-th, backwards.
    pub(super) fn back_from(&self, rank: usize) -> impl Iterator<Item = u32> {
        let skipped = self.len.saturating_sub(rank);
        let mut left = skipped;
        let mut end = self.chunks.len();
        while end > 0 && self.chunks[end - 1].len() <= left {
            left -= self.chunks[end - 1].len();
            end -= 1;
        }
        self.chunks[..end]
            .iter()
            .rev()
            .flat_map(|chunk| chunk.iter().rev())
            .copied()
            .skip(left)
    }

    fn place(&self, is_before: &impl Fn(u32) -> bool) -> (usize, usize) {
        let ends_before = |chunk: &Vec<u32>| chunk.last().is_some_and(|last| is_before(*last));
        let chunk = self.chunks.partition_point(ends_before);
        let place = self
            .chunks
            .get(chunk)
            .map_or(0, |found| found.partition_point(|other| is_before(*other)));
        (chunk, place)
    }
}

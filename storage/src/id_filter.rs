//! "Was this event id ever seen?", answered from memory: certainly not, or probably.
//!
//! Place on the data path: the committer asks it for each id that a caller brings, so that an append with a new id (all
//! but the repeated ones) touches no index. After "probably" the indexes decide. It is derived: saved with the engine's
//! tables, made again from the log when they are gone.
//!
//! A split block Bloom filter: an id belongs to one block of 512 bits, eight words of which get one bit each, so that
//! looking costs one cache line. Source: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters",
//! WEA 2007 (blocks); the split into words with one bit each is that of Impala and Parquet. It grows by levels, each
//! four times as large as the one before and never rehashed, after Almeida et al., "Scalable Bloom Filters", 2007.
//!
//! Invariants: an id that was inserted is always found. All levels but the last are full.

use std::io;

#[cfg(test)]
mod tests;

/// Ids that the first level is made for; each further level takes four times as many as the one before.
const FIRST_LEVEL_IDS: u64 = 256 << 10;
/// Levels at most: together they hold 1.4 billion ids. The last one takes more than it is made for rather than refuse.
const LEVELS_MAX: usize = 7;
/// Bits of filter for each id. A full level mistakes one new id in 1,500, so four (22 million ids) stay below 0.3 %.
const BITS_PER_ID: u64 = 17;
/// 64-bit words in a block: together one cache line.
const BLOCK_WORDS: usize = 8;
const BLOCK_BYTES: usize = BLOCK_WORDS * 8;

const _: () = assert!((FIRST_LEVEL_IDS * BITS_PER_ID).is_multiple_of(BLOCK_BYTES as u64 * 8));

/// A set of ids that never forgets one and sometimes thinks it knows one.
#[derive(Debug, Default)]
pub(crate) struct IdFilter {
    /// Oldest and smallest first; none until the first id comes.
    levels: Vec<Level>,
}

impl IdFilter {
    /// No ids; allocates nothing.
    pub(crate) fn new() -> Self {
        IdFilter::default()
    }

    /// Adds an id. Adding one again changes nothing but [`len`](Self::len).
    pub(crate) fn insert(&mut self, id: u128) {
        let must_grow = self
            .levels
            .last()
            .is_none_or(|level| level.ids >= level_ids(self.levels.len() - 1));
        if must_grow && self.levels.len() < LEVELS_MAX {
            self.levels.push(Level::empty(self.levels.len()));
        }
        if let Some(level) = self.levels.last_mut() {
            level.insert(Hashed::of(id));
        }
    }

    /// Whether the id may have been inserted. `false` is certain. One cache line for each level.
    pub(crate) fn might_contain(&self, id: u128) -> bool {
        let hashed = Hashed::of(id);
        // Newest first: what is asked for again was mostly seen a moment ago.
        self.levels
            .iter()
            .rev()
            .any(|level| level.might_contain(hashed))
    }

    /// Those of many ids that were certainly never inserted, by their places among them. No look-up waits for the one before it,
    /// so together they take a fraction of the time that they take one by one.
    pub(crate) fn unknown(&self, ids: impl Iterator<Item = u128>) -> Vec<usize> {
        let mut left: Vec<(usize, Hashed)> = ids.map(Hashed::of).enumerate().collect();
        for level in self.levels.iter().rev() {
            let known: Vec<bool> = left
                .iter()
                .map(|(_, hashed)| level.might_contain(*hashed))
                .collect();
            let mut known = known.into_iter();
            left.retain(|_| !known.next().unwrap_or(false));
        }
        left.into_iter().map(|(place, _)| place).collect()
    }

    /// How many insertions there were.
    #[cfg(test)]
    pub(crate) fn len(&self) -> u64 {
        self.levels.iter().map(|level| level.ids).sum()
    }

    /// Bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.levels.iter().map(|level| level.words.len() * 8).sum()
    }

    /// Hands out the filter in pieces: the count of levels (u32), then of each level its ids (u64) and its words, little-endian.
    ///
    /// Without a checksum: it stands in a frame, or in something else that has one.
    ///
    /// # Errors
    /// Those of `put`.
    pub(crate) fn write_to(&self, put: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let count = u32::try_from(self.levels.len()).expect("there are at most LEVELS_MAX levels");
        put(&count.to_le_bytes())?;
        for level in &self.levels {
            put(&level.ids.to_le_bytes())?;
            for block in level.blocks().chunks(BLOCK_WORDS) {
                let mut bytes = [0; BLOCK_BYTES];
                let (words, _) = bytes.as_chunks_mut();
                for (bytes, word) in words.iter_mut().zip(block) {
                    *bytes = word.to_le_bytes();
                }
                put(&bytes)?;
            }
        }
        Ok(())
    }

    /// The filter that [`write_to`](Self::write_to) wrote; `None` when the bytes are no such thing or more than it.
    ///
    /// Allocates no more than there are bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<IdFilter> {
        let (count, mut rest) = bytes.split_first_chunk()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        if count > LEVELS_MAX {
            return None;
        }
        let mut levels = Vec::new();
        for index in 0..count {
            let (ids, behind) = rest.split_first_chunk()?;
            let ids = u64::from_le_bytes(*ids);
            let full =
                ids == level_ids(index) || (index + 1 == LEVELS_MAX && ids > level_ids(index));
            let last_and_begun = index + 1 == count && ids > 0 && ids < level_ids(index);
            if !full && !last_and_begun {
                return None;
            }
            // Split off before anything is allocated, so that the level is no larger than its bytes.
            let (words, behind) = behind.split_at_checked(level_blocks(index) * BLOCK_BYTES)?;
            levels.push(Level::from_bytes(index, ids, words));
            rest = behind;
        }
        rest.is_empty().then_some(IdFilter { levels })
    }
}

/// Ids that the level is made for.
const fn level_ids(index: usize) -> u64 {
    FIRST_LEVEL_IDS << (2 * index)
}

/// Blocks of the level.
#[expect(
    clippy::cast_possible_truncation,
    reason = "8,704 blocks in the first level"
)]
const fn level_blocks(index: usize) -> usize {
    let first = (FIRST_LEVEL_IDS * BITS_PER_ID) as usize / (BLOCK_BYTES * 8);
    first << (2 * index)
}

#[derive(Debug)]
struct Level {
    /// Insertions so far.
    ids: u64,
    /// The blocks, from `first` on. Never grown, so that `first` stays right.
    words: Vec<u64>,
    /// Where the first whole cache line begins: an allocator aligns words, not lines.
    first: usize,
    /// How many blocks there are.
    block_count: usize,
}

impl Level {
    fn empty(index: usize) -> Level {
        let blocks = level_blocks(index);
        // Zeroed by the system as it is touched: a large new level does not hold up the committer.
        let words = vec![0_u64; (blocks + 1) * BLOCK_WORDS - 1];
        // Where the alignment cannot be told the filter is as right and only slower.
        let first = words
            .as_ptr()
            .align_offset(BLOCK_BYTES)
            .min(BLOCK_WORDS - 1);
        Level {
            ids: 0,
            words,
            first,
            block_count: blocks,
        }
    }

    fn from_bytes(index: usize, ids: u64, bytes: &[u8]) -> Level {
        let mut level = Level::empty(index);
        level.ids = ids;
        let (words, _) = bytes.as_chunks();
        let blocks = &mut level.words[level.first..][..words.len()];
        for (word, bytes) in blocks.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*bytes);
        }
        level
    }

    fn blocks(&self) -> &[u64] {
        &self.words[self.first..][..self.block_count * BLOCK_WORDS]
    }

    fn insert(&mut self, hashed: Hashed) {
        let start = self.block_start(hashed);
        let block = &mut self.words[start..start + BLOCK_WORDS];
        for (word, bit) in block.iter_mut().zip(hashed.bits()) {
            *word |= bit;
        }
        self.ids += 1;
    }

    fn might_contain(&self, hashed: Hashed) -> bool {
        let start = self.block_start(hashed);
        let block = &self.words[start..start + BLOCK_WORDS];
        // Without an early end: eight cheap steps cost less than a branch that is guessed wrong.
        block
            .iter()
            .zip(hashed.bits())
            .fold(0, |missing, (word, bit)| missing | (!word & bit))
            == 0
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "below the count of blocks, which is a usize"
    )]
    fn block_start(&self, hashed: Hashed) -> usize {
        // Scales 64 bits to the count of blocks without a division (Lemire, "Fast Random Integer Generation", 2019).
        let block = (u128::from(hashed.block) * self.block_count as u128) >> 64;
        self.first + block as usize * BLOCK_WORDS
    }
}

/// What a filter knows an id by.
#[derive(Clone, Copy, Debug)]
struct Hashed {
    /// Chooses the block, by its high bits.
    block: u64,
    /// Six bits for each word of the block, from the low end.
    bits: u64,
}

impl Hashed {
    #[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
    fn of(id: u128) -> Hashed {
        // A UUIDv7 begins with the time and others may count: both halves are mixed until each bit of the id moves each
        // bit of the hash.
        let (high, low) = ((id >> 64) as u64, id as u64);
        let block = mix(low.wrapping_add(mix(high)));
        Hashed {
            block,
            bits: mix(block.wrapping_add(0x9E37_79B9_7F4A_7C15)),
        }
    }

    fn bits(self) -> [u64; BLOCK_WORDS] {
        std::array::from_fn(|word| 1 << ((self.bits >> (6 * word)) & 63))
    }
}

/// A bijection of 64 bits in which each input bit flips each output bit half of the time. Source: Stafford's thirteenth
/// variant of the MurmurHash3 finaliser, as in SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

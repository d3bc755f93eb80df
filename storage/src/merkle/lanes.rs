//! SHA-256 (FIPS 180-4) of many messages, a block of each in turns.
//!
//! The rounds of a block wait for each other, and the blocks of a message too, so hashing one message keeps a processor with SHA
//! instructions waiting most of the time. Another message's block has no part in that: it is begun meanwhile.

use sha2::block_api::compress256;

/// Messages that take turns. More do not fit into what a processor looks ahead.
const LANES: usize = 3;
const BLOCK_BYTES: usize = 64;
/// Where a message's last block holds its length in bits.
const LENGTH_FROM: usize = BLOCK_BYTES - 8;
/// §5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Gives the digest of `prefix ‖ message` for each message, in order.
pub(super) fn digest_each<'a>(
    prefix: u8,
    messages: impl IntoIterator<Item = &'a [u8]>,
    mut give: impl FnMut([u8; 32]),
) {
    let mut messages = messages.into_iter();
    let mut lanes: Vec<Lane<'a>> = Vec::with_capacity(LANES);
    loop {
        let next = messages.by_ref().take(LANES);
        lanes.extend(next.map(|message| Lane::new(prefix, message)));
        if lanes.is_empty() {
            return;
        }
        let blocks_max = lanes.iter().map(|lane| lane.blocks).max().unwrap_or(0);
        for block in 0..blocks_max {
            for lane in &mut lanes {
                lane.compress(block);
            }
        }
        lanes.drain(..).for_each(|lane| give(lane.digest()));
    }
}

/// A message under way.
struct Lane<'a> {
    prefix: u8,
    message: &'a [u8],
    /// Of the padded message.
    blocks: usize,
    state: [u32; 8],
}

impl<'a> Lane<'a> {
    fn new(prefix: u8, message: &'a [u8]) -> Self {
        // Behind the message come a one bit and the length.
        let padded = 1 + message.len() + 1 + size_of::<u64>();
        Lane {
            prefix,
            message,
            blocks: padded.div_ceil(BLOCK_BYTES),
            state: INITIAL,
        }
    }

    /// Takes in the block with this number; nothing behind the last.
    fn compress(&mut self, block: usize) {
        // The prefix stands in front, so that the message is read from one byte earlier.
        let inner = (block * BLOCK_BYTES)
            .checked_sub(1)
            .and_then(|from| self.message.get(from..)?.first_chunk::<BLOCK_BYTES>());
        match inner {
            Some(inner) => compress256(&mut self.state, std::slice::from_ref(inner)),
            None if block < self.blocks => {
                let outer = self.outer_block(block);
                compress256(&mut self.state, &[outer]);
            }
            None => {}
        }
    }

    /// A block that is not the message's alone: with the prefix, or with the padding of §5.1.1.
    fn outer_block(&self, block: usize) -> [u8; BLOCK_BYTES] {
        let from = block * BLOCK_BYTES;
        let mut bytes = [0; BLOCK_BYTES];
        let front = usize::from(block == 0);
        if block == 0 {
            bytes[0] = self.prefix;
        }
        let rest = self.message.get(from.saturating_sub(1)..);
        let rest = rest.unwrap_or_default();
        let taken = rest.len().min(BLOCK_BYTES - front);
        bytes[front..front + taken].copy_from_slice(&rest[..taken]);
        let length = 1 + self.message.len();
        if let Some(one_bit) = length.checked_sub(from)
            && one_bit < BLOCK_BYTES
        {
            bytes[one_bit] = 0x80;
        }
        if block + 1 == self.blocks {
            let bits = length as u64 * 8;
            bytes[LENGTH_FROM..].copy_from_slice(&bits.to_be_bytes());
        }
        bytes
    }

    fn digest(self) -> [u8; 32] {
        let mut digest = [0; 32];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        digest
    }
}

//! The chain over a device's operations: two stores that used one sequence number differently are told apart.
//!
//! `chain(n) = XXH64(canonical bytes of operation n, seed = chain(n - 1))`, `chain(0) = XXH64(device as a varint, 0)`. It
//! runs over operations and not over frames, so a device may cut its pending operations into other frames when it
//! retries. It guards against copies and restored backups, not against forgery: whoever holds the device's key can
//! compute it.
//!
//! A frame tells three bytes of it, mixed with what the frame was written against, so that a frame which comes with
//! another cursor than its own is noticed too. Where a store goes on from another past than the log's, one frame in 16.7
//! million passes, and the next one is asked again.

use super::frame::Basis;
use crate::replica::DeviceId;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// The chain after some operation of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain(pub u64);

/// What a frame tells of a chain: the lowest three bytes of `XXH64(basis, seed = chain)`, of the basis its position and
/// its time in milliseconds, 8 bytes big-endian each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainCheck([u8; 3]);

impl Wire for ChainCheck {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.0);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = reader.raw(3)?.try_into();
        bytes.map(Self).map_err(|_| DecodeError::UnexpectedEnd)
    }
}

impl Chain {
    /// The chain before a device's first operation.
    pub fn of(device: DeviceId) -> Self {
        let mut writer = Writer::new();
        device.encode(&mut writer);
        Self(xxh64(writer.as_bytes(), 0))
    }

    /// What a frame tells of it that is written against `basis`.
    pub fn check(self, basis: &Basis) -> ChainCheck {
        let mut against = [0; 16];
        let (position, time) = against.split_at_mut(8);
        position.copy_from_slice(&basis.position.get().to_be_bytes());
        time.copy_from_slice(&basis.time_ms().to_be_bytes());
        let [.., third, second, first] = xxh64(&against, self.0).to_be_bytes();
        ChainCheck([third, second, first])
    }

    /// The chain after an operation with these canonical bytes.
    #[must_use]
    pub fn after(self, operation: &[u8]) -> Self {
        Self(xxh64(operation, self.0))
    }
}

const PRIME_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME_5: u64 = 0x27D4_EB2F_1656_67C5;

/// XXH64 of `bytes`. Source: the xxHash specification, version 0.2.0, section "XXH64 algorithm description".
pub fn xxh64(bytes: &[u8], seed: u64) -> u64 {
    let mut stripes = bytes.chunks_exact(32);
    let mut hash = if bytes.len() < 32 {
        seed.wrapping_add(PRIME_5)
    } else {
        let mut lanes = [
            seed.wrapping_add(PRIME_1).wrapping_add(PRIME_2),
            seed.wrapping_add(PRIME_2),
            seed,
            seed.wrapping_sub(PRIME_1),
        ];
        for stripe in stripes.by_ref() {
            for (lane, word) in lanes.iter_mut().zip(stripe.as_chunks().0) {
                *lane = round(*lane, u64::from_le_bytes(*word));
            }
        }
        let [first, second, third, fourth] = lanes;
        let merged = first.rotate_left(1).wrapping_add(second.rotate_left(7));
        let merged = merged
            .wrapping_add(third.rotate_left(12))
            .wrapping_add(fourth.rotate_left(18));
        lanes.iter().fold(merged, |hash, lane| {
            (hash ^ round(0, *lane))
                .wrapping_mul(PRIME_1)
                .wrapping_add(PRIME_4)
        })
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    finish(hash, stripes.remainder())
}

fn finish(mut hash: u64, tail: &[u8]) -> u64 {
    let (words, tail) = tail.as_chunks();
    for word in words {
        hash = (hash ^ round(0, u64::from_le_bytes(*word)))
            .rotate_left(27)
            .wrapping_mul(PRIME_1)
            .wrapping_add(PRIME_4);
    }
    let (halves, tail) = tail.as_chunks();
    for half in halves {
        hash = (hash ^ u64::from(u32::from_le_bytes(*half)).wrapping_mul(PRIME_1))
            .rotate_left(23)
            .wrapping_mul(PRIME_2)
            .wrapping_add(PRIME_3);
    }
    for byte in tail {
        hash = (hash ^ u64::from(*byte).wrapping_mul(PRIME_5))
            .rotate_left(11)
            .wrapping_mul(PRIME_1);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(PRIME_2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(PRIME_3);
    hash ^ (hash >> 32)
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(PRIME_2))
        .rotate_left(31)
        .wrapping_mul(PRIME_1)
}

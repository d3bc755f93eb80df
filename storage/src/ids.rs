//! Ids for events whose writer gave none: UUIDv7 (RFC 9562 §5.7), the time of acceptance and 74 random bits.

use uuid::Uuid;

use crate::time::Timestamp;

#[cfg(test)]
mod tests;

/// A source of ids, seeded once from the operating system.
#[derive(Debug)]
pub(crate) struct IdSource {
    state: u64,
    stream: u64,
}

impl IdSource {
    pub(crate) fn new() -> Self {
        let (state, stream) = Uuid::new_v4().as_u64_pair();
        // An odd increment gives the generator its full period.
        IdSource {
            state,
            stream: stream | 1,
        }
    }

    /// An id made at `recorded_at`.
    pub(crate) fn next(&mut self, recorded_at: Timestamp) -> Uuid {
        let (high, low) = (self.random(), self.random());
        let mut random = [0; 10];
        random[..8].copy_from_slice(&high.to_le_bytes());
        random[8..].copy_from_slice(&low.to_le_bytes()[..2]);
        let millis = u64::try_from(recorded_at.micros() / 1000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// SplitMix64 (Steele, Lea, Flood 2014) with an increment of its own.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(self.stream);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

//! The hash chain: each group's marker carries SHA-256 over the chain before it and the BLAKE3 digest of the group's bytes.
//!
//! Whoever holds the chain value of one moment can tell whether any earlier byte was changed, removed or inserted. The
//! bytes go through BLAKE3, which is fast on processors without SHA instructions too (ADR 2); the chain itself is SHA-256.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::record::Chain;

/// What the chain of a log begins with.
pub(crate) fn start(log_id: Uuid) -> Chain {
    Sha256::new()
        .chain_update(b"railfleet log ")
        .chain_update(log_id.as_bytes())
        .finalize()
        .into()
}

/// The chain after a group whose bytes before the marker are `group`.
pub(crate) fn link(before: &Chain, group: &[u8]) -> Chain {
    let digest = blake3::hash(group);
    Sha256::new()
        .chain_update(before)
        .chain_update(digest.as_bytes())
        .finalize()
        .into()
}

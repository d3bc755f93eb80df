//! A digest of what a device shows: two views that should be equal are compared in 16 bytes.

use super::page_codec::encode_view;
use crate::collapsed::{EntityView, Handle};
use crate::entity::EntityTable;
use crate::wire::Writer;
use sha2::{Digest as _, Sha256};

/// The sum, modulo 2^128, of the digests of entities; so it does not depend on their order and can be kept by adding
/// and subtracting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub u128);

impl Digest {
    /// The digest with one more entity.
    #[must_use]
    pub fn with(self, entity: Digest) -> Self {
        Self(self.0.wrapping_add(entity.0))
    }

    /// The digest with one entity less.
    #[must_use]
    pub fn without(self, entity: Digest) -> Self {
        Self(self.0.wrapping_sub(entity.0))
    }
}

/// The digest of one entity: the first 16 bytes, big-endian, of SHA-256 over the handle and the canonical bytes of its
/// view.
pub fn digest_of_view(table: &'static EntityTable, handle: Handle, view: &EntityView) -> Digest {
    let mut writer = Writer::new();
    writer.varint(handle.0.into());
    encode_view(table, view, &mut writer);
    let hash = Sha256::digest(writer.as_bytes());
    let head = hash
        .iter()
        .take(16)
        .fold(0, |head: u128, byte| (head << 8) | u128::from(*byte));
    Digest(head)
}

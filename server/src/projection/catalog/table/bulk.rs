//! The order of many rows at once.

use std::cmp::Ordering;
use std::sync::Arc;

use fleet::listing::OrderBy;

use super::{OrderIndex, compare, key_of};

/// Bytes of a text that are compared without looking it up.
const LEAD_BYTES: usize = 8;

/// A row, and what decides about most pairs of rows without looking at either.
struct Keyed {
    /// The first of its bytes, as a number; what is missing is zero.
    lead: u64,
    /// How many bytes there are; one more than in `lead` for all that are more.
    length: u8,
    /// The same of its id, where that decides next: where `lead` holds all of its bytes.
    id_lead: u64,
    ordinal: u32,
}

/// `listed`, which ascend, as the index orders them.
pub(super) fn in_order(index: &OrderIndex, ids: &[Arc<str>], listed: &[u32]) -> Vec<u32> {
    if index.order.by == OrderBy::Beginning {
        return listed.to_vec();
    }
    let keyed = listed.iter().map(|&ordinal| {
        let bytes = index.bytes_of(ordinal);
        let fits = bytes.len() <= LEAD_BYTES;
        let id = ids[ordinal as usize].as_bytes();
        Keyed {
            lead: lead_of(bytes),
            length: u8::try_from(bytes.len().min(LEAD_BYTES + 1)).unwrap_or(u8::MAX),
            id_lead: if fits { lead_of(id) } else { 0 },
            ordinal,
        }
    });
    let mut keyed: Vec<Keyed> = keyed.collect();
    keyed.sort_unstable_by(|left, right| {
        let at_once =
            (left.lead, left.length, left.id_lead).cmp(&(right.lead, right.length, right.id_lead));
        at_once.then_with(|| compare(index, ids, left.ordinal, key_of(index, ids, right.ordinal)))
    });
    let in_order: Vec<u32> = keyed.iter().map(|keyed| keyed.ordinal).collect();
    debug_assert!(
        in_order.windows(2).all(|pair| {
            compare(index, ids, pair[0], key_of(index, ids, pair[1])) == Ordering::Less
        }),
        "rows are in their order"
    );
    in_order
}

/// The first bytes as a number that compares as they do.
fn lead_of(bytes: &[u8]) -> u64 {
    let mut lead = [0; LEAD_BYTES];
    let length = bytes.len().min(LEAD_BYTES);
    lead[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(lead)
}

//! The event's two shapes: JSON outside, [`storage`]'s bytes and tags inside.
//!
//! On the data path: a body of `POST /events`, a line of an ingested file, becomes a [`NewEvent`] here ([`parse`]); an
//! event of the log becomes JSON here ([`write_event_json`]). Both directions splice text. `data` is stored as compact
//! JSON in the order in which it came, and goes out again byte for byte; nothing is parsed to be shown.
//!
//! Two members of `metadata` are worth finding events by: `user_id` and `correlation_id`. They leave the metadata's
//! text and become tags (`user:…`, `correlation:…`), which the log indexes; on the way out they are put back. Free tags
//! carry the prefix `tag:`, so that none can pass for one of these or for the keys of accounts. Business keys that a
//! payload sets (`order_number`) become tags as well (`key:…`): commands that take the same key find them.

mod batch;
mod brought_in;
mod fields;
mod parse;
pub(crate) mod tags;
#[cfg(test)]
mod tests;
mod write;

pub use batch::{Batch, BatchError, parse_batch};
pub use brought_in::is_brought_in;
pub use parse::{Envelope, Refused, parse_event, read_event};
pub use tags::{
    CORRELATION_PREFIX, FREE_PREFIX, KEY_PREFIX, USER_PREFIX, attribute, correlation_id, key_tag,
    tag, user_id,
};
pub use write::{EventHead, KeptNames, write_event_json, write_head, write_tail, write_times};

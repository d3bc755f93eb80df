//! The Erasure aggregate: that somebody asked to be erased, and was. Only the server writes it.
//!
//! The aggregate id is the subject, `Staff:0f8f…`: which aggregate stood for the person, not who they were.

pub mod event;
pub mod schema;

/// The aggregate type of erasures.
pub const AGGREGATE_TYPE: &str = "Erasure";
/// Before the subjects of whom only an address is known, by a hash that each log keys by itself.
pub const CONTACT_PREFIX: &str = "Contact:";

/// Whether other depots are told of an event in the erasure of this subject: that somebody was erased, where they go by the
/// same id there. What was only asked for is served, and told then.
pub fn is_told_to_others(event_type: &str, subject: &str) -> bool {
    event_type == event::SUBJECT_ERASED && !subject.starts_with(CONTACT_PREFIX)
}

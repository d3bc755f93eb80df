//! What the fuzzer of `fuzz/` and the replay of its corpus call: the bodies of clients, and files that are taken in.

use serde::de::IgnoredAny;

use crate::envelope::{Envelope, parse_batch, parse_event};
use crate::{ingest, rfc3339};

#[cfg(test)]
mod tests;

/// Events of a batch that are allowed here.
const EVENTS_MAX: usize = 100;

/// The body of `POST /events`, and of a batch.
pub fn event(bytes: &[u8]) {
    if let Ok(envelope) = parse_event(bytes) {
        check(&envelope);
    }
    let _ = parse_batch(bytes, EVENTS_MAX);
    if let Some(time) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| rfc3339::parse(text).ok())
    {
        assert_eq!(rfc3339::parse(&rfc3339::to_string(time)).ok(), Some(time));
    }
}

/// Lines and rows of a file that is taken in.
pub fn ingested(bytes: &[u8]) {
    ingest::fuzz(bytes, &mut |envelope| check(envelope));
}

/// What the log is given is what it promises to give back: JSON, and names that somebody can read.
fn check(envelope: &Envelope) {
    let event = &envelope.event;
    assert!(is_object(&event.data), "data is an object");
    assert!(
        event.metadata.is_empty() || is_object(&event.metadata),
        "metadata is an object"
    );
    assert!(!envelope.stream.aggregate_type.is_empty() && !envelope.stream.aggregate_id.is_empty());
    assert!(!event.event_type.is_empty());
}

fn is_object(text: &[u8]) -> bool {
    text.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

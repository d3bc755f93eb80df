//! Ids for events that bring none: version 5 UUIDs (RFC 9562 §5.5) over what the input says, so that reading the same input
//! again, from any point and on any machine, gives the same ids.
//!
//! A line's id is made from its content and its number. The number is needed because real histories hold equal lines
//! that are two events; the name of the file is left out so that a renamed or copied file is still the same input, and a
//! file that grew adds only what is new. Two inputs whose equal lines at equal numbers are different events are told
//! apart by naming their source.

use storage::StreamName;
use uuid::Uuid;

/// The namespace of all ids made here.
const NAMESPACE: Uuid = Uuid::from_u128(0x6a1c_9a3e_0f0e_4d9a_8c56_2f7d_51a7_e0b3);

/// The id of the event number `index` (first is 0) of the record on line `line`.
pub(super) fn of_record(source: &str, line: u64, index: u32, content: &[u8]) -> Uuid {
    of_parts(&[
        b"record",
        source.as_bytes(),
        &line.to_le_bytes(),
        &index.to_le_bytes(),
        content,
    ])
}

/// The id of the event that begins a stream, whichever line it comes from.
pub(super) fn of_beginning(event_type: &str, stream: &StreamName) -> Uuid {
    let parts = [
        event_type.as_bytes(),
        stream.aggregate_type.as_bytes(),
        stream.aggregate_id.as_bytes(),
    ];
    of_parts(&[b"beginning", parts[0], parts[1], parts[2]])
}

/// The id of a CloudEvent: its `source` and `id` together are unique (CloudEvents 1.0 §3.1.1).
pub(super) fn of_cloud_event(source: &str, id: &str) -> Uuid {
    of_parts(&[b"cloudevent", source.as_bytes(), id.as_bytes()])
}

/// Lengths go in front of the parts, so that no two lists of parts read the same.
fn of_parts(parts: &[&[u8]]) -> Uuid {
    let mut text = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_le_bytes());
        text.extend_from_slice(part);
    }
    Uuid::new_v5(&NAMESPACE, &text)
}

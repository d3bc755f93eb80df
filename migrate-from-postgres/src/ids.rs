//! Ids that a second run makes again: a name made of table, key and kind of event, hashed.

use storage::StreamName;
use uuid::Uuid;

/// The namespace of all of them: the UUIDv5 of `railfleet/import/postgres` in the URL namespace.
const NAMESPACE: Uuid = Uuid::from_u128(0xfd6c_93a2_ad4a_5c1e_9dd9_c4f3_36e1_cc7d);

/// The id of the event of this kind that the row of `table` with this key causes (UUIDv5, RFC 9562 §5.5).
pub(crate) fn event_id(table: &str, key: &str, kind: &str) -> Uuid {
    let mut name = Vec::with_capacity(table.len() + key.len() + kind.len() + 2);
    name.extend_from_slice(table.as_bytes());
    name.push(0);
    name.extend_from_slice(key.as_bytes());
    name.push(0);
    name.extend_from_slice(kind.as_bytes());
    Uuid::new_v5(&NAMESPACE, &name)
}

/// The id of an event that brings a row's later values: what was before decides with, so that the same change made
/// twice is two events, and one made once is one.
pub(crate) fn change_id(table: &str, key: &str, version: u32, changes: &[u8]) -> Uuid {
    let digest = blake3::hash(changes);
    event_id(
        table,
        key,
        &format!("changed behind {version}: {}", digest.to_hex()),
    )
}

/// The id of the event that tells anew, for the n-th time in this stream, what the event `first` told: its row says it otherwise
/// now. They are numbered from 1 without gaps, so that the last one is found, also where a row says again what it said before.
pub(crate) fn again_id(first: Uuid, stream: &StreamName, number: u32) -> Uuid {
    Uuid::new_v5(&first, format!("{stream}\0again {number}").as_bytes())
}

/// The id that such an event had in imports of earlier versions: one for each saying. It is looked for and not given any more.
pub(crate) fn restated_id(table: &str, key: &str, kind: &str, row: &[u8]) -> Uuid {
    let digest = blake3::hash(row);
    event_id(table, key, &format!("{kind} as {}", digest.to_hex()))
}

/// The id of an event that is told once more, in this stream, because its row went there from another aggregate.
pub(crate) fn moved_id(id: Uuid, stream: &StreamName) -> Uuid {
    Uuid::new_v5(&id, stream.to_string().as_bytes())
}

/// The id of the import of a database.
pub(crate) fn import_id(place: &str, database: &str) -> Uuid {
    event_id("", &format!("{place}/{database}"), "import")
}

//! What an administrator decided about another depot, in this log: which of its messages are passed by, which key is its, and that
//! it is gone.

use fleet::depot::AGGREGATE_TYPE;
use fleet::depot::event::{
    DEPOT_CAME_BACK, DEPOT_DECLARED_GONE, DEPOT_KEY_TRUSTED, DEPOT_MESSAGE_QUARANTINED,
};
use serde_json::{Map, Value, json};
use storage::{
    ExpectedVersion, Log, NewEvent, Query, ReadError, ReadRequest, StreamName, Transaction,
};
use uuid::Uuid;

use ::federation::{Refused, sheet};

use crate::envelope::{USER_PREFIX, tag};

/// The messages that are passed by: their logs, and their positions there.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn quarantined(log: &Log) -> Result<Vec<(Uuid, u64)>, ReadError> {
    let mut found = Vec::new();
    let mut reader = log.read(&ReadRequest {
        query: Query::aggregate_types([AGGREGATE_TYPE]),
        ..ReadRequest::default()
    })?;
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) if event.event_type() == DEPOT_MESSAGE_QUARANTINED => event,
            Ok(_) | Err(ReadError::Damaged { .. }) => continue,
            Err(error) => return Err(error),
        };
        let data: Map<String, Value> = serde_json::from_slice(event.data()).unwrap_or_default();
        let position = data.get("position").and_then(Value::as_u64);
        let other = event.stream().aggregate_id.parse().ok();
        found.extend(other.zip(position));
    }
    Ok(found)
}

/// That a message of the log `other` is passed by.
pub(crate) fn quarantine(other: Uuid, refused: &Refused, reason: &str, by: &str) -> Transaction {
    let data = json!({
        "position": refused.position,
        "event_id": refused.event_id,
        "refusal": refused.reason,
        "reason": reason,
    });
    transaction(other, DEPOT_MESSAGE_QUARANTINED, &data, by)
}

/// That the messages of the log `other` are verified by another key from now on.
pub(crate) fn trust(
    other: Uuid,
    key: sheet::PublicKey,
    former: Option<sheet::PublicKey>,
    reason: &str,
    by: &str,
) -> Transaction {
    let data = json!({
        "public_key": sheet::key_text(key),
        "former_key": former.map(sheet::key_text),
        "reason": reason,
    });
    transaction(other, DEPOT_KEY_TRUSTED, &data, by)
}

/// That the depot of the log `other` is gone for good, or is not.
pub(crate) fn gone(other: Uuid, is_gone: bool, reason: &str, by: &str) -> Transaction {
    let event_type = match is_gone {
        true => DEPOT_DECLARED_GONE,
        false => DEPOT_CAME_BACK,
    };
    transaction(other, event_type, &json!({ "reason": reason }), by)
}

fn transaction(other: Uuid, event_type: &str, data: &Value, by: &str) -> Transaction {
    let event = NewEvent::new(event_type, data.to_string()).with_tag(tag(USER_PREFIX, by));
    let stream = StreamName::new(AGGREGATE_TYPE, other.to_string());
    Transaction::single(stream, ExpectedVersion::Any, event)
}

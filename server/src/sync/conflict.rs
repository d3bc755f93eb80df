//! Where values disagree: what a person is shown, and may choose between.

use crdt::collapsed::{After, CollapsedEntity};
use crdt::json::value_to_json;
use crdt::sync::{Hold, Rejection, Verdict};
use crdt::{Change, FieldRow, Kind, Value};
use fleet::EventDraft;
use fleet::calendar;
use fleet::command::Asked;
use fleet::policy::Role;
use fleet::sync_conflict::{SyncConflictCommand, decide};
use serde_json::{Map, Value as Json, json};
use storage::Timestamp;
use uuid::Uuid;

use crate::http::problem::Problem;

/// Two values of one field of which one was overruled, refused or held.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Disagreement {
    /// The field; an item's as `checklist.<item>.<field>`.
    pub(super) field: String,
    /// What the server has or had.
    pub(super) server: Json,
    /// What the device sent.
    pub(super) client: Json,
    /// `CONCURRENT_UPDATE`, `AUTHORITY_VIOLATION` or `IMPLAUSIBLE`.
    pub(super) kind: &'static str,
    /// Whose value stands now.
    pub(super) client_stands: bool,
}

/// Whence it came.
pub(super) struct Source<'a> {
    pub(super) entity_type: &'a str,
    pub(super) entity_id: &'a str,
    pub(super) device_id: &'a str,
    pub(super) role: Role,
    pub(super) operation_id: &'a str,
    pub(super) event_id: Uuid,
    pub(super) now: Timestamp,
    pub(super) detail: &'a str,
}

impl Disagreement {
    /// What disagrees after an operation; `None` where nothing does.
    pub(super) fn of(
        after: &After<'_>,
        row: &FieldRow,
        change: &Change,
        verdict: &Verdict,
    ) -> Option<Self> {
        let sent = sent(change)?;
        let of = |server: Json, kind: &'static str, client_stands: bool| Disagreement {
            field: field_name(row, change),
            server,
            client: value_to_json(&sent),
            kind,
            client_stands,
        };
        match verdict {
            Verdict::Rejected(_, Rejection::NotAuthorised) => {
                let server = shown(&after.entity(), row, change);
                Some(of(server, "AUTHORITY_VIOLATION", false))
            }
            Verdict::Held(_, Hold::Implausible) => {
                let server = shown(&after.entity(), row, change);
                Some(of(server, "IMPLAUSIBLE", false))
            }
            Verdict::Superseded(_) => {
                let server = value_to_json(after.disagreeing()?);
                Some(of(server, "CONCURRENT_UPDATE", false))
            }
            Verdict::Applied(_) | Verdict::Adjusted(..) if after.wins() => {
                let lost = value_to_json(after.disagreeing()?);
                Some(of(lost, "CONCURRENT_UPDATE", true))
            }
            _ => None,
        }
    }
}

fn shown(entity: &CollapsedEntity, row: &FieldRow, change: &Change) -> Json {
    let held = entity.register(row.number, change);
    let winner = held.and_then(|register| register.winner());
    match (entity.field(row.number), winner) {
        (_, Some(winner)) => value_to_json(&winner.value),
        (Some(crdt::collapsed::CollapsedField::Max(reading, _)), None) => reading.value().into(),
        _ => Json::Null,
    }
}

fn sent(change: &Change) -> Option<Value> {
    match change {
        Change::Set(value) | Change::Put { value, .. } => Some(value.clone()),
        Change::Raise { value, .. } => Some(Value::Int(*value)),
        _ => None,
    }
}

fn field_name(row: &FieldRow, change: &Change) -> String {
    let Change::Put { key, field, .. } = change else {
        return row.name.to_owned();
    };
    let item = match row.kind {
        Kind::Map { items, .. } => items.iter().find(|item| item.number == *field),
        _ => None,
    };
    let key = match value_to_json(key) {
        Json::String(key) => key,
        other => other.to_string(),
    };
    format!("{}.{key}.{}", row.name, item.map_or("", |item| item.name))
}

/// The conflict's stream id and events.
pub(super) fn detected(
    found: &Disagreement,
    source: &Source<'_>,
) -> Result<(String, Vec<EventDraft>), Problem> {
    let id = Uuid::new_v5(&source.event_id, b"conflict");
    let digits: String = calendar::format_time(source.now.micros())
        .chars()
        .filter(char::is_ascii_digit)
        .take(14)
        .collect();
    let short = &id.simple().to_string()[..8];
    let stands = if found.client_stands {
        "The device's value stands; the server's was written without knowledge of it."
    } else {
        "The server's value stands."
    };
    let notes = match source.detail {
        "" => stands.to_owned(),
        detail => format!("{stands} {detail}"),
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Json| fields.insert(name.to_owned(), value);
    put("conflict_id", format!("CONFLICT-{digits}-{short}").into());
    put("entity_type", source.entity_type.into());
    put("entity_id", source.entity_id.into());
    put("field_name", found.field.as_str().into());
    put("server_value", typed(&found.server));
    put("client_value", typed(&found.client));
    put("conflict_type", found.kind.into());
    put("source_device", source.device_id.into());
    put("source_role", source.role.name().into());
    put("source_event_id", source.operation_id.into());
    put("notes", notes.into());
    let asked = Asked {
        now: source.now.micros(),
        by: source.device_id,
    };
    let command = SyncConflictCommand::Detect(fields);
    let drafts = decide(&fleet::Folded::default(), &command, asked)?;
    Ok((id.to_string(), drafts))
}

/// A value with the name of its type, as the old system showed it.
fn typed(value: &Json) -> Json {
    let name = match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    };
    json!({ "value": value, "type": name })
}

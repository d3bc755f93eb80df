//! What clients send, in every shape that was ever documented: operations of ours, whole states (`/crdt/sync/push`), the
//! changes of the Phase 3 documents, the events of Phase 2. All become operations with ids.

use crdt::json::{stamp_from_text, stamp_to_text};
use fleet::sync::table_of;
use serde_json::{Map, Value};

use super::states;
use crate::field_error::{FieldError, Place};
use crate::http::problem::Problem;
use crate::sync::items::{Act, ITEMS_MAX, Item};

/// Most faults that are told of one body.
const FAULTS_MAX: usize = 100;
/// Characters of an operation's id.
const ID_CHARS_MAX: usize = 200;

/// Which shape a body had, and so has the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// `operations`.
    Operations,
    /// `states`.
    States,
    /// `changes`.
    Changes,
    /// `events`.
    Events,
}

/// A body that was read.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) shape: Shape,
    pub(super) device_id: Option<String>,
    pub(super) cursor: Option<String>,
    pub(super) items: Vec<Item>,
    /// For each item, the place in the client's own list and its id there.
    pub(super) sources: Vec<(usize, String)>,
    /// Of events, for each item: the part that its sender claims to play.
    pub(super) claims: Vec<String>,
    /// How many states were marked as deleted.
    pub(super) tombstones: usize,
}

struct Reader {
    body: Body,
    faults: Vec<FieldError>,
}

/// Reads a body.
///
/// # Errors
/// 422 with every fault.
pub(super) fn read(body: &Map<String, Value>) -> Result<Body, Problem> {
    let shapes = [
        ("operations", Shape::Operations),
        ("states", Shape::States),
        ("changes", Shape::Changes),
        ("events", Shape::Events),
    ];
    let found = shapes.iter().find(|(name, _)| body.contains_key(*name));
    let (name, shape) = *found.unwrap_or(&shapes[0]);
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut reader = Reader {
        body: Body {
            shape,
            device_id: text("device_id").filter(|id| !id.is_empty()),
            cursor: text("cursor"),
            items: Vec::new(),
            sources: Vec::new(),
            claims: Vec::new(),
            tombstones: 0,
        },
        faults: Vec::new(),
    };
    match body.get(name) {
        None | Some(Value::Null) => {}
        Some(Value::Array(list)) if list.len() > ITEMS_MAX => {
            let detail = format!("{name} holds more than {ITEMS_MAX}; send the rest apart");
            return Err(
                Problem::new(crate::http::problem::Kind::TooLarge, detail).with("limit", ITEMS_MAX)
            );
        }
        Some(Value::Array(list)) => {
            for (index, given) in list.iter().enumerate() {
                match given.as_object() {
                    Some(given) => reader.item(name, index, given),
                    None => reader.fault(name, index, None, "must be an object"),
                }
            }
        }
        Some(_) => {
            let path = ["body".into(), name.to_owned().into()];
            reader
                .faults
                .push(FieldError::new(path, "list_type", "must be an array"));
        }
    }
    if reader.faults.is_empty() {
        Ok(reader.body)
    } else {
        Err(Problem::invalid(reader.faults))
    }
}

impl Reader {
    fn fault(&mut self, list: &str, index: usize, field: Option<&str>, msg: impl Into<String>) {
        if self.faults.len() == FAULTS_MAX {
            return;
        }
        let path = [
            Some(Place::from("body")),
            Some(Place::from(list.to_owned())),
            Some(Place::from(index.to_string())),
            field.map(|field| Place::from(field.to_owned())),
        ];
        let fault = FieldError::new(path.into_iter().flatten(), "value_error", msg.into());
        self.faults.push(fault);
    }

    fn required(
        &mut self,
        list: &str,
        index: usize,
        given: &Map<String, Value>,
        names: &[&str],
    ) -> String {
        let found = names.iter().find_map(|name| given.get(*name));
        match found {
            Some(Value::String(text))
                if !text.is_empty() && text.chars().count() <= ID_CHARS_MAX =>
            {
                text.clone()
            }
            Some(Value::Number(number)) if number.is_u64() => number.to_string(),
            _ => {
                let field = names.first().copied();
                self.fault(
                    list,
                    index,
                    field,
                    "is required: a text of 1 to 200 characters",
                );
                String::new()
            }
        }
    }

    fn time(&mut self, list: &str, index: usize, given: Option<&Value>) -> Option<crdt::Stamp> {
        match given {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if stamp_from_text(text).is_some() => stamp_from_text(text),
            Some(_) => {
                self.fault(list, index, Some("timestamp"), "must be a time, RFC 3339");
                None
            }
        }
    }

    fn push(&mut self, index: usize, source: &str, item: Item) {
        self.body.items.push(item);
        self.body.sources.push((index, source.to_owned()));
    }

    fn item(&mut self, list: &str, index: usize, given: &Map<String, Value>) {
        match self.body.shape {
            Shape::Operations => self.operation(list, index, given),
            Shape::States => self.state(list, index, given),
            Shape::Changes => self.change(list, index, given),
            Shape::Events => self.event(list, index, given),
        }
    }

    fn operation(&mut self, list: &str, index: usize, given: &Map<String, Value>) {
        let id = self.required(list, index, given, &["id", "operation_id"]);
        let entity_type = self.required(list, index, given, &["entity_type", "aggregate_type"]);
        let entity_id = self.required(list, index, given, &["entity_id", "aggregate_id"]);
        let stamp = self.time(list, index, given.get("timestamp"));
        let text = |name: &str| given.get(name).and_then(Value::as_str).map(str::to_owned);
        let verb = text("op").unwrap_or_default();
        let act = if verb == "create" {
            Act::Create
        } else {
            Act::Change {
                field: self.required(list, index, given, &["field", "field_name"]),
                verb,
                value: given.get("value").cloned().unwrap_or_default(),
                key: given.get("key").cloned().unwrap_or_default(),
                item_field: text("item_field"),
            }
        };
        let item = Item {
            id: id.clone(),
            entity_type,
            entity_id,
            act,
            stamp,
        };
        self.push(index, &id, item);
    }

    /// `{id, source_role, entity_type, entity_id, field_changes, timestamp}` of Phase 2: each field is taken by itself.
    fn event(&mut self, list: &str, index: usize, given: &Map<String, Value>) {
        let id = self.required(list, index, given, &["id"]);
        let entity_type = self.required(list, index, given, &["entity_type"]);
        let entity_id = self.required(list, index, given, &["entity_id"]);
        let claim = self.required(list, index, given, &["source_role"]);
        let stamp = self.time(list, index, given.get("timestamp"));
        let Some(Value::Object(fields)) = given.get("field_changes") else {
            return self.fault(list, index, Some("field_changes"), "is required: an object");
        };
        for (field, value) in fields {
            let item = Item {
                id: format!("{id}:{field}"),
                entity_type: entity_type.clone(),
                entity_id: entity_id.clone(),
                act: set(field, value),
                stamp,
            };
            self.push(index, &id, item);
            self.body.claims.push(claim.clone());
        }
    }

    /// `{aggregate_type, aggregate_id, crdt_type, state: {value, timestamp, node_id}, vector_clock}` of the documents.
    fn change(&mut self, list: &str, index: usize, given: &Map<String, Value>) {
        let entity_type = self.required(list, index, given, &["aggregate_type", "entity_type"]);
        let entity_id = self.required(list, index, given, &["aggregate_id", "entity_id"]);
        let Some(Value::Object(state)) = given.get("state") else {
            return self.fault(list, index, Some("state"), "is required: an object");
        };
        let stamp = self.time(list, index, state.get("timestamp"));
        let named = given
            .get("field")
            .or(state.get("field"))
            .and_then(Value::as_str);
        let fields: Vec<(String, Value)> = match (named, state.get("value")) {
            (Some(field), value) => vec![(field.to_owned(), value.cloned().unwrap_or_default())],
            (None, Some(Value::Object(fields))) => fields
                .iter()
                .map(|(field, value)| (field.clone(), value.clone()))
                .collect(),
            _ => {
                let msg = "is required, where state.value is no object of fields";
                return self.fault(list, index, Some("field"), msg);
            }
        };
        let at = stamp.map_or_else(String::new, stamp_to_text);
        for (field, value) in fields {
            // Such a change has no id: the same content at the same time is the same change.
            let id = format!("change:{entity_type}:{entity_id}:{field}:{at}:{value}");
            let item = Item {
                id: shortened(id),
                entity_type: entity_type.clone(),
                entity_id: entity_id.clone(),
                act: set(&field, &value),
                stamp,
            };
            self.push(index, &index.to_string(), item);
        }
    }

    /// `{entity_type, entity_id, device_id, vector_clock, crdt_data, tombstone}`: every part of it that is new.
    fn state(&mut self, list: &str, index: usize, given: &Map<String, Value>) {
        let entity_type = self.required(list, index, given, &["entity_type", "aggregate_type"]);
        let entity_id = self.required(list, index, given, &["entity_id", "aggregate_id"]);
        if given.get("tombstone") == Some(&Value::Bool(true)) {
            self.body.tombstones += 1;
        }
        let Some(table) = table_of(&entity_type) else {
            let msg = format!("tablets hold no {entity_type}");
            return self.fault(list, index, Some("entity_type"), msg);
        };
        let Some(Value::Object(data)) = given.get("crdt_data") else {
            return self.fault(list, index, Some("crdt_data"), "is required: an object");
        };
        match states::items_of(table, &entity_id, given, data) {
            Ok(items) => {
                for item in items {
                    self.push(index, &index.to_string(), item);
                }
            }
            Err(msg) => self.fault(list, index, Some("crdt_data"), msg),
        }
    }
}

fn set(field: &str, value: &Value) -> Act {
    Act::Change {
        field: field.to_owned(),
        verb: String::new(),
        value: value.clone(),
        key: Value::Null,
        item_field: None,
    }
}

/// An id that was made of content, by its digest where it is long.
pub(super) fn shortened(id: String) -> String {
    use sha2::{Digest as _, Sha256};
    if id.chars().count() <= ID_CHARS_MAX {
        return id;
    }
    let digest = Sha256::digest(id.as_bytes());
    let digest: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let head: String = id.chars().take(100).collect();
    format!("{head}#{digest}")
}

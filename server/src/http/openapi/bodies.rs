//! Bodies described by the tables that check them: what a handler only takes as an object is shown field by field, and
//! cannot differ from what is taken.

use fleet::schema::{Field, Kind, Sets};
use fleet::{maintenance_task, transfer_assignment, transfer_plan, work_order, workshop};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Ref, Schema};
use utoipa::openapi::{Components, Content, RefOr};

/// The operation, its body's name, and its table.
const BODIES: &[(&str, &str, &[Field])] = &[
    (
        "create_maintenance_task",
        "MaintenanceTaskCreate",
        maintenance_task::CREATE,
    ),
    (
        "update_maintenance_task",
        "MaintenanceTaskUpdate",
        maintenance_task::CHANGE,
    ),
    ("create_work_order", "WorkOrderCreate", work_order::CREATE),
    ("update_work_order", "WorkOrderUpdate", work_order::CHANGE),
    (
        "release_work_order",
        "WorkOrderRelease",
        work_order::RELEASE,
    ),
    ("create_workshop", "WorkshopCreate", workshop::CREATE),
    ("update_workshop", "WorkshopUpdate", workshop::CHANGE),
    (
        "create_transfer_plan",
        "TransferPlanCreate",
        transfer_plan::CREATE,
    ),
    (
        "update_transfer_plan",
        "TransferPlanUpdate",
        transfer_plan::CHANGE,
    ),
    (
        "create_transfer_assignment",
        "TransferAssignmentCreate",
        transfer_assignment::CREATE,
    ),
    (
        "update_transfer_assignment",
        "TransferAssignmentUpdate",
        transfer_assignment::CHANGE,
    ),
];

/// Describes the operation's body and the headers that every write takes, if its table stands here.
pub(super) fn describe(operation: &mut Operation, components: &mut Components) {
    let id = operation.operation_id.as_deref();
    let Some((id, name, table)) = BODIES.iter().find(|(known, ..)| Some(*known) == id) else {
        return;
    };
    let Ok(schema) = serde_json::from_value::<Schema>(object(table)) else {
        return;
    };
    components
        .schemas
        .insert((*name).to_owned(), RefOr::T(schema));
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        let content = Content::new(Some(Ref::from_schema_name(*name)));
        body.content
            .insert("application/json".to_owned(), content.into());
    }
    header(operation, "Idempotency-Key", "Makes the write repeatable");
    if !id.starts_with("create") {
        header(operation, "If-Match", "The version that it must have");
    }
}

fn header(operation: &mut Operation, name: &str, about: &str) {
    let header = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(about))
        .schema(Some(<Option<String>>::schema()))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(RefOr::T(header));
}

/// The fields that a client may set, as a JSON schema. What only the system sets is passed over in a body.
fn object(table: &[Field]) -> Value {
    let settable = || table.iter().filter(|field| field.sets != Sets::Nothing);
    let properties: Map<String, Value> = settable()
        .map(|field| (field.name.to_owned(), property(field)))
        .collect();
    let required: Vec<&str> = settable()
        .filter(|field| field.required)
        .map(|field| field.name)
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn property(field: &Field) -> Value {
    let mut schema = of_kind(field.kind);
    let may_be_null = field.nullable && !field.required;
    if let Some(Value::String(word)) = schema.get("type").filter(|_| may_be_null) {
        schema["type"] = json!([word, "null"]);
    }
    schema
}

fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Text {
            chars_min,
            chars_max,
        } => json!({ "type": "string", "minLength": chars_min, "maxLength": chars_max }),
        Kind::Key { chars_max } => {
            json!({ "type": "string", "minLength": 1, "maxLength": chars_max })
        }
        Kind::Uuid => json!({ "type": "string", "format": "uuid" }),
        Kind::Integer { min, max } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Kind::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
        Kind::Object => json!({ "type": "object" }),
        Kind::List(item) => json!({ "type": "array", "items": of_kind(*item) }),
        Kind::Record(members) => object(members),
        Kind::Money | Kind::Amount { .. } => {
            json!({ "type": "string", "description": "An amount, at most two places; a number is taken too" })
        }
        Kind::Email => json!({ "type": "string", "format": "email" }),
        Kind::Hex { digits } => {
            json!({ "type": "string", "minLength": digits, "maxLength": digits })
        }
        Kind::Any => {
            json!({ "type": ["object", "array", "string", "number", "boolean", "null"] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::description;

    #[test]
    fn every_table_can_be_said_as_a_schema() {
        for (_, name, table) in BODIES {
            for field in *table {
                let said = property(field);
                let read = serde_json::from_value::<RefOr<Schema>>(said.clone());
                let read = read.unwrap_or_else(|error| panic!("{name}.{}: {error}", field.name));
                let again = serde_json::to_value(read).unwrap();
                assert_eq!(again["type"], said["type"], "{name}.{}", field.name);
            }
            let said = object(table);
            let read = serde_json::from_value::<Schema>(said);
            assert!(read.is_ok(), "{name}: {:?}", read.err());
        }
    }

    #[test]
    fn every_table_is_shown_field_by_field() {
        let document = serde_json::to_value(description()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let operations: Vec<&Value> = paths
            .values()
            .flat_map(|path| path.as_object().unwrap().values())
            .collect();
        for (id, name, table) in BODIES {
            let operation = operations
                .iter()
                .find(|operation| operation["operationId"] == *id)
                .unwrap_or_else(|| panic!("{id} is no operation"));
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(*body, format!("#/components/schemas/{name}"), "{id}");
            let shown = &document["components"]["schemas"][*name];
            for field in table.iter().filter(|field| field.sets != Sets::Nothing) {
                let property = &shown["properties"][field.name];
                assert!(property.is_object(), "{name}.{}: {shown}", field.name);
                if let Kind::OneOf(words) = field.kind {
                    assert_eq!(property["enum"], json!(words), "{name}.{}", field.name);
                }
            }
        }
    }
}

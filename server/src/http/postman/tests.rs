use std::collections::BTreeSet;

use super::*;

const COMMITTED: &str = include_str!("../../../../docs/railfleet.postman_collection.json");

fn description() -> Value {
    serde_json::to_value(crate::http::description()).unwrap()
}

/// `METHOD /path/{id}` of each operation of the document.
fn described() -> BTreeSet<String> {
    let description = description();
    let mut operations = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            operations.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    operations
}

#[test]
fn the_committed_collection_is_that_of_the_openapi_document() {
    let committed: Value = serde_json::from_str(COMMITTED).unwrap();
    assert_eq!(
        committed,
        collection(&description()),
        "make it anew: railfleet openapi --postman > docs/railfleet.postman_collection.json"
    );
}

/// Held against the document by a way of its own, so that an operation that `collection` passes over is missed.
#[test]
fn every_operation_is_one_request() {
    let collection: Value = serde_json::from_str(COMMITTED).unwrap();
    let mut requests = Vec::new();
    for folder in collection["item"].as_array().unwrap() {
        for item in folder["item"].as_array().unwrap() {
            let request = &item["request"];
            let raw = request["url"]["raw"].as_str().unwrap();
            let path = raw.strip_prefix("{{base_url}}").unwrap();
            let path = path.split('/').map(|part| match part.strip_prefix(':') {
                Some(name) => format!("{{{name}}}"),
                None => part.to_owned(),
            });
            let path = path.collect::<Vec<_>>().join("/");
            requests.push(format!("{} {path}", request["method"].as_str().unwrap()));
            for variable in request["url"]["variable"].as_array().into_iter().flatten() {
                let name = variable["key"].as_str().unwrap();
                assert!(
                    path.contains(&format!("{{{name}}}")),
                    "{path} has no {name}"
                );
            }
        }
    }
    let count = requests.len();
    let requests: BTreeSet<String> = requests.into_iter().collect();
    assert_eq!(requests.len(), count, "one is there twice");
    assert_eq!(requests, described());
}

#[test]
fn examples_follow_their_schemas() {
    let description = json!({ "components": { "schemas": {
        "Part": { "type": "object", "required": ["part_no", "kind"], "properties": {
            "part_no": { "type": "string" }, "kind": { "type": ["null", "string"], "enum": ["new", "used"] },
            "remark": { "type": "string" },
        } },
    } } });
    let schema = json!({ "type": "object", "properties": {
        "parts": { "type": "array", "items": { "$ref": "#/components/schemas/Part" } },
        "since": { "oneOf": [{ "type": "null" }, { "type": "string", "format": "date-time" }] },
        "count": { "type": "integer", "minimum": 3 },
    } });
    assert_eq!(
        example(&description, &schema, 0),
        json!({ "parts": [{ "part_no": "text", "kind": "new" }], "since": "2026-01-01T00:00:00Z", "count": 3 })
    );
}

//! The API as a collection for Postman (format 2.1), made from the OpenAPI document: a folder for each tag, a request for
//! each operation, with a body that the schema allows.
//!
//! `railfleet openapi --postman` prints it; `docs/railfleet.postman_collection.json` is what it printed, and a test holds
//! one against the other. <https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/index.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// Where the spellings of older clients go, whatever they are about.
const FORMER: &str = "former spellings";
/// How deep an example of a body goes.
const DEPTH_MAX: usize = 6;
/// Where a token comes from.
const LOGIN: &str = "/api/v1/auth/login";
/// Said by every request, so that a run of the collection finds a server that fails.
const TEST: &str =
    "pm.test('the server did not fail', () => pm.expect(pm.response.code).to.be.below(500));";
/// What the login adds: the requests behind it show the token.
const KEEP_TOKEN: &str = "if (pm.response.code === 200) pm.collectionVariables.set('token', pm.response.json().access_token);";

/// The collection of an OpenAPI document.
pub fn collection(description: &Value) -> Value {
    let mut folders: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let paths = description["paths"].as_object();
    for (path, item) in paths.into_iter().flatten() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                let request = request(description, path, method, operation);
                folders.entry(folder(operation)).or_default().push(request);
            }
        }
    }
    let about = tags(description);
    let items: Vec<Value> = folders
        .into_iter()
        .map(|(name, requests)| {
            let about = about.get(name).copied().unwrap_or_default();
            json!({ "name": name, "description": about, "item": requests })
        })
        .collect();
    json!({
        "info": {
            "name": description["info"]["title"],
            "description": "Made from the server's own /openapi.json by `railfleet openapi --postman`. Set base_url, username and password, and send auth's login: it keeps the token for all others.",
            "schema": SCHEMA,
        },
        "auth": { "type": "bearer", "bearer": [{ "key": "token", "value": "{{token}}", "type": "string" }] },
        "variable": [
            { "key": "base_url", "value": "http://127.0.0.1:8000" },
            { "key": "username", "value": "" },
            { "key": "password", "value": "" },
            { "key": "token", "value": "" },
        ],
        "event": [{ "listen": "test", "script": { "type": "text/javascript", "exec": [TEST] } }],
        "item": items,
    })
}

fn folder(operation: &Value) -> &str {
    if operation["deprecated"] == true {
        return FORMER;
    }
    operation["tags"][0].as_str().unwrap_or("others")
}

/// What the document says of each tag.
fn tags(description: &Value) -> BTreeMap<&str, &str> {
    let tags = description["tags"].as_array();
    let mut about: BTreeMap<&str, &str> = tags
        .into_iter()
        .flatten()
        .filter_map(|tag| Some((tag["name"].as_str()?, tag["description"].as_str()?)))
        .collect();
    about.insert(
        FORMER,
        "Paths of older clients. Each is another name for one of the others.",
    );
    about
}

fn request(description: &Value, path: &str, method: &str, operation: &Value) -> Value {
    let parameters = operation["parameters"].as_array();
    let mut headers = Vec::new();
    let mut query = Vec::new();
    let mut variables = Vec::new();
    for parameter in parameters.into_iter().flatten() {
        let required = parameter["required"] == true;
        let name = &parameter["name"];
        let value = text(&example(description, &parameter["schema"], 0));
        let about = &parameter["description"];
        match parameter["in"].as_str() {
            Some("path") => {
                variables.push(json!({ "key": name, "value": value, "description": about }))
            }
            Some("query") => query.push(
                json!({ "key": name, "value": value, "description": about, "disabled": !required }),
            ),
            Some("header") => headers.push(
                json!({ "key": name, "value": value, "description": about, "disabled": !required }),
            ),
            _ => {}
        }
    }
    let segments: Vec<String> = path
        .trim_start_matches('/')
        .split('/')
        .map(segment)
        .collect();
    let mut url = json!({
        "raw": format!("{{{{base_url}}}}/{}", segments.join("/")),
        "host": ["{{base_url}}"],
        "path": segments,
    });
    if !query.is_empty() {
        url["query"] = query.into();
    }
    if !variables.is_empty() {
        url["variable"] = variables.into();
    }
    let mut made = json!({ "method": method.to_uppercase(), "url": url });
    if let Some(body) = body(description, path, operation) {
        headers.push(json!({ "key": "Content-Type", "value": body.0 }));
        made["body"] = body.1;
    }
    made["header"] = headers.into();
    made["description"] = about(operation).into();
    if operation["security"].as_array().is_some_and(Vec::is_empty) {
        made["auth"] = json!({ "type": "noauth" });
    }
    let name = operation["summary"]
        .as_str()
        .or(operation["operationId"].as_str())
        .unwrap_or(path);
    let mut item = json!({ "name": name.trim_end_matches('.'), "request": made });
    if path == LOGIN {
        item["event"] = json!([{ "listen": "test", "script": { "type": "text/javascript", "exec": [KEEP_TOKEN] } }]);
    }
    item
}

/// `{id}` is `:id` in Postman.
fn segment(part: &str) -> String {
    match part
        .strip_prefix('{')
        .and_then(|part| part.strip_suffix('}'))
    {
        Some(name) => format!(":{name}"),
        None => part.to_owned(),
    }
}

fn about(operation: &Value) -> String {
    let description = operation["description"].as_str().unwrap_or_default();
    let roles: Vec<&str> = operation["security"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|way| way["bearer"][0].as_str())
        .collect();
    match roles.first() {
        Some(role) => format!("{description}\n\nRole: {role} or above.")
            .trim()
            .to_owned(),
        None => description.to_owned(),
    }
}

/// The media type and the body of a request that has one.
fn body(description: &Value, path: &str, operation: &Value) -> Option<(String, Value)> {
    let kinds = operation["requestBody"]["content"].as_object()?;
    let (kind, content) = kinds
        .get_key_value("application/json")
        .or_else(|| kinds.iter().next())?;
    if kind != "application/json" {
        // A file, or a frame of the tablets' own: no text that could be typed here.
        return Some((kind.clone(), json!({ "mode": "raw", "raw": "" })));
    }
    let value = if path == LOGIN {
        json!({ "username": "{{username}}", "password": "{{password}}" })
    } else {
        match &content["example"] {
            Value::Null => example(description, &content["schema"], 0),
            given => given.clone(),
        }
    };
    let raw = serde_json::to_string_pretty(&value).unwrap_or_default();
    let options = json!({ "raw": { "language": "json" } });
    Some((
        kind.clone(),
        json!({ "mode": "raw", "raw": raw, "options": options }),
    ))
}

/// A value that a schema allows: what it gives as an example, else the plainest there is.
fn example(description: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"].as_str() {
        let found = description.pointer(target.trim_start_matches('#'));
        return found.map_or(Value::Null, |schema| {
            example(description, schema, depth + 1)
        });
    }
    for given in ["example", "default", "const"] {
        if let Some(value) = schema.get(given) {
            return value.clone();
        }
    }
    if let Some(value) = schema["examples"].get(0).or(schema["enum"].get(0)) {
        return value.clone();
    }
    for choice in ["oneOf", "anyOf"] {
        let options = schema[choice].as_array().into_iter().flatten();
        if let Some(option) = options.into_iter().find(|option| option["type"] != "null") {
            return example(description, option, depth + 1);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(members) = example(description, part, depth + 1) {
                whole.extend(members);
            }
        }
        return whole.into();
    }
    match kind(schema) {
        "object" => object(description, schema, depth),
        "array" => json!([example(description, &schema["items"], depth + 1)]),
        "integer" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "number" => json!(1.0),
        "boolean" => json!(false),
        "string" => string(schema),
        _ => json!({}),
    }
}

/// The first type that is not `null`; an object where there are only properties.
fn kind(schema: &Value) -> &str {
    let named = match &schema["type"] {
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null"),
        kind => kind.as_str(),
    };
    named.unwrap_or(if schema["properties"].is_object() {
        "object"
    } else {
        ""
    })
}

/// What must be there; where nothing must, everything that may.
fn object(description: &Value, schema: &Value, depth: usize) -> Value {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema["properties"].as_object();
    let made: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .filter(|(name, _)| required.is_empty() || required.contains(&name.as_str()))
        .map(|(name, schema)| (name.clone(), example(description, schema, depth + 1)))
        .collect();
    made.into()
}

fn string(schema: &Value) -> Value {
    let text = match schema["format"].as_str() {
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("date") => "2026-01-01",
        Some("uuid") => "00000000-0000-7000-8000-000000000000",
        _ => "text",
    };
    text.into()
}

/// A value as it stands in an address.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.first().map(text).unwrap_or_default(),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests;

//! The OpenAPI document is what the server does.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use fleet::policy::Role;
use serde_json::Value;

use super::harness::{TestServer, request};
use crate::http::access::{Access, ROUTES, of};
use crate::http::description;

fn document() -> Value {
    serde_json::to_value(description()).unwrap()
}

fn operations(document: &Value) -> Vec<(axum::http::Method, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Ok(method) = method.to_uppercase().parse::<axum::http::Method>()
                && operation.is_object()
            {
                all.push((method, path.clone(), operation.clone()));
            }
        }
    }
    all
}

#[test]
fn every_route_says_who_may_call_it() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let Some(access) = of(&method, &path) else {
            panic!("{method} {path} has no line in the table of access")
        };
        let security = &operation["security"];
        match access {
            Access::AtLeast(role) => {
                assert_eq!(security[0]["bearer"][0], role.name(), "{method} {path}")
            }
            Access::Device(role) => {
                assert_eq!(
                    security[0]["device"],
                    serde_json::json!([]),
                    "{method} {path}"
                );
                assert_eq!(security[1]["bearer"][0], role.name(), "{method} {path}")
            }
            Access::Open => assert_eq!(security, &serde_json::json!([]), "{method} {path}"),
            Access::OpenOrKnown => {
                assert_eq!(security[0], serde_json::json!({}), "{method} {path}")
            }
        }
    }
}

/// Pages that are no part of the API are the only routes that are not described.
#[test]
fn every_line_of_the_table_is_a_route() {
    let document = document();
    let described: BTreeSet<(String, String)> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| (method.to_string(), path))
        .collect();
    for line in ROUTES {
        let page = line.path == "/openapi.json"
            || line.path.starts_with("/docs")
            || line.path.starts_with("/app");
        assert_eq!(
            described.contains(&(line.method.to_string(), line.path.to_owned())),
            !page,
            "{} {}",
            line.method,
            line.path
        );
    }
    let distinct: BTreeSet<(String, &str)> = ROUTES
        .iter()
        .map(|line| (line.method.to_string(), line.path))
        .collect();
    assert_eq!(
        distinct.len(),
        ROUTES.len(),
        "no route stands twice in the table"
    );
}

#[test]
fn every_operation_is_tagged_named_and_may_fail_with_a_problem() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let tags: BTreeSet<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let case = format!("{method} {path}");
        assert!(
            tags.contains(operation["tags"][0].as_str().unwrap()),
            "{case}"
        );
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
            "{case} repeats an id"
        );
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{case}"
        );
        let problem = &operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
            ["$ref"];
        assert_eq!(problem, "#/components/schemas/Problem", "{case}");
        let named: BTreeSet<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let parameters = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let described: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(named, described, "{case}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(|member| walk(member, document));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, document)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
}

#[test]
fn older_spellings_are_marked() {
    let document = document();
    for path in [
        "/api/v1/health",
        "/api/v1/time-travel/{aggregate_type}/{aggregate_id}/at-timestamp",
    ] {
        assert_eq!(document["paths"][path]["get"]["deprecated"], true, "{path}");
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let server = TestServer::start();
    assert_eq!(
        server.get("/openapi.json", "").await.expect(200),
        document()
    );
    let answer = server.get("/docs", "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (308, Some("/docs/"))
    );
    let answer = server.get("/docs/", "").await;
    assert_eq!(answer.status, 200);
    let page = String::from_utf8(answer.body).unwrap();
    assert!(
        page.contains("swagger-ui") && !page.contains("https://"),
        "nothing comes from elsewhere"
    );
    for file in [
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-initializer.js",
    ] {
        let answer = server.get(&format!("/docs/{file}"), "").await;
        assert_eq!(answer.status, 200, "{file}");
    }
    let script = server.get("/docs/swagger-initializer.js", "").await;
    assert!(
        String::from_utf8(script.body)
            .unwrap()
            .contains("/openapi.json")
    );
    server
        .get("/docs/nothing.js", "")
        .await
        .expect_problem(404, "not-found");
    let root = server.read("/", "").await;
    assert_eq!(root["name"], "RailFleet Manager API");
}

/// A request for an operation, its path's parts filled in.
fn asking(method: &axum::http::Method, path: &str, query: &str, token: &str) -> Request<Body> {
    let path: Vec<&str> = path
        .split('/')
        .map(|part| if part.starts_with('{') { "1" } else { part })
        .collect();
    let path = format!("{}?{query}", path.join("/"));
    let headers = [("content-type", "application/json")];
    request(method.clone(), &path, token, &headers, Body::from("{}"))
}

/// A filter that is misspelt and passed over would answer another question.
#[tokio::test]
async fn a_parameter_that_is_not_described_is_refused_on_every_route() {
    let server = TestServer::start();
    let token = server.token(Role::SuperAdmin).await;
    let before = server.state.log.durable_position();
    for (method, path, operation) in operations(&document()) {
        let case = format!("{method} {path}");
        let answer = server
            .answer(asking(&method, &path, "limti=5&limti=6&%C3%A4", &token))
            .await;
        let problem = answer.expect_problem(422, "invalid");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2, "{case}: {problem}");
        for (error, name) in errors.iter().zip(["limti", "ä"]) {
            assert_eq!(error["loc"], serde_json::json!(["query", name]), "{case}");
            assert_eq!(error["type"], "extra_forbidden", "{case}");
            let msg = error["msg"].as_str().unwrap();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let told = msg.contains(parameter["name"].as_str().unwrap());
                assert!(
                    told || parameter["in"] != "query",
                    "{case}: {parameter}: {msg}"
                );
            }
        }
    }
    assert_eq!(server.state.log.durable_position(), before);
}

#[tokio::test]
async fn a_parameter_that_is_described_is_taken() {
    let server = TestServer::start();
    let token = server.token(Role::SuperAdmin).await;
    for (method, path, operation) in operations(&document()) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "query" || path.ends_with("/stream") {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let answer = server
                .answer(asking(&method, &path, &format!("{name}=1"), &token))
                .await;
            let text = String::from_utf8_lossy(&answer.body);
            assert!(
                !text.contains("extra_forbidden"),
                "{method} {path} {name}: {text}"
            );
        }
    }
}

/// Who may not come in is not told what is there.
#[tokio::test]
async fn strangers_are_not_told_what_a_route_takes() {
    let server = TestServer::start();
    let answer = server.get("/api/v1/events?limti=5", "").await;
    answer.expect_problem(401, "unauthenticated");
}

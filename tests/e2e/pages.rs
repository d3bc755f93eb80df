//! The API's description and the page to browse it come from the server alone: a depot's network may end at its wall.

use std::process::Command;
use std::time::Duration;

use harness::process::{must, run};
use harness::server::DataFolder;
use harness::skip;
use serde_json::Value;

/// The values of an attribute in a page, wherever they stand.
fn attribute<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!("{name}=\"");
    let values = page.split(&opening).skip(1);
    values.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn the_page_and_all_it_loads_come_from_here() {
    let folder = DataFolder::new();
    let server = folder.serve();
    let mut client = server.stranger();
    let moved = must("asking", client.get("/docs"));
    assert!(
        (300..400).contains(&moved.status),
        "answered {}",
        moved.status
    );
    let page = must("asking", client.get("/docs/")).expect(200);
    let policy = page
        .header("content-security-policy")
        .expect("a policy of what may be loaded")
        .to_owned();
    assert!(policy.contains("default-src 'self'"), "{policy}");
    assert!(
        !policy.contains("http"),
        "another origin may be loaded from: {policy}"
    );
    let text = page.text();
    let loaded = [attribute(&text, "src"), attribute(&text, "href")].concat();
    assert!(
        loaded.len() >= 3,
        "a page without scripts and styles: {text}"
    );
    for name in loaded {
        assert!(!name.contains("//"), "loaded from elsewhere: {name}");
        let name = name.trim_start_matches("./");
        let path = if name.starts_with('/') {
            name.to_owned()
        } else {
            format!("/docs/{name}")
        };
        let asset = must("asking", client.get(&path)).expect(200);
        assert!(!asset.body.is_empty(), "{path} is empty");
    }
    drop(client);
    server.stop();
}

#[test]
fn the_description_is_whole_by_itself() {
    let folder = DataFolder::new();
    let server = folder.serve();
    let mut client = server.stranger();
    let description = must("asking", client.get("/openapi.json"))
        .expect(200)
        .json();
    let version = description["openapi"].as_str().expect("a version");
    assert!(version.starts_with("3.1"), "OpenAPI {version}");
    let mut references = Vec::new();
    collect_references(&description, &mut references);
    assert!(!references.is_empty(), "nothing is referred to");
    for reference in references {
        let pointer = reference
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{reference} lies elsewhere"));
        assert!(
            description.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
    let paths = description["paths"].as_object().expect("paths");
    for path in [
        "/api/v1/events",
        "/api/v1/events/stream",
        "/api/v1/time-travel/state-at",
        "/health",
        "/ready",
    ] {
        assert!(paths.contains_key(path), "{path} is not described");
    }
    drop(client);
    server.stop();
}

fn collect_references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(target) if name == "$ref" => into.push(target.clone()),
                    member => collect_references(member, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}

#[test]
fn a_browser_shows_the_page_without_asking_anyone_else() {
    if !skip::programs(
        "a_browser_shows_the_page_without_asking_anyone_else",
        &["chromium"],
    ) {
        return;
    }
    let folder = DataFolder::new();
    let server = folder.serve();
    let mut chromium = Command::new("chromium");
    chromium
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        // Whoever is asked for by name is not found, and would be missed in the page.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        .arg(format!(
            "--user-data-dir={}",
            folder.beside("browser").display()
        ))
        .args(["--virtual-time-budget=8000", "--dump-dom"])
        .arg(format!("http://127.0.0.1:{}/docs/", server.port()));
    let (status, page) = run(&mut chromium, Duration::from_secs(90));
    assert!(status.success(), "chromium ended with {status}: {page}");
    // Made by the script out of the description: neither stands in the page as it is served.
    for text in [
        "/api/v1/events/batch",
        "Append several events as one transaction",
    ] {
        assert!(page.contains(text), "{text:?} is not shown");
    }
    server.stop();
}

//! What the documents tell a reader to type works as it stands there.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::examples::{self, Example};
use harness::process::{must, run};
use harness::server::{DataFolder, railfleet};
use harness::skip::{self, workspace};

use super::batch;

mod typed;

/// What curl does in the examples beyond what they say: fail on a problem, and end.
const CURL_SETTINGS: &str = "fail-with-body\nsilent\nshow-error\nmax-time = 30\n";

fn run_example(example: &Example, folder: &DataFolder, address: &str, token: &str) {
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = railfleet()
        .parent()
        .map(Path::display)
        .expect("a program lies in a folder");
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &example.commands])
        .current_dir(folder.beside(""))
        .env("PATH", format!("{programs}:{path}"))
        .env("CURL_HOME", folder.beside(""))
        .env("ADDRESS", address)
        .env("TOKEN", token);
    let (status, said) = run(&mut shell, Duration::from_secs(60));
    assert!(
        status.success(),
        "{}:{}: ended with {status}: {said}",
        example.document.display(),
        example.line
    );
}

#[test]
fn examples_in_the_documents_run() {
    if !skip::programs("examples_in_the_documents_run", &["bash", "curl"]) {
        return;
    }
    let mut all = Vec::new();
    for document in must("listing the documents", examples::documents(workspace())) {
        let text = must("reading a document", std::fs::read_to_string(&document));
        all.extend(examples::in_document(&document, &text));
    }
    assert!(
        !all.is_empty(),
        "no document has an example that can be run"
    );
    let folder = DataFolder::new();
    must(
        "writing curl's settings",
        std::fs::write(folder.beside(".curlrc"), CURL_SETTINGS),
    );
    let server = folder.serve();
    let mut client = server.client();
    must(
        "appending",
        client.post("/api/v1/events/batch", &batch(0, 500)),
    )
    .expect(201);
    let token = client.token().expect("it has logged in").to_owned();
    for example in &all {
        run_example(
            example,
            &folder,
            &format!("http://127.0.0.1:{}", server.port()),
            &token,
        );
    }
    server.stop();
}

/// What stands in backticks in `docs/SECURITY.md` and looks like the name of a test is one.
#[test]
fn tests_that_the_security_page_names_exist() {
    let page = workspace().join("docs/SECURITY.md");
    let text = must("reading the page", std::fs::read_to_string(page));
    let named: Vec<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches('_').count() >= 3 && !word.contains(['.', ' ', '/']))
        .filter(|word| !word.starts_with("railfleet_"))
        .collect();
    assert!(named.len() > 15, "the page names tests: {named:?}");
    let mut sources = String::new();
    for part in ["server/src", "crdt/src", "federation/src", "tests/e2e"] {
        gather(&workspace().join(part), &mut sources);
    }
    for name in named {
        assert!(
            sources.contains(&format!("fn {name}(")),
            "there is no test {name}"
        );
    }
}

fn gather(folder: &Path, sources: &mut String) {
    for entry in must("listing sources", std::fs::read_dir(folder)) {
        let path = must("listing sources", entry).path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&must("reading a source", std::fs::read_to_string(&path)));
        }
    }
}

//! `railfleet demo`: filled once, served, and its lines to try answer.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::harness::{Server, run, succeed};

fn demo<'a>(data: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["demo", "--data", data.to_str().unwrap()];
    arguments.extend(["--vehicles", "3", "--days", "60"]);
    arguments.extend(more);
    arguments
}

#[test]
fn a_second_demo_finds_the_first() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("depot");
    let first = succeed(&demo(&data, &["--no-serve"]));
    let verified = succeed(&["verify", data.to_str().unwrap()]);
    let second = succeed(&demo(&data, &["--no-serve"]));
    assert_eq!(first, second, "the same events, accounts and passwords");
    assert_eq!(succeed(&["verify", data.to_str().unwrap()]), verified);
    let other = run(&demo(&data, &["--no-serve", "--seed", "1"]));
    assert_eq!(other.code, Some(1));
    assert!(other.err.contains("holds another demo"), "{other:?}");
}

#[test]
fn what_the_demo_says_to_try_answers() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("depot");
    let mut server = Server::launch(&demo(&data, &["--port", "0"]));
    assert!(
        server
            .said
            .iter()
            .any(|line| line.trim().starts_with("technician")),
        "{:?}",
        server.said
    );
    let lines = server.more_lines(10);
    let exports: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("export "))
        .collect();
    let curls: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert_eq!((exports.len(), curls.len()), (2, 5), "{lines:?}");
    if Command::new("curl").arg("--version").output().is_err() {
        // The runner captures what the print macros write; nobody would read it there.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED what_the_demo_says_to_try_answers: it needs curl"
        );
        return;
    }
    for curl in curls {
        // Quiet about nothing: a problem's status fails the command.
        let script = format!(
            "{}\n{}\n{curl} --fail-with-body --max-time 60",
            exports[0], exports[1]
        );
        let output = Command::new("sh")
            .args(["-eu", "-c", &script])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{curl}: {said}");
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert!(holds_something(&answer), "{curl}: {said}");
    }
    server.stop();
}

/// An answer with an empty list in it has nothing to show.
fn holds_something(answer: &serde_json::Value) -> bool {
    let lists = ["events", "aggregates", "counts", "days"];
    let empty = |name: &str| answer[name].as_array().is_some_and(Vec::is_empty);
    !lists.into_iter().any(empty)
}

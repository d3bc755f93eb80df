//! What a new user sees first: `railfleet demo` fills a depot, serves it, and the lines that it prints work as they stand.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::process::{Process, run, wait_for};
use harness::server::{DataFolder, railfleet};
use harness::skip;
use rustix::process::Signal;
use serde_json::Value;

/// A small depot: what is tried is the way, not the simulation.
const SMALL: [&str; 6] = ["--vehicles", "8", "--days", "60", "--port", "0"];

/// Starts the demo, and waits until it has printed all it has to say.
fn start(folder: &DataFolder, data: &Path) -> Process {
    let mut command = Command::new(railfleet());
    command.args(["demo", "--data"]).arg(data).args(SMALL);
    let output = folder.beside("demo.out");
    let _ = std::fs::remove_file(&output);
    let mut demo = Process::start(&mut command, &output);
    wait_for("the demo serves", Duration::from_secs(90), || {
        if let Some(status) = demo.ended() {
            panic!("the demo ended with {status}: {}", demo.last_words());
        }
        let said = demo.output();
        (said
            .lines()
            .filter(|line| line.starts_with("curl "))
            .count()
            >= 4
            && said.ends_with('\n'))
        .then_some(())
    });
    demo
}

fn stop(mut demo: Process) -> String {
    demo.signal(Signal::TERM);
    let status = demo.wait(Duration::from_secs(15));
    assert!(
        status.is_some_and(|status| status.success()),
        "the demo ended with {status:?}: {}",
        demo.last_words()
    );
    demo.output()
}

/// Types the printed lines into a shell: the settings first, and then one line of curl at a time.
fn try_its_lines(said: &str) -> Vec<Value> {
    let starting = |word: &'static str| said.lines().filter(move |line| line.starts_with(word));
    let settings: Vec<&str> = starting("export ").collect();
    assert_eq!(settings.len(), 2, "not an address and a token: {said}");
    let answer = |line: &str| {
        // Nothing of the line is changed; the shell's curl is told to fail on a problem.
        let commands = format!(
            "{}\ncurl() {{ command curl --fail-with-body --max-time 30 \"$@\"; }}\n{line}",
            settings.join("\n")
        );
        let (status, said) = run(
            Command::new("bash").args(["-euc", &commands]),
            Duration::from_secs(40),
        );
        assert!(status.success(), "{line}\nended with {status}: {said}");
        serde_json::from_str(&said)
            .unwrap_or_else(|error| panic!("{line}\nanswered no JSON ({error}): {said}"))
    };
    starting("curl ").map(answer).collect()
}

#[test]
fn the_demo_prints_lines_that_answer() {
    if !skip::programs("the_demo_prints_lines_that_answer", &["bash", "curl"]) {
        return;
    }
    let folder = DataFolder::new();
    let data = folder.beside("depot");
    let demo = start(&folder, &data);
    for answer in try_its_lines(&demo.output()) {
        let members = answer.as_object().expect("an object is answered");
        assert!(!members.is_empty());
        // Without warnings is how it should be.
        let empty = members.iter().any(|(name, member)| {
            name != "warnings" && member.as_array().is_some_and(Vec::is_empty)
        });
        assert!(!empty, "a list without anything to look at: {answer}");
    }
    let first = stop(demo);

    // The second start finds the depot as it was left, and lets the same accounts in.
    let demo = start(&folder, &data);
    assert_eq!(
        try_its_lines(&demo.output()).len(),
        first
            .lines()
            .filter(|line| line.starts_with("curl "))
            .count()
    );
    stop(demo);
    let mut verify = Command::new(railfleet());
    let (status, said) = run(verify.arg("verify").arg(&data), Duration::from_secs(60));
    assert!(status.success(), "verify ended with {status}: {said}");
}

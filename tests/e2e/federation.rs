//! Depots and a broker between them: what docs/FEDERATION.md tells an operator to type, and the simulation.

mod command;
mod depot;
mod parrot;
mod simulation;
mod work;

use std::process::Command;
use std::time::Duration;

use harness::examples::{self, GUIDED};
use harness::port::free_port;
use harness::process::run;
use harness::server::railfleet;
use harness::skip;

const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn two_depots_agree_after_the_commands_of_the_guide() {
    if !skip::programs("the guide to federation", &["bash", "curl", "nats-server"]) {
        return;
    }
    let path = skip::workspace().join("docs/FEDERATION.md");
    let text = std::fs::read_to_string(&path).expect("the guide");
    let blocks = examples::fenced(&path, &text, GUIDED);
    let home = tempfile::tempdir().expect("a folder");
    // What runs in the background ends with the shell.
    let mut script = "trap 'kill $(jobs -p); wait' EXIT\n".to_owned();
    for block in &blocks {
        script.push_str(&block.commands);
    }
    let old = std::env::var("PATH").unwrap_or_default();
    let program = railfleet().parent().expect("a program lies in a folder");
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(home.path())
        .env("PATH", format!("{}:{old}", program.display()))
        .env("BROKER", free_port().to_string())
        .env("NORD", free_port().to_string())
        .env("SUED", free_port().to_string());
    let (status, said) = run(&mut shell, LIMIT);
    assert!(status.success(), "ended with {status}: {said}");
    let standing = said.lines().last().unwrap_or_default();
    for part in [
        "\"enabled\":true",
        "\"name\":\"Süd\"",
        "\"name\":\"Nord\"",
        "\"receives\":true",
    ] {
        assert!(standing.contains(part), "{part} is not in {standing}");
    }
}

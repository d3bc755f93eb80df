//! The server is killed under load, again and again, on one folder that grows: nothing it acknowledged is ever missing.
//!
//! Fifty rounds every day, in two ways; `RAILFLEET_KILL_ROUNDS` says how many else, and the long form is 1,000.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use harness::fault_tools::FaultTools;
use harness::load::Seeded;
use harness::process::{Process, must};
use harness::server::{DataFolder, railfleet};
use harness::skip;

use super::load;

const SEED: u64 = 1;
/// A token for all rounds, however many there are.
const LONG_LIFE: (&str, &str) = ("RAILFLEET_AUTH_ACCESS_MINUTES", "1440");

/// The ids that the load client acknowledged, by its output; a line that was cut short when it was killed is none.
pub(crate) fn acknowledged(output: &str) -> Vec<String> {
    let whole = output.rfind('\n').map_or("", |end| &output[..end]);
    let ids = whole.lines().filter_map(|line| line.strip_prefix("ACK "));
    ids.map(str::to_owned).collect()
}

/// A token that a server on this folder gives, and that every later one takes.
pub(crate) fn lasting_token(folder: &DataFolder) -> String {
    let server = folder.serve_with(&[], &[(LONG_LIFE.0, LONG_LIFE.1.into())]);
    let token = server.token();
    server.stop();
    token
}

/// The load client, running against this port until it is killed or the server is gone.
pub(crate) fn start_load(folder: &DataFolder, port: u16, token: &str, writers: u32) -> Process {
    let output = folder.beside("load.out");
    must("emptying the load's output", File::create(&output));
    let mut command = Command::new(load());
    command
        .args(["http", &port.to_string(), "--writers", &writers.to_string()])
        .env("RAILFLEET_TOKEN", token);
    Process::start(&mut command, &output)
}

#[test]
fn killed_under_load_it_loses_nothing_and_comes_up_again() {
    let folder = DataFolder::new();
    let token = lasting_token(&folder);
    let mut chance = Seeded::new(SEED);
    let mut all = Vec::new();
    for round in 0..skip::how_many("RAILFLEET_KILL_ROUNDS", 5).min(50) {
        let server = folder.serve();
        let mut client = start_load(&folder, server.port(), &token, 4);
        std::thread::sleep(Duration::from_millis(50 + chance.below(500)));
        server.kill();
        assert!(
            client.wait(Duration::from_secs(10)).is_some(),
            "seed {SEED}, round {round}: the client waits for a server that is gone"
        );
        all.extend(acknowledged(&client.output()));
        let (code, said) = folder.verify(&all);
        assert_eq!(
            code,
            Some(0),
            "seed {SEED}, round {round}, {} acknowledged: {said}",
            all.len()
        );
    }
    assert!(!all.is_empty(), "nothing was acknowledged at all");
    folder.serve().stop();
}

/// Both forms of the tool's loop: the process dies at once, or is asked to end and has to do so in good order.
fn loop_with(test: &str, signal: &str, rounds: u64) {
    let Some(tools) = FaultTools::ready(test, &[]) else {
        return;
    };
    let folder = DataFolder::new();
    let token = lasting_token(&folder);
    let program = railfleet().display();
    let arguments = [
        (
            "--serve",
            format!("exec {program} serve --data {{dir}} --listen 127.0.0.1:{{port}}"),
        ),
        ("--ready", "http://127.0.0.1:{port}/ready".to_owned()),
        ("--client", format!("exec {} http {{port}}", load())),
        (
            "--verify",
            format!("{program} verify {{dir}} --acks {{acks}}"),
        ),
        ("--dir", folder.path().display().to_string()),
        ("--rounds", rounds.to_string()),
        ("--signal", signal.to_owned()),
        ("--seed", SEED.to_string()),
        ("--clients", "2".to_owned()),
    ];
    let arguments: Vec<String> = arguments
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
    let limit = Duration::from_secs(120 + 20 * rounds);
    tools.call_with(
        "killloop.py",
        &arguments,
        &[("RAILFLEET_TOKEN", &token)],
        limit,
    );
}

#[test]
fn the_kill_loop_loses_nothing() {
    loop_with(
        "the_kill_loop_loses_nothing",
        "KILL",
        skip::how_many("RAILFLEET_KILL_ROUNDS", 45),
    );
}

#[test]
fn asked_to_end_under_load_it_does_so_in_good_order() {
    let rounds = skip::how_many("RAILFLEET_KILL_ROUNDS", 4);
    loop_with(
        "asked_to_end_under_load_it_does_so_in_good_order",
        "TERM",
        rounds,
    );
}

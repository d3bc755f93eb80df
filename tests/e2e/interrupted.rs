//! Long work that is cut short by a kill: making read models anew, compacting, learning, erasing. Afterwards the answers are
//! what they were, the work can be asked for again, and it comes to its end.
//!
//! Each round is told apart by what was seen of the work while the server lived and by what it left: a kill before the work
//! has begun, or behind its end, shows little. Most rounds wait until it has begun and are killed a while later, the sooner the
//! more often it was done by then; every fifth is killed some moment after the request, begun or not. A table of each kind goes
//! to standard error.
//!
//! An import that is cut short has a test of its own (`tests/migration/interruptions.rs`).

mod past;
mod work;

use std::io::Write as _;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use harness::aim::{Aim, Stage, Tally};
use harness::client::Client;
use harness::load::Seeded;
use harness::process::{must, run};
use harness::server::{DataFolder, Server};
use harness::skip;

use work::{Compaction, Erasure, Rebuild, Training, Work};

const SEED: u64 = 23;
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the work may take to begin: what was not seen to by then was over before anybody looked.
const BEGIN_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks whether it has begun.
const GLANCE: Duration = Duration::from_millis(1);
/// How long after the request the server is killed at most where nobody waits for the work to begin.
const EARLY: Duration = Duration::from_millis(150);
/// More rounds than these are not tried for want of hits.
const ROUNDS_MAX: u64 = 75;

/// Rounds of each kind, and how many of them must hit the work while it is under way. More are tried until so many do.
fn wanted() -> (u64, usize) {
    if skip::everything() { (25, 8) } else { (2, 1) }
}

fn depot() -> DataFolder {
    let home = DataFolder::adopt(Path::new("nowhere"));
    let data = home.beside("depot");
    let mut demo = home.command(&[
        "demo",
        "--no-serve",
        "--vehicles",
        "4",
        "--days",
        "60",
        "--data",
    ]);
    demo.arg(&data);
    let (status, said) = run(&mut demo, PATIENCE);
    assert!(status.success(), "the demo ended with {status}: {said}");
    let folder = DataFolder::adopt_new(&data);
    // The demo's folder lies among the files of `home`.
    drop(folder);
    home.with_data(&data)
}

/// Read models and the past, as of a position that all of the folds have reached.
fn answers(client: &mut Client, position: u64) -> Vec<String> {
    [
        "projections/current_state/data?limit=200&aggregate_type=Vehicle",
        "projections/current_state/data?limit=200&aggregate_type=WorkOrder",
        "projections/event_counts/data?event_type=VehicleStatusChanged",
    ]
    .map(|path| {
        let path = format!("/api/v1/{path}&min_position={position}&wait_ms=30000");
        let mut answer = must("asking", client.get(&path)).expect(200).json();
        if let Some(members) = answer.as_object_mut() {
            members.retain(|name, _| name != "position" && name != "lag_events");
        }
        answer.to_string()
    })
    .into()
}

fn position(client: &mut Client) -> u64 {
    let health = must("asking", client.get("/health")).expect(200).json();
    health["log"]["position"].as_u64().expect("a position")
}

/// Asks for the work on a connection of its own. Whether that is answered depends on the moment of the kill.
fn asking(
    server: &Server,
    client: &Client,
    (path, body): (String, &'static str),
) -> JoinHandle<()> {
    let token = client.token().expect("it has logged in").to_owned();
    let mut client = Client::new(server.port()).with_token(token);
    std::thread::spawn(move || drop(client.post(&path, body)))
}

/// Asks for the work and kills the server so long after the work has begun, or after the request where `waits` is false.
fn cut_short(
    folder: &DataFolder,
    mut server: Server,
    mut client: Client,
    work: &mut dyn Work,
    (delay, waits): (Duration, bool),
) {
    work.note(&mut server, &mut client);
    let asked = asking(&server, &client, work.request());
    let mut since = Instant::now();
    let mut has_begun = false;
    while since.elapsed() < delay || (waits && !has_begun && since.elapsed() < BEGIN_LIMIT) {
        let begins = work.has_begun(folder, &mut server, &mut client);
        if begins && !has_begun && waits {
            since = Instant::now();
        }
        has_begun |= begins;
        std::thread::sleep(GLANCE);
    }
    server.kill();
    asked.join().expect("asking does not panic");
    work.look(folder);
}

/// One round. Returns what had become of the work when the server was killed.
fn round(folder: &DataFolder, work: &mut dyn Work, number: u64, when: (Duration, bool)) -> Stage {
    let context = format!("{}, seed {SEED}, round {number}, {when:?}", work.name());
    work.prepare(folder, number);
    let server = folder.serve();
    let mut client = server.client();
    let at = position(&mut client);
    let before = answers(&mut client, at);
    cut_short(folder, server, client, work, when);

    let (code, said) = folder.verify(&[]);
    assert_eq!(code, Some(0), "{context}: {said}");
    let mut server = folder.serve();
    let mut client = server.client();
    let stage = work.stage(&mut server, &mut client);
    let at = position(&mut client);
    assert_eq!(answers(&mut client, at), before, "{context}: {stage:?}");
    work.again(&mut client);
    let at = position(&mut client);
    assert_eq!(answers(&mut client, at), before, "{context}: done again");
    server.stop();
    let (code, said) = folder.verify(&[]);
    assert_eq!(code, Some(0), "{context}: {said}");
    work.check(folder);
    stage
}

/// Cuts the work short again and again, until it was hit often enough while it was under way.
fn cut_short_again_and_again(folder: &DataFolder, work: &mut dyn Work) {
    let (rounds, hits) = wanted();
    let mut chance = Seeded::new(SEED);
    let mut aim = Aim::new(work.within());
    let mut tally = Tally::new(work.name());
    for number in 0..ROUNDS_MAX {
        if number >= rounds && tally.hits() >= hits {
            break;
        }
        let waits = number % 5 != 4;
        let delay = if waits {
            aim.next(&mut chance)
        } else {
            Aim::new(EARLY).next(&mut chance)
        };
        let stage = round(folder, work, number, (delay, waits));
        if waits {
            aim.learn(stage);
        }
        tally.count(delay, stage);
    }
    // Past the runner's capture: what was hit is worth to be known where the test goes well.
    let _ = writeln!(std::io::stderr(), "seed {SEED}, {tally}");
    assert!(
        tally.hits() >= hits,
        "seed {SEED}: it was to be hit {hits} times while it was under way: {tally}"
    );
}

#[test]
fn work_that_is_cut_short_changes_nothing_and_can_be_asked_for_again() {
    let folder = depot();
    past::years_of_failures(&folder);
    cut_short_again_and_again(&folder, &mut Rebuild::default());
    cut_short_again_and_again(&folder, &mut Compaction::default());
    cut_short_again_and_again(&folder, &mut Training::default());
}

/// Whoever is erased is erased in the end: no file of the data folder has the name any more.
#[test]
fn erasing_that_is_cut_short_is_finished() {
    let folder = depot();
    cut_short_again_and_again(&folder, &mut Erasure::default());
}

//! Backups are taken at chance moments under load: each holds all that was acknowledged before, and restores to any position.

use std::path::Path;
use std::time::Duration;

use harness::load::Seeded;
use harness::process::{must, run};
use harness::server::{COMMAND_LIMIT, DataFolder};
use harness::skip;

use super::kill::{acknowledged, lasting_token, start_load};

const SEED: u64 = 1;
/// Large events in small segments, so that backups fall amid sealing.
const SEGMENT_BYTES: (&str, &str) = ("RAILFLEET_EVENTS_SEGMENT_BYTES_MAX", "4194304");

/// What `railfleet verify` says of a folder: how many events, and their hash.
fn verified(folder: &DataFolder, log: &Path, ids: &[String]) -> (u64, String) {
    let acks = folder.beside("acks");
    must("writing ids", std::fs::write(&acks, ids.join("\n")));
    let mut verify = folder.command(&["verify"]);
    verify.arg(log).arg("--acks").arg(acks);
    let (status, said) = run(&mut verify, COMMAND_LIMIT);
    assert!(status.success(), "verify ended with {status}: {said}");
    let line = |name: &str| {
        let found = said.lines().find_map(|line| line.strip_prefix(name));
        found
            .unwrap_or_else(|| panic!("no {name}in {said}"))
            .to_owned()
    };
    let count = line("COUNT ").parse().expect("a count is a number");
    (count, line("DIGEST "))
}

/// Restores a backup up to a position, and verifies what came of it.
fn restored(folder: &DataFolder, backup: &Path, to: &Path, position: u64) -> (u64, String) {
    let mut restore = folder.command(&["restore", "--position", &position.to_string()]);
    restore.arg(backup).arg("--data").arg(to);
    let (status, said) = run(&mut restore, COMMAND_LIMIT);
    assert!(status.success(), "restore ended with {status}: {said}");
    verified(folder, to, &[])
}

#[test]
fn a_backup_under_load_is_whole_and_restores_to_any_position() {
    let folder = DataFolder::new();
    let token = lasting_token(&folder);
    let backups = folder.beside("backups");
    let settings = [
        (SEGMENT_BYTES.0, SEGMENT_BYTES.1.into()),
        ("RAILFLEET_EVENTS_BACKUPS_PATH", backups.clone().into()),
    ];
    let server = folder.serve_with(&[], &settings);
    let mut client = server.stranger().with_token(&token);
    let load = start_load(&folder, server.port(), &token, 4);
    let mut chance = Seeded::new(SEED);
    let mut taken = Vec::new();
    for number in 0..skip::how_many("RAILFLEET_BACKUPS", 4) {
        std::thread::sleep(Duration::from_millis(100 + chance.below(400)));
        let before = acknowledged(&load.output());
        let body = format!(r#"{{"name":"number-{number}"}}"#);
        let answer = must(
            "backing up",
            client.post("/api/v1/operations/backups", &body),
        )
        .expect(201);
        let position = answer.json()["position"]
            .as_u64()
            .expect("a backup has a position");
        let copy = backups.join(format!("number-{number}"));
        let (events, digest) = verified(&folder, &copy, &before);
        assert_eq!(events, position, "seed {SEED}, backup {number}");
        taken.push((copy, position, digest));
    }
    drop(load);
    drop(client);
    server.stop();

    let (first, position, digest) = &taken[0];
    let (last, last_position, last_digest) = &taken[taken.len() - 1];
    assert!(
        position < last_position,
        "nothing was appended between the backups"
    );
    // The log only grows: the later backup, cut at the earlier one's position, is the earlier one.
    let prefix = restored(&folder, last, &folder.beside("prefix"), *position);
    assert_eq!(prefix, (*position, digest.clone()));
    let middle = restored(&folder, first, &folder.beside("middle"), position / 2);
    assert_eq!(middle.0, position / 2);
    let whole = folder.beside("whole");
    assert_eq!(
        restored(&folder, last, &whole, *last_position),
        (*last_position, last_digest.clone())
    );
}

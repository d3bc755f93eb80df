//! Commands on a data folder that no server has open: verify, backup, restore, ingest, doctor.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::{Ended, add_user, run, run_with_input, succeed};

/// A data folder with so many events in it, and their ids.
fn filled(count: usize) -> (TempDir, PathBuf, Vec<String>) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let ids: Vec<String> = (1..=count)
        .map(|number| format!("0191e9a4-7b1c-7c3d-8e4f-{number:012}"))
        .collect();
    let lines: Vec<String> = ids.iter().map(|id| line(id)).collect();
    let ended = run_with_input(
        &["ingest", "-", "--data", data.to_str().unwrap()],
        &lines.join("\n"),
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    (home, data, ids)
}

fn line(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","aggregate_type":"Crane","aggregate_id":"7","event_type":"CraneLifted","data":{{"kg":5}}}}"#
    )
}

fn verify(folder: &Path, more: &[&str]) -> Ended {
    let mut arguments = vec!["verify", folder.to_str().unwrap()];
    arguments.extend(more);
    run(&arguments)
}

/// All files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        }
        all.push(path);
    }
    all.sort();
    all
}

#[test]
fn a_sound_log_verifies_by_either_folder() {
    let (home, data, ids) = filled(3);
    let acks = home.path().join("acks");
    fs::write(&acks, format!("ACK {}\n{}\n", ids[0], ids[2])).unwrap();
    let by_data = verify(&data, &["--acks", acks.to_str().unwrap()]);
    assert_eq!(by_data.code, Some(0), "{by_data:?}");
    let lines: Vec<&str> = by_data.out.lines().collect();
    assert_eq!(lines[0], "COUNT 3");
    assert_eq!(lines[1].len(), "DIGEST ".len() + 64, "{}", lines[1]);
    assert_eq!(lines[2], "HEAD 3");
    assert_eq!(lines.len(), 3);
    let by_log = verify(&data.join("log"), &[]);
    assert_eq!(by_log.out, by_data.out);
    let as_json = verify(&data, &["--json"]);
    let value: serde_json::Value = serde_json::from_str(&as_json.out).unwrap();
    assert_eq!(value["events"], 3);
    assert_eq!(value["problems"], serde_json::json!([]));
}

#[test]
fn an_acknowledged_event_that_is_not_there_is_named() {
    let (home, data, _) = filled(3);
    let acks = home.path().join("acks");
    let lost = "0191e9a4-7b1c-7c3d-8e4f-000000000009";
    fs::write(&acks, lost).unwrap();
    let ended = verify(&data, &["--acks", acks.to_str().unwrap()]);
    assert_eq!(ended.code, Some(10), "{ended:?}");
    assert!(
        ended.out.ends_with(&format!("\nMISSING {lost}\n")),
        "{}",
        ended.out
    );
}

#[test]
fn a_flipped_bit_is_damage() {
    let (_home, data, _) = filled(3);
    let segment = data.join("log/000000000001.log");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes
        .windows(6)
        .position(|found| found == b"\"kg\":5")
        .unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let ended = verify(&data, &[]);
    assert_eq!(ended.code, Some(20), "{ended:?}");
    assert!(
        ended.out.contains("\nPROBLEM 000000000001.log: "),
        "{}",
        ended.out
    );
    assert_eq!(fs::read(&segment).unwrap(), bytes, "verify repairs nothing");
}

#[test]
fn where_no_log_is_nothing_is_made() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("log")).unwrap();
    fs::write(home.path().join("letter.txt"), "dear").unwrap();
    let before = files(home.path());
    let missing = home.path().join("nowhere");
    for folder in [home.path(), &home.path().join("log"), &missing] {
        let ended = verify(folder, &[]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("there is no log in"), "{ended:?}");
    }
    let missing = missing.to_str().unwrap();
    for arguments in [
        ["token", "anna", "--data", missing],
        ["backup", "to", "--data", missing],
        ["user", "list", "--data", missing],
    ] {
        let ended = run(&arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains("there is no log in"), "{ended:?}");
    }
    assert_eq!(files(home.path()), before);
}

#[test]
fn a_backup_restores_whole_or_up_to_a_position() {
    let (home, data, _) = filled(3);
    let data = data.to_str().unwrap();
    let backup = home.path().join("backup");
    let backup = backup.to_str().unwrap();
    succeed(&["backup", "--data", data, backup]);
    let original = succeed(&["verify", data]);
    for (name, more, count) in [
        ("whole", vec![], 3),
        // The three are one transaction, so there is nothing to restore of it but before it.
        ("before", vec!["--position", "2"], 0),
    ] {
        let to = home.path().join(name);
        let to = to.to_str().unwrap();
        let mut arguments = vec!["restore", backup, "--data", to];
        arguments.extend(&more);
        let said = succeed(&arguments);
        assert!(
            said.starts_with(&format!("restored {count} events")),
            "{said}"
        );
        let verified = succeed(&["verify", to]);
        assert_eq!(verified == original, count == 3, "{verified}");
    }
    let again = run(&["restore", backup, "--data", data]);
    assert_eq!(again.code, Some(1), "a log is never overwritten: {again:?}");
    assert!(again.err.contains("not an empty folder"), "{again:?}");
}

#[test]
fn an_input_is_taken_once() {
    let (home, data, ids) = filled(2);
    let data = data.to_str().unwrap();
    let file = home.path().join("events.jsonl");
    let more = "0191e9a4-7b1c-7c3d-8e4f-000000000077";
    fs::write(&file, [line(&ids[0]), line(more)].join("\n")).unwrap();
    let file = file.to_str().unwrap();
    let said = succeed(&["ingest", file, "--data", data]);
    assert!(
        said.contains("2 events read, 1 appended, 1 already there, 0 bad lines"),
        "{said}"
    );
    assert!(succeed(&["verify", data]).starts_with("COUNT 3\n"));
}

#[test]
fn a_bad_line_ends_an_input_or_is_skipped() {
    let (home, data, _) = filled(1);
    let data = data.to_str().unwrap();
    let file = home.path().join("events.jsonl");
    let good = [10, 11].map(|number| line(&format!("0191e9a4-7b1c-7c3d-8e4f-{number:012}")));
    fs::write(&file, format!("{}\nnonsense\n{}\n", good[0], good[1])).unwrap();
    let file = file.to_str().unwrap();
    let strict = run(&["ingest", file, "--data", data]);
    assert_eq!(strict.code, Some(1), "{strict:?}");
    assert!(strict.err.contains("line 2: "), "{strict:?}");
    assert!(succeed(&["verify", data]).starts_with("COUNT 2\n"));
    let skipping = run(&["ingest", file, "--skip-bad", "--data", data]);
    assert_eq!(skipping.code, Some(0), "{skipping:?}");
    assert!(skipping.err.contains("line 2: "), "{skipping:?}");
    assert!(succeed(&["verify", data]).starts_with("COUNT 3\n"));
}

#[test]
fn an_input_that_is_not_there_leaves_no_folder() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let data = data.to_str().unwrap();
    for arguments in [
        vec!["ingest", "/nonexistent/events.jsonl", "--data", data],
        vec!["ingest", "-", "--map", "no-such-map", "--data", data],
    ] {
        let ended = run(&arguments);
        assert_eq!(ended.code, Some(1), "{ended:?}");
    }
    assert_eq!(files(home.path()), Vec::<PathBuf>::new());
}

#[test]
fn the_doctor_finds_a_sound_folder_sound_and_a_damaged_one_bad() {
    let (_home, data, _) = filled(3);
    add_user(&data, "anna", "VIEWER");
    let shown = data.to_str().unwrap();
    let said = succeed(&["doctor", "--data", shown]);
    assert!(
        said.contains("the log's 4 events in 1 segments all agree"),
        "{said}"
    );
    assert!(said.contains("a sync takes"), "{said}");
    let segment = data.join("log/000000000001.log");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes
        .windows(6)
        .position(|found| found == b"\"kg\":5")
        .unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let ended = run(&["doctor", "--data", shown]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.out.contains("\nbad   000000000001.log: "),
        "{ended:?}"
    );
}

#[test]
fn settings_that_do_not_exist_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let data = data.to_str().unwrap();
    let ended = run(&["serve", "--data", data, "--set", "http.page_limt_max=5"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("\"http.page_limit_max\"?"), "{ended:?}");
    let ended = run(&["serve", "--data", data, "--listen", "nowhere"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("must be HOST:PORT"), "{ended:?}");
    assert!(!Path::new(data).exists(), "nothing is made");
}

//! The file of notes: what is kept in it, and how it is read where it is long or broken.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use fleet::calendar::MINUTE;
use storage::{ExpectedVersion, Log, LogOptions, NewEvent, StreamName, Timestamp, Transaction};
use tempfile::TempDir;

use crate::audit::checkpoints::{Checkpoints, NOTES_FILE, read_tail};
use crate::audit::note::{NOTES_BYTES_MAX, Signer};

fn site() -> (TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
    (folder, log)
}

fn append(log: &Log) {
    let name = StreamName::new("Crane", "1");
    let event = NewEvent::new("CraneMoved", "{}");
    let transaction = Transaction::single(name, ExpectedVersion::Any, event);
    log.append(transaction).unwrap();
}

fn open(log: &Log, data: &Path) -> Checkpoints {
    Checkpoints::open(log, data, &data.join("keys")).unwrap()
}

fn kept(checkpoints: &Checkpoints) -> Vec<u64> {
    let signed = checkpoints.kept().unwrap().signed;
    signed.iter().map(|signed| signed.checkpoint.size).collect()
}

#[test]
fn of_what_is_asked_for_one_note_is_kept_every_ten_minutes() {
    let (folder, log) = site();
    let checkpoints = open(&log, folder.path());
    // The last time lies before all others: the clock was set back.
    for (minute, expected) in [
        (0, vec![1]),
        (9, vec![1]),
        (10, vec![1, 3]),
        (19, vec![1, 3]),
        (-5, vec![1, 3, 5]),
    ] {
        append(&log);
        let now = Timestamp::from_micros(minute * MINUTE);
        let signed = checkpoints.sign_on_demand(&log, now).unwrap();
        assert_eq!(signed.checkpoint.size, log.durable_position().get());
        assert_eq!(kept(&checkpoints), expected, "minute {minute}");
    }
    append(&log);
    checkpoints.keep(&log).unwrap();
    assert_eq!(kept(&checkpoints), [1, 3, 5, 6], "at intervals all are");
}

/// Somebody who asked long enough once kept the server from starting.
#[test]
fn a_file_beyond_the_limit_is_read_from_its_end() {
    let (folder, log) = site();
    let checkpoints = open(&log, folder.path());
    for _ in 0..3 {
        append(&log);
        checkpoints.keep(&log).unwrap();
    }
    let path = folder.path().join(NOTES_FILE);
    let notes = fs::read(&path).unwrap();
    let file = fs::File::create(&path).unwrap();
    // A hole takes no room on the disk.
    file.set_len(NOTES_BYTES_MAX).unwrap();
    drop(file);
    let mut long = fs::OpenOptions::new().append(true).open(&path).unwrap();
    long.write_all(&[b"\n".as_slice(), notes.as_slice()].concat())
        .unwrap();
    drop(long);

    let checkpoints = open(&log, folder.path());
    assert_eq!(checkpoints.last().map(|last| last.checkpoint.size), Some(3));
    let read = checkpoints.kept().unwrap();
    assert_eq!(read.older_bytes, 1 + notes.len() as u64);
    assert_eq!(read.unopened.len(), 0);
    assert_eq!(kept(&checkpoints), [2, 3]);
    append(&log);
    checkpoints.keep(&log).unwrap();
    assert_eq!(kept(&checkpoints), [2, 3, 4]);
}

#[test]
fn a_tail_of_any_length_holds_whole_notes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NOTES_FILE);
    let signer = Signer::new("railfleet.log/test", &[7; 32]);
    let notes: Vec<String> = (1..5)
        .map(|size| signer.sign(&format!("railfleet.log/test\n{size}\nAAAA\n")))
        .collect();
    let text: String = notes.iter().map(|note| format!("{note}\n")).collect();
    fs::write(&path, &text).unwrap();
    for bytes_max in 0..=text.len() + 1 {
        let tail = read_tail(&path, bytes_max as u64).unwrap();
        let found = tail.notes();
        assert!(
            notes.ends_with(
                &found
                    .iter()
                    .map(|note| (*note).to_owned())
                    .collect::<Vec<_>>()
            ),
            "{bytes_max}: {found:?}"
        );
        // The one that is cut is left out, and where the cut lies between two, one more.
        let whole = bytes_max / (notes[0].len() + 1);
        assert!(found.len() + 1 >= whole.min(notes.len()), "{bytes_max}");
    }
    assert_eq!(read_tail(&path, text.len() as u64).unwrap().notes(), notes);
}

/// A byte that is no text once kept the server from starting.
#[test]
fn a_note_that_has_rotted_is_told_and_the_others_are_read() {
    let (folder, log) = site();
    let checkpoints = open(&log, folder.path());
    for _ in 0..3 {
        append(&log);
        checkpoints.keep(&log).unwrap();
    }
    let path = folder.path().join(NOTES_FILE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] = 0xff;
    fs::write(&path, bytes).unwrap();
    let checkpoints = open(&log, folder.path());
    assert_eq!(kept(&checkpoints), [2, 3]);
    assert_eq!(checkpoints.kept().unwrap().unopened.len(), 1);
}

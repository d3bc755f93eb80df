//! A note says that somebody follows for just as long as somebody does.

use std::process::{Command, Stdio};

use super::*;

#[test]
fn a_note_is_held_by_the_one_that_follows_and_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("import");
    assert_eq!(note(&reports), Note::None);
    let notes = Notes::leave(&reports).unwrap();
    assert_eq!(note(&reports), Note::Held);
    let said = fs::read_to_string(reports.join(FOLLOWING)).unwrap();
    assert_eq!(said, std::process::id().to_string());
    fs::write(reports.join(REQUEST), "").unwrap();
    drop(notes);
    assert_eq!(note(&reports), Note::None);
    assert!(!reports.join(REQUEST).exists());
    assert!(!reports.join(FOLLOWING_UNLOCKED).exists());
}

#[test]
fn a_note_whose_writer_was_killed_is_left_over_and_the_next_one_goes_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path();
    fs::write(reports.join(FOLLOWING), "4711").unwrap();
    assert_eq!(note(reports), Note::LeftOver);
    assert_eq!(note(reports), Note::LeftOver, "looking changes nothing");
    let notes = Notes::leave(reports).unwrap();
    assert_eq!(note(reports), Note::Held);
    drop(notes);
    assert_eq!(note(reports), Note::None);
}

#[test]
fn only_an_import_that_follows_follows() {
    let check = |line: &[u8], expected| assert_eq!(follows(line), expected, "{line:?}");
    check(
        b"/usr/bin/railfleet\0import\0--data\0depot\0--follow\0",
        true,
    );
    check(b"railfleet\0import\0--data\0depot\0", false);
    check(b"railfleet\0import\0--data\0--follow-up\0", false);
    check(b"railfleet\0serve\0", false);
    check(b"", false);
}

/// Before notes were locked, whoever followed wrote its number and no more.
#[test]
fn a_note_of_an_earlier_version_is_held_while_its_writer_follows() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path();
    // It waits for a line that does not come, under the arguments of one that follows.
    let start = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        command
            .args(["-c", "read line", "railfleet"])
            .args(arguments);
        command.stdin(Stdio::piped()).spawn().unwrap()
    };
    for (arguments, expected) in [
        (["import", "--follow"], Note::Held),
        (["serve", "--data"], Note::LeftOver),
    ] {
        let mut writer = start(&arguments);
        // The kernel shows the arguments a moment after the program was begun.
        let shown = format!("/proc/{}/cmdline", writer.id());
        while fs::read(&shown).unwrap().is_empty() {
            std::thread::yield_now();
        }
        fs::write(reports.join(FOLLOWING), writer.id().to_string()).unwrap();
        let found = note(reports);
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert_eq!(found, expected, "{arguments:?}");
        assert_eq!(note(reports), Note::LeftOver, "{arguments:?} has ended");
    }
}

//! A note says that somebody follows for just as long as somebody does.

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

//! The checkpoints' folder is deleted, cut, filled with noise, or of another time: the answers do not change.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use storage::{Log, LogOptions};

use super::harness::{Depot, answers, expected};
use crate::projection::store::FILE;

/// A depot with a checkpoint at its end, and nothing running.
fn depot_with_checkpoint() -> Depot {
    let depot = Depot::new();
    depot.live_on(300, 1);
    let projections = depot.start();
    answers(&depot, &projections);
    projections.stop();
    depot
}

/// Whatever was done to the folder, the answers are right, now and after another start.
#[track_caller]
fn check_answers(depot: &Depot) {
    for _ in 0..2 {
        let projections = depot.start();
        assert_eq!(answers(depot, &projections), expected(depot.log()));
        depot.live_on(5, 7);
        assert_eq!(answers(depot, &projections), expected(depot.log()));
        projections.stop();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn deleted() {
    let depot = depot_with_checkpoint();
    fs::remove_dir_all(depot.store_folder()).unwrap();
    check_answers(&depot);
    assert!(!depot.aside_folder().exists());
}

#[test]
fn truncated() {
    for part in [0, 1, 2, 3] {
        let depot = depot_with_checkpoint();
        let file = fs::OpenOptions::new()
            .write(true)
            .open(depot.store_folder().join(FILE))
            .unwrap();
        file.set_len(file.metadata().unwrap().len() * part / 4)
            .unwrap();
        check_answers(&depot);
    }
}

#[test]
fn filled_with_noise() {
    let depot = depot_with_checkpoint();
    let path = depot.store_folder().join(FILE);
    let mut state = 0x9e37_79b9_u32;
    let noise: Vec<u8> = (0..fs::metadata(&path).unwrap().len())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        })
        .collect();
    fs::write(&path, noise).unwrap();
    check_answers(&depot);
}

/// The store before this one had other files, in which those may be who were erased since.
#[test]
fn of_an_earlier_release() {
    let depot = depot_with_checkpoint();
    fs::remove_file(depot.store_folder().join(FILE)).unwrap();
    let theirs = ["conf", "db", "blobs/17"].map(|name| depot.store_folder().join(name));
    for file in &theirs {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, b"theirs").unwrap();
    }
    check_answers(&depot);
    assert!(!theirs.iter().any(|file| file.exists()));
    assert!(!depot.aside_folder().exists());
}

#[test]
fn with_flipped_bits() {
    let depot = depot_with_checkpoint();
    let kept = depot.folder.path().join("kept");
    copy_folder(&depot.store_folder(), &kept);
    let used = fs::read(kept.join(FILE))
        .unwrap()
        .iter()
        .rposition(|byte| *byte != 0)
        .unwrap();
    for part in 0..6 {
        let at = used * part / 6 + 100;
        let _ = fs::remove_dir_all(depot.store_folder());
        copy_folder(&kept, &depot.store_folder());
        let path = depot.store_folder().join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let projections = depot.start();
        assert_eq!(
            answers(&depot, &projections),
            expected(depot.log()),
            "byte {at}"
        );
    }
}

#[test]
fn something_else_than_a_folder() {
    let depot = depot_with_checkpoint();
    fs::remove_dir_all(depot.store_folder()).unwrap();
    fs::write(depot.store_folder(), b"no folder").unwrap();
    check_answers(&depot);
    assert!(depot.aside_folder().exists());
    // One that was set aside gives way to the next.
    fs::remove_dir_all(depot.store_folder()).unwrap();
    fs::write(depot.store_folder(), b"no folder again").unwrap();
    check_answers(&depot);
    assert_eq!(fs::read(depot.aside_folder()).unwrap(), b"no folder again");
}

#[test]
fn a_copy_of_an_earlier_time() {
    let depot = depot_with_checkpoint();
    let kept = depot.folder.path().join("kept");
    copy_folder(&depot.store_folder(), &kept);
    depot.live_on(100, 2);
    let projections = depot.start();
    answers(&depot, &projections);
    projections.stop();
    drop(projections);
    fs::remove_dir_all(depot.store_folder()).unwrap();
    copy_folder(&kept, &depot.store_folder());
    check_answers(&depot);
    assert!(
        !depot.aside_folder().exists(),
        "an earlier checkpoint is as good as the last one"
    );
}

#[test]
fn ahead_of_the_log() {
    let mut depot = depot_with_checkpoint();
    restore_log_to(&mut depot, 200);
    let projections = depot.start();
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
    drop(projections);
    assert!(depot.aside_folder().exists());
    check_answers(&depot);
}

/// The log went another way from where it was restored to, and is longer than the checkpoint again.
#[test]
fn of_a_history_that_is_no_more() {
    let mut depot = depot_with_checkpoint();
    restore_log_to(&mut depot, 299);
    depot.live_on(1, 70);
    assert_eq!(
        depot.log().durable_position().get(),
        300,
        "as far as the checkpoint"
    );
    let projections = depot.start();
    assert_eq!(answers(&depot, &projections), expected(depot.log()));
    drop(projections);
    assert!(depot.aside_folder().exists());
}

#[test]
fn of_another_log() {
    let depot = depot_with_checkpoint();
    let other = Depot::new();
    other.live_on(400, 3);
    copy_folder(&depot.store_folder(), &other.store_folder());
    check_answers(&other);
    assert!(other.aside_folder().exists());
}

/// Replaces the log by its own beginning.
fn restore_log_to(depot: &mut Depot, position: u64) {
    let backup = depot.folder.path().join("backup");
    depot.log().backup(&backup).unwrap();
    depot.close_log();
    fs::remove_dir_all(depot.log_folder()).unwrap();
    storage::restore(
        &backup,
        &depot.log_folder(),
        Some(storage::Position::new(position)),
    )
    .unwrap();
    let options = LogOptions {
        clock: Arc::clone(&depot.clock) as Arc<dyn storage::Clock>,
        ..LogOptions::default()
    };
    depot.log = Some(Arc::new(Log::open(&depot.log_folder(), options).unwrap()));
    assert_eq!(depot.log().durable_position().get(), position);
}

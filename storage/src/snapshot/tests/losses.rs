//! The log lost events that snapshots were made of, or a person is erased.

use super::*;
use crate::repo::{Crash, Fault, FaultKind};

#[test]
fn snapshots_above_the_log_are_removed_for_good() {
    let disk = FaultyRepo::new();
    let store_before = small_store(&disk, 9);
    for number in 1..=20 {
        save(&store_before, 1, number);
    }
    disk.sync_folder().unwrap();
    for name in disk.list().unwrap() {
        disk.open(&name).unwrap().sync_data().unwrap();
    }

    let store = small_store(&disk, 9);
    store.remove_above(position_of(1, 12)).unwrap();
    let newest = found(&store, 1, ANY, END).unwrap();
    assert!((1..=12).contains(&newest));
    for crash in [Crash::DropUnsynced, Crash::KeepAll] {
        let left = disk.crash(crash);
        assert_eq!(
            found(&small_store(&left, 9), 1, ANY, END),
            Some(newest),
            "{crash:?}"
        );
    }
}

#[test]
fn removing_above_nothing_removes_nothing() {
    let repo = MemoryRepo::new();
    let store = small_store(&repo, 9);
    for number in 1..=20 {
        save(&store, 1, number);
    }
    store.remove_above(position_of(1, 20)).unwrap();
    assert_eq!(store.stats().snapshots, 20);
}

#[test]
fn files_that_may_hide_a_snapshot_above_the_log_go_too() {
    let (repo, ends) = small_folder();
    let first = repo.bytes("snapshots-0001.dat");
    // The header of the third is damaged: what stands behind it is not known, and a file behind this one exists.
    let mut damaged = first.clone();
    damaged[ends[1]] ^= 1;
    repo.put("snapshots-0001.dat", damaged);
    repo.put("snapshots-0002.dat", first[..ends[0]].to_vec());
    let store = store(&repo);
    store.remove_above(at(1_000)).unwrap();
    assert_eq!(repo.list().unwrap(), ["snapshots-0002.dat"]);
}

#[test]
fn a_file_that_could_not_be_opened_is_removed_too() {
    for remove in [
        |store: &SnapshotStore| store.clear(),
        |store: &SnapshotStore| store.remove_above(at(1_000)),
    ] {
        let (files, _) = small_folder();
        let disk = FaultyRepo::over(&files);
        disk.inject(Fault {
            at: 1,
            only: Some(Operation::Open),
            kind: FaultKind::Io,
        });
        let store = store(&disk);
        assert_eq!(store.stats().files, 0);
        remove(&store).unwrap();
        assert!(disk.list().unwrap().is_empty());
    }
}

#[test]
fn clearing_is_for_good_and_the_store_goes_on() {
    let (files, _) = small_folder();
    let disk = FaultyRepo::over(&files);
    let store = store(&disk);
    store.clear().unwrap();
    assert!(disk.crash(Crash::DropUnsynced).list().unwrap().is_empty());
    assert_eq!(found(&store, 1, ANY, END), None);
    save(&store, 1, 1);
    assert_eq!(disk.list().unwrap(), ["snapshots-0002.dat"]);
    assert_eq!(found(&store, 1, ANY, END), Some(1));
}

#[test]
fn a_removal_that_fails_is_told_and_can_be_asked_for_again() {
    for (operation, kind) in [
        (Operation::Remove, FaultKind::Io),
        (Operation::SyncFolder, FaultKind::Io),
    ] {
        let (files, _) = small_folder();
        let disk = FaultyRepo::over(&files);
        let store = store(&disk);
        disk.inject(Fault {
            at: 1,
            only: Some(operation),
            kind,
        });
        store.remove_above(Position::START).unwrap_err();
        assert_eq!(
            found(&store, 1, ANY, END),
            None,
            "what must not be used is not used"
        );
        store.remove_above(Position::START).unwrap();
        assert!(disk.crash(Crash::DropUnsynced).list().unwrap().is_empty());
    }
}

//! Each way to go wrong, shown once.

use std::io::ErrorKind;

use super::*;

const EIO: i32 = 5;

/// A disk with a file `a` that durably holds `old`.
fn disk_with(old: &[u8]) -> (FaultyRepo, Arc<dyn RepoFile>) {
    let files = MemoryRepo::new();
    files.put("a", old.to_vec());
    let repo = FaultyRepo::over(&files);
    let file = repo.open("a").unwrap();
    (repo, file)
}

/// Lets the next operation of this kind go wrong.
fn strike_next(repo: &FaultyRepo, operation: Operation, kind: FaultKind) {
    repo.inject(Fault {
        at: repo.operations_of(operation) + 1,
        only: Some(operation),
        kind,
    });
}

fn cached(file: &Arc<dyn RepoFile>) -> Vec<u8> {
    file.view(file.len().unwrap(), 0).unwrap().bytes().to_vec()
}

#[test]
fn what_is_not_synced_may_be_lost_or_kept() {
    let (repo, file) = disk_with(b"old old");
    file.write_at(b"new", 4).unwrap();
    file.set_len(20).unwrap();
    assert_eq!(repo.crash(Crash::DropUnsynced).bytes("a"), b"old old");
    let mut kept = b"old new".to_vec();
    kept.resize(20, 0);
    assert_eq!(repo.crash(Crash::KeepAll).bytes("a"), kept);

    file.sync_data().unwrap();
    assert_eq!(
        repo.crash(Crash::DropUnsynced).bytes("a"),
        kept,
        "a sync ends the doubt"
    );
}

#[test]
fn the_last_write_is_torn_at_any_byte_and_what_came_after_it_is_lost() {
    let (repo, file) = disk_with(b"0000000000");
    let other = repo.create("b").unwrap();
    repo.sync_folder().unwrap();
    file.write_at(b"1111", 0).unwrap();
    file.write_at(b"2222", 4).unwrap();
    other.set_len(7).unwrap();
    repo.rename("b", "c").unwrap();
    assert_eq!(repo.last_write_bytes(), 4);
    for (bytes, expected) in [
        (0, "1111000000"),
        (1, "1111200000"),
        (3, "1111222000"),
        (4, "1111222200"),
    ] {
        let left = repo.crash(Crash::TearLast { bytes });
        assert_eq!(left.bytes("a"), expected.as_bytes());
        assert_eq!(left.list().unwrap(), ["a", "b"]);
        assert_eq!(left.bytes("b"), b"");
    }
    assert_eq!(
        repo.crash(Crash::TearLast { bytes: 99 }).bytes("a"),
        b"1111222200"
    );
}

#[test]
fn a_torn_write_that_grew_the_file_leaves_it_short() {
    let (repo, file) = disk_with(b"");
    file.write_at(b"railfleet", 0).unwrap();
    assert_eq!(repo.crash(Crash::TearLast { bytes: 4 }).bytes("a"), b"rail");
    file.sync_data().unwrap();
    assert_eq!(repo.last_write_bytes(), 0);
    assert_eq!(
        repo.crash(Crash::TearLast { bytes: 4 }).bytes("a"),
        b"railfleet"
    );
}

#[test]
fn chance_decides_over_each_sector() {
    let (repo, file) = disk_with(&[0; 2_048]);
    file.write_at(&[1; 1_600], 100).unwrap();
    let sectors = [100..512, 512..1_024, 1_024..1_536, 1_536..1_700];
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..400 {
        let left = repo.crash(Crash::Subset { seed });
        assert_eq!(
            left.bytes("a"),
            repo.crash(Crash::Subset { seed }).bytes("a"),
            "seed {seed} replays"
        );
        let bytes = left.bytes("a");
        let kept = sectors.clone().map(|sector| {
            let value = bytes[sector.start];
            assert!(
                bytes[sector].iter().all(|byte| *byte == value),
                "seed {seed}: a sector is whole or absent"
            );
            value
        });
        assert!(
            bytes[..100]
                .iter()
                .chain(&bytes[1_700..])
                .all(|byte| *byte == 0)
        );
        seen.insert(kept);
    }
    assert_eq!(seen.len(), 16, "every combination of four sectors comes up");
}

#[test]
fn chance_decides_over_the_length_of_a_file_that_grew() {
    let (repo, file) = disk_with(b"");
    file.write_at(&[1; 1_500], 0).unwrap();
    let mut lengths = std::collections::BTreeSet::new();
    let mut hole = false;
    for seed in 0..400 {
        let bytes = repo.crash(Crash::Subset { seed }).bytes("a");
        hole |= bytes.first() == Some(&0);
        lengths.insert(bytes.len());
    }
    assert_eq!(
        lengths.into_iter().collect::<Vec<_>>(),
        [0, 512, 1_024, 1_500]
    );
    assert!(hole, "the length may arrive without the bytes");
}

#[test]
fn a_sector_written_twice_may_keep_the_older_bytes() {
    let (repo, file) = disk_with(b"0");
    file.write_at(b"1", 0).unwrap();
    file.write_at(b"2", 0).unwrap();
    let seen: std::collections::BTreeSet<_> = (0..100)
        .map(|seed| repo.crash(Crash::Subset { seed }).bytes("a"))
        .collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [b"0", b"1", b"2"]);
}

#[test]
fn a_name_is_durable_only_with_its_folder() {
    let (repo, _file) = disk_with(b"old");
    let new = repo.create("b").unwrap();
    new.write_at(b"new", 0).unwrap();
    new.sync_data().unwrap();
    repo.rename("b", "a").unwrap();
    let before = repo.crash(Crash::DropUnsynced);
    assert_eq!(
        (before.list().unwrap(), before.bytes("a")),
        (vec!["a".to_owned()], b"old".to_vec())
    );
    assert_eq!(repo.crash(Crash::KeepAll).bytes("a"), b"new");

    repo.sync_folder().unwrap();
    let after = repo.crash(Crash::DropUnsynced);
    assert_eq!(
        (after.list().unwrap(), after.bytes("a")),
        (vec!["a".to_owned()], b"new".to_vec())
    );

    repo.remove("a").unwrap();
    assert_eq!(
        repo.crash(Crash::DropUnsynced).list().unwrap(),
        ["a"],
        "an unsynced removal may come undone"
    );
}

#[test]
fn names_survive_in_any_combination_on_posix_and_in_order_in_a_journal() {
    let lists = |model| {
        let repo = FaultyRepo::new();
        repo.set_name_model(model);
        repo.create("1").unwrap();
        repo.create("2").unwrap();
        let lists =
            (0..100).map(|seed| repo.crash(Crash::Subset { seed }).list().unwrap().concat());
        lists
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(lists(NameModel::Posix), ["", "1", "12", "2"]);
    assert_eq!(lists(NameModel::Journal), ["", "1", "12"]);
}

#[test]
fn a_journal_keeps_the_rename_and_loses_the_bytes() {
    let (repo, _file) = disk_with(b"old");
    repo.set_name_model(NameModel::Journal);
    let new = repo.create("b").unwrap();
    new.write_at(b"new", 0).unwrap();
    repo.rename("b", "a").unwrap();
    assert_eq!(
        repo.crash(Crash::DropUnsynced).bytes("a"),
        b"",
        "renamed before it was synced: neither old nor new"
    );

    new.sync_data().unwrap();
    repo.set_name_model(NameModel::Posix);
    assert_eq!(
        repo.crash(Crash::DropUnsynced).bytes("a"),
        b"new",
        "in a journal the sync took the names along"
    );
}

#[test]
fn a_failed_write_or_sync_does_nothing_once() {
    let (repo, file) = disk_with(b"old");
    strike_next(&repo, Operation::Write, FaultKind::Io);
    assert_eq!(
        file.write_at(b"new", 0).unwrap_err().raw_os_error(),
        Some(EIO)
    );
    assert_eq!(cached(&file), b"old");
    file.write_at(b"new", 0).unwrap();

    strike_next(&repo, Operation::Sync, FaultKind::Io);
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(EIO));
    assert_eq!(repo.crash(Crash::DropUnsynced).bytes("a"), b"old");
    file.sync_data().unwrap();
    assert_eq!(repo.crash(Crash::DropUnsynced).bytes("a"), b"new");
}

#[test]
fn a_disk_can_fail_for_good() {
    let (repo, file) = disk_with(b"old");
    strike_next(&repo, Operation::Sync, FaultKind::IoForGood);
    for _ in 0..3 {
        assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(EIO));
    }
    file.write_at(b"new", 0).unwrap();
    repo.clear_faults();
    file.sync_data().unwrap();
}

#[test]
fn a_short_write_leaves_half() {
    let (repo, file) = disk_with(b"old old");
    strike_next(&repo, Operation::Write, FaultKind::Short);
    assert_eq!(
        file.write_at(b"newnew", 0).unwrap_err().raw_os_error(),
        Some(EIO)
    );
    assert_eq!(cached(&file), b"new old");
}

#[test]
fn a_sync_that_lies_loses_what_is_still_read() {
    let (repo, file) = disk_with(b"old");
    file.write_at(b"new", 0).unwrap();
    strike_next(&repo, Operation::Sync, FaultKind::SyncLies);
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(EIO));
    file.sync_data().unwrap();
    assert_eq!(cached(&file), b"new", "the page cache shows it");
    assert_eq!(
        repo.crash(Crash::KeepAll).bytes("a"),
        b"old",
        "the disk never got it"
    );
    repo.drop_cache();
    assert_eq!(cached(&file), b"old");
}

#[test]
fn a_lost_and_a_misdirected_write_are_answered_and_read_back() {
    let (repo, file) = disk_with(&[0; 8_192]);
    strike_next(&repo, Operation::Write, FaultKind::LostWrite);
    file.write_at(b"lost", 0).unwrap();
    strike_next(&repo, Operation::Write, FaultKind::MisdirectedWrite);
    file.write_at(b"astray", 10).unwrap();
    file.write_at(b"sound", 20).unwrap();
    file.sync_data().unwrap();
    assert_eq!(&cached(&file)[..25], b"lost\0\0\0\0\0\0astray\0\0\0\0sound");
    let mut expected = vec![0; 8_192];
    expected[20..25].copy_from_slice(b"sound");
    expected[4_106..4_112].copy_from_slice(b"astray");
    assert_eq!(repo.crash(Crash::DropUnsynced).bytes("a"), expected);
}

#[test]
fn a_full_disk_takes_what_fits_and_recovers() {
    let (repo, file) = disk_with(b"1234");
    repo.create("b").unwrap().write_at(b"123456", 0).unwrap();
    repo.set_space_bytes_max(Some(12));
    assert_eq!(
        file.write_at(b"abcdef", 2).unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    assert_eq!(cached(&file), b"12abcd", "what fitted was written");
    assert_eq!(file.set_len(7).unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_at(b"xx", 0).unwrap();
    assert_eq!(cached(&file), b"xxabcd", "what needs no space is written");
    repo.remove("b").unwrap();
    file.write_at(b"abcdef", 2).unwrap();
    repo.set_space_bytes_max(None);
    file.set_len(1_000).unwrap();

    strike_next(&repo, Operation::Write, FaultKind::NoSpace);
    assert_eq!(
        file.write_at(b"x", 0).unwrap_err().kind(),
        ErrorKind::StorageFull
    );
}

#[test]
fn after_the_power_is_cut_nothing_works_until_the_next_world() {
    for (kind, expected) in [
        (FaultKind::CrashBefore, b"old"),
        (FaultKind::CrashAfter, b"new"),
    ] {
        let (repo, file) = disk_with(b"old");
        strike_next(&repo, Operation::Write, kind);
        file.write_at(b"new", 0).unwrap_err();
        assert!(repo.is_dead());
        let operations = repo.operations();
        file.write_at(b"new", 0).unwrap_err();
        file.sync_data().unwrap_err();
        file.len().unwrap_err();
        file.view(1, 0).unwrap_err();
        file.read_at(&mut [0], 0).unwrap_err();
        file.set_len(0).unwrap_err();
        repo.list().unwrap_err();
        repo.create("b").unwrap_err();
        repo.open("a").unwrap_err();
        repo.rename("a", "b").unwrap_err();
        repo.remove("a").unwrap_err();
        repo.sync_folder().unwrap_err();
        assert_eq!(
            repo.operations(),
            operations,
            "what a dead process would have done does not count"
        );
        assert_eq!(repo.crash(Crash::KeepAll).bytes("a"), expected);

        let next = FaultyRepo::over(&repo.crash(Crash::DropUnsynced));
        next.open("a").unwrap().write_at(b"on", 0).unwrap();
    }
}

#[test]
fn operations_are_counted_from_one_overall_and_by_kind() {
    let (repo, file) = disk_with(b"old");
    assert_eq!(
        (repo.operations(), repo.operations_of(Operation::Open)),
        (1, 1)
    );
    repo.inject(Fault {
        at: 3,
        only: None,
        kind: FaultKind::Io,
    });
    file.write_at(b"1", 0).unwrap();
    file.sync_data().unwrap_err();
    file.write_at(b"2", 0).unwrap();
    repo.inject(Fault {
        at: 4,
        only: Some(Operation::Write),
        kind: FaultKind::Io,
    });
    file.sync_data().unwrap();
    file.write_at(b"3", 0).unwrap();
    file.write_at(b"4", 0).unwrap_err();
    assert_eq!(
        (repo.operations(), repo.operations_of(Operation::Write)),
        (7, 4)
    );
}

type Act<'a> = &'a dyn Fn(&FaultyRepo, &Arc<dyn RepoFile>) -> io::Result<()>;

#[test]
fn every_operation_can_be_struck() {
    let strike = |operation, act: Act<'_>| {
        let (repo, file) = disk_with(b"old");
        strike_next(&repo, operation, FaultKind::Io);
        assert_eq!(
            act(&repo, &file).unwrap_err().raw_os_error(),
            Some(EIO),
            "{operation:?}"
        );
        assert_eq!(
            repo.crash(Crash::KeepAll).bytes("a"),
            b"old",
            "{operation:?} left no trace"
        );
        assert_eq!(
            repo.crash(Crash::KeepAll).list().unwrap(),
            ["a"],
            "{operation:?} left no trace"
        );
        act(&repo, &file).unwrap();
    };
    strike(Operation::Create, &|repo, _| repo.create("b").map(drop));
    strike(Operation::Open, &|repo, _| repo.open("a").map(drop));
    strike(Operation::Write, &|_, file| file.write_at(b"x", 0));
    strike(Operation::SetLen, &|_, file| file.set_len(9));
    strike(Operation::Sync, &|_, file| file.sync_data());
    strike(Operation::SyncFolder, &|repo, _| repo.sync_folder());
    strike(Operation::Rename, &|repo, _| repo.rename("a", "b"));
    strike(Operation::Remove, &|repo, _| repo.remove("a"));
    strike(Operation::Read, &|_, file| file.read_at(&mut [0], 0));
    strike(Operation::View, &|_, file| file.view(1, 0).map(drop));
    strike(Operation::List, &|repo, _| repo.list().map(drop));
}

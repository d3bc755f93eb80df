//! Operations that fail, power that goes, threads that meet.

use super::*;
use crate::repo::{Crash, Fault, FaultKind};

/// Saves, loads, opens again, makes room and removes.
fn workload(repo: &FaultyRepo) {
    for round in 0..3 {
        let store = small_store(repo, 3);
        for number in 1..=4 {
            for stream in [1, 2] {
                // A refusal is an answer here: whether states stay right is the question.
                drop(try_save(&store, stream, round * 4 + number));
                found(&store, stream, ANY, END);
            }
        }
        if round == 1 {
            drop(store.remove_above(position_of(1, 6)));
        }
    }
}

fn operations_of_workload() -> u64 {
    let repo = FaultyRepo::new();
    workload(&repo);
    repo.operations()
}

#[test]
fn whatever_fails_no_state_is_wrong_and_saving_goes_on() {
    let operations = operations_of_workload();
    for at in 1..=operations {
        for kind in [
            FaultKind::Io,
            FaultKind::NoSpace,
            FaultKind::Short,
            FaultKind::LostWrite,
            FaultKind::MisdirectedWrite,
        ] {
            let repo = FaultyRepo::new();
            repo.inject(Fault {
                at,
                only: None,
                kind,
            });
            workload(&repo);
            repo.drop_cache();
            let store = small_store(&repo, 3);
            answers(&store);
            save(&store, 1, 99);
            assert_eq!(
                found(&store, 1, 99, END),
                Some(99),
                "operation {at}: {kind:?}"
            );
        }
    }
}

#[test]
fn nothing_is_written_behind_a_write_that_failed() {
    for kind in [FaultKind::Io, FaultKind::Short] {
        let repo = FaultyRepo::new();
        repo.inject(Fault {
            at: 2,
            only: Some(Operation::Write),
            kind,
        });
        let store_before = store(&repo);
        save(&store_before, 1, 1);
        try_save(&store_before, 1, 2).unwrap_err();
        save(&store_before, 1, 3);
        let store_after = store(&repo);
        assert_eq!(found(&store_after, 1, ANY, END), Some(3), "{kind:?}");
        assert_eq!(found(&store_after, 1, 2, END), Some(1), "{kind:?}");
    }
}

#[test]
fn after_a_power_cut_at_any_operation_no_state_is_wrong_and_saving_goes_on() {
    let operations = operations_of_workload();
    let mut crashes = vec![Crash::DropUnsynced, Crash::KeepAll];
    crashes.extend((0..8).map(|seed| Crash::Subset { seed }));
    crashes.extend([1, 28, 80, 100].map(|bytes| Crash::TearLast { bytes }));
    for at in 1..=operations {
        for kind in [FaultKind::CrashBefore, FaultKind::CrashAfter] {
            let repo = FaultyRepo::new();
            repo.inject(Fault {
                at,
                only: None,
                kind,
            });
            workload(&repo);
            for crash in &crashes {
                let left = repo.crash(*crash);
                let store_after = small_store(&left, 3);
                for stream in [1, 2] {
                    for number in (1..=12).rev() {
                        found(&store_after, stream, number, END);
                    }
                }
                save(&store_after, 1, 99);
                assert_eq!(
                    found(&small_store(&left, 3), 1, 99, END),
                    Some(99),
                    "operation {at}: {kind:?}, {crash:?}"
                );
            }
        }
    }
}

#[test]
fn a_folder_that_cannot_be_listed_answers_nothing_and_is_asked_again() {
    let (files, _) = small_folder();
    let disk = FaultyRepo::over(&files);
    let store = store(&disk);
    disk.inject(Fault {
        at: 1,
        only: Some(Operation::List),
        kind: FaultKind::Io,
    });
    assert_eq!(found(&store, 1, ANY, END), None);
    assert_eq!(found(&store, 1, ANY, END), Some(3));
}

#[test]
fn many_threads_save_and_load_at_once() {
    let repo = MemoryRepo::new();
    let store = small_store(&repo, 1_000);
    std::thread::scope(|scope| {
        for stream in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 1..=100 {
                    save(store, stream, number);
                    assert_eq!(found(store, stream, ANY, END), Some(number));
                    found(store, (stream + 1) % 4, ANY, END);
                }
            });
        }
    });
    assert_eq!(small_store(&repo, 1_000).stats().snapshots, 400);
}

//! The contract of [`Repo`], held against each of the three worlds.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use proptest::prelude::*;

use super::*;

/// Runs `question` in each world.
#[track_caller]
fn in_each_world(question: impl Fn(&str, &dyn Repo)) {
    let folder = tempfile::tempdir().unwrap();
    question("fs", &FsRepo::open(&folder.path().join("log")).unwrap());
    question("memory", &MemoryRepo::new());
    question("faulty", &FaultyRepo::new());
}

fn read(repo: &dyn Repo, name: &str) -> Vec<u8> {
    let file = repo.open(name).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    let view = file.view(bytes.len() as u64, 0).unwrap();
    assert_eq!(view.bytes(), bytes, "a view and a read of {name} agree");
    bytes
}

fn write(repo: &dyn Repo, name: &str, bytes: &[u8]) {
    repo.create(name).unwrap().write_at(bytes, 0).unwrap();
}

#[test]
fn a_new_folder_is_empty() {
    in_each_world(|world, repo| assert!(repo.list().unwrap().is_empty(), "{world}"));
}

#[test]
fn what_was_written_is_read() {
    in_each_world(|world, repo| {
        let file = repo.create("a").unwrap();
        assert_eq!(file.len().unwrap(), 0, "{world}");
        file.write_at(b"fleet", 4).unwrap();
        file.write_at(b"rail", 0).unwrap();
        file.write_at(b"", 1_000).unwrap();
        file.sync_data().unwrap();
        repo.sync_folder().unwrap();
        assert_eq!(
            read(repo, "a"),
            b"railfleet",
            "{world}: a write of nothing does not grow the file"
        );
    });
}

#[test]
fn a_gap_and_a_longer_length_read_as_zeros() {
    in_each_world(|world, repo| {
        let file = repo.create("a").unwrap();
        file.write_at(b"x", 3).unwrap();
        file.set_len(6).unwrap();
        assert_eq!(read(repo, "a"), b"\0\0\0x\0\0", "{world}");
        file.set_len(2).unwrap();
        file.set_len(4).unwrap();
        assert_eq!(
            read(repo, "a"),
            b"\0\0\0\0",
            "{world}: what was cut does not come back"
        );
    });
}

#[test]
fn a_read_or_view_beyond_the_end_is_refused() {
    in_each_world(|world, repo| {
        let file = repo.create("a").unwrap();
        file.write_at(b"rail", 0).unwrap();
        for (offset, bytes) in [(0, 5), (4, 1), (9, 1), (1 << 40, 1)] {
            let error = file.read_at(&mut vec![0; bytes], offset).unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::UnexpectedEof,
                "{world}: {bytes} at {offset}"
            );
        }
        file.read_at(&mut [], 4).unwrap();
        for reserve in [0, 100] {
            assert_eq!(
                file.view(5, reserve).unwrap_err().kind(),
                ErrorKind::UnexpectedEof,
                "{world}"
            );
        }
    });
}

#[test]
fn a_view_shows_what_was_asked_for_and_keeps_it() {
    in_each_world(|world, repo| {
        let file = repo.create("a").unwrap();
        file.write_at(b"rail", 0).unwrap();
        let early = file.view(4, 1 << 16).unwrap();
        file.write_at(b"fleet", 4).unwrap();
        let late = file.view(9, 1 << 16).unwrap();
        assert_eq!(early.bytes(), b"rail", "{world}");
        assert_eq!(late.bytes(), b"railfleet", "{world}");
        assert_eq!(file.view(0, 0).unwrap().bytes(), b"", "{world}");
        assert_eq!(file.view(2, 0).unwrap().bytes(), b"ra", "{world}");
        repo.remove("a").unwrap();
        drop(file);
        assert_eq!(
            late.bytes(),
            b"railfleet",
            "{world}: a view outlives the file"
        );
    });
}

#[test]
fn a_created_file_takes_the_place_of_the_old_one_whose_views_stay() {
    in_each_world(|world, repo| {
        write(repo, "a", b"old");
        let old = repo.open("a").unwrap();
        let view = old.view(3, 0).unwrap();
        let new = repo.create("a").unwrap();
        assert_eq!(new.len().unwrap(), 0, "{world}");
        new.write_at(b"n", 0).unwrap();
        assert_eq!(view.bytes(), b"old", "{world}");
        assert_eq!(read(repo, "a"), b"n", "{world}");
        assert_eq!(repo.list().unwrap(), ["a"], "{world}");
    });
}

#[test]
fn two_handles_of_a_file_see_the_same_bytes() {
    in_each_world(|world, repo| {
        let one = repo.create("a").unwrap();
        let other = repo.open("a").unwrap();
        one.write_at(b"rail", 0).unwrap();
        assert_eq!(other.len().unwrap(), 4, "{world}");
        assert_eq!(other.view(4, 0).unwrap().bytes(), b"rail", "{world}");
    });
}

#[test]
fn a_rename_replaces_and_a_handle_follows_it() {
    in_each_world(|world, repo| {
        write(repo, "b", b"old");
        let file = repo.create("a").unwrap();
        file.write_at(b"rail", 0).unwrap();
        repo.rename("a", "b").unwrap();
        file.write_at(b"fleet", 4).unwrap();
        repo.rename("b", "b").unwrap();
        assert_eq!(repo.list().unwrap(), ["b"], "{world}");
        assert_eq!(read(repo, "b"), b"railfleet", "{world}");
    });
}

#[test]
fn names_are_listed_in_order() {
    in_each_world(|world, repo| {
        for name in ["c", "a-2", "a-10", "b"] {
            repo.create(name).unwrap();
        }
        repo.remove("b").unwrap();
        assert_eq!(repo.list().unwrap(), ["a-10", "a-2", "c"], "{world}");
    });
}

#[test]
fn a_missing_file_is_not_found() {
    in_each_world(|world, repo| {
        write(repo, "here", b"");
        assert_eq!(
            repo.open("gone").unwrap_err().kind(),
            ErrorKind::NotFound,
            "{world}"
        );
        assert_eq!(
            repo.remove("gone").unwrap_err().kind(),
            ErrorKind::NotFound,
            "{world}"
        );
        assert_eq!(
            repo.rename("gone", "here").unwrap_err().kind(),
            ErrorKind::NotFound,
            "{world}"
        );
        assert_eq!(
            repo.list().unwrap(),
            ["here"],
            "{world}: a failed rename changes nothing"
        );
    });
}

#[test]
fn a_name_is_never_a_path() {
    in_each_world(|world, repo| {
        let long = "x".repeat(256);
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "/etc/passwd",
            "a\\b",
            "a\0b",
            "../a",
            &long,
        ] {
            write(repo, "a", b"");
            let refused = |result: io::Result<()>| {
                assert_eq!(
                    result.unwrap_err().kind(),
                    ErrorKind::InvalidInput,
                    "{world}: {name:?}"
                );
            };
            refused(repo.create(name).map(drop));
            refused(repo.open(name).map(drop));
            refused(repo.rename("a", name));
            refused(repo.rename(name, "a"));
            refused(repo.remove(name));
            assert!(repo.path(name).is_none(), "{world}: {name:?}");
        }
    });
}

#[test]
fn a_clone_of_memory_is_the_same_folder_and_a_copy_another() {
    let repo = MemoryRepo::new();
    write(&repo, "a", b"rail");
    let (clone, copy) = (repo.clone(), repo.copy());
    repo.put("a", b"fleet".to_vec());
    assert_eq!(clone.bytes("a"), b"fleet");
    assert_eq!(copy.bytes("a"), b"rail");
    assert_eq!(copy.bytes("gone"), b"");
}

#[test]
fn memory_copies_a_view_only_when_its_part_was_written() {
    let repo = MemoryRepo::new();
    let file = repo.create("a").unwrap();
    file.write_at(&[1; 100], 0).unwrap();
    let address = |length| file.view(length, 0).unwrap().bytes().as_ptr();
    let first = file.view(100, 0).unwrap();
    file.write_at(&[2; 100], 100).unwrap();
    assert_eq!(
        address(100),
        first.bytes().as_ptr(),
        "bytes behind the view do not matter to it"
    );
    let held = file.view(200, 0).unwrap();
    assert_eq!(address(150), held.bytes().as_ptr());
    file.write_at(&[3; 1], 50).unwrap();
    assert_eq!(file.view(100, 0).unwrap().bytes()[50], 3);
    assert_eq!(held.bytes()[50], 1, "an earlier view keeps what it showed");
}

#[test]
fn memory_refuses_a_nonsensical_length_instead_of_dying_of_it() {
    for repo in [&MemoryRepo::new() as &dyn Repo, &FaultyRepo::new()] {
        let file = repo.create("a").unwrap();
        assert_eq!(
            file.write_at(b"x", u64::MAX).unwrap_err().kind(),
            ErrorKind::FileTooLarge
        );
        assert_eq!(
            file.write_at(b"x", 1 << 40).unwrap_err().kind(),
            ErrorKind::FileTooLarge
        );
        assert_eq!(
            file.set_len(1 << 40).unwrap_err().kind(),
            ErrorKind::FileTooLarge
        );
        assert_eq!(file.len().unwrap(), 0);
    }
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Write {
        name: u8,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLen {
        name: u8,
        length: u64,
    },
    Rename {
        from: u8,
        to: u8,
    },
    Remove(u8),
    Sync(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = || 0..4_u8;
    let step = prop_oneof![
        2 => name().prop_map(Step::Create),
        4 => (name(), 0..3_000_u64, prop::collection::vec(any::<u8>(), 0..2_000))
            .prop_map(|(name, offset, bytes)| Step::Write { name, offset, bytes }),
        1 => (name(), 0..4_000_u64).prop_map(|(name, length)| Step::SetLen { name, length }),
        1 => (name(), name()).prop_map(|(from, to)| Step::Rename { from, to }),
        1 => name().prop_map(Step::Remove),
        1 => name().prop_map(Step::Sync),
    ];
    prop::collection::vec(step, 1..30)
}

/// What a folder must hold after these steps.
fn model_of(steps: &[Step]) -> BTreeMap<String, Vec<u8>> {
    let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Create(name) => drop(model.insert(name.to_string(), Vec::new())),
            Step::Write {
                name,
                offset,
                bytes,
            } => {
                if let Some(held) = model
                    .get_mut(&name.to_string())
                    .filter(|_| !bytes.is_empty())
                {
                    let start = usize::try_from(*offset).unwrap();
                    held.resize(held.len().max(start + bytes.len()), 0);
                    held[start..start + bytes.len()].copy_from_slice(bytes);
                }
            }
            Step::SetLen { name, length } => {
                if let Some(held) = model.get_mut(&name.to_string()) {
                    held.resize(usize::try_from(*length).unwrap(), 0);
                }
            }
            Step::Rename { from, to } => {
                if let Some(held) = model.remove(&from.to_string()) {
                    model.insert(to.to_string(), held);
                }
            }
            Step::Remove(name) => drop(model.remove(&name.to_string())),
            Step::Sync(_) => {}
        }
    }
    model
}

fn act(repo: &dyn Repo, step: &Step) -> io::Result<()> {
    match step {
        Step::Create(name) => repo.create(&name.to_string()).map(drop),
        Step::Write {
            name,
            offset,
            bytes,
        } => repo.open(&name.to_string())?.write_at(bytes, *offset),
        Step::SetLen { name, length } => repo.open(&name.to_string())?.set_len(*length),
        Step::Rename { from, to } => repo.rename(&from.to_string(), &to.to_string()),
        Step::Remove(name) => repo.remove(&name.to_string()),
        Step::Sync(name) => repo
            .open(&name.to_string())?
            .sync_data()
            .and_then(|()| repo.sync_folder()),
    }
}

fn contents(repo: &dyn Repo) -> BTreeMap<String, Vec<u8>> {
    let names = repo.list().unwrap();
    names
        .into_iter()
        .map(|name| (name.clone(), read(repo, &name)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn each_world_holds_what_the_model_holds(steps in steps()) {
        let model = model_of(&steps);
        in_each_world(|world, repo| {
            for step in &steps {
                match act(repo, step) {
                    Ok(()) => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{world}: {step:?}"),
                }
            }
            assert_eq!(contents(repo), model, "{world}");
        });
    }

    #[test]
    fn a_power_cut_that_keeps_all_keeps_the_model_and_a_synced_disk_loses_nothing(
        steps in steps(),
        seed in any::<u64>(),
        journal in any::<bool>(),
    ) {
        let repo = FaultyRepo::new();
        if journal {
            repo.set_name_model(NameModel::Journal);
        }
        for step in &steps {
            drop(act(&repo, step));
        }
        let model = model_of(&steps);
        prop_assert_eq!(&contents(&repo.crash(Crash::KeepAll)), &model);

        for name in repo.list().unwrap() {
            repo.open(&name).unwrap().sync_data().unwrap();
        }
        repo.sync_folder().unwrap();
        for crash in [Crash::DropUnsynced, Crash::KeepAll, Crash::Subset { seed }, Crash::TearLast { bytes: 1 }] {
            prop_assert_eq!(&contents(&repo.crash(crash)), &model, "{:?}", crash);
        }
    }
}

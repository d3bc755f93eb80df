//! No byte of a log's files changes without being named: in every file, of a closed log and of one that was killed. Nothing is
//! left out but `lock`, which is no part of the log.

use std::sync::Arc;

use super::support::*;
use crate::log::Beside;
use crate::merkle::TILE_LEAVES;
use crate::repo::{MemoryRepo, Repo};
use crate::verify::{Places, verify_with};
use crate::*;

/// A log's folder with all that lies in and beside it.
struct Folder {
    main: MemoryRepo,
    tree: MemoryRepo,
    snapshots: MemoryRepo,
}

impl Folder {
    /// A log of several segments with watermark, indexes, tables and saved folds; `closed`, or as `kill -9` leaves it. Of
    /// `events` events, so that its tree has a tile or none.
    fn of(events: u64, segment_bytes: u64, closed: bool) -> Folder {
        let (main, tree, snapshots) = (MemoryRepo::new(), MemoryRepo::new(), MemoryRepo::new());
        let beside = Beside {
            snapshots: Arc::new(snapshots.clone()),
            tree: Arc::new(tree.clone()),
        };
        let options = LogOptions {
            segment_bytes_min: segment_bytes,
            segment_bytes_max: segment_bytes,
            ..small()
        };
        let repo: Arc<dyn Repo> = Arc::new(main.clone());
        let log = Log::open_in(repo, None, beside, options, None).unwrap();
        for number in 0..events {
            let name = format!("v{}", number % 3);
            log.append(one(&name, "VehicleUpdated", "{\"n\":1}"))
                .unwrap();
        }
        let name = StreamName::new("Vehicle", "v1");
        let tip = log.stream(&name).unwrap();
        for state in [&b"a fold"[..], b"another"] {
            log.snapshots()
                .save(&name, tip.version, tip.position, state)
                .unwrap();
        }
        log.tree_root(log.durable_position()).unwrap();
        log.settle();
        let as_killed = Folder {
            main: main.copy(),
            tree: tree.copy(),
            snapshots: snapshots.copy(),
        };
        log.close();
        match closed {
            true => Folder {
                main,
                tree,
                snapshots,
            },
            false => as_killed,
        }
    }

    /// The folders within the log's folder, and what stands in front of their files' names in a finding.
    fn repos(&self) -> [(&MemoryRepo, &'static str); 3] {
        [
            (&self.main, ""),
            (&self.tree, "tree/"),
            (&self.snapshots, "snapshots/"),
        ]
    }

    fn verify(&self) -> VerifyReport {
        let places = Places {
            archive: None,
            tree: Some(Arc::new(self.tree.clone())),
            snapshots: Some(Arc::new(self.snapshots.clone())),
        };
        let main: Arc<dyn Repo> = Arc::new(self.main.clone());
        verify_with(&main, &places, &VerifyOptions::default()).unwrap()
    }

    /// Changes each byte that `is_meant` once, and has it named. Returns how many these were.
    fn change_each(&self, is_meant: impl Fn(&str, usize) -> bool) -> usize {
        let before = self.verify();
        let mut changed = 0;
        for (repo, front) in self.repos() {
            for name in repo.list().unwrap() {
                let (file, bytes) = (format!("{front}{name}"), repo.bytes(&name));
                for at in (0..bytes.len()).filter(|at| is_meant(&file, *at)) {
                    let mut other = bytes.clone();
                    other[at] ^= 1 << (at % 8);
                    repo.put(&name, other);
                    let after = self.verify();
                    let found = after.problems.iter().chain(&after.remarks);
                    let is_named = found.filter(|found| found.file == file).any(|found| {
                        !before.problems.contains(found) && !before.remarks.contains(found)
                    });
                    assert!(
                        is_named,
                        "{file}, byte {at}: {:?} {:?}",
                        after.problems, after.remarks
                    );
                    changed += 1;
                }
                repo.put(&name, bytes);
            }
        }
        changed
    }
}

#[test]
fn every_byte_of_every_file_of_a_closed_log_is_named() {
    let folder = Folder::of(14, 700, true);
    let clean = folder.verify();
    assert_eq!((clean.problems, clean.remarks), (vec![], vec![]));
    let files = folder.main.list().unwrap();
    for suffix in [".log", ".idx", ".state", "watermark"] {
        assert!(
            files.iter().any(|file| file.ends_with(suffix)),
            "{suffix}: {files:?}"
        );
    }
    // Most of the saved tables is one filter of equal bytes: it is sampled.
    let is_meant = |file: &str, at| !file.ends_with(".state") || at < 600 || at % 1_999 == 0;
    assert!(folder.change_each(is_meant) > 10_000);
}

/// The prepared space behind the last group, the prepared next segment, and a watermark that was never written.
#[test]
fn every_byte_of_every_file_of_a_killed_log_is_named() {
    let folder = Folder::of(24, 2_048, false);
    let clean = folder.verify();
    assert_eq!((clean.problems, clean.torn_bytes), (vec![], 0));
    let files = folder.main.list().unwrap();
    assert!(
        files.iter().any(|file| file.starts_with("spare-")),
        "{files:?}"
    );
    let last = files.iter().rfind(|file| file.ends_with(".log")).unwrap();
    assert_eq!(
        folder.main.bytes(last).last(),
        Some(&0),
        "there is prepared space"
    );
    let is_meant = |file: &str, at| match file {
        _ if file.starts_with("spare-") => at % 97 == 0,
        _ if file.ends_with(".state") => at % 1_999 == 0,
        _ => true,
    };
    assert!(folder.change_each(is_meant) > 10_000);
}

#[test]
fn every_byte_of_the_trees_nodes_is_named() {
    let folder = Folder::of(TILE_LEAVES + 3, 16_384, true);
    assert_eq!(folder.change_each(|file, _| file == "tree/nodes"), 72);
}

/// A file that is derived and gone says nothing: it is made again. The others are missed by name.
#[test]
fn every_file_of_the_log_that_is_gone_is_named() {
    let folder = Folder::of(14, 700, true);
    for name in folder.main.list().unwrap() {
        let bytes = folder.main.bytes(&name);
        folder.main.remove(&name).unwrap();
        let report = folder.verify();
        let mut found = report.problems.iter().chain(&report.remarks);
        let is_derived = name.ends_with(".idx") || name.ends_with(".state");
        assert_eq!(found.any(|found| found.file == name), !is_derived, "{name}");
        folder.main.put(&name, bytes);
    }
}

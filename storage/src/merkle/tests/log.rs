//! The tree of a log: over tiles and segments, through restarts, with and without its file, and with damage.

use std::sync::Arc;

use super::reference::root;
use crate::log::Beside;
use crate::merkle::{NODES_FILE, stored_tiles};
use crate::repo::{FaultyRepo, Repo};
use crate::tests::support::{beside, event_place, memory, one, small};
use crate::verify::{Places, verify_with};
use crate::*;

struct Site {
    repo: Arc<dyn Repo>,
    tree: Arc<dyn Repo>,
}

impl Site {
    fn new() -> Self {
        Site {
            repo: memory(),
            tree: memory(),
        }
    }

    fn open(&self) -> Log {
        let beside = Beside {
            tree: self.tree.clone(),
            ..beside(memory())
        };
        Log::open_in(self.repo.clone(), None, beside, small(), None).unwrap()
    }

    fn verify(&self, roots: Vec<(Position, TreeHash)>) -> VerifyReport {
        let options = VerifyOptions {
            roots,
            ..VerifyOptions::default()
        };
        let places = Places {
            tree: Some(self.tree.clone()),
            ..Places::default()
        };
        verify_with(&self.repo, &places, &options).unwrap()
    }

    fn flip(&self, file: &str, offset: usize) {
        flip(&*self.repo, file, offset);
    }
}

fn flip(repo: &dyn Repo, file: &str, offset: usize) {
    let file = repo.open(file).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, offset as u64).unwrap();
    file.write_at(&[byte[0] ^ 1], offset as u64).unwrap();
}

fn fill(log: &Log, events: u64) {
    let from = log.durable_position().get();
    let mut batch = Transaction::default();
    for number in from..from + events {
        let stream = StreamName::new("Vehicle", (number % 7).to_string());
        batch.writes.push(StreamWrite {
            stream,
            expected: ExpectedVersion::Any,
            events: vec![NewEvent::new("Moved", format!("{{\"n\":{number}}}"))],
        });
        if batch.writes.len() == 40 || number + 1 == from + events {
            log.append(std::mem::take(&mut batch)).unwrap();
        }
    }
}

fn leaves(log: &Log, size: Position) -> Vec<Vec<u8>> {
    (1..=size.get())
        .map(|position| crate::merkle::leaves::bytes(&log.shared, Position::new(position)).unwrap())
        .collect()
}

#[test]
fn roots_and_proofs_hold_over_tiles_and_segments() {
    let log = Site::new().open();
    fill(&log, 1_300);
    assert!(log.stats().segments > 10);
    let all = leaves(&log, log.durable_position());
    for size in [1, 2, 255, 256, 257, 511, 512, 700, 1_024, 1_299, 1_300] {
        let size = Position::new(size);
        let expected = root(&all[..usize::try_from(size.get()).unwrap()]);
        assert_eq!(log.tree_root(size).unwrap(), expected, "{size}");
        for position in [1, 2, 200, 256, 257, 600, 1_025, 1_300] {
            let position = Position::new(position);
            match log.inclusion_proof(position, size) {
                Ok(proof) => assert!(proof.holds(&expected), "{position} in {size}"),
                Err(error) => assert!(position > size, "{error}"),
            }
        }
        for old in [0, 1, 100, 256, 300, 512, 1_024, 1_300] {
            let old = Position::new(old);
            match log.consistency_proof(old, size) {
                Ok(proof) => assert!(
                    proof.holds(&log.tree_root(old).unwrap(), &expected),
                    "{old} in {size}"
                ),
                Err(error) => assert!(old > size, "{error}"),
            }
        }
    }
    assert!(matches!(
        log.tree_root(Position::new(1_301)),
        Err(TreeError::Beyond { .. })
    ));
}

#[test]
fn the_nodes_file_is_grown_used_and_made_again() {
    let site = Site::new();
    let log = site.open();
    fill(&log, 600);
    let expected = log.tree_root(Position::new(600)).unwrap();
    fill(&log, 700);
    log.tree_catch_up(1).unwrap();
    log.close();
    let stored = |site: &Site, log: &Log| stored_tiles(&*site.tree, log.log_id()).unwrap();
    let log = site.open();
    assert_eq!(
        stored(&site, &log).tiles.len(),
        3,
        "one more tile was asked for"
    );
    assert_eq!(log.tree_catch_up(usize::MAX).unwrap(), Position::new(1_280));
    assert_eq!(stored(&site, &log).tiles.len(), 5);
    assert_eq!(log.tree_root(Position::new(600)).unwrap(), expected);
    let all = log.tree_root(Position::new(1_300)).unwrap();
    log.close();
    assert_eq!(site.verify(vec![]).problems, []);

    // Rot in the file, and another log's file: told by verify, made again by the log.
    flip(&*site.tree, NODES_FILE, 36 * 3 + 5);
    assert_eq!(site.verify(vec![]).remarks.len(), 1);
    let log = site.open();
    assert_eq!(log.tree_root(Position::new(1_300)).unwrap(), all);
    assert_eq!(stored(&site, &log).tiles.len(), 5);
    log.close();
    assert_eq!(site.verify(vec![]).problems, []);
    flip(&*site.tree, NODES_FILE, 20);
    let log = site.open();
    assert_eq!(log.tree_root(Position::new(1_300)).unwrap(), all);
    log.close();
    site.tree.remove(NODES_FILE).unwrap();
    let log = site.open();
    assert_eq!(log.tree_root(Position::new(1_300)).unwrap(), all);
}

/// A disk that is full at any byte of the file leaves what is no problem, and the next start mends it.
#[test]
fn a_full_disk_leaves_a_nodes_file_that_is_mended() {
    let whole = 36 * 3;
    for space in 0..=whole {
        let disk = FaultyRepo::new();
        disk.set_space_bytes_max(Some(space));
        let site = Site {
            tree: Arc::new(disk.clone()),
            ..Site::new()
        };
        let log = site.open();
        fill(&log, 600);
        let root = log.tree_root(Position::new(600)).unwrap();
        log.close();
        assert_eq!(site.verify(vec![]).problems, [], "full at byte {space}");

        disk.set_space_bytes_max(None);
        let log = site.open();
        assert_eq!(log.tree_root(Position::new(600)).unwrap(), root);
        log.close();
        assert_eq!(site.verify(vec![]).problems, [], "full at byte {space}");
        let file = site.tree.open(NODES_FILE).unwrap();
        assert_eq!(file.len().unwrap(), whole, "full at byte {space}");
    }
}

/// More events than are hashed at once, in many segments; asked for at the ends of tiles and of what is hashed at once, and within.
#[test]
fn the_digest_of_verify_is_the_root_and_so_is_every_root_that_was_kept() {
    let site = Site::new();
    let log = site.open();
    fill(&log, 5_000);
    let sizes = [
        0, 1, 255, 256, 257, 300, 2_047, 2_048, 2_049, 4_096, 4_999, 5_000,
    ];
    let kept = sizes.map(|size| {
        let size = Position::new(size);
        (size, log.tree_root(size).unwrap())
    });
    let root = kept[sizes.len() - 1].1;
    log.close();
    let report = site.verify(kept.to_vec());
    assert_eq!((report.digest, report.problems), (root, vec![]));
    for (size, _) in kept {
        let other = (size, TreeHash::leaf(b"another"));
        let said = site.verify(vec![other]).problems;
        let what = format!("the first {size} events are not those of the checkpoint");
        assert!(said.len() == 1 && said[0].what.contains(&what), "{said:?}");
    }
}

#[test]
fn an_event_that_rots_after_it_was_hashed_has_no_proof_and_leaves_the_root() {
    let site = Site::new();
    let log = site.open();
    fill(&log, 600);
    let size = Position::new(600);
    let root = log.tree_root(size).unwrap();
    let (file, offset) = event_place(&log, 300);
    log.close();
    site.flip(&file, offset + 62);
    let log = site.open();
    assert_eq!(log.tree_root(size).unwrap(), root);
    let proof = log.inclusion_proof(Position::new(290), size);
    assert!(matches!(proof, Err(TreeError::Changed { first, .. }) if first == Position::new(257)));
    let elsewhere = log.inclusion_proof(Position::new(10), size).unwrap();
    assert!(elsewhere.holds(&root));
    log.close();
    let problems = site.verify(vec![(size, root)]).problems;
    let said = |what: &str| problems.iter().any(|problem| problem.what.contains(what));
    assert!(said("the event at position 300 is lost"), "{problems:?}");
    assert!(
        said("positions 257 to 512 are not what they were"),
        "{problems:?}"
    );
    assert!(said("not those of the checkpoint"), "{problems:?}");
}

#[test]
fn events_that_are_gone_are_missed_by_a_checkpoint() {
    let site = Site::new();
    let log = site.open();
    fill(&log, 100);
    let then = (
        Position::new(100),
        log.tree_root(Position::new(100)).unwrap(),
    );
    log.close();
    let other = Site::new();
    let log = other.open();
    fill(&log, 90);
    log.close();
    let problems = other.verify(vec![then]).problems;
    assert!(
        problems[0].what.contains("ends at position 90"),
        "{problems:?}"
    );
}

#[test]
fn a_single_event_is_a_tree() {
    let site = Site::new();
    let log = site.open();
    log.append(one("1", "Moved", "{}")).unwrap();
    let root = log.tree_root(Position::FIRST).unwrap();
    let proof = log
        .inclusion_proof(Position::FIRST, Position::FIRST)
        .unwrap();
    assert!(proof.path.is_empty() && proof.holds(&root));
    assert_eq!(log.tree_root(Position::START).unwrap(), TreeHash::empty());
}

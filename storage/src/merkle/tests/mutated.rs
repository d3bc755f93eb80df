//! A proof with anything changed proves nothing.

use proptest::prelude::*;

use super::reference::root;
use crate::tests::support::{memory, one, open, small};
use crate::{Log, Position, TreeHash};

fn log_of(events: u64) -> Log {
    let log = open(&memory(), &small());
    for number in 0..events {
        log.append(one("1", "Moved", &format!("{{\"n\":{number}}}")))
            .unwrap();
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn changed_inclusion_proofs_do_not_hold(events in 1_u64..60, at in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let log = log_of(events);
        let size = log.durable_position();
        let position = Position::new(at.index(usize::try_from(events).unwrap()) as u64 + 1);
        let root = log.tree_root(size).unwrap();
        let proof = log.inclusion_proof(position, size).unwrap();
        prop_assert!(proof.holds(&root));

        let mut leaf = proof.clone();
        let place = bit.index(leaf.leaf.len() * 8);
        leaf.leaf[place / 8] ^= 1 << (place % 8);
        prop_assert!(!leaf.holds(&root));

        if !proof.path.is_empty() {
            let mut path = proof.clone();
            let place = bit.index(path.path.len() * 256);
            path.path[place / 256].0[place % 256 / 8] ^= 1 << (place % 8);
            prop_assert!(!path.holds(&root));
            let mut short = proof.clone();
            short.path.remove(bit.index(short.path.len()));
            prop_assert!(!short.holds(&root));
        }
        let mut long = proof.clone();
        long.path.push(TreeHash::empty());
        prop_assert!(!long.holds(&root));
    }
}

/// The leaf's bytes are what the proof says, and the tree is the one of the definition over them.
#[test]
fn the_tree_of_the_log_is_the_tree_of_its_leaves() {
    let log = log_of(37);
    let size = log.durable_position();
    let leaves: Vec<Vec<u8>> = (1..=37)
        .map(|position| {
            log.inclusion_proof(Position::new(position), size)
                .unwrap()
                .leaf
        })
        .collect();
    assert_eq!(log.tree_root(size).unwrap(), root(&leaves));
    let names = leaves[0].len() - leaves[1].len();
    assert!(
        names > 40,
        "the first event brought its names: {names} bytes"
    );
}

//! The tree against the definition of RFC 9162, written down word for word, and against known answers.

use std::convert::Infallible;

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::merkle::lanes::digest_each;
use crate::merkle::path::Subtrees;
use crate::merkle::{TILE_LEAVES, hash_leaves, root_of};
use crate::{Accumulator, ConsistencyProof, InclusionProof, Position, TreeHash};

/// `MTH(D[0:n])` of §2.1.1.
pub(super) fn root(leaves: &[Vec<u8>]) -> TreeHash {
    match leaves {
        [] => TreeHash::empty(),
        [only] => TreeHash::leaf(only),
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            TreeHash::node(&root(&leaves[..k]), &root(&leaves[k..]))
        }
    }
}

/// A tree that hashes everything anew.
struct Plain(Vec<Vec<u8>>);

impl Subtrees for Plain {
    type Error = Infallible;

    fn whole(&mut self, start: u64, leaves: u64) -> Result<TreeHash, Infallible> {
        let start = usize::try_from(start).unwrap();
        let end = start + usize::try_from(leaves).unwrap();
        Ok(root(&self.0[start..end]))
    }
}

fn leaves(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| number.to_le_bytes().to_vec())
        .collect()
}

#[test]
fn known_answers_hold() {
    let hex = |hash: TreeHash| hash.to_string();
    assert_eq!(
        hex(TreeHash::empty()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    // The test vectors of certificate-transparency-go: one empty leaf, and eight leaves.
    assert_eq!(
        hex(TreeHash::leaf(b"")),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    let inputs: Vec<Vec<u8>> = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    .iter()
    .map(|text| {
        (0..text.len() / 2)
            .map(|byte| u8::from_str_radix(&text[2 * byte..2 * byte + 2], 16).unwrap())
            .collect()
    })
    .collect();
    assert_eq!(
        hex(root(&inputs)),
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    );
}

#[test]
fn a_growing_tree_has_the_root_of_the_definition() {
    let all = leaves(70);
    let mut tree = Accumulator::default();
    for count in 0..=70 {
        assert_eq!(tree.root(), root(&all[..count]), "{count} leaves");
        if let Some(leaf) = all.get(count) {
            tree.push(TreeHash::leaf(leaf));
        }
    }
}

/// Every length around the ends of blocks, beside neighbours of other lengths, whatever is left over for the last turn.
#[test]
fn messages_that_take_turns_have_the_digests_that_they_have_alone() {
    let bytes: Vec<u8> = (0_u8..=255).cycle().take(600).collect();
    for count in 0..8 {
        for length in 0..300 {
            let messages: Vec<&[u8]> = (0..count)
                .map(|number| &bytes[number..number + (length + number * 61) % 500])
                .collect();
            let mut digests = Vec::new();
            digest_each(7, messages.iter().copied(), |digest| digests.push(digest));
            let alone: Vec<[u8; 32]> = messages
                .iter()
                .map(|message| {
                    Sha256::new_with_prefix([7])
                        .chain_update(message)
                        .finalize()
                        .into()
                })
                .collect();
            assert_eq!(digests, alone, "{count} messages from {length} bytes on");
        }
    }
}

proptest! {
    /// Hashed level by level, leaf by leaf, or by tiles.
    #[test]
    fn a_root_is_the_same_however_it_is_made(sizes in prop::collection::vec(0_usize..200, 0..600)) {
        let leaves: Vec<Vec<u8>> = sizes.iter().map(|size| vec![7; *size]).collect();
        let hashes = hash_leaves(leaves.iter().map(Vec::as_slice));
        let expected = root(&leaves);
        prop_assert_eq!(root_of(&hashes), expected);
        let mut tree = Accumulator::default();
        for tile in hashes.chunks(usize::try_from(TILE_LEAVES).unwrap()) {
            if tile.len() as u64 == TILE_LEAVES {
                tree.push_tile(root_of(tile));
            } else {
                tile.iter().for_each(|leaf| tree.push(*leaf));
            }
        }
        prop_assert_eq!(tree.root(), expected);
        prop_assert_eq!(tree.size(), leaves.len() as u64);
    }
}

#[test]
fn every_proof_of_every_tree_holds() {
    for size in 1..40 {
        let all = leaves(size);
        let (root_now, mut tree) = (root(&all), Plain(all.clone()));
        for index in 0..size {
            let proof = InclusionProof {
                position: Position::new(index + 1),
                size: Position::new(size),
                leaf: index.to_le_bytes().to_vec(),
                path: tree.inclusion(index, 0, size).unwrap(),
            };
            assert!(proof.holds(&root_now), "leaf {index} of {size}");
            assert!(!proof.holds(&TreeHash::empty()));
            let elsewhere = InclusionProof {
                position: Position::new((index + 1) % size + 1),
                ..proof
            };
            assert!(size == 1 || !elsewhere.holds(&root_now));
        }
        for old in 1..size {
            let path = tree.consistency(old, 0, size, true).unwrap();
            let proof = ConsistencyProof {
                old: Position::new(old),
                new: Position::new(size),
                path,
            };
            let before = root(&all[..usize::try_from(old).unwrap()]);
            assert!(proof.holds(&before, &root_now), "{old} in {size}");
            assert!(!proof.holds(&root_now, &before));
            let shifted = ConsistencyProof {
                old: Position::new(old + 1),
                ..proof
            };
            assert!(!shifted.holds(&before, &root_now));
        }
    }
}

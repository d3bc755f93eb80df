use super::*;
use crate::dataset::Feature;
use crate::random::Random;
use crate::tree::{Leaf, Node};

const FEATURES: usize = 5;

/// Three numeric and two categorical features with bins 0 to 69.
fn features() -> Vec<ModelFeature> {
    (0..FEATURES)
        .map(|at| ModelFeature {
            feature: if at < 3 {
                Feature::numeric(format!("f{at}"))
            } else {
                Feature::categorical(format!("f{at}"))
            },
            codes: if at < 3 { vec![] } else { (0..70).collect() },
            bins: if at < 3 { vec![] } else { (0..70).collect() },
        })
        .collect()
}

/// A random tree of `leaves` leaves whose children come after their parents.
fn random_tree(random: &mut Random, leaves: usize) -> Tree {
    let leaf = |value: f32| Leaf { value, rows: 1 };
    let mut tree = Tree::constant(0.25, 1);
    while tree.leaves.len() < leaves {
        let split = u32::try_from(random.below(tree.leaves.len())).unwrap();
        let (node, right) = (number(tree.nodes.len()), number(tree.leaves.len()));
        for above in &mut tree.nodes {
            for child in [&mut above.left, &mut above.right] {
                if *child == Child::Leaf(split) {
                    *child = Child::Node(node);
                }
            }
        }
        let feature = random.below(FEATURES);
        let test = if feature < 3 {
            Test::Threshold {
                at: match random.below(40) {
                    0 => f32::INFINITY,
                    1 => f32::MAX,
                    tenth => tenth as f32 * 0.1 - 2.0,
                },
                missing_left: random.below(2) == 0,
            }
        } else {
            Test::Subset {
                mask: [
                    random.below(usize::MAX) as u64,
                    0x2A,
                    0,
                    (random.below(2) as u64) << 63,
                ],
            }
        };
        tree.nodes.push(Node {
            feature: number(feature),
            test,
            left: Child::Leaf(split),
            right: Child::Leaf(right),
            gain: 1.0,
            rows: 1,
        });
        tree.leaves.push(leaf(0.5 + right as f32));
    }
    tree
}

/// A row with values on and between thresholds, missing, infinite and unknown ones.
fn random_row(random: &mut Random) -> Vec<f32> {
    (0..FEATURES)
        .map(|at| match random.below(10) {
            0 => f32::NAN,
            1 if at < 3 => f32::INFINITY,
            2 if at < 3 => f32::NEG_INFINITY,
            3 if at >= 3 => 900.0,
            _ if at < 3 => random.below(80) as f32 * 0.05 - 2.0,
            _ => random.below(70) as f32,
        })
        .collect()
}

/// Leaves of every size of tree are found as by walking down from the root, for several outputs.
#[test]
fn striking_leaves_out_finds_what_walking_finds() {
    let features = features();
    let mut random = Random::new(5, 0);
    for (outputs, sizes) in [
        (1, vec![1, 2, 31, 32, 33, 62, 63, 64, 200]),
        (1, vec![31; 300]),
        (1, vec![4; 900]),
        (3, vec![5, 40, 1, 32, 32, 70]),
    ] {
        let trees: Vec<Tree> = sizes
            .iter()
            .map(|&size| random_tree(&mut random, size))
            .collect();
        let flat = FlatForest::compile(&features, &trees, outputs).unwrap();
        let mut reach = vec![0; flat.words()];
        for _ in 0..300 {
            let row = random_row(&mut random);
            let bin_of = |feature: usize, value: f32| features[feature].bin_of(value);
            let encoded: Vec<f32> = row
                .iter()
                .enumerate()
                .map(|(at, &value)| match (at < 3, value.is_nan()) {
                    (_, true) => f32::NAN,
                    (true, _) => value.clamp(f32::MIN, f32::MAX),
                    (false, _) => match bin_of(at, value) {
                        MISSING_BIN => f32::NAN,
                        bin => f32::from(bin),
                    },
                })
                .collect();
            let mut walked = vec![0.0; outputs];
            for (at, tree) in trees.iter().enumerate() {
                walked[at % outputs] += tree.value_of(&encoded);
            }
            let mut found = vec![0.0; outputs];
            flat.add_scores(&row, &mut reach, bin_of, &mut found);
            assert_eq!(found, walked, "whole and half numbers add up exactly");
        }
    }
}

/// A file of few bytes must not become gigabytes of layout: 255 categories times hundreds of thousands of nodes.
#[test]
fn a_layout_that_would_be_huge_is_not_made() {
    let mut features = features();
    for feature in &mut features[3..] {
        feature.codes = (0..255).collect();
        feature.bins = (0..255).collect();
    }
    let mut random = Random::new(6, 0);
    let tree = random_tree(&mut random, 32);
    let trees = vec![tree; 40_000];
    assert!(FlatForest::compile(&features, &trees, 1).is_none());
}

use super::*;
use crate::loss::Loss;
use crate::model::{ModelFeature, TrainingRecord};
use crate::random::Random;
use crate::tree::{Leaf, Node};
use crate::{Feature, FeatureKind};

/// A random tree over `features` numeric features with thresholds in tenths; features may repeat on a path.
fn random_tree(random: &mut Random, features: usize, splits: usize) -> Tree {
    let mut tree = Tree::constant(0.0, 1 << 20);
    for _ in 0..splits {
        let leaf = random.below(tree.leaves.len());
        let rows = tree.leaves[leaf].rows;
        if rows < 4 {
            continue;
        }
        let left_rows = 1 + random.below(rows as usize - 2) as u32;
        let (node, right) = (tree.nodes.len() as u32, tree.leaves.len() as u32);
        for above in &mut tree.nodes {
            for child in [&mut above.left, &mut above.right] {
                if *child == Child::Leaf(leaf as u32) {
                    *child = Child::Node(node);
                }
            }
        }
        let feature = random.below(features) as u32;
        tree.nodes.push(Node {
            feature,
            test: Test::Threshold {
                at: random.below(10) as f32 * 0.1,
                missing_left: random.below(2) == 0,
            },
            left: Child::Leaf(leaf as u32),
            right: Child::Leaf(right),
            gain: 1.0,
            rows,
        });
        tree.leaves[leaf].rows = left_rows;
        tree.leaves.push(Leaf {
            value: 0.0,
            rows: rows - left_rows,
        });
    }
    for leaf in &mut tree.leaves {
        leaf.value = (random.unit() * 4.0 - 2.0) as f32;
    }
    tree
}

fn model_of(trees: Vec<Tree>, features: usize) -> Model {
    let features = (0..features)
        .map(|index| ModelFeature {
            feature: Feature {
                kind: FeatureKind::Numeric,
                ..Feature::numeric(format!("f{index}"))
            },
            codes: vec![],
            bins: vec![],
        })
        .collect();
    let record = TrainingRecord {
        rounds: trees.len() as u64,
        ..TrainingRecord::default()
    };
    Model::new(Loss::Squared, features, vec![0.25], trees, record)
}

/// The game's value when only the features in `known` are known.
fn conditional(tree: &Tree, at: Child, row: &[f32], known: u32) -> f64 {
    match at {
        Child::Leaf(leaf) => f64::from(tree.leaves[leaf as usize].value),
        Child::Node(index) => {
            let node = &tree.nodes[index as usize];
            if known >> node.feature & 1 == 1 {
                let left = node.test.goes_left(row[node.feature as usize]);
                return conditional(tree, if left { node.left } else { node.right }, row, known);
            }
            let share = |child| f64::from(tree.rows_of(child)) / f64::from(node.rows);
            share(node.left) * conditional(tree, node.left, row, known)
                + share(node.right) * conditional(tree, node.right, row, known)
        }
    }
}

fn brute_force(tree: &Tree, row: &[f32]) -> Vec<f64> {
    let count = row.len() as u32;
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    (0..count)
        .map(|feature| {
            (0..1_u32 << count)
                .filter(|known| known >> feature & 1 == 0)
                .map(|known| {
                    let size = known.count_ones();
                    let weight = factorial(size) * factorial(count - size - 1) / factorial(count);
                    let gain = conditional(tree, tree.root(), row, known | 1 << feature)
                        - conditional(tree, tree.root(), row, known);
                    weight * gain
                })
                .sum()
        })
        .collect()
}

#[test]
fn values_match_brute_force_shapley() {
    let mut random = Random::new(11, 0);
    for splits in [0, 1, 2, 5, 12, 25] {
        for _ in 0..20 {
            let tree = random_tree(&mut random, 6, splits);
            let row: Vec<f32> = (0..6)
                .map(|_| {
                    if random.below(8) == 0 {
                        f32::NAN
                    } else {
                        random.unit() as f32
                    }
                })
                .collect();
            let expected = brute_force(&tree, &row);
            let model = model_of(vec![tree], 6);
            let found = Explainer::new(&model).explain(&row).unwrap();
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-10, "{found} {expected}");
            }
        }
    }
}

#[test]
fn values_and_expectation_add_up_to_the_score_also_on_deep_paths() {
    let mut random = Random::new(12, 0);
    for (features, splits) in [(3, 40), (20, 60), (60, 900)] {
        let trees: Vec<Tree> = (0..5)
            .map(|_| random_tree(&mut random, features, splits))
            .collect();
        let trees: Vec<Tree> = trees
            .into_iter()
            .filter(|tree| tree.depth() <= 64)
            .collect();
        let model = model_of(trees, features);
        let explainer = Explainer::new(&model);
        for _ in 0..20 {
            let row: Vec<f32> = (0..features).map(|_| random.unit() as f32).collect();
            let mut score = [0.0];
            model
                .scores_into(&row, &mut model.scratch(), &mut score)
                .unwrap();
            let total =
                explainer.expected()[0] + explainer.explain(&row).unwrap().iter().sum::<f64>();
            assert!((total - score[0]).abs() < 1e-9, "{total} {score:?}");
        }
    }
}

#[test]
fn quadrature_integrates_its_polynomials_exactly() {
    for points in POINTS {
        let rule = Rule::new(points);
        for degree in 0..2 * points {
            let sum: f64 = rule
                .points
                .iter()
                .zip(&rule.weights)
                .map(|(point, weight)| weight * point.powi(i32::try_from(degree).unwrap()))
                .sum();
            assert!(
                (sum - 1.0 / (degree as f64 + 1.0)).abs() < 1e-13,
                "{points} {degree}"
            );
        }
    }
}

#[test]
fn a_row_of_the_wrong_width_is_refused() {
    let model = model_of(vec![Tree::constant(1.0, 3)], 2);
    assert!(matches!(
        Explainer::new(&model).explain(&[1.0]),
        Err(PredictError::FeatureCount { .. })
    ));
}

use super::super::GrownNode;
use super::*;
use crate::split::Rule;

const RULES: SplitRules = SplitRules {
    gradient_unit: 1.0,
    hessian_unit: 1.0,
    l1: 0.0,
    l2: 0.0,
    hessian_min: 0.0,
    rows_min: 1.0,
    gain_min: 0.0,
    category: crate::split::CategoryRules {
        smoothing: 0.0,
        l2: 0.0,
        group_rows_min: 0.0,
        subset_max: 1,
        one_hot_max: 1,
    },
};

/// A packed sum of rows whose hessian is one each.
fn sum(gradient: i64, rows: i64) -> i64 {
    (gradient << 32) + rows
}

/// Leaf 0 against a node of leaves 1 and 2; ten rows each that want to move by 1, −1 and −3.
fn tree() -> GrownTree {
    let rule = Rule::Threshold {
        bin: 0,
        missing_left: None,
    };
    let node = |left, right, rows| GrownNode {
        used: 0,
        rule,
        left,
        right,
        gain: 1.0,
        rows,
    };
    let leaf = |number: usize, gradient: i64| GrownLeaf {
        value: -(gradient as f64) / 10.0,
        sum: sum(gradient, 10),
        lower: f64::NEG_INFINITY,
        upper: f64::INFINITY,
        rows: number * 10..number * 10 + 10,
    };
    GrownTree {
        nodes: vec![
            node(Child::Leaf(0), Child::Node(1), 30),
            node(Child::Leaf(1), Child::Leaf(2), 20),
        ],
        leaves: vec![leaf(0, -10), leaf(1, 10), leaf(2, 30)],
    }
}

#[track_caller]
fn check(others: [i64; 3], leaves: &[(f64, std::ops::Range<usize>)], numbers: [usize; 3]) {
    let mut tree = tree();
    assert_eq!(tree.veto(others.to_vec(), &RULES), numbers);
    let found: Vec<_> = tree
        .leaves
        .iter()
        .map(|leaf| (leaf.value, leaf.rows.clone()))
        .collect();
    assert_eq!(found, leaves);
    assert_eq!(tree.nodes.len() + 1, leaves.len());
    let children = tree.nodes.iter().flat_map(|node| [node.left, node.right]);
    for child in children {
        match child {
            Child::Node(index) => assert!((index as usize) < tree.nodes.len()),
            Child::Leaf(leaf) => assert!((leaf as usize) < tree.leaves.len()),
        }
    }
}

#[test]
fn rows_that_agree_change_nothing() {
    let same = [(1.0, 0..10), (-1.0, 10..20), (-3.0, 20..30)];
    check([sum(-2, 2), sum(2, 2), sum(6, 2)], &same, [0, 1, 2]);
    check([0; 3], &same, [0, 1, 2]);
}

#[test]
fn a_split_that_others_contradict_is_taken_back_alone() {
    check(
        [sum(-2, 2), sum(6, 2), sum(2, 2)],
        &[(1.0, 0..10), (-2.0, 10..30)],
        [0, 1, 1],
    );
}

#[test]
fn a_tree_that_others_contradict_is_one_leaf() {
    check(
        [sum(6, 2), sum(-1, 2), sum(-5, 2)],
        &[(-1.0, 0..30)],
        [0; 3],
    );
}

#[test]
fn a_split_below_one_that_stands_may_be_the_last_word() {
    // The lower split is contradicted, and without it the upper one is as well.
    check([sum(3, 2), sum(4, 2), sum(-2, 2)], &[(-1.0, 0..30)], [0; 3]);
}

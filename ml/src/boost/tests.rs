use super::*;
use crate::loss::Loss;
use crate::model::TrainingRecord;
use crate::params::ROUNDS_MAX;
use crate::random::Random;
use crate::split::CategoryRules;
use crate::{Dataset, Monotone};
use ndarray::Array2;

/// Rows with two informative numbers, a category that matters, noise, and holes.
fn table(rows: usize, seed: u64, classes: u32) -> Dataset {
    let mut random = Random::new(seed, 7);
    let mut values = Array2::zeros((5, rows));
    let mut labels = Vec::with_capacity(rows);
    for row in 0..rows {
        let (a, b, c) = (random.unit(), random.unit(), random.below(12));
        let noise = random.unit() - 0.5;
        let signal = (6.0 * a).sin() + 2.0 * b + if c % 3 == 0 { 1.0 } else { 0.0 } + noise;
        values[(0, row)] = if random.below(10) == 0 {
            f32::NAN
        } else {
            a as f32
        };
        values[(1, row)] = b as f32;
        values[(2, row)] = c as f32;
        values[(3, row)] = random.unit() as f32;
        values[(4, row)] = 1.0;
        labels.push(match classes {
            0 => signal as f32,
            1 => signal.max(0.0).floor() as f32,
            2 => f32::from(u8::from(signal > 1.2)),
            _ => (signal + 0.6).clamp(0.0, f64::from(classes) - 1.0).floor() as f32,
        });
    }
    let features = vec![
        Feature::numeric("a"),
        Feature::numeric("b"),
        Feature::categorical("c"),
        Feature::numeric("noise"),
        Feature::numeric("constant"),
    ];
    Dataset::from_columns(features, values, labels).unwrap()
}

fn losses() -> [(Loss, u32); 7] {
    [
        (Loss::Squared, 0),
        (Loss::Quantile { level: 0.8 }, 0),
        (Loss::Poisson, 1),
        (Loss::Tweedie { power: 1.4 }, 1),
        (Loss::Logistic, 2),
        (Loss::Multiclass { classes: 4 }, 4),
        (Loss::Hazard { periods: 2 }, 2),
    ]
}

fn settings(loss: Loss) -> Params {
    Params {
        loss,
        rounds_max: 40,
        learning_rate: 0.1,
        leaves_max: 12,
        row_share: 0.8,
        column_share: 0.8,
        seed: 3,
        category: CategoryRules {
            group_rows_min: 20.0,
            ..CategoryRules::default()
        },
        ..Params::default()
    }
}

fn mean_loss(model: &Model, dataset: &Dataset) -> f64 {
    let shape = (dataset.rows(), dataset.features().len());
    let rows = Array2::from_shape_fn(shape, |(row, column)| dataset.column(column)[row]);
    let scores: Vec<f64> = model
        .scores(rows.view(), 1)
        .unwrap()
        .t()
        .iter()
        .copied()
        .collect();
    model.loss().mean(&scores, dataset.labels(), None)
}

#[test]
fn every_loss_learns_and_any_number_of_threads_gives_the_same_bytes() {
    let with_veto = losses().map(|(loss, labels)| (loss, labels, true));
    let each = losses().map(|(loss, labels)| (loss, labels, false));
    for (loss, labels, unseen_rows_veto) in each.into_iter().chain(with_veto) {
        let (train, test) = (table(3_000, 1, labels), table(2_000, 2, labels));
        let mut params = Params {
            unseen_rows_veto,
            ..settings(loss)
        };
        let bytes: Vec<Vec<u8>> = [1, 2, 3, 8]
            .into_iter()
            .map(|threads| {
                params.threads = threads;
                Fit::new(&params).train(&train).unwrap().to_bytes().unwrap()
            })
            .collect();
        assert!(
            bytes.windows(2).all(|pair| pair[0] == pair[1]),
            "{loss:?} depends on the threads"
        );
        let model = Model::from_bytes(&bytes[0]).unwrap();
        let base = Model::new(
            loss,
            model.features().to_vec(),
            model.base().to_vec(),
            vec![],
            TrainingRecord::default(),
        );
        let (learned, trivial) = (mean_loss(&model, &test), mean_loss(&base, &test));
        let gain = (trivial - learned) / trivial.abs();
        assert!(gain > 0.02, "{loss:?}: {trivial} to {learned}");
    }
}

#[test]
fn unseen_rows_take_back_what_only_fits_noise() {
    let mut random = Random::new(9, 9);
    let noise = (0..3_000).map(|_| f32::from(u8::from(random.below(2) == 0)));
    let labels: Vec<f32> = noise.collect();
    let known = table(3_000, 1, 2);
    let values = Array2::from_shape_fn((5, 3_000), |(column, row)| known.column(column)[row]);
    let train = Dataset::from_columns(known.features().to_vec(), values, labels).unwrap();
    let splits = |unseen_rows_veto| {
        let params = Params {
            unseen_rows_veto,
            ..settings(Loss::Logistic)
        };
        let model = Fit::new(&params).train(&train).unwrap();
        let trees = model.trees().iter();
        trees.map(|tree| tree.nodes.len()).sum::<usize>()
    };
    let (freely, with_veto) = (splits(false), splits(true));
    assert!(4 * with_veto < 3 * freely, "{with_veto} of {freely} splits");
}

#[test]
fn many_rows_are_shared_among_threads_with_the_same_result() {
    let train = table(40_000, 4, 2);
    let mut params = settings(Loss::Logistic);
    params.rounds_max = 5;
    let one = Fit::new(&params).train(&train).unwrap();
    params.threads = 4;
    assert_eq!(Fit::new(&params).train(&train).unwrap(), one);
}

#[test]
fn monotone_features_never_turn_the_prediction_round() {
    for (direction, sign) in [(Monotone::Increasing, 1.0), (Monotone::Decreasing, -1.0)] {
        for loss in [Loss::Squared, Loss::Logistic, Loss::Quantile { level: 0.5 }] {
            let free = table(2_000, 5, if loss == Loss::Logistic { 2 } else { 0 });
            let mut features = free.features().to_vec();
            features[0].monotone = direction;
            features[1].monotone = direction;
            let columns =
                Array2::from_shape_fn((5, free.rows()), |(column, row)| free.column(column)[row]);
            let train = Dataset::from_columns(features, columns, free.labels().to_vec()).unwrap();
            let model = Fit::new(&settings(loss)).train(&train).unwrap();
            let mut scratch = model.scratch();
            for trial in 0..40 {
                let mut random = Random::new(trial, 1);
                let mut row = [
                    0.0,
                    random.unit() as f32,
                    random.below(12) as f32,
                    random.unit() as f32,
                    1.0,
                ];
                for column in [0, 1] {
                    let mut last = f64::NEG_INFINITY;
                    for step in 0..200 {
                        row[column] = step as f32 / 200.0;
                        let mut score = [0.0];
                        model.scores_into(&row, &mut scratch, &mut score).unwrap();
                        assert!(sign * score[0] >= last - 1e-6, "{loss:?} {direction:?}");
                        last = sign * score[0];
                    }
                }
            }
        }
    }
}

#[test]
fn early_stopping_keeps_the_best_round() {
    let (train, valid) = (table(400, 6, 2), table(400, 7, 2));
    let params = Params {
        rounds_max: 2_000,
        patience_rounds: Some(15),
        rows_min: 2,
        ..settings(Loss::Logistic)
    };
    let mut seen = Vec::new();
    let mut observe = |progress: Progress| {
        seen.push(progress.valid_loss.unwrap());
        ControlFlow::Continue(())
    };
    let model = Fit::new(&params)
        .valid(&valid)
        .observe(&mut observe)
        .train(&train)
        .unwrap();
    let best = seen.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(seen.len() < 2_000);
    assert_eq!(model.record().valid_loss, Some(best));
    assert!((mean_loss(&model, &valid) - best).abs() < 1e-9);
}

/// Two informative numbers and flags so rare that no split on them is admissible.
fn rare_flags(rows: usize, seed: u64, classes: u32) -> Dataset {
    let known = table(rows, seed, classes);
    let values = Array2::from_shape_fn((7, rows), |(column, row)| match column {
        0 | 1 => known.column(column)[row],
        _ => f32::from(u8::from(row % 211 == column)),
    });
    let flags = (2..7).map(|flag| Feature::numeric(format!("flag {flag}")));
    let numbers = [Feature::numeric("a"), Feature::numeric("b")];
    let features = numbers.into_iter().chain(flags).collect();
    Dataset::from_columns(features, values, known.labels().to_vec()).unwrap()
}

/// Regression: a round that drew none of the informative columns left no tree but was counted as one, so that trees behind
/// the best were kept, and its constant step stayed in the scores.
#[test]
fn rounds_without_a_tree_do_not_count_for_early_stopping() {
    for (loss, classes) in [
        (Loss::Squared, 0),
        (Loss::Logistic, 2),
        (Loss::Multiclass { classes: 4 }, 4),
    ] {
        let (train, valid) = (rare_flags(400, 6, classes), rare_flags(400, 7, classes));
        let params = Params {
            rounds_max: 2_000,
            patience_rounds: Some(15),
            column_share: 0.4,
            ..settings(loss)
        };
        let mut seen = 0;
        let mut observe = |_: Progress| {
            seen += 1;
            ControlFlow::Continue(())
        };
        let fit = Fit::new(&params).valid(&valid).observe(&mut observe);
        let model = fit.train(&train).unwrap();
        let (kept, promised) = (model.record().rounds, model.record().valid_loss.unwrap());
        let found = mean_loss(&model, &valid);
        assert!(
            (found - promised).abs() < 1e-9,
            "{loss:?}: {found} for {promised}"
        );
        // Each output draws its own columns; hardly a round draws none that is informative for any of four.
        let has_many = loss.outputs() > 1;
        assert!(
            kept > 5 && (has_many || kept + 15 < seen),
            "{loss:?}: {kept} of {seen} rounds"
        );
    }
}

#[test]
fn a_warm_start_equals_one_long_run() {
    let train = table(1_500, 8, 0);
    let long = Params {
        rounds_max: 20,
        row_share: 1.0,
        column_share: 1.0,
        ..settings(Loss::Squared)
    };
    let short = Params {
        rounds_max: 10,
        ..long.clone()
    };
    let whole = Fit::new(&long).train(&train).unwrap();
    let half = Fit::new(&short).train(&train).unwrap();
    let both = Fit::new(&short).start_from(&half).train(&train).unwrap();
    assert_eq!(both.record().rounds, 20);
    assert_eq!(both.trees(), whole.trees());
}

#[test]
fn class_weights_move_the_probabilities() {
    let train = table(2_000, 9, 2);
    let mean_probability = |class_weights| {
        let params = Params {
            class_weights,
            ..settings(Loss::Logistic)
        };
        let model = Fit::new(&params).train(&train).unwrap();
        let rows =
            Array2::from_shape_fn((train.rows(), 5), |(row, column)| train.column(column)[row]);
        model.predict(rows.view(), 1).unwrap().mean().unwrap()
    };
    let (plain, weighted) = (
        mean_probability(None),
        mean_probability(Some(vec![1.0, 9.0])),
    );
    assert!(weighted > plain + 0.05, "{plain} {weighted}");
}

#[test]
fn weights_act_like_repeated_rows() {
    let train = table(600, 10, 0);
    let weights: Vec<f32> = (0..600).map(|row| (row % 3) as f32).collect();
    let repeated: Vec<usize> = (0..600)
        .flat_map(|row| std::iter::repeat_n(row, row % 3))
        .collect();
    let params = Params {
        rows_min: 0,
        hessian_min: 5.0,
        row_share: 1.0,
        column_share: 1.0,
        ..settings(Loss::Squared)
    };
    let weighted = Fit::new(&params)
        .train(&train.clone().with_weights(weights).unwrap())
        .unwrap();
    let copied = Fit::new(&params).train(&train.select(&repeated)).unwrap();
    assert!((mean_loss(&weighted, &train) - mean_loss(&copied, &train)).abs() < 1e-3);
}

#[test]
fn cancelling_and_bad_input_are_named() {
    let train = table(300, 11, 2);
    let params = settings(Loss::Logistic);
    let mut stop = |progress: Progress| {
        if progress.round == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    assert_eq!(
        Fit::new(&params).observe(&mut stop).train(&train),
        Err(FitError::Cancelled { rounds: 3 })
    );
    let one_class = train.clone().with_labels(vec![1.0; 300]).unwrap();
    assert!(matches!(
        Fit::new(&params).train(&one_class),
        Err(FitError::Labels(LossError::OneClass { .. }))
    ));
    let patient = Params {
        patience_rounds: Some(3),
        ..params.clone()
    };
    assert_eq!(
        Fit::new(&patient).train(&train),
        Err(FitError::NoValidation)
    );
    let other = Dataset::from_columns(
        vec![Feature::numeric("z")],
        Array2::zeros((1, 2)),
        vec![0.0, 1.0],
    )
    .unwrap();
    assert!(matches!(
        Fit::new(&params).valid(&other).train(&train),
        Err(FitError::FeatureMismatch { .. })
    ));
    let squared = Fit::new(&settings(Loss::Squared)).train(&train).unwrap();
    assert_eq!(
        Fit::new(&params).start_from(&squared).train(&train),
        Err(FitError::LossMismatch)
    );
    for wrong in [
        Params {
            learning_rate: 0.0,
            ..params.clone()
        },
        Params {
            row_share: f64::NAN,
            ..params.clone()
        },
        Params {
            leaves_max: 1,
            ..params.clone()
        },
        Params {
            threads: 0,
            ..params.clone()
        },
        Params {
            rounds_max: ROUNDS_MAX + 1,
            ..params.clone()
        },
        Params {
            class_weights: Some(vec![1.0]),
            ..params.clone()
        },
    ] {
        assert!(
            matches!(Fit::new(&wrong).train(&train), Err(FitError::Params(_))),
            "{wrong:?}"
        );
    }
}

#[test]
fn tables_without_variation_are_named() {
    let features = vec![
        Feature::numeric("constant"),
        Feature::numeric("missing"),
        Feature::categorical("one"),
    ];
    let columns = Array2::from_shape_fn(
        (3, 50),
        |(column, _)| if column == 1 { f32::NAN } else { 4.0 },
    );
    let labels = (0..50).map(|row| (row % 2) as f32).collect();
    let train = Dataset::from_columns(features, columns, labels).unwrap();
    let refused = Fit::new(&settings(Loss::Logistic)).train(&train);
    assert_eq!(
        refused,
        Err(FitError::NoUsableFeature {
            constant: 2,
            missing: 1
        })
    );
}

#[test]
fn missing_values_learn_their_side() {
    let rows = 1_000;
    let columns = Array2::from_shape_fn((1, rows), |(_, row)| {
        if row % 2 == 0 {
            f32::NAN
        } else {
            (row % 7) as f32
        }
    });
    let labels = (0..rows)
        .map(|row| if row % 2 == 0 { 5.0 } else { 0.0 })
        .collect();
    let train = Dataset::from_columns(vec![Feature::numeric("a")], columns, labels).unwrap();
    let params = Params {
        learning_rate: 1.0,
        rounds_max: 3,
        l2: 0.0,
        ..Params::default()
    };
    let model = Fit::new(&params).train(&train).unwrap();
    let answer = model
        .predict(ndarray::array![[f32::NAN], [3.0]].view(), 1)
        .unwrap();
    assert!(
        (answer[(0, 0)] - 5.0).abs() < 1e-3 && answer[(1, 0)].abs() < 1e-3,
        "{answer}"
    );
}

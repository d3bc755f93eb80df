use super::*;
use crate::random::Random;

/// Units whose failure rate grows with their only feature, seen for at most 100 days.
fn cohort(units: usize, seed: u64) -> (Dataset, Vec<f32>, Vec<bool>) {
    let mut random = Random::new(seed, 0);
    let (mut wear, mut durations, mut observed) = (vec![], vec![], vec![]);
    for _ in 0..units {
        let x = random.unit();
        let life = -(1.0 - random.unit()).ln() / (0.002 + 0.03 * x);
        wear.push(x as f32);
        durations.push(life.min(100.0) as f32);
        observed.push(life < 100.0);
    }
    let columns = Array2::from_shape_vec((1, units), wear).unwrap();
    let rows =
        Dataset::from_columns(vec![Feature::numeric("wear")], columns, vec![0.0; units]).unwrap();
    (rows, durations, observed)
}

fn cohort_of<'a>(parts: &'a (Dataset, Vec<f32>, Vec<bool>)) -> Cohort<'a> {
    Cohort {
        rows: &parts.0,
        lifetimes: Lifetimes {
            durations: &parts.1,
            observed: &parts.2,
        },
    }
}

fn settings() -> [Params; 1] {
    [Params {
        rounds_max: 60,
        leaves_max: 8,
        learning_rate: 0.1,
        ..Params::default()
    }]
}

#[test]
fn expansion_follows_each_unit_until_it_fails_or_is_lost() {
    let columns = Array2::from_shape_vec((1, 4), vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    let rows = Dataset::from_columns(vec![Feature::numeric("a")], columns, vec![0.0; 4]).unwrap();
    let durations = [5.0, 30.0, 45.0, 95.0];
    let observed = [true, true, false, false];
    let cohort = Cohort {
        rows: &rows,
        lifetimes: Lifetimes {
            durations: &durations,
            observed: &observed,
        },
    };
    let expanded = cohort.expand(&[30.0, 60.0, 90.0]).unwrap();
    assert_eq!(expanded.column(0), [1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 4.0]);
    assert_eq!(expanded.column(1), [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 2.0]);
    assert_eq!(expanded.labels(), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    // The third unit is lost in the middle of its second period, the fourth after the last one.
    assert_eq!(
        expanded.weights().unwrap(),
        [1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0]
    );
    // The fourth unit stands for the third, which was lost from sight before the 60th day.
    assert_eq!(
        cohort.fates(60.0),
        [(0, 1.0, 1.0), (1, 1.0, 1.0), (3, 0.0, 2.0)]
    );
}

/// Half of the units are lost from sight at a random time; that must not change what is learned of the others.
#[test]
fn units_lost_from_sight_do_not_make_the_others_look_worse() {
    let mut random = Random::new(8, 0);
    let mut seen_in_part = cohort(20_000, 7);
    for row in 0..20_000 {
        let lost = (random.unit() * 120.0) as f32;
        if lost < seen_in_part.1[row] {
            (seen_in_part.1[row], seen_in_part.2[row]) = (lost, false);
        }
    }
    let whole = cohort(20_000, 7);
    let ends = [30.0, 60.0, 90.0];
    let mean_of = |parts: &(Dataset, Vec<f32>, Vec<bool>)| {
        let cohort = cohort_of(parts);
        let model = HazardModel::train(&settings(), &ends, &cohort, Some(&cohort), None).unwrap();
        let mut scratch = model.scratch();
        let mut sums = [0.0; 3];
        for step in 0..100 {
            let mut curve = [0.0; 3];
            model
                .failure_into(&[(step as f32 + 0.5) / 100.0], &mut scratch, &mut curve)
                .unwrap();
            sums.iter_mut()
                .zip(curve)
                .for_each(|(sum, chance)| *sum += chance / 100.0);
        }
        sums
    };
    for (whole, part) in mean_of(&whole).into_iter().zip(mean_of(&seen_in_part)) {
        assert!(
            (whole - part).abs() < 0.015,
            "{whole} with all in sight, {part} else"
        );
    }
}

#[test]
fn curves_rise_follow_the_truth_and_never_cross() {
    let (train, valid) = (cohort(6_000, 1), cohort(2_000, 2));
    let ends = [30.0, 60.0, 90.0];
    let model = HazardModel::train(
        &settings(),
        &ends,
        &cohort_of(&train),
        Some(&cohort_of(&valid)),
        None,
    )
    .unwrap();
    let mut scratch = model.scratch();
    for step in 0..=20 {
        let x = f64::from(step) / 20.0;
        let mut curve = [0.0; 3];
        model
            .failure_into(&[x as f32], &mut scratch, &mut curve)
            .unwrap();
        assert!(curve[0] <= curve[1] && curve[1] <= curve[2]);
        for (&end, &found) in ends.iter().zip(&curve) {
            let truth = 1.0 - (-(0.002 + 0.03 * x) * f64::from(end)).exp();
            assert!(
                (found - truth).abs() < 0.12,
                "{x} {end}: {found} instead of {truth}"
            );
        }
        let survival = model.survival(&[x as f32], &mut scratch).unwrap();
        for (period, &chance) in curve.iter().enumerate() {
            let (low, high) = survival
                .interval(period)
                .expect("two thousand units allow an interval");
            assert!(low <= chance && chance <= high, "{low} {chance} {high}");
            assert!(high - low < 0.2);
        }
        assert!((survival.failure_by(60.0) - curve[1]).abs() < 1e-9);
    }
}

#[test]
fn a_curve_answers_when_and_whether_to_stop() {
    let curve = SurvivalCurve::new(vec![30.0, 60.0, 90.0], vec![0.1, 0.2, 0.9], vec![None; 3]);
    assert!((curve.failure_by(60.0) - 0.2).abs() < 1e-12);
    assert!(curve.failure_by(45.0) > 0.1 && curve.failure_by(45.0) < 0.2);
    assert!((curve.time_of(0.2).unwrap() - 60.0).abs() < 1e-9);
    assert!(curve.time_of(0.99).unwrap() > 90.0);
    assert_eq!(curve.failure_by(-1.0), 0.0);
    let policy = Policy {
        failure_cost: 20.0,
        planned_cost: 1.0,
        age: 30.0,
    };
    let (stop, _) = curve.best_stop(&policy);
    assert!(stop < 62.0, "stop before the steep part, not at {stop}");
    let never = SurvivalCurve::new(vec![30.0], vec![0.0], vec![None]);
    assert_eq!(never.time_of(0.5), None);
    assert!((never.best_stop(&policy).0 - 30.0).abs() < 1e-9);
}

/// Two forests answer with the mean of their log-odds.
#[test]
fn several_forests_are_averaged() {
    let train = cohort(1_500, 3);
    let [one] = settings();
    let other = Params {
        leaves_max: 3,
        seed: 9,
        ..one.clone()
    };
    let fit = |settings: &[Params]| {
        HazardModel::train(settings, &[30.0], &cohort_of(&train), None, None).unwrap()
    };
    let alone = [
        fit(std::slice::from_ref(&one)),
        fit(std::slice::from_ref(&other)),
    ];
    let both = fit(&[one, other]);
    for step in 0..20 {
        let score = |model: &HazardModel| {
            let mut score = [0.0];
            let row = [step as f32 / 20.0, 0.0];
            let forest = model.forest();
            forest
                .scores_into(&row, &mut forest.scratch(), &mut score)
                .unwrap();
            score[0]
        };
        let mean = f64::midpoint(score(&alone[0]), score(&alone[1]));
        assert!((score(&both) - mean).abs() < 1e-6);
    }
    let refused = HazardModel::train(&[], &[30.0], &cohort_of(&train), None, None);
    assert!(matches!(refused, Err(HazardError::Settings)));
}

#[test]
fn bytes_come_back_equal() {
    let (train, valid) = (cohort(1_500, 3), cohort(1_500, 4));
    let model = HazardModel::train(
        &settings(),
        &[30.0, 90.0],
        &cohort_of(&train),
        Some(&cohort_of(&valid)),
        None,
    )
    .unwrap();
    let bytes = model.to_bytes().unwrap();
    assert_eq!(HazardModel::from_bytes(&bytes).unwrap(), model);
    assert!(matches!(
        Model::from_bytes(&bytes),
        Err(ReadError::Kind {
            found: 2,
            expected: 1
        })
    ));
}

/// Two trees of two leaves over 300 units, written by the program before ranges replaced Venn–Abers intervals.
#[test]
fn a_file_of_format_1_is_read_without_its_intervals() {
    let model = HazardModel::from_bytes(include_bytes!("fixtures/format-1.model")).unwrap();
    assert_eq!(model.ends(), [30.0, 90.0]);
    let curve = model.survival(&[0.5], &mut model.scratch()).unwrap();
    assert_eq!((curve.interval(0), curve.interval(1)), (None, None));
    let chances: Vec<f64> = curve.points().map(|(_, chance)| chance).collect();
    assert!(
        chances[0] > 0.2 && chances[0] < chances[1] && chances[1] < 0.95,
        "{chances:?}"
    );
    let again = HazardModel::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(again, model);
}

#[test]
fn bad_input_is_named() {
    let parts = cohort(50, 5);
    let train = |ends: &[f32], cohort: &Cohort<'_>| {
        HazardModel::train(&settings(), ends, cohort, None, None)
    };
    for ends in [&[][..], &[0.0], &[30.0, 30.0], &[f32::NAN]] {
        assert_eq!(train(ends, &cohort_of(&parts)), Err(HazardError::Periods));
    }
    let short = Cohort {
        rows: &parts.0,
        lifetimes: Lifetimes {
            durations: &[1.0],
            observed: &[true],
        },
    };
    assert!(matches!(
        train(&[30.0], &short),
        Err(HazardError::Length { rows: 50, .. })
    ));
    let negative = (parts.0.clone(), vec![-1.0; 50], vec![true; 50]);
    assert!(matches!(
        train(&[30.0], &cohort_of(&negative)),
        Err(HazardError::Duration { row: 0, .. })
    ));
    let lost = (parts.0.clone(), vec![0.0; 50], vec![false; 50]);
    assert_eq!(
        train(&[30.0], &cohort_of(&lost)),
        Err(HazardError::NothingObserved)
    );
    let none_fails = (parts.0.clone(), vec![1.0; 50], vec![false; 50]);
    assert!(matches!(
        train(&[30.0], &cohort_of(&none_fails)),
        Err(HazardError::Fit(FitError::Labels(_)))
    ));
    let all_fail = (parts.0.clone(), vec![1.0; 50], vec![true; 50]);
    assert!(matches!(
        train(&[30.0], &cohort_of(&all_fail)),
        Err(HazardError::Fit(FitError::Labels(_)))
    ));
}

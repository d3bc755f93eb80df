use super::*;
use crate::metric::{expected_calibration_error, logloss};
use crate::random::Random;

/// Rows that stand for one each.
fn of<'data>(probabilities: &'data [f64], labels: &'data [f32]) -> Outcomes<'data> {
    static WEIGHTS: [f64; 20_000] = [1.0; 20_000];
    Outcomes {
        probabilities,
        labels,
        weights: &WEIGHTS[..labels.len()],
    }
}

/// Probabilities that overstate the odds, with labels drawn from the truth.
fn overconfident(rows: usize) -> (Vec<f64>, Vec<f32>) {
    let mut random = Random::new(4, 0);
    (0..rows)
        .map(|_| {
            let score = random.unit() * 8.0 - 4.0;
            let truth = logistic(0.5 * score - 0.5);
            (logistic(score), f32::from(u8::from(random.unit() < truth)))
        })
        .unzip()
}

#[test]
fn platt_finds_the_slope_and_intercept() {
    let (probabilities, labels) = overconfident(20_000);
    let Calibration::Platt { slope, intercept } =
        Calibration::platt(&of(&probabilities, &labels)).unwrap()
    else {
        panic!("platt gives platt")
    };
    assert!(
        (slope - 0.5).abs() < 0.05 && (intercept + 0.5).abs() < 0.05,
        "{slope} {intercept}"
    );
}

#[test]
fn isotonic_lowers_the_calibration_error_and_never_falls() {
    let (probabilities, labels) = overconfident(20_000);
    let calibration = Calibration::isotonic(&of(&probabilities, &labels)).unwrap();
    let calibrated: Vec<f64> = probabilities
        .iter()
        .map(|&p| calibration.apply(p))
        .collect();
    assert!(expected_calibration_error(&labels, &probabilities) > 0.08);
    assert!(expected_calibration_error(&labels, &calibrated) < 0.02);
    let curve: Vec<f64> = (0..=1_000)
        .map(|step| calibration.apply(f64::from(step) / 1_000.0))
        .collect();
    assert!(curve.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12));
}

#[test]
fn pooling_matches_a_hand_example() {
    let points = [1.0, 3.0, 2.0, 2.0, 5.0].map(|value| Block {
        position: value * 0.0,
        value,
        weight: 1.0,
    });
    let spread = points.iter().zip(0..).map(|(block, index)| Block {
        position: f64::from(index),
        ..*block
    });
    let values: Vec<f64> = pool(spread).iter().map(|block| block.value).collect();
    assert_eq!(values.len(), 3);
    assert!((values[1] - 7.0 / 3.0).abs() < 1e-12);
}

#[test]
fn nothing_is_changed_where_nothing_helps() {
    let mut random = Random::new(6, 0);
    let (probabilities, labels): (Vec<f64>, Vec<f32>) = (0..400)
        .map(|_| {
            let p = random.unit();
            (p, f32::from(u8::from(random.unit() < p)))
        })
        .unzip();
    let chosen = Calibration::choose(&of(&probabilities, &labels)).unwrap();
    let calibrated: Vec<f64> = probabilities.iter().map(|&p| chosen.apply(p)).collect();
    assert!(logloss(&labels, &calibrated) < logloss(&labels, &probabilities) + 0.01);
    let (wrong, labels) = overconfident(3_000);
    assert_ne!(
        Calibration::choose(&of(&wrong, &labels)).unwrap(),
        Calibration::Identity
    );
}

/// Regression: from 500 rows on, Platt scaling was tried on the earlier half and an isotonic fit, never tried, was shipped.
#[test]
fn the_kind_that_is_shipped_is_the_one_that_was_tried() {
    for rows in [500, 600, ISOTONIC_ROWS_MIN - 1] {
        let (probabilities, labels) = overconfident(rows);
        let chosen = Calibration::choose(&of(&probabilities, &labels)).unwrap();
        assert!(
            matches!(chosen, Calibration::Platt { .. }),
            "{rows} rows: {chosen:?}"
        );
    }
}

#[test]
fn bad_input_is_named() {
    assert!(matches!(
        Calibration::platt(&of(&[0.5], &[])),
        Err(CalibrateError::Length { .. })
    ));
    assert!(matches!(
        Calibration::choose(&of(&[0.5; 30], &[1.0; 30])),
        Err(CalibrateError::TooFew { .. })
    ));
    assert!(matches!(
        Calibration::isotonic(&of(&[f64::NAN], &[1.0])),
        Err(CalibrateError::Invalid { row: 0 })
    ));
    assert!(matches!(
        Reliance::fit(&of(&[0.1, 1.5], &[1.0, 0.0])),
        Err(CalibrateError::Invalid { row: 1 })
    ));
}

#[test]
fn a_weight_counts_like_as_many_rows() {
    let (probabilities, labels) = overconfident(600);
    let weights: Vec<f64> = (0..600).map(|row| f64::from(row % 3)).collect();
    let repeated = |row: usize| std::iter::repeat_n(row, row % 3);
    let rows: Vec<usize> = (0..600).flat_map(repeated).collect();
    let many: (Vec<f64>, Vec<f32>) = rows
        .iter()
        .map(|&row| (probabilities[row], labels[row]))
        .unzip();
    let weighted = Outcomes {
        probabilities: &probabilities,
        labels: &labels,
        weights: &weights,
    };
    let ones = vec![1.0; rows.len()];
    let repeated = Outcomes {
        probabilities: &many.0,
        labels: &many.1,
        weights: &ones,
    };
    for fit in [Calibration::platt, Calibration::isotonic] {
        let (weighted, repeated) = (fit(&weighted).unwrap(), fit(&repeated).unwrap());
        for step in 0..=50 {
            let at = f64::from(step) / 50.0;
            assert!(
                (weighted.apply(at) - repeated.apply(at)).abs() < 1e-6,
                "{at}"
            );
        }
    }
}

/// Whatever the calibration, a range holds its probability, narrows with data, and holds the truth about nine times in ten.
#[test]
fn a_range_holds_its_probability_and_mostly_the_truth() {
    let mut random = Random::new(9, 0);
    let mut draw = |rows: usize| {
        let (probabilities, labels): (Vec<f64>, Vec<f32>) = (0..rows)
            .map(|_| {
                let score = random.unit() * 8.0 - 4.0;
                let truth = logistic(0.5 * score - 0.5);
                (logistic(score), f32::from(u8::from(random.unit() < truth)))
            })
            .unzip();
        let ones = vec![1.0; rows];
        let outcomes = Outcomes {
            probabilities: &probabilities,
            labels: &labels,
            weights: &ones,
        };
        let platt = Calibration::platt(&outcomes).unwrap();
        let calibrated: Vec<f64> = probabilities.iter().map(|&p| platt.apply(p)).collect();
        let reliance = Reliance::fit(&Outcomes {
            probabilities: &calibrated,
            ..outcomes
        });
        (platt, reliance.unwrap())
    };
    let (mut held, mut asked, mut widths) = (0, 0, [0.0; 2]);
    for (width, rows, times) in [(0, 300, 150), (1, 10_000, 20)] {
        for _ in 0..times {
            let (platt, reliance) = draw(rows);
            for step in -7..=7 {
                let score = f64::from(step) / 2.0;
                let told = platt.apply(logistic(score));
                let (low, high) = reliance.range(told);
                assert!(0.0 <= low && low <= told && told <= high && high <= 1.0);
                let truth = logistic(0.5 * score - 0.5);
                held += usize::from(low <= truth && truth <= high);
                asked += 1;
                widths[width] += (high - low) / f64::from(times);
            }
            for end in [0.0, 1.0] {
                let (low, high) = reliance.range(end);
                assert!(low <= end && end <= high);
            }
        }
    }
    let share = held as f64 / asked as f64;
    assert!((0.84..=0.95).contains(&share), "{share}");
    assert!(widths[1] < 0.3 * widths[0], "{widths:?}");
}

/// Rows that are all alike tell the level only; a range is still one.
#[test]
fn rows_that_are_all_alike_give_a_range_too() {
    let labels: Vec<f32> = (0..200)
        .map(|row| f32::from(u8::from(row % 4 == 0)))
        .collect();
    let reliance = Reliance::fit(&Outcomes {
        probabilities: &[0.25; 200],
        labels: &labels,
        weights: &[1.0; 200],
    });
    let (low, high) = reliance.unwrap().range(0.25);
    assert!(
        (0.1..=0.25).contains(&low) && (0.25..0.4).contains(&high),
        "{low} {high}"
    );
}

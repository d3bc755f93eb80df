use super::*;
use crate::metric::expected_calibration_error;
use crate::random::Random;

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
        Calibration::platt(&probabilities, &labels).unwrap()
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
    let calibration = Calibration::isotonic(&probabilities, &labels).unwrap();
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
    let chosen = Calibration::choose(&probabilities, &labels).unwrap();
    let calibrated: Vec<f64> = probabilities.iter().map(|&p| chosen.apply(p)).collect();
    assert!(logloss(&labels, &calibrated) < logloss(&labels, &probabilities) + 0.01);
    let (wrong, labels) = overconfident(3_000);
    assert_ne!(
        Calibration::choose(&wrong, &labels).unwrap(),
        Calibration::Identity
    );
}

#[test]
fn bad_input_is_named() {
    assert!(matches!(
        Calibration::platt(&[0.5], &[]),
        Err(CalibrateError::Length { .. })
    ));
    assert!(matches!(
        Calibration::choose(&[0.5; 30], &[1.0; 30]),
        Err(CalibrateError::TooFew { .. })
    ));
    assert!(matches!(
        Calibration::isotonic(&[f64::NAN], &[1.0]),
        Err(CalibrateError::Invalid { row: 0 })
    ));
    assert!(matches!(
        VennAbers::fit(&[0.1, 1.5], &[1.0, 0.0]),
        Err(CalibrateError::Invalid { row: 1 })
    ));
}

#[test]
fn intervals_hold_the_truth_and_narrow_with_data() {
    let width = |rows: usize| {
        let (probabilities, labels) = overconfident(rows);
        let fitted = VennAbers::fit(&probabilities, &labels).unwrap();
        let mut total = 0.0;
        for step in 1..20 {
            let (low, high) = fitted.interval(f64::from(step) / 20.0);
            assert!(low <= high && low >= 0.0 && high <= 1.0);
            total += high - low;
        }
        total / 19.0
    };
    let (few, many) = (width(200), width(20_000));
    assert!(many < few && many < 0.05, "{few} {many}");
}

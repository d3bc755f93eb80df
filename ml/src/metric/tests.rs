use super::*;

#[test]
fn ranking_metrics_match_hand_counts() {
    let labels = [1.0, 0.0, 1.0, 0.0, 0.0];
    let scores = [0.9, 0.8, 0.7, 0.2, 0.7];
    // Pairs: 0.9 beats three; 0.7 beats one, ties one, loses one.
    assert!((roc_auc(&labels, &scores) - 4.5 / 6.0).abs() < 1e-12);
    // Steps: 1/1 at 0.9; at 0.7 two of four.
    assert!((pr_auc(&labels, &scores) - (0.5 * 1.0 + 0.5 * 0.5)).abs() < 1e-12);
    assert!(roc_auc(&[1.0, 1.0], &[0.1, 0.2]).is_nan());
    assert!(pr_auc(&[0.0, 0.0], &[0.1, 0.2]).is_nan());
}

#[test]
fn losses_match_their_definitions() {
    assert!((rmse(&[1.0, 3.0], &[2.0, 1.0]) - 2.5_f64.sqrt()).abs() < 1e-12);
    assert!((mae(&[1.0, 3.0], &[2.0, 1.0]) - 1.5).abs() < 1e-12);
    assert!((brier(&[1.0, 0.0], &[0.8, 0.4]) - 0.1).abs() < 1e-12);
    assert!(
        (logloss(&[1.0, 0.0], &[0.8, 0.4]) + (0.8_f64.ln() + 0.6_f64.ln()) / 2.0).abs() < 1e-12
    );
    assert!((pinball(&[1.0, 0.0], &[0.0, 1.0], 0.9) - 0.5).abs() < 1e-12);
    assert!((accuracy(&[1.0, 0.0, 1.0], &[0.6, 0.6, 0.2]) - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn calibration_error_is_zero_for_honest_and_large_for_wrong_probabilities() {
    let labels: Vec<f32> = (0..100)
        .map(|row| f32::from(u8::from(row % 4 == 0)))
        .collect();
    assert!(expected_calibration_error(&labels, &[0.25; 100]) < 1e-12);
    assert!((expected_calibration_error(&labels, &[1.0; 100]) - 0.75).abs() < 1e-12);
}

#[test]
fn drift_is_small_for_equal_and_large_for_moved_samples() {
    let base: Vec<f32> = (0..1_000).map(|row| row as f32).collect();
    let moved: Vec<f32> = base.iter().map(|value| value + 500.0).collect();
    assert!(population_stability(&base, &base) < 1e-9);
    assert!(population_stability(&base, &moved) > 1.0);
    assert!(population_stability(&base, &[f32::NAN; 10]) > 1.0);
}

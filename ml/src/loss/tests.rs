use super::*;

const STEP: f64 = 1e-5;

/// Compares both derivatives with central differences of the loss itself.
#[track_caller]
fn check_derivatives(loss: Loss, labels: &[f32]) {
    for score in [-2.5, -0.7, 0.01, 0.9, 2.2] {
        for &label in labels {
            let (mut first, mut second) = ([0.0_f32], [0.0_f32]);
            loss.derivatives(&[score], &[label], Some(&[2.0]), &mut first, &mut second);
            let at = |shift: f64| 2.0 * loss.of_score(score + shift, f64::from(label));
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            assert!(
                (f64::from(first[0]) - slope).abs() < 1e-5 * slope.abs().max(1.0),
                "{loss:?} {score} {label}"
            );
            if matches!(loss, Loss::Quantile { .. }) {
                continue;
            }
            let wide = 1e-3;
            let bend = (at(wide) - 2.0 * at(0.0) + at(-wide)) / (wide * wide);
            assert!(
                (f64::from(second[0]) - bend).abs() < 1e-4 * bend.abs().max(1.0),
                "{loss:?} {score} {label}"
            );
        }
    }
}

#[test]
fn derivatives_equal_finite_differences() {
    check_derivatives(Loss::Squared, &[-3.0, 0.0, 1.5]);
    check_derivatives(Loss::Logistic, &[0.0, 0.25, 1.0]);
    check_derivatives(Loss::Hazard { periods: 3 }, &[0.0, 1.0]);
    check_derivatives(Loss::Quantile { level: 0.9 }, &[-3.0, 0.5, 4.0]);
    check_derivatives(Loss::Poisson, &[0.0, 1.0, 7.0]);
    check_derivatives(Loss::Tweedie { power: 1.3 }, &[0.0, 0.5, 7.0]);
}

#[test]
fn softmax_gradients_equal_finite_differences() {
    let loss = Loss::Multiclass { classes: 3 };
    let scores = [0.3, -1.0, 0.2, 1.1, -0.4, 0.0];
    let labels = [2.0, 0.0];
    let (mut first, mut second) = ([0.0_f32; 6], [0.0_f32; 6]);
    Loss::softmax_derivatives(
        3,
        &scores,
        &labels,
        Some(&[1.0, 3.0]),
        &mut first,
        &mut second,
    );
    for place in 0..6 {
        let at = |shift: f64| {
            let mut moved = scores;
            moved[place] += shift;
            4.0 * loss.mean(&moved, &labels, Some(&[1.0, 3.0]))
        };
        let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        assert!((f64::from(first[place]) - slope).abs() < 1e-5, "{place}");
        let wide = 1e-3;
        let bend = 1.5 * (at(wide) - 2.0 * at(0.0) + at(-wide)) / (wide * wide);
        assert!((f64::from(second[place]) - bend).abs() < 1e-4, "{place}");
    }
}

#[test]
fn the_base_score_is_where_the_mean_gradient_vanishes() {
    let labels = [0.0, 1.0, 1.0, 0.0, 1.0];
    let weights = [1.0, 2.0, 0.5, 1.0, 3.0];
    for loss in [
        Loss::Squared,
        Loss::Logistic,
        Loss::Poisson,
        Loss::Tweedie { power: 1.5 },
    ] {
        let base = loss.base(&labels, Some(&weights))[0];
        let (mut first, mut second) = ([0.0_f32; 5], [0.0_f32; 5]);
        loss.derivatives(&[base; 5], &labels, Some(&weights), &mut first, &mut second);
        assert!(first.iter().sum::<f32>().abs() < 1e-5, "{loss:?}");
    }
    let median = Loss::Quantile { level: 0.5 }.base(&[5.0, 1.0, 9.0], None);
    assert_eq!(median, [5.0]);
}

#[test]
fn labels_a_loss_cannot_explain_are_named() {
    let refused = |loss: Loss, labels: &[f32]| loss.check(labels).expect_err("must be refused");
    assert_eq!(
        refused(Loss::Logistic, &[1.0, 1.0]),
        LossError::OneClass { class: 1.0 }
    );
    assert_eq!(
        refused(Loss::Hazard { periods: 2 }, &[0.0]),
        LossError::OneClass { class: 0.0 }
    );
    assert_eq!(
        refused(Loss::Multiclass { classes: 3 }, &[2.0, 2.0]),
        LossError::OneClass { class: 2.0 }
    );
    assert!(matches!(
        refused(Loss::Multiclass { classes: 3 }, &[0.0, 3.0]),
        LossError::Label { row: 1, .. }
    ));
    assert!(matches!(
        refused(Loss::Logistic, &[0.0, 2.0]),
        LossError::Label { row: 1, .. }
    ));
    assert!(matches!(
        refused(Loss::Poisson, &[-1.0]),
        LossError::Label { row: 0, .. }
    ));
    assert_eq!(
        refused(Loss::Tweedie { power: 1.5 }, &[0.0; 4]),
        LossError::AllZero
    );
    for loss in [
        Loss::Quantile { level: 1.0 },
        Loss::Quantile { level: f64::NAN },
        Loss::Tweedie { power: 2.0 },
        Loss::Multiclass { classes: 1 },
    ] {
        assert!(
            matches!(refused(loss, &[0.0, 1.0]), LossError::Parameter { .. }),
            "{loss:?}"
        );
    }
    assert!(Loss::Squared.check(&[3.0, 3.0]).is_ok());
}

#[test]
fn the_weighted_quantile_counts_weight() {
    let mut pairs = [(3.0, 1.0), (1.0, 1.0), (2.0, 8.0)];
    assert_eq!(weighted_quantile(&mut pairs, 0.5), 2.0);
    assert_eq!(weighted_quantile(&mut pairs, 0.95), 3.0);
    assert_eq!(weighted_quantile(&mut pairs, 0.1), 1.5);
}

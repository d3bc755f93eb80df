use super::*;

#[test]
fn exponential_agrees_with_the_standard_library() {
    for step in -7_000_000..7_000_000_i32 {
        if step % 97 != 0 {
            continue;
        }
        let x = f64::from(step) * 1e-4;
        let relative = (exp(x) / x.exp() - 1.0).abs();
        assert!(relative < 1e-13, "exp({x}) is off by {relative}");
    }
}

#[test]
fn extremes_saturate_and_stay_finite() {
    assert!(exp(1e9).is_finite() && exp(1e9) > 1e300);
    assert!(exp(-1e9) > 0.0 && exp(-1e9) < 1e-300);
    assert_eq!(exp(0.0), 1.0);
    assert!((logistic(40.0) - 1.0).abs() < 1e-15);
    assert!(logistic(-800.0) >= 0.0);
    assert!((softplus(800.0) - 800.0).abs() < 1e-12);
    assert!(log_odds(0.0).is_finite() && log_odds(1.0).is_finite());
}

#[test]
fn log_odds_inverts_logistic() {
    for step in -300..300 {
        let x = f64::from(step) * 0.1;
        assert!(
            (log_odds(logistic(x)) - x).abs() < 1e-2_f64.max(1e-6 * x.abs()),
            "{x}"
        );
    }
}

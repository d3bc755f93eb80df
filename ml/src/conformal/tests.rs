use super::*;
use crate::random::Random;

#[test]
fn coverage_is_kept_on_new_rows() {
    let mut random = Random::new(8, 0);
    let mut draw = |rows: usize| -> (Vec<f32>, Vec<f64>) {
        (0..rows)
            .map(|_| {
                let x = random.unit() * 10.0;
                let noise = random.unit() + random.unit() - 1.0;
                ((x + noise) as f32, x)
            })
            .unzip()
    };
    for coverage in [0.5, 0.8, 0.95] {
        let (labels, predictions) = draw(2_000);
        let interval = Conformal::symmetric(&labels, &predictions, coverage).unwrap();
        let (labels, predictions) = draw(5_000);
        let inside = labels
            .iter()
            .zip(&predictions)
            .filter(|&(&label, &prediction)| {
                let (low, high) = interval.around(prediction);
                (low..=high).contains(&f64::from(label))
            });
        let share = inside.count() as f64 / 5_000.0;
        assert!((share - coverage).abs() < 0.03, "{share} for {coverage}");
    }
}

#[test]
fn quantiles_that_are_too_wide_are_narrowed_but_not_inverted() {
    let labels = vec![0.0_f32; 99];
    let interval = Conformal::quantiles(&labels, &[-5.0; 99], &[5.0; 99], 0.9).unwrap();
    assert_eq!(interval.margin(), -5.0);
    assert_eq!(interval.between(-1.0, 1.0), (0.0, 0.0));
}

#[test]
fn promises_that_cannot_be_kept_are_refused() {
    assert!(matches!(
        Conformal::symmetric(&[1.0; 10], &[1.0; 10], 0.95),
        Err(ConformalError::TooFew {
            rows: 10,
            needed: 19,
            ..
        })
    ));
    assert!(matches!(
        Conformal::symmetric(&[1.0], &[], 0.5),
        Err(ConformalError::Length { .. })
    ));
    assert!(matches!(
        Conformal::symmetric(&[1.0], &[1.0], 1.0),
        Err(ConformalError::Coverage { .. })
    ));
    assert!(matches!(
        Conformal::symmetric(&[1.0], &[f64::NAN], 0.5),
        Err(ConformalError::Invalid { row: 0 })
    ));
}

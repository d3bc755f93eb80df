use super::*;
use crate::{Feature, Fit, Params};

#[test]
fn the_feature_that_matters_comes_first_by_both_measures() {
    let mut random = Random::new(51, 0);
    let columns = Array2::from_shape_fn((3, 2_000), |_| random.unit() as f32);
    let labels = (0..2_000)
        .map(|row| 3.0 * columns[(1, row)] + 0.3 * columns[(0, row)])
        .collect();
    let features = ["some", "much", "none"].map(Feature::numeric).to_vec();
    let dataset = Dataset::from_columns(features, columns, labels).unwrap();
    let model = Fit::new(&Params {
        rounds_max: 60,
        ..Params::default()
    })
    .train(&dataset)
    .unwrap();
    let gains = gain_importance(&model);
    assert!((gains.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    let harms = permutation_importance(&model, &dataset, 2, 1, 2).unwrap();
    for values in [&gains, &harms] {
        assert!(
            values[1] > 5.0 * values[0] && values[0] > values[2],
            "{values:?}"
        );
    }
    assert!(harms[2].abs() < 1e-3);
}

use super::*;
use crate::dataset::Feature;
use ndarray::Array2;

fn numeric(values: Vec<f32>, bins_max: usize) -> FeatureBins {
    let rows = values.len();
    let columns = Array2::from_shape_vec((1, rows), values).unwrap();
    let dataset =
        Dataset::from_columns(vec![Feature::numeric("a")], columns, vec![0.0; rows]).unwrap();
    Binner::fit(&dataset, bins_max, 2).features.remove(0)
}

#[test]
fn few_values_get_a_bin_each_with_midpoint_cuts() {
    let bins = numeric(vec![3.0, 1.0, f32::NAN, 2.0, 1.0], 255);
    assert_eq!(
        bins,
        FeatureBins::Numeric {
            cuts: vec![1.5, 2.5]
        }
    );
    assert_eq!(bins.bin_of(1.5), 0);
    assert_eq!(bins.bin_of(1.6), 1);
    assert_eq!(bins.bin_of(99.0), 2);
    assert_eq!(bins.bin_of(f32::NAN), MISSING_BIN);
}

#[test]
fn bins_hold_about_the_same_number_of_rows() {
    let mut random = Random::new(1, 1);
    let values: Vec<f32> = (0..20_000)
        .map(|_| (random.unit() * random.unit()) as f32)
        .collect();
    let bins = numeric(values.clone(), 255);
    assert!((250..=255).contains(&bins.count()), "{}", bins.count());
    let mut counts = vec![0; bins.count()];
    for value in values {
        counts[usize::from(bins.bin_of(value))] += 1;
    }
    assert!(
        counts.iter().all(|&count| (40..=160).contains(&count)),
        "{counts:?}"
    );
}

#[test]
fn a_heavy_value_has_its_own_bin() {
    let mut values = vec![0.0_f32; 5_000];
    values.extend((0..5_000).map(|index| 1.0 + index as f32));
    let bins = numeric(values, 16);
    assert!(bins.count() <= 16);
    assert_eq!(bins.bin_of(0.0), 0);
    assert_eq!(bins.bin_of(1.0), 1);
}

#[test]
fn weights_move_the_cuts() {
    let rows = 3_000;
    let columns = Array2::from_shape_fn((1, rows), |(_, row)| row as f32);
    let weights = (0..rows)
        .map(|row| if row < 1_500 { 9.0 } else { 1.0 })
        .collect();
    let dataset = Dataset::from_columns(vec![Feature::numeric("a")], columns, vec![0.0; rows])
        .unwrap()
        .with_weights(weights)
        .unwrap();
    let FeatureBins::Numeric { cuts } = Binner::fit(&dataset, 10, 1).features.remove(0) else {
        panic!("numeric stays numeric")
    };
    assert_eq!(cuts.len(), 9);
    assert!(cuts[7] < 1_500.0 && cuts[8] < 1_700.0, "{cuts:?}");
}

#[test]
fn extreme_neighbours_keep_the_cut_below_the_upper_one() {
    let next = f32::from_bits(1.0_f32.to_bits() + 1);
    assert_eq!(midpoint(1.0, next), 1.0);
    assert!(midpoint(f32::MIN, f32::MAX).abs() < 1e30);
    assert_eq!(value_of_key(order_key(-0.0)), 0.0);
    for value in [-3.5_f32, -1e-30, 0.0, 2.0, f32::MAX] {
        assert_eq!(value_of_key(order_key(value)), value);
    }
}

#[test]
fn rare_and_unknown_categories_share_the_missing_bin() {
    let mut values = Vec::new();
    for code in 0..400_u32 {
        values.extend(std::iter::repeat_n(
            code as f32,
            if code < 300 { 3 } else { 1 },
        ));
    }
    let rows = values.len();
    let columns = Array2::from_shape_vec((1, rows), values).unwrap();
    let dataset =
        Dataset::from_columns(vec![Feature::categorical("a")], columns, vec![0.0; rows]).unwrap();
    let bins = Binner::fit(&dataset, 255, 1).features.remove(0);
    assert_eq!(bins.count(), 255);
    assert_eq!(bins.bin_of(0.0), 0);
    assert_eq!(bins.bin_of(254.0), 254);
    assert_eq!(bins.bin_of(299.0), MISSING_BIN);
    assert_eq!(bins.bin_of(9_999.0), MISSING_BIN);
    assert_eq!(bins.bin_of(0.5), MISSING_BIN);
}

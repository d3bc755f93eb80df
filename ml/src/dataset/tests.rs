use super::*;
use ndarray::array;

fn two_columns() -> Vec<Feature> {
    vec![Feature::numeric("a"), Feature::categorical("b")]
}

#[track_caller]
fn refused(rows: Array2<f32>, labels: Vec<f32>) -> DatasetError {
    Dataset::from_rows(two_columns(), rows.view(), labels).expect_err("must be refused")
}

#[test]
fn a_sound_table_keeps_its_shape() {
    let table = array![[1.0, 2.0], [f32::NAN, 3.0], [5.0, f32::NAN]];
    let dataset = Dataset::from_rows(two_columns(), table.view(), vec![0.0, 1.0, 0.0]).unwrap();
    assert_eq!(dataset.rows(), 3);
    assert_eq!(dataset.column(1)[..2], [2.0, 3.0]);
    let taken = dataset.select(&[2, 0]);
    assert_eq!(taken.column(0), [5.0, 1.0]);
}

#[test]
fn each_fault_has_its_name() {
    let good = array![[1.0, 2.0], [0.0, 3.0]];
    assert!(matches!(
        refused(good.clone(), vec![0.0]),
        DatasetError::Length {
            found: 1,
            rows: 2,
            ..
        }
    ));
    assert!(matches!(
        refused(good.clone(), vec![0.0, f32::NAN]),
        DatasetError::Invalid { row: 1, .. }
    ));
    assert!(matches!(
        refused(good, vec![f32::INFINITY, 0.0]),
        DatasetError::Invalid { row: 0, .. }
    ));
    let infinite = array![[f32::NEG_INFINITY, 2.0], [0.0, 3.0]];
    assert!(matches!(
        refused(infinite, vec![0.0; 2]),
        DatasetError::Infinite { row: 0, .. }
    ));
    for code in [-1.0, 0.5, 16_777_216.0] {
        let table = array![[0.0, code], [0.0, 1.0]];
        assert!(
            matches!(
                refused(table, vec![0.0; 2]),
                DatasetError::Category { row: 0, .. }
            ),
            "{code}"
        );
    }
    assert!(matches!(
        refused(Array2::zeros((0, 2)), vec![]),
        DatasetError::Empty { .. }
    ));
    let narrow = Dataset::from_rows(two_columns(), Array2::zeros((2, 1)).view(), vec![0.0; 2]);
    assert!(matches!(
        narrow,
        Err(DatasetError::FeatureCount {
            features: 2,
            columns: 1
        })
    ));
}

#[test]
fn ten_thousand_columns_are_refused_by_name() {
    let features = (0..10_000)
        .map(|index| Feature::numeric(format!("f{index}")))
        .collect();
    let wide = Dataset::from_columns(features, Array2::zeros((10_000, 3)), vec![0.0; 3]);
    assert!(matches!(
        wide,
        Err(DatasetError::TooManyFeatures { found: 10_000, .. })
    ));
}

#[test]
fn weights_are_checked() {
    let table = array![[1.0], [2.0]];
    let dataset =
        Dataset::from_rows(vec![Feature::numeric("a")], table.view(), vec![0.0, 1.0]).unwrap();
    assert!(matches!(
        dataset.clone().with_weights(vec![0.0, 0.0]),
        Err(DatasetError::NoWeight)
    ));
    assert!(matches!(
        dataset.clone().with_weights(vec![1.0, -1.0]),
        Err(DatasetError::Invalid { row: 1, .. })
    ));
    assert!(matches!(
        dataset.clone().with_weights(vec![1.0]),
        Err(DatasetError::Length { .. })
    ));
    assert!(dataset.with_weights(vec![0.0, 2.0]).is_ok());
}

#[test]
fn a_category_cannot_be_monotone() {
    let feature = Feature::categorical("a").with_monotone(Monotone::Increasing);
    let made = Dataset::from_columns(vec![feature], Array2::zeros((1, 3)), vec![0.0; 3]);
    assert!(matches!(made, Err(DatasetError::MonotoneCategory { .. })));
}

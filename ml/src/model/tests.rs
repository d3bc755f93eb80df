use super::*;
use crate::random::Random;
use crate::{Dataset, Fit, Params};

/// A model over two numbers and two categories, with holes in all of them.
pub(crate) fn mixed_model(rows: usize, loss: Loss) -> (Model, Array2<f32>) {
    let mut random = Random::new(31, 0);
    let table = Array2::from_shape_fn((rows, 4), |(_, column)| {
        if random.below(8) == 0 {
            return f32::NAN;
        }
        if column < 2 {
            random.unit() as f32
        } else {
            random.below(40) as f32
        }
    });
    let labels: Vec<f32> = table
        .rows()
        .into_iter()
        .map(|row| {
            let hole = |value: f32, instead: f32| if value.is_nan() { instead } else { value };
            let sum = hole(row[0], 2.0)
                + hole(row[1], 0.3) * 2.0
                + hole(row[2] % 5.0, 3.0) * 0.5
                + hole(row[3] % 3.0, 0.0);
            if loss.outputs() > 1 {
                (sum as u32 % 3) as f32
            } else {
                f32::from(u8::from(sum > 3.0))
            }
        })
        .collect();
    let features = vec![
        Feature::numeric("a"),
        Feature::numeric("b"),
        Feature::categorical("c"),
        Feature::categorical("d"),
    ];
    let dataset = Dataset::from_rows(features, table.view(), labels).unwrap();
    let mut params = Params {
        loss,
        rounds_max: 25,
        rows_min: 5,
        ..Params::default()
    };
    params.category.group_rows_min = 10.0;
    (Fit::new(&params).train(&dataset).unwrap(), table)
}

#[test]
fn the_flat_layout_predicts_what_the_trees_say() {
    for loss in [Loss::Logistic, Loss::Multiclass { classes: 3 }] {
        let (model, mut table) = mixed_model(1_500, loss);
        table[(0, 2)] = 9_999.0;
        table[(1, 0)] = f32::INFINITY;
        table[(2, 1)] = f32::NEG_INFINITY;
        let fast = model.scores(table.view(), 3).unwrap();
        let mut encoded = vec![0.0; 4];
        for (row, fast) in table.rows().into_iter().zip(fast.rows()) {
            model.encode(&row.to_vec(), &mut encoded);
            let mut slow = model.base().to_vec();
            model.walk(&encoded, &mut slow);
            for (fast, slow) in fast.iter().zip(&slow) {
                assert!((fast - slow).abs() < 1e-9, "{fast} {slow}");
            }
        }
    }
}

#[test]
fn a_row_alone_and_in_a_batch_give_the_same_bits() {
    let (model, table) = mixed_model(600, Loss::Logistic);
    let batch = model.predict(table.view(), 2).unwrap();
    let mut scratch = model.scratch();
    for (row, expected) in table.rows().into_iter().zip(batch.column(0)) {
        let mut output = [0.0];
        model
            .predict_into(&row.to_vec(), &mut scratch, &mut output)
            .unwrap();
        assert_eq!(output[0].to_bits(), expected.to_bits());
    }
}

#[test]
fn wrong_widths_are_refused() {
    let (model, _) = mixed_model(300, Loss::Logistic);
    let mut scratch = model.scratch();
    assert!(matches!(
        model.predict_into(&[0.0; 3], &mut scratch, &mut [0.0]),
        Err(PredictError::FeatureCount {
            expected: 4,
            found: 3
        })
    ));
    assert!(matches!(
        model.predict_into(&[0.0; 4], &mut scratch, &mut []),
        Err(PredictError::OutputCount {
            expected: 1,
            found: 0
        })
    ));
    assert!(model.predict(Array2::zeros((2, 5)).view(), 1).is_err());
    assert_eq!(
        model
            .predict(Array2::zeros((0, 4)).view(), 2)
            .unwrap()
            .nrows(),
        0
    );
}

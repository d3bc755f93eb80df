use super::*;
use ndarray::Array2;

/// A cloud around a line, with holes, and the rows of `odd` at the end.
fn readings(rows: usize, odd: &[[f32; 3]]) -> Array2<f32> {
    let mut random = Random::new(61, 0);
    Array2::from_shape_fn((rows + odd.len(), 3), |(row, column)| {
        if row >= rows {
            return odd[row - rows][column];
        }
        let along = (row as f32) / rows as f32;
        let noise = random.unit() as f32 - 0.5;
        match column {
            0 => along * 10.0 + noise,
            1 => along * -10.0 + noise,
            _ => {
                if random.below(20) == 0 {
                    f32::NAN
                } else {
                    noise
                }
            }
        }
    })
}

#[test]
fn odd_values_and_odd_combinations_rank_above_ordinary_rows() {
    let odd = [[30.0, 0.0, 0.0], [9.5, -0.5, 0.0], [5.0, -5.0, 9.0]];
    let rows = readings(2_000, &odd);
    let model = AnomalyModel::fit(rows.view(), 1).unwrap();
    let mut scratch = model.scratch();
    let scores: Vec<AnomalyScore> = rows
        .rows()
        .into_iter()
        .map(|row| model.score(&row.to_vec(), &mut scratch).unwrap())
        .collect();
    let ranks: Vec<f64> = scores.iter().map(|score| score.rank).collect();
    let mean = ranks[..2_000].iter().sum::<f64>() / 2_000.0;
    assert!((0.4..0.6).contains(&mean), "{mean}");
    let top_of_ordinary = |of: fn(&AnomalyScore) -> f64| {
        let mut ordinary: Vec<f64> = scores[..2_000].iter().map(of).collect();
        ordinary.sort_by(f64::total_cmp);
        ordinary[1_900]
    };
    for row in [2_000, 2_002] {
        assert!(
            ranks[row] > top_of_ordinary(|score| score.rank),
            "odd values in row {row}: {:?}",
            scores[row]
        );
    }
    // Each value of this row is ordinary, so histograms see nothing; the other two detectors must.
    assert!(
        scores[2_001].distance > top_of_ordinary(|score| score.distance),
        "{:?}",
        scores[2_001]
    );
    assert!(scores[2_001].rank > 0.8);
    let worse = model.score(&[1e6, 1e6, 1e6], &mut scratch).unwrap();
    assert!(worse.rank <= 1.0 && worse.rank > ranks.iter().copied().fold(0.0, f64::max) - 1e-3);
}

#[test]
fn the_offending_column_is_named() {
    let model = AnomalyModel::fit(readings(2_000, &[]).view(), 1).unwrap();
    let offenders = model.offenders(&[5.0, -5.0, 9.0]).unwrap();
    assert_eq!(offenders[0].column, 2);
    assert!(offenders[0].quantile > 0.99 && offenders[0].surprise > 2.0 * offenders[1].surprise);
}

#[test]
fn bytes_come_back_equal_and_damage_is_refused() {
    let model = AnomalyModel::fit(readings(300, &[]).view(), 2).unwrap();
    let bytes = model.to_bytes().unwrap();
    assert_eq!(AnomalyModel::from_bytes(&bytes).unwrap(), model);
    for place in (0..bytes.len() * 8).step_by(31) {
        let mut damaged = bytes.clone();
        damaged[place / 8] ^= 1 << (place % 8);
        assert!(AnomalyModel::from_bytes(&damaged).is_err(), "bit {place}");
    }
    for length in (0..bytes.len()).step_by(53) {
        assert!(AnomalyModel::from_bytes(&bytes[..length]).is_err());
    }
}

#[test]
fn forged_files_are_refused_or_harmless() {
    let original = AnomalyModel::fit(readings(100, &[]).view(), 2)
        .unwrap()
        .to_bytes()
        .unwrap();
    let mut random = Random::new(63, 0);
    for _ in 0..2_000 {
        let mut file = original.clone();
        let place = 32 + random.below(file.len() - 36);
        file[place..place + 4].copy_from_slice(&[0xFF; 4]);
        let body = crc32fast::hash(&file[32..]);
        file[24..28].copy_from_slice(&body.to_le_bytes());
        let header = crc32fast::hash(&file[..28]);
        file[28..32].copy_from_slice(&header.to_le_bytes());
        if let Ok(model) = AnomalyModel::from_bytes(&file) {
            model
                .score(&[1.0, f32::NAN, -1.0], &mut model.scratch())
                .unwrap();
        }
    }
}

#[test]
fn bad_input_is_named() {
    let fit = |rows: &Array2<f32>| AnomalyModel::fit(rows.view(), 0);
    assert_eq!(
        fit(&Array2::zeros((3, 2))),
        Err(AnomalyError::TooFewRows { rows: 3 })
    );
    assert_eq!(fit(&Array2::zeros((50, 2))), Err(AnomalyError::Constant));
    assert!(matches!(
        fit(&Array2::zeros((50, 10_000))),
        Err(AnomalyError::Columns { found: 10_000, .. })
    ));
    let mut infinite = readings(50, &[]);
    infinite[(7, 1)] = f32::INFINITY;
    assert_eq!(
        fit(&infinite),
        Err(AnomalyError::Infinite { row: 7, column: 1 })
    );
    let model = fit(&readings(50, &[])).unwrap();
    assert!(matches!(
        model.score(&[1.0], &mut model.scratch()),
        Err(AnomalyError::Columns {
            found: 1,
            expected: 3
        })
    ));
}

//! The corpus and mutations of it, without a fuzzer.

use fuzz_replay::replay;
use ndarray::Array2;

use super::*;
use crate::hazard::{Cohort, Lifetimes};
use crate::random::Random;
use crate::{Dataset, Feature, Fit, Params};

#[expect(
    clippy::cast_possible_truncation,
    reason = "chance numbers, none of which matters"
)]
fn columns(rows: usize) -> Array2<f32> {
    let mut random = Random::new(17, 0);
    Array2::from_shape_fn((2, rows), |(column, _)| match column {
        0 => random.unit() as f32,
        _ => random.below(5) as f32,
    })
}

fn forest() -> Vec<u8> {
    let columns = columns(200);
    let labels = (0..200)
        .map(|row| columns[(0, row)] + columns[(1, row)] % 2.0)
        .collect();
    let features = vec![Feature::numeric("größe"), Feature::categorical("kind")];
    let dataset = Dataset::from_columns(features, columns, labels).unwrap();
    let mut params = Params {
        rounds_max: 2,
        leaves_max: 4,
        ..Params::default()
    };
    params.category.group_rows_min = 10.0;
    let mut model = Fit::new(&params).train(&dataset).unwrap();
    model.note("data position", "4711");
    model.to_bytes().unwrap()
}

fn hazard() -> Vec<u8> {
    let columns = columns(200).select(ndarray::Axis(0), &[0]);
    let durations: Vec<f32> = columns
        .iter()
        .map(|wear| 10.0 + 90.0 * (1.0 - wear))
        .collect();
    let observed: Vec<bool> = durations.iter().map(|&days| days < 80.0).collect();
    let rows =
        Dataset::from_columns(vec![Feature::numeric("wear")], columns, vec![0.0; 200]).unwrap();
    let cohort = Cohort {
        rows: &rows,
        lifetimes: Lifetimes {
            durations: &durations,
            observed: &observed,
        },
    };
    let settings = [Params {
        rounds_max: 2,
        leaves_max: 4,
        ..Params::default()
    }];
    let model = HazardModel::train(&settings, &[30.0, 90.0], &cohort, Some(&cohort), None).unwrap();
    model.to_bytes().unwrap()
}

/// Each file, and its body behind its kind, which the target seals by itself.
#[test]
fn model_corpus() {
    let seeds: Vec<Vec<u8>> = [(0, forest()), (1, hazard())]
        .into_iter()
        .flat_map(|(kind, file): (u8, Vec<u8>)| {
            let body = [&[kind], &file[crate::frame::HEADER_BYTES..]].concat();
            [file, body]
        })
        .collect();
    replay("model", &seeds, model);
}

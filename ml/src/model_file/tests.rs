use super::*;
use crate::frame::{FORMAT_NUMBER, HEADER_BYTES, MAGIC};
use crate::random::Random;
use crate::{Dataset, Fit, Params};
use ndarray::Array2;

fn small_model() -> Model {
    let mut random = Random::new(41, 0);
    let columns = Array2::from_shape_fn((3, 400), |(column, _)| match column {
        0 => random.unit() as f32,
        1 => random.below(9) as f32,
        _ => {
            if random.below(3) == 0 {
                f32::NAN
            } else {
                random.unit() as f32
            }
        }
    });
    let labels = (0..400)
        .map(|row| columns[(0, row)] + (columns[(1, row)] % 2.0))
        .collect();
    let features = vec![
        Feature::numeric("größe"),
        Feature::categorical("kind"),
        Feature::numeric("c"),
    ];
    let dataset = Dataset::from_columns(features, columns, labels).unwrap();
    let mut params = Params {
        rounds_max: 4,
        leaves_max: 6,
        ..Params::default()
    };
    params.category.group_rows_min = 10.0;
    let mut model = Fit::new(&params).train(&dataset).unwrap();
    model.note("data position", "4711");
    model
}

/// Puts right checksums around changed contents, as a forger would.
fn reseal(file: &mut [u8]) {
    let body = crc32fast::hash(&file[HEADER_BYTES..]);
    file[24..28].copy_from_slice(&body.to_le_bytes());
    let header = crc32fast::hash(&file[..28]);
    file[28..32].copy_from_slice(&header.to_le_bytes());
}

#[test]
fn a_model_comes_back_equal() {
    let model = small_model();
    let bytes = model.to_bytes().unwrap();
    assert_eq!(bytes[..8], MAGIC);
    let back = Model::from_bytes(&bytes).unwrap();
    assert_eq!(back, model);
    assert_eq!(back.to_bytes().unwrap(), bytes);
    assert!(
        back.record()
            .notes
            .contains(&("data position".to_owned(), "4711".to_owned()))
    );
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let bytes = small_model().to_bytes().unwrap();
    for length in 0..bytes.len() {
        assert!(
            Model::from_bytes(&bytes[..length]).is_err(),
            "cut at {length}"
        );
    }
    let mut damaged = bytes.clone();
    for place in 0..bytes.len() * 8 {
        damaged[place / 8] ^= 1 << (place % 8);
        assert!(Model::from_bytes(&damaged).is_err(), "bit {place}");
        damaged[place / 8] ^= 1 << (place % 8);
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(Model::from_bytes(&longer).is_err());
}

#[test]
fn forged_bodies_are_refused_or_harmless() {
    let original = small_model().to_bytes().unwrap();
    let mut random = Random::new(43, 0);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..30_000 {
        let mut file = original.clone();
        for _ in 0..=random.below(3) {
            let place = HEADER_BYTES + random.below(file.len() - HEADER_BYTES);
            file[place] = [0, 1, 0x7F, 0x80, 0xFF, random.next() as u8][random.below(6)];
        }
        reseal(&mut file);
        match Model::from_bytes(&file) {
            Ok(model) => {
                accepted += 1;
                let row = vec![f32::NAN; model.features().len()];
                let mut scores = vec![0.0; model.base().len()];
                model
                    .scores_into(&row, &mut model.scratch(), &mut scores)
                    .unwrap();
                let values = crate::Explainer::new(&model).explain(&row).unwrap();
                assert!(values.iter().all(|value| value.is_finite()));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        accepted > 100 && refused > 10_000,
        "{accepted} accepted, {refused} refused"
    );
}

#[test]
fn huge_lengths_do_not_allocate() {
    let original = small_model().to_bytes().unwrap();
    for place in HEADER_BYTES..original.len() - 4 {
        let mut file = original.clone();
        file[place..place + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        reseal(&mut file);
        // Whatever the four bytes meant, reading must end; a length of four billion must be seen through.
        drop(Model::from_bytes(&file));
    }
}

#[test]
fn foreign_and_future_files_are_told_apart() {
    let bytes = small_model().to_bytes().unwrap();
    assert_eq!(
        Model::from_bytes(b"PK\x03\x04 something else entirely, long enough"),
        Err(ReadError::Foreign)
    );
    assert!(matches!(
        Model::from_bytes(b""),
        Err(ReadError::Truncated { .. })
    ));
    let mut future = bytes.clone();
    future[8..10].copy_from_slice(&(FORMAT_NUMBER + 1).to_le_bytes());
    reseal(&mut future);
    assert!(matches!(
        Model::from_bytes(&future),
        Err(ReadError::Format { .. })
    ));
    let mut damaged = bytes;
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    assert!(matches!(
        Model::from_bytes(&damaged),
        Err(ReadError::Checksum { part: "body", .. })
    ));
}

#[test]
fn notes_beyond_the_limits_are_refused_when_writing() {
    let mut model = small_model();
    model.note("long", "x".repeat(NOTE_BYTES_MAX + 1));
    assert!(matches!(model.to_bytes(), Err(WriteError::TooLong { .. })));
}

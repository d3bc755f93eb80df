//! The generator against its published outputs, and the draws against their definitions.

use super::*;

#[test]
fn the_generator_is_the_published_one() {
    // The first outputs of the authors' reference code from the state 1, 2, 3, 4.
    let mut random = Random {
        state: [1, 2, 3, 4],
    };
    let expected = [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240];
    assert_eq!(
        [random.next(), random.next(), random.next(), random.next()],
        expected
    );
    // And SplitMix64 from 1234567.
    let mut state = 1_234_567;
    assert_eq!(
        [split_mix(&mut state), split_mix(&mut state)],
        [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
    );
}

#[test]
fn streams_differ_by_seed_label_and_index() {
    let first = |seed, label, index| Random::new(seed, label, index).next();
    let draws = [
        first(1, "vehicle", 0),
        first(2, "vehicle", 0),
        first(1, "tablet", 0),
        first(1, "vehicle", 1),
    ];
    for (place, draw) in draws.iter().enumerate() {
        assert!(!draws[..place].contains(draw));
    }
    assert_eq!(first(1, "vehicle", 0), draws[0]);
}

#[test]
fn draws_stay_in_their_range_and_reach_its_ends() {
    let mut random = Random::new(1, "range", 0);
    let drawn: Vec<i64> = (0..2_000).map(|_| random.between(-3, 4)).collect();
    assert_eq!(
        (drawn.iter().min(), drawn.iter().max()),
        (Some(&-3), Some(&4))
    );
    assert!((0..2_000).all(|_| (0.0..1.0).contains(&random.unit())));
}

#[test]
fn weights_and_quantiles_are_what_comes_out() {
    let mut random = Random::new(1, "weights", 0);
    let heavy = (0..10_000)
        .filter(|_| random.weighted(&[("light", 1.0), ("heavy", 3.0)]) == "heavy")
        .count();
    assert!((7_300..7_700).contains(&heavy), "{heavy}");
    let low = (0..10_000)
        .filter(|_| random.quantile(&[(0.0, 0.0), (0.8, 10.0), (1.0, 100.0)]) < 10.0)
        .count();
    assert!((7_800..8_200).contains(&low), "{low}");
    let third = (0..10_000)
        .filter(|_| random.index(&[0.2, 0.0, 0.8]) == 2)
        .count();
    assert!((7_800..8_200).contains(&third), "{third}");
}

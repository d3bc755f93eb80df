//! Never a false "no", seldom a false "yes", at any size and of any ids.

use proptest::prelude::*;

use super::*;

/// Ids as a server makes them: UUIDv7, a thousand a millisecond, with random bits that hardly differ.
fn time_ordered(number: u64) -> u128 {
    let millis = u128::from(1_700_000_000_000 + number / 1_000);
    millis << 80 | 7 << 76 | 0b10 << 62 | u128::from(number % 1_000)
}

/// Ids as a bad client makes them: a counter in the low or the high bits.
fn counted_low(number: u64) -> u128 {
    u128::from(number)
}

fn counted_high(number: u64) -> u128 {
    u128::from(number) << 64
}

fn filled(ids: u64, id: impl Fn(u64) -> u128) -> IdFilter {
    let mut filter = IdFilter::new();
    for number in 0..ids {
        filter.insert(id(number));
    }
    filter
}

fn round_trip(filter: &IdFilter) -> Vec<u8> {
    let mut bytes = Vec::new();
    let put = &mut |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    filter.write_to(put).unwrap();
    bytes
}

/// Of how many of `asked` new ids the filter thinks that it knows them, as a share.
fn mistaken(filter: &IdFilter, from: u64, asked: u64, id: impl Fn(u64) -> u128) -> f64 {
    let mistakes = (from..from + asked)
        .filter(|number| filter.might_contain(id(*number)))
        .count();
    mistakes as f64 / asked as f64
}

#[test]
fn an_empty_filter_knows_nothing_and_costs_nothing() {
    let filter = IdFilter::new();
    assert!(!filter.might_contain(0));
    assert!(!filter.might_contain(u128::MAX));
    assert_eq!((filter.len(), filter.memory()), (0, 0));
    assert_eq!(IdFilter::from_bytes(&round_trip(&filter)).unwrap().len(), 0);
}

#[test]
fn it_grows_by_levels_and_forgets_nothing() {
    let ids = level_ids(0) + level_ids(1) + 1;
    let filter = filled(ids, time_ordered);
    assert_eq!(filter.len(), ids);
    let counts: Vec<_> = filter.levels.iter().map(|level| level.ids).collect();
    assert_eq!(counts, [262_144, 1_048_576, 1]);
    assert!((0..ids).all(|number| filter.might_contain(time_ordered(number))));
    // Together they are told apart as one by one.
    let asked = || (ids - 500_000..ids + 1_000).map(time_ordered);
    let apart = asked().enumerate();
    let apart = apart.filter(|(_, id)| !filter.might_contain(*id));
    let apart: Vec<usize> = apart.map(|(place, _)| place).collect();
    assert!(apart.len() > 900 && apart[0] >= 500_000, "{}", apart.len());
    assert_eq!(filter.unknown(asked()), apart);
}

#[test]
fn a_full_filter_is_seldom_mistaken_whatever_the_ids_look_like() {
    let ids = level_ids(0) + level_ids(1);
    for id in [time_ordered, counted_low, counted_high] {
        let share = mistaken(&filled(ids, id), ids, 1_000_000, id);
        assert!(
            share <= 0.003,
            "{share} of new ids are taken for known ones"
        );
    }
}

#[test]
fn four_full_levels_together_stay_below_three_in_a_thousand() {
    // 22 million insertions would take seconds: the fourth level is taken to be as good as the first three.
    let shares = [0, 1, 2].map(|index| {
        let mut level = Level::empty(index);
        for number in 0..level_ids(index) {
            level.insert(Hashed::of(time_ordered(number)));
        }
        mistaken(
            &IdFilter {
                levels: vec![level],
            },
            level_ids(index),
            1_000_000,
            time_ordered,
        )
    });
    let four = shares.iter().sum::<f64>() * 4.0 / 3.0;
    assert!(four <= 0.003, "{shares:?} a level, {four} for four");
}

#[test]
fn what_was_saved_knows_the_same() {
    for ids in [1, 1_000, level_ids(0), level_ids(0) + 1] {
        let filter = filled(ids, time_ordered);
        let bytes = round_trip(&filter);
        let mut again = IdFilter::from_bytes(&bytes).unwrap();
        assert_eq!(again.len(), ids);
        assert_eq!(round_trip(&again), bytes);
        assert!((0..ids).all(|number| again.might_contain(time_ordered(number))));
        again.insert(time_ordered(ids));
        assert!(again.might_contain(time_ordered(ids)));
    }
}

#[test]
fn blocks_are_cache_lines() {
    for index in 0..3 {
        let level = Level::empty(index);
        assert_eq!(level.blocks().as_ptr().addr() % BLOCK_BYTES, 0);
        assert_eq!(level.blocks().len(), level_blocks(index) * BLOCK_WORDS);
    }
}

#[test]
fn the_last_level_takes_more_than_it_is_made_for() {
    let level = |index| Level {
        ids: level_ids(index),
        words: vec![0; 15],
        first: 0,
        block_count: 1,
    };
    let mut filter = IdFilter {
        levels: (0..LEVELS_MAX).map(level).collect(),
    };
    filter.insert(7);
    assert_eq!(filter.levels.len(), LEVELS_MAX);
    assert!(filter.might_contain(7));
}

#[test]
fn hostile_bytes_are_refused_without_a_large_allocation() {
    let sound = round_trip(&filled(10, time_ordered));
    for length in (0..64).chain([1_000, sound.len() - 8, sound.len() - 1]) {
        assert!(
            IdFilter::from_bytes(&sound[..length]).is_none(),
            "cut at {length}"
        );
    }
    assert!(
        IdFilter::from_bytes(&[&sound[..], b"x"].concat()).is_none(),
        "more than a filter"
    );

    let with_levels = |count: u32| {
        let mut bytes = sound.clone();
        bytes[..4].copy_from_slice(&count.to_le_bytes());
        IdFilter::from_bytes(&bytes)
    };
    for count in [0, 2, 7, 8, u32::MAX] {
        assert!(with_levels(count).is_none(), "{count} levels");
    }

    let with_ids = |ids: u64| {
        let mut bytes = sound.clone();
        bytes[4..12].copy_from_slice(&ids.to_le_bytes());
        IdFilter::from_bytes(&bytes)
    };
    assert!(with_ids(level_ids(0)).is_some());
    for ids in [0, level_ids(0) + 1, u64::MAX] {
        assert!(with_ids(ids).is_none(), "{ids} ids in the first level");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_inserted_is_found(
        ids in prop::collection::vec(prop_oneof![any::<u128>(), 0..100_u128, (0..100_u128).prop_map(|id| id << 120)], 0..500),
    ) {
        let mut filter = IdFilter::new();
        for id in &ids {
            filter.insert(*id);
        }
        let again = IdFilter::from_bytes(&round_trip(&filter)).unwrap();
        for id in ids {
            prop_assert!(filter.might_contain(id));
            prop_assert!(again.might_contain(id));
        }
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes: Vec<u8>, levels in 0..9_u32) {
        let bytes = [&levels.to_le_bytes()[..], &bytes].concat();
        let found = IdFilter::from_bytes(&bytes);
        prop_assert_eq!(found.is_some(), bytes == [0; 4]);
    }
}

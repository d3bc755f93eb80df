use super::*;

#[test]
fn selection_is_distinct_ordered_and_complete() {
    let mut random = Random::new(7, 0);
    for total in 0..40 {
        for count in 0..=total {
            let chosen = random.choose_ordered(total, count);
            assert_eq!(chosen.len(), count);
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(chosen.iter().all(|&index| index < total));
        }
    }
}

#[test]
fn lanes_of_one_seed_differ_and_a_seed_repeats() {
    let draw = |seed, lane| Random::new(seed, lane).next();
    assert_eq!(draw(1, 2), draw(1, 2));
    assert_ne!(draw(1, 2), draw(1, 3));
    assert_ne!(draw(1, 2), draw(2, 2));
}

#[test]
fn unit_draws_fill_the_interval_evenly() {
    let mut random = Random::new(3, 1);
    let mut tenths = [0_u32; 10];
    for _ in 0..100_000 {
        let draw = random.unit();
        assert!((0.0..1.0).contains(&draw));
        tenths[(draw * 10.0) as usize] += 1;
    }
    assert!(
        tenths.iter().all(|&count| (9_500..10_500).contains(&count)),
        "{tenths:?}"
    );
}

use proptest::prelude::*;

use super::*;

fn of(values: &[i64]) -> Sketch {
    let mut sketch = Sketch::default();
    values.iter().for_each(|value| sketch.add(*value));
    sketch
}

/// From minutes to years of microseconds, and what is no time at all.
fn value() -> impl Strategy<Value = i64> {
    (0..60_u32, any::<i64>()).prop_map(|(bits, drawn)| drawn.rem_euclid(1 << bits))
}

#[test]
fn no_values_have_no_quantile() {
    assert_eq!(Sketch::default().quantile(0.5), None);
    assert_eq!(of(&[0, 0, -7]).quantile(0.9), Some(0.0));
}

proptest! {
    #[test]
    fn a_quantile_lies_within_its_error(values in proptest::collection::vec(value(), 1..300), part in 0..=64_usize) {
        let mut sorted = values.clone();
        sorted.sort_unstable();
        // Of 64ths, so that the rank is exact.
        let truth = sorted[(sorted.len() - 1) * part / 64] as f64;
        let found = of(&values).quantile(part as f64 / 64.0).unwrap();
        // A hair more than the error: a logarithm may fall beside the end of its bin.
        prop_assert!((found - truth).abs() <= truth * (RELATIVE_ERROR + 1e-9), "{found} for {truth}");
    }

    #[test]
    fn parts_merge_to_the_whole(values in proptest::collection::vec(value(), 0..100), at in 0..100_usize) {
        let (left, right) = values.split_at(at.min(values.len()));
        let mut merged = of(right);
        merged.merge(&of(left));
        prop_assert_eq!(merged.count(), values.len() as u64);
        prop_assert_eq!(merged, of(&values));
    }
}

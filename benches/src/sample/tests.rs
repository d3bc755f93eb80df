use super::*;

fn sample(nanos: &[u64]) -> Sample {
    Sample {
        nanos: nanos.to_vec(),
    }
}

#[test]
fn a_quantile_is_the_nearest_rank() {
    let hundred: Vec<u64> = (1..=100).rev().map(|number| number * 1_000).collect();
    let hundred = sample(&hundred);
    assert_eq!(hundred.p50(), 50.0);
    assert_eq!(hundred.p99(), 99.0);
    assert_eq!(hundred.quantile_micros(1.0), 100.0);
    assert_eq!(hundred.quantile_micros(0.0), 1.0);
    assert_eq!(sample(&[]).p50(), 0.0);
}

#[test]
fn a_median_stands_in_the_middle() {
    assert_eq!(median(&[]), 0.0);
    assert_eq!(median(&[3.0]), 3.0);
    assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
}

#[test]
fn a_rate_counts_only_the_operations_themselves() {
    assert_eq!(sample(&[1_000_000; 4]).rate(), 1_000.0);
    assert_eq!(per_second(500, Duration::from_millis(250)), 2_000.0);
}

use super::*;

/// Numbers that look random and are the same on every machine: SplitMix64, and the sum of twelve for a normal one.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    /// Months that correlate with the next by `r`, of variance 1, around 100, rising by `slope` a month.
    fn months(&mut self, count: usize, r: f64, slope: f64) -> Vec<f64> {
        let mut last = self.normal();
        (0..count)
            .map(|month| {
                last = r * last + (1.0 - r * r).sqrt() * self.normal();
                100.0 + last + slope * month as f64
            })
            .collect()
    }
}

/// The share of 600 series that get a label.
fn labelled(months: usize, r: f64, slope: f64) -> f64 {
    let mut noise = Noise((months as u64).wrapping_add(r.to_bits()));
    let runs = 600;
    let labels = (0..runs)
        .filter(|_| {
            let values = noise.months(months, r, slope);
            let found = trend(&values, Polarity::HigherIsBetter, Floor::Absolute(0.0));
            found.label != Label::Stable
        })
        .count();
    labels as f64 / f64::from(runs)
}

#[test]
fn series_without_trend_are_rarely_labelled() {
    for months in [24, 36, 60] {
        for r in [0.0, 0.3, 0.6] {
            let share = labelled(months, r, 0.0);
            assert!(share <= 0.10, "{months} months, correlation {r}: {share}");
        }
    }
}

#[test]
fn a_trend_of_two_deviations_is_mostly_found() {
    let share = labelled(24, 0.0, 2.0 / 23.0);
    assert!(share >= 0.60, "{share}");
    let share = labelled(36, 0.0, 2.0 / 35.0);
    assert!(share >= 0.60, "{share}");
}

#[test]
fn the_label_follows_the_polarity_and_the_floor() {
    let rising: Vec<f64> = (0..24).map(|month| 100.0 + f64::from(month)).collect();
    let label = |values: &[f64], polarity, floor| trend(values, polarity, floor).label;
    let (up, down) = (Polarity::HigherIsBetter, Polarity::LowerIsBetter);
    assert_eq!(label(&rising, up, Floor::Absolute(0.5)), Label::Improving);
    assert_eq!(label(&rising, down, Floor::Absolute(0.5)), Label::Declining);
    assert_eq!(label(&rising, up, Floor::Absolute(50.0)), Label::Stable);
    assert_eq!(label(&rising, up, Floor::Relative(0.5)), Label::Stable);
    assert_eq!(
        label(&rising[..11], up, Floor::Absolute(0.5)),
        Label::TooLittleData
    );
    assert_eq!(label(&[], up, Floor::Absolute(0.5)), Label::TooLittleData);
    assert_eq!(label(&[3.0; 40], up, Floor::Absolute(0.0)), Label::Stable);
}

#[test]
fn slope_and_interval_hold_the_truth() {
    let mut noise = Noise(7);
    let values = noise.months(48, 0.0, 0.5);
    let found = trend(&values, Polarity::HigherIsBetter, Floor::Absolute(0.0));
    assert!((found.slope - 0.5).abs() < 0.05, "{found:?}");
    assert!(found.slope_interval.0 <= 0.5 && 0.5 <= found.slope_interval.1);
    assert!(found.p < 1e-6);
}

#[test]
fn a_season_is_no_trend() {
    let mut noise = Noise(11);
    let mut labels = 0;
    for _ in 0..200 {
        let values: Vec<f64> = (0..24)
            .map(|month| {
                let angle = f64::from(month) * std::f64::consts::TAU / 12.0;
                50.0 + 1.5 * angle.sin() + noise.normal()
            })
            .collect();
        let found = trend(&values, Polarity::LowerIsBetter, Floor::Absolute(0.0));
        labels += usize::from(found.label != Label::Stable);
    }
    assert!(labels <= 20, "{labels} of 200");
}

#[test]
fn a_shift_is_found_where_it_is() {
    let mut noise = Noise(3);
    let mut values = noise.months(60, 0.0, 0.0);
    for value in &mut values[25..] {
        *value -= 4.0;
    }
    let shifts = level_shifts(&values);
    assert_eq!(shifts.len(), 1, "{shifts:?}");
    assert!(shifts[0].month.abs_diff(25) <= 1, "{shifts:?}");
    assert!((shifts[0].before - shifts[0].after - 4.0).abs() < 1.0);
}

#[test]
fn noise_shifts_nothing() {
    let mut noise = Noise(5);
    let found = (0..200)
        .filter(|_| !level_shifts(&noise.months(48, 0.0, 0.0)).is_empty())
        .count();
    assert!(found <= 20, "{found} of 200");
    assert!(level_shifts(&[1.0; 40]).is_empty());
    assert!(level_shifts(&[]).is_empty());
}

#[test]
fn pruning_loses_no_segmentation() {
    let mut noise = Noise(9);
    for _ in 0..50 {
        let mut values = noise.months(30, 0.0, 0.0);
        for value in &mut values[12..] {
            *value += 3.0;
        }
        let sums = crate::trend::shift::for_tests(&values, 5.0);
        assert!((sums.0 - sums.1).abs() < 1e-9, "{sums:?}");
    }
}

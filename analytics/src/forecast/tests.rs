use std::io::{Read as _, Write as _};

use super::*;

/// One series of a competition.
struct Series {
    train: Vec<f64>,
    test: Vec<f64>,
}

/// The developer's half of a competition's monthly series; says loudly where it is absent.
fn competition(name: &str) -> Option<Vec<Series>> {
    let path = format!(
        "{}/../../shared/data/{name}-monthly/{name}-monthly-dev.csv.gz",
        env!("CARGO_MANIFEST_DIR")
    );
    let Ok(file) = std::fs::File::open(&path) else {
        // The runner captures what the print macros write; nobody would read it there.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: the {name} series are not there"
        );
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    let mut series: Vec<(String, Series)> = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        if series.last().is_none_or(|(name, _)| name != fields[0]) {
            let (train, test) = (Vec::new(), Vec::new());
            series.push((fields[0].to_owned(), Series { train, test }));
        }
        let (_, last) = series.last_mut().unwrap();
        let value = fields[5].parse().unwrap();
        match fields[3] {
            "train" => last.train.push(value),
            _ => last.test.push(value),
        }
    }
    Some(series.into_iter().map(|(_, series)| series).collect())
}

/// sMAPE and MASE of one forecast, as the M4 competition defines them.
fn errors(series: &Series, point: &[f64]) -> (f64, f64) {
    let steps = point.len() as f64;
    let pairs = || series.test.iter().zip(point);
    let smape = pairs()
        .map(|(a, f)| 200.0 * (a - f).abs() / (a.abs() + f.abs()).max(1e-300))
        .sum::<f64>();
    let naive: Vec<f64> = series
        .train
        .iter()
        .zip(&series.train[SEASON..])
        .map(|(a, b)| (b - a).abs())
        .collect();
    let scale = naive.iter().sum::<f64>() / naive.len() as f64;
    let mase = pairs().map(|(a, f)| (a - f).abs() / scale).sum::<f64>();
    (smape / steps, mase / steps)
}

/// The competition's benchmark: the last value, deseasonalised where a season is seen.
fn naive2(train: &[f64], horizon: usize) -> Vec<f64> {
    let adjusted = Adjusted::classical(train);
    let level = adjusted.values[adjusted.values.len() - 1];
    (0..horizon)
        .map(|step| adjusted.with_season(train.len() + step, level))
        .collect()
}

/// OWA at twelve months, and the share of months within the 80 % band.
fn score(series: &[Series]) -> (f64, f64) {
    let mut sums = [0.0; 4];
    let (mut inside, mut months) = (0_u32, 0_u32);
    for one in series {
        let found = forecast(&one.train, 12).unwrap();
        let ours = errors(one, &found.point);
        let benchmark = errors(one, &naive2(&one.train, 12));
        for (sum, value) in sums
            .iter_mut()
            .zip([ours.0, ours.1, benchmark.0, benchmark.1])
        {
            *sum += value;
        }
        for (band, actual) in found.band80.iter().flatten().zip(&one.test) {
            inside += u32::from(band.low <= *actual && *actual <= band.high);
            months += 1;
        }
    }
    let owa = f64::midpoint(sums[0] / sums[2], sums[1] / sums[3]);
    (owa, f64::from(inside) / f64::from(months))
}

#[track_caller]
fn check_competition(name: &str, owa_max: f64) {
    let Some(series) = competition(name) else {
        return;
    };
    let (owa, coverage) = score(&series);
    eprintln!("{name}: OWA {owa:.4}, the 80 % band holds {coverage:.3}");
    assert!(owa <= owa_max, "OWA {owa}");
    assert!((0.73..=0.90).contains(&coverage), "coverage {coverage}");
}

#[test]
fn the_m3_half_is_forecast_as_well_as_measured() {
    check_competition("m3", 0.84);
}

#[test]
fn the_m4_half_is_forecast_as_well_as_measured() {
    check_competition("m4", 0.80);
}

fn wave(months: usize) -> Vec<f64> {
    (0..months)
        .map(|month| {
            let angle = month as f64 * std::f64::consts::TAU / 12.0;
            200.0 + month as f64 + 30.0 * angle.sin()
        })
        .collect()
}

#[test]
fn a_clean_season_and_trend_go_on() {
    let whole = wave(84);
    let found = forecast(&whole[..72], 12).unwrap();
    assert_eq!(found.method, Method::MeanOfThree);
    for (value, truth) in found.point.iter().zip(&whole[72..]) {
        assert!((value / truth - 1.0).abs() < 0.08, "{value} for {truth}");
    }
    assert!(found.skill.unwrap() < 0.8, "{:?}", found.skill);
}

#[test]
fn the_method_follows_the_length() {
    let method = |months: usize| forecast(&wave(months), 3).unwrap().method;
    assert_eq!(method(1), Method::LastValue);
    assert_eq!(method(5), Method::LastValue);
    assert_eq!(method(6), Method::Damped);
    assert_eq!(method(12), Method::ThetaDamped);
    assert_eq!(method(24), Method::MeanOfThree);
}

#[test]
fn what_cannot_be_forecast_is_named() {
    assert_eq!(forecast(&[], 3), Err(ForecastError::Empty));
    assert_eq!(
        forecast(&[1.0], 0),
        Err(ForecastError::Horizon { months: 0 })
    );
    assert_eq!(
        forecast(&[1.0], 25),
        Err(ForecastError::Horizon { months: 25 })
    );
    for bad in [f64::NAN, f64::INFINITY, 1e300] {
        let history = [1.0, bad, 2.0];
        assert_eq!(
            forecast(&history, 3),
            Err(ForecastError::NotFinite { month: 1 })
        );
    }
}

/// Constant, zero, jumping and tiny histories of every length: always finite, bands around the point, never below 0
/// where nothing was.
#[test]
fn odd_histories_give_usable_numbers() {
    type Shape = fn(usize) -> f64;
    let shapes: [Shape; 6] = [
        |_| 0.0,
        |_| 7.5,
        |month| if month.is_multiple_of(5) { 12.0 } else { 0.0 },
        |month| 1e-9 * month as f64,
        |month| 1e90 * (1 + month % 3) as f64,
        |month| if month == 30 { 1e6 } else { 1.0 },
    ];
    for shape in shapes {
        for months in (1..30).chain([36, 47, 60]) {
            let history: Vec<f64> = (0..months).map(shape).collect();
            let found = forecast(&history, 12).unwrap();
            let usable = |value: &f64| value.is_finite() && *value >= 0.0;
            assert!(found.point.iter().all(usable), "{history:?}: {found:?}");
            assert_eq!(found.band80.is_some(), months >= 9, "{months} months");
            assert_eq!(found.band95.is_some(), months >= 11, "{months} months");
            for (narrow, wide) in found
                .band80
                .iter()
                .flatten()
                .zip(found.band95.iter().flatten())
            {
                assert!(wide.low >= 0.0 && narrow.high <= wide.high);
            }
            for band in found.band80.iter().chain(&found.band95) {
                let holds =
                    |(band, value): (&Band, &f64)| band.low <= *value && *value <= band.high;
                let mut pairs = band.iter().zip(&found.point);
                assert!(pairs.all(holds), "{history:?}: {found:?}");
            }
        }
    }
}

/// Regression: with no earlier month to try the forecast at, both bands were of no width.
#[test]
fn without_errors_there_are_no_bands() {
    let found = forecast(&[1.0, 9.0, 2.0], 12).unwrap();
    assert_eq!((found.band80, found.band95), (None, None));
    // A year's errors one month ahead are enough for both.
    let found = forecast(&wave(36), 1).unwrap();
    assert!(found.band80.is_some() && found.band95.is_some());
}

#[test]
fn the_same_history_gives_the_same_bits() {
    let bits = || -> Vec<u64> {
        let found = forecast(&wave(50), 12).unwrap();
        found.point.iter().map(|value| value.to_bits()).collect()
    };
    assert_eq!(bits(), bits());
}

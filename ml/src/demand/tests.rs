use super::*;
use crate::random::Random;

fn settings() -> DemandSettings {
    DemandSettings {
        horizon: 6,
        season: 12,
        folds: 2,
        boosted: true,
        seed: 1,
        threads: 2,
    }
}

/// Series that ask for parts with a probability of their own.
fn parts(count: usize, periods: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = Random::new(seed, 0);
    (0..count)
        .map(|_| {
            let (chance, size) = (0.05 + 0.6 * random.unit(), 1 + random.below(5));
            (0..periods)
                .map(|_| {
                    if random.unit() < chance {
                        (1 + random.below(size)) as f64
                    } else {
                        0.0
                    }
                })
                .collect()
        })
        .collect()
}

#[track_caller]
fn level(method: Method, history: &[f64], expected: f64) {
    let found = method.level(history, 12);
    assert!(
        (found - expected).abs() < 1e-9,
        "{method:?} gives {found}, not {expected}"
    );
}

#[test]
fn methods_match_hand_calculations() {
    let history = [0.0, 0.0, 3.0, 0.0, 0.0, 3.0];
    level(Method::Mean, &history, 1.0);
    level(Method::Croston, &history, 1.0);
    level(Method::Sba, &history, 0.95);
    level(
        Method::MovingAverage,
        &[[9.0; 5].as_slice(), &[1.0; 12]].concat(),
        1.0,
    );
    level(Method::Adida, &[2.0; 20], 2.0);
    level(Method::Imapa, &[2.0; 20], 2.0);
    level(Method::Smoothing, &[4.0; 9], 4.0);
    for method in Method::CLASSICAL {
        level(method, &[0.0; 10], 0.0);
    }
    let (dying, steady) = ([5.0, 5.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0], [5.0; 8]);
    assert!(Method::Tsb.level(&dying, 12) < 0.6 * Method::Tsb.level(&steady, 12));
    assert!(
        (Method::Croston.level(&dying, 12) - 5.0).abs() < 1e-9,
        "Croston does not see that demand stopped"
    );
}

#[test]
fn classes_follow_interval_and_variation() {
    assert_eq!(DemandClass::of(&[3.0, 3.0, 4.0, 3.0]), DemandClass::Smooth);
    assert_eq!(
        DemandClass::of(&[1.0, 20.0, 1.0, 1.0]),
        DemandClass::Erratic
    );
    assert_eq!(
        DemandClass::of(&[0.0, 2.0, 0.0, 2.0]),
        DemandClass::Intermittent
    );
    assert_eq!(
        DemandClass::of(&[0.0, 1.0, 0.0, 20.0, 0.0, 1.0]),
        DemandClass::Lumpy
    );
    assert_eq!(DemandClass::of(&[0.0; 5]), DemandClass::Lumpy);
}

#[test]
fn forecasts_are_near_the_truth_and_quantiles_cover() {
    let all = parts(400, 66, 5);
    let (history, future): (Vec<Vec<f64>>, Vec<Vec<f64>>) = all
        .iter()
        .map(|one| (one[..60].to_vec(), one[60..].to_vec()))
        .unzip();
    let forecast = DemandForecast::make(&history, &settings()).unwrap();
    assert_eq!(forecast.backtest.len(), 10);
    let truth: f64 = future.iter().flatten().sum();
    let promised: f64 = forecast.series.iter().map(|series| series.mean * 6.0).sum();
    assert!(
        (promised / truth - 1.0).abs() < 0.1,
        "{promised} for {truth}"
    );
    for level in [0.9, 0.95] {
        let covered = future.iter().enumerate().flat_map(|(index, ahead)| {
            let quantile = forecast.quantile(index, 1.0, level).unwrap();
            ahead
                .iter()
                .map(move |&demand| f64::from(u8::from(demand <= quantile)))
        });
        let share = covered.sum::<f64>() / (400.0 * 6.0);
        assert!((share - level).abs() < 0.03, "{share} for {level}");
    }
    let spans = [0.0, 0.2, 1.0, 1.5, 3.0].map(|periods| forecast.quantile(0, periods, 0.95));
    assert!(spans[0] == Some(0.0) && spans.is_sorted(), "{spans:?}");
    assert_eq!(forecast.quantile(400, 1.0, 0.5), None);
}

#[test]
fn few_series_take_the_mean_of_the_steady_methods_and_many_choose() {
    let methods = |count: usize| {
        let forecast = DemandForecast::make(&parts(count, 60, 7), &settings()).unwrap();
        let choices = forecast.choices.into_iter();
        choices.map(|choice| choice.methods).collect::<Vec<_>>()
    };
    assert!(methods(20).iter().all(|methods| methods == &Method::STEADY));
    assert!(
        methods(400)
            .iter()
            .all(|methods| methods != &Method::STEADY)
    );
}

#[test]
fn choosing_does_not_see_the_end_of_the_series() {
    let history = parts(100, 48, 6);
    let choice = |series: &[Vec<f64>]| {
        let fold_history: Vec<Vec<f64>> = series.iter().map(|one| one[..42].to_vec()).collect();
        DemandForecast::make(&fold_history, &settings()).unwrap()
    };
    let mut changed = history.clone();
    changed.iter_mut().for_each(|one| one[42..].fill(99.0));
    assert_eq!(choice(&history), choice(&changed));
}

#[test]
fn counts_have_the_right_quantiles() {
    let poisson = NegativeBinomial::new(3.0, 1.0);
    assert_eq!(
        [0.049, 0.5, 0.95].map(|level| poisson.quantile(level)),
        [0.0, 3.0, 6.0]
    );
    // Mean 4 and variance 12 is the count of failures before the second success at chance 1/3.
    let wide = NegativeBinomial::new(4.0, 3.0);
    assert_eq!(
        [0.1, 0.5, 0.95].map(|level| wide.quantile(level)),
        [0.0, 3.0, 11.0]
    );
    assert_eq!(NegativeBinomial::new(0.0, 1.0).quantile(0.99), 0.0);
    let large = NegativeBinomial::new(1e6, 4.0);
    assert!((large.quantile(0.975) - 1e6 - 1.96 * 2_000.0).abs() < 20.0);
}

/// Regression: from a mean of about 745 on, the probability of zero is zero as a double; the walk multiplied it to the
/// end and promised a million pieces.
#[test]
fn quantiles_hold_where_the_probability_of_zero_underflows() {
    let usual = NegativeBinomial::new(900.0, 1.143);
    assert!((usual.quantile(0.5) - 900.0).abs() < 9.0);
    let deviation = (900.0_f64 * 1.143).sqrt();
    assert!((usual.quantile(0.95) - 900.0 - 1.645 * deviation).abs() < 2.0);
    for dispersion in [1.0, 1.143, 2.0, 4.0] {
        for level in [0.05, 0.5, 0.95, 0.99] {
            let mut last = 0.0;
            for mean in (100..20_000).step_by(50).map(f64::from) {
                let found = NegativeBinomial::new(mean, dispersion).quantile(level);
                // None of the levels lies five deviations out.
                let off = (found - mean).abs() / (mean * dispersion).sqrt();
                assert!(
                    found >= last && off < 5.0,
                    "{found} after {last} for mean {mean}, dispersion {dispersion}, level {level}"
                );
                last = found;
            }
        }
    }
}

#[test]
fn bad_input_is_named() {
    let make =
        |series: &[Vec<f64>], settings: DemandSettings| DemandForecast::make(series, &settings);
    assert_eq!(
        make(&[], settings()),
        Err(DemandError::Series { series: 0 })
    );
    assert!(matches!(
        make(&[vec![1.0; 5]], settings()),
        Err(DemandError::Periods { periods: 5, .. })
    ));
    let uneven = [vec![1.0; 40], vec![1.0; 39]];
    assert!(matches!(
        make(&uneven, settings()),
        Err(DemandError::Periods { index: 1, .. })
    ));
    let mut negative = vec![vec![1.0; 40]];
    negative[0][3] = -1.0;
    assert!(matches!(
        make(&negative, settings()),
        Err(DemandError::Demand { period: 3, .. })
    ));
    let no_horizon = DemandSettings {
        horizon: 0,
        ..settings()
    };
    assert_eq!(
        make(&[vec![1.0; 40]], no_horizon),
        Err(DemandError::Setting { what: "horizon" })
    );
    let nothing = make(&[vec![0.0; 40]], settings()).unwrap();
    assert_eq!(nothing.series[0].mean, 0.0);
}

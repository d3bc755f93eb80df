//! The judge: every method forecasts held-out stretches before the end of the history, each class takes the best.

use super::methods::{BOOSTED, Method};
use super::quantile::dispersion;
use super::{CLASSES, DemandClass, DemandError, DemandSettings, LEVELS, NegativeBinomial, lagged};

/// Fewest series of a class that choose a method of their own.
const CLASS_SERIES_MIN: usize = 30;

/// How one method did over all series and folds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MethodScore {
    /// The method.
    pub method: Method,
    /// Root mean squared error over the history's one-step naive error, averaged over series.
    pub rmsse: f64,
    /// Mean of forecast − demand over the history's mean one-step change, averaged over series.
    pub bias: f64,
}

/// What a class uses.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassChoice {
    /// The class.
    pub class: DemandClass,
    /// Series of the class at the end of the history.
    pub series: usize,
    /// One method, or several whose mean is taken.
    pub methods: Vec<Method>,
    /// Scaled error in the backtest.
    pub rmsse: f64,
    /// Scaled bias in the backtest.
    pub bias: f64,
}

/// Everything the backtest found.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) choices: Vec<ClassChoice>,
    pub(super) table: Vec<MethodScore>,
    pub(super) calibrated: [f64; LEVELS.len()],
}

/// One fold: each method's level of each series, and what then happened.
struct Fold {
    history: usize,
    methods: Vec<(Method, Vec<f64>)>,
}

/// Scaled error and bias of one series in one fold; none where the series never changes.
///
/// The scale is that of the whole series given, as it will be for the final forecast: scaled by the fold's own past, a
/// part that was hardly ever asked for until then would outweigh a hundred others.
fn score(series: &[f64], history: usize, horizon: usize, level: f64) -> Option<(f64, f64)> {
    let steps = (series.len() - 1) as f64;
    let squared = series
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).powi(2))
        .sum::<f64>()
        / steps;
    let absolute = series
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .sum::<f64>()
        / steps;
    if squared <= 0.0 {
        return None;
    }
    let ahead = &series[history..history + horizon];
    let error = ahead
        .iter()
        .map(|demand| (demand - level).powi(2))
        .sum::<f64>()
        / horizon as f64;
    let bias = ahead.iter().map(|demand| level - demand).sum::<f64>() / horizon as f64;
    Some(((error / squared).sqrt(), bias / absolute))
}

/// Mean score over the series and folds that `takes` lets in; infinite where there are none.
fn mean_score(
    series: &[Vec<f64>],
    folds: &[Fold],
    horizon: usize,
    takes: impl Fn(&Fold, usize) -> bool,
    level: impl Fn(&Fold, usize) -> f64,
) -> (f64, f64) {
    let (mut error, mut bias, mut count) = (0.0, 0.0, 0.0);
    for fold in folds {
        for (index, one) in series
            .iter()
            .enumerate()
            .filter(|&(index, _)| takes(fold, index))
        {
            if let Some(found) = score(one, fold.history, horizon, level(fold, index)) {
                error += found.0;
                bias += found.1;
                count += 1.0;
            }
        }
    }
    if count > 0.0 {
        (error / count, bias / count)
    } else {
        (f64::INFINITY, 0.0)
    }
}

pub(super) fn run(series: &[Vec<f64>], settings: &DemandSettings) -> Result<Outcome, DemandError> {
    let periods = series[0].len();
    let folds = (1..=settings.folds)
        .map(|fold| make_fold(series, periods - fold * settings.horizon, settings))
        .collect::<Result<Vec<_>, _>>()?;
    let candidates: Vec<Method> = folds[0].methods.iter().map(|(method, _)| *method).collect();
    let candidates: Vec<Method> = candidates
        .into_iter()
        .filter(|method| folds.iter().all(|fold| fold.level_of(*method, 0).is_some()))
        .collect();
    let table = candidates
        .iter()
        .map(|&method| {
            let level = |fold: &Fold, index| fold.level_of(method, index).unwrap_or(0.0);
            let (rmsse, bias) = mean_score(series, &folds, settings.horizon, |_, _| true, level);
            MethodScore {
                method,
                rmsse,
                bias,
            }
        })
        .collect();
    let classes: Vec<Vec<DemandClass>> = folds
        .iter()
        .map(|fold| {
            series
                .iter()
                .map(|one| DemandClass::of(&one[..fold.history]))
                .collect()
        })
        .collect();
    let choices = CLASSES
        .iter()
        .map(|&class| choose(class, series, &folds, &classes, &candidates, settings))
        .collect::<Vec<_>>();
    let calibrated = calibrate(series, &folds, &classes, &choices, settings.horizon);
    Ok(Outcome {
        choices,
        table,
        calibrated,
    })
}

fn make_fold(
    series: &[Vec<f64>],
    history: usize,
    settings: &DemandSettings,
) -> Result<Fold, DemandError> {
    let level = |method: Method| -> Vec<f64> {
        series
            .iter()
            .map(|one| method.level(&one[..history], settings.season))
            .collect()
    };
    let mut methods: Vec<(Method, Vec<f64>)> = Method::CLASSICAL
        .iter()
        .map(|&method| (method, level(method)))
        .collect();
    if settings.boosted {
        for method in BOOSTED {
            if let Some(levels) = lagged::levels(series, history, method, settings)? {
                methods.push((method, levels));
            }
        }
    }
    Ok(Fold { history, methods })
}

impl Fold {
    fn level_of(&self, method: Method, series: usize) -> Option<f64> {
        self.methods
            .iter()
            .find(|(known, _)| *known == method)
            .map(|(_, levels)| levels[series])
    }

    fn mean_level(&self, methods: &[Method], series: usize) -> f64 {
        let sum: f64 = methods
            .iter()
            .filter_map(|&method| self.level_of(method, series))
            .sum();
        sum / methods.len().max(1) as f64
    }
}

/// The method with the least error, or the mean of the three best where that is better still.
fn choose(
    class: DemandClass,
    series: &[Vec<f64>],
    folds: &[Fold],
    classes: &[Vec<DemandClass>],
    candidates: &[Method],
    settings: &DemandSettings,
) -> ClassChoice {
    let fold_index = |fold: &Fold| {
        folds
            .iter()
            .position(|other| other.history == fold.history)
            .unwrap_or(0)
    };
    let of_class = |fold: &Fold, index: usize| classes[fold_index(fold)][index] == class;
    // A class to which hardly any belonged is judged by all series: the best of a dozen methods on five series is luck.
    let least = folds.iter().map(|fold| {
        let of_it = (0..series.len()).filter(|&index| of_class(fold, index));
        of_it.count()
    });
    let is_judged_alone = least.min().unwrap_or(0) >= CLASS_SERIES_MIN;
    let judge = |methods: &[Method]| {
        let level = |fold: &Fold, index| fold.mean_level(methods, index);
        mean_score(
            series,
            folds,
            settings.horizon,
            |fold, index| !is_judged_alone || of_class(fold, index),
            level,
        )
    };
    let mut ranked: Vec<(f64, Vec<Method>)> = candidates
        .iter()
        .map(|&method| (judge(&[method]).0, vec![method]))
        .collect();
    ranked.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    let best_three: Vec<Method> = ranked
        .iter()
        .take(3)
        .map(|(_, methods)| methods[0])
        .collect();
    ranked.insert(0, (judge(&best_three).0, best_three));
    let best = ranked
        .iter()
        .min_by(|left, right| left.0.total_cmp(&right.0));
    let methods = best.map_or_else(
        || vec![Method::MovingAverage],
        |(_, methods)| methods.clone(),
    );
    let (rmsse, bias) = judge(&methods);
    ClassChoice {
        class,
        series: series
            .iter()
            .filter(|one| DemandClass::of(one) == class)
            .count(),
        methods,
        rmsse,
        bias,
    }
}

/// For each of [`LEVELS`], the level of the distribution that covered that share of the held-out demand.
fn calibrate(
    series: &[Vec<f64>],
    folds: &[Fold],
    classes: &[Vec<DemandClass>],
    choices: &[ClassChoice],
    horizon: usize,
) -> [f64; LEVELS.len()] {
    const GRID: u32 = 400;
    // For each held-out demand, the least grid level whose quantile covers it.
    let mut covering = vec![0_u64; GRID as usize + 1];
    let mut count = 0_u64;
    for (fold, classes) in folds.iter().zip(classes) {
        for (index, one) in series.iter().enumerate() {
            let Some(choice) = choices.iter().find(|choice| choice.class == classes[index]) else {
                continue;
            };
            let past = &one[..fold.history];
            let distribution =
                NegativeBinomial::new(fold.mean_level(&choice.methods, index), dispersion(past));
            let quantiles: Vec<f64> = (1..GRID)
                .map(|step| distribution.quantile(f64::from(step) / f64::from(GRID)))
                .collect();
            for demand in &one[fold.history..fold.history + horizon] {
                covering[quantiles.partition_point(|quantile| quantile < demand)] += 1;
                count += 1;
            }
        }
    }
    LEVELS.map(|wanted| {
        let mut covered = 0;
        let mut best = (f64::INFINITY, wanted);
        for (step, &fresh) in (1..GRID).zip(&covering) {
            covered += fresh;
            let off = (covered as f64 / count.max(1) as f64 - wanted).abs();
            if off < best.0 {
                best = (off, f64::from(step) / f64::from(GRID));
            }
        }
        best.1
    })
}

/// Levels after the whole history, by each series' class.
pub(super) fn forecast_chosen(
    series: &[Vec<f64>],
    settings: &DemandSettings,
    choices: &[ClassChoice],
) -> Result<Vec<f64>, DemandError> {
    let history = series[0].len();
    let boosted = choices
        .iter()
        .flat_map(|choice| &choice.methods)
        .any(|method| method.loss().is_some());
    let settings = DemandSettings {
        boosted,
        ..*settings
    };
    let fold = make_fold(series, history, &settings)?;
    let level = |(index, one): (usize, &Vec<f64>)| {
        let class = DemandClass::of(one);
        let methods = choices
            .iter()
            .find(|choice| choice.class == class)
            .map(|choice| choice.methods.as_slice());
        fold.mean_level(methods.unwrap_or(&[Method::MovingAverage]), index)
    };
    Ok(series.iter().enumerate().map(level).collect())
}

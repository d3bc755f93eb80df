//! The judge: every method forecasts held-out stretches before the end of the history, each class takes the best.

use super::methods::{BOOSTED, Method};
use super::quantile::dispersion;
use super::{CLASSES, DemandClass, DemandError, DemandSettings, LEVELS, NegativeBinomial, lagged};

use std::collections::BTreeMap;

/// Fewest series of a class that choose a method of their own.
const CLASS_SERIES_MIN: usize = 30;

/// Methods whose errors differ by no more standard errors than this are not told apart.
const NEAR_ERRORS: f64 = 2.0;
/// With fewer scores of series and folds than this, the method that happens to be best is hardly better than the next.
const FEW_SCORES: usize = 200;

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
    let judge = |methods: &[Method], judges: &dyn Fn(usize, usize) -> bool| {
        Rival::judge(methods, series, &folds, settings.horizon, judges)
    };
    let table = candidates
        .iter()
        .map(|&method| {
            let (rmsse, bias) = judge(&[method], &|_, _| true).mean();
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
        .map(|&class| choose(class, series, &classes, &candidates, &judge))
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

/// Methods whose mean may be used, and how it did.
struct Rival {
    methods: Vec<Method>,
    /// Series, scaled error and scaled bias, for each fold that judges the series.
    scores: Vec<(usize, f64, f64)>,
}

impl Rival {
    /// Judges the mean of methods on the folds and series, both by number, that are let in.
    fn judge(
        methods: &[Method],
        series: &[Vec<f64>],
        folds: &[Fold],
        horizon: usize,
        judges: &dyn Fn(usize, usize) -> bool,
    ) -> Self {
        let mut scores = Vec::new();
        for (number, fold) in folds.iter().enumerate() {
            for (index, one) in series.iter().enumerate() {
                let level = fold.mean_level(methods, index);
                if judges(number, index)
                    && let Some((error, bias)) = score(one, fold.history, horizon, level)
                {
                    scores.push((index, error, bias));
                }
            }
        }
        Self {
            methods: methods.to_vec(),
            scores,
        }
    }

    /// Mean scaled error and bias.
    fn mean(&self) -> (f64, f64) {
        let count = self.scores.len() as f64;
        let sum = |each: fn(&(usize, f64, f64)) -> f64| self.scores.iter().map(each).sum::<f64>();
        if self.scores.is_empty() {
            (f64::INFINITY, 0.0)
        } else {
            (sum(|score| score.1) / count, sum(|score| score.2) / count)
        }
    }

    /// Whether its error is above another's by no more than two standard errors of their difference. The folds of one
    /// series are not independent, so their differences are added up before they are squared.
    fn is_near(&self, other: &Self) -> bool {
        let pairs = || self.scores.iter().zip(&other.scores);
        let count = self.scores.len().max(1) as f64;
        let mean = pairs().map(|(own, its)| own.1 - its.1).sum::<f64>() / count;
        let mut of_series: BTreeMap<usize, f64> = BTreeMap::new();
        for (own, its) in pairs() {
            *of_series.entry(own.0).or_default() += own.1 - its.1 - mean;
        }
        let spread = of_series.values().map(|off| off * off).sum::<f64>().sqrt();
        mean <= NEAR_ERRORS * spread / count
    }
}

/// What a class uses: the method with the least error, or the mean of the three best where that is no worse. Where few
/// series tell, the mean of the steady methods, unless that is plainly worse.
fn choose(
    class: DemandClass,
    series: &[Vec<f64>],
    classes: &[Vec<DemandClass>],
    candidates: &[Method],
    judge: &impl Fn(&[Method], &dyn Fn(usize, usize) -> bool) -> Rival,
) -> ClassChoice {
    // A class to which hardly any belonged is judged by all series: the best of a dozen methods on five series is luck.
    let of_class = classes
        .iter()
        .map(|classes| classes.iter().filter(|&&its| its == class).count());
    let is_judged_alone = of_class.min().unwrap_or(0) >= CLASS_SERIES_MIN;
    let judges = |fold: usize, index: usize| !is_judged_alone || classes[fold][index] == class;
    let judge = |methods: &[Method]| judge(methods, &judges);
    let mut rivals: Vec<Rival> = candidates.iter().map(|&method| judge(&[method])).collect();
    rivals.sort_by(|left, right| left.mean().0.total_cmp(&right.mean().0));
    let best_three: Vec<Method> = rivals
        .iter()
        .take(3)
        .map(|rival| rival.methods[0])
        .collect();
    rivals.insert(0, judge(&best_three));
    let steady = judge(&Method::STEADY);
    let best = rivals
        .iter()
        .min_by(|left, right| left.mean().0.total_cmp(&right.mean().0))
        .unwrap_or(&steady);
    let chosen = if best.scores.len() < FEW_SCORES && steady.is_near(best) {
        &steady
    } else {
        best
    };
    let (rmsse, bias) = chosen.mean();
    ClassChoice {
        class,
        series: series
            .iter()
            .filter(|one| DemandClass::of(one) == class)
            .count(),
        methods: chosen.methods.clone(),
        rmsse,
        bias,
    }
}

/// For each of [`LEVELS`], the least level of the distribution that covered at least that share of the held-out demand, one
/// demand that is yet to come counted as not covered. Where none did, it is the highest level tried.
/// Source: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005), §2.
fn calibrate(
    series: &[Vec<f64>],
    folds: &[Fold],
    classes: &[Vec<DemandClass>],
    choices: &[ClassChoice],
    horizon: usize,
) -> [f64; LEVELS.len()] {
    const GRID: u32 = 400;
    const HIGHEST: f64 = 399.0 / 400.0;
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
        let enough = (1..GRID).zip(&covering).find(|&(_, &fresh)| {
            covered += fresh;
            covered as f64 >= wanted * (count + 1) as f64
        });
        enough.map_or(HIGHEST, |(step, _)| f64::from(step) / f64::from(GRID))
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

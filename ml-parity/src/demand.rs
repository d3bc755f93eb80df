//! Intermittent demand: the method is chosen by backtest inside the history; the last periods are looked at once.

use crate::baseline::Baselines;
use crate::data::{Folder, records};
use crate::error::BenchError;
use crate::report::{Report, decimals};
use ml::demand::{DemandForecast, DemandSettings, Method};
use serde_json::Value;
use std::path::PathBuf;

/// Errors of one forecast, as in the tables of the field; means over series.
struct Errors {
    mase: f64,
    rmsse: f64,
    lead_time: f64,
    bias: f64,
}

/// Asks every data set of demand, and those that carry a demand file beside another task.
pub(crate) fn ask(
    folders: &[Folder],
    baselines: &Baselines,
    report: &mut Report,
) -> Result<(), BenchError> {
    report.section(
        "Demand",
        "Scaled errors on the held-out last periods, lower is better; bias nearer zero. The rows of single methods are for comparison; \
         `chosen` is what the product uses, chosen inside the history.",
    );
    let mut rows = Vec::new();
    for folder in folders {
        let (file, about) = match (folder.task(), folder.schema.get("demand_file")) {
            ("demand", _) => (folder.schema["file"].as_str(), &folder.schema),
            (_, Some(file)) => (file.as_str(), &folder.schema["demand"]),
            _ => continue,
        };
        let path = folder.path.join(file.unwrap_or("demand.csv.gz"));
        measure(&folder.name, path, about, baselines, &mut rows, report)?;
    }
    report.table(
        &[
            "data",
            "method",
            "MASE",
            "RMSSE",
            "lead time",
            "bias",
            "95 % covers",
        ],
        &rows,
    );
    Ok(())
}

fn measure(
    name: &str,
    path: PathBuf,
    about: &Value,
    baselines: &Baselines,
    rows: &mut Vec<Vec<String>>,
    report: &mut Report,
) -> Result<(), BenchError> {
    let number = |field: &str| usize::try_from(about[field].as_u64().unwrap_or(0)).unwrap_or(0);
    let (horizon, season, periods) = (number("horizon"), number("season"), number("periods"));
    let series: Vec<Vec<f64>> = records(&path)?
        .iter()
        .skip(1)
        .map(|record| {
            let first = record.len() - periods;
            record
                .iter()
                .skip(first)
                .map(|text| text.parse().unwrap_or(0.0))
                .collect()
        })
        .collect();
    let known = periods - horizon;
    let history: Vec<Vec<f64>> = series.iter().map(|one| one[..known].to_vec()).collect();
    let settings = DemandSettings {
        horizon,
        season,
        folds: 2,
        boosted: true,
        seed: 1,
        threads: 2,
    };
    let forecast = DemandForecast::make(&history, &settings)?;
    let chosen = errors(&series, known, |index| forecast.series[index].mean);
    let covered = coverage(&series, known, &forecast);
    let mut best = f64::INFINITY;
    for method in Method::CLASSICAL {
        let each = errors(&series, known, |index| {
            method.level(&history[index], season)
        });
        best = best.min(each.rmsse);
        rows.push(line(name, &format!("{method:?}"), &each, ""));
    }
    rows.push(line(name, "chosen", &chosen, &format!("{covered:.3}")));
    let choices: Vec<String> = forecast
        .choices
        .iter()
        .map(|choice| format!("{:?} {} {:?}", choice.class, choice.series, choice.methods))
        .collect();
    rows.push(vec![name.to_owned(), choices.join("; ")]);
    report.at_most(
        &format!("demand: RMSSE of {name}, best single method of this run"),
        best,
        chosen.rmsse,
    );
    for (metric, found) in [("rmsse", chosen.rmsse), ("bias", chosen.bias.abs())] {
        if let Some(known) = baselines.of(name, metric) {
            report.at_most(
                &format!("demand: {metric} of {name}, best known"),
                known,
                found,
            );
        }
    }
    report.bar(
        &format!("demand: the 95 % quantile of {name} covers"),
        "93 to 97 %",
        &format!("{:.1} %", covered * 100.0),
        (0.93..=0.97).contains(&covered),
    );
    Ok(())
}

fn line(name: &str, method: &str, errors: &Errors, covered: &str) -> Vec<String> {
    let mut cells = vec![name.to_owned(), method.to_owned()];
    cells.extend([errors.mase, errors.rmsse, errors.lead_time, errors.bias].map(decimals));
    cells.push(covered.to_owned());
    cells
}

fn errors(series: &[Vec<f64>], known: usize, level: impl Fn(usize) -> f64) -> Errors {
    let mut sums = [0.0; 4];
    let mut count = 0.0;
    for (index, one) in series.iter().enumerate() {
        let steps = (known - 1) as f64;
        let pairs = || one[..known].windows(2).map(|pair| pair[1] - pair[0]);
        let squared = pairs().map(|step| step * step).sum::<f64>() / steps;
        let absolute = pairs().map(f64::abs).sum::<f64>() / steps;
        if squared <= 0.0 {
            continue;
        }
        let level = level(index);
        let ahead = &one[known..];
        let horizon = ahead.len() as f64;
        let mean = |each: &dyn Fn(f64) -> f64| {
            ahead.iter().map(|&demand| each(demand)).sum::<f64>() / horizon
        };
        let off = mean(&|demand| level - demand);
        sums[0] += mean(&|demand| (level - demand).abs()) / absolute;
        sums[1] += (mean(&|demand| (level - demand).powi(2)) / squared).sqrt();
        sums[2] += off.abs() / absolute;
        sums[3] += off / absolute;
        count += 1.0;
    }
    let [mase, rmsse, lead_time, bias] = sums.map(|sum| sum / count);
    Errors {
        mase,
        rmsse,
        lead_time,
        bias,
    }
}

/// Share of held-out periods whose demand the 95 % quantile covers.
fn coverage(series: &[Vec<f64>], known: usize, forecast: &DemandForecast) -> f64 {
    let (mut covered, mut count) = (0.0, 0.0);
    for (index, one) in series.iter().enumerate() {
        let limit = forecast.quantile(index, 1.0, 0.95).unwrap_or(0.0);
        covered += one[known..]
            .iter()
            .filter(|&&demand| demand <= limit)
            .count() as f64;
        count += (one.len() - known) as f64;
    }
    covered / count
}

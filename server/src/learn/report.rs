//! A backtest as tables for a terminal and as a page with plots that needs nothing but a browser.

use std::fmt::Write as _;

use ml::metric;

use super::failure::{Backtest, HorizonResult, Scores};
use super::vehicle;
use crate::rfc3339;

/// Width and height of a plot.
const WIDE: f64 = 360.0;
const HIGH: f64 = 280.0;
/// Room for the axes.
const MARGIN: f64 = 36.0;
/// Points of a curve at most.
const POINTS: usize = 200;
/// Features shown in the importances.
const FEATURES_SHOWN: usize = 15;
const COLOURS: [&str; 3] = ["#0b6e99", "#c4442a", "#6b7f2a"];

/// The comparison as lines: each horizon's model beside the base rate and the rule.
pub(crate) fn table(backtest: &Backtest) -> String {
    let mut text = format!(
        "backtest: {} window(s), snapshots from {} to {}\n",
        backtest.folds,
        day(backtest.test_from),
        day(backtest.test_to)
    );
    let _ = writeln!(
        text,
        "{:>4}  {:<28} {:>8} {:>8} {:>8} {:>7} {:>9} {:>9}",
        "days", "method", "log loss", "ROC-AUC", "PR-AUC", "ECE", "accuracy", "top 10 %"
    );
    for result in &backtest.horizons {
        for (name, scores) in methods(result) {
            let Scores {
                logloss,
                roc_auc,
                pr_auc,
                ece,
                accuracy,
                caught_in_riskiest_tenth,
            } = scores;
            let _ = writeln!(
                text,
                "{:>4}  {name:<28} {logloss:>8.4} {roc_auc:>8.4} {pr_auc:>8.4} {ece:>7.4} {accuracy:>9.4} {caught_in_riskiest_tenth:>9.4}",
                result.days
            );
        }
        let share = result.failures as f64 / result.snapshots.max(1) as f64;
        let _ = writeln!(
            text,
            "{:>4}  {} of {} snapshots failed ({:.1} %); always saying the majority is right {:.1} % of the time",
            result.days,
            result.failures,
            result.snapshots,
            100.0 * share,
            100.0 * result.majority_share
        );
    }
    text.push_str("top 10 %: share of the failures among the tenth of vehicles rated riskiest; chance would catch 0.10\n");
    text
}

fn methods(result: &HorizonResult) -> [(&'static str, &Scores); 3] {
    [
        ("hazard model", &result.model),
        ("base rate (same for all)", &result.base_rate),
        ("rule: failures last year", &result.rule),
    ]
}

fn day(at: i64) -> String {
    rfc3339::to_string(storage::Timestamp::from_micros(at))
        .chars()
        .take(10)
        .collect()
}

/// The page. `shap` are mean absolute Shapley values by feature, `curves` some vehicles with their probabilities.
pub(crate) fn html(
    backtest: &Backtest,
    shap: &[(String, f64)],
    curves: &[(String, Vec<(f32, f64)>)],
) -> String {
    let mut page = String::from(concat!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>RailFleet: failure backtest</title><style>",
        "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1180px;padding:0 1rem;color:#1c2429}",
        "table{border-collapse:collapse}td,th{padding:.25rem .7rem;text-align:right;border-bottom:1px solid #dde3e7}",
        "td:nth-child(2),th:nth-child(2){text-align:left}figure{display:inline-block;margin:.6rem 1rem .6rem 0}",
        "figcaption{font-weight:600}svg text{font:11px system-ui,sans-serif;fill:#1c2429}</style></head><body>"
    ));
    let _ = write!(
        page,
        "<h1>Failure within 30, 60 and 90 days</h1><p>{} test window(s), snapshots from {} to {}. Each window is predicted by a model that was trained on \
         what was known before it, with a gap longer than the label window.</p>",
        backtest.folds,
        day(backtest.test_from),
        day(backtest.test_to)
    );
    page.push_str("<table><tr><th>days</th><th>method</th><th>log loss</th><th>ROC-AUC</th><th>PR-AUC</th><th>ECE</th><th>accuracy</th><th>caught in top 10 %</th></tr>");
    for result in &backtest.horizons {
        for (name, scores) in methods(result) {
            let _ = write!(
                page,
                "<tr><td>{}</td><td>{name}</td><td>{:.4}</td><td>{:.4}</td><td>{:.4}</td><td>{:.4}</td><td>{:.4}</td><td>{:.3}</td></tr>",
                result.days,
                scores.logloss,
                scores.roc_auc,
                scores.pr_auc,
                scores.ece,
                scores.accuracy,
                scores.caught_in_riskiest_tenth
            );
        }
    }
    page.push_str("</table><p>Accuracy says little where most vehicles do not fail: always saying so is right ");
    let shares: Vec<String> = backtest
        .horizons
        .iter()
        .map(|result| format!("{:.1} %", 100.0 * result.majority_share))
        .collect();
    let _ = write!(page, "{} of the time.</p>", shares.join(", "));
    let curve = |of: fn(&HorizonResult) -> Vec<(f64, f64)>| -> Vec<(String, Vec<(f64, f64)>)> {
        backtest
            .horizons
            .iter()
            .map(|result| (format!("{} days", result.days), of(result)))
            .collect()
    };
    page.push_str(&plot(
        "ROC: failures caught against false alarms",
        &curve(roc),
        (1.0, 1.0),
        true,
    ));
    page.push_str(&plot(
        "Precision against recall",
        &curve(precision),
        (1.0, 1.0),
        false,
    ));
    page.push_str(&plot(
        "Calibration: observed against predicted",
        &curve(calibration),
        (1.0, 1.0),
        true,
    ));
    let mut importance: Vec<(String, f64)> = names()
        .into_iter()
        .zip(backtest.importance.iter().copied())
        .collect();
    importance.sort_by(|left, right| right.1.total_cmp(&left.1));
    page.push_str(&bars("Importance: share of the loss saved", &importance));
    page.push_str(&bars("SHAP: mean absolute effect on the score", shap));
    let hazards: Vec<(String, Vec<(f64, f64)>)> = curves
        .iter()
        .map(|(name, points)| {
            let from_zero = std::iter::once((0.0, 0.0)).chain(
                points
                    .iter()
                    .map(|&(days, chance)| (f64::from(days), chance)),
            );
            (name.clone(), from_zero.collect())
        })
        .collect();
    let highest = hazards
        .iter()
        .flat_map(|(_, points)| points)
        .map(|&(_, chance)| chance)
        .fold(0.1, f64::max);
    page.push_str(&plot(
        "Probability of failure by day: riskiest, middle, safest",
        &hazards,
        (90.0, highest),
        false,
    ));
    page.push_str("</body></html>\n");
    page
}

fn names() -> Vec<String> {
    vehicle::features()
        .into_iter()
        .map(|feature| feature.name)
        .chain(["period".to_owned()])
        .collect()
}

fn descending(result: &HorizonResult) -> Vec<f32> {
    let mut order: Vec<usize> = (0..result.labels.len()).collect();
    order.sort_by(|&left, &right| result.chances[right].total_cmp(&result.chances[left]));
    order.into_iter().map(|row| result.labels[row]).collect()
}

fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.last().copied();
    points.into_iter().step_by(step).chain(last).collect()
}

fn roc(result: &HorizonResult) -> Vec<(f64, f64)> {
    let (failed, survived) = (
        result.failures.max(1) as f64,
        (result.snapshots - result.failures).max(1) as f64,
    );
    let (mut caught, mut alarms) = (0.0, 0.0);
    let points = descending(result).into_iter().map(|label| {
        caught += f64::from(label);
        alarms += 1.0 - f64::from(label);
        (alarms / survived, caught / failed)
    });
    thinned(std::iter::once((0.0, 0.0)).chain(points).collect())
}

fn precision(result: &HorizonResult) -> Vec<(f64, f64)> {
    let mut caught = 0.0;
    let points = descending(result)
        .into_iter()
        .enumerate()
        .map(|(at, label)| {
            caught += f64::from(label);
            (
                caught / result.failures.max(1) as f64,
                caught / (at + 1) as f64,
            )
        });
    // The first few alarms are all or nothing and say little.
    thinned(points.skip(20).collect())
}

fn calibration(result: &HorizonResult) -> Vec<(f64, f64)> {
    let bins = metric::calibration_table(&result.labels, &result.chances);
    bins.into_iter()
        .filter(|bin| bin.rows >= 20)
        .map(|bin| (bin.predicted, bin.observed))
        .collect()
}

/// Lines in a frame; `diagonal` draws what chance or perfection would be.
fn plot(
    title: &str,
    lines: &[(String, Vec<(f64, f64)>)],
    (right, top): (f64, f64),
    diagonal: bool,
) -> String {
    let x = |value: f64| MARGIN + (WIDE - 1.3 * MARGIN) * (value / right).clamp(0.0, 1.0);
    let y = |value: f64| HIGH - MARGIN - (HIGH - 1.5 * MARGIN) * (value / top).clamp(0.0, 1.0);
    let mut svg = format!(
        "<figure><figcaption>{}</figcaption><svg width=\"{WIDE}\" height=\"{HIGH}\" role=\"img\">",
        escaped(title)
    );
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let _ = write!(
            svg,
            "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#e3e8eb\"/><text x=\"4\" y=\"{:.1}\">{:.2}</text><text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x(0.0),
            x(right),
            y(share * top),
            y(share * top),
            y(share * top) + 4.0,
            share * top,
            x(share * right) - 8.0,
            HIGH - 16.0,
            trimmed(share * right)
        );
    }
    if diagonal {
        let _ = write!(
            svg,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#9aa7ae\" stroke-dasharray=\"4 4\"/>",
            x(0.0),
            y(0.0),
            x(right),
            y(top)
        );
    }
    for (at, (name, points)) in lines.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let path: Vec<String> = points
            .iter()
            .map(|&(across, up)| format!("{:.1},{:.1}", x(across), y(up)))
            .collect();
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\" style=\"fill:{colour}\">{}</text>",
            path.join(" "),
            x(0.0) + 8.0,
            16.0 + 14.0 * at as f64,
            escaped(name)
        );
    }
    svg.push_str("</svg></figure>");
    svg
}

fn bars(title: &str, values: &[(String, f64)]) -> String {
    let shown = &values[..values.len().min(FEATURES_SHOWN)];
    let most = shown
        .iter()
        .map(|&(_, value)| value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let high = 24.0 + 17.0 * shown.len() as f64;
    let mut svg = format!(
        "<figure><figcaption>{}</figcaption><svg width=\"{}\" height=\"{high}\" role=\"img\">",
        escaped(title),
        WIDE + 120.0
    );
    for (at, (name, value)) in shown.iter().enumerate() {
        let y = 17.0 * at as f64 + 6.0;
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{:.1}\">{}</text><rect x=\"190\" y=\"{y:.1}\" width=\"{:.1}\" height=\"12\" fill=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\">{:.3}</text>",
            y + 10.0,
            escaped(name),
            220.0 * value / most,
            COLOURS[0],
            195.0 + 220.0 * value / most,
            y + 10.0,
            value
        );
    }
    svg.push_str("</svg></figure>");
    svg
}

fn trimmed(value: f64) -> String {
    if value >= 2.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

//! Reasons in the words of the workshop: Shapley values of related features together, told by the one that weighs most.

use super::history::FaultGroup;

/// One reason for or against a failure.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Reason {
    /// What it is about: `door`, `mileage`, `season` …
    pub(crate) theme: String,
    /// A sentence.
    pub(crate) text: String,
    /// `raises` or `lowers` the risk.
    pub(crate) effect: &'static str,
    /// Its part of all that moved this prediction away from the fleet's average, in [0, 1].
    pub(crate) weight: f64,
    /// The feature that weighs most in it, its value, and the fleet's usual one.
    pub(crate) feature: String,
    pub(crate) value: Option<f32>,
    pub(crate) typical: Option<f32>,
}

/// The weightiest reasons first. `shap` has one value a feature; so have `row` and `typical`.
pub(crate) fn reasons(
    names: &[&str],
    shap: &[f64],
    row: &[f32],
    typical: &[f32],
    category: impl Fn(usize) -> Option<String>,
) -> Vec<Reason> {
    let total: f64 = shap.iter().map(|value| value.abs()).sum();
    let mut themes: Vec<(&str, Vec<usize>)> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let theme = theme_of(name);
        match themes.iter_mut().find(|(known, _)| *known == theme) {
            Some((_, members)) => members.push(at),
            None => themes.push((theme, vec![at])),
        }
    }
    let mut reasons: Vec<Reason> = themes
        .into_iter()
        .filter_map(|(theme, members)| {
            let sum: f64 = members.iter().map(|&at| shap[at]).sum();
            // The member that speaks for the theme pulls the same way as the theme.
            let lead = members.into_iter().filter(|&at| shap[at] * sum > 0.0);
            let lead =
                lead.max_by(|&left, &right| shap[left].abs().total_cmp(&shap[right].abs()))?;
            let value = Some(row[lead]).filter(|value| value.is_finite());
            let usual = Some(typical[lead]).filter(|value| value.is_finite());
            let text = match category(lead) {
                Some(word) => format!("{}: {word}", label_of(names[lead])),
                None => sentence(names[lead], value, usual),
            };
            Some(Reason {
                theme: theme.to_owned(),
                text,
                effect: if sum > 0.0 { "raises" } else { "lowers" },
                weight: if total > 0.0 { sum.abs() / total } else { 0.0 },
                feature: names[lead].to_owned(),
                value,
                typical: usual,
            })
        })
        .collect();
    reasons.sort_by(|left, right| right.weight.total_cmp(&left.weight));
    reasons
}

/// What a feature is about.
fn theme_of(name: &str) -> &str {
    for group in FaultGroup::ALL {
        if name.starts_with(group.name()) || name.strip_prefix("days_since_") == Some(group.name())
        {
            return group.name();
        }
    }
    match name {
        _ if name.contains("fleet") => "fleet",
        _ if name.contains("maintenance") => "maintenance",
        _ if name.contains("incident") || name.starts_with("delay") => "incidents",
        "age_days" | "observed_days" => "age",
        "mileage" | "km_per_day_90" => "mileage",
        "month" => "season",
        "model" => "model",
        "place" => "line",
        "parts_used_365" => "parts",
        "event_count" | "status_duration_days" => "records",
        "period" => "time ahead",
        _ => "failures",
    }
}

fn label_of(name: &str) -> &str {
    match name {
        "model" => "Model",
        "place" => "Line or place",
        "month" => "Month",
        other => other,
    }
}

/// One feature as a sentence, beside what is usual in the fleet.
fn sentence(name: &str, value: Option<f32>, typical: Option<f32>) -> String {
    let Some(value) = value else {
        return match name.strip_prefix("days_since_") {
            Some(what) => format!("No {} on record", what.replace('_', " ")),
            None => format!("{} is not known", plain(name)),
        };
    };
    let usual = |unit: &str| {
        typical.map_or(String::new(), |typical| {
            format!(" (usual: {}{unit})", number(typical))
        })
    };
    if let Some(what) = name.strip_prefix("days_since_") {
        let what = match what {
            "failure" => "failure".to_owned(),
            "failure_2" => "failure but one".to_owned(),
            "failure_3" => "failure but two".to_owned(),
            "incident" => "incident".to_owned(),
            "maintenance" => "maintenance".to_owned(),
            group => format!("{group} fault"),
        };
        return format!("Last {what} {} days ago{}", number(value), usual(""));
    }
    for group in FaultGroup::ALL {
        if let Some(window) = name.strip_prefix(group.name()) {
            return format!(
                "{} {} faults in {}{}",
                number(value),
                group.name(),
                window_of(window),
                usual("")
            );
        }
    }
    match name {
        "age_days" => format!("{} days old{}", number(value), usual("")),
        "observed_days" => format!("On record for {} days{}", number(value), usual("")),
        "mileage" => format!("{} km on the odometer{}", number(value), usual("")),
        "km_per_day_90" => format!("{} km a day{}", number(value), usual("")),
        "failures_life" => format!("{} failures on record{}", number(value), usual("")),
        "mean_days_between_failures" => format!(
            "One failure every {} days over its life{}",
            number(value),
            usual("")
        ),
        "gap_mean" => format!(
            "{} days between its latest failures{}",
            number(value),
            usual("")
        ),
        "gap_spread" => format!(
            "Its failures come {} days apart from regular{}",
            number(value),
            usual("")
        ),
        "failure_trend" => format!(
            "Failures now {} times the rate of its last year{}",
            number(value),
            usual("")
        ),
        "delay_90" | "delay_365" => format!(
            "{} minutes of delay in {}{}",
            number(value),
            window_of(&name[5..]),
            usual("")
        ),
        "fleet_failures_30" | "fleet_failures_90" => format!(
            "{} failures a vehicle in the whole fleet in {}{}",
            number(value),
            window_of(&name[14..]),
            usual("")
        ),
        "parts_used_365" => format!("{} parts used in the last year{}", number(value), usual("")),
        "month" => format!("Month {}", value + 1.0),
        _ if name.starts_with("failures_") => format!(
            "{} failures in {}{}",
            number(value),
            window_of(&name[8..]),
            usual("")
        ),
        _ if name.starts_with("incidents_") => format!(
            "{} incidents in {}{}",
            number(value),
            window_of(&name[9..]),
            usual("")
        ),
        _ => format!("{}: {}{}", plain(name), number(value), usual("")),
    }
}

fn window_of(suffix: &str) -> &'static str {
    match suffix {
        "_30" => "the last 30 days",
        "_90" => "the last 90 days",
        "_180" => "the last half year",
        _ => "the last year",
    }
}

fn plain(name: &str) -> String {
    let text = name.replace('_', " ");
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

/// Whole where it is nearly so or large, two digits otherwise.
fn number(value: f32) -> String {
    if value.abs() >= 100.0 || (value - value.round()).abs() < 0.005 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

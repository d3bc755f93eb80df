//! One table for people, a second one of all peers, and everything as JSON.

use crate::figures::Figures;
use crate::goals::{Bar, Outcome};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const COLUMNS: [&str; 8] = [
    "goal",
    "what",
    "anchor",
    "its figure",
    "ours",
    "ratio",
    "bar",
    "held",
];

/// The goals, a line each.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut lines = vec![COLUMNS.map(str::to_owned).to_vec()];
    lines.extend(outcomes.iter().map(cells));
    lay_out(&lines)
}

fn cells(outcome: &Outcome) -> Vec<String> {
    let goal = &outcome.goal;
    let which = match goal.ours.0 {
        "ours" => goal.what.to_owned(),
        other => format!("{} ({})", goal.what, other.trim_start_matches("ours, ")),
    };
    let bar = match goal.bar {
        Bar::Ratio(most) => format!("≤ {most} ×"),
        Bar::AtMost(most) => format!("≤ {most}"),
        Bar::Nothing => String::new(),
    };
    let held = match outcome.held {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    vec![
        goal.number.to_owned(),
        which,
        goal.anchor
            .as_ref()
            .map_or("", |anchor| anchor.0)
            .to_owned(),
        outcome.anchor.map_or(String::new(), number),
        number(outcome.ours),
        outcome
            .ratio
            .map_or(String::new(), |ratio| format!("{} ×", number(ratio))),
        bar,
        held.to_owned(),
    ]
}

/// Every measure of every peer that was given the workloads.
pub fn peers(figures: &Figures, workload: &str) -> String {
    let mut names = BTreeSet::new();
    let mut rows: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for (peer, measure, _) in figures
        .all()
        .filter(|(_, measure, _)| measure.starts_with(workload))
    {
        names.insert(peer);
        let median = figures.median(peer, measure).unwrap_or(f64::NAN);
        rows.entry(measure).or_default().insert(peer, median);
    }
    let mut head = vec!["measure".to_owned()];
    head.extend(names.iter().map(|name| (*name).to_owned()));
    let mut lines = vec![head];
    for (measure, row) in rows {
        let mut line = vec![measure.to_owned()];
        line.extend(
            names
                .iter()
                .map(|name| row.get(name).map_or(String::new(), |value| number(*value))),
        );
        lines.push(line);
    }
    lay_out(&lines)
}

/// A Markdown table with aligned columns; the first line is the head.
fn lay_out(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str("| ");
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 1));
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                text.push('|');
                text.extend(std::iter::repeat_n('-', width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

/// Three digits that count; whole numbers from a hundred on, with commas.
fn number(value: f64) -> String {
    if value >= 100.0 {
        return grouped(value.round() as u64);
    }
    let decimals = if value >= 10.0 {
        1
    } else if value >= 1.0 {
        2
    } else if value >= 0.1 {
        3
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    short.to_owned()
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Goals with their outcome, and every round of every figure.
pub fn json(outcomes: &[Outcome], figures: &Figures) -> Value {
    let goal = |outcome: &Outcome| {
        let goal = &outcome.goal;
        let (most, kind) = match goal.bar {
            Bar::Ratio(most) => (Some(most), "ratio"),
            Bar::AtMost(most) => (Some(most), "value"),
            Bar::Nothing => (None, "none"),
        };
        json!({
            "goal": goal.number,
            "what": goal.what,
            "ours": { "who": goal.ours.0, "measure": goal.ours.1, "median": outcome.ours },
            "anchor": goal.anchor.as_ref().map(|(peer, measure)| {
                json!({ "who": peer, "measure": measure, "median": outcome.anchor })
            }),
            "ratio": outcome.ratio,
            "at_most": most,
            "of": kind,
            "held": outcome.held,
        })
    };
    let figure = |(peer, measure, rounds): (&str, &str, &[f64])| json!({ "who": peer, "measure": measure, "rounds": rounds });
    json!({
        "goals": outcomes.iter().map(goal).collect::<Vec<_>>(),
        "figures": figures.all().map(figure).collect::<Vec<_>>(),
    })
}

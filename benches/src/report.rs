//! The rows as one table for people and as JSON for programs.

use serde_json::{Value, json};

use crate::machine::Machine;
use crate::row::{Bar, Row, Verdict};

const COLUMNS: [&str; 7] = [
    "question",
    "reference",
    "measured",
    "ratio",
    "bar",
    "margin",
    "held",
];

/// The table, one line a row, notes below it.
pub fn table(rows: &[Row]) -> String {
    let mut lines: Vec<[String; COLUMNS.len()]> = vec![COLUMNS.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let mut widths = [0; COLUMNS.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    lines.insert(1, widths.map(|width| "-".repeat(width)));
    let mut text = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(widths) {
            text.push_str("| ");
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 1));
        }
        text.push_str("|\n");
    }
    text
}

/// What a reader must know about each row, one line a note; rows without one are left out.
pub fn notes(rows: &[Row]) -> String {
    rows.iter()
        .filter(|row| !row.note.is_empty())
        .map(|row| format!("- {}: {}\n", row.what, row.note))
        .collect()
}

fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let (measured, held) = match row.verdict() {
        Verdict::Held => (quantity(row.measured, row.unit), "held".to_owned()),
        Verdict::Missed => (quantity(row.measured, row.unit), "MISSED".to_owned()),
        Verdict::NoBar => (quantity(row.measured, row.unit), String::new()),
        Verdict::Skipped(why) => ("-".to_owned(), format!("SKIPPED: {why}")),
        Verdict::Failed(how) => ("-".to_owned(), format!("FAILED: {how}")),
    };
    let reference = row.reference.as_ref().map_or(String::new(), |reference| {
        format!("{} {}", reference.name, quantity(reference.value, row.unit))
    });
    let bars: Vec<String> = row.bars.iter().map(|bar| bar_text(bar, row.unit)).collect();
    [
        row.what.clone(),
        reference,
        measured,
        row.ratio
            .map_or(String::new(), |ratio| format!("{ratio:.2}×")),
        bars.join(" or "),
        row.margin().map_or(String::new(), |margin| {
            format!("{:+.0} %", (margin * 100.0).round() + 0.0)
        }),
        held,
    ]
}

fn bar_text(bar: &Bar, unit: &str) -> String {
    match *bar {
        Bar::AtMost(limit) => format!("≤ {}", quantity(limit, unit)),
        Bar::AtLeast(limit) => format!("≥ {}", quantity(limit, unit)),
        Bar::RatioAtMost(limit) => format!("≤ {limit}×"),
        Bar::RatioAtLeast(limit) => format!("≥ {limit}×"),
        Bar::Within(centre, tolerance) => format!("{centre} ± {tolerance}"),
    }
}

/// A number with three or four digits that matter, large ones grouped in thousands.
fn quantity(value: f64, unit: &str) -> String {
    let digits = if value.abs() >= 100.0 {
        grouped(value)
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    match unit {
        "" => digits,
        "/s" => format!("{digits}/s"),
        _ => format!("{digits} {unit}"),
    }
}

fn grouped(value: f64) -> String {
    let plain = format!("{value:.0}");
    let (sign, digits) = plain
        .strip_prefix('-')
        .map_or(("", &*plain), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Everything, as one JSON object.
pub fn json(machine: &Machine, rows: &[Row]) -> Value {
    json!({
        "machine": {
            "cores": machine.cores,
            "processor": machine.processor,
            "sha_instructions": machine.sha_instructions,
            "memory_gb": machine.memory_gb,
            "kernel": machine.kernel,
            "disk": machine.disk,
            "cpu_pressure_percent": machine.pressure,
            "real_time": machine.real_time,
        },
        "rows": rows.iter().map(row_json).collect::<Vec<_>>(),
    })
}

fn row_json(row: &Row) -> Value {
    let (held, skipped, failed) = match row.verdict() {
        Verdict::Held => (Some(true), None, None),
        Verdict::Missed => (Some(false), None, None),
        Verdict::NoBar => (None, None, None),
        Verdict::Skipped(why) => (None, Some(why), None),
        Verdict::Failed(how) => (None, None, Some(how)),
    };
    let measured = (skipped.is_none() && failed.is_none()).then_some(row.measured);
    json!({
        "question": row.what,
        "unit": row.unit,
        "measured": measured,
        "rounds": row.rounds,
        "reference": row.reference.as_ref().map(|reference| {
            json!({ "name": reference.name, "value": reference.value })
        }),
        "ratio": row.ratio,
        "bars": row.bars.iter().map(|bar| bar_text(bar, row.unit)).collect::<Vec<_>>(),
        "held": held,
        "margin": row.margin(),
        "skipped": skipped,
        "failed": failed,
        "note": row.note,
    })
}

#[cfg(test)]
mod tests;

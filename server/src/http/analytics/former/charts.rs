//! Charts and insights in the shapes of the old dashboards.

use serde_json::{Value, json};

pub(super) const GREEN: &str = "#4CAF50";
pub(super) const YELLOW: &str = "#FFC107";
pub(super) const BLUE: &str = "#2196F3";
pub(super) const RED: &str = "#F44336";
pub(super) const ORANGE: &str = "#FF9800";
pub(super) const PURPLE: &str = "#9C27B0";
pub(super) const CYAN: &str = "#00BCD4";

/// A chart.
pub(super) fn chart(kind: &str, title: &str, labels: Vec<String>, datasets: Vec<Value>) -> Value {
    json!({
        "type": kind,
        "title": title,
        "labels": labels,
        "datasets": datasets,
        "options": {"responsive": true},
    })
}

/// What a chart shows, in one colour.
pub(super) fn dataset(label: &str, colour: &str, data: impl Into<Value>) -> Value {
    json!({
        "label": label,
        "data": data.into(),
        "borderColor": colour,
        "backgroundColor": colour,
    })
}

/// The same with a colour for each value.
pub(super) fn coloured(label: &str, colours: &[&str], data: impl Into<Value>) -> Value {
    json!({"label": label, "data": data.into(), "backgroundColor": colours})
}

/// Something to look at.
pub(super) fn insight(
    title: &str,
    message: String,
    severity: &str,
    data: Value,
    action: &str,
) -> Value {
    json!({
        "title": title,
        "message": message,
        "severity": severity,
        "data": data,
        "action": action,
    })
}

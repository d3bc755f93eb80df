//! How long a work order will take: by the orders done before it, or by the old system's rule where they are too few.

use fleet::calendar::DAY;
use serde_json::{Map, Value, json};
use storage::Timestamp;

use super::history::{Earliest, OrderPast, Reading, last_reading, narrow};
use super::predict::{number, rounded};
use super::{Learning, PredictError};
use crate::rfc3339;

/// Features of the old system, in its order.
pub(crate) const FEATURES: [&str; 8] = [
    "priority_numeric",
    "task_count",
    "assigned_staff_count",
    "days_since_created",
    "days_since_started",
    "parts_required_count",
    "estimated_hours",
    "status_changes_count",
];
/// Done orders from which their durations are worth more than the rule.
const DONE_MIN: usize = 20;
/// An order that takes longer is delayed, in days.
const DELAYED_DAYS: f64 = 7.0;

/// The features of an order as of a time, by the old system's rules; `medium` counts as what it means.
pub(crate) fn row(past: &OrderPast, time: i64) -> Vec<f32> {
    let last = |list: &[Reading]| last_reading(list, time).map_or(0.0, narrow);
    let since = |first: &Earliest| {
        let mark = first.visible(time);
        mark.map_or(0.0, |mark| ((time - mark.happened) / DAY) as f32)
    };
    let priority = past
        .priority
        .iter()
        .rev()
        .find(|word| word.when.visible(time))
        .map_or("", |word| &*word.text);
    let priority = match priority.to_ascii_lowercase().as_str() {
        "low" => 1.0,
        "high" => 3.0,
        "critical" | "urgent" => 4.0,
        _ => 2.0,
    };
    vec![
        priority,
        last(&past.tasks),
        last(&past.staff),
        since(&past.created),
        since(&past.started),
        last(&past.parts),
        last(&past.hours),
        past.changes
            .iter()
            .filter(|mark| mark.visible(time))
            .count() as f32,
    ]
}

impl Learning {
    /// Days until an order is done, from its creation.
    pub(crate) fn predict_completion(
        &self,
        order: &str,
        as_of: Option<i64>,
    ) -> Result<Value, PredictError> {
        let history = self.history()?;
        let past = history
            .orders
            .get(order)
            .ok_or_else(|| PredictError::UnknownOrder(order.to_owned()))?;
        let as_of = as_of.unwrap_or_else(|| self.now());
        let row = row(past, as_of);
        let (tasks, staff) = (f64::from(row[1]), f64::from(row[2]));
        let staff_term = (3.0 - staff).max(0.0);
        let rule = 5.0 + 0.5 * tasks + staff_term;
        let mut durations: Vec<f64> = history
            .orders
            .iter()
            .filter(|(id, _)| &***id != order)
            .filter_map(|(_, other)| {
                let created = other.created.visible(as_of)?;
                let completed = other.completed.visible(as_of)?;
                let days = (completed.happened - created.happened) as f64 / DAY as f64;
                (days >= 0.0 && self::row(other, completed.happened)[0] == row[0]).then_some(days)
            })
            .collect();
        durations.sort_by(f64::total_cmp);
        let at = |share: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "a share of a count")]
            let index = (share * (durations.len() - 1) as f64).round() as usize;
            durations[index]
        };
        let learned = durations.len() >= DONE_MIN;
        let (days, interval) = if learned {
            (at(0.5), Some([rounded(at(0.1)), rounded(at(0.9))]))
        } else {
            (rule, None)
        };
        let facts: Map<String, Value> = FEATURES
            .iter()
            .zip(&row)
            .map(|(name, value)| ((*name).to_owned(), number(*value)))
            .collect();
        Ok(json!({
            "workorder_id": order,
            "as_of": rfc3339::to_string(Timestamp::from_micros(as_of)),
            "position": history.position.get(),
            "source": if learned { "history" } else { "rule" },
            "predicted_completion_days": (days * 10.0).round() / 10.0,
            "interval_80": interval,
            "orders_compared": durations.len(),
            "is_delayed": days > DELAYED_DAYS,
            "features": facts,
            "recommendation": if staff_term > 2.0 { "Add more staff" } else { "On track" },
            "note": if learned {
                "The median of done orders of the same priority, with the range of the middle 80 %."
            } else {
                "Too few orders are done to learn from; this is the rule 5 days + half a day a task + a day for each of three people that is missing."
            },
        }))
    }
}

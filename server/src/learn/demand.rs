//! How many of a part will be needed, month by month, and what to order: from what left the store.

use chrono::{Datelike as _, NaiveDate};
use fleet::calendar::DAY;
use ml::demand::{DemandForecast, DemandSettings};
use serde_json::{Map, Value, json};
use storage::Timestamp;

use super::history::{History, PartPast};
use super::predict::{number, rounded};
use super::{Learning, PredictError};
use crate::rfc3339;

/// Features of the old system, in its order.
pub(crate) const FEATURES: [&str; 6] = [
    "avg_usage_30d",
    "usage_variance",
    "moves_count_90d",
    "days_since_usage",
    "day_of_week",
    "month",
];
/// Months of history that are looked at.
const MONTHS_MAX: usize = 120;
/// Fewest months for a forecast.
const MONTHS_MIN: usize = 8;
/// Months that the backtest holds out.
const HORIZON_MONTHS: usize = 3;
/// Most months that are asked for.
pub(crate) const MONTHS_AHEAD_MAX: usize = 24;
/// Lead time where nothing is known, in days.
const LEAD_TIME_DAYS: f64 = 30.0;
/// Days of a month, on average.
const MONTH_DAYS: f64 = 30.436_875;

/// The features of a part as of a time, by the old system's rules.
pub(crate) fn row(past: &PartPast, time: i64) -> Vec<f32> {
    let recent: Vec<f64> = past
        .usage(time)
        .filter(|one| time - one.when.happened <= 30 * DAY)
        .map(|one| one.value)
        .collect();
    let count = recent.len().max(1) as f64;
    let mean = recent.iter().sum::<f64>() / count;
    let variance = recent
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum::<f64>()
        / count;
    let moves = past
        .moves
        .iter()
        .filter(|one| one.when.visible(time) && time - one.when.happened <= 90 * DAY)
        .count();
    let last = past.usage(time).next_back();
    let day = date_of(time);
    vec![
        super::history::narrow(mean),
        super::history::narrow(variance),
        moves as f32,
        last.map_or(super::vehicle::NEVER_DAYS, |one| {
            ((time - one.when.happened) / DAY) as f32
        }),
        day.weekday().num_days_from_monday() as f32,
        day.month() as f32,
    ]
}

fn date_of(time: i64) -> NaiveDate {
    chrono::DateTime::from_timestamp_micros(time).map_or(NaiveDate::default(), |at| at.date_naive())
}

/// Months since year 0, as one number.
fn month_of(time: i64) -> i64 {
    let day = date_of(time);
    i64::from(day.year()) * 12 + i64::from(day.month0())
}

fn month_name(month: i64) -> String {
    format!(
        "{:04}-{:02}",
        month.div_euclid(12),
        month.rem_euclid(12) + 1
    )
}

/// Usage of every part that had been used, by whole month, all series alike long, up to the month before that of `time`.
fn series(history: &History, time: i64) -> (Vec<&str>, Vec<Vec<f64>>, i64) {
    let end = month_of(time);
    let used = history.parts.iter().filter_map(|(name, past)| {
        let first = past.usage(time).next()?;
        Some((&**name, past, month_of(first.when.happened)))
    });
    let used: Vec<(&str, &PartPast, i64)> = used.collect();
    let first = used.iter().map(|&(_, _, first)| first).min();
    let months = usize::try_from(end - first.unwrap_or(end))
        .unwrap_or(0)
        .min(MONTHS_MAX);
    let begin = end - i64::try_from(months).unwrap_or(0);
    let (mut names, mut all) = (Vec::new(), Vec::new());
    for (name, past, _) in used {
        let mut demand = vec![0.0; months];
        for one in past.usage(time) {
            let month = usize::try_from(month_of(one.when.happened) - begin).ok();
            if let Some(place) = month.and_then(|month| demand.get_mut(month)) {
                *place += one.value;
            }
        }
        names.push(name);
        all.push(demand);
    }
    (names, all, end)
}

/// A forecast of every part's demand.
struct PartsForecast<'a> {
    names: Vec<&'a str>,
    forecast: DemandForecast,
    /// The first month that is forecast.
    from: i64,
}

fn forecast(history: &History, time: i64) -> Result<PartsForecast<'_>, PredictError> {
    let (names, all, from) = series(history, time);
    let months = all.first().map_or(0, Vec::len);
    if months < MONTHS_MIN {
        let text = format!(
            "{months} whole months of part usage are on record; a forecast needs {MONTHS_MIN}"
        );
        return Err(PredictError::TooLittle(text));
    }
    let settings = DemandSettings {
        horizon: HORIZON_MONTHS,
        season: 12,
        folds: ((months - 2) / HORIZON_MONTHS).clamp(1, 2),
        boosted: all.len() >= 20 && months >= 24,
        seed: 1,
        threads: 1,
    };
    let forecast = DemandForecast::make(&all, &settings)
        .map_err(|error| PredictError::Inside(error.to_string()))?;
    Ok(PartsForecast {
        names,
        forecast,
        from,
    })
}

impl Learning {
    /// A part's demand over the coming days, with what to order.
    pub(crate) fn predict_demand(
        &self,
        part: &str,
        days: u64,
        service_level: f64,
        as_of: Option<i64>,
    ) -> Result<Value, PredictError> {
        let history = self.history()?;
        let past = history
            .parts
            .get(part)
            .ok_or_else(|| PredictError::UnknownPart(part.to_owned()))?;
        let as_of = as_of.unwrap_or_else(|| self.now());
        let row = row(past, as_of);
        let facts: Map<String, Value> = FEATURES
            .iter()
            .zip(&row)
            .map(|(name, value)| ((*name).to_owned(), number(*value)))
            .collect();
        let months = days as f64 / MONTH_DAYS;
        let learned = match forecast(&history, as_of) {
            Ok(made) => made
                .names
                .iter()
                .position(|name| *name == part)
                .map(|at| (made, at)),
            Err(PredictError::TooLittle(_)) => None,
            Err(error) => return Err(error),
        };
        let (demand, interval, class) = match &learned {
            Some((made, at)) => {
                let mean = made.forecast.series[*at].mean * months;
                let level = |level: f64| {
                    let quantile = made.forecast.quantile(*at, months, level);
                    quantile.unwrap_or(0.0)
                };
                (
                    mean,
                    Some([level(0.05), level(0.95)]),
                    Some(format!("{:?}", made.forecast.series[*at].class)),
                )
            }
            None => (f64::from(row[0]) * months, None, None),
        };
        let order = learned
            .as_ref()
            .map(|(made, at)| reorder(&made.forecast, *at, (past, as_of), service_level));
        let urgency = match demand {
            demand if demand > 50.0 => "critical",
            demand if demand > 20.0 => "high",
            demand if demand > 10.0 => "medium",
            _ => "low",
        };
        let needed = order
            .as_ref()
            .and_then(|order| order["recommended_order_quantity"].as_f64())
            .map_or(demand > 20.0, |quantity| quantity > 0.0);
        Ok(json!({
            "part_id": part,
            "forecast_days": days,
            "as_of": rfc3339::to_string(Timestamp::from_micros(as_of)),
            "position": history.position.get(),
            "source": if learned.is_some() { "model" } else { "rule" },
            "predicted_demand": (demand * 10.0).round() / 10.0,
            "forecasted_demand": (demand * 10.0).round() / 10.0,
            "confidence_interval": interval,
            "demand_class": class,
            "urgency": urgency,
            "reorder_recommended": needed,
            "recommended_order_quantity": order.as_ref().map(|order| order["recommended_order_quantity"].clone()),
            "order": order,
            "features": facts,
            "note": if learned.is_some() {
                "The method was chosen by backtest on this depot's own usage; the interval covers 90 %."
            } else {
                "Too little usage is on record to forecast; this is the rule: mean usage of the last 30 days times the days asked."
            },
        }))
    }

    /// All parts, month by month, with quantiles.
    pub(crate) fn forecast_parts(
        &self,
        months: usize,
        limit: usize,
        after: Option<&str>,
        service_level: f64,
        as_of: Option<i64>,
    ) -> Result<Value, PredictError> {
        let history = self.history()?;
        let as_of = as_of.unwrap_or_else(|| self.now());
        let made = forecast(&history, as_of)?;
        let mut parts = Vec::new();
        let rest = made
            .names
            .iter()
            .enumerate()
            .filter(|(_, name)| after.is_none_or(|after| **name > after));
        for (at, name) in rest.take(limit + 1) {
            let each: Vec<Value> = (0..months)
                .map(|ahead| {
                    let level = |level: f64| made.forecast.quantile(at, 1.0, level).unwrap_or(0.0);
                    json!({
                        "month": month_name(made.from + i64::try_from(ahead).unwrap_or(0)),
                        "mean": rounded(made.forecast.series[at].mean),
                        "p50": level(0.5),
                        "p75": level(0.75),
                        "p90": level(0.9),
                        "p95": level(0.95),
                    })
                })
                .collect();
            parts.push(json!({
                "part_no": name,
                "demand_class": format!("{:?}", made.forecast.series[at].class),
                "months": each,
                "order": reorder(&made.forecast, at, (&history.parts[*name], as_of), service_level),
            }));
        }
        let more = parts.len() > limit;
        parts.truncate(limit);
        let next = more.then(|| parts.last().map(|part| part["part_no"].clone()));
        let methods: Vec<Value> = made
            .forecast
            .choices
            .iter()
            .map(|choice| {
                json!({
                    "class": format!("{:?}", choice.class),
                    "parts": choice.series,
                    "methods": choice.methods.iter().map(|method| format!("{method:?}")).collect::<Vec<_>>(),
                    "rmsse": rounded(choice.rmsse.min(1e6)),
                    "bias": rounded(choice.bias),
                })
            })
            .collect();
        Ok(json!({
            "as_of": rfc3339::to_string(Timestamp::from_micros(as_of)),
            "position": history.position.get(),
            "parts": parts,
            "next_cursor": next.flatten(),
            "methods": methods,
        }))
    }
}

/// Order-up-to level for the lead time and a month of review, at a service level, by what was known of the part at a time.
fn reorder(
    forecast: &DemandForecast,
    at: usize,
    (past, time): (&PartPast, i64),
    service_level: f64,
) -> Value {
    let stock = past.stock(time);
    let lead = past
        .lead_time_days(time)
        .filter(|days| *days > 0.0)
        .unwrap_or(LEAD_TIME_DAYS);
    let (during, covered) = (lead / MONTH_DAYS, lead / MONTH_DAYS + 1.0);
    let over = |months: f64| {
        let quantile = forecast.quantile(at, months, service_level);
        quantile.unwrap_or(0.0)
    };
    let (point, up_to) = (over(during), over(covered));
    let mean = forecast.series[at].mean * during;
    let quantity = if stock <= point {
        (up_to - stock).max(0.0).ceil()
    } else {
        0.0
    };
    json!({
        "stock_by_moves": stock,
        "lead_time_days": lead,
        "service_level": service_level,
        "reorder_point": point,
        "safety_stock": rounded((point - mean).max(0.0)),
        "order_up_to": up_to,
        "recommended_order_quantity": quantity,
    })
}

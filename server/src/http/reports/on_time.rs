//! Which orders of a month were done by their planned end.

use std::collections::BTreeMap;

use analytics::facts::Facts;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::maintenance_task::TYPES;
use serde_json::{Value, json};

use super::month::Month;
use super::{Reasons, docs, percent, rounded};
use crate::app::AppState;
use crate::http::budgets::overview::required_period;
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::reads;

const HOUR: f64 = 3_600_000_000.0;
/// Why there is no share of orders on time.
pub(super) const NOTHING_PLANNED: &str = "no order with a planned end was completed in this month";

/// The completed orders of a month.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Punctuality {
    on_time: u64,
    late: u64,
    /// Nobody said when they should end, so they are neither.
    unplanned: u64,
    /// Of the late ones together, microseconds.
    delay: i128,
}

impl Punctuality {
    /// Of the orders that were completed in the month, all kinds or one.
    pub(super) fn of(facts: &Facts, month: &Month) -> Self {
        let kinds = by_kind(facts, month);
        kinds.values().fold(Self::default(), Self::with)
    }

    /// How many orders these are.
    pub(super) fn total(self) -> u64 {
        self.on_time + self.late + self.unplanned
    }

    /// The share on time among those that were planned, in percent.
    pub(super) fn ratio_pct(self) -> Option<f64> {
        percent(self.on_time, self.on_time + self.late)
    }

    /// The mean delay of the late ones, in hours.
    fn delay_hours(self) -> Option<f64> {
        (self.late > 0).then(|| rounded(self.delay as f64 / HOUR / self.late as f64, 2))
    }

    fn with(self, other: &Self) -> Self {
        Punctuality {
            on_time: self.on_time + other.on_time,
            late: self.late + other.late,
            unplanned: self.unplanned + other.unplanned,
            delay: self.delay + other.delay,
        }
    }

    fn metric(self, kind: Option<&str>) -> Value {
        json!({
            "maintenance_type": kind,
            "total_work_orders": self.total(),
            "on_time": self.on_time,
            "late": self.late,
            "without_planned_end": self.unplanned,
            "on_time_ratio_pct": self.ratio_pct(),
            "avg_delay_hours": self.delay_hours(),
        })
    }
}

fn by_kind<'a>(facts: &'a Facts, month: &Month) -> BTreeMap<Option<&'a str>, Punctuality> {
    let mut kinds: BTreeMap<Option<&str>, Punctuality> = BTreeMap::new();
    let done = facts.orders.iter().filter(|order| !order.is_void);
    for order in done {
        let Some(ended) = order.ended.filter(|ended| month.holds(*ended)) else {
            continue;
        };
        let punctuality = kinds.entry(order.kind.as_deref()).or_default();
        match order.scheduled_end {
            None => punctuality.unplanned += 1,
            Some(planned) if ended <= planned => punctuality.on_time += 1,
            Some(planned) => {
                punctuality.late += 1;
                punctuality.delay += i128::from(ended) - i128::from(planned);
            }
        }
    }
    kinds
}

/// Orders completed by their planned end.
///
/// Of the orders whose work ended in the month, by kind of maintenance; an order without a kind stands under null. On
/// time is one that ended by its planned end, and where that is a day alone, by the end of the day in
/// `analytics.time_zone`. One without a planned end is neither on time nor late: it counts among the orders, not in the
/// share. The delay is the mean of the late ones.
#[utoipa::path(
    get,
    path = "/api/v1/reports/on_time_ratio",
    tag = "reports",
    operation_id = "on_time_report",
    params(
        ("period" = String, Query, description = "The month, YYYY-MM"),
        ("maintenance_type" = Option<String>, Query, description = "Only of this kind: `HU`, `INSPECTION`, `ECM`, `REPAIR` or `PREVENTIVE`"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The report", body = docs::OnTimeReport)),
)]
pub(crate) async fn on_time_report(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let period = required_period(&mut query);
    let wanted = query.one_of("maintenance_type", TYPES);
    ReadAt::await_log(query, &state).await?;
    let month = Month::of(&period, state.config.analytics.time_zone)?;
    let body = reads::run(&state, move |state| {
        let body = state.figures.ask(&state.log, None, |known| {
            let mut kinds = by_kind(known.facts(), &month);
            if let Some(wanted) = wanted {
                kinds.retain(|kind, _| *kind == Some(TYPES[wanted]));
            }
            report(&month, &kinds, known.position().get())
        })?;
        Ok(body)
    })
    .await?;
    Ok(json_response(body.to_string()))
}

fn report(month: &Month, kinds: &BTreeMap<Option<&str>, Punctuality>, position: u64) -> Value {
    let all = kinds
        .values()
        .fold(Punctuality::default(), Punctuality::with);
    let metrics: Vec<Value> = kinds.iter().map(|(kind, of)| of.metric(*kind)).collect();
    let summary = match all.ratio_pct() {
        Some(share) => format!(
            "{} of {} orders with a planned end were completed on time ({share:.1} %)",
            all.on_time,
            all.on_time + all.late
        ),
        None => format!("In {} {NOTHING_PLANNED}", month.period),
    };
    let mut reasons = Reasons::default();
    let overall = reasons.or_why(
        "overall_on_time_ratio_pct",
        all.ratio_pct(),
        NOTHING_PLANNED,
    );
    json!({
        "period": month.period,
        "metrics": metrics,
        "overall_on_time_ratio_pct": overall,
        "total_work_orders": all.total(),
        "summary": summary,
        "reasons": reasons.0,
        "position": position,
    })
}

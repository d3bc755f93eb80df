//! How many vehicles could run, by their types.

use analytics::kpi::{Kpi, Selection};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::vehicle::{AGGREGATE_TYPE, STATUSES, TYPES};
use serde_json::{Value, json};

use super::month::Month;
use super::{Reasons, docs, percent, rounded};
use crate::app::AppState;
use crate::figures::Known;
use crate::http::budgets::overview::check_period;
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::{Ask, CATALOG, Catalog};
use crate::reads;

/// Vehicles by what their status means here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    available: u64,
    in_service: u64,
    in_workshop: u64,
    out_of_service: u64,
}

impl Counts {
    /// The vehicles of this type, or all.
    pub(super) fn of(catalog: &Catalog, vehicle_type: Option<&str>) -> Result<Self, Problem> {
        let mut counts = Counts::default();
        for status in STATUSES {
            let mut filters = vec![("status", (*status).to_owned())];
            filters.extend(vehicle_type.map(|kind| ("type", kind.to_owned())));
            let ask = Ask {
                aggregate_type: AGGREGATE_TYPE,
                filters,
                limit: 0,
                ..Ask::default()
            };
            let count = catalog.page(&ask)?.value.total as u64;
            *counts.place(status) += count;
        }
        Ok(counts)
    }

    fn place(&mut self, status: &str) -> &mut u64 {
        match status {
            "available" => &mut self.available,
            "in_service" => &mut self.in_service,
            "in_workshop" | "workshop_planned" => &mut self.in_workshop,
            _ => &mut self.out_of_service,
        }
    }

    fn total(self) -> u64 {
        self.available + self.in_service + self.in_workshop + self.out_of_service
    }

    fn operational(self) -> u64 {
        self.available + self.in_service
    }

    /// The share that could run, in percent; `None` without vehicles.
    pub(super) fn availability_pct(self) -> Option<f64> {
        percent(self.operational(), self.total())
    }

    /// What is left without `others`.
    fn without(self, others: Counts) -> Counts {
        Counts {
            available: self.available.saturating_sub(others.available),
            in_service: self.in_service.saturating_sub(others.in_service),
            in_workshop: self.in_workshop.saturating_sub(others.in_workshop),
            out_of_service: self.out_of_service.saturating_sub(others.out_of_service),
        }
    }

    fn with(self, others: Counts) -> Counts {
        Counts {
            available: self.available + others.available,
            in_service: self.in_service + others.in_service,
            in_workshop: self.in_workshop + others.in_workshop,
            out_of_service: self.out_of_service + others.out_of_service,
        }
    }

    fn metric(self, vehicle_type: Option<&str>) -> Value {
        json!({
            "vehicle_type": vehicle_type,
            "total_vehicles": self.total(),
            "available_vehicles": self.available,
            "in_service_vehicles": self.in_service,
            "in_workshop_vehicles": self.in_workshop,
            "out_of_service_vehicles": self.out_of_service,
            "availability_pct": self.availability_pct(),
        })
    }
}

/// The share of the month's required time in which vehicles could run, in percent; otherwise why there is none.
pub(super) fn time_availability(
    known: &Known,
    month: &Month,
    now: i64,
) -> Result<f64, &'static str> {
    let Some(kpi) = Kpi::named("availability") else {
        return Err("no_exposure");
    };
    let selection = Selection {
        edges: &[month.from, month.until],
        now,
        vehicle: None,
    };
    let figures = known.take(&selection).figures(kpi);
    let value = figures.first().and_then(|figure| kpi.value(*figure));
    value.map(|value| rounded(value, 2)).ok_or(kpi.empty)
}

/// Vehicles that can run now.
///
/// Counts are as of now, by vehicle type; vehicles of no known type stand under null. `time_availability_pct` is the
/// month's own figure: the key figure `availability` over the depot's calendar month.
#[utoipa::path(
    get,
    path = "/api/v1/reports/availability",
    tag = "reports",
    operation_id = "availability_report",
    params(
        ("period" = Option<String>, Query, description = "The month of `time_availability_pct`, YYYY-MM; the present one, if absent"),
        ("vehicle_type" = Option<String>, Query, description = "Only `electric`, `diesel` or `hybrid` vehicles, in any case"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The report", body = docs::AvailabilityReport)),
)]
pub(crate) async fn availability_report(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let period = query.text("period");
    check_period(&mut query, period.as_deref());
    let vehicle_type = query
        .text("vehicle_type")
        .map(|kind| kind.to_ascii_lowercase());
    if let Some(kind) = &vehicle_type
        && !TYPES.contains(&kind.as_str())
    {
        let msg = format!("must be one of: {}", TYPES.join(", "));
        query.fault("vehicle_type", "enum", msg);
    }
    ReadAt::await_projection(query, &state, CATALOG).await?;
    let zone = state.config.analytics.time_zone;
    let now = state.clock.now();
    let period = period.unwrap_or_else(|| Month::present(now, zone));
    let month = Month::of(&period, zone)?;
    let body = reads::run(&state, move |state| {
        let in_time = state.figures.ask(&state.log, None, |known| {
            time_availability(known, &month, now.micros())
        })?;
        report(state, &month, vehicle_type.as_deref(), in_time)
    })
    .await?;
    Ok(json_response(body.to_string()))
}

fn report(
    state: &AppState,
    month: &Month,
    vehicle_type: Option<&str>,
    in_time: Result<f64, &'static str>,
) -> Result<Value, Problem> {
    let catalog = state.projections.catalog();
    let position = catalog.position();
    let mut metrics = Vec::new();
    let mut all = Counts::default();
    for kind in TYPES
        .iter()
        .filter(|kind| vehicle_type.is_none_or(|wanted| wanted == **kind))
    {
        let counts = Counts::of(catalog, Some(kind))?;
        all = all.with(counts);
        if counts.total() > 0 {
            metrics.push(counts.metric(Some(kind)));
        }
    }
    if vehicle_type.is_none() {
        let untold = Counts::of(catalog, None)?.without(all);
        all = all.with(untold);
        if untold.total() > 0 {
            metrics.push(untold.metric(None));
        }
    }
    let mut reasons = Reasons::default();
    let overall = all.availability_pct();
    let summary = match overall {
        Some(share) => format!(
            "{} of {} vehicles can run ({share:.1} %)",
            all.operational(),
            all.total()
        ),
        None => "There are no vehicles".to_owned(),
    };
    let in_time = if vehicle_type.is_some() {
        Err("is of the whole fleet: ask without vehicle_type")
    } else {
        in_time
    };
    let time_availability = reasons.or_why(
        "time_availability_pct",
        in_time.ok(),
        in_time.err().unwrap_or_default(),
    );
    let overall = reasons.or_why("overall_availability_pct", overall, "there are no vehicles");
    Ok(json!({
        "period": month.period,
        "metrics": metrics,
        "overall_availability_pct": overall,
        "time_availability_pct": time_availability,
        "summary": summary,
        "reasons": reasons.0,
        "position": position.get(),
    }))
}

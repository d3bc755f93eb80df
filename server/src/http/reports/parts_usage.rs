//! Which parts went into vehicles in a month, and what they cost.

use std::collections::{BTreeMap, HashMap, HashSet};

use analytics::kpi::{Kpi, Selection};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::money::Money;
use fleet::{Folded, part, stock_move};
use serde_json::{Value, json};

use super::month::Month;
use super::{Reasons, docs, rounded};
use crate::app::AppState;
use crate::figures::Known;
use crate::http::budgets::overview::required_period;
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::stock_moves::part_names;
use crate::projection::{Ask, CATALOG, Catalog};
use crate::reads;

/// Moves looked at in one go.
const MOVES_AT_ONCE: usize = 1_000;
/// Why there is no usage by distance.
const NOTHING_DRIVEN: &str = "no kilometres are known of this month";
/// Why there is no sum.
const TOO_MUCH: &str = "it comes to more than any sum of money";

/// What was used of a part.
#[derive(Clone, Debug)]
struct Use {
    quantity: i64,
    /// For work orders only.
    quantity_for_orders: i64,
    orders: HashSet<String>,
    moves: u64,
    moves_without_price: u64,
    /// `None` when it is more than money can say.
    cost: Option<Money>,
}

impl Default for Use {
    fn default() -> Self {
        Use {
            quantity: 0,
            quantity_for_orders: 0,
            orders: HashSet::new(),
            moves: 0,
            moves_without_price: 0,
            cost: Some(Money::ZERO),
        }
    }
}

impl Use {
    fn take_in(&mut self, usage: &Folded) {
        let quantity = usage.integer("quantity").unwrap_or(0);
        self.quantity = self.quantity.saturating_add(quantity);
        self.moves += 1;
        if let Some(order) = usage.text("work_order_id") {
            self.orders.insert(order.to_owned());
            self.quantity_for_orders = self.quantity_for_orders.saturating_add(quantity);
        }
        let price = usage.get("unit_price").as_ref().and_then(Money::of_json);
        self.moves_without_price += u64::from(price.is_none());
        let cost = price.unwrap_or_default().times(quantity);
        self.cost = self.cost.and_then(|sum| sum.plus(cost?));
    }

    /// The mean over the work orders that took some.
    fn per_order(&self) -> Option<f64> {
        let orders = self.orders.len();
        (orders > 0).then(|| rounded(self.quantity_for_orders as f64 / orders as f64, 2))
    }
}

/// What was used in the month, by part.
#[derive(Clone, Debug, Default)]
pub(super) struct Usage(BTreeMap<String, Use>);

impl Usage {
    /// Of all parts, or of the one that moves name so.
    pub(super) fn of(
        catalog: &Catalog,
        month: &Month,
        part_names: Option<Vec<String>>,
    ) -> Result<Self, Problem> {
        let mut usage = Usage::default();
        let mut present: HashMap<String, String> = HashMap::new();
        let mut ask = Ask {
            aggregate_type: stock_move::AGGREGATE_TYPE,
            filters: vec![("move_type", "USAGE".to_owned())],
            from: Some(month.from),
            until: Some(month.until),
            limit: MOVES_AT_ONCE,
            ..Ask::default()
        };
        if let Some(names) = part_names {
            ask.narrow_to_any("part_no", names);
        }
        loop {
            let page = catalog.page(&ask)?.value;
            for entry in &page.entries {
                let Some(told) = entry.folded.text("part_no") else {
                    continue;
                };
                // A move names the part by the number that it had then.
                let part_no = present.entry(told.to_owned()).or_insert_with(|| {
                    let part = catalog.find(part::AGGREGATE_TYPE, told).value;
                    part.map_or_else(|| told.to_owned(), |part| part.key().to_owned())
                });
                let of_part = usage.0.entry(part_no.clone()).or_default();
                of_part.take_in(&entry.folded);
            }
            ask.cursor = page.next;
            if ask.cursor.is_none() {
                return Ok(usage);
            }
        }
    }

    /// What all of it cost; `None` when it is more than money can say.
    pub(super) fn cost(&self) -> Option<Money> {
        let costs: Option<Vec<Money>> = self.0.values().map(|of_part| of_part.cost).collect();
        Money::sum(costs?)
    }
}

/// Kilometres that the fleet drove in the month: what the key figure `cost_per_km` divides by.
fn kilometres(known: &Known, month: &Month, now: i64) -> i64 {
    let selection = Selection {
        edges: &[month.from, month.until],
        now,
        vehicle: None,
    };
    let figures = Kpi::named("cost_per_km").map(|kpi| known.take(&selection).figures(kpi));
    figures
        .and_then(|figures| figures.first().map(|figure| figure.denominator))
        .unwrap_or(0)
}

/// Parts that went into vehicles.
///
/// The USAGE moves of the month, by part. Costs are quantities times the moves' own prices; a move without a price costs
/// nothing and is counted in `moves_without_price`. `avg_quantity_per_wo` is over the work orders that took some, and
/// `usage_per_1000km` over what the fleet drove in the month.
#[utoipa::path(
    get,
    path = "/api/v1/reports/parts_usage",
    tag = "reports",
    operation_id = "parts_usage_report",
    params(
        ("period" = String, Query, description = "The month, YYYY-MM"),
        ("part_no" = Option<String>, Query, description = "Only this part, by number or UUID"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "The report", body = docs::PartsUsageReport)),
)]
pub(crate) async fn parts_usage_report(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let period = required_period(&mut query);
    let part_no = query.text("part_no");
    ReadAt::await_projection(query, &state, CATALOG).await?;
    let month = Month::of(&period, state.config.analytics.time_zone)?;
    let now = state.clock.now().micros();
    let body = reads::run(&state, move |state| {
        let driven = state
            .figures
            .ask(&state.log, None, |known| kilometres(known, &month, now))?;
        let catalog = state.projections.catalog();
        let position = catalog.position();
        let names = part_no.map(|named| part_names(catalog, named));
        let usage = Usage::of(catalog, &month, names)?;
        Ok(report(catalog, &month, &usage, driven, position.get()))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

fn report(catalog: &Catalog, month: &Month, usage: &Usage, driven: i64, position: u64) -> Value {
    let mut reasons = Reasons::default();
    let mut metrics = Vec::new();
    for (part_no, of_part) in &usage.0 {
        let part = catalog.find(part::AGGREGATE_TYPE, part_no).value;
        let by_distance =
            (driven > 0).then(|| rounded(of_part.quantity as f64 * 1_000.0 / driven as f64, 4));
        metrics.push(json!({
            "part_no": part_no,
            "part_name": part.as_ref().and_then(|part| part.folded.get("name")),
            "total_quantity_used": of_part.quantity,
            "total_work_orders": of_part.orders.len(),
            "avg_quantity_per_wo": of_part.per_order(),
            "usage_per_1000km": reasons.or_why("usage_per_1000km", by_distance, NOTHING_DRIVEN),
            "total_cost": of_part.cost,
            "moves": of_part.moves,
            "moves_without_price": of_part.moves_without_price,
        }));
    }
    let quantities = usage.0.values().map(|of_part| of_part.quantity);
    let quantity = quantities.fold(0_i64, i64::saturating_add);
    let cost = usage.cost();
    if cost.is_none() {
        reasons
            .0
            .insert("total_parts_cost".to_owned(), TOO_MUCH.into());
    }
    let shown = cost.map_or_else(|| "an unknown sum".to_owned(), |cost| cost.to_string());
    let summary = format!(
        "{quantity} pieces of {} parts were used in {}, at a cost of {shown}",
        metrics.len(),
        month.period
    );
    json!({
        "period": month.period,
        "metrics": metrics,
        "total_parts_cost": cost,
        "total_quantity": quantity,
        "kilometres": driven,
        "summary": summary,
        "reasons": reasons.0,
        "position": position,
    })
}

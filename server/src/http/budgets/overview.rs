//! The budgets of a month: what was planned, what was spent, and where that is too much. Each currency has a sum of its own.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::budget::{AGGREGATE_TYPE, Amounts, amounts};
use fleet::calendar;
use fleet::money::{Money, currency_of};
use fleet::schema::draft::members;
use serde_json::{Map, Value, json};

use super::docs;
use crate::app::AppState;
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::projection::{Ask, CATALOG, Catalog};

/// Most budgets of a month in an answer.
const BUDGETS_MAX: usize = 10_000;
/// Above how many percent of its plan a budget is overdrawn.
pub(in crate::http) const OVER_PERCENT: i64 = 110;

/// Why budgets have no sum.
pub(in crate::http) const MIXED_CURRENCIES: &str = "the budgets are in several currencies";

/// A budget of a month.
#[derive(Clone, Debug)]
pub(in crate::http) struct OfMonth {
    pub cost_center: String,
    pub category: Option<String>,
    pub currency: String,
    pub amounts: Amounts,
}

/// What the budgets of a currency come to together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::http) struct Total {
    pub currency: String,
    pub planned: Money,
    pub actual: Money,
}

impl OfMonth {
    /// What was spent more than planned; below zero when less.
    pub(in crate::http) fn variance(&self) -> Money {
        variance(self.amounts.planned, self.amounts.actual)
    }

    /// What it is called in a sentence.
    pub(in crate::http) fn name(&self) -> String {
        match &self.category {
            Some(category) => format!("{} / {category}", self.cost_center),
            None => self.cost_center.clone(),
        }
    }
}

/// What was spent more than planned; below zero when less.
pub(in crate::http) fn variance(planned: Money, actual: Money) -> Money {
    actual.minus(planned).unwrap_or_default()
}

/// Whether `actual` is more than so many percent of `planned`.
pub(in crate::http) fn exceeds(actual: Money, planned: Money, percent: i64) -> bool {
    i128::from(actual.hundredths()) * 100 > i128::from(planned.hundredths()) * i128::from(percent)
}

/// The budgets of a month, by cost center and category, found by the month.
pub(in crate::http) fn of_month(
    catalog: &Catalog,
    period: &str,
    cost_center: Option<&str>,
) -> Result<Vec<OfMonth>, Problem> {
    let mut filters = vec![("period", period.to_owned())];
    filters.extend(cost_center.map(|cost_center| ("cost_center", cost_center.to_owned())));
    let ask = Ask {
        aggregate_type: AGGREGATE_TYPE,
        filters,
        limit: BUDGETS_MAX,
        ..Ask::default()
    };
    let page = catalog.page(&ask)?.value;
    let of_month = page.entries.iter().map(|entry| OfMonth {
        cost_center: entry
            .folded
            .text("cost_center")
            .unwrap_or_default()
            .to_owned(),
        category: entry.folded.text("category").map(str::to_owned),
        currency: currency_of(&entry.folded),
        amounts: amounts(&entry.folded),
    });
    let mut budgets: Vec<OfMonth> = of_month.collect();
    budgets.sort_by(|left, right| {
        (&left.cost_center, &left.category).cmp(&(&right.cost_center, &right.category))
    });
    Ok(budgets)
}

/// What budgets come to together, a total a currency, by its code.
pub(in crate::http) fn totals(budgets: &[OfMonth]) -> Vec<Total> {
    let currencies: BTreeSet<&str> = budgets.iter().map(|budget| &*budget.currency).collect();
    let total = |currency: &str| {
        let sum = |amount: fn(&Amounts) -> Money| {
            let of_it = budgets.iter().filter(|it| it.currency == currency);
            Money::sum(of_it.map(|it| amount(&it.amounts))).unwrap_or_default()
        };
        Total {
            currency: currency.to_owned(),
            planned: sum(|amounts| amounts.planned),
            actual: sum(|amounts| amounts.actual),
        }
    };
    currencies.into_iter().map(total).collect()
}

/// What was planned and spent in all. `None` where that is in several currencies.
pub(in crate::http) fn in_all(totals: &[Total]) -> Option<(Money, Money)> {
    match totals {
        [] => Some((Money::ZERO, Money::ZERO)),
        [total] => Some((total.planned, total.actual)),
        _ => None,
    }
}

/// The sums as answers have them: by currency, and in all, or why not.
pub(in crate::http) fn put_sums(body: &mut Map<String, Value>, totals: &[Total]) {
    let by_currency = totals.iter().map(|total| {
        json!({
            "currency": total.currency,
            "planned": total.planned,
            "actual": total.actual,
            "variance": variance(total.planned, total.actual),
        })
    });
    body.insert("totals".to_owned(), by_currency.collect());
    let in_all = in_all(totals);
    let mut reasons = Map::new();
    for (name, sum) in [
        ("total_planned", in_all.map(|(planned, _)| planned)),
        ("total_actual", in_all.map(|(_, actual)| actual)),
        (
            "total_variance",
            in_all.map(|(planned, actual)| variance(planned, actual)),
        ),
    ] {
        if sum.is_none() {
            reasons.insert(name.to_owned(), MIXED_CURRENCIES.into());
        }
        body.insert(name.to_owned(), sum.map_or(Value::Null, Money::to_json));
    }
    body.insert("reasons".to_owned(), reasons.into());
}

/// Where more than a tenth above the plan was spent.
pub(in crate::http) fn warnings(budgets: &[OfMonth]) -> Vec<String> {
    let over = budgets.iter().filter_map(|budget| {
        let Amounts {
            planned, actual, ..
        } = budget.amounts;
        let percent = actual.percent_of(planned)?;
        let is_over = planned > Money::ZERO && exceeds(actual, planned, OVER_PERCENT);
        is_over.then(|| {
            format!(
                "{} is at {percent:.1} % of its plan: {actual} of {planned}",
                budget.name()
            )
        })
    });
    over.collect()
}

/// The month that a report is asked for.
pub(in crate::http) fn required_period(query: &mut Query<'_>) -> String {
    let period = query.required("period");
    check_period(
        query,
        Some(&period)
            .filter(|period| !period.is_empty())
            .map(String::as_str),
    );
    period
}

/// Notes a fault where the month that is given is none.
pub(in crate::http) fn check_period(query: &mut Query<'_>, period: Option<&str>) {
    if period.is_some_and(|period| calendar::parse_month(period).is_none()) {
        query.fault(
            "period",
            "string_pattern_mismatch",
            "must be a month like 2026-10",
        );
    }
}

/// The budgets of a month.
///
/// Amounts of several currencies are not added up: `totals` has a sum for each, and `total_planned`, `total_actual` and
/// `total_variance` are null where there is more than one.
#[utoipa::path(
    get,
    path = "/api/v1/budget/overview",
    tag = "finance",
    operation_id = "budget_overview",
    params(
        ("period" = String, Query, description = "The month, YYYY-MM"),
        ("cost_center" = Option<String>, Query, description = "Only of this cost center"),
        ("min_position" = Option<u64>, Query, description = "Wait until the answer has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "Planned and spent", body = docs::BudgetOverview)),
)]
pub(crate) async fn budget_overview(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let period = required_period(&mut query);
    let cost_center = query.text("cost_center");
    let at = ReadAt::read(&mut query, &state);
    query.finish()?;
    at.reach_projection(&state, CATALOG).await?;
    let catalog = state.projections.catalog();
    let position = catalog.position();
    let budgets = of_month(catalog, &period, cost_center.as_deref())?;
    let items = budgets.iter().map(|budget| {
        json!({
            "cost_center": budget.cost_center,
            "category": budget.category,
            "currency": budget.currency,
            "planned": budget.amounts.planned,
            "forecast": budget.amounts.forecast,
            "actual": budget.amounts.actual,
            "variance": budget.variance(),
            "utilization_pct": budget.amounts.actual.percent_of(budget.amounts.planned).unwrap_or(0.0),
        })
    });
    let items: Vec<Value> = items.collect();
    let mut body = members(json!({
        "period": period,
        "items": items,
        "warnings": warnings(&budgets),
        "position": position.get(),
    }));
    put_sums(&mut body, &totals(&budgets));
    Ok(json_response(Value::Object(body).to_string()))
}

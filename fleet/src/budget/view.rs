//! A budget's row in the read model, with the keys that clients know.

use serde_json::{Map, Value};

use super::schema::ACTUAL_KEY;
use crate::folded::Folded;
use crate::listing::row_of;
use crate::money::Money;

const FIELDS: &[&str] = &["period", "cost_center", "category", "currency", "notes"];

/// The amounts of a budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amounts {
    /// What may be spent.
    pub planned: Money,
    /// What is expected to be spent.
    pub forecast: Money,
    /// What was spent.
    pub actual: Money,
}

/// The amounts of a budget; nothing where no event told.
pub fn amounts(state: &Folded) -> Amounts {
    let money = |key| state.record.money(key).unwrap_or_default();
    Amounts {
        planned: money("planned_amount"),
        forecast: money("forecast_amount"),
        actual: money(ACTUAL_KEY),
    }
}

/// The row of the budget with this id; `None` when there is none, or none any more.
pub fn row(id: &str, state: &Folded) -> Option<Map<String, Value>> {
    let mut row = row_of(id, FIELDS, state)?;
    let amounts = amounts(state);
    let mut put = |name: &str, amount: Money| row.insert(name.to_owned(), amount.to_json());
    put("planned_amount", amounts.planned);
    put("forecast_amount", amounts.forecast);
    put(ACTUAL_KEY, amounts.actual);
    Some(row)
}

/// What makes a budget the only one of its kind: period, cost center and category, as a JSON list. `told` gives what an
/// event or a state tells of a field.
pub fn unique_key(told: impl Fn(&str) -> Option<Value>) -> String {
    let part = |name: &str| told(name).unwrap_or_default();
    Value::from(vec![part("period"), part("cost_center"), part("category")]).to_string()
}

/// What the budgets of a month and a cost center have in common, as lists are narrowed by it.
pub fn place(period: &str, cost_center: &str) -> String {
    format!("{period} {cost_center}")
}

/// What lists are narrowed by.
pub(super) fn listed_place(state: &Folded) -> Option<String> {
    Some(place(state.text("period")?, state.text("cost_center")?))
}

/// What lists are narrowed by.
pub(super) fn listed_unique(state: &Folded) -> Option<String> {
    Some(unique_key(|name| state.get(name)))
}

//! Costs on their way to budgets: which budget a cost belongs to, and the event that books it.

use serde_json::{Map, Value};

use super::event;
use super::schema::SCHEMA;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::invoice::Cost;
use crate::money::Money;
use crate::refusal::Refusal;

/// The category of a budget that nobody planned: where costs go for which there is no other.
pub const AUTO_CATEGORY: &str = "AUTO";

/// Words that name the category of parts, by how they begin, in any case.
const PARTS_WORDS: &[&str] = &["part", "spare", "material"];

/// The place in `categories`, those of the budgets of the cost's month and cost center, that a cost belongs to; `None`
/// only when there are none.
///
/// In this order: the category that the line's account names; for parts, one that is called by them; the budget without
/// a category; one for which nobody planned; for anything but parts, the first that is not for parts; the first.
/// "First" is by name, so that the same cost goes to the same budget whenever it is booked.
pub fn category_of(cost: &Cost, categories: &[Option<&str>]) -> Option<usize> {
    let mut by_name: Vec<(Option<&str>, usize)> = categories.iter().copied().zip(0..).collect();
    by_name.sort_unstable();
    let find = |wanted: &dyn Fn(&str) -> bool| {
        let mut named = by_name
            .iter()
            .filter_map(|(category, place)| Some(((*category)?, *place)));
        named
            .find(|(category, _)| wanted(category))
            .map(|(_, place)| place)
    };
    let account = cost.account_code.as_deref().unwrap_or_default();
    let by_account = find(&|category| category.eq_ignore_ascii_case(account));
    let by_parts = || find(&|category| cost.is_parts && is_for_parts(category));
    let without = || {
        let mut all = by_name.iter();
        all.find(|(category, _)| category.is_none_or(str::is_empty))
            .map(|(_, place)| *place)
    };
    let unplanned = || find(&|category| category == AUTO_CATEGORY);
    let not_parts = || find(&|category| !is_for_parts(category));
    by_account
        .or_else(by_parts)
        .or_else(without)
        .or_else(unplanned)
        .or_else(not_parts)
        .or_else(|| by_name.first().map(|(_, place)| *place))
}

fn is_for_parts(category: &str) -> bool {
    let category = category.to_lowercase();
    PARTS_WORDS.iter().any(|word| category.starts_with(word))
}

/// The fields of a budget that nobody planned.
pub fn unplanned(period: &str, cost_center: &str, currency: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: &str| fields.insert(name.to_owned(), value.into());
    put("period", period);
    put("cost_center", cost_center);
    put("category", AUTO_CATEGORY);
    put("planned_amount", "0.00");
    put("forecast_amount", "0.00");
    put("currency", currency);
    fields
}

/// Books `amount` of an invoice. A booking is a difference: it counts whatever else is booked meanwhile.
///
/// # Errors
/// `Invalid` for an invoice whose id is no reference.
pub fn book(
    amount: Money,
    invoice_id: &str,
    invoice: &Folded,
    by: &str,
) -> Result<Vec<EventDraft>, Refusal> {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("amount", amount.to_json());
    put("invoice_id", invoice_id.into());
    if let Some(number) = invoice.text("invoice_number") {
        put("invoice_number", number.into());
    }
    put("booked_by", by.into());
    SCHEMA.admit(vec![SCHEMA.draft(event::BUDGET_BOOKED, data)])
}

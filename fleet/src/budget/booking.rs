//! Costs on their way to budgets: which budget a cost belongs to, and the event that books it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::event;
use super::schema::SCHEMA;
use super::view::amounts;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::invoice::Cost;
use crate::money::{Money, currency_of};
use crate::refusal::Refusal;

/// The category of a budget that nobody planned: where costs go for which there is no other. Where one in another
/// currency has this name, the currency stands behind it (`AUTO EUR`).
pub const AUTO_CATEGORY: &str = "AUTO";

/// Words that name the category of parts, by how they begin, in any case.
const PARTS_WORDS: &[&str] = &["part", "spare", "material"];

/// The place in `categories`, those of the budgets in `currency` of the cost's month and cost center, that a cost belongs
/// to; `None` only when there are none.
///
/// In this order: the category that the line's account names; for parts, one that is called by them; the budget without
/// a category; one for which nobody planned; for anything but parts, the first that is not for parts; the first.
/// "First" is by name, so that the same cost goes to the same budget whenever it is booked.
pub fn category_of(cost: &Cost, currency: &str, categories: &[Option<&str>]) -> Option<usize> {
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
    let unplanned = || {
        let of_currency = auto_in(currency);
        find(&|category| category == AUTO_CATEGORY)
            .or_else(|| find(&|category| category == of_currency))
    };
    let not_parts = || find(&|category| !is_for_parts(category));
    by_account
        .or_else(by_parts)
        .or_else(without)
        .or_else(unplanned)
        .or_else(not_parts)
        .or_else(|| by_name.first().map(|(_, place)| *place))
}

/// The place in `budgets`, those of the month `period` and the cost's cost center, that a cost in `currency` belongs to:
/// among those in its currency the one that [`category_of`] says. `None` when there is none, and nobody planned any in
/// another currency: what came into being by itself holds up no cost.
///
/// # Errors
/// `Conflict` where budgets were planned, and none is in this currency.
pub fn budget_of(
    cost: &Cost,
    currency: &str,
    period: &str,
    budgets: &[&Folded],
) -> Result<Option<usize>, Refusal> {
    let mut places = Vec::new();
    let mut categories = Vec::new();
    let mut others = BTreeSet::new();
    let mut is_planned_in_others = false;
    for (place, budget) in budgets.iter().enumerate() {
        let held_in = currency_of(budget);
        if held_in == currency {
            places.push(place);
            categories.push(budget.text("category"));
        } else {
            is_planned_in_others |= !is_unplanned(budget, &held_in);
            others.insert(held_in);
        }
    }
    let chosen = category_of(cost, currency, &categories).map(|chosen| places[chosen]);
    if chosen.is_some() || !is_planned_in_others {
        return Ok(chosen);
    }
    let others: Vec<String> = others.into_iter().collect();
    let message = format!(
        "The invoice is in {currency}, and {} has budgets for {period} in {} only; no rate of exchange is kept to add them up. Plan a \
         budget in {currency} for that month and cost center, under a category of its own, and approve the invoice again",
        cost.cost_center,
        others.join(" and ")
    );
    Err(Refusal::conflict("currency", "other_currency", message))
}

fn is_for_parts(category: &str) -> bool {
    let category = category.to_lowercase();
    PARTS_WORDS.iter().any(|word| category.starts_with(word))
}

/// The category of a budget that nobody planned, where another currency has [`AUTO_CATEGORY`] itself.
fn auto_in(currency: &str) -> String {
    format!("{AUTO_CATEGORY} {currency}")
}

/// Whether the budget came into being by itself, and nobody has planned or forecast an amount for it since.
fn is_unplanned(budget: &Folded, held_in: &str) -> bool {
    let category = budget.text("category");
    let is_auto = category.is_some_and(|name| name == AUTO_CATEGORY || name == auto_in(held_in));
    let amounts = amounts(budget);
    is_auto && (amounts.planned, amounts.forecast) == (Money::ZERO, Money::ZERO)
}

/// The fields of a budget that nobody planned, beside `budgets`, those that its month and cost center have.
pub fn unplanned(
    period: &str,
    cost_center: &str,
    currency: &str,
    budgets: &[&Folded],
) -> Map<String, Value> {
    let is_taken = |budget: &&Folded| budget.text("category") == Some(AUTO_CATEGORY);
    let category = match budgets.iter().any(is_taken) {
        true => auto_in(currency),
        false => AUTO_CATEGORY.to_owned(),
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: &str| fields.insert(name.to_owned(), value.into());
    put("period", period);
    put("cost_center", cost_center);
    put("category", &category);
    put("planned_amount", "0.00");
    put("forecast_amount", "0.00");
    put("currency", currency);
    fields
}

/// Books `amount` of an invoice on a budget. A booking is a difference: it counts whatever else is booked meanwhile.
///
/// # Errors
/// `Conflict` for a budget in another currency than the invoice, `Invalid` for an invoice whose id is no reference.
pub fn book(
    amount: Money,
    budget: &Folded,
    (invoice_id, invoice): (&str, &Folded),
    by: &str,
) -> Result<Vec<EventDraft>, Refusal> {
    let (held_in, billed_in) = (currency_of(budget), currency_of(invoice));
    if held_in != billed_in {
        let message = format!(
            "The invoice is in {billed_in}, and the budget that it was to be booked on in {held_in}; approve it again"
        );
        return Err(Refusal::conflict("currency", "other_currency", message));
    }
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

//! Budgets: what they take, what is booked on them, and which of them a cost belongs to.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::described::Describe;
use crate::folded::Folded;
use crate::invoice::Cost;
use crate::money::Money;
use crate::refusal::RefusalKind;
use crate::testing::{applied, object};

fn budget(body: Value) -> Folded {
    let fields = creation(&object(body)).unwrap();
    let drafts = DESCRIBED
        .decide(&Folded::default(), &Describe::Create(fields))
        .unwrap();
    applied(AGGREGATE_TYPE, Folded::default(), &drafts)
}

fn cost(account_code: Option<&str>, is_parts: bool) -> Cost {
    Cost {
        cost_center: "WS".into(),
        account_code: account_code.map(str::to_owned),
        is_parts,
        amount: Money::of_hundredths(1),
    }
}

#[track_caller]
fn goes_to(cost: &Cost, categories: &[Option<&str>], expected: Option<&str>) {
    let place = category_of(cost, "EUR", categories);
    assert_eq!(
        place.and_then(|place| categories[place]),
        expected,
        "{cost:?}"
    );
}

#[test]
fn a_planned_budget_is_the_row_that_clients_know() {
    let state = budget(
        json!({ "period": "2026-03", "cost_center": "WS", "planned_amount": 1000, "actual_amount": "99" }),
    );
    let amount = Money::parse("130.10").unwrap();
    let booked = book(amount, &state, ("i1", &Folded::default()), "me").unwrap();
    let state = applied(AGGREGATE_TYPE, state, &booked);
    let row = Value::Object(row("b1", &state).unwrap());
    let expected = json!({
        "id": "b1", "period": "2026-03", "cost_center": "WS", "category": null, "planned_amount": "1000.00",
        "forecast_amount": "0.00", "actual_amount": "130.10", "currency": "EUR", "notes": null,
        "created_at": "1970-01-01T00:00:01.000000Z", "updated_at": "1970-01-01T00:00:02.000000Z",
    });
    assert_eq!(row, expected, "what is spent is booked and not told");
}

#[test]
fn a_period_is_a_month() {
    for period in ["2026-13", "2026-00", "2026-1", "26-01", "2026-03-01", ""] {
        let faults =
            creation(&object(json!({ "period": period, "cost_center": "WS" }))).unwrap_err();
        assert_eq!(faults.len(), 1, "{period}");
        assert_eq!(faults[0].path, ["period"], "{period}");
    }
    let faults = creation(&object(json!({ "period": 7, "planned_amount": "-1" }))).unwrap_err();
    let found: Vec<_> = faults.iter().map(|fault| fault.path.join(".")).collect();
    assert_eq!(found, ["period", "cost_center", "planned_amount"]);
}

#[test]
fn a_cost_goes_to_the_budget_of_its_category() {
    let all = [
        Some("LABOUR"),
        Some("4711"),
        Some("Parts"),
        None,
        Some("AUTO"),
    ];
    goes_to(&cost(Some("4711"), true), &all, Some("4711"));
    goes_to(&cost(Some("labour"), false), &all, Some("LABOUR"));
    goes_to(&cost(None, true), &all, Some("Parts"));
    goes_to(&cost(Some("other"), true), &all, Some("Parts"));
    goes_to(&cost(None, false), &all, None);
    goes_to(
        &cost(None, false),
        &[Some("PARTS"), Some("AUTO")],
        Some("AUTO"),
    );
    goes_to(
        &cost(None, false),
        &[Some("PARTS"), Some("TOOLS"), Some("LABOUR")],
        Some("LABOUR"),
    );
    goes_to(
        &cost(None, true),
        &[Some("TOOLS"), Some("LABOUR")],
        Some("LABOUR"),
    );
    goes_to(&cost(None, false), &[Some("PARTS")], Some("PARTS"));
    assert_eq!(category_of(&cost(None, true), "EUR", &[]), None);
}

fn of_currency(category: Option<&str>, currency: &str) -> Folded {
    budget(
        json!({ "period": "2026-03", "cost_center": "WS", "category": category, "currency": currency }),
    )
}

/// Regression: a cost in USD was added to a budget in EUR as it stood.
#[test]
fn a_cost_goes_to_a_budget_in_its_currency_or_to_none() {
    let (parts, dollars) = (of_currency(Some("PARTS"), "EUR"), of_currency(None, "usd"));
    let place = |currency: &str, budgets: &[&Folded]| {
        budget_of(&cost(None, true), currency, "2026-03", budgets)
    };
    assert_eq!(place("EUR", &[&dollars, &parts]), Ok(Some(1)));
    assert_eq!(place("USD", &[&dollars, &parts]), Ok(Some(0)));
    assert_eq!(place("CHF", &[]), Ok(None));
    let refusal = place("CHF", &[&dollars, &parts]).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.field, refusal.code),
        (RefusalKind::Conflict, "currency", "other_currency")
    );
    let told = "The invoice is in CHF, and WS has budgets for 2026-03 in EUR and USD only; no rate of exchange is kept to add them up. \
        Plan a budget in CHF for that month and cost center, under a category of its own, and approve the invoice again";
    assert_eq!(refusal.message, told);

    let amount = Money::of_hundredths(1);
    let invoice = ("i1", &Folded::default());
    assert!(book(amount, &parts, invoice, "me").is_ok());
    let refusal = book(amount, &dollars, invoice, "me").unwrap_err();
    assert_eq!(refusal.code, "other_currency");
}

/// Regression: the first invoice in USD of a month without budgets held up those in EUR until somebody planned one.
#[test]
fn a_budget_that_nobody_planned_holds_up_no_other_currency() {
    let made = |currency: &str, beside: &[&Folded]| {
        let fields = unplanned("2026-03", "WS", currency, beside);
        budget(Value::Object(fields))
    };
    let place = |currency: &str, budgets: &[&Folded]| {
        budget_of(&cost(None, false), currency, "2026-03", budgets)
    };
    let dollars = made("USD", &[]);
    assert_eq!(dollars.text("category"), Some(AUTO_CATEGORY));
    assert_eq!(place("EUR", &[&dollars]), Ok(None));
    let euros = made("EUR", &[&dollars]);
    assert_eq!(euros.text("category"), Some("AUTO EUR"));
    assert_eq!(place("CHF", &[&dollars, &euros]), Ok(None));
    // It goes before others as AUTO itself does.
    let planned = of_currency(Some("A"), "EUR");
    let all = [&planned, &dollars, &euros];
    assert_eq!(place("EUR", &all), Ok(Some(2)));
    assert_eq!(place("USD", &all), Ok(Some(1)));
    assert!(place("CHF", &all).is_err(), "one of them was planned");
    // A line that names it means it, and AUTO itself goes before it.
    let named = cost(Some("auto eur"), false);
    let nameless = of_currency(None, "EUR");
    let of_name = budget_of(&named, "EUR", "2026-03", &[&nameless, &euros]);
    assert_eq!(of_name, Ok(Some(1)));
    let both = [&euros, &of_currency(Some("AUTO"), "EUR")];
    assert_eq!(place("EUR", &both), Ok(Some(1)));
    // What somebody planned under these names holds up other currencies as any other does, and so does a forecast.
    let named = budget(
        json!({ "period": "2026-03", "cost_center": "WS", "category": "AUTO", "planned_amount": "5.00" }),
    );
    let forecast = budget(
        json!({ "period": "2026-03", "cost_center": "WS", "category": "AUTO", "planned_amount": "0.00", "forecast_amount": "5.00" }),
    );
    for planned in [named, forecast, of_currency(Some("AUTO USD"), "EUR")] {
        assert!(place("USD", &[&planned]).is_err(), "{planned:?}");
    }
}

#[test]
fn a_budget_keeps_its_currency_once_something_is_booked() {
    let change = |currency: &str| Describe::Change(object(json!({ "currency": currency })));
    let planned = of_currency(None, "EUR");
    assert_eq!(
        decide(&planned, &change("USD")).map(|events| events.len()),
        Ok(1)
    );
    let amount = Money::of_hundredths(1_000);
    let booked = book(amount, &planned, ("i1", &Folded::default()), "me").unwrap();
    let state = applied(AGGREGATE_TYPE, planned, &booked);
    let refusal = decide(&state, &change("USD")).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.field, refusal.code),
        (RefusalKind::Conflict, "currency", "booked")
    );
    assert!(refusal.message.starts_with("10.00 EUR is booked"));
    assert_eq!(decide(&state, &change("EUR")), Ok(Vec::new()), "as it is");
    let more = Describe::Change(object(json!({ "planned_amount": "5.00" })));
    assert_eq!(decide(&state, &more).map(|events| events.len()), Ok(1));
}

#[test]
fn the_unique_key_tells_apart_what_a_joined_text_would_not() {
    let key = |period: &str, cost_center: &str, category: Value| {
        let told = json!({ "period": period, "cost_center": cost_center, "category": category });
        unique_key(|name| told.get(name).cloned())
    };
    assert_eq!(
        key("2026-03", "WS", json!(null)),
        r#"["2026-03","WS",null]"#
    );
    assert_ne!(
        key("2026-03", "a,b", json!("c")),
        key("2026-03", "a", json!("b,c"))
    );
    assert_ne!(
        key("2026-03", "WS", json!("")),
        key("2026-03", "WS", json!(null))
    );
}

proptest! {
    /// Whatever the order of bookings, what is spent is their sum to the last hundredth.
    #[test]
    fn bookings_add_up(amounts in prop::collection::vec(-1_000_000_i64..1_000_000, 0..30)) {
        let mut state = budget(json!({ "period": "2026-03", "cost_center": "WS" }));
        for amount in &amounts {
            let booked = book(Money::of_hundredths(*amount), &state, ("i", &Folded::default()), "me").unwrap();
            state = applied(AGGREGATE_TYPE, state, &booked);
        }
        prop_assert_eq!(super::amounts(&state).actual, Money::of_hundredths(amounts.iter().sum()));
    }

    /// The same budget is chosen whatever the order in which budgets are listed.
    #[test]
    fn the_choice_does_not_depend_on_the_listing(
        names in prop::collection::btree_set(prop::option::of("(PARTS|AUTO|LABOUR|[a-c]{0,2})"), 1..6), is_parts: bool,
    ) {
        let listed: Vec<Option<&str>> = names.iter().map(Option::as_deref).collect();
        let reversed: Vec<_> = listed.iter().rev().copied().collect();
        let chosen = |all: &[Option<&str>]| category_of(&cost(Some("b"), is_parts), "EUR", all).map(|place| all[place].map(str::to_owned));
        prop_assert_eq!(chosen(&listed), chosen(&reversed));
        prop_assert!(chosen(&listed).is_some());
    }
}

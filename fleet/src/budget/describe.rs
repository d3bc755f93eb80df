//! What the commands of budgets may bring.

use serde_json::{Map, Value};

use super::event;
use super::schema::{ACTUAL_KEY, SCHEMA};
use super::view::amounts;
use crate::calendar;
use crate::described::{Describe, Described};
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::money::{Money, currency_of};
use crate::refusal::Refusal;
use crate::schema::body::read_only;
use crate::schema::limits::{AMOUNT, CURRENCY, REMARK, defaulted};
use crate::schema::{Constant, Field, FieldError, Kind};

/// How one is described.
pub const DESCRIBED: Described = Described {
    schema: &SCHEMA,
    name: "Budget",
    missing: "budget_not_found",
    created: event::BUDGET_CREATED,
    updated: event::BUDGET_UPDATED,
    creation: &[
        Field::required("period", Kind::name(7)),
        Field::required("cost_center", Kind::name(50)),
        Field::optional("category", Kind::name(100)),
        defaulted("planned_amount", AMOUNT),
        defaulted("forecast_amount", AMOUNT),
        defaulted("currency", CURRENCY),
        Field::optional("notes", REMARK),
        // What was spent is booked, not told.
        read_only(ACTUAL_KEY),
    ],
    defaults: &[
        ("planned_amount", Constant::Text("0.00")),
        ("forecast_amount", Constant::Text("0.00")),
        ("currency", Constant::Text("EUR")),
    ],
    change: &[
        defaulted("planned_amount", AMOUNT),
        defaulted("forecast_amount", AMOUNT),
        defaulted("currency", CURRENCY),
        Field::optional("notes", REMARK),
        read_only("period"),
        read_only("cost_center"),
        read_only("category"),
        read_only(ACTUAL_KEY),
        read_only("id"),
        read_only("created_at"),
        read_only("updated_at"),
        read_only("version"),
    ],
};

/// Checks the body of a request that plans a budget, its period too, and fills in what it leaves to its defaults.
///
/// # Errors
/// All faults; never an empty list.
pub fn creation(body: &Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldError>> {
    let parsed = DESCRIBED.parse_creation(body);
    let period = body.get("period").and_then(Value::as_str);
    if period.is_none_or(|period| calendar::parse_month(period).is_some()) {
        return parsed;
    }
    let mut faults = parsed.err().unwrap_or_default();
    faults.retain(|fault| fault.path != ["period"]);
    faults.push(FieldError {
        path: vec!["period".to_owned()],
        message: "Input should be a month like 2026-10".to_owned(),
        kind: "string_pattern_mismatch",
    });
    Err(faults)
}

/// The events that `command` causes, none if it asks for what is already so.
///
/// # Errors
/// Those of [`Described::decide`]; `Conflict` for another currency where something is booked.
pub fn decide(state: &Folded, command: &Describe) -> Result<Vec<EventDraft>, Refusal> {
    let wanted = match command {
        Describe::Change(fields) => fields.get("currency").and_then(Value::as_str),
        Describe::Create(_) => None,
    };
    if let Some(wanted) = wanted {
        refuse_other_currency(state, wanted)?;
    }
    DESCRIBED.decide(state, command)
}

/// Refuses to have a budget in the currency `wanted` where something is booked on it in another.
///
/// # Errors
/// `Conflict`.
pub fn refuse_other_currency(state: &Folded, wanted: &str) -> Result<(), Refusal> {
    let (booked, held_in) = (amounts(state).actual, currency_of(state));
    if booked == Money::ZERO || wanted.eq_ignore_ascii_case(&held_in) {
        return Ok(());
    }
    let message = format!(
        "{booked} {held_in} is booked on this budget, which therefore stays in {held_in}; plan another one in {wanted}, under a \
         category of its own"
    );
    Err(Refusal::conflict("currency", "booked", message))
}

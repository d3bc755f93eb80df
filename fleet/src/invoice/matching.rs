//! An invoice held against its purchase order: which lines are for what was ordered, and how far the prices differ.

use serde_json::{Map, Value, json};

use super::decide::{must_be, not_found};
use super::line::lines;
use super::{event, schema::SCHEMA};
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::money::{Money, currency_of};
use crate::purchase_order;
use crate::refusal::Refusal;

/// The cost center of parts that are bought for a work order.
pub const MAINTENANCE_COST_CENTER: &str = "WS-MAINT";
/// How many characters of a work order's id name it as a cost bearer.
const COST_BEARER_CHARS: usize = 8;

/// What holding an invoice against its order found.
#[derive(Clone, PartialEq, Debug)]
pub struct Matching {
    /// Lines for a part that the order has.
    pub matched_lines: usize,
    /// All other lines.
    pub unmatched_lines: usize,
    /// What the matched lines cost more than ordered; below 0 when less.
    pub total_variance: Money,
    /// The review, if any line matched.
    pub events: Vec<EventDraft>,
}

/// Holds the invoice against an order; without one no line can match. A line matches the order's first line for the same part. Where the
/// order is for a work order and `allocates` is asked for, a matched line without a cost center gets that of
/// maintenance, and the work order as its bearer.
///
/// # Errors
/// `Missing` for an invoice that does not exist, `Rule` for one that is no draft, from another supplier or in another
/// currency than the order, `Invalid` for a variance that no sum of money has.
pub fn match_with(
    state: &Folded,
    order: Option<(&str, &Folded)>,
    allocates: bool,
    asked: Asked<'_>,
) -> Result<Matching, Refusal> {
    if !state.exists() {
        return Err(not_found());
    }
    must_be(state, "match", &["DRAFT"])?;
    if order.is_some_and(|(_, order)| order.text("supplier_id") != state.text("supplier_id")) {
        return Err(Refusal::rule(
            "purchase_order_id",
            "other_supplier",
            "The purchase order is with another supplier than the invoice",
        ));
    }
    let billed_in = currency_of(state);
    let ordered_in = order.map(|(_, order)| currency_of(order));
    if let Some(ordered_in) = ordered_in.filter(|ordered_in| *ordered_in != billed_in) {
        let message = format!(
            "The invoice is in {billed_in} and the purchase order in {ordered_in}, so their prices cannot be compared; name an order in \
             {billed_in}, or bring the invoice's lines and currency into {ordered_in}"
        );
        return Err(Refusal::rule(
            "purchase_order_id",
            "other_currency",
            message,
        ));
    }
    let ordered = order.map_or_else(Vec::new, |(id, order)| purchase_order::lines(id, order));
    let bearer = order.and_then(|(_, order)| order.text("work_order_id").filter(|_| allocates));
    let mut matched_lines = 0;
    let mut total_variance = Money::ZERO;
    let mut told = Vec::new();
    for mut line in lines(state) {
        let of_order = line
            .text("part_no")
            .and_then(|part_no| ordered.iter().find(|ordered| ordered.part_no == part_no));
        if let Some(of_order) = of_order {
            let variance = line.unit_price().minus(of_order.unit_price);
            let variance = variance
                .and_then(|variance| variance.times(line.quantity()))
                .ok_or_else(too_large)?;
            total_variance = total_variance.plus(variance).ok_or_else(too_large)?;
            matched_lines += 1;
            let allocated = bearer.filter(|_| line.text("cost_center").is_none());
            let mut put = |name: &str, value: Value| line.0.insert(name.to_owned(), value);
            put("purchase_order_line_id", of_order.id.as_str().into());
            put("variance", variance.to_json());
            if let Some(bearer) = allocated {
                put("cost_center", MAINTENANCE_COST_CENTER.into());
                let short: String = bearer.chars().take(COST_BEARER_CHARS).collect();
                put("cost_bearer", short.into());
            }
        }
        told.push(Value::Object(line.0));
    }
    let unmatched_lines = told.len() - matched_lines;
    let mut events = Vec::new();
    if matched_lines > 0
        && let Some((order_id, _)) = order
    {
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
        put("status", "REVIEWED".into());
        put("purchase_order_id", order_id.into());
        put("reviewed_by", asked.by.into());
        put("reviewed_at", asked.time().into());
        put("lines", told.into());
        put("matched_lines", json!(matched_lines));
        put("unmatched_lines", json!(unmatched_lines));
        put("total_variance", total_variance.to_json());
        events.push(SCHEMA.draft(event::INVOICE_REVIEWED, data));
    }
    Ok(Matching {
        matched_lines,
        unmatched_lines,
        total_variance,
        events: SCHEMA.admit(events)?,
    })
}

fn too_large() -> Refusal {
    Refusal::invalid(
        "lines",
        "total_too_large",
        "The difference to the order is more than any sum of money",
    )
}

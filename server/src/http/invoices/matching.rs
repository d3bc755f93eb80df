//! An invoice held against its order.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use fleet::invoice::{AGGREGATE_TYPE, Line, lines, match_with};
use fleet::money::Money;
use fleet::schema::limits::{REFERENCE, defaulted};
use fleet::schema::{Field, Kind, body};
use fleet::{Folded, purchase_order};
use serde_json::{Map, Value, json};

use super::{MISSING, PURCHASE_ORDER, asked, docs};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Write};
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::Problem;

const BODY: &[Field] = &[
    Field::optional("purchase_order_id", REFERENCE),
    // The order says which work order it is for.
    Field::optional("work_order_id", REFERENCE),
    defaulted("auto_allocate_cost", Kind::Boolean),
];

/// What a match came to.
struct Outcome {
    matched: usize,
    unmatched: usize,
    variance: Money,
}

/// Hold an invoice against its order.
///
/// A line matches the order's first line for the same part; the difference is that of the prices, for the quantity of
/// the invoice. Without an order in the body the invoice's own is taken. As soon as one line matches the invoice is
/// REVIEWED. Where the order is for a work order, a matched line without a cost center gets WS-MAINT, unless
/// `auto_allocate_cost` is false.
#[utoipa::path(
    post,
    path = "/api/v1/invoices/{invoice_id}/match",
    tag = "finance",
    operation_id = "match_invoice",
    params(
        ("invoice_id" = String, Path, description = "Its UUID or its number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::MatchBody,
    responses(
        (status = 200, description = "What matched", body = docs::Matched),
        (status = 400, description = "It is no draft, or the order is another supplier's or in another currency"),
        (status = 404, description = "No such invoice or order"),
    ),
)]
pub(crate) async fn match_invoice(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, object) = Write::with_optional_body(&state, caller, request).await?;
    let fields = body::parse(BODY, &object)?;
    let by = write.caller().id_text().to_owned();
    let done = write
        .run(move |tx| hold_against_order(tx, &id, &fields, &by))
        .await?;
    let invoice = done.entry()?;
    // A repetition is answered from what the first sending left.
    let outcome = done.value.unwrap_or_else(|| outcome_of(&invoice.folded));
    let message = match outcome.matched {
        0 => "No line matches a line of a purchase order; the invoice stays a draft",
        _ => "The invoice is reviewed",
    };
    let body = json!({
        "invoice_id": invoice.aggregate_id,
        "matched_lines": outcome.matched,
        "unmatched_lines": outcome.unmatched,
        "total_variance": outcome.variance,
        "message": message,
        "position": done.position.get(),
    });
    Ok(json_response(body.to_string()))
}

fn hold_against_order(
    tx: &mut Decision<'_>,
    id: &str,
    fields: &Map<String, Value>,
    by: &str,
) -> Result<Outcome, Problem> {
    let held = tx.load_existing(AGGREGATE_TYPE, id, MISSING)?;
    let named = fields.get("purchase_order_id").and_then(Value::as_str);
    let order = match named.or(held.folded.text("purchase_order_id")) {
        Some(named) => {
            let id = PURCHASE_ORDER.find(tx, named)?;
            let order = tx.read(purchase_order::AGGREGATE_TYPE, &id);
            order.map(|order| (id, order.folded))
        }
        None => None,
    };
    let order = order.as_ref().map(|(id, order)| (id.as_str(), order));
    let allocates = fields.get("auto_allocate_cost") != Some(&Value::Bool(false));
    let matching = match_with(&held.folded, order, allocates, asked(tx, by))?;
    tx.append(AGGREGATE_TYPE, &held.aggregate_id, matching.events)?;
    Ok(Outcome {
        matched: matching.matched_lines,
        unmatched: matching.unmatched_lines,
        variance: matching.total_variance,
    })
}

/// What an earlier match came to, from the lines that it left.
fn outcome_of(invoice: &Folded) -> Outcome {
    let lines = lines(invoice);
    let is_matched = |line: &&Line| line.text("purchase_order_line_id").is_some();
    let matched = lines.iter().filter(is_matched);
    let variances = matched
        .clone()
        .filter_map(|line| Money::parse(line.text("variance")?));
    let variance = Money::sum(variances).unwrap_or_default();
    let matched = matched.count();
    Outcome {
        matched,
        unmatched: lines.len() - matched,
        variance,
    }
}

//! An invoice approved: its costs are booked on budgets in the same transaction. And exported, when they are in the books.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use fleet::budget::schema::PLACE_FILTER;
use fleet::budget::{self, DESCRIBED, budget_of, unplanned};
use fleet::described::Describe;
use fleet::invoice::{AGGREGATE_TYPE, InvoiceCommand, costs, covered, decide, period};
use fleet::money::{Money, currency_of};
use fleet::purchase_order::notes;
use fleet::{Folded, Refusal};
use serde_json::{Map, Value};
use storage::StreamName;

use super::{MISSING, asked, docs};
use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Write, wrote};
use crate::http::budgets::unique_tag;
use crate::http::extract::PathParts;
use crate::http::listing::written;
use crate::http::problem::Problem;

/// Approve a reviewed invoice. Needs the role FLEET_MANAGER.
///
/// Who took it in, or changed its supplier, lines, amounts or date since, may not. Each line that names a cost center is
/// booked, without its tax, on a budget of the month of the invoice's date and that cost center, in the invoice's
/// currency: the one whose category is the line's `account_code`; for a part, one for parts; the one without a category;
/// else the first. Where none was planned in any currency, one of the category AUTO comes into being, or AUTO and the
/// currency where another has AUTO.
#[utoipa::path(
    post,
    path = "/api/v1/invoices/{invoice_id}/approve",
    tag = "finance",
    operation_id = "approve_invoice",
    params(
        ("invoice_id" = String, Path, description = "Its UUID or its number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::Notes,
    responses(
        (status = 200, description = "The invoice now", body = docs::Invoice),
        (status = 400, description = "It was not reviewed"),
        (status = 403, description = "The role does not reach, or the caller wrote some of it"),
        (status = 404, description = "No such invoice"),
        (status = 409, description = "The budgets planned for the month and a cost center are in other currencies"),
    ),
)]
pub(crate) async fn approve_invoice(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_optional_body(&state, caller, request).await?;
    let (caller, notes) = (write.caller().clone(), notes(&body)?);
    let done = write
        .run(move |tx| {
            let held = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let stream = StreamName::new(AGGREGATE_TYPE, &*held.aggregate_id);
            let command = InvoiceCommand::Approve {
                role: caller.role(),
                wrote_it: wrote(&state, &caller, &stream, covered)?,
                notes: notes.clone(),
            };
            let by = caller.id_text();
            let drafts = decide(&held.folded, &held.aggregate_id, &command, asked(tx, by))?;
            tx.append(AGGREGATE_TYPE, &held.aggregate_id, drafts)?;
            book(tx, &held.aggregate_id, &held.folded, by)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// Export an approved invoice: it went to the bookkeeping.
#[utoipa::path(
    post,
    path = "/api/v1/invoices/{invoice_id}/export",
    tag = "finance",
    operation_id = "export_invoice",
    params(
        ("invoice_id" = String, Path, description = "Its UUID or its number"),
        ("If-Match" = Option<String>, Header, description = "The version that it must have"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the write repeatable"),
    ),
    request_body = docs::Notes,
    responses(
        (status = 200, description = "The invoice now", body = docs::Invoice),
        (status = 400, description = "It was not approved"),
        (status = 404, description = "No such invoice"),
    ),
)]
pub(crate) async fn export_invoice(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (write, body) = Write::with_optional_body(&state, caller, request).await?;
    let command = InvoiceCommand::Export {
        notes: notes(&body)?,
    };
    let by = write.caller().id_text().to_owned();
    let done = write
        .run(move |tx| {
            let held = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let drafts = decide(&held.folded, &held.aggregate_id, &command, asked(tx, &by))?;
            tx.append(AGGREGATE_TYPE, &held.aggregate_id, drafts)
        })
        .await?;
    written(StatusCode::OK, &done)
}

/// Books the invoice's costs, one booking a budget.
fn book(
    tx: &mut Decision<'_>,
    invoice_id: &str,
    invoice: &Folded,
    by: &str,
) -> Result<(), Problem> {
    let Some(period) = period(invoice) else {
        return Ok(());
    };
    let currency = currency_of(invoice);
    let mut amounts: BTreeMap<String, Money> = BTreeMap::new();
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    for cost in costs(invoice) {
        let place = budget::place(&period, &cost.cost_center);
        let budgets = tx.list(budget::AGGREGATE_TYPE, PLACE_FILTER, &place);
        let folded: Vec<&Folded> = budgets.iter().map(|budget| &budget.folded).collect();
        let id = match budget_of(&cost, &currency, &period, &folded)? {
            Some(chosen) => budgets[chosen].aggregate_id.to_string(),
            None => match made.get(&cost.cost_center) {
                Some(id) => id.clone(),
                None => {
                    let fields = unplanned(&period, &cost.cost_center, &currency, &folded);
                    let id = make_unplanned(tx, fields)?;
                    made.insert(cost.cost_center.clone(), id.clone());
                    id
                }
            },
        };
        let amount = amounts.entry(id).or_default();
        *amount = amount.plus(cost.amount).ok_or_else(too_large)?;
    }
    for (id, amount) in amounts {
        let held = tx.load(budget::AGGREGATE_TYPE, &id)?;
        let drafts = budget::book(amount, &held, (invoice_id, invoice), by)?;
        tx.append(budget::AGGREGATE_TYPE, &id, drafts)?;
    }
    Ok(())
}

/// Makes a budget for costs that nobody planned, and gives its id.
fn make_unplanned(tx: &mut Decision<'_>, fields: Map<String, Value>) -> Result<String, Problem> {
    let key = budget::unique_key(|name| fields.get(name).cloned());
    // Where another approval has made it since it was looked for, the claim is refused, and all is decided again.
    tx.claim(&unique_tag(&key));
    let id = tx.new_id();
    let held = tx.load(budget::AGGREGATE_TYPE, &id)?;
    let drafts = DESCRIBED.decide(&held, &Describe::Create(fields))?;
    tx.append(budget::AGGREGATE_TYPE, &id, drafts)?;
    Ok(id)
}

fn too_large() -> Refusal {
    Refusal::invalid(
        "lines",
        "total_too_large",
        "The lines come to more than any sum of money",
    )
}

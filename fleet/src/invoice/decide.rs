//! Which commands on an invoice become events.
//!
//! DRAFT → REVIEWED (held against its order, [`super::matching`]) → APPROVED (its costs are booked) → EXPORTED.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::command::{InvoiceCommand, LINES_MAX};
use super::line::{Line, line_id, lines};
use super::matching::MAINTENANCE_COST_CENTER;
use super::{event, schema::SCHEMA, status};
use crate::calendar;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::money::{AMOUNT_MAX, Money};
use crate::policy::Role;
use crate::refusal::Refusal;
use crate::schema::draft::members;
use crate::step::{add_remark, refuse_own, starts_from};

/// The least role that may approve an invoice: money leaves the house.
pub const APPROVAL_ROLE: Role = Role::FleetManager;

/// Keys of what an approval is given for, beside the lines: who is paid how much, and in which month it is booked.
const COVERED: &[&str] = &[
    "invoice_number",
    "supplier_id",
    "invoice_date",
    "currency",
    "total_amount",
    "tax_amount",
];
/// Members of a line that say which line of the order it is for, and how far it is from it.
const FOUND: &[&str] = &["purchase_order_line_id", "variance"];

/// Fields that an invoice may still get when its lines are settled.
const LATE_FIELDS: &[&str] = &["due_date", "payment_date", "attachment_url", "notes"];

/// The events that `command` causes on the invoice `invoice_id`, none if it asks for what is already so.
///
/// # Errors
/// `Rule` for a status that does not allow it, `Forbidden` for a role that may not approve and for one's own, `Invalid` for lines that
/// contradict each other, `Missing` for an invoice that does not exist.
pub fn decide(
    state: &Folded,
    invoice_id: &str,
    command: &InvoiceCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let drafts = match command {
        InvoiceCommand::Create(fields) => create(state, invoice_id, fields, asked)?,
        _ if !state.exists() => return Err(not_found()),
        InvoiceCommand::Change(fields) => change(state, invoice_id, fields)?,
        InvoiceCommand::Approve {
            role,
            wrote_it,
            notes,
        } => {
            if !role.reaches(APPROVAL_ROLE) {
                let message = format!("Approving an invoice needs the role {APPROVAL_ROLE}");
                return Err(Refusal::forbidden("", "role_too_low", message));
            }
            must_be(state, "approve", &["REVIEWED"])?;
            refuse_own(state, *role, asked.by, *wrote_it, "an invoice")?;
            let data = members(json!({
                "status": "APPROVED",
                "approved_by": asked.by,
                "approved_at": asked.time(),
            }));
            vec![step(
                state,
                event::INVOICE_APPROVED,
                data,
                "Approval",
                notes.as_deref(),
            )]
        }
        InvoiceCommand::Export { notes } => {
            must_be(state, "export", &["APPROVED"])?;
            let data = members(json!({ "status": "EXPORTED" }));
            vec![step(
                state,
                event::INVOICE_EXPORTED,
                data,
                "Export",
                notes.as_deref(),
            )]
        }
    };
    SCHEMA.admit(drafts)
}

/// What an approval of the invoice is given for ([`crate::step::Covers`]). What a match finds, and fills in by its rule, is
/// not the work of who asked for it: they may approve.
pub fn covered(state: &Folded, event_type: &str) -> Value {
    let by_rule = event_type == event::INVOICE_REVIEWED;
    let mut told: Vec<Value> = COVERED
        .iter()
        .map(|key| state.get(key).unwrap_or_default())
        .collect();
    for Line(mut fields) in lines(state) {
        fields.retain(|name, value| {
            let name = name.as_str();
            !(FOUND.contains(&name) || by_rule && is_by_rule(name, value))
        });
        told.push(Value::Object(fields));
    }
    Value::Array(told)
}

/// Whether a match leaves this member of a line so: it fills in the cost center of maintenance, and a bearer, where nobody
/// has. Another cost center is somebody's work, whatever event tells it.
fn is_by_rule(name: &str, value: &Value) -> bool {
    match name {
        "cost_center" => {
            let told = value.as_str().unwrap_or_default();
            told.is_empty() || told == MAINTENANCE_COST_CENTER
        }
        "cost_bearer" => true,
        _ => false,
    }
}

/// The refusal of a command on an invoice that does not exist.
pub fn not_found() -> Refusal {
    Refusal::missing("invoice_not_found", "Invoice not found")
}

/// Refuses what the invoice's status does not allow, in the old system's words.
pub(super) fn must_be(state: &Folded, verb: &str, allowed: &[&str]) -> Result<(), Refusal> {
    starts_from(allowed, status(state), verb, "invoice")
}

fn create(
    state: &Folded,
    invoice_id: &str,
    fields: &Map<String, Value>,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    if state.exists() {
        return Err(Refusal::rule(
            "",
            "already_exists",
            "Invoice already exists",
        ));
    }
    let mut data = fields.clone();
    take_lines(&mut data, invoice_id)?;
    data.insert("status".to_owned(), "DRAFT".into());
    data.insert("created_by".to_owned(), asked.by.into());
    Ok(vec![SCHEMA.draft(event::INVOICE_CREATED, data)])
}

fn change(
    state: &Folded,
    invoice_id: &str,
    fields: &Map<String, Value>,
) -> Result<Vec<EventDraft>, Refusal> {
    let mut fields = fields.clone();
    if fields.contains_key("lines") {
        take_lines(&mut fields, invoice_id)?;
    }
    let mut changed = state.differing(fields);
    if changed
        .keys()
        .any(|name| !LATE_FIELDS.contains(&name.as_str()))
    {
        must_be(state, "change", &["DRAFT"])?;
    }
    let mut drafts = Vec::new();
    if let Some(date) = changed.remove("payment_date") {
        must_be(state, "pay", &["APPROVED", "EXPORTED"])?;
        let data = members(json!({ "payment_date": date }));
        drafts.push(SCHEMA.draft(event::INVOICE_PAID, data));
    }
    if !changed.is_empty() {
        drafts.push(SCHEMA.draft(event::INVOICE_UPDATED, changed));
    }
    Ok(drafts)
}

/// Completes the lines in `data` and sets what they come to.
fn take_lines(data: &mut Map<String, Value>, invoice_id: &str) -> Result<(), Refusal> {
    let given = data.remove("lines").unwrap_or_default();
    let given = given.as_array().map(Vec::as_slice).unwrap_or_default();
    if given.is_empty() || given.len() > LINES_MAX {
        let message = format!("An invoice has 1 to {LINES_MAX} lines, not {}", given.len());
        return Err(Refusal::invalid("lines", "line_count", message));
    }
    let mut numbers = BTreeSet::new();
    let mut lines = Vec::with_capacity(given.len());
    let mut total = Some(Money::ZERO);
    let mut tax = Some(Money::ZERO);
    for fields in given {
        let mut line = Line(fields.as_object().cloned().unwrap_or_default());
        line.0.retain(|_, value| !value.is_null());
        let line_number = line.line_number();
        if !numbers.insert(line_number) {
            let message = format!("There are two lines with line_number {line_number}");
            return Err(Refusal::invalid("lines", "line_number_twice", message));
        }
        let line_total = line.unit_price().times(line.quantity());
        total = total.and_then(|total| total.plus(line_total?));
        let line_tax = line.0.get("tax_amount").and_then(Money::of_json);
        tax = tax.and_then(|tax| tax.plus(line_tax.unwrap_or_default()));
        let mut put = |name: &str, value: Value| line.0.insert(name.to_owned(), value);
        put("id", line_id(invoice_id, line_number).into());
        put("line_total", line_total.map_or(Value::Null, Money::to_json));
        put("tax_amount", line_tax.unwrap_or_default().to_json());
        lines.push(Value::Object(line.0));
    }
    let within = |amount: &Money| *amount <= AMOUNT_MAX;
    let (Some(total), Some(tax)) = (total.filter(within), tax.filter(within)) else {
        let message = format!("The lines come to more than {AMOUNT_MAX}");
        return Err(Refusal::invalid("lines", "total_too_large", message));
    };
    data.insert("lines".to_owned(), lines.into());
    data.insert("total_amount".to_owned(), total.to_json());
    data.insert("tax_amount".to_owned(), tax.to_json());
    Ok(())
}

/// A cost that an approved invoice books.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cost {
    /// On which cost center.
    pub cost_center: String,
    /// The account that the line names, if it does.
    pub account_code: Option<String>,
    /// Whether it is for parts, rather than work or a service.
    pub is_parts: bool,
    /// How much, without tax.
    pub amount: Money,
}

/// The costs of an invoice: one a line that names a cost center, in the order of the lines.
pub fn costs(state: &Folded) -> Vec<Cost> {
    let lines = lines(state);
    let costs = lines.iter().filter_map(|line| {
        Some(Cost {
            cost_center: line.text("cost_center")?.to_owned(),
            account_code: line.text("account_code").map(str::to_owned),
            is_parts: line.text("part_no").is_some(),
            amount: line.line_total(),
        })
    });
    costs.collect()
}

/// The month that an invoice's costs belong to, `YYYY-MM`: that of its date.
pub fn period(state: &Folded) -> Option<String> {
    let date = state.text("invoice_date").and_then(calendar::parse_time);
    Some(calendar::month_of(date.or(state.record.created_at())?))
}

fn step(
    state: &Folded,
    event_type: &'static str,
    mut data: Map<String, Value>,
    tag: &str,
    note: Option<&str>,
) -> EventDraft {
    add_remark(&mut data, state, tag, note);
    SCHEMA.draft(event_type, data)
}

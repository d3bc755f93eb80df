//! Which commands on a purchase order become events.
//!
//! DRAFT → APPROVED → ORDERED → RECEIVED → CLOSED. An order of which something is still to come stays ORDERED; it can be
//! closed when nothing more is waited for. A delivery never brings a line above what was ordered: more of it is another
//! order, or a stock move.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::command::{Delivery, LINES_MAX, PurchaseOrderCommand};
use super::line::{Line, line_id, lines};
use super::{event, schema::SCHEMA};
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::money::{AMOUNT_MAX, Money};
use crate::policy::Role;
use crate::refusal::Refusal;
use crate::schema::check::integer;
use crate::schema::draft::members;
use crate::step::{add_remark, refuse_own, starts_from};
use crate::stock_move::{MoveType, StockMove};

/// The least role that may approve an order.
pub const APPROVAL_ROLE: Role = Role::WorkshopManager;

/// Keys of what an approval is given for: what is bought of whom, at which price, and for which work.
const COVERED: &[&str] = &[
    "po_number",
    "supplier_id",
    "work_order_id",
    "currency",
    "total_amount",
    "lines",
];

/// The events that `command` causes on the order `order_id`, none if it asks for what is already so.
///
/// # Errors
/// `Rule` for a status that does not allow it, `Conflict` for more than was ordered, `Forbidden` for a role that may not
/// approve and for one's own, `Invalid` for lines that contradict each other, `Missing` for an order or a line that does not exist.
pub fn decide(
    state: &Folded,
    order_id: &str,
    command: &PurchaseOrderCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let drafts = match command {
        PurchaseOrderCommand::Create(fields) => create(state, order_id, fields, asked)?,
        _ if !state.exists() => {
            return Err(Refusal::missing(
                "purchase_order_not_found",
                "Purchase order not found",
            ));
        }
        PurchaseOrderCommand::Change(fields) => change(state, order_id, fields)?,
        PurchaseOrderCommand::Approve {
            role,
            wrote_it,
            notes,
        } => {
            if !role.reaches(APPROVAL_ROLE) {
                let message = format!("Approving a purchase order needs the role {APPROVAL_ROLE}");
                return Err(Refusal::forbidden("", "role_too_low", message));
            }
            must_be(state, "approve", &["DRAFT"])?;
            refuse_own(state, *role, asked.by, *wrote_it, "a purchase order")?;
            let data = members(json!({
                "status": "APPROVED",
                "approved_by": asked.by,
                "approved_at": asked.time(),
            }));
            vec![step(
                state,
                event::PURCHASE_ORDER_APPROVED,
                data,
                "Approval",
                notes.as_deref(),
            )]
        }
        PurchaseOrderCommand::Order { order_date, notes } => {
            must_be(state, "order", &["APPROVED"])?;
            let data = members(json!({
                "status": "ORDERED",
                "order_date": told_or_now(order_date.as_deref(), asked),
            }));
            vec![step(
                state,
                event::PURCHASE_ORDER_ORDERED,
                data,
                "Order",
                notes.as_deref(),
            )]
        }
        PurchaseOrderCommand::Receive(delivery) => vec![receive(state, order_id, delivery, asked)?],
        PurchaseOrderCommand::Close { notes } => {
            must_be(state, "close", &["ORDERED", "RECEIVED"])?;
            let data = members(json!({ "status": "CLOSED" }));
            vec![step(
                state,
                event::PURCHASE_ORDER_CLOSED,
                data,
                "Close",
                notes.as_deref(),
            )]
        }
    };
    SCHEMA.admit(drafts)
}

/// What an approval of the order is given for ([`crate::step::Covers`]).
pub fn covered(state: &Folded, _event_type: &str) -> Value {
    let told = COVERED.iter().map(|key| state.get(key).unwrap_or_default());
    told.collect()
}

/// The stock moves that a delivery means, one a line, in the order of its lines.
pub fn moves_of(state: &Folded, order_id: &str, delivery: &Delivery) -> Vec<StockMove> {
    let lines = lines(order_id, state);
    let number = state.text("po_number").unwrap_or(order_id);
    let moves = delivery.lines.iter().filter_map(|(line_id, quantity)| {
        let line = lines.iter().find(|line| line.id == *line_id)?;
        let details = members(json!({
            "reference_doc": format!("PO-{number}"),
            "unit_price": line.unit_price,
            "purchase_order_id": order_id,
            "purchase_order_line_id": line.id,
        }));
        Some(StockMove {
            part_no: line.part_no.clone(),
            move_type: MoveType::Incoming,
            quantity: *quantity,
            from_location_id: None,
            to_location_id: Some(delivery.delivery_location_id.clone()),
            details,
        })
    });
    moves.collect()
}

fn create(
    state: &Folded,
    order_id: &str,
    fields: &Map<String, Value>,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    if state.exists() {
        return Err(Refusal::rule(
            "",
            "already_exists",
            "Purchase order already exists",
        ));
    }
    let mut data = fields.clone();
    take_lines(&mut data, order_id)?;
    data.insert("status".to_owned(), "DRAFT".into());
    data.insert("created_by".to_owned(), asked.by.into());
    Ok(vec![SCHEMA.draft(event::PURCHASE_ORDER_CREATED, data)])
}

fn change(
    state: &Folded,
    order_id: &str,
    fields: &Map<String, Value>,
) -> Result<Vec<EventDraft>, Refusal> {
    let mut fields = fields.clone();
    if fields.contains_key("lines") {
        take_lines(&mut fields, order_id)?;
    }
    let changed = state.differing(fields);
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    must_be(state, "change", &["DRAFT"])?;
    Ok(vec![SCHEMA.draft(event::PURCHASE_ORDER_UPDATED, changed)])
}

/// Completes the lines in `data` and sets what they come to.
fn take_lines(data: &mut Map<String, Value>, order_id: &str) -> Result<(), Refusal> {
    let given = data.remove("lines").unwrap_or_default();
    let given = given.as_array().map(Vec::as_slice).unwrap_or_default();
    if given.is_empty() || given.len() > LINES_MAX {
        let message = format!("An order has 1 to {LINES_MAX} lines, not {}", given.len());
        return Err(Refusal::invalid("lines", "line_count", message));
    }
    let mut numbers = BTreeSet::new();
    let mut lines = Vec::with_capacity(given.len());
    let mut total = Some(Money::ZERO);
    for line in given {
        let mut line = line.as_object().cloned().unwrap_or_default();
        line.retain(|_, value| !value.is_null());
        let number = |name: &str| line.get(name).and_then(integer).unwrap_or(0);
        let (line_number, quantity) = (number("line_number"), number("quantity_ordered"));
        if !numbers.insert(line_number) {
            let message = format!("There are two lines with line_number {line_number}");
            return Err(Refusal::invalid("lines", "line_number_twice", message));
        }
        let price = line.get("unit_price").and_then(Money::of_json);
        let line_total = price.unwrap_or_default().times(quantity);
        total = total.and_then(|total| total.plus(line_total?));
        line.insert("id".to_owned(), line_id(order_id, line_number).into());
        line.insert("quantity_received".to_owned(), 0.into());
        line.insert(
            "line_total".to_owned(),
            line_total.map_or(Value::Null, Money::to_json),
        );
        lines.push(Value::Object(line));
    }
    let Some(total) = total.filter(|total| *total <= AMOUNT_MAX) else {
        let message = format!("The lines come to more than {AMOUNT_MAX}");
        return Err(Refusal::invalid("lines", "total_too_large", message));
    };
    data.insert("lines".to_owned(), lines.into());
    data.insert("total_amount".to_owned(), total.to_json());
    Ok(())
}

fn receive(
    state: &Folded,
    order_id: &str,
    delivery: &Delivery,
    asked: Asked<'_>,
) -> Result<EventDraft, Refusal> {
    must_be(state, "receive", &["ORDERED"])?;
    if delivery.lines.is_empty() {
        return Err(Refusal::invalid(
            "lines_received",
            "line_count",
            "A delivery names at least one line of the order",
        ));
    }
    let mut lines = lines(order_id, state);
    let mut received = Vec::with_capacity(delivery.lines.len());
    for (line_id, quantity) in &delivery.lines {
        let Some(line) = lines.iter_mut().find(|line| line.id == *line_id) else {
            let message = format!("Purchase order line '{line_id}' not found in this order");
            return Err(Refusal::missing("purchase_order_line_not_found", message));
        };
        if *quantity > line.quantity_open() {
            return Err(too_many(line, *quantity));
        }
        line.quantity_received += quantity;
        received.push(json!({
            "line_id": line.id,
            "line_number": line.line_number,
            "part_no": line.part_no,
            "quantity_received": quantity,
        }));
    }
    let is_complete = lines.iter().all(|line| line.quantity_open() == 0);
    let data = members(json!({
        "status": if is_complete { "RECEIVED" } else { "ORDERED" },
        "received_date": told_or_now(delivery.received_date.as_deref(), asked),
        "delivery_location_id": delivery.delivery_location_id,
        "lines_received": received,
        "received_by": asked.by,
    }));
    let notes = delivery.notes.as_deref();
    Ok(step(
        state,
        event::PURCHASE_ORDER_RECEIVED,
        data,
        "Receipt",
        notes,
    ))
}

fn too_many(line: &Line, quantity: i64) -> Refusal {
    let message = format!(
        "Line {} has {} of {} pieces still to come, {quantity} cannot be received",
        line.line_number,
        line.quantity_open(),
        line.quantity_ordered
    );
    Refusal::conflict("lines_received", "more_than_ordered", message)
}

/// A step of the order's way, with what it adds to the notes.
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

fn must_be(state: &Folded, verb: &str, allowed: &[&str]) -> Result<(), Refusal> {
    starts_from(allowed, super::status(state), verb, "purchase order")
}

fn told_or_now(told: Option<&str>, asked: Asked<'_>) -> String {
    told.map_or_else(|| asked.time(), str::to_owned)
}

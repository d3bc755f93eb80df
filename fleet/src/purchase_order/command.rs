//! What a purchase order can be asked for.

use serde_json::{Map, Value, json};

use crate::policy::Role;
use crate::schema::body::{self, read_only};
use crate::schema::limits::{CURRENCY, INTEGER_MAX, PRICE, QUANTITY, REFERENCE, REMARK, defaulted};
use crate::schema::{Field, FieldError, Kind};

/// Most lines of an order.
pub const LINES_MAX: usize = 1_000;

/// A command on a purchase order. References are resolved: suppliers, locations and work orders by their ids.
#[derive(Clone, PartialEq, Debug)]
pub enum PurchaseOrderCommand {
    /// Be drafted, with these fields as [`creation`] gave them.
    Create(Map<String, Value>),
    /// Change these fields of the draft, as [`change`] gave them.
    Change(Map<String, Value>),
    /// Be approved by somebody of this role.
    Approve {
        /// The role of the account that asks.
        role: Role,
        /// Whether that account is one of its [`Writers`](crate::step::Writers).
        wrote_it: bool,
        /// What to add to the notes.
        notes: Option<String>,
    },
    /// Go to the supplier.
    Order {
        /// When it went, RFC 3339; now if it was not said.
        order_date: Option<String>,
        /// What to add to the notes.
        notes: Option<String>,
    },
    /// Take in a delivery.
    Receive(Delivery),
    /// Wait for nothing more.
    Close {
        /// What to add to the notes.
        notes: Option<String>,
    },
}

/// What came of an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// When it came, RFC 3339; now if it was not said.
    pub received_date: Option<String>,
    /// Where it was put: a location's id.
    pub delivery_location_id: String,
    /// The lines of which something came, and how much; at least one.
    pub lines: Vec<(String, i64)>,
    /// What to add to the notes.
    pub notes: Option<String>,
}

/// Checks the body of a request that drafts an order, and fills in what it leaves to its defaults.
///
/// # Errors
/// All faults; never an empty list.
pub fn creation(body: &Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldError>> {
    let mut fields = body::parse(CREATION, body)?;
    fields.retain(|_, value| !value.is_null());
    fields.entry("currency").or_insert(json!("EUR"));
    Ok(fields)
}

/// Checks the body of a request that changes a draft.
///
/// # Errors
/// All faults; never an empty list.
pub fn change(body: &Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldError>> {
    body::parse(CHANGE, body)
}

/// Checks the body of a request that approves or closes an order: its notes.
///
/// # Errors
/// All faults; never an empty list.
pub fn notes(body: &Map<String, Value>) -> Result<Option<String>, Vec<FieldError>> {
    let mut fields = body::parse(NOTES, body)?;
    Ok(take_text(&mut fields, "notes"))
}

/// Checks the body of a request that sends an order to its supplier.
///
/// # Errors
/// All faults; never an empty list.
pub fn order(body: &Map<String, Value>) -> Result<PurchaseOrderCommand, Vec<FieldError>> {
    let mut fields = body::parse(ORDER, body)?;
    Ok(PurchaseOrderCommand::Order {
        order_date: take_text(&mut fields, "order_date"),
        notes: take_text(&mut fields, "notes"),
    })
}

/// Checks the body of a request that takes in a delivery. A line without id or without a quantity of at least 1 is a
/// fault, not one to pass over.
///
/// # Errors
/// All faults; never an empty list.
pub fn delivery(body: &Map<String, Value>) -> Result<Delivery, Vec<FieldError>> {
    let mut fields = body::parse(DELIVERY, body)?;
    let lines = fields.remove("lines_received");
    let lines = lines.as_ref().and_then(Value::as_array);
    let lines = lines.into_iter().flatten().filter_map(|line| {
        let line_id = line.get("line_id")?.as_str()?.to_owned();
        Some((line_id, line.get("quantity_received")?.as_i64()?))
    });
    Ok(Delivery {
        lines: lines.collect(),
        received_date: take_text(&mut fields, "received_date"),
        delivery_location_id: take_text(&mut fields, "delivery_location_id").unwrap_or_default(),
        notes: take_text(&mut fields, "notes"),
    })
}

fn take_text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

const LINE: &[Field] = &[
    Field::required(
        "line_number",
        Kind::Integer {
            min: 1,
            max: INTEGER_MAX,
        },
    ),
    Field::required("part_no", Kind::name(100)),
    Field::optional("description", REMARK),
    Field::required("quantity_ordered", QUANTITY),
    Field::required("unit_price", PRICE),
    Field::optional("notes", REMARK),
    read_only("id"),
    read_only("purchase_order_id"),
    read_only("quantity_received"),
    read_only("line_total"),
];
const LINES: Kind = Kind::List(&Kind::Record(LINE));

const CREATION: &[Field] = &[
    Field::required("po_number", Kind::Key { chars_max: 50 }),
    Field::required("supplier_id", REFERENCE),
    Field::optional("work_order_id", REFERENCE),
    Field::optional("expected_delivery_date", Kind::Time),
    Field::optional("delivery_location_id", REFERENCE),
    defaulted("currency", CURRENCY),
    Field::optional("notes", REMARK),
    Field::required("lines", LINES),
];

const CHANGE: &[Field] = &[
    defaulted("supplier_id", REFERENCE),
    Field::optional("work_order_id", REFERENCE),
    Field::optional("expected_delivery_date", Kind::Time),
    Field::optional("delivery_location_id", REFERENCE),
    defaulted("currency", CURRENCY),
    Field::optional("notes", REMARK),
    defaulted("lines", LINES),
    read_only("po_number"),
    read_only("id"),
    read_only("status"),
    read_only("order_date"),
    read_only("received_date"),
    read_only("total_amount"),
    read_only("created_by"),
    read_only("approved_by"),
    read_only("approved_at"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("version"),
];

const NOTES: &[Field] = &[Field::optional("notes", REMARK)];

const ORDER: &[Field] = &[
    Field::optional("order_date", Kind::Time),
    Field::optional("notes", REMARK),
];

const DELIVERY: &[Field] = &[
    Field::optional("received_date", Kind::Time),
    Field::required("delivery_location_id", REFERENCE),
    Field::required(
        "lines_received",
        Kind::List(&Kind::Record(&[
            Field::required("line_id", Kind::name(255)),
            Field::required("quantity_received", QUANTITY),
        ])),
    ),
    Field::optional("notes", REMARK),
];

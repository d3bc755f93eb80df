//! What an invoice can be asked for.

use serde_json::{Map, Value, json};

use crate::policy::Role;
use crate::schema::body::{self, read_only};
use crate::schema::limits::{
    AMOUNT, CURRENCY, INTEGER_MAX, PRICE, QUANTITY, REFERENCE, REMARK, defaulted,
};
use crate::schema::{Field, FieldError, Kind};

/// Most lines of an invoice.
pub const LINES_MAX: usize = 1_000;

/// A command on an invoice. References are resolved: suppliers, orders and work orders by their ids.
#[derive(Clone, PartialEq, Debug)]
pub enum InvoiceCommand {
    /// Come in, with these fields as [`creation`] gave them.
    Create(Map<String, Value>),
    /// Change these fields, as [`change`] gave them.
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
    /// Go to the bookkeeping.
    Export {
        /// What to add to the notes.
        notes: Option<String>,
    },
}

/// Checks the body of a request that takes an invoice in, and fills in what it leaves to its defaults.
///
/// # Errors
/// All faults; never an empty list.
pub fn creation(body: &Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldError>> {
    let mut fields = body::parse(CREATION, body)?;
    fields.retain(|_, value| !value.is_null());
    fields.entry("currency").or_insert(json!("EUR"));
    Ok(fields)
}

/// Checks the body of a request that changes an invoice.
///
/// # Errors
/// All faults; never an empty list.
pub fn change(body: &Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldError>> {
    body::parse(CHANGE, body)
}

const LINE: &[Field] = &[
    Field::required(
        "line_number",
        Kind::Integer {
            min: 1,
            max: INTEGER_MAX,
        },
    ),
    Field::required("description", Kind::name(10_000)),
    Field::optional("part_no", Kind::name(100)),
    Field::optional("quantity", QUANTITY),
    Field::required("unit_price", PRICE),
    defaulted("tax_amount", AMOUNT),
    Field::optional("cost_center", Kind::name(50)),
    Field::optional("cost_bearer", Kind::text(50)),
    Field::optional("account_code", Kind::text(50)),
    Field::optional("notes", REMARK),
    read_only("id"),
    read_only("invoice_id"),
    read_only("purchase_order_line_id"),
    read_only("line_total"),
    read_only("variance"),
];
const LINES: Kind = Kind::List(&Kind::Record(LINE));

const CREATION: &[Field] = &[
    Field::required("invoice_number", Kind::Key { chars_max: 100 }),
    Field::required("supplier_id", REFERENCE),
    Field::optional("purchase_order_id", REFERENCE),
    Field::optional("work_order_id", REFERENCE),
    Field::required("invoice_date", Kind::Time),
    Field::optional("due_date", Kind::Time),
    defaulted("currency", CURRENCY),
    Field::optional("attachment_url", Kind::text(500)),
    Field::optional("notes", REMARK),
    Field::required("lines", LINES),
];

const CHANGE: &[Field] = &[
    defaulted("supplier_id", REFERENCE),
    Field::optional("purchase_order_id", REFERENCE),
    Field::optional("work_order_id", REFERENCE),
    defaulted("invoice_date", Kind::Time),
    Field::optional("due_date", Kind::Time),
    Field::optional("payment_date", Kind::Time),
    defaulted("currency", CURRENCY),
    Field::optional("attachment_url", Kind::text(500)),
    Field::optional("notes", REMARK),
    defaulted("lines", LINES),
    read_only("invoice_number"),
    read_only("id"),
    read_only("status"),
    read_only("total_amount"),
    read_only("tax_amount"),
    read_only("created_by"),
    read_only("reviewed_by"),
    read_only("reviewed_at"),
    read_only("approved_by"),
    read_only("approved_at"),
    read_only("created_at"),
    read_only("updated_at"),
    read_only("version"),
];

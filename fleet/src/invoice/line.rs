//! The lines of an invoice.

use serde_json::{Map, Value};

use crate::folded::Folded;
use crate::listing::row_id;
use crate::money::Money;
use crate::schema::check::integer;

/// Members of a line that are told as they stand, or null.
const FIELDS: &[&str] = &[
    "description",
    "part_no",
    "purchase_order_line_id",
    "quantity",
    "unit_price",
    "line_total",
    "tax_amount",
    "cost_center",
    "cost_bearer",
    "account_code",
    "variance",
    "notes",
];

/// A line of an invoice: its members as the event tells them.
#[derive(Clone, PartialEq, Debug)]
pub struct Line(pub(super) Map<String, Value>);

impl Line {
    /// The text of a member, if it has one that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    }

    /// Its number within the invoice.
    pub fn line_number(&self) -> i64 {
        self.0.get("line_number").and_then(integer).unwrap_or(0)
    }

    /// How many pieces are billed; 1 where the line does not count pieces.
    pub fn quantity(&self) -> i64 {
        let quantity = self.0.get("quantity").and_then(integer);
        quantity.filter(|quantity| *quantity != 0).unwrap_or(1)
    }

    /// What a piece costs.
    pub fn unit_price(&self) -> Money {
        self.money("unit_price")
    }

    /// What the line comes to, without tax.
    pub fn line_total(&self) -> Money {
        let told = self.0.get("line_total").and_then(Money::of_json);
        told.or_else(|| self.unit_price().times(self.quantity()))
            .unwrap_or_default()
    }

    fn money(&self, name: &str) -> Money {
        let told = self.0.get(name).and_then(Money::of_json);
        told.unwrap_or_default()
    }

    /// The line as clients see it.
    pub fn row(&self, invoice_id: &str) -> Map<String, Value> {
        let mut row = Map::new();
        let id = self.0.get("id").cloned();
        let id = id.unwrap_or_else(|| line_id(invoice_id, self.line_number()).into());
        row.insert("id".to_owned(), id);
        row.insert("invoice_id".to_owned(), invoice_id.into());
        row.insert("line_number".to_owned(), self.line_number().into());
        for name in FIELDS {
            let value = self.0.get(*name).cloned().unwrap_or_default();
            row.insert((*name).to_owned(), value);
        }
        row
    }
}

/// The id of a line that has none of its own: it follows from the invoice's id and the line's number.
pub fn line_id(invoice_id: &str, line_number: i64) -> String {
    row_id("InvoiceLine", &format!("{invoice_id}/{line_number}")).to_string()
}

/// The lines of the invoice, as its events tell them.
pub fn lines(state: &Folded) -> Vec<Line> {
    let told = state.get("lines");
    let told = told.as_ref().and_then(Value::as_array);
    let objects = told.into_iter().flatten().filter_map(Value::as_object);
    objects.map(|fields| Line(fields.clone())).collect()
}

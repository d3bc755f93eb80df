//! The lines of an order, with what came of each.

use serde_json::{Map, Value};

use super::schema::RECEIVED_KEY;
use crate::folded::Folded;
use crate::listing::row_id;
use crate::money::Money;
use crate::schema::check::integer;

/// A line of an order.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// Names it within the order, and among all lines.
    pub id: String,
    /// Its number within the order, from 1.
    pub line_number: i64,
    /// The part ordered.
    pub part_no: String,
    /// How many.
    pub quantity_ordered: i64,
    /// How many came so far.
    pub quantity_received: i64,
    /// What a piece costs.
    pub unit_price: Money,
    fields: Map<String, Value>,
}

impl Line {
    /// How many are still to come; never below 0.
    pub fn quantity_open(&self) -> i64 {
        self.quantity_ordered
            .saturating_sub(self.quantity_received)
            .max(0)
    }

    /// The line as clients see it.
    pub fn row(&self, order_id: &str) -> Map<String, Value> {
        let mut row = Map::new();
        let told = |name: &str| self.fields.get(name).cloned().unwrap_or_default();
        let mut put = |name: &str, value: Value| row.insert(name.to_owned(), value);
        put("id", self.id.as_str().into());
        put("purchase_order_id", order_id.into());
        put("line_number", self.line_number.into());
        put("part_no", self.part_no.as_str().into());
        put("description", told("description"));
        put("quantity_ordered", self.quantity_ordered.into());
        put("quantity_received", self.quantity_received.into());
        put("unit_price", self.unit_price.to_json());
        let total = Money::of_json(&told("line_total"))
            .or_else(|| self.unit_price.times(self.quantity_ordered));
        put("line_total", total.map_or(Value::Null, Money::to_json));
        put("notes", told("notes"));
        row
    }
}

/// The id of a line that has none of its own: it follows from the order's id and the line's number.
pub fn line_id(order_id: &str, line_number: i64) -> String {
    row_id("PurchaseOrderLine", &format!("{order_id}/{line_number}")).to_string()
}

/// The lines of the order, as its events tell them, in their order there.
pub fn lines(order_id: &str, state: &Folded) -> Vec<Line> {
    let told = state.get("lines");
    let told = told.as_ref().and_then(Value::as_array);
    let objects = told.into_iter().flatten().filter_map(Value::as_object);
    objects
        .map(|fields| line(order_id, state, fields))
        .collect()
}

fn line(order_id: &str, state: &Folded, fields: &Map<String, Value>) -> Line {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| fields.get(name).and_then(integer).unwrap_or(0);
    let line_number = number("line_number");
    let id = text("id").unwrap_or_else(|| line_id(order_id, line_number));
    let received = state.record.sum_of(RECEIVED_KEY, &id);
    Line {
        line_number,
        part_no: text("part_no").unwrap_or_default(),
        quantity_ordered: number("quantity_ordered"),
        quantity_received: number("quantity_received").saturating_add(received),
        unit_price: fields
            .get("unit_price")
            .and_then(Money::of_json)
            .unwrap_or_default(),
        fields: fields.clone(),
        id,
    }
}

//! An object a row, a row a line.

use serde_json::{Map, Value};

use super::{Cell, Table};
use crate::http::problem::Problem;
use crate::rfc3339;

pub(super) fn written(table: Table) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    for row in table.rows {
        let named = table
            .columns
            .iter()
            .cloned()
            .zip(row?.into_iter().map(json));
        let object: Map<String, Value> = named.collect();
        out.extend_from_slice(Value::Object(object).to_string().as_bytes());
        out.push(b'\n');
    }
    Ok(out)
}

fn json(cell: Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Text(text) => text.into(),
        Cell::Number(number) => number.into(),
        Cell::Whole(number) => number.into(),
        Cell::Time(time) => rfc3339::to_string(time).into(),
    }
}

//! How a column's values come over the wire, and the statement that asks for them.

use super::{Found, Kind};

/// The binary form in which a column's values come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wire {
    /// One byte.
    Bool,
    /// A whole number of 2, 4 or 8 bytes.
    Integer,
    /// A floating-point number of 4 or 8 bytes.
    Float,
    /// Decimal digits.
    Numeric,
    /// Characters; also what enums and everything unexpected come as.
    Text,
    /// Characters that are JSON.
    Json,
    /// Sixteen bytes.
    Uuid,
    /// A time of nobody's clock in particular.
    Timestamp,
    /// A moment.
    TimestampTz,
    /// A day.
    Date,
    /// A version byte, then characters.
    Jsonb,
}

/// How values of a column of this type come when they are meant like this, and whether the server must turn them into
/// text for it: it does so where a patched database has a type that no known one has.
pub(super) fn wire(kind: Kind, type_name: &str) -> (Wire, bool) {
    let native = match type_name {
        "bool" => Some(Wire::Bool),
        "int2" | "int4" | "int8" => Some(Wire::Integer),
        "float4" | "float8" => Some(Wire::Float),
        "numeric" => Some(Wire::Numeric),
        "uuid" => Some(Wire::Uuid),
        "text" | "varchar" | "bpchar" | "name" | "enum" => Some(Wire::Text),
        "json" => Some(Wire::Json),
        "jsonb" => Some(Wire::Jsonb),
        "timestamp" => Some(Wire::Timestamp),
        "timestamptz" => Some(Wire::TimestampTz),
        "date" => Some(Wire::Date),
        _ => None,
    };
    let fits = |wire: &Wire| match kind {
        Kind::Uuid => matches!(wire, Wire::Uuid | Wire::Text),
        Kind::Text | Kind::Word(_) | Kind::Code(_) => *wire == Wire::Text,
        Kind::Whole => matches!(wire, Wire::Integer | Wire::Text),
        Kind::Real => matches!(wire, Wire::Float | Wire::Integer | Wire::Text),
        Kind::Money => matches!(wire, Wire::Numeric | Wire::Text),
        Kind::Truth => matches!(wire, Wire::Bool | Wire::Text),
        Kind::Json => matches!(wire, Wire::Json | Wire::Jsonb | Wire::Text),
        Kind::Time | Kind::ClientTime => {
            matches!(wire, Wire::Timestamp | Wire::TimestampTz | Wire::Date)
        }
    };
    match native.filter(fits) {
        Some(wire) => (wire, false),
        None => (Wire::Text, true),
    }
}

impl Found {
    /// The statement that reads the table: known columns in their order, then, where there are unknown ones, one more
    /// with a JSON object of those. `condition` and `order` are SQL.
    pub fn select(&self, condition: &str, order: &str) -> String {
        let mut fields: Vec<String> = self
            .columns
            .iter()
            .map(|found| {
                let name = quoted(found.column.name);
                if found.as_text {
                    format!("t.{name}::text")
                } else {
                    format!("t.{name}")
                }
            })
            .collect();
        if !self.extra.is_empty() {
            let names: Vec<String> = self
                .extra
                .iter()
                .map(|name| format!("t.{}", quoted(name)))
                .collect();
            fields.push(format!(
                "(SELECT row_to_json(x)::text FROM (SELECT {}) x)",
                names.join(", ")
            ));
        }
        let table = quoted(self.table.name);
        let condition = match condition.is_empty() {
            true => String::new(),
            false => format!(" WHERE {condition}"),
        };
        format!(
            "SELECT {} FROM public.{table} t{condition} ORDER BY {order}",
            fields.join(", ")
        )
    }
}

/// An SQL name.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

//! Values between commas or semicolons.

use csv::{Terminator, WriterBuilder};

use super::{Cell, Table};
use crate::http::problem::Problem;
use crate::rfc3339;

/// What a spreadsheet would take for a formula begins so (OWASP, CSV injection).
const FORMULAS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Tells German Excel that a file is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

pub(super) fn written(table: Table, german: bool) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    if german {
        out.extend_from_slice(BYTE_ORDER_MARK);
    }
    let mut writer = WriterBuilder::new()
        .delimiter(if german { b';' } else { b',' })
        .terminator(Terminator::CRLF)
        .from_writer(out);
    let failed = |error: csv::Error| Problem::internal(&error);
    let columns = table.columns.iter().map(|name| defused(name));
    writer.write_record(columns).map_err(failed)?;
    for row in table.rows {
        let cells = row?.into_iter().map(|cell| text(&cell, german));
        writer
            .write_record(cells.collect::<Vec<String>>())
            .map_err(failed)?;
    }
    writer
        .into_inner()
        .map_err(|error| Problem::internal(error.error()))
}

fn text(cell: &Cell, german: bool) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => defused(text),
        Cell::Whole(number) => number.to_string(),
        Cell::Number(number) if german => number.to_string().replace('.', ","),
        Cell::Number(number) => number.to_string(),
        Cell::Time(time) => rfc3339::to_string(*time),
    }
}

/// A text that no spreadsheet runs: an apostrophe before what would be a formula.
fn defused(text: &str) -> String {
    if text.starts_with(FORMULAS) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

//! Rows as CSV (RFC 4180) and as a table to print.

/// A kind of table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::http) enum Table {
    Csv,
    Html,
}

impl Table {
    /// Appends a row.
    pub(in crate::http) fn row<'a>(self, cells: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
        match self {
            Table::Csv => csv_row(cells, out),
            Table::Html => html_row(cells, out),
        }
    }
}

/// Appends a line of CSV. A cell that a spreadsheet would take for a formula is marked as text.
pub(in crate::http) fn csv_row<'a>(cells: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    for (number, cell) in cells.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        if is_formula || cell.contains([',', '"', '\n', '\r']) {
            out.push(b'"');
            if is_formula {
                out.push(b'\'');
            }
            out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(cell.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends everything in front of a page's rows.
pub(in crate::http) fn html_head(title: &str, columns: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>",
    );
    html_text(title, out);
    out.extend_from_slice(
        b"</title><style>\
        body{font:10pt sans-serif;margin:1.5em}table{border-collapse:collapse;width:100%}\
        th,td{border:1px solid #999;padding:2px 4px;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
        thead{display:table-header-group}tr{break-inside:avoid}pre{white-space:pre-wrap}\
        @page{size:A4 landscape;margin:12mm}</style></head><body><h1>",
    );
    html_text(title, out);
    out.extend_from_slice(b"</h1><table><thead><tr>");
    for column in columns {
        out.extend_from_slice(b"<th>");
        html_text(column, out);
        out.extend_from_slice(b"</th>");
    }
    out.extend_from_slice(b"</tr></thead><tbody>\n");
}

fn html_row<'a>(cells: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<tr>");
    for cell in cells {
        out.extend_from_slice(b"<td>");
        html_text(cell, out);
        out.extend_from_slice(b"</td>");
    }
    out.extend_from_slice(b"</tr>\n");
}

/// Appends everything behind a page's rows.
pub(in crate::http) fn html_foot(note: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"</tbody></table><pre>");
    html_text(note, out);
    out.extend_from_slice(b"</pre></body></html>\n");
}

/// Appends text so that nothing in it counts as markup.
fn html_text(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            other => out.push(other),
        }
    }
}

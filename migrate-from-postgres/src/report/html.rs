//! The report as one HTML page, readable without anything beside it.

use std::fmt::{self, Write as _};

use super::{Report, TableReport};

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}\
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}code{font-size:.85em;word-break:break-all}\
.good{color:#0a6b2d}.bad{color:#a3000b}details{margin:.5rem 0}summary{cursor:pointer}";

/// Text made safe for HTML.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}

pub(super) fn page(report: &Report) -> String {
    let mut page = String::with_capacity(16 << 10);
    // Writing to a string does not fail.
    let _ = write_page(report, &mut page);
    page
}

fn write_page(report: &Report, out: &mut String) -> fmt::Result {
    let verdict = match (report.verified, report.agrees()) {
        (false, _) => ("", "Not verified."),
        (true, true) => ("good", "Every row is in the log as the database says it."),
        (true, false) => (
            "bad",
            "Some rows are not in the log as the database says them.",
        ),
    };
    write!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>RailFleet: {kind} of {source}</title><style>{STYLE}</style>\
         <h1>RailFleet: {kind}</h1><p class=\"{class}\"><strong>{text}</strong></p>",
        kind = report.kind,
        source = Escaped(&report.source),
        class = verdict.0,
        text = verdict.1,
    )?;
    let server = &report.server;
    write!(
        out,
        "<p>{} · PostgreSQL {} · as of {} · clients' times without a zone understood as {} · log position {} · \
         import {} ms, verification {} ms</p>",
        Escaped(&report.source),
        Escaped(&server.version),
        Escaped(&server.snapshot_at),
        report.assumed_timezone,
        report.position,
        report.import_ms,
        report.verify_ms,
    )?;
    write_numbers(report, out)?;
    for table in &report.tables {
        write_table(table, out)?;
    }
    out.write_str("</html>\n")
}

fn write_numbers(report: &Report, out: &mut String) -> fmt::Result {
    out.write_str("<table><tr><th>table<th class=n>rows<th class=n>events<th class=n>new<th class=n>skipped<th class=n>warnings<th class=n>mismatches<th class=n>gone there<th>checksums")?;
    for table in &report.tables {
        let checksums = match (table.checksum_there.as_str(), table.checksum_here.as_str()) {
            ("", _) => table.standing.to_owned(),
            (there, here) if there == here => format!(
                "<span class=good>equal</span> <code>{}</code>",
                &there[..16]
            ),
            (there, here) => format!(
                "<span class=bad>differ</span> <code>{}</code> <code>{}</code>",
                &there[..16],
                &here[..16]
            ),
        };
        write_row(table.table, &table.totals, &checksums, out)?;
    }
    write_row("all", &report.totals, "", out)?;
    out.write_str("</table>")
}

fn write_row(name: &str, totals: &super::Totals, last: &str, out: &mut String) -> fmt::Result {
    write!(
        out,
        "<tr><td>{name}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}<td>{last}",
        totals.rows,
        totals.events,
        totals.appended,
        totals.skipped,
        totals.warnings,
        totals.mismatches,
        totals.deleted
    )
}

fn write_table(table: &TableReport, out: &mut String) -> fmt::Result {
    if table.findings.is_empty() && table.mismatched.is_empty() && table.deleted.is_empty() {
        return Ok(());
    }
    write!(out, "<h2>{}</h2>", table.table)?;
    for finding in &table.findings {
        write!(
            out,
            "<details><summary>{} × {}: {}.</summary><ul>",
            finding.count, finding.met, finding.done
        )?;
        for sample in &finding.samples {
            let column = sample.column.as_deref().unwrap_or_default();
            write!(
                out,
                "<li><code>{}</code> {} <code>{}</code>",
                Escaped(&sample.key),
                Escaped(column),
                Escaped(&sample.value)
            )?;
        }
        out.write_str("</ul></details>")?;
    }
    for row in &table.mismatched {
        let found = if row.found { "" } else { " is not in the log" };
        write!(
            out,
            "<details open><summary class=bad>row <code>{}</code>{found}</summary><ul>",
            Escaped(&row.key)
        )?;
        for difference in &row.columns {
            write!(
                out,
                "<li>{}: there <code>{}</code>, here <code>{}</code>",
                Escaped(&difference.column),
                Escaped(&difference.there.to_string()),
                Escaped(&difference.here.to_string())
            )?;
        }
        out.write_str("</ul></details>")?;
    }
    for key in &table.deleted {
        write!(
            out,
            "<p>row <code>{}</code> is in the log and no more in the database</p>",
            Escaped(key)
        )?;
    }
    Ok(())
}

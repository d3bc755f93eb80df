//! What a run came to: table by table, in numbers, checksums and named cases. Written as JSON and as HTML.

mod html;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::checks::DATABASE;
pub use crate::compare::Difference;
use crate::finding::{Findings, Sample, Treatment};
use crate::shape::Shape;
use crate::source::ServerFacts;
use crate::tables::TABLES;

/// The number of the JSON's layout.
pub const REPORT_FORMAT: u32 = 1;
/// Rows named for their mismatches in a table; further ones are counted.
pub const MISMATCHES_NAMED_MAX: usize = 50;

/// See the module.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// [`REPORT_FORMAT`].
    pub format: u32,
    /// `import`, `dry run`, `verify`, `cut over` or `export`.
    pub kind: &'static str,
    /// The database, without its password.
    pub source: String,
    /// What its server said of itself.
    pub server: ServerFacts,
    /// How clients' times without a zone were understood.
    pub assumed_timezone: &'static str,
    /// Up to where the log counts in the comparison.
    pub position: u64,
    /// Whether every row was held against the log.
    pub verified: bool,
    /// All tables of Phase 2, and the database as a whole.
    pub tables: Vec<TableReport>,
    /// The sums of all tables.
    pub totals: Totals,
    /// Milliseconds that importing took.
    pub import_ms: u64,
    /// Milliseconds that verifying took.
    pub verify_ms: u64,
}

/// Numbers of a table, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Rows read.
    pub rows: u64,
    /// Events that they tell of.
    pub events: u64,
    /// Those among the events that are new in the log.
    pub appended: u64,
    /// Rows that did not become what they were.
    pub skipped: u64,
    /// Cases that were noticed.
    pub warnings: u64,
    /// Rows that the log says otherwise, or not at all.
    pub mismatches: u64,
    /// Rows that the log has and the database no more.
    pub deleted: u64,
}

/// What became of a table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TableReport {
    /// Its name.
    pub table: &'static str,
    /// `imported`, `missing` or `left out`.
    pub standing: &'static str,
    /// Its numbers.
    #[serde(flatten)]
    pub totals: Totals,
    /// BLAKE3 over its rows in their order, as the database says them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub checksum_there: String,
    /// The same over what the log says. Equal where there is no mismatch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub checksum_here: String,
    /// What was noticed.
    pub findings: Vec<FindingReport>,
    /// Rows that differ, the first of them.
    pub mismatched: Vec<MismatchedRow>,
    /// Rows that are gone there, the first of them.
    pub deleted: Vec<String>,
}

/// A kind of finding in a table.
#[derive(Clone, Debug, Serialize)]
pub struct FindingReport {
    /// Its name.
    pub treatment: Treatment,
    /// What was met.
    pub met: &'static str,
    /// What was done.
    pub done: &'static str,
    /// How often.
    pub count: u64,
    /// The first cases.
    pub samples: Vec<Sample>,
}

/// A row that the log says otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct MismatchedRow {
    /// Its key.
    pub key: String,
    /// Whether the log says anything of it.
    pub found: bool,
    /// The columns that differ.
    pub columns: Vec<Difference>,
}

/// What is counted of a table while it is read and compared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) totals: Totals,
    there: blake3::Hasher,
    /// `None` as long as both sides say the same.
    here: Option<blake3::Hasher>,
    compared: bool,
    pub(crate) mismatched: Vec<MismatchedRow>,
    pub(crate) deleted: Vec<String>,
}

impl Tally {
    /// Counts a row that the log says otherwise, and names the first ones.
    pub(crate) fn mismatch(&mut self, row: MismatchedRow) {
        self.totals.mismatches += 1;
        if self.mismatched.len() < MISMATCHES_NAMED_MAX {
            self.mismatched.push(row);
        }
    }

    /// Takes in what both sides say of a row.
    pub(crate) fn hold(&mut self, there: &[u8], here: &[u8]) {
        self.compared = true;
        if self.here.is_none() && there != here {
            self.here = Some(self.there.clone());
        }
        if let Some(sum) = &mut self.here {
            sum.update(here);
        }
        self.there.update(there);
    }
}

/// Tallies by table.
pub(crate) type Tallies = BTreeMap<&'static str, Tally>;

impl Report {
    /// Whether every row that was compared is in the log as it is there.
    pub fn agrees(&self) -> bool {
        self.totals.mismatches == 0
    }

    /// The report of a table.
    pub fn table(&self, name: &str) -> Option<&TableReport> {
        self.tables.iter().find(|table| table.table == name)
    }

    /// The report as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// The report as a page that needs nothing beside it.
    pub fn to_html(&self) -> String {
        html::page(self)
    }

    /// Puts the report of a table that is none of Phase 2's behind the others.
    pub(crate) fn add(&mut self, table: TableReport) {
        self.totals.add(&table.totals);
        self.tables.push(table);
    }

    /// Takes in what was counted and noticed.
    pub(crate) fn fill(&mut self, shape: &Shape, tallies: &Tallies, findings: &Findings) {
        let names = TABLES.iter().map(|table| table.name).chain([DATABASE]);
        self.tables = names
            .map(|name| table_report(name, shape, tallies, findings))
            .collect();
        self.totals = Totals::default();
        for table in &self.tables {
            self.totals.add(&table.totals);
        }
    }
}

fn table_report(
    name: &'static str,
    shape: &Shape,
    tallies: &Tallies,
    findings: &Findings,
) -> TableReport {
    let standing = match () {
        () if name == DATABASE || shape.get(name).is_some() => "imported",
        () if shape.left_out.contains(&name) => "left out",
        () => "missing",
    };
    TableReport::of(name, standing, tallies.get(name).cloned(), findings)
}

impl TableReport {
    /// What was counted and noticed of a table.
    pub(crate) fn of(
        name: &'static str,
        standing: &'static str,
        tally: Option<Tally>,
        findings: &Findings,
    ) -> Self {
        let tally = tally.unwrap_or_default();
        let findings_of: Vec<_> = findings
            .of(name)
            .map(|(treatment, finding)| FindingReport {
                treatment,
                met: treatment.met(),
                done: treatment.done(),
                count: finding.count,
                samples: finding.samples.clone(),
            })
            .collect();
        let mut totals = tally.totals;
        totals.warnings = findings.count_of(name);
        totals.skipped = findings
            .of(name)
            .filter(|(treatment, _)| {
                matches!(
                    treatment,
                    Treatment::AccountExists | Treatment::AccountNameless
                )
            })
            .map(|(_, finding)| finding.count)
            .sum();
        let checksum = |hasher: &blake3::Hasher| match tally.compared {
            true => hasher.finalize().to_hex().to_string(),
            false => String::new(),
        };
        TableReport {
            table: name,
            standing,
            totals,
            checksum_there: checksum(&tally.there),
            checksum_here: checksum(tally.here.as_ref().unwrap_or(&tally.there)),
            findings: findings_of,
            mismatched: tally.mismatched,
            deleted: tally.deleted,
        }
    }
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.rows += other.rows;
        self.events += other.events;
        self.appended += other.appended;
        self.skipped += other.skipped;
        self.warnings += other.warnings;
        self.mismatches += other.mismatches;
        self.deleted += other.deleted;
    }
}

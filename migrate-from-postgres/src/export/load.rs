//! A table being written: rows are copied into a staging table without constraints; what the schema takes of them goes on
//! into the table, and what it does not take is said.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use futures_sink::Sink as _;
use serde_json::Value;
use tokio_postgres::CopyInSink;

use super::cell::{self, Spelled};
use super::rows::Row;
use super::target::{Target, TargetColumn};
use crate::finding::{Findings, Sample, Treatment};
use crate::made::UNREADABLE;
use crate::shape::{Found, quoted};
use crate::source::{Session, SourceError, doing, rows};
use crate::tables::{Kind, Table};
use crate::zone::Zone;

/// Bytes that are sent at once.
const SENT_BYTES: usize = 256 << 10;
const STAGING: &str = "railfleet_staging";
/// The staging table's column for values of columns that Phase 2 does not have: one JSON object.
const REST: &str = "railfleet rest";
/// The staging table's column for whether a row was kept as it was.
const KEPT: &str = "railfleet kept";

/// What came of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// Rows that the schema did not take.
    pub(super) refused: u64,
}

/// See the module.
pub(super) struct Load<'a> {
    session: &'a Session,
    found: &'a Found,
    target: &'a Target,
    zone: Zone,
    copy: Option<Pin<Box<CopyInSink<Bytes>>>>,
    buffer: Vec<u8>,
}

impl<'a> Load<'a> {
    pub(super) fn new(
        session: &'a Session,
        found: &'a Found,
        target: &'a Target,
        zone: Zone,
    ) -> Self {
        Load {
            session,
            found,
            target,
            zone,
            copy: None,
            buffer: Vec::with_capacity(SENT_BYTES + 4_096),
        }
    }

    fn table(&self) -> &'static Table {
        self.found.table
    }

    fn doing(&self) -> String {
        format!("writing {}", self.table().name)
    }

    /// The names of the known columns that are there, quoted, separated by commas.
    fn columns(&self, before: &str) -> String {
        let names = self.found.columns.iter();
        let names: Vec<String> = names
            .map(|found| format!("{before}{}", quoted(found.column.name)))
            .collect();
        names.join(", ")
    }

    /// Makes the staging table and begins to copy into it.
    pub(super) async fn begin(&mut self) -> Result<(), SourceError> {
        let (table, columns) = (quoted(self.table().name), self.columns(""));
        let make = format!(
            "CREATE TEMP TABLE {STAGING} ON COMMIT DROP AS \
             SELECT {columns}, NULL::json AS {}, false AS {} FROM public.{table} WITH NO DATA",
            quoted(REST),
            quoted(KEPT)
        );
        let client = &self.session.client;
        client
            .batch_execute(&make)
            .await
            .map_err(doing(self.doing()))?;
        let copy = client.copy_in(&format!("COPY {STAGING} FROM STDIN")).await;
        self.copy = Some(Box::pin(copy.map_err(doing(self.doing()))?));
        Ok(())
    }

    /// Copies a row.
    pub(super) async fn put(
        &mut self,
        row: &Row,
        findings: &mut Findings,
    ) -> Result<(), SourceError> {
        let found = self.found;
        for place in &found.columns {
            let name = place.column.name;
            let column = self.target.columns.get(name).cloned().unwrap_or_default();
            let odd = || row.extra.get(name);
            let value = row.values.get(name).or_else(odd);
            self.put_value(row, name, place.column.kind, &column, value, findings);
            self.buffer.push(b'\t');
        }
        self.put_rest(row, findings);
        let kept: &[u8] = if row.is_kept { b"\tt\n" } else { b"\tf\n" };
        self.buffer.extend_from_slice(kept);
        if self.buffer.len() >= SENT_BYTES {
            self.send().await?;
        }
        Ok(())
    }

    fn put_value(
        &mut self,
        row: &Row,
        name: &'static str,
        kind: Kind,
        column: &TargetColumn,
        value: Option<&Value>,
        findings: &mut Findings,
    ) {
        let table = self.table();
        let note = |findings: &mut Findings, treatment, value: &str| {
            findings.note(table.name, treatment, || {
                Sample::of(row.key.as_str(), name, value)
            });
        };
        if let Some(value) = value {
            match cell::put(value, kind, column, self.zone, &mut self.buffer) {
                Spelled::Whole => {
                    let hash = value.as_str().unwrap_or_default();
                    if name == "hashed_password" && hash.starts_with("$argon2") {
                        note(findings, Treatment::HashTooNew, "");
                    }
                    return;
                }
                Spelled::Altered => {
                    return note(findings, Treatment::ValueAltered, &value.to_string());
                }
                Spelled::Not => note(findings, Treatment::ValueAltered, &value.to_string()),
            }
        }
        if !column.is_demanded {
            self.buffer.extend_from_slice(b"\\N");
            return;
        }
        if value.is_none() {
            note(findings, Treatment::ValueMadeUp, "");
        }
        // Two rows without their business key must not become one.
        if table.needed.contains(&name) && matches!(column.kind.as_str(), "varchar" | "text") {
            cell::put_escaped(&row.key, &mut self.buffer);
        } else {
            cell::put_plainest(column, row.changed_at, &mut self.buffer);
        }
    }

    /// Values of columns that Phase 2 does not have; those that this table does not have either are named.
    fn put_rest(&mut self, row: &Row, findings: &mut Findings) {
        let table = self.table();
        for name in row.values.keys().chain(row.extra.keys()) {
            if name != UNREADABLE && !self.target.columns.contains_key(name) {
                findings.note(table.name, Treatment::ColumnAbsent, || {
                    Sample::of(row.key.as_str(), name, "")
                });
            }
        }
        let unreadable = row.extra.get(UNREADABLE).and_then(Value::as_str);
        let text = match unreadable {
            _ if self.found.extra.is_empty() => None,
            Some(text) if cell::is_lenient_only(text) => Some(text.to_owned()),
            _ => {
                let extra = row.extra.iter();
                let members: serde_json::Map<String, Value> = extra
                    .filter(|(name, _)| self.found.extra.contains(name))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                (!members.is_empty()).then(|| Value::Object(members).to_string())
            }
        };
        match text {
            Some(text) => {
                cell::put_escaped(&text, &mut self.buffer);
            }
            None => self.buffer.extend_from_slice(b"\\N"),
        }
    }

    async fn send(&mut self) -> Result<(), SourceError> {
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        self.buffer.reserve(SENT_BYTES + 4_096);
        let what = self.doing();
        if let Some(copy) = &mut self.copy {
            let sent = poll_fn(|context| copy.as_mut().poll_ready(context)).await;
            let sent = sent.and_then(|()| copy.as_mut().start_send(bytes));
            sent.map_err(doing(what))?;
        }
        Ok(())
    }

    /// Ends the copy, sees to what the schema demands, and fills the table. Every row that was put is in it then, or refused, or
    /// said by another.
    pub(super) async fn finish(mut self, findings: &mut Findings) -> Result<Loaded, SourceError> {
        if !self.buffer.is_empty() {
            self.send().await?;
        }
        if let Some(mut copy) = self.copy.take() {
            copy.as_mut().finish().await.map_err(doing(self.doing()))?;
        }
        let key = quoted(self.table().key);
        // What was said later of the same row counts: of a row that was kept as it was, and where both say the same.
        let kept = quoted(KEPT);
        self.run(&format!(
            "ANALYZE {STAGING}; DELETE FROM {STAGING} a USING {STAGING} b WHERE a.ctid < b.ctid AND a.{key} = b.{key} \
             AND (a.{kept} OR ROW(a.*)::text = ROW(b.*)::text)"
        ))
        .await?;
        // Two aggregates that say otherwise of the same row cannot both be in the table.
        let twice = format!(
            "DELETE FROM {STAGING} x USING {STAGING} y WHERE x.ctid < y.ctid AND x.{key} = y.{key}"
        );
        let name = self.table().key;
        let mut refused = self
            .note(&twice, Treatment::RowRefused, name, findings)
            .await?;
        refused += self.refuse(findings).await?;
        self.fill().await?;
        // A rule of the table there may have taken rows away without a word.
        let table = quoted(self.table().name);
        let absent = format!(
            "DELETE FROM {STAGING} x WHERE NOT EXISTS (SELECT 1 FROM public.{table} p WHERE p.{key} = x.{key})"
        );
        refused += self
            .note(&absent, Treatment::RowRefused, name, findings)
            .await?;
        self.run(&format!("DROP TABLE {STAGING}")).await?;
        Ok(Loaded { refused })
    }

    /// Takes out of the staging table what the schema does not take.
    async fn refuse(&self, findings: &mut Findings) -> Result<u64, SourceError> {
        let mut refused = 0;
        for reference in &self.target.references {
            let column = quoted(&reference.column);
            let (parent, parent_key) = &reference.parent;
            let dangling = format!(
                "x.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.{parent_key} = x.{column})"
            );
            let (statement, treatment) = match reference.is_demanded {
                true => (
                    format!("DELETE FROM {STAGING} x WHERE {dangling}"),
                    Treatment::RowRefused,
                ),
                false => (
                    format!("UPDATE {STAGING} x SET {column} = NULL WHERE {dangling}"),
                    Treatment::ReferenceCut,
                ),
            };
            let count = self
                .note(&statement, treatment, &reference.column, findings)
                .await?;
            refused += if reference.is_demanded { count } else { 0 };
        }
        for check in &self.target.checks {
            let statement = format!("DELETE FROM {STAGING} x WHERE NOT coalesce(({check}), true)");
            refused += self
                .note(&statement, Treatment::RowRefused, check, findings)
                .await?;
        }
        for columns in &self.target.unique {
            let same: Vec<String> = columns
                .iter()
                .map(|column| format!("x.{column} = y.{column}"))
                .collect();
            let statement = format!(
                "DELETE FROM {STAGING} x USING {STAGING} y WHERE x.ctid > y.ctid AND {}",
                same.join(" AND ")
            );
            let column = columns.join(", ");
            refused += self
                .note(&statement, Treatment::RowRefused, &column, findings)
                .await?;
        }
        Ok(refused)
    }

    async fn note(
        &self,
        statement: &str,
        treatment: Treatment,
        column: &str,
        findings: &mut Findings,
    ) -> Result<u64, SourceError> {
        let key = quoted(self.table().key);
        let statement = format!("{statement} RETURNING x.{key}::text");
        let keys = rows(&self.session.client, &statement, &self.doing()).await?;
        let count = keys.len() as u64;
        let samples = keys
            .into_iter()
            .flatten()
            .flatten()
            .map(|key| Sample::of(key, column, ""))
            .collect();
        findings.note_all(self.table().name, treatment, count, samples);
        Ok(count)
    }

    async fn fill(&self) -> Result<(), SourceError> {
        let table = format!("public.{}", quoted(self.table().name));
        let mut columns = self.columns("");
        let mut values = self.columns("x.");
        for name in &self.found.extra {
            columns.push_str(&format!(", {}", quoted(name)));
            values.push_str(&format!(
                ", (json_populate_record(NULL::{table}, x.{})).{}",
                quoted(REST),
                quoted(name)
            ));
        }
        if self.target.has_triggers {
            // A trigger would take from a stock once more what the row states already.
            self.run(&format!("ALTER TABLE {table} DISABLE TRIGGER USER"))
                .await?;
        }
        self.run(&format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM {STAGING} x"
        ))
        .await?;
        if self.target.has_triggers {
            self.run(&format!("ALTER TABLE {table} ENABLE TRIGGER USER"))
                .await?;
        }
        for (name, column) in &self.target.columns {
            if let Some(sequence) = &column.sequence {
                let sequence = sequence.replace('\'', "''");
                self.run(&format!(
                    "SELECT setval('{sequence}', coalesce(max({0}), 1), max({0}) IS NOT NULL) FROM {table}",
                    quoted(name)
                ))
                .await?;
            }
        }
        Ok(())
    }

    async fn run(&self, statements: &str) -> Result<(), SourceError> {
        let done = self.session.client.batch_execute(statements).await;
        done.map_err(doing(self.doing()))
    }
}

//! The way back: what the depot holds now, as rows of an empty Phase 2 schema, and every row held against the log.
//!
//! ```text
//! the log ─fold─▶ rows ─values─▶ cell ─COPY─▶ a staging table ─what the schema takes─▶ the table      (one transaction)
//! ```
//!
//! - `target` is the schema that is written to, and what it demands of a row;
//! - `rows` gives the rows of a table from the log, one at a time;
//! - `cell` spells a value as its column takes it; `load` writes a table.
//!
//! The states are those of the present moment. An export that ends early leaves nothing behind.

mod cell;
mod load;
mod rows;
mod target;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::compare::Difference;
use crate::depot::Depot;
use crate::error::ImportError;
use crate::finding::Findings;
use crate::import::{Progress, Step, Watch, millis};
use crate::report::{REPORT_FORMAT, Report};
use crate::run::Wanted;
use crate::shape::{self, Shape};
use crate::source::{self, Session, Source, doing};
use crate::verify;

use load::{Load, Loaded};
use target::Target;

/// What the writing session is told first.
const SESSION: &str = "SET TIME ZONE 'UTC'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
     SET lock_timeout = '30s'; SET search_path = public, pg_catalog; SET DateStyle = 'ISO, YMD'; \
     SET client_min_messages = warning; SET application_name = 'railfleet export'";

/// Writes what the depot holds now into the empty Phase 2 schema that `wanted` names, and holds every row against the log.
///
/// All rows are written in one transaction. Rows that the schema refuses are left out, and count as mismatches.
///
/// # Errors
/// See [`ImportError`]; `NotEmpty` where a table has rows already. Nothing is written then.
pub fn export(
    depot: &dyn Depot,
    wanted: &Wanted,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<Report, ImportError> {
    let began = Instant::now();
    let position = depot.log().durable_position();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ImportError::Thread)?;
    let written = runtime.block_on(async {
        let mut source = Source::open(&wanted.address).await?;
        let looked = look(&mut source, wanted).await;
        source.close().await;
        let (shape, targets) = looked?;
        let session = source::connect(&wanted.address).await?;
        let mut writing = Writing {
            depot,
            wanted,
            shape: &shape,
            session: &session,
            findings: Findings::default(),
            loaded: BTreeMap::new(),
        };
        let written = writing.write(&targets, position, watch, stop).await;
        let Writing {
            findings, loaded, ..
        } = writing;
        session.close().await;
        written?;
        Ok::<_, ImportError>(Written {
            targets,
            findings,
            loaded,
        })
    })?;
    let mut report = Report {
        format: REPORT_FORMAT,
        kind: "export",
        source: wanted.address.to_string(),
        assumed_timezone: wanted.zone.name(),
        position: position.get(),
        import_ms: millis(began),
        ..Report::default()
    };
    let tolerates = |table: &str, difference: &Difference| written.tolerates(table, difference);
    let findings = written.findings.clone();
    verify::verify_export(
        &mut report,
        depot,
        wanted,
        findings,
        &tolerates,
        watch,
        stop,
    )?;
    for table in &mut report.tables {
        if let Some(loaded) = written.loaded.get(table.table) {
            table.totals.mismatches += loaded.refused;
            report.totals.mismatches += loaded.refused;
        }
    }
    Ok(report)
}

async fn look(
    source: &mut Source,
    wanted: &Wanted,
) -> Result<(Shape, BTreeMap<&'static str, Target>), ImportError> {
    let catalogue = shape::catalogue(source).await?;
    let user = source.facts().user.clone();
    let shape = shape::judge(&catalogue, &wanted.selection, &user, wanted.strict)?;
    let targets = target::look(source, &shape).await?;
    Ok((shape, targets))
}

/// What was written.
struct Written {
    targets: BTreeMap<&'static str, Target>,
    findings: Findings,
    loaded: BTreeMap<&'static str, Loaded>,
}

impl Written {
    /// Whether a difference is one that the export itself made, and has said so.
    fn tolerates(&self, table: &str, difference: &Difference) -> bool {
        let Some(target) = self.targets.get(table) else {
            return false;
        };
        let Difference {
            column,
            there,
            here,
        } = difference;
        if column == "extra" {
            return target.has_all_of_extra(here, there);
        }
        let made_up = here.is_null() && target.demands(column);
        made_up || (there.is_null() && !target.has(column))
    }
}

struct Writing<'a> {
    depot: &'a dyn Depot,
    wanted: &'a Wanted,
    shape: &'a Shape,
    session: &'a Session,
    findings: Findings,
    loaded: BTreeMap<&'static str, Loaded>,
}

impl Writing<'_> {
    async fn write(
        &mut self,
        targets: &BTreeMap<&'static str, Target>,
        position: storage::Position,
        watch: Watch<'_>,
        stop: &AtomicBool,
    ) -> Result<(), ImportError> {
        for statement in [SESSION, "BEGIN"] {
            self.execute(statement, "beginning to write").await?;
        }
        for found in &self.shape.tables {
            let name = found.table.name;
            let statement = format!("SELECT 1 FROM public.\"{name}\" LIMIT 1");
            let what = format!("looking whether {name} is empty");
            if !source::rows(&self.session.client, &statement, &what)
                .await?
                .is_empty()
            {
                return Err(ImportError::NotEmpty {
                    table: name,
                    place: self.wanted.address.to_string(),
                });
            }
        }
        let all = self.shape.tables.len() as u64;
        for (number, found) in self.shape.tables.iter().enumerate() {
            let Some(target) = targets.get(found.table.name) else {
                continue;
            };
            let mut load = Load::new(self.session, found, target, self.wanted.zone);
            load.begin().await?;
            let mut rows = rows::Rows::of(self.depot, found.table, position)?;
            let streams = rows.total();
            while let Some(batch) = rows.next()? {
                if stop.load(Ordering::Relaxed) {
                    return Err(ImportError::Stopped);
                }
                for row in &batch {
                    load.put(row, &mut self.findings).await?;
                }
                watch(Progress {
                    step: Step::Export,
                    table: found.table.name,
                    table_rows: (rows.done(), streams),
                    rows: (number as u64, all),
                    events: 0,
                });
            }
            let loaded = load.finish(&mut self.findings).await?;
            self.loaded.insert(found.table.name, loaded);
            if let (true, Some((table, treatment, sample))) =
                (self.wanted.strict, self.findings.first())
            {
                return Err(ImportError::strict(table, treatment, sample));
            }
        }
        self.execute("COMMIT", "ending the export").await
    }

    async fn execute(&self, statement: &str, what: &str) -> Result<(), ImportError> {
        let done = self.session.client.batch_execute(statement).await;
        Ok(done.map_err(doing(what))?)
    }
}

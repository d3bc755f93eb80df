//! The import as an aggregate of the log: when it began, which tables are in, what the reconciliation said.

use std::collections::BTreeMap;

use fleet::import::{AGGREGATE_TYPE, event};
use serde_json::{Map, Value, json};
use storage::{
    Direction, ExpectedVersion, NewEvent, Position, StreamName, StreamRange, Transaction,
};

use crate::append::StoreError;
use crate::depot::Depot;
use crate::error::ImportError;
use crate::ids;
use crate::report::{Report, Totals};
use crate::run::{Opened, Wanted};
use crate::source::Address;

/// See the module.
pub(crate) struct Chronicle<'a> {
    depot: &'a dyn Depot,
    stream: StreamName,
}

impl<'a> Chronicle<'a> {
    /// That of a database: an import that was interrupted and goes on is one.
    pub(crate) fn of(depot: &'a dyn Depot, address: &Address) -> Self {
        let id = ids::import_id(&address.place(), address.database());
        Chronicle {
            depot,
            stream: StreamName::new(AGGREGATE_TYPE, id.hyphenated().to_string()),
        }
    }

    /// Rows are being read.
    pub(crate) fn started(&self, opened: &Opened, wanted: &Wanted) -> Result<(), ImportError> {
        if self.depot.log().stream(&self.stream).is_some() {
            return Ok(());
        }
        let tables: BTreeMap<&str, u64> = opened
            .shape
            .tables
            .iter()
            .map(|found| (found.table.name, found.rows))
            .collect();
        self.append(
            event::IMPORT_STARTED,
            json!({
                "source": wanted.address.to_string(),
                "shape": {
                    "tables": tables,
                    "missing": opened.shape.missing,
                    "left_out": opened.shape.left_out,
                    "unknown": opened.shape.unknown,
                },
                "assumed_timezone": wanted.zone.name(),
                "options": { "strict": wanted.strict },
                "snapshot_at": opened.facts.snapshot_at,
            }),
        )
    }

    /// All rows of a table are in.
    pub(crate) fn table_finished(&self, table: &str, totals: &Totals) -> Result<(), ImportError> {
        let data = json!({ "table": table, "rows": totals.rows, "events": totals.events });
        self.append(event::IMPORT_TABLE_FINISHED, data)
    }

    /// It ended early.
    pub(crate) fn interrupted(&self, why: &ImportError) -> Result<(), ImportError> {
        if self.depot.log().stream(&self.stream).is_none() {
            return Ok(());
        }
        self.append(
            event::IMPORT_INTERRUPTED,
            json!({ "reason": why.to_string() }),
        )
    }

    /// All rows are in.
    pub(crate) fn finished(&mut self, report: &Report) -> Result<(), ImportError> {
        let position = self.depot.log().durable_position();
        let data = json!({
            "position": position.get(),
            "report": { "totals": report.totals, "assumed_timezone": report.assumed_timezone },
        });
        self.append(event::IMPORT_FINISHED, data)
    }

    /// Every row was held against the log. The same answer as the last time is not told again.
    pub(crate) fn reconciled(&self, report: &Report) -> Result<(), ImportError> {
        let tables: Vec<Value> = report
            .tables
            .iter()
            .filter(|table| !table.checksum_there.is_empty())
            .map(|table| {
                json!({
                    "table": table.table,
                    "rows": table.totals.rows,
                    "mismatches": table.totals.mismatches,
                    "deleted": table.totals.deleted,
                    "checksum_there": table.checksum_there,
                    "checksum_here": table.checksum_here,
                })
            })
            .collect();
        let data = json!({
            "position": report.position,
            "rows": report.totals.rows,
            "mismatches": report.totals.mismatches,
            "report": { "tables": tables, "totals": report.totals },
        });
        let same = |last: &Map<String, Value>| {
            let told = |value: &Value| value["report"]["tables"].clone();
            last.get("mismatches") == data.get("mismatches")
                && told(&Value::Object(last.clone())) == told(&data)
        };
        match self.last(event::IMPORT_RECONCILED)? {
            Some(last) if same(&last) => Ok(()),
            _ => self.append(event::IMPORT_RECONCILED, data),
        }
    }

    /// The database is followed no more.
    pub(crate) fn cut_over(&self) -> Result<(), ImportError> {
        match self.is_cut_over()? {
            true => Ok(()),
            false => self.append(event::IMPORT_CUT_OVER, json!({})),
        }
    }

    /// Whether nothing came behind a cut-over.
    pub(crate) fn is_cut_over(&self) -> Result<bool, ImportError> {
        let range = StreamRange {
            direction: Direction::Backward,
            ..StreamRange::default()
        };
        let mut reader = self.depot.log().read_stream(&self.stream, &range);
        let last = reader.next().transpose().map_err(ImportError::Read)?;
        Ok(last.is_some_and(|event| event.event_type() == event::IMPORT_CUT_OVER))
    }

    /// Up to where the log counts, as the last run that ended said.
    pub(crate) fn finished_at(&self) -> Result<Option<Position>, ImportError> {
        let last = self.last(event::IMPORT_FINISHED)?;
        let position = last.and_then(|data| data.get("position")?.as_u64());
        Ok(position.map(Position::new))
    }

    fn last(&self, event_type: &str) -> Result<Option<Map<String, Value>>, ImportError> {
        let range = StreamRange {
            direction: Direction::Backward,
            ..StreamRange::default()
        };
        let mut reader = self.depot.log().read_stream(&self.stream, &range);
        while let Some(event) = reader.next() {
            let event = event.map_err(ImportError::Read)?;
            if event.event_type() == event_type {
                return Ok(serde_json::from_slice(event.data()).ok());
            }
        }
        Ok(None)
    }

    fn append(&self, event_type: &str, data: Value) -> Result<(), ImportError> {
        let event = NewEvent::new(event_type, data.to_string()).with_tag("user:importer");
        let transaction = Transaction::single(self.stream.clone(), ExpectedVersion::Any, event);
        self.depot.append(transaction).map_err(StoreError::Append)?;
        Ok(())
    }
}

//! The old system's own event store (`events`, of its third phase), taken over as it is, where that is asked for.
//!
//! Every event keeps its id, type, schema number, times, payload and metadata, and follows the one before it in its stream.
//! Streams lie between each other in the order in which the old system wrote them. Rows of the other tables come behind:
//! where the events of an aggregate do not come to what its row says, one more event says it.

mod read;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use fleet::calendar;
use serde_json::Value;
use storage::{
    ExpectedVersion, NewEvent, ReadError, ReadRequest, StreamRef, StreamWrite, Transaction,
};

use crate::append::{Size, refused};
use crate::compare::Difference;
use crate::depot::Depot;
use crate::error::ImportError;
use crate::finding::Findings;
use crate::import::{Progress, Step, Watch};
use crate::report::{MismatchedRow, TableReport, Tally};
use crate::run::Wanted;
use crate::source::Source;

use read::{Stored, Table};

/// The table.
pub(crate) const EVENTS: &str = "events";
/// From which size on a transaction is appended, where the log takes one so large.
const TRANSACTION_FULL: Size = Size {
    events: 5_000,
    bytes: 8 << 20,
};

/// What is done with the events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Try,
    Take,
    Verify,
}

/// Takes the events over that the log does not have yet.
///
/// # Errors
/// See [`ImportError`]. What was appended stays.
pub(crate) fn take(
    depot: &dyn Depot,
    wanted: &Wanted,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<TableReport, ImportError> {
    run(Some(depot), wanted, Doing::Take, watch, stop)
}

/// Reads them, and says what would come of it.
///
/// # Errors
/// As [`take`].
pub(crate) fn look(
    wanted: &Wanted,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<TableReport, ImportError> {
    run(None, wanted, Doing::Try, watch, stop)
}

/// Holds each against the event of its id in the log.
///
/// # Errors
/// As [`take`].
pub(crate) fn verify(
    depot: &dyn Depot,
    wanted: &Wanted,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<TableReport, ImportError> {
    run(Some(depot), wanted, Doing::Verify, watch, stop)
}

fn run(
    depot: Option<&dyn Depot>,
    wanted: &Wanted,
    doing: Doing,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<TableReport, ImportError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ImportError::Thread)?;
    runtime.block_on(async {
        let mut source = Source::open(&wanted.address).await?;
        let done = go_through(&mut source, depot, wanted, doing, watch, stop).await;
        source.close().await;
        done
    })
}

async fn go_through(
    source: &mut Source,
    depot: Option<&dyn Depot>,
    wanted: &Wanted,
    doing: Doing,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<TableReport, ImportError> {
    let table = Table::look(source).await?;
    let mut taker = Taker {
        depot,
        doing,
        findings: Findings::default(),
        tally: Tally::default(),
        appended: 0,
        open: Open::default(),
        limit: depot.map_or(TRANSACTION_FULL, |depot| Size::limit_of(depot.log())),
    };
    let mut rows = source.copy(&table.select(), "reading events").await?;
    while rows.advance().await? {
        let stored = Stored::read(&rows, &mut taker.findings)?;
        if let (true, Some((table, treatment, sample))) = (wanted.strict, taker.findings.first()) {
            return Err(ImportError::strict(table, treatment, sample));
        }
        taker.take(stored)?;
        let count = taker.tally.totals.rows;
        if count.is_multiple_of(1_000) {
            if stop.load(Ordering::Relaxed) {
                taker.append()?;
                return Err(ImportError::Stopped);
            }
            watch(Progress {
                step: if doing == Doing::Verify {
                    Step::Verify
                } else {
                    Step::Import
                },
                table: EVENTS,
                table_rows: (count, table.rows),
                rows: (count, table.rows),
                events: count,
            });
        }
    }
    source.reuse(rows);
    taker.append()?;
    Ok(taker.report())
}

struct Taker<'a> {
    depot: Option<&'a dyn Depot>,
    doing: Doing,
    findings: Findings,
    tally: Tally,
    appended: u64,
    open: Open,
    /// What the log takes in a transaction.
    limit: Size,
}

/// A transaction that is being put together.
#[derive(Default)]
struct Open {
    writes: Vec<StreamWrite>,
    size: Size,
}

impl Taker<'_> {
    fn take(&mut self, stored: Stored) -> Result<(), ImportError> {
        self.tally.totals.rows += 1;
        self.tally.totals.events += 1;
        match (self.doing, self.depot) {
            (Doing::Take, Some(depot)) => {
                let id = stored.event.id.unwrap_or_default();
                let there = depot.log().position_of(id).map_err(ImportError::Read)?;
                if there.is_none() {
                    self.stage(stored)?;
                }
                Ok(())
            }
            (Doing::Verify, Some(depot)) => self.hold_against(&stored, depot),
            _ => Ok(()),
        }
    }

    fn stage(&mut self, stored: Stored) -> Result<(), ImportError> {
        let Stored { stream, event, .. } = stored;
        let size = self.open.size.plus(Size::of(&event));
        self.open.size = match size.fits(self.limit) {
            true => size,
            false => {
                self.append()?;
                Size::of(&event)
            }
        };
        match self.open.writes.last_mut() {
            Some(last) if last.stream == stream => last.events.push(event),
            _ => self.open.writes.push(StreamWrite {
                stream,
                expected: ExpectedVersion::Any,
                events: vec![event],
            }),
        }
        match self.open.size.reaches(TRANSACTION_FULL) {
            true => self.append(),
            false => Ok(()),
        }
    }

    fn append(&mut self) -> Result<(), ImportError> {
        let open = std::mem::take(&mut self.open);
        let (Some(depot), false) = (self.depot, open.writes.is_empty()) else {
            return Ok(());
        };
        let appended = depot.append(Transaction {
            writes: open.writes,
            condition: None,
        });
        let receipt = appended.map_err(refused)?;
        self.appended += receipt.events.len() as u64;
        Ok(())
    }

    fn hold_against(&mut self, stored: &Stored, depot: &dyn Depot) -> Result<(), ImportError> {
        let there = Said::of(stored.stream.borrowed(), &stored.event);
        let here = said_here(depot, &stored.event).map_err(ImportError::Read)?;
        let spelled = here.as_ref().map(Said::spelled).unwrap_or_default();
        self.tally.hold(&there.spelled(), &spelled);
        if here.as_ref() != Some(&there) {
            self.tally.mismatch(MismatchedRow {
                key: stored.key.clone(),
                found: here.is_some(),
                columns: differences(&there, here.as_ref()),
            });
        }
        Ok(())
    }

    fn report(self) -> TableReport {
        let mut tallies = HashMap::from([(EVENTS, self.tally)]);
        let mut report =
            TableReport::of(EVENTS, "imported", tallies.remove(EVENTS), &self.findings);
        report.totals.appended = self.appended;
        report
    }
}

/// All that is compared of an event.
#[derive(PartialEq, Eq)]
struct Said {
    stream: String,
    event_type: String,
    schema: u16,
    /// When it happened, in microseconds since 1970 UTC.
    at: i64,
    data: Vec<u8>,
    metadata: Vec<u8>,
}

impl Said {
    fn of(stream: StreamRef<'_>, event: &NewEvent) -> Self {
        Said {
            stream: stream.to_string(),
            event_type: event.event_type.to_string(),
            schema: event.schema,
            at: event.occurred_at.map_or(0, storage::Timestamp::micros),
            data: event.data.clone(),
            metadata: event.metadata.clone(),
        }
    }

    /// As text, to be summed up.
    fn spelled(&self) -> Vec<u8> {
        let Said {
            stream,
            event_type,
            schema,
            at,
            data,
            metadata,
        } = self;
        let mut text = format!("{stream} {event_type} {schema} {at} ").into_bytes();
        text.extend_from_slice(data);
        text.push(b' ');
        text.extend_from_slice(metadata);
        text
    }

    /// Its parts, each by the name that it has in a report. Payload and metadata are JSON there too: what is personal in them
    /// can then be told by its name.
    fn members(&self) -> [(&'static str, Value); 6] {
        [
            ("stream", self.stream.as_str().into()),
            ("event_type", self.event_type.as_str().into()),
            ("schema", self.schema.into()),
            ("occurred_at", calendar::format_time(self.at).into()),
            ("data", json_of(&self.data)),
            ("metadata", json_of(&self.metadata)),
        ]
    }
}

/// JSON as a value, anything else as a text.
fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
}

/// The parts of an event that the log says otherwise; all of them where it says nothing, or writes the same value otherwise.
fn differences(there: &Said, here: Option<&Said>) -> Vec<Difference> {
    let nothing = || there.members().map(|(name, _)| (name, Value::Null));
    let here = here.map_or_else(nothing, Said::members);
    let members = there.members().into_iter().zip(here);
    let all: Vec<Difference> = members
        .map(|((column, there), (_, here))| Difference {
            column: column.to_owned(),
            there,
            here,
        })
        .collect();
    match all.iter().any(|member| member.there != member.here) {
        true => all
            .into_iter()
            .filter(|member| member.there != member.here)
            .collect(),
        false => all,
    }
}

/// What the log says of the event of the same id.
fn said_here(depot: &dyn Depot, event: &NewEvent) -> Result<Option<Said>, ReadError> {
    let log = depot.log();
    let Some(position) = log.position_of(event.id.unwrap_or_default())? else {
        return Ok(None);
    };
    let mut reader = log.read(&ReadRequest::at(position))?;
    let found = reader.next().transpose()?;
    Ok(found.map(|event| Said {
        stream: event.stream().to_string(),
        event_type: event.event_type().to_owned(),
        schema: event.schema(),
        at: event.occurred_at().micros(),
        data: event.data().to_vec(),
        metadata: event.metadata().to_vec(),
    }))
}

#[cfg(test)]
mod tests;

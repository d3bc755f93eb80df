//! The old system's own event store (`events`, of its third phase), taken over as it is, where that is asked for.
//!
//! Every event keeps its id, type, schema number, times, payload and metadata, and follows the one before it in its stream.
//! Streams lie between each other in the order in which the old system wrote them. Rows of the other tables come behind:
//! where the events of an aggregate do not come to what its row says, one more event says it.

mod read;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use storage::{
    AppendError, ExpectedVersion, NewEvent, ReadError, ReadRequest, StreamRef, StreamWrite,
    Transaction,
};

use crate::append::StoreError;
use crate::compare::Difference;
use crate::depot::Depot;
use crate::error::ImportError;
use crate::finding::Findings;
use crate::import::{Progress, Step, Watch};
use crate::report::{MISMATCHES_NAMED_MAX, MismatchedRow, TableReport, Tally};
use crate::run::Wanted;
use crate::source::Source;

use read::{Stored, Table};

/// The table.
pub(crate) const EVENTS: &str = "events";
/// Events in a transaction; the log's default limit is twice as many.
const TRANSACTION_EVENTS_MAX: usize = 5_000;
/// Bytes of events in a transaction.
const TRANSACTION_BYTES_MAX: usize = 8 << 20;

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
}

/// A transaction that is being put together.
#[derive(Default)]
struct Open {
    writes: Vec<StreamWrite>,
    events: usize,
    bytes: usize,
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
        self.open.events += 1;
        self.open.bytes += event.data.len() + event.metadata.len();
        match self.open.writes.last_mut() {
            Some(last) if last.stream == stream => last.events.push(event),
            _ => self.open.writes.push(StreamWrite {
                stream,
                expected: ExpectedVersion::Any,
                events: vec![event],
            }),
        }
        match self.open.events >= TRANSACTION_EVENTS_MAX || self.open.bytes >= TRANSACTION_BYTES_MAX
        {
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
        let receipt = appended.map_err(|error: AppendError| StoreError::Append(error))?;
        self.appended += receipt.events.len() as u64;
        Ok(())
    }

    fn hold_against(&mut self, stored: &Stored, depot: &dyn Depot) -> Result<(), ImportError> {
        let there = canonical(stored.stream.borrowed(), &stored.event);
        let here = stored_here(depot, &stored.event).map_err(ImportError::Read)?;
        self.tally.hold(&there, here.as_deref().unwrap_or_default());
        if here.as_ref() == Some(&there) {
            return Ok(());
        }
        self.tally.totals.mismatches += 1;
        if self.tally.mismatched.len() < MISMATCHES_NAMED_MAX {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into();
            self.tally.mismatched.push(MismatchedRow {
                key: stored.key.clone(),
                found: here.is_some(),
                columns: vec![Difference {
                    column: "event".to_owned(),
                    there: text(&there),
                    here: text(&here.unwrap_or_default()),
                }],
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

/// All that is compared of an event, as text.
fn canonical(stream: StreamRef<'_>, event: &NewEvent) -> Vec<u8> {
    let at = event.occurred_at.map_or(0, storage::Timestamp::micros);
    spelled(
        stream,
        (&event.event_type, event.schema, at),
        &event.data,
        &event.metadata,
    )
}

fn spelled(
    stream: StreamRef<'_>,
    (event_type, schema, at): (&str, u16, i64),
    data: &[u8],
    metadata: &[u8],
) -> Vec<u8> {
    let mut text = format!("{stream} {event_type} {schema} {at} ").into_bytes();
    text.extend_from_slice(data);
    text.push(b' ');
    text.extend_from_slice(metadata);
    text
}

/// The event of the same id in the log.
fn stored_here(depot: &dyn Depot, event: &NewEvent) -> Result<Option<Vec<u8>>, ReadError> {
    let log = depot.log();
    let Some(position) = log.position_of(event.id.unwrap_or_default())? else {
        return Ok(None);
    };
    let mut reader = log.read(&ReadRequest::at(position))?;
    let found = reader.next().transpose()?;
    Ok(found.map(|event| {
        spelled(
            event.stream(),
            (
                event.event_type(),
                event.schema(),
                event.occurred_at().micros(),
            ),
            event.data(),
            event.metadata(),
        )
    }))
}

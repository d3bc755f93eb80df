//! The import itself: every row into the log, then every row held against it.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::append::Appender;
use crate::chronicle::Chronicle;
use crate::depot::Depot;
use crate::error::ImportError;
use crate::events;
use crate::finding::Findings;
use crate::made::Purpose;
use crate::mapping::Family;
use crate::report::{REPORT_FORMAT, Report, Tallies};
use crate::run::{Message, OnlyKeys, Opened, Taker, Wanted, run};
use crate::verify::{self, Verifier};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// The table of the last rows.
    pub table: &'static str,
    /// Rows of this table so far, and in all.
    pub table_rows: (u64, u64),
    /// Rows of all tables so far, and in all.
    pub rows: (u64, u64),
    /// Events so far.
    pub events: u64,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Rows become events.
    Import,
    /// Rows are held against the log.
    Verify,
    /// States become rows.
    Export,
}

/// Is told how far a run is.
pub type Watch<'a> = &'a mut dyn FnMut(Progress);

/// Brings a database over, and holds every row against the log.
///
/// Rows that are in the log already are passed over, so a run that was interrupted goes on where it ended, and one behind
/// a run that was not adds nothing. Rows that changed meanwhile are brought up to date.
///
/// # Errors
/// See [`ImportError`]. What was appended stays.
pub fn import(
    depot: &dyn Depot,
    wanted: &Wanted,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<Report, ImportError> {
    let stored = match wanted.events {
        true => Some(events::take(depot, wanted, watch, stop)?),
        false => None,
    };
    let taken = take_rows(depot, wanted, None, watch, stop)?;
    let mut report = taken.report;
    verify::verify_into(&mut report, depot, wanted, taken.findings, watch, stop)?;
    if let Some(stored) = stored {
        let mut events = events::verify(depot, wanted, watch, stop)?;
        events.totals.appended = stored.totals.appended;
        report.add(events);
    }
    taken.chronicle.reconciled(&report)?;
    Ok(report)
}

/// What taking rows in came to.
pub(crate) struct Taken<'a> {
    pub(crate) report: Report,
    pub(crate) findings: Findings,
    pub(crate) chronicle: Chronicle<'a>,
}

/// Takes the rows in that `only_keys` narrows to, or all.
pub(crate) fn take_rows<'a>(
    depot: &'a dyn Depot,
    wanted: &Wanted,
    only_keys: Option<OnlyKeys<'_>>,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<Taken<'a>, ImportError> {
    let began = Instant::now();
    let mut importer = Importer {
        appender: Appender::new(depot),
        chronicle: Chronicle::of(depot, &wanted.address),
        counter: Counter::new(Step::Import, watch),
        opened: None,
        appended_before: 0,
        wanted,
    };
    let outcome = run(
        Some(depot),
        wanted,
        Purpose::Import,
        only_keys,
        &mut importer,
        stop,
    );
    // Also when it was interrupted: what the log was given is in it before anything else is.
    let finished = importer.appender.finish();
    let outcome = outcome.and_then(|findings| {
        finished?;
        Ok(findings)
    });
    let mut findings = match outcome {
        Ok(findings) => findings,
        Err(error) => {
            // The next run goes on by itself; this is for who reads the log's history.
            let _ = importer.chronicle.interrupted(&error);
            return Err(error);
        }
    };
    let Importer {
        appender,
        mut chronicle,
        counter,
        opened,
        ..
    } = importer;
    findings.absorb(appender.findings);
    let opened = opened.ok_or(ImportError::Stopped)?;
    let mut report = Report {
        format: REPORT_FORMAT,
        kind: "import",
        source: wanted.address.to_string(),
        server: opened.facts.clone(),
        assumed_timezone: wanted.zone.name(),
        import_ms: millis(began),
        ..Report::default()
    };
    report.fill(&opened.shape, &counter.tallies, &findings);
    report.totals.appended = appender.appended;
    if appender.appended > 0 {
        chronicle.finished(&report)?;
    }
    report.position = depot.log().durable_position().get();
    Ok(Taken {
        report,
        findings,
        chronicle,
    })
}

/// Reads a database as an import would, tries what would come of it, and writes nothing.
///
/// # Errors
/// As [`import`].
pub fn dry_run(
    wanted: &Wanted,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<Report, ImportError> {
    let began = Instant::now();
    let mut verifier = Verifier::trying(&mut *watch);
    let findings = run(None, wanted, Purpose::Try, None, &mut verifier, stop)?;
    let mut report = Report {
        format: REPORT_FORMAT,
        kind: "dry run",
        source: wanted.address.to_string(),
        assumed_timezone: wanted.zone.name(),
        import_ms: millis(began),
        verified: true,
        ..Report::default()
    };
    verifier.fill(&mut report, &findings)?;
    if wanted.events {
        report.add(events::look(wanted, watch, stop)?);
    }
    Ok(report)
}

pub(crate) fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Takes batches into the log.
struct Importer<'a, 'w> {
    appender: Appender<'a>,
    chronicle: Chronicle<'a>,
    counter: Counter<'w>,
    opened: Option<Box<Opened>>,
    appended_before: u64,
    wanted: &'w Wanted,
}

impl Taker for Importer<'_, '_> {
    fn take(&mut self, message: Message) -> Result<(), ImportError> {
        match message {
            Message::Opened(opened) => {
                self.counter.open(&opened);
                self.chronicle.started(&opened, self.wanted)?;
                self.opened = Some(opened);
            }
            Message::Batch(batch) => {
                let (rows, events) = (batch.rows.clone(), batch.events.clone());
                self.appender.take(batch)?;
                self.counter.count(&rows, &events);
            }
            Message::FamilyRead(family) => {
                self.appender.finish()?;
                if self.appender.appended > self.appended_before {
                    self.appended_before = self.appender.appended;
                    self.family_finished(family)?;
                }
            }
        }
        Ok(())
    }
}

impl Importer<'_, '_> {
    fn family_finished(&mut self, family: &Family) -> Result<(), ImportError> {
        let children = family.children.iter().map(|child| child.mapping.table);
        for table in [family.parent.table].into_iter().chain(children) {
            if let Some(tally) = self.counter.tallies.get(table.name) {
                self.chronicle.table_finished(table.name, &tally.totals)?;
            }
        }
        Ok(())
    }
}

/// Counts rows and events, and says how far it is.
pub(crate) struct Counter<'w> {
    step: Step,
    watch: Watch<'w>,
    pub(crate) tallies: Tallies,
    table_totals: Vec<(&'static str, u64)>,
    all: u64,
    rows: u64,
    events: u64,
}

impl<'w> Counter<'w> {
    pub(crate) fn new(step: Step, watch: Watch<'w>) -> Self {
        Counter {
            step,
            watch,
            tallies: Tallies::new(),
            table_totals: Vec::new(),
            all: 0,
            rows: 0,
            events: 0,
        }
    }

    pub(crate) fn open(&mut self, opened: &Opened) {
        self.all = opened.shape.rows();
        let tables = opened.shape.tables.iter();
        self.table_totals = tables.map(|found| (found.table.name, found.rows)).collect();
    }

    pub(crate) fn count(&mut self, rows: &[(&'static str, u64)], events: &[(&'static str, u64)]) {
        for (table, count) in events {
            self.tallies.entry(table).or_default().totals.events += count;
            self.events += count;
        }
        for (table, count) in rows {
            let tally = self.tallies.entry(table).or_default();
            tally.totals.rows += count;
            self.rows += count;
            let of_table = self.table_totals.iter().find(|(name, _)| name == table);
            (self.watch)(Progress {
                step: self.step,
                table,
                table_rows: (tally.totals.rows, of_table.map_or(0, |(_, count)| *count)),
                rows: (self.rows, self.all),
                events: self.events,
            });
        }
    }
}

//! Every row read again and held, column by column, against what the log folds to.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Instant;

use fleet::{EventView, order_of_next};
use serde_json::{Map, Value};
use storage::{Position, ReadError, Timestamp};

use crate::agree::agreeing;
use crate::chronicle::Chronicle;
use crate::compare::{Compared, Comparer, Difference};
use crate::depot::Depot;
use crate::error::ImportError;
use crate::events;
use crate::finding::Findings;
use crate::gone;
use crate::held::{Counting, Held, held};
use crate::import::{Counter, Step, Watch, millis};
use crate::made::{Expected, Portion, Purpose};
use crate::report::{MismatchedRow, REPORT_FORMAT, Report};
use crate::run::{Message, Opened, Taker, Wanted, run};
use crate::stale::{self, STALE_MAX, StaleRow};

/// Threads that fold and compare a batch.
const WORKERS_MAX: usize = 4;
/// Portions that are worth a thread.
const PORTIONS_MIN: usize = 200;

/// Holds every row against the log as it was when the last import of this database ended.
///
/// # Errors
/// As [`import`](crate::import::import).
pub fn verify(
    depot: &dyn Depot,
    wanted: &Wanted,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<Report, ImportError> {
    let chronicle = Chronicle::of(depot, &wanted.address);
    let position = chronicle
        .finished_at()?
        .unwrap_or_else(|| depot.log().durable_position());
    let mut report = Report {
        format: REPORT_FORMAT,
        kind: "verify",
        source: wanted.address.to_string(),
        assumed_timezone: wanted.zone.name(),
        position: position.get(),
        ..Report::default()
    };
    verify_into(
        &mut report,
        depot,
        wanted,
        Findings::default(),
        &mut *watch,
        stop,
    )?;
    if wanted.events {
        report.add(events::verify(depot, wanted, watch, stop)?);
    }
    chronicle.reconciled(&report)?;
    Ok(report)
}

/// Holds every row against the log at the report's position, and adds what came of it.
pub(crate) fn verify_into(
    report: &mut Report,
    depot: &dyn Depot,
    wanted: &Wanted,
    mut findings: Findings,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<(), ImportError> {
    let before = std::mem::take(&mut report.tables);
    let appended = report.totals.appended;
    let began = Instant::now();
    let position = Position::new(report.position);
    let mut verifier = Verifier::against(depot, position, watch);
    let noticed = run(
        Some(depot),
        wanted,
        Purpose::Verify,
        None,
        &mut verifier,
        stop,
    )?;
    if findings.total() == 0 {
        findings = noticed;
    }
    gone::look(depot, wanted, position, &mut verifier)?;
    verifier.fill(report, &findings)?;
    for table in &mut report.tables {
        if let Some(imported) = before.iter().find(|imported| imported.table == table.table) {
            table.totals.events = imported.totals.events;
            report.totals.events += imported.totals.events;
        }
    }
    report.totals.appended = appended;
    report.verified = true;
    report.verify_ms = millis(began);
    Ok(())
}

/// Whether a difference in a table is not one.
pub(crate) type Tolerates<'a> = &'a dyn Fn(&str, &Difference) -> bool;

/// Holds every row that an export wrote against the log, but for what it could not but write otherwise.
pub(crate) fn verify_export(
    report: &mut Report,
    depot: &dyn Depot,
    wanted: &Wanted,
    findings: Findings,
    tolerates: Tolerates<'_>,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<(), ImportError> {
    let began = Instant::now();
    let mut verifier = Verifier::against(depot, Position::new(report.position), watch);
    verifier.tolerates = Some(tolerates);
    let purpose = Purpose::Verify;
    run(Some(depot), wanted, purpose, None, &mut verifier, stop)?;
    verifier.fill(report, &findings)?;
    report.verified = true;
    report.verify_ms = millis(began);
    Ok(())
}

/// Takes rows and holds them against the log, or against the events that were made of them.
pub(crate) struct Verifier<'a> {
    against: Option<(&'a dyn Depot, Position)>,
    tolerates: Option<Tolerates<'a>>,
    comparer: Comparer,
    /// Rows that belong to other aggregates than the log has them in, or to none any more.
    pub(crate) stale: Vec<StaleRow>,
    /// What each worker reads payloads into.
    payloads: [Vec<u8>; WORKERS_MAX],
    pub(crate) counter: Counter<'a>,
    pub(crate) opened: Option<Box<Opened>>,
}

impl<'a> Verifier<'a> {
    fn against(depot: &'a dyn Depot, position: Position, watch: Watch<'a>) -> Self {
        Verifier {
            against: Some((depot, position)),
            tolerates: None,
            comparer: Comparer::default(),
            stale: Vec::new(),
            payloads: Default::default(),
            counter: Counter::new(Step::Verify, watch),
            opened: None,
        }
    }

    /// Against what is made of the rows, as if it were in a log.
    pub(crate) fn trying(watch: Watch<'a>) -> Self {
        Verifier {
            against: None,
            tolerates: None,
            comparer: Comparer::default(),
            stale: Vec::new(),
            payloads: Default::default(),
            counter: Counter::new(Step::Import, watch),
            opened: None,
        }
    }

    /// Adds what was counted to a report.
    pub(crate) fn fill(self, report: &mut Report, findings: &Findings) -> Result<(), ImportError> {
        let opened = self.opened.ok_or(ImportError::Stopped)?;
        report.server = opened.facts;
        report.fill(&opened.shape, &self.counter.tallies, findings);
        Ok(())
    }

    fn hold_against(&mut self, portion: &Portion, held: &Held) {
        for expected in &portion.expected {
            let compared = self.comparer.compare(&portion.stream, expected, held);
            self.note(expected, Some(compared));
        }
    }

    /// Folds and compares the portions of a batch, some on each processor, and notes what came of it in their order.
    fn hold_batch(
        &mut self,
        depot: &dyn Depot,
        position: Position,
        portions: &[Portion],
    ) -> Result<(), ImportError> {
        let workers = thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(WORKERS_MAX);
        let at_once = portions.len().div_ceil(workers).max(PORTIONS_MIN);
        let done: Vec<Result<Outcome, ReadError>> = thread::scope(|scope| {
            let parts = portions.chunks(at_once).zip(&mut self.payloads);
            let working: Vec<_> = parts
                .map(|(part, payloads)| {
                    scope.spawn(move || compare_all(depot, position, part, payloads))
                })
                .collect();
            working
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        let mut compared = Vec::new();
        for part in done {
            let part = part.map_err(ImportError::Read)?;
            compared.extend(part.compared);
            self.note_stale(part.stale);
        }
        let expected = portions.iter().flat_map(|portion| &portion.expected);
        for (expected, compared) in expected.zip(compared) {
            self.note(expected, compared);
        }
        Ok(())
    }

    fn note_stale(&mut self, stale: Vec<StaleRow>) {
        for row in stale {
            if self.stale.len() < STALE_MAX {
                self.stale.push(row);
            } else {
                let tally = self.counter.tallies.entry(row.table()).or_default();
                tally.totals.deleted += 1;
            }
        }
    }

    /// Notes what came of a row; `None`: it was seen at once that both sides say the same.
    fn note(&mut self, expected: &Expected, compared: Option<Compared>) {
        let Some(mut compared) = compared else {
            let tally = self.counter.tallies.entry(expected.table.name).or_default();
            return tally.hold(&expected.row, &expected.row);
        };
        if let Some(tolerates) = self.tolerates
            && !compared.differences.is_empty()
        {
            let table = expected.table.name;
            compared
                .differences
                .retain(|difference| !tolerates(table, difference));
            if compared.differences.is_empty() {
                compared.here.clone_from(&expected.row);
            }
        }
        let tally = self.counter.tallies.entry(expected.table.name).or_default();
        tally.hold(&expected.row, &compared.here);
        if compared.found && compared.differences.is_empty() {
            return;
        }
        tally.mismatch(MismatchedRow {
            key: expected.key.clone(),
            found: compared.found,
            columns: compared.differences,
        });
    }
}

impl Taker for Verifier<'_> {
    fn take(&mut self, message: Message) -> Result<(), ImportError> {
        match message {
            Message::Opened(opened) => {
                self.counter.open(&opened);
                self.opened = Some(opened);
            }
            Message::Batch(batch) => {
                match self.against {
                    Some((depot, position)) => {
                        self.hold_batch(depot, position, &batch.portions)?;
                    }
                    None => {
                        for portion in &batch.portions {
                            self.hold_against(portion, &folded(portion));
                        }
                    }
                }
                self.counter.count(&batch.rows, &batch.events);
            }
            Message::FamilyRead(_) => {}
        }
        Ok(())
    }
}

/// What came of some portions.
#[derive(Default)]
struct Outcome {
    /// What the log says of every row, in their order; `None` where it says just what the row says.
    compared: Vec<Option<Compared>>,
    /// What the log has beside them.
    stale: Vec<StaleRow>,
}

/// Holds these portions against the log.
fn compare_all(
    depot: &dyn Depot,
    position: Position,
    portions: &[Portion],
    payloads: &mut Vec<u8>,
) -> Result<Outcome, ReadError> {
    let agree = agreeing(depot.log(), portions, position, payloads)?;
    let others = portions.iter().zip(&agree).filter(|(_, agrees)| !**agrees);
    let others: Vec<&Portion> = others.map(|(portion, _)| portion).collect();
    let mut held = held(depot, &others, Counting::UpTo(position))?.into_iter();
    let mut comparer = Comparer::default();
    let mut outcome = Outcome::default();
    for (portion, agrees) in portions.iter().zip(agree) {
        if agrees {
            outcome
                .compared
                .extend(portion.expected.iter().map(|_| None));
            continue;
        }
        let held = held.next().unwrap_or_default();
        let rows = portion.expected.iter();
        let compared =
            rows.map(|expected| Some(comparer.compare(&portion.stream, expected, &held)));
        outcome.compared.extend(compared);
        outcome.stale.extend(stale::rows(portion, &held));
    }
    Ok(outcome)
}

/// What a stream would be if these were its events.
fn folded(portion: &Portion) -> Held {
    let mut held = Held::default();
    for (at, event) in portion.events.iter().enumerate() {
        if let Some(id) = event.id {
            held.imported.insert(id, event.data.clone());
        }
        let Ok(data) = serde_json::from_slice::<Map<String, Value>>(&event.data) else {
            continue;
        };
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let occurred_at = event.occurred_at.map_or(0, Timestamp::micros);
        held.fold(&EventView {
            aggregate_type: &portion.stream.aggregate_type,
            aggregate_id: &portion.stream.aggregate_id,
            event_type: &event.event_type,
            schema: event.schema,
            version: number,
            position: u64::from(number),
            occurred_at,
            recorded_at: occurred_at,
            order: order_of_next(number),
            data: &data,
        });
    }
    held
}

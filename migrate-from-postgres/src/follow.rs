//! Keeping up with a database that goes on changing, until it is cut over.
//!
//! Every row of PostgreSQL carries the number of the transaction that wrote it (`xmin`). What a look has to read again is
//! whatever was written by a transaction that had not ended when the snapshot before it was taken: that holds for every
//! table, whether it has an `updated_at` or not, and whoever wrote to it. What is gone leaves nothing to be seen; the last
//! look reads everything once more and finds it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::chronicle::Chronicle;
use crate::depot::Depot;
use crate::error::ImportError;
use crate::events;
use crate::import::{Watch, import, take_rows};
use crate::mapping::Family;
use crate::report::Report;
use crate::run::Wanted;
use crate::shape::{Shape, quoted};
use crate::source::{self, Address, SourceError};

/// How often it is asked whether to go on, while nothing is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// The most that a pause grows to while the server is away.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Numbers of transactions are told from each other by their lower half.
const NUMBERS: i64 = 1 << 32;

/// How a database is followed.
pub struct Following<'a> {
    /// How long nothing is looked at between two looks.
    pub interval: Duration,
    /// Whether it is to be cut over.
    pub cut_over: &'a dyn Fn() -> bool,
    /// Is told what a look came to.
    pub told: &'a mut dyn FnMut(Look<'_>),
}

impl std::fmt::Debug for Following<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Following");
        shown
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// What a look came to.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// All rows are in; from now on only what changes is read.
    First(&'a Report),
    /// Something had changed.
    Changed(&'a Report),
    /// The server is not there; it is asked again.
    Away(&'a SourceError),
}

/// Brings a database over, keeps up with what changes, and cuts over when it is asked to.
///
/// # Errors
/// As [`import`]. A server that goes away is waited for, once everything has been read for the first time.
pub fn follow(
    depot: &dyn Depot,
    wanted: &Wanted,
    following: &mut Following<'_>,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<Report, ImportError> {
    let mut seen = probe(&wanted.address)?;
    if wanted.events {
        events::take(depot, wanted, watch, stop)?;
    }
    let first = take_rows(depot, wanted, None, watch, stop)?.report;
    (following.told)(Look::First(&first));
    let mut since = first.server.snapshot_xmin;
    let mut pause = following.interval;
    while !wait(pause, following.cut_over, stop)? {
        let look = probe(&wanted.address)
            .map_err(ImportError::from)
            .and_then(|now| {
                if now == seen {
                    return Ok(None);
                }
                let changed = |shape: &Shape, family: &Family| changed_keys(shape, family, since);
                let taken = take_rows(depot, wanted, Some(&changed), watch, stop)?;
                seen = now;
                Ok(Some(taken.report))
            });
        match look {
            Ok(None) => {}
            Ok(Some(report)) => {
                since = report.server.snapshot_xmin;
                if report.totals.appended > 0 {
                    (following.told)(Look::Changed(&report));
                }
            }
            Err(ImportError::Source(error)) if error.is_passing() => {
                (following.told)(Look::Away(&error));
                pause = (pause * 2).min(PAUSE_MAX);
                continue;
            }
            Err(error) => return Err(error),
        }
        pause = following.interval;
    }
    cut_over(depot, wanted, watch, stop)
}

/// Brings a database over, and says in the log that it is followed no more, if every row agrees.
///
/// # Errors
/// As [`import`].
pub fn cut_over(
    depot: &dyn Depot,
    wanted: &Wanted,
    watch: Watch<'_>,
    stop: &AtomicBool,
) -> Result<Report, ImportError> {
    let mut report = import(depot, wanted, watch, stop)?;
    report.kind = "cut over";
    if report.agrees() {
        Chronicle::of(depot, &wanted.address).cut_over()?;
    }
    Ok(report)
}

/// Whether a database was cut over: what the log says of it last.
///
/// # Errors
/// When the log cannot be read.
pub fn is_cut_over(depot: &dyn Depot, wanted: &Wanted) -> Result<bool, ImportError> {
    Chronicle::of(depot, &wanted.address).is_cut_over()
}

/// Waits; whether it is to be cut over.
fn wait(
    pause: Duration,
    cut_over: &dyn Fn() -> bool,
    stop: &AtomicBool,
) -> Result<bool, ImportError> {
    let until = Instant::now() + pause;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(ImportError::Stopped);
        }
        if cut_over() {
            return Ok(true);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        thread::sleep(left.min(GLANCE));
    }
}

/// Which transactions have ended: as long as the answer is the same, nothing has changed.
fn probe(address: &Address) -> Result<String, SourceError> {
    source::blocking(async {
        let session = source::connect(address).await?;
        let statement = "SELECT pg_catalog.txid_current_snapshot()::text";
        let what = "asking whether anything has changed";
        let answer = source::rows(&session.client, statement, what).await;
        session.close().await;
        Ok(answer?
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .unwrap_or_default())
    })
}

/// SQL for the keys of the family's aggregates of which any row was written since the transaction with this number.
fn changed_keys(shape: &Shape, family: &Family, since: i64) -> Option<String> {
    let parent = (family.parent.table.name, family.key);
    let children = family.children.iter();
    let children = children.map(|child| (child.mapping.table.name, child.refers_by));
    let selects: Vec<String> = [parent]
        .into_iter()
        .chain(children)
        .filter(|(table, column)| {
            shape
                .get(table)
                .is_some_and(|found| found.field(column).is_some())
        })
        .map(|(table, column)| {
            format!(
                "SELECT c.{} FROM public.{} c WHERE age(c.xmin) <= age('{}'::xid)",
                quoted(column),
                quoted(table),
                since.rem_euclid(NUMBERS)
            )
        })
        .collect();
    (!selects.is_empty()).then(|| selects.join(" UNION "))
}

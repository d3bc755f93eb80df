//! Key figures over the log: facts that follow it, and the catalogue taken from them.
//!
//! On the data path this stands behind the log like a read model, but is drawn and not pushed: a question first takes in
//! what was appended since the last one, and a loop in the background keeps that little while giving way to writers.
//! Facts and columns are compact (some fifty bytes an event) and are all in memory; they are derived, and a start makes
//! them again from the log. As of an earlier position they are folded from the beginning, so an old answer comes out the
//! same, bit for bit; what was folded last is kept a while, for the next question as of there or later.

mod calendar;
mod fold;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use analytics::columns::Columns;
use analytics::facts::{Facts, VehicleNow};
use analytics::forecast::{Forecast, ForecastError, forecast};
use analytics::kpi::Selection;
use analytics::rollup::{Store, Taken};
use chrono_tz::Tz;
use storage::{Log, Position, ReadError, ReadRequest};

pub(crate) use calendar::{Interval, edges, last_in_time, local_date, local_month, months_before};
use fold::Folding;
pub(crate) use fold::Planned;

/// Events taken in under one lock while nobody asks: a millisecond or two, which is what a request waits for a processor.
const FOLLOWED_AT_ONCE: u64 = 200;
/// How long facts as of an earlier position are kept that nobody asks for: they are as large as the present ones.
const EARLIER_KEPT_FOR: Duration = Duration::from_secs(600);

/// Facts, and the position up to which they reflect the log.
#[derive(Debug)]
pub(crate) struct Known {
    folding: Folding,
    position: Position,
}

impl Known {
    fn new(zone: Tz) -> Self {
        Known {
            folding: Folding::new(zone),
            position: Position::default(),
        }
    }

    /// The facts.
    pub(crate) fn facts(&self) -> &Facts {
        self.folding.store.facts()
    }

    /// The facts with their sums by day.
    pub(crate) fn store(&self) -> &Store {
        &self.folding.store
    }

    /// All events in columns.
    pub(crate) fn columns(&self) -> &Columns {
        &self.folding.columns
    }

    /// Figures over a selection.
    pub(crate) fn take<'a>(&'a self, selection: &Selection<'a>) -> Taken<'a> {
        let vehicle = selection.vehicle.and_then(|id| self.folding.vehicle(id));
        self.store().take(selection, vehicle)
    }

    /// The facts of the chosen vehicle alone, where one is chosen.
    pub(crate) fn only(&self, vehicle: Option<&str>) -> Option<Facts> {
        vehicle.map(|id| self.store().only(id, self.folding.vehicle(id)))
    }

    /// What the vehicles are at present, in the order of the facts.
    pub(crate) fn vehicles_now(&self) -> impl Iterator<Item = VehicleNow> + use<'_> {
        self.folding.vehicles_now()
    }

    /// Every event up to here is in them, and none after it.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The workshop's code by its row id, where one is known.
    pub(crate) fn workshop_code<'a>(&'a self, id: &'a str) -> &'a str {
        self.folding.workshop_code(id)
    }

    /// Maintenance that is planned to happen from `from` to `to`, soonest first.
    pub(crate) fn planned(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, &Planned)> {
        self.folding.planned(from, to)
    }

    /// The asset id of a vehicle that is named by it or by its row id.
    pub(crate) fn asset_id<'a>(&'a self, named: &'a str) -> &'a str {
        self.folding.asset_id(named)
    }

    fn take_in(&mut self, log: &Log, to: Position) -> Result<(), ReadError> {
        if to <= self.position {
            return Ok(());
        }
        let request = ReadRequest {
            from: self.position.next(),
            to,
            ..ReadRequest::default()
        };
        let mut reader = log.read(&request)?;
        while let Some(event) = reader.next() {
            match event {
                Ok(event) => {
                    self.folding.fold(&event);
                    self.position = event.position();
                }
                Err(error @ ReadError::Archived { .. }) => return Err(error),
                // What rotted is named by /health; the reader goes on behind it, and so do the figures.
                Err(_) => {}
            }
        }
        self.position = to;
        Ok(())
    }
}

/// The facts of one log.
#[derive(Debug)]
pub struct Figures {
    zone: Tz,
    known: RwLock<Known>,
    /// As of an earlier position: what was asked for last, and when.
    earlier: Mutex<Option<(Instant, Known)>>,
    /// The forecast that was made last, with what it was made from: months that are over seldom change.
    forecast: Mutex<Option<(Vec<f64>, usize, Forecast)>>,
}

impl Figures {
    /// Of a depot in this time zone; nothing is read yet.
    pub(crate) fn new(zone: Tz) -> Self {
        Figures {
            zone,
            known: RwLock::new(Known::new(zone)),
            earlier: Mutex::new(None),
            forecast: Mutex::new(None),
        }
    }

    /// Lets go of all facts; the next question takes them from the log again.
    pub(crate) fn forget(&self) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known::new(self.zone);
        *self.earlier() = None;
    }

    fn earlier(&self) -> MutexGuard<'_, Option<(Instant, Known)>> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in some of what was appended, so that the next question need not. Gives whether there is more. Touches the
    /// disk: for blocking threads.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn follow(&self, log: &Log) -> Result<bool, ReadError> {
        let is_forgotten = |kept: &mut (Instant, Known)| kept.0.elapsed() > EARLIER_KEPT_FOR;
        if let Ok(mut earlier) = self.earlier.try_lock() {
            drop(earlier.take_if(is_forgotten));
        }
        let end = log.durable_position();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let to = Position::new(end.get().min(known.position.get() + FOLLOWED_AT_ONCE));
        known.take_in(log, to)?;
        Ok(to < end)
    }

    /// The months behind these ones; made once as long as they stay the same.
    ///
    /// # Errors
    /// Those of [`forecast`].
    pub(crate) fn forecast(&self, months: &[f64], ahead: usize) -> Result<Forecast, ForecastError> {
        let lock = || self.forecast.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, count, made)) = &*lock()
            && of == months
            && *count == ahead
        {
            return Ok(made.clone());
        }
        let made = forecast(months, ahead)?;
        *lock() = Some((months.to_vec(), ahead, made.clone()));
        Ok(made)
    }

    /// Answers from the facts as they are, without taking in what was appended since.
    pub(crate) fn peek<T>(&self, answer: impl FnOnce(&Known) -> T) -> T {
        answer(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers from the facts as of the log's durable end, or as of an earlier position. Touches the disk: for blocking
    /// threads.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn ask<T>(
        &self,
        log: &Log,
        as_of: Option<Position>,
        answer: impl FnOnce(&Known) -> T,
    ) -> Result<T, ReadError> {
        let end = log.durable_position();
        if let Some(position) = as_of.filter(|position| *position < end) {
            // Folded by one at a time, so that many questions about one position fold it once.
            let mut earlier = self.earlier();
            let kept = earlier.take().map(|(_, kept)| kept);
            let mut then = kept
                .filter(|kept| kept.position <= position)
                .unwrap_or_else(|| Known::new(self.zone));
            then.take_in(log, position)?;
            let answer = answer(&then);
            *earlier = Some((Instant::now(), then));
            return Ok(answer);
        }
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.position >= end {
                return Ok(answer(&known));
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.take_in(log, end)?;
        // Others may read while this answer is made.
        let known = RwLockWriteGuard::downgrade(known);
        Ok(answer(&known))
    }
}

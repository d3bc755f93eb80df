//! Fills a log with the demo's history, as if it had come in over the years: the log's clock tells when each stretch of
//! it arrived, so that both times can be travelled.
//!
//! A stretch is a transaction, and the same events make the same stretches: filling again after an interruption finds
//! the ids of whole transactions in the log, and appends only what is missing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fleet::calendar::{DAY, HOUR};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{
    AppendError, Clock, ExpectedVersion, Log, StreamWrite, SystemClock, Timestamp, Transaction,
};

use super::depot::Plan;
use crate::demo::{DemoEvent, Simulation};
use crate::envelope::{self, Envelope, Refused};
use crate::rfc3339;

/// Arrivals this far apart are not in one transaction. Each costs a sync; within one, recorded times are its last arrival.
const STRETCH_MICROS: i64 = 6 * HOUR;
/// Events in a transaction.
const STRETCH_EVENTS_MAX: usize = 1_000;
/// How often the progress is drawn while nothing happens.
const TICK: Duration = Duration::from_millis(250);

/// Why the history is not in the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum FillError {
    /// The log does not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The door that every event passes does not take it.
    #[error("event {id} is refused: {refused}")]
    Refused {
        /// Its id.
        id: uuid::Uuid,
        /// Why.
        refused: Refused,
    },
}

/// What a log was filled with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Filled {
    pub(super) events: u64,
    /// The aggregate id of the first vehicle.
    pub(super) first_vehicle: String,
    /// Midnight in the middle of the history: microseconds since 1970 UTC.
    pub(super) middle: i64,
}

/// Tells the time that it was last told, and the machine's once it is told none.
#[derive(Debug, Default)]
pub(super) struct DemoClock {
    told: Mutex<Option<Timestamp>>,
}

impl DemoClock {
    fn tell(&self, time: Option<Timestamp>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Timestamp {
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.unwrap_or_else(|| SystemClock.now())
    }
}

/// Appends the history, or what is missing of it.
pub(super) fn fill(log: &Log, clock: &DemoClock, plan: &Plan) -> Result<Filled, FillError> {
    let bar = progress_bar(plan);
    let mut filled = Filled {
        events: 0,
        first_vehicle: String::new(),
        middle: 0,
    };
    let mut stretch: Vec<DemoEvent> = Vec::new();
    let mut begin = None;
    for event in Simulation::new(plan.seed, plan.options()) {
        if filled.first_vehicle.is_empty() && event.aggregate_type == "Vehicle" {
            filled.first_vehicle.clone_from(&event.aggregate_id);
        }
        filled.events += 1;
        let begin = *begin.get_or_insert(event.arrived_at);
        let days = (event.arrived_at - begin) / DAY;
        bar.set_position(u64::try_from(days).unwrap_or(0));
        filled.middle = (begin + (event.arrived_at - begin) / 2) / DAY * DAY;
        if !belongs(&event, &stretch) {
            append(log, clock, &stretch)?;
            stretch.clear();
        }
        stretch.push(event);
    }
    append(log, clock, &stretch)?;
    clock.tell(None);
    bar.finish_and_clear();
    Ok(filled)
}

/// Whether the event is still part of this stretch.
fn belongs(event: &DemoEvent, stretch: &[DemoEvent]) -> bool {
    stretch.len() < STRETCH_EVENTS_MAX
        && stretch.first().is_none_or(|first| {
            event.arrived_at.div_euclid(STRETCH_MICROS)
                == first.arrived_at.div_euclid(STRETCH_MICROS)
        })
}

fn append(log: &Log, clock: &DemoClock, stretch: &[DemoEvent]) -> Result<(), FillError> {
    let Some(last) = stretch.last() else {
        return Ok(());
    };
    let mut writes: Vec<StreamWrite> = Vec::new();
    for event in stretch {
        let Envelope { stream, event, .. } = through_the_door(event)?;
        match writes.last_mut() {
            Some(write) if write.stream == stream => write.events.push(event),
            _ => writes.push(StreamWrite {
                stream,
                expected: ExpectedVersion::Any,
                events: vec![event],
            }),
        }
    }
    clock.tell(Some(Timestamp::from_micros(last.arrived_at)));
    log.append(Transaction {
        writes,
        condition: None,
    })?;
    Ok(())
}

/// The event as a client would send it, read as one that did.
fn through_the_door(event: &DemoEvent) -> Result<Envelope, FillError> {
    let body = json!({
        "id": event.id,
        "aggregate_type": event.aggregate_type,
        "aggregate_id": event.aggregate_id,
        "event_type": event.event_type,
        "schema": event.schema,
        "occurred_at": rfc3339::to_string(Timestamp::from_micros(event.occurred_at)),
        "data": event.data,
        "metadata": event.metadata,
    });
    envelope::parse_event(body.to_string().as_bytes()).map_err(|refused| FillError::Refused {
        id: event.id,
        refused,
    })
}

/// By days of the history. Drawn on a terminal only.
fn progress_bar(plan: &Plan) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(plan.days).unwrap_or(0));
    let template = "filling the demo depot {wide_bar} day {pos} of {len}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

//! What raw events may not do: take stock below zero.
//!
//! `POST /events` takes in what clients say. Levels are sums of differences, so a `StockLevelChanged` that takes what is
//! not there would stand for ever. An append that touches levels is therefore held against the part as the log has it,
//! at exactly that version, and made again when somebody else was quicker. Everything else passes by without a look.

use std::collections::HashMap;

use fleet::stock_move::Levels;
use fleet::{EventView, Folded, Refusal, alias, order_of_next, part};
use serde_json::Map;
use storage::{
    AppendError, ExpectedVersion, NewEvent, StreamName, StreamWrite, Timestamp, Transaction,
    Version,
};

use super::decision::present;
use crate::app::AppState;
use crate::append::{Answered, append_kept};
use crate::federation::{check_home, check_vehicle, may_be_decided_elsewhere};
use crate::http::problem::{Kind, Problem};
use crate::reads;

/// How often an append is tried again after somebody else wrote in between.
const RETRIES_MAX: usize = 24;

/// Whether this append may change a level, and has to go by [`append_minding_stock`].
pub fn touches_stock(transaction: &Transaction) -> bool {
    transaction.writes.iter().any(|write| {
        *write.stream.aggregate_type == *part::AGGREGATE_TYPE
            && write
                .events
                .iter()
                .any(|event| changes_level(&event.event_type))
    })
}

/// Whether an event of this type adds to levels, opens them, or moves the life in which the opening value counts. No other
/// does, whatever it carries: levels are reserved ([`fleet::schema::AggregateSchema::is_reserved`]).
fn changes_level(event_type: &str) -> bool {
    [
        part::event::STOCK_LEVEL_CHANGED,
        part::event::PART_CREATED,
        part::event::PART_DELETED,
    ]
    .contains(&alias::canonical(event_type))
}

/// Appends events as they were sent, unless they take stock below zero.
///
/// # Errors
/// 409 `insufficient_stock`, and `decided-elsewhere` for what another depot decides; `busy` when others were always quicker; those of reading the log. What the log itself
/// refuses is in the answer.
pub async fn append_minding_stock(
    state: &AppState,
    transaction: Transaction,
) -> Result<Answered, Problem> {
    let writes = transaction.writes.iter();
    let elsewhere: Vec<StreamWrite> = writes
        .filter(|write| may_be_decided_elsewhere(state, write))
        .cloned()
        .collect();
    if !elsewhere.is_empty() {
        let check = move |state: &AppState| {
            elsewhere.iter().try_for_each(|write| {
                let event_types = write.events.iter().map(|event| &*event.event_type);
                check_home(state, &write.stream)?;
                check_vehicle(state, &write.stream, event_types)
            })
        };
        reads::run(state, check).await?;
    }
    if !touches_stock(&transaction) {
        return Ok(append_kept(&state.log, transaction).await);
    }
    for _ in 0..RETRIES_MAX {
        let sent = transaction.clone();
        let Some(bound) = reads::run(state, move |state| bind(state, sent)).await? else {
            return Ok(append_kept(&state.log, transaction).await);
        };
        match append_kept(&state.log, bound).await {
            (_, Err(AppendError::WrongVersion { .. })) => {}
            answered => return Ok(answered),
        }
    }
    Err(Problem::new(
        Kind::Busy,
        "others kept writing to the same part; try again",
    ))
}

/// A part that is written, as it will be.
struct Touched {
    before: Folded,
    after: Folded,
    version: Version,
}

/// The transaction, holding only if its parts are still as they were looked at. `None` when the log has to answer as it
/// is: it has these events already, or the client expects another version.
///
/// # Errors
/// 409 when a level would fall below zero.
fn bind(state: &AppState, mut transaction: Transaction) -> Result<Option<Transaction>, Problem> {
    let now = state.clock.now();
    let mut parts: HashMap<StreamName, Touched> = HashMap::new();
    for write in &mut transaction.writes {
        if *write.stream.aggregate_type != *part::AGGREGATE_TYPE {
            continue;
        }
        for id in write.events.iter().filter_map(|event| event.id) {
            if state.log.position_of(id)?.is_some() {
                return Ok(None);
            }
        }
        if !parts.contains_key(&write.stream) {
            let (folded, version) = present(state, &write.stream)?;
            if !is_met(write.expected, version) {
                return Ok(None);
            }
            write.expected = ExpectedVersion::Exact(version);
            let touched = Touched {
                before: folded.clone(),
                after: folded,
                version,
            };
            parts.insert(write.stream.clone(), touched);
        }
        if let Some(touched) = parts.get_mut(&write.stream) {
            for event in &write.events {
                touched.take_in(&write.stream, event, now);
            }
        }
    }
    for (stream, touched) in &parts {
        touched.check(&stream.aggregate_id)?;
    }
    Ok(Some(transaction))
}

fn is_met(expected: ExpectedVersion, version: Version) -> bool {
    match expected {
        ExpectedVersion::Any => true,
        ExpectedVersion::NoStream => version == Version::NONE,
        ExpectedVersion::Exists => version != Version::NONE,
        ExpectedVersion::Exact(exact) => version == exact,
    }
}

impl Touched {
    fn take_in(&mut self, stream: &StreamName, event: &NewEvent, now: Timestamp) {
        self.version = self.version.next().unwrap_or(self.version);
        let data: Map<_, _> = serde_json::from_slice(&event.data).unwrap_or_default();
        self.after.fold(&EventView {
            aggregate_type: &stream.aggregate_type,
            aggregate_id: &stream.aggregate_id,
            event_type: &event.event_type,
            schema: event.schema,
            version: self.version.get(),
            // Behind all that is in the log.
            position: u64::MAX,
            occurred_at: event.occurred_at.unwrap_or(now).micros(),
            recorded_at: now.micros(),
            order: order_of_next(self.version.get()),
            data: &data,
        });
    }

    /// Refuses a level that falls, and is below zero then: on the whole, or at a location.
    fn check(&self, part_no: &str) -> Result<(), Refusal> {
        let (before, after) = (Levels::of(&self.before), Levels::of(&self.after));
        let falls_below = |before: i64, after: i64| after < 0 && after < before;
        if falls_below(before.total(), after.total()) {
            return Err(self.too_few(part_no, before.total(), "in all"));
        }
        let sums = self.after.record.sums(part::schema::STOCK_BY_LOCATION_KEY);
        for (location, level) in sums {
            let there = before.at(Some(location));
            if falls_below(there, level) {
                return Err(self.too_few(part_no, there, "at this location"));
            }
        }
        Ok(())
    }

    fn too_few(&self, part_no: &str, there: i64, place: &str) -> Refusal {
        let unit = part::unit(&self.after);
        let message = format!(
            "There are {there} {unit} of part '{part_no}' {place}, and these events take more; POST /stock/moves moves what is there"
        );
        Refusal::conflict("delta", "insufficient_stock", message)
    }
}

#[cfg(test)]
mod tests;

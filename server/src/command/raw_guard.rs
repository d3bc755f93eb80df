//! What raw events may not do: take stock below zero, take the beginning of work away that goes on, approve what their sender
//! wrote, have what is booked on a budget be in another currency, and have a row go by another business key.
//!
//! `POST /events` takes in what clients say. Levels are sums of differences, so a `StockLevelChanged` that takes what is
//! not there would stand for ever; work of which nothing says that it has begun could be spared its release; and what
//! commands hold of approvals and keys would hold for nobody who sends events. An append that may do so is therefore held
//! against the aggregates as the log has them, at exactly those versions, and made again when somebody else was quicker.
//! Everything else passes by without a look.

mod approval;
mod name;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use fleet::money::currency_of;
use fleet::stock_move::Levels;
use fleet::{EventView, Folded, Refusal, alias, budget, order_of_next, part, work_order};
use memchr::memchr;
use memchr::memmem::Finder;
use serde_json::{Map, Value};
use storage::{
    AppendError, ExpectedVersion, NewEvent, StreamName, StreamWrite, Timestamp, Transaction,
    Version,
};

use super::decision::{present, staged_at};
use super::writers::writers_of;
use crate::app::AppState;
use crate::append::{Answered, append_kept};
use crate::auth::Caller;
use crate::envelope::user_id;
use crate::federation::{check_home, check_vehicle, may_be_decided_elsewhere};
use crate::http::problem::{Kind, Problem};
use crate::reads;
use approval::Approving;
use name::Named;

/// How often an append is tried again after somebody else wrote in between.
const RETRIES_MAX: usize = 24;

/// The field that says when an order's work began.
const STARTED: &str = "actual_start";

/// The field that says in which currency a budget's amounts are.
const CURRENCY: &str = "currency";

/// What finds these fields in a payload. Made once: each event of a batch is looked at, and making it costs about as much
/// as looking.
static STARTED_FINDER: LazyLock<[Finder<'static>; 1]> = LazyLock::new(|| [Finder::new(STARTED)]);
static CURRENCY_FINDER: LazyLock<[Finder<'static>; 1]> = LazyLock::new(|| [Finder::new(CURRENCY)]);

/// Whether this append may do what raw events may not, and has to go by [`append_guarded`].
pub fn is_guarded(transaction: &Transaction) -> bool {
    transaction.writes.iter().any(is_watched)
}

/// Refuses events that are sent to the present key of an aggregate instead of to its id. Asked of every write: it costs those of
/// types that go by a business key a look for the stream, and only what begins one a look at the catalog.
///
/// # Errors
/// `Conflict`, with the aggregate_id to write to.
pub fn refuse_astray(state: &AppState, stream: &StreamName) -> Result<(), Refusal> {
    match Named::of(&stream.aggregate_type) {
        Some(named) => named.refuse_astray(state, stream),
        None => Ok(()),
    }
}

fn is_watched(write: &StreamWrite) -> bool {
    let aggregate_type = &*write.stream.aggregate_type;
    if approval::is_approved(aggregate_type) {
        return true;
    }
    let named = Named::of(aggregate_type);
    let mut events = write.events.iter();
    events.any(|event| {
        let is_looked_at = match aggregate_type {
            part::AGGREGATE_TYPE => changes_level(&event.event_type),
            work_order::AGGREGATE_TYPE => may_unbegin(event),
            budget::AGGREGATE_TYPE => may_change_currency(event),
            _ => false,
        };
        is_looked_at || named.is_some_and(|named| named.may_change(event))
    })
}

/// Whether an event may tell a field of one of these names. Only what may is read: a name may be written with escapes.
fn may_name(event: &NewEvent, names: &[Finder<'_>]) -> bool {
    let data = &event.data;
    memchr(b'\\', data).is_some() || names.iter().any(|name| name.find(data).is_some())
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

/// Whether an event of an order may take away when its work began: whether it says anything of that but a time.
fn may_unbegin(event: &NewEvent) -> bool {
    if !may_name(event, STARTED_FINDER.as_slice()) {
        return false;
    }
    let data: Map<String, Value> = serde_json::from_slice(&event.data).unwrap_or_default();
    let mut fields = data.iter();
    fields.any(|(name, value)| name.contains(STARTED) && !value.is_string())
}

/// Whether an event of a budget may have it in another currency: whether it tells one, or begins a life in which none is told.
fn may_change_currency(event: &NewEvent) -> bool {
    alias::canonical(&event.event_type) == budget::event::BUDGET_CREATED
        || may_name(event, CURRENCY_FINDER.as_slice())
}

/// Appends events as the caller sent them, unless they do what raw events may not.
///
/// # Errors
/// 409 `insufficient_stock`, `work_begun`, `approved`, `booked`, `key_fixed` and `key_taken`, 403 `own_work`, `other_name` and
/// `role_too_low`, and `decided-elsewhere` for what another depot decides; `busy` when others were always quicker; those of
/// reading the log. What the log itself refuses is in the answer.
pub async fn append_guarded(
    state: &AppState,
    caller: &Caller,
    transaction: Transaction,
) -> Result<Answered, Problem> {
    for write in &transaction.writes {
        refuse_astray(state, &write.stream)?;
    }
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
    if !is_guarded(&transaction) {
        return Ok(append_kept(&state.log, transaction).await);
    }
    for _ in 0..RETRIES_MAX {
        let (sent, caller) = (transaction.clone(), caller.clone());
        let bound = match reads::run(state, move |state| bind(state, &caller, sent)).await? {
            Bound::Held(bound) => bound,
            Bound::Known => return Ok(append_kept(&state.log, transaction).await),
            Bound::Unmet(error) => return Ok((transaction, Err(error))),
        };
        let (bound, result) = append_kept(&state.log, bound).await;
        match &result {
            Err(AppendError::WrongVersion {
                stream, expected, ..
            }) if !asks_for(&transaction, stream, *expected) => {}
            _ => return Ok((bound, result)),
        }
    }
    Err(Problem::new(
        Kind::Busy,
        "others kept writing to the same aggregate; try again",
    ))
}

/// Whether the client itself expects this of the stream: nobody else's quickness, then, made it wrong.
fn asks_for(transaction: &Transaction, stream: &StreamName, expected: ExpectedVersion) -> bool {
    let mut writes = transaction.writes.iter();
    writes.any(|write| write.stream == *stream && write.expected == expected)
}

/// What a look at a transaction came to.
enum Bound {
    /// It may be appended, and holds only if what is watched is still as it was looked at.
    Held(Transaction),
    /// The log has some of these events already, and answers by itself.
    Known,
    /// The client expects another version. The log is not asked: it may have that version by then, and nothing was judged.
    Unmet(AppendError),
}

/// An aggregate that is written, as it will be.
struct Touched {
    before: Folded,
    after: Folded,
    version: Version,
    approving: Option<Approving>,
}

/// Looks at what a transaction would do.
///
/// # Errors
/// 409 when a level would fall below zero, an order would not have begun, what was approved would change, what is booked would
/// be in another currency, or a row would go by another key; 403 for an approval of one's own work.
fn bind(state: &AppState, caller: &Caller, mut transaction: Transaction) -> Result<Bound, Problem> {
    let now = state.clock.now();
    let writes = transaction.writes.iter().filter(|write| is_watched(write));
    let watched: HashSet<StreamName> = writes.map(|write| write.stream.clone()).collect();
    let mut all: HashMap<StreamName, Touched> = HashMap::new();
    for write in &mut transaction.writes {
        if !watched.contains(&write.stream) {
            continue;
        }
        for id in write.events.iter().filter_map(|event| event.id) {
            if state.log.position_of(id)?.is_some() {
                return Ok(Bound::Known);
            }
        }
        if !all.contains_key(&write.stream) {
            let (folded, version) = present(state, &write.stream)?;
            if !is_met(write.expected, version) {
                return Ok(Bound::Unmet(AppendError::WrongVersion {
                    stream: write.stream.clone(),
                    expected: write.expected,
                    actual: version,
                }));
            }
            write.expected = ExpectedVersion::Exact(version);
            let touched = Touched {
                approving: Approving::of(&write.stream.aggregate_type, caller.role(), &folded),
                before: folded.clone(),
                after: folded,
                version,
            };
            all.insert(write.stream.clone(), touched);
        }
        if let Some(touched) = all.get_mut(&write.stream) {
            for event in &write.events {
                touched.take_in(state, &write.stream, event, caller, now)?;
            }
        }
    }
    for (stream, touched) in &all {
        let (aggregate_type, id) = (&*stream.aggregate_type, &*stream.aggregate_id);
        if aggregate_type == part::AGGREGATE_TYPE {
            touched.check_levels(id)?;
        }
        if aggregate_type == budget::AGGREGATE_TYPE {
            budget::refuse_other_currency(&touched.before, &currency_of(&touched.after))?;
        }
        if let Some(named) = Named::of(aggregate_type) {
            named.check(state, id, &touched.before, &touched.after)?;
        }
    }
    Ok(Bound::Held(transaction))
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
    /// Takes in an event. Levels and keys are judged by what all events come to. Orders and invoices are judged at each: once
    /// nothing says that work has begun, the next event could spare it its release.
    fn take_in(
        &mut self,
        state: &AppState,
        stream: &StreamName,
        event: &NewEvent,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let is_work = *stream.aggregate_type == *work_order::AGGREGATE_TYPE;
        let kept = match is_work {
            true => work_order::refuse_unbegun(&self.after),
            false => Ok(()),
        };
        let happens = event.occurred_at.map(Timestamp::micros);
        let happens = happens.unwrap_or_else(|| staged_at(now, &self.after));
        self.version = self.version.next().unwrap_or(self.version);
        let data: Map<_, _> = serde_json::from_slice(&event.data).unwrap_or_default();
        let view = EventView {
            aggregate_type: &stream.aggregate_type,
            aggregate_id: &stream.aggregate_id,
            event_type: &event.event_type,
            schema: event.schema,
            version: self.version.get(),
            // Behind all that is in the log.
            position: u64::MAX,
            occurred_at: happens,
            recorded_at: now.micros(),
            order: order_of_next(self.version.get()),
            data: &data,
        };
        let event_type = view.canonical_type();
        let approving = self.approving.as_ref();
        let covered = approving.map(|approving| approving.covered(&self.after, event_type));
        self.after.fold(&view);
        if let (Some(approving), Some(covered)) = (&mut self.approving, &covered) {
            let by = user_id(event.tags.iter().map(|tag| &**tag));
            let earlier = |covers| writers_of(state, stream, covers);
            approving.take_in(&view, caller, by, covered, &self.after, earlier)?;
        }
        if self.after.text(STARTED).is_none() {
            kept?;
        }
        Ok(())
    }

    /// Refuses a level that falls, and is below zero then: on the whole, or at a location.
    fn check_levels(&self, part_no: &str) -> Result<(), Refusal> {
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

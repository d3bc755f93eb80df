//! Messages that came into the log: what is new among them, each event once.

use std::collections::{BTreeMap, HashMap};

use fleet::{Origin, erasure};
use storage::{
    AppendError, AppendErrorKind, ExpectedVersion, Log, NewEvent, Position, ReadError, ReadRequest,
    StreamWrite, Transaction,
};
use tokio::time::Instant;
use uuid::Uuid;

use super::intake::{Arrived, Missing};
use crate::Member;
use crate::broker::log_of_subject;
use crate::judge::{self, Delivered, Judged, Known, judge};
use crate::message::{Message, is_shared};
use crate::standing::{Depot, TwiceRecorded};

/// Appends what is new among these messages. Returns of which logs something is missing, from which position on.
pub(super) fn append(member: &Member, arrived: &[Arrived]) -> Missing {
    let own = member.log.log_id().as_u128();
    let (mut delivered, mut sheets) = (Vec::with_capacity(arrived.len()), BTreeMap::new());
    for Arrived { sequence, delivery } in arrived {
        // What stands under another subject is not in this stream.
        let Some(log) = log_of_subject(&delivery.subject).filter(|log| *log != own) else {
            continue;
        };
        delivered.push(judge::read(log, *sequence, &delivery.payload, &mut sheets));
    }
    let mut known = KnownHere::of(member, &delivered)?;
    let (mut refused, mut appended) = (BTreeMap::new(), BTreeMap::<u128, u64>::new());
    let judged = loop {
        let judged = judge(&delivered, member.standing.taken(), &refused, &known);
        let new = judged.new.iter().filter_map(|place| delivered.get(*place));
        let new: Vec<_> = new
            .filter_map(|one| Some(&one.read.as_ref().ok()?.1))
            .collect();
        member.pace.will_append(new.len());
        let (taken, stopped) = match append_all(&member.log, &new) {
            Ok(()) => (new.len(), None),
            Err((taken, error)) if error.kind() == AppendErrorKind::Refused => (taken, Some(error)),
            Err((taken, error)) => {
                member.pace.did_not_append(new.len() - taken);
                return Err(error.into());
            }
        };
        member.pace.did_not_append(new.len() - taken);
        for message in new.iter().take(taken) {
            *appended.entry(message.log).or_default() += 1;
        }
        let Some(error) = stopped else { break judged };
        // They are judged once more, with what is here by now.
        let here = new.iter().take(taken);
        known
            .ids
            .extend(here.map(|message| (message.id, message.log)));
        let place = judged.new.get(taken).copied().unwrap_or_default();
        refused.insert(place, format!("this log can never take it: {error}"));
    };
    note(member, &delivered, &judged, &appended);
    Ok(judged.missing)
}

/// What this log knows of messages.
struct KnownHere<'a> {
    member: &'a Member,
    /// The ids that are here, each with the log that recorded it first.
    ids: HashMap<u128, u128>,
}

impl<'a> KnownHere<'a> {
    fn of(member: &'a Member, delivered: &[Delivered<'_>]) -> Result<Self, ReadError> {
        let (log, taken) = (&member.log, member.standing.taken());
        let mut ids = HashMap::new();
        let mut can_be_read = true;
        for (_, message) in delivered.iter().filter_map(|one| one.read.as_ref().ok()) {
            let Some(here) = log.position_of(Uuid::from_u128(message.id))? else {
                continue;
            };
            // What was taken once was looked at then: all that a depot tells anew is not read again, least of all from an
            // archive. Nor is more than one event of what cannot be read.
            let taken = taken.get(&message.log);
            let came_before = taken.is_some_and(|taken| message.position <= taken.position);
            let first = match came_before || !can_be_read {
                true => None,
                false => recorded_by(log, here),
            };
            can_be_read &= came_before || first.is_some();
            ids.insert(message.id, first.unwrap_or(message.log));
        }
        Ok(KnownHere { member, ids })
    }
}

/// The log that recorded the event at this position first; `None` where that cannot be read.
fn recorded_by(log: &Log, position: Position) -> Option<u128> {
    let mut reader = log.read(&ReadRequest::at(position)).ok()?;
    let event = reader.next()?.ok()?;
    let origin = Origin::of(event.tags());
    Some(origin.map_or(log.log_id().as_u128(), |origin| origin.log))
}

impl Known for KnownHere<'_> {
    fn recorded_by(&self, id: u128) -> Option<u128> {
        self.ids.get(&id).copied()
    }

    fn wants(&self, message: &Message<'_>) -> bool {
        self.member.wants(message)
    }
}

/// Notes how it stands with the depots whose messages were judged.
fn note(
    member: &Member,
    delivered: &[Delivered<'_>],
    judged: &Judged,
    appended: &BTreeMap<u128, u64>,
) {
    let now = member.clock.now();
    let mut standing = member.standing.lock();
    for (log, taken) in &judged.taken {
        let Some(depot) = standing.depot(*log, taken.key.is_some()) else {
            continue;
        };
        if depot.taken.key.is_none() && taken.key.is_some() {
            // Until now anybody could say how far it has published.
            depot.published = taken.position;
        }
        if depot.taken.position != taken.position {
            depot.progressed = Some(Instant::now());
        }
        if let Some(refused) = &taken.refused
            && depot.taken.refused != taken.refused
        {
            let log = Uuid::from_u128(*log);
            tracing::warn!(%log, sequence = refused.sequence, reason = refused.reason, "a message of another depot is refused");
        }
        depot.taken.go_on(taken);
        depot.appended += appended.get(log).copied().unwrap_or_default();
    }
    for one in delivered {
        // What is signed by another key is somebody else's word.
        if let Ok((key, message)) = &one.read
            && let Some(depot) = standing.depots.get_mut(&one.log)
            && depot.taken.key == Some(*key)
        {
            depot.last_contact = Some(now);
            depot.call(message.depot);
            depot.published = depot.published.max(message.position);
        }
    }
    let again = |place: &usize| delivered.get(*place).map(|one| one.log);
    for log in judged.repeated.iter().filter_map(again) {
        standing.depots.entry(log).or_default().repeated += 1;
    }
    let messages = judged.twice_recorded.iter();
    let messages = messages.filter_map(|place| delivered.get(*place)?.read.as_ref().ok());
    for (_, message) in messages {
        let depot = standing.depots.entry(message.log).or_default();
        note_twice_recorded(depot, message);
    }
}

/// Counts an event that is here as another log's, and says so of the first.
fn note_twice_recorded(depot: &mut Depot, message: &Message<'_>) {
    let (log, event_id) = (Uuid::from_u128(message.log), Uuid::from_u128(message.id));
    let position = message.position;
    if depot.twice_recorded.is_none() {
        tracing::warn!(%log, position, %event_id, "another depot recorded an event first whose id is here already as another log's event; each log keeps its own (docs/FEDERATION.md)");
    }
    let twice = depot.twice_recorded.get_or_insert(TwiceRecorded {
        events: 0,
        position,
        event_id,
    });
    twice.events += 1;
}

/// Appends events of which none is in the log, in this order. Where they are too much for one transaction they go in halves.
///
/// # Errors
/// How many were appended, and why the next one was not. None behind it was.
fn append_all(log: &Log, messages: &[&Message<'_>]) -> Result<(), (usize, AppendError)> {
    if messages.is_empty() {
        return Ok(());
    }
    match log.append(transaction(messages)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == AppendErrorKind::Refused && messages.len() > 1 => {
            let (first, second) = messages.split_at(messages.len() / 2);
            append_all(log, first)?;
            append_all(log, second).map_err(|(taken, error)| (first.len() + taken, error))
        }
        Err(error) => Err((0, error)),
    }
}

fn transaction(messages: &[&Message<'_>]) -> Transaction {
    let mut writes: Vec<StreamWrite> = Vec::new();
    for message in messages {
        let event: NewEvent = message.to_event();
        match writes.last_mut() {
            Some(write)
                if *write.stream.aggregate_id == *message.aggregate_id
                    && *write.stream.aggregate_type == *message.aggregate_type =>
            {
                write.events.push(event);
            }
            _ => writes.push(StreamWrite {
                stream: message.stream(),
                expected: ExpectedVersion::Any,
                events: vec![event],
            }),
        }
    }
    Transaction {
        writes,
        condition: None,
    }
}

impl Member {
    /// Whether such an event is taken from others. Who was erased is, whatever else is wanted; what only a server itself
    /// writes never is.
    fn wants(&self, message: &Message<'_>) -> bool {
        let aggregate_type = message.aggregate_type;
        let chosen = &self.settings.aggregate_types;
        let is_chosen = chosen.is_empty()
            || aggregate_type == erasure::AGGREGATE_TYPE
            || chosen.iter().any(|one| one == aggregate_type);
        is_chosen && is_shared(aggregate_type, message.aggregate_id, message.event_type)
    }
}

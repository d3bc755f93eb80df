//! From the broker into the log: what other logs recorded first, each event once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Message as Delivery;
use fleet::erasure;
use futures_util::{Stream, StreamExt};
use storage::{
    AppendError, AppendErrorKind, ExpectedVersion, Log, NewEvent, StreamWrite, Transaction,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::broker::{Place, Session, log_of_subject, presence_subjects, refused, told};
use crate::judge::{self, Delivered, Judged, Known, Refused, judge};
use crate::message::{Message, is_shared};
use crate::retry::{Retry, stopped};
use crate::saved;
use crate::{FederationError, Member};

/// Messages taken in together, in one transaction.
const BATCH_EVENTS: usize = 1_000;
/// Messages that the broker sends ahead.
const AHEAD_EVENTS: usize = 4_000;
/// How often the broker says that it has nothing to send. Where it says nothing for twice as long, whoever held this depot's
/// place is gone, as a cluster's members may go without ending any connection, and nobody knows any more that it waits.
const HEARTBEAT_PAUSE: Duration = Duration::from_secs(3);
/// How often at most it is kept how far this came.
const SAVE_PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether the broker is still there: who waits for messages is not told.
const GLANCE_PAUSE: Duration = Duration::from_secs(2);
/// What comes one by one is gathered for so long: each batch is one transaction.
const GATHER_PAUSE: Duration = Duration::from_millis(20);
/// How often a log of which something is missing is asked for it. One that was asked for the same in vain is asked half as
/// often, at least every so often.
const ASK_PAUSE: Duration = Duration::from_secs(10);
const ASK_DOUBLINGS_MAX: u32 = 5;

/// Receives until the server stops.
pub(crate) async fn run(member: &Member, mut stopping: watch::Receiver<bool>) {
    let mut retry = Retry::new();
    let mut lasting = Lasting::default();
    loop {
        let Err(error) = tokio::select! {
            ended = session(member, &mut lasting) => ended,
            () = stopped(&mut stopping) => return,
        };
        let text = told(&error);
        tracing::warn!(error = text, "nothing is received from other depots");
        let had_gone_well = {
            let mut standing = member.standing.lock();
            standing.receive_error = Some(text);
            std::mem::take(&mut standing.receives)
        };
        if !retry.pause(had_gone_well, &mut stopping).await {
            return;
        }
    }
}

/// What outlives a connection.
#[derive(Default)]
struct Lasting {
    asked: Asked,
    place: Place,
}

/// What each log was last asked for.
type Asked = BTreeMap<u128, Request>;

struct Request {
    at: Instant,
    from: u64,
    /// How often the same was asked for.
    times: u32,
}

async fn session(
    member: &Member,
    Lasting { asked, place }: &mut Lasting,
) -> Result<std::convert::Infallible, FederationError> {
    let settings = &member.settings;
    let session = settings.broker.connect(&settings.name).await?;
    let mut presence = session
        .client
        .subscribe(presence_subjects())
        .await
        .map_err(refused("does not say who is there"))?;
    let consumer = session.consumer(member.log.log_id(), place).await?;
    let mut messages = consumer
        .stream()
        .max_messages_per_batch(AHEAD_EVENTS)
        .heartbeat(HEARTBEAT_PAUSE)
        .messages()
        .await
        .map_err(refused("does not send events"))?;
    {
        let mut standing = member.standing.lock();
        standing.receives = true;
        standing.receive_error = None;
    }
    let mut saved_at = Instant::now();
    let mut has_unsaved = false;
    let mut glance = tokio::time::interval(GLANCE_PAUSE);
    let mut arrived = 0;
    loop {
        tokio::select! {
            _ = glance.tick() => if session.client.connection_state() == State::Disconnected {
                return Err(refused("is gone")("the connection ended"));
            },
            first = messages.next() => {
                let first = first.ok_or_else(|| refused("sends nothing more")("the stream ended"))?;
                let batch = gather(first, &mut messages).await;
                take(member, &session, batch, &mut arrived, asked, place).await?;
                has_unsaved = true;
            }
            there = presence.next() => {
                let there = there.ok_or_else(|| refused("sends nothing more")("the connection ended"))?;
                if let Some((log, from)) = note_presence(member, &there.subject, &there.payload) {
                    ask(&session, asked, log, from).await?;
                }
            }
            () = sleep(SAVE_PAUSE), if has_unsaved => {}
        }
        if has_unsaved && saved_at.elapsed() >= SAVE_PAUSE {
            saved::write_received(&settings.folder, &member.standing.received())?;
            saved_at = Instant::now();
            has_unsaved = false;
        }
    }
}

/// The first message with those that follow it soon. Not what is ready at once: the runtime has a task that takes 128 pause,
/// which looks as if no more were there.
async fn gather<T>(first: T, messages: &mut (impl Stream<Item = T> + Unpin)) -> Vec<T> {
    let until = Instant::now() + GATHER_PAUSE;
    let mut batch = vec![first];
    while batch.len() < BATCH_EVENTS {
        match timeout_at(until, messages.next()).await {
            Ok(Some(message)) => batch.push(message),
            // Who asks for the next one is told that the stream ended.
            Ok(None) | Err(_) => break,
        }
    }
    batch
}

/// Appends what is new among these messages, then acknowledges them. `arrived` counts them since the session began.
async fn take(
    member: &Member,
    session: &Session,
    batch: Vec<Result<Delivery, impl std::fmt::Display>>,
    arrived: &mut u64,
    asked: &mut Asked,
    place: &mut Place,
) -> Result<(), FederationError> {
    let mut deliveries = Vec::with_capacity(batch.len());
    let mut broken = None;
    for delivery in batch {
        match delivery {
            Ok(delivery) => {
                *arrived += 1;
                check_arrival(&delivery, *arrived)?;
                deliveries.push(delivery);
            }
            Err(error) => broken = Some(refused("sends nothing more")(error)),
        }
    }
    if !deliveries.is_empty() {
        let task = member.clone();
        let appending = tokio::task::spawn_blocking(move || {
            let missing = append(&task, &deliveries)?;
            Ok::<_, FederationError>((deliveries, missing))
        });
        let (deliveries, missing) = appending
            .await
            .map_err(refused("is not heard: appending ended"))??;
        // It is one for all before, too. Lost, it has the events sent again.
        if let Some(last) = deliveries.last() {
            let heard = last.ack().await;
            heard.map_err(refused("does not hear an acknowledgement"))?;
            place.acknowledged = last.info().map_or(0, |info| info.stream_sequence);
        }
        for (log, from) in missing {
            ask(session, asked, log, from).await?;
        }
    }
    broken.map_or(Ok(()), Err)
}

/// What the broker sent to a connection that ended meanwhile comes again much later, and an acknowledgement of what came
/// behind it would be one of it: deliveries are counted by the broker, too. A session that misses one is over, and the next
/// one begins behind what was acknowledged.
fn check_arrival(delivery: &Delivery, arrived: u64) -> Result<(), FederationError> {
    let info = delivery.info();
    let info = info.map_err(refused("sends what is no message of the stream"))?;
    match info.consumer_sequence == arrived {
        true => Ok(()),
        false => Err(refused("is asked again")("messages were lost on their way")),
    }
}

/// Asks a log for what is missing of it, if it is time to.
async fn ask(
    session: &Session,
    asked: &mut Asked,
    log: u128,
    from: u64,
) -> Result<(), FederationError> {
    let mut times = 0;
    if let Some(last) = asked.get(&log) {
        let doublings = if last.from == from { last.times } else { 0 };
        let pause = ASK_PAUSE * 2_u32.pow(doublings.min(ASK_DOUBLINGS_MAX));
        if last.at.elapsed() < pause {
            return Ok(());
        }
        times = doublings + 1;
    }
    let at = Instant::now();
    asked.insert(log, Request { at, from, times });
    let log = Uuid::from_u128(log);
    tracing::warn!(%log, from, "events of another depot are missing; it is asked for them");
    session.ask_anew(Some(log), from).await
}

/// Appends what is new among these messages. Returns of which logs something is missing, from which position on.
fn append(
    member: &Member,
    deliveries: &[Delivery],
) -> Result<BTreeMap<u128, u64>, FederationError> {
    let own = member.log.log_id().as_u128();
    let (mut delivered, mut sheets) = (Vec::with_capacity(deliveries.len()), BTreeMap::new());
    for delivery in deliveries {
        // What stands under another subject is not in this stream.
        let Some(log) = log_of_subject(&delivery.subject).filter(|log| *log != own) else {
            continue;
        };
        let sequence = delivery.info().map_or(0, |info| info.stream_sequence);
        delivered.push(judge::read(log, sequence, &delivery.payload, &mut sheets));
    }
    let mut known = KnownHere {
        member,
        ids: HashSet::new(),
    };
    for (_, message) in delivered.iter().filter_map(|one| one.read.as_ref().ok()) {
        if member
            .log
            .position_of(Uuid::from_u128(message.id))?
            .is_some()
        {
            known.ids.insert(message.id);
        }
    }
    let (mut refused, mut appended) = (BTreeMap::new(), BTreeMap::<u128, u64>::new());
    let judged = loop {
        let judged = judge(&delivered, member.standing.taken(), &refused, &known);
        let new = judged.new.iter().filter_map(|place| delivered.get(*place));
        let new: Vec<_> = new
            .filter_map(|one| Some(&one.read.as_ref().ok()?.1))
            .collect();
        let (taken, stopped) = match append_all(&member.log, &new) {
            Ok(()) => (new.len(), None),
            Err((taken, error)) if error.kind() == AppendErrorKind::Refused => (taken, Some(error)),
            Err((_, error)) => return Err(error.into()),
        };
        for message in new.iter().take(taken) {
            known.ids.insert(message.id);
            *appended.entry(message.log).or_default() += 1;
        }
        let Some(error) = stopped else { break judged };
        let place = judged.new.get(taken).copied().unwrap_or_default();
        refused.insert(place, format!("this log can never take it: {error}"));
    };
    note(member, &delivered, &judged, &appended);
    Ok(judged.missing)
}

/// What this log knows of messages.
struct KnownHere<'a> {
    member: &'a Member,
    ids: HashSet<u128>,
}

impl Known for KnownHere<'_> {
    fn has(&self, id: u128) -> bool {
        self.ids.contains(&id)
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
    let mut standing = member.standing.lock();
    for one in delivered {
        let depot = standing.depots.entry(one.log).or_default();
        depot.last_contact = Some(member.clock.now());
        if let Ok((_, message)) = &one.read {
            if depot.name != message.depot {
                depot.name = message.depot.to_owned();
            }
            depot.published = depot.published.max(message.position);
        }
    }
    for (log, taken) in &judged.taken {
        let Some(depot) = standing.depots.get_mut(log) else {
            continue;
        };
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
    let again = |place: &usize| delivered.get(*place).map(|one| one.log);
    for log in judged.repeated.iter().filter_map(again) {
        standing.depots.entry(log).or_default().repeated += 1;
    }
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

/// Notes that a depot is there. Returns from which position on it is to be asked, when it has published more than came for so
/// long that it does not come by itself.
fn note_presence(member: &Member, subject: &str, payload: &[u8]) -> Option<(u128, u64)> {
    let log = subject.rsplit('.').next().unwrap_or_default();
    let log = u128::from_str_radix(log, 16).ok()?;
    let text = String::from_utf8_lossy(payload);
    let (published, name) = text.split_once(' ').unwrap_or(("", &text));
    if log == member.log.log_id().as_u128() {
        return None;
    }
    let mut standing = member.standing.lock();
    let depot = standing.depots.entry(log).or_default();
    depot.last_contact = Some(member.clock.now());
    depot.last_presence = depot.last_contact;
    name.clone_into(&mut depot.name);
    depot.published = depot.published.max(published.parse().unwrap_or(0));
    if depot.published <= depot.taken.position {
        depot.progressed = None;
        return None;
    }
    let since = *depot.progressed.get_or_insert_with(Instant::now);
    let stands_in_the_way = |refused: &Refused| refused.position.is_some();
    let is_stuck = since.elapsed() >= ASK_PAUSE
        && !depot.taken.refused.as_ref().is_some_and(stands_in_the_way);
    is_stuck.then_some((log, depot.taken.position + 1))
}

#[cfg(test)]
mod tests;

//! From the broker into the log: what other logs recorded first, each event once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::connection::State;
use async_nats::jetstream::Message as Delivery;
use async_nats::jetstream::consumer::pull;
use fleet::erasure;
use futures_util::{Stream, StreamExt};
use storage::{
    AppendError, AppendErrorKind, ExpectedVersion, Log, NewEvent, StreamWrite, Transaction,
};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use uuid::Uuid;

use crate::broker::{Place, Session, log_of_subject, presence_subjects, refused, told};
use crate::judge::{self, Delivered, Judged, Known, Refused, judge};
use crate::message::{Message, is_shared};
use crate::own::OwnPart;
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
/// How long the broker may take to have heard what was said last, when the server stops.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// How often a log of which something is missing is asked for it. One that was asked for the same in vain is asked half as
/// often, at least every so often.
const ASK_PAUSE: Duration = Duration::from_secs(10);
const ASK_DOUBLINGS_MAX: u32 = 5;

/// Receives until the server stops.
pub(crate) async fn run(member: &Member, mut stopping: watch::Receiver<bool>) {
    let mut retry = Retry::new();
    let mut lasting = Lasting::default();
    loop {
        let error = match session(member, &mut lasting, &mut stopping).await {
            Ok(Ended::Stopped) => return,
            Ok(Ended::BeforeOwn) => continue,
            Err(error) => error,
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

/// Why a session ended that did not fail.
enum Ended {
    /// The server stops.
    Stopped,
    /// What lies ahead is this log's own.
    BeforeOwn,
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

/// A connection on which events come.
struct Joined {
    session: Session,
    presence: Subscriber,
    messages: pull::Stream,
}

/// Waits for the end of what is this log's own, and has the broker send what follows.
async fn join(member: &Member, place: &mut Place) -> Result<Joined, FederationError> {
    pass_by_own(member, place).await;
    let settings = &member.settings;
    let session = settings.broker.connect(&settings.name).await?;
    let presence = session.client.subscribe(presence_subjects()).await;
    let presence = presence.map_err(refused("does not say who is there"))?;
    let consumer = session.consumer(member.log.log_id(), place).await?;
    let messages = consumer
        .stream()
        .max_messages_per_batch(AHEAD_EVENTS)
        .heartbeat(HEARTBEAT_PAUSE)
        .messages()
        .await
        .map_err(refused("does not send events"))?;
    Ok(Joined {
        session,
        presence,
        messages,
    })
}

async fn session(
    member: &Member,
    lasting: &mut Lasting,
    stopping: &mut watch::Receiver<bool>,
) -> Result<Ended, FederationError> {
    let Joined {
        session,
        mut presence,
        mut messages,
    } = tokio::select! {
        joined = join(member, &mut lasting.place) => joined?,
        () = stopped(stopping) => return Ok(Ended::Stopped),
    };
    {
        let mut standing = member.standing.lock();
        standing.receives = true;
        standing.receive_error = None;
    }
    let mut intake = Intake::new(member, &session, lasting);
    let mut glance = tokio::time::interval(GLANCE_PAUSE);
    let mut own = member.own.subscribe();
    let ended = loop {
        if intake.is_before(*own.borrow_and_update()) {
            break Ok(Ended::BeforeOwn);
        }
        let worked = tokio::select! {
            () = stopped(stopping) => break Ok(Ended::Stopped),
            _ = glance.tick() => match session.client.connection_state() {
                State::Disconnected => Err(refused("is gone")("the connection ended")),
                State::Connected | State::Pending => Ok(()),
            },
            first = next_after(intake.rested, &mut messages) => match first {
                Some(first) => {
                    let most = member.pace.batch(BATCH_EVENTS);
                    let batch = gather(first, &mut messages, most).await;
                    intake.take(batch).await
                }
                None => Err(refused("sends nothing more")("the stream ended")),
            },
            there = presence.next() => match there {
                Some(there) => intake.hear(&there.subject, &there.payload).await,
                None => Err(refused("sends nothing more")("the connection ended")),
            },
            _ = own.changed() => Ok(()),
            done = intake.next_done() => intake.go_on(done).await,
        };
        if let Err(error) = worked {
            break Err(error);
        }
    };
    // Nothing is being appended any more when the next session begins.
    let finished = intake.finish().await;
    // What was acknowledged last may still be on its way.
    drop(timeout(FLUSH_PATIENCE, session.client.flush()).await);
    ended.and_then(|ended| finished.map(|()| ended))
}

/// The next message, not before this time.
async fn next_after<T>(time: Instant, messages: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
    sleep_until(time).await;
    messages.next().await
}

/// Waits while this log publishes more of what lies ahead, and moves the place behind it.
async fn pass_by_own(member: &Member, place: &mut Place) {
    let mut own = member.own.subscribe();
    loop {
        let part = *own.borrow_and_update();
        if !part.follows(place.stream_made_at, place.acknowledged) {
            return;
        }
        place.acknowledged = part.passed(place.acknowledged);
        if part.left == 0 || own.changed().await.is_err() {
            return;
        }
    }
}

/// The first message with those that follow it soon. Not what is ready at once: the runtime has a task that takes 128 pause,
/// which looks as if no more were there.
async fn gather<T>(
    first: T,
    messages: &mut (impl Stream<Item = T> + Unpin),
    most: usize,
) -> Vec<T> {
    let until = Instant::now() + GATHER_PAUSE;
    let mut batch = vec![first];
    while batch.len() < most {
        match timeout_at(until, messages.next()).await {
            Ok(Some(message)) => batch.push(message),
            // Who asks for the next one is told that the stream ended.
            Ok(None) | Err(_) => break,
        }
    }
    batch
}

/// What came on a connection, on its way into the log. While one batch is appended the next one is gathered.
struct Intake<'a> {
    member: &'a Member,
    session: &'a Session,
    lasting: &'a mut Lasting,
    /// Messages that came.
    arrived: u64,
    appending: Option<Appending>,
    /// Until when nothing more is taken.
    rested: Instant,
    saved_at: Instant,
    has_unsaved: bool,
}

/// What an intake waited for.
enum Done {
    Appended(Result<Missing, JoinError>),
    Rested,
}

/// What is missing of which log.
type Missing = Result<BTreeMap<u128, u64>, FederationError>;

/// A batch that is being appended.
struct Appending {
    task: JoinHandle<Missing>,
    began: Instant,
    events: usize,
    last: Arrived,
}

impl<'a> Intake<'a> {
    fn new(member: &'a Member, session: &'a Session, lasting: &'a mut Lasting) -> Self {
        let now = Instant::now();
        Intake {
            member,
            session,
            lasting,
            arrived: 0,
            appending: None,
            rested: now,
            saved_at: now,
            has_unsaved: false,
        }
    }

    /// Whether what lies ahead is this log's own, and nothing else is at hand.
    fn is_before(&self, own: OwnPart) -> bool {
        let place = &self.lasting.place;
        self.appending.is_none() && own.is_worth_waiting(place.stream_made_at, place.acknowledged)
    }

    /// Begins to append what is new among these messages, once those before are.
    async fn take(
        &mut self,
        batch: Vec<Result<Delivery, impl std::fmt::Display>>,
    ) -> Result<(), FederationError> {
        let mut arrived = Vec::with_capacity(batch.len());
        let mut broken = None;
        for delivery in batch {
            match delivery {
                Ok(delivery) => {
                    self.arrived += 1;
                    arrived.push(Arrived::check(delivery, self.arrived)?);
                }
                Err(error) => broken = Some(refused("sends nothing more")(error)),
            }
        }
        self.finish().await?;
        if let Some(last) = arrived.last().cloned() {
            let (member, events) = (self.member.clone(), arrived.len());
            self.appending = Some(Appending {
                task: tokio::task::spawn_blocking(move || append(&member, &arrived)),
                began: Instant::now(),
                events,
                last,
            });
        }
        broken.map_or(Ok(()), Err)
    }

    /// Waits until a batch is appended, or it is time to keep how far this came. Given up, it has changed nothing.
    async fn next_done(&mut self) -> Done {
        match &mut self.appending {
            Some(appending) => Done::Appended((&mut appending.task).await),
            None if self.has_unsaved => {
                sleep_until(self.saved_at + SAVE_PAUSE).await;
                Done::Rested
            }
            None => std::future::pending().await,
        }
    }

    /// Acknowledges what was appended, asks for what is missing, and keeps how far this came if it is time to.
    async fn go_on(&mut self, done: Done) -> Result<(), FederationError> {
        if let (Done::Appended(appended), Some(batch)) = (done, self.appending.take()) {
            let missing = appended.map_err(refused("is not heard: appending ended"))??;
            // It is one for all before, too. Lost, it has the events sent again.
            let heard = batch.last.delivery.ack().await;
            heard.map_err(refused("does not hear an acknowledgement"))?;
            self.lasting.place.acknowledged = batch.last.sequence;
            for (log, from) in missing {
                ask(self.session, &mut self.lasting.asked, log, from).await?;
            }
            let rest = self.member.pace.rest(batch.events, batch.began.elapsed());
            self.rested = Instant::now() + rest;
            self.has_unsaved = true;
        }
        match self.saved_at.elapsed() >= SAVE_PAUSE {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// Waits until nothing is being appended.
    async fn finish(&mut self) -> Result<(), FederationError> {
        if self.appending.is_some() {
            let done = self.next_done().await;
            self.go_on(done).await?;
        }
        Ok(())
    }

    /// Keeps how far this came.
    fn save(&mut self) -> Result<(), FederationError> {
        let Member {
            settings, standing, ..
        } = self.member;
        saved::write_received(&settings.folder, &standing.received())?;
        self.saved_at = Instant::now();
        self.has_unsaved = false;
        Ok(())
    }

    /// Takes in that a depot says that it is there.
    async fn hear(&mut self, subject: &str, payload: &[u8]) -> Result<(), FederationError> {
        match note_presence(self.member, subject, payload) {
            Some((log, from)) => ask(self.session, &mut self.lasting.asked, log, from).await,
            None => Ok(()),
        }
    }
}

/// A message that came, and its place in the stream.
#[derive(Clone)]
struct Arrived {
    sequence: u64,
    delivery: Delivery,
}

impl Arrived {
    /// What the broker sent to a connection that ended meanwhile comes again much later, and an acknowledgement of what came
    /// behind it would be one of it: deliveries are counted by the broker, too. A session that misses one is over, and the next
    /// one begins behind what was acknowledged.
    fn check(delivery: Delivery, arrived: u64) -> Result<Self, FederationError> {
        let info = delivery.info();
        let info = info.map_err(refused("sends what is no message of the stream"))?;
        if info.consumer_sequence != arrived {
            return Err(refused("is asked again")("messages were lost on their way"));
        }
        let sequence = info.stream_sequence;
        Ok(Arrived { sequence, delivery })
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
fn append(member: &Member, arrived: &[Arrived]) -> Result<BTreeMap<u128, u64>, FederationError> {
    let own = member.log.log_id().as_u128();
    let (mut delivered, mut sheets) = (Vec::with_capacity(arrived.len()), BTreeMap::new());
    for Arrived { sequence, delivery } in arrived {
        // What stands under another subject is not in this stream.
        let Some(log) = log_of_subject(&delivery.subject).filter(|log| *log != own) else {
            continue;
        };
        delivered.push(judge::read(log, *sequence, &delivery.payload, &mut sheets));
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

//! From the log to the broker: what this log recorded first, in its order, each event under its own id.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_nats::Subject;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use fleet::Origin;
use futures_util::StreamExt;
use storage::{Log, Position, ReadError, ReadRequest};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::broker::{
    Session, UNACKNOWLEDGED_MAX, anew_subjects, event_subject, presence_subject, refused, told,
};
use crate::message::{Message, is_shared};
use crate::own::OwnPart;
use crate::presence;
use crate::retry::{Retry, stopped};
use crate::saved::{self, Published};
use crate::sheet::{self, KnownSheets, Signed};
use crate::{FederationError, Member, Settings};

/// Events read at once.
const BATCH_EVENTS: usize = 2_000;
const BATCH_BYTES: usize = 8 << 20;
/// Batches sent before anything else is seen to.
const BATCHES_AT_ONCE: usize = 8;
/// What comes one by one is gathered for so long: each batch waits for the broker once.
const GATHER_PAUSE: Duration = Duration::from_millis(20);
/// Events looked at for a batch, most of which may not be for others.
const LOOKED_AT_MAX: u64 = 50_000;
/// How often at most it is kept how far this came.
const SAVE_PAUSE: Duration = Duration::from_secs(1);
/// How often a depot says that it is there.
const PRESENCE_PAUSE: Duration = Duration::from_secs(5);

/// Publishes until the server stops.
pub(crate) async fn run(
    member: &Member,
    mut durable: watch::Receiver<Position>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut retry = Retry::new();
    loop {
        let Err(error) = tokio::select! {
            ended = session(member, &mut durable) => ended,
            () = stopped(&mut stopping) => return,
        };
        let text = told(&error);
        tracing::warn!(error = text, "nothing is published to other depots");
        member.own.send_modify(|own| own.left = 0);
        let had_gone_well = {
            let mut standing = member.standing.lock();
            standing.publish_error = Some(text);
            std::mem::take(&mut standing.publishes)
        };
        if !retry.pause(had_gone_well, &mut stopping).await {
            return;
        }
    }
}

/// Publishes until something fails.
async fn session(
    member: &Member,
    durable: &mut watch::Receiver<Position>,
) -> Result<std::convert::Infallible, FederationError> {
    let settings = &member.settings;
    let log_id = member.log.log_id();
    let session = settings.broker.connect(&settings.name).await?;
    let mut asked = Vec::new();
    for subject in anew_subjects(log_id) {
        let subscription = session.client.subscribe(subject).await;
        asked.push(subscription.map_err(refused("does not pass on requests"))?);
    }
    let mut asked = futures_util::stream::select_all(asked);
    let mut at = resume(member, &session).await?;
    let mut anew = Anew::default();
    {
        let mut standing = member.standing.lock();
        standing.publishes = true;
        standing.publish_error = None;
    }
    let mut saved_at = Instant::now();
    let mut presence = tokio::time::interval(PRESENCE_PAUSE);
    loop {
        if at.up_to < *durable.borrow_and_update() {
            let (behind, began) = (at.up_to, Instant::now());
            let published;
            (at, published) = publish_next(member, &session, at, anew).await?;
            let rest = member.pace.rest(published, began.elapsed());
            if saved_at.elapsed() >= SAVE_PAUSE {
                saved::write_published(&settings.folder, at)?;
                saved_at = Instant::now();
            }
            let is_little = behind.distance_to(at.up_to) < BATCH_EVENTS as u64;
            sleep(if is_little {
                rest.max(GATHER_PAUSE)
            } else {
                rest
            })
            .await;
        }
        let is_behind = at.up_to < member.log.durable_position();
        tokio::select! {
            // A log that is written all the time must not keep the others waiting for what follows first.
            biased;
            request = asked.next() => {
                let request = request.ok_or_else(|| refused("passes on no requests any more")("the connection ended"))?;
                let text = String::from_utf8_lossy(&request.payload);
                match text.parse() {
                    Ok(from) => anew.ask(Position::new(from).previous(), &mut at),
                    Err(_) => tracing::warn!(%text, "a request to publish anew names no position"),
                }
            }
            _ = presence.tick() => {
                if session.stream_made_at().await? != at.stream_made_at {
                    at = resume(member, &session).await?;
                    continue;
                }
                find_clone(member, &session, at.last).await?;
                saved::write_published(&settings.folder, at)?;
                say_present(member, &session, at.last).await?;
            }
            () = std::future::ready(()), if is_behind => {}
            changed = durable.changed(), if !is_behind => if changed.is_err() {
                // The server stops; so will this.
                std::future::pending::<()>().await;
            },
        }
    }
}

/// What is published anew because somebody asked for it. The broker is not told the ids of it: it would take what it
/// remembers for repetitions, whether it is still there or not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Anew {
    /// What follows this.
    behind: Position,
    /// Up to here.
    up_to: Position,
}

impl Anew {
    /// Goes back to what follows `behind`, unless that is being answered already.
    ///
    /// Every depot hears the answer, so what its first message says of the one before holds for all of them, and not only for
    /// whoever asked: who has all up to there goes on, and who has less sees that something is missing.
    pub(crate) fn ask(&mut self, behind: Position, at: &mut Published) {
        let is_going_on = at.up_to < self.up_to;
        if is_going_on && self.behind <= behind || at.up_to <= behind {
            return;
        }
        *self = Anew {
            behind,
            up_to: self.up_to.max(at.up_to),
        };
        at.up_to = behind;
        // Between the two nothing is for others, whatever it was that was asked for.
        at.last = at.last.min(behind);
    }
}

/// From where to go on: behind what the stream has, or behind what this log knows to have published into this very stream,
/// some of which may be too old to be there still. Into another stream than before all is published: what the one before
/// had is gone with it, and some may have been sent here before that was noticed.
async fn resume(member: &Member, session: &Session) -> Result<Published, FederationError> {
    let there = find_clone(member, session, Position::START).await?;
    let kept = saved::read_published(&member.settings.folder);
    let stream_made_at = session.stream_made_at().await?;
    let (up_to, last) = if kept.stream_made_at == stream_made_at {
        (kept.up_to.max(there), kept.last.max(there))
    } else if kept == Published::default() {
        (there, there)
    } else {
        (Position::START, Position::START)
    };
    Ok(Published {
        stream_made_at,
        up_to: up_to.min(member.log.durable_position()),
        last,
    })
}

/// The place of the last event that the stream has of this log, which must be in the log.
async fn find_clone(
    member: &Member,
    session: &Session,
    published: Position,
) -> Result<Position, FederationError> {
    let log = &member.log;
    let Some(bytes) = session.last_of(log.log_id()).await? else {
        return Ok(Position::START);
    };
    let signed = Signed::decode(&bytes).ok();
    // By whatever key: a copy out of a backup has one of its own.
    let signed = signed.filter(|one| one.is_genuine(log.log_id(), &mut KnownSheets::default()));
    let there = signed.and_then(|signed| Message::decode(signed.message).ok());
    let Some(there) = there else {
        // No depot publishes unsigned: this is no copy of the log, and nobody takes it for this log's.
        tracing::warn!("the newest message of this log in the stream is not signed");
        return Ok(published);
    };
    let position = Position::new(there.position);
    if position <= published {
        return Ok(position);
    }
    match log.position_of(Uuid::from_u128(there.id))? {
        Some(here) if here == position => Ok(position),
        _ => Err(FederationError::Cloned {
            log: log.log_id(),
            position: there.position,
        }),
    }
}

struct Outgoing {
    /// Left out, the broker takes it for something new.
    id: Option<Uuid>,
    position: u64,
    subject: Subject,
    payload: Bytes,
}

/// A batch, and how far it goes.
type Batch = (Vec<Outgoing>, Published);

/// Publishes the next events, up to [`BATCHES_AT_ONCE`]: a batch is read while the one before is sent. On return the broker
/// has them: how far it is now, and how many they were.
async fn publish_next(
    member: &Member,
    session: &Session,
    mut at: Published,
    anew: Anew,
) -> Result<(Published, usize), FederationError> {
    let most = session.client.server_info().max_payload;
    let mut unacknowledged = VecDeque::with_capacity(UNACKNOWLEDGED_MAX);
    let mut own = member.own.borrow().in_stream(at.stream_made_at);
    let batch_events = member.pace.batch(BATCH_EVENTS);
    let mut next = Some(read_ahead(member, at, anew, batch_events));
    let (mut batches, mut published) = (0, 0);
    while let Some(reading) = next.take() {
        let read = reading.await;
        let (batch, read_to) = read.map_err(refused("is not told: reading the log ended"))??;
        batches += 1;
        published += batch.len();
        if batch.len() == BATCH_EVENTS && batches < BATCHES_AT_ONCE {
            next = Some(read_ahead(member, read_to, anew, BATCH_EVENTS));
        }
        for outgoing in batch {
            if unacknowledged.len() == UNACKNOWLEDGED_MAX {
                keep_one(&mut unacknowledged, &mut own).await?;
            }
            unacknowledged.push_back(send(session, outgoing, most).await?);
        }
        at = read_to;
        let unread = at.up_to.distance_to(member.log.durable_position());
        own.left = unread + unacknowledged.len() as u64;
        member.own.send_replace(own);
    }
    while !unacknowledged.is_empty() {
        keep_one(&mut unacknowledged, &mut own).await?;
    }
    own.left = at.up_to.distance_to(member.log.durable_position());
    member.own.send_replace(own);
    member.standing.lock().published = at.up_to;
    Ok((at, published))
}

fn read_ahead(
    member: &Member,
    at: Published,
    anew: Anew,
    events: usize,
) -> JoinHandle<Result<Batch, FederationError>> {
    let (log, settings) = (Arc::clone(&member.log), Arc::clone(&member.settings));
    tokio::task::spawn_blocking(move || read_batch(&log, &settings, at, anew, events))
}

async fn send(
    session: &Session,
    outgoing: Outgoing,
    most: usize,
) -> Result<PublishAckFuture, FederationError> {
    let bytes = outgoing.payload.len();
    if bytes >= most {
        return Err(FederationError::TooLarge {
            position: outgoing.position,
            bytes,
            most,
        });
    }
    let mut message = PublishMessage::build().payload(outgoing.payload);
    if let Some(id) = outgoing.id {
        message = message.message_id(id.to_string());
    }
    let sent = session.jetstream.send_publish(outgoing.subject, message);
    sent.await.map_err(refused("does not take an event"))
}

/// Waits until the broker has the first of these.
async fn keep_one(
    unacknowledged: &mut VecDeque<PublishAckFuture>,
    own: &mut OwnPart,
) -> Result<(), FederationError> {
    if let Some(first) = unacknowledged.pop_front() {
        let kept = first.await.map_err(refused("does not keep an event"))?;
        own.add(kept.sequence);
    }
    Ok(())
}

/// The next events that others are to have, and how far that goes.
fn read_batch(
    log: &Log,
    settings: &Settings,
    mut at: Published,
    anew: Anew,
    events: usize,
) -> Result<Batch, FederationError> {
    let mut reader = log.read(&ReadRequest {
        from: at.up_to.next(),
        limit: Some(LOOKED_AT_MAX),
        ..ReadRequest::default()
    })?;
    let (mut batch, mut messages, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut subjects: HashMap<Box<str>, Subject> = HashMap::new();
    while batch.len() < events && bytes < BATCH_BYTES {
        let event = match reader.next() {
            None => break,
            Some(Ok(event)) => event,
            // What is damaged here cannot be told; `verify` and /health name it.
            Some(Err(ReadError::Damaged { last, .. })) => {
                at.up_to = last;
                continue;
            }
            Some(Err(error)) => return Err(error.into()),
        };
        at.up_to = event.position();
        let stream = event.stream();
        let aggregate_type = stream.aggregate_type;
        if !is_shared(aggregate_type, stream.aggregate_id, event.event_type())
            || Origin::of(event.tags()).is_some()
        {
            continue;
        }
        let message = Message::of(&event, log.log_id(), &settings.name, at.last).encode();
        bytes += message.len();
        messages.push(message);
        let subject = match subjects.get(aggregate_type) {
            Some(subject) => subject.clone(),
            None => {
                let subject = Subject::from(event_subject(log.log_id(), aggregate_type));
                subjects.insert(aggregate_type.into(), subject.clone());
                subject
            }
        };
        batch.push(Outgoing {
            id: (anew.up_to < event.position()).then(|| event.id()),
            position: event.position().get(),
            subject,
            payload: Bytes::new(),
        });
        at.last = event.position();
    }
    let signed = sheet::sign(&settings.key, log.log_id(), &messages);
    for (outgoing, payload) in batch.iter_mut().zip(signed) {
        outgoing.payload = payload.into();
    }
    Ok((batch, at))
}

/// Says that this depot is there, and how far it has published.
async fn say_present(
    member: &Member,
    session: &Session,
    last: Position,
) -> Result<(), FederationError> {
    let (log, Settings { key, name, .. }) = (member.log.log_id(), &*member.settings);
    let (headers, text) = presence::write(key, log, last, name, member.clock.now());
    let (client, subject) = (&session.client, presence_subject(log));
    let said = client
        .publish_with_headers(subject, headers, text.into())
        .await;
    said.map_err(refused("does not pass on that this depot is there"))
}

#[cfg(test)]
mod tests;

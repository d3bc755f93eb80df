//! From the broker into the log: what other logs recorded first, each event once.
//!
//! [`session`] takes what comes on one connection; [`intake`] has it appended and acknowledged; [`append`] judges it and
//! writes it into the log.

mod append;
mod intake;

use std::time::Duration;

use async_nats::Subscriber;
use async_nats::connection::State;
use async_nats::jetstream::consumer::pull;
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::broker::{Place, Session, presence_subjects, refused, told};
use crate::retry::{Retry, stopped};
use crate::{FederationError, Member};

use intake::{Intake, Lasting};

/// Messages taken in together, in one transaction.
const BATCH_EVENTS: usize = 1_000;
/// Messages that the broker sends ahead.
const AHEAD_EVENTS: usize = 4_000;
/// How often the broker says that it has nothing to send. Where it says nothing for twice as long, whoever held this depot's
/// place is gone, as a cluster's members may go without ending any connection, and nobody knows any more that it waits.
const HEARTBEAT_PAUSE: Duration = Duration::from_secs(3);
/// How often it is looked whether the broker is still there: who waits for messages is not told.
const GLANCE_PAUSE: Duration = Duration::from_secs(2);
/// What comes one by one is gathered for so long: each batch is one transaction.
const GATHER_PAUSE: Duration = Duration::from_millis(20);
/// How long the broker may take to have heard what was said last, when the server stops.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

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
                Some(there) => intake.hear(&there).await,
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
    let finished = intake.end().await;
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

#[cfg(test)]
mod tests;

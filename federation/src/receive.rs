//! From the broker into the log: what other logs recorded first, each event once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use async_nats::jetstream::Message as Delivery;
use fleet::registry;
use futures_util::StreamExt;
use storage::{AppendError, ExpectedVersion, Log, NewEvent, StreamWrite, Transaction};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::broker::{Session, presence_subjects, refused, told};
use crate::message::Message;
use crate::retry::{Retry, stopped};
use crate::saved;
use crate::{FederationError, Member};

/// Messages taken in together, in one transaction.
const BATCH_EVENTS: usize = 1_000;
/// Messages that the broker sends ahead.
const AHEAD_EVENTS: usize = 4_000;
/// How often at most it is kept how far this came.
const SAVE_PAUSE: Duration = Duration::from_secs(1);
/// How often a log of which something is missing is asked for it: longer than the broker remembers ids by itself.
const ASK_PAUSE: Duration = Duration::from_secs(130);

/// Receives until the server stops.
pub(crate) async fn run(member: &Member, mut stopping: watch::Receiver<bool>) {
    let mut retry = Retry::new();
    let mut asked = BTreeMap::new();
    loop {
        let Err(error) = tokio::select! {
            ended = session(member, &mut asked) => ended,
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

/// When each log was last asked for what is missing of it.
type Asked = BTreeMap<u128, Instant>;

async fn session(
    member: &Member,
    asked: &mut Asked,
) -> Result<std::convert::Infallible, FederationError> {
    let settings = &member.settings;
    let session = settings.broker.connect(&settings.name).await?;
    let mut presence = session
        .client
        .subscribe(presence_subjects())
        .await
        .map_err(refused("does not say who is there"))?;
    let consumer = session
        .consumer(member.log.log_id(), &settings.aggregate_types)
        .await?;
    let messages = consumer
        .stream()
        .max_messages_per_batch(AHEAD_EVENTS)
        .messages()
        .await
        .map_err(refused("does not send events"))?;
    let mut batches = messages.ready_chunks(BATCH_EVENTS);
    {
        let mut standing = member.standing.lock();
        standing.receives = true;
        standing.receive_error = None;
    }
    let mut saved_at = Instant::now();
    let mut has_unsaved = false;
    loop {
        tokio::select! {
            batch = batches.next() => {
                let batch = batch.ok_or_else(|| refused("sends nothing more")("the stream ended"))?;
                take(member, &session, batch, asked).await?;
                has_unsaved = true;
            }
            there = presence.next() => {
                let there = there.ok_or_else(|| refused("sends nothing more")("the connection ended"))?;
                note_presence(member, &there.subject, &there.payload);
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

/// Appends what is new among these messages, then acknowledges them.
async fn take(
    member: &Member,
    session: &Session,
    batch: Vec<Result<Delivery, impl std::fmt::Display>>,
    asked: &mut Asked,
) -> Result<(), FederationError> {
    let mut deliveries = Vec::with_capacity(batch.len());
    let mut broken = None;
    for delivery in batch {
        match delivery {
            Ok(delivery) => deliveries.push(delivery),
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
        // A lost acknowledgement has its event sent again.
        for delivery in deliveries {
            let heard = delivery.ack().await;
            heard.map_err(refused("does not hear an acknowledgement"))?;
        }
        for (log, from) in missing {
            let is_due = asked
                .get(&log)
                .is_none_or(|at: &Instant| at.elapsed() >= ASK_PAUSE);
            if is_due {
                asked.insert(log, Instant::now());
                tracing::warn!(log = %Uuid::from_u128(log), from, "events of another depot are missing; it is asked for them");
                session.ask_anew(Some(Uuid::from_u128(log)), from).await?;
            }
        }
    }
    broken.map_or(Ok(()), Err)
}

/// Appends what is new among these messages. Returns of which logs something is missing, from which position on.
fn append(
    member: &Member,
    deliveries: &[Delivery],
) -> Result<BTreeMap<u128, u64>, FederationError> {
    let mut messages = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let sequence = delivery.info().map_or(0, |info| info.stream_sequence);
        let decoded = Message::decode(&delivery.payload);
        messages.push(decoded.map_err(|reason| FederationError::Message { sequence, reason })?);
    }
    let own = member.log.log_id().as_u128();
    let mut wanted = Vec::with_capacity(messages.len());
    for message in &messages {
        if message.log != own && member.wants(message.aggregate_type) {
            wanted.push(message);
        }
    }
    let mut new = Vec::with_capacity(wanted.len());
    let mut seen = HashSet::with_capacity(wanted.len());
    for message in &wanted {
        let known = member.log.position_of(Uuid::from_u128(message.id))?;
        if known.is_none() && seen.insert(message.id) {
            new.push(*message);
        }
    }
    append_all(&member.log, &new)?;

    let mut missing = BTreeMap::new();
    let mut standing = member.standing.lock();
    for message in &messages {
        if message.log == own {
            continue;
        }
        let depot = standing.depots.entry(message.log).or_default();
        if depot.received.depot != message.depot {
            depot.received.depot = message.depot.to_owned();
        }
        depot.last_contact = Some(member.clock.now());
        depot.published = depot.published.max(message.position);
        if !member.is_filtered() && message.before > depot.received.position {
            missing
                .entry(message.log)
                .or_insert(depot.received.position + 1);
        } else {
            depot.received.position = depot.received.position.max(message.position);
        }
        if member.wants(message.aggregate_type) {
            match seen.remove(&message.id) {
                true => depot.appended += 1,
                false => depot.repeated += 1,
            }
        }
    }
    Ok(missing)
}

/// Appends events of which none is in the log, in this order, all or none. Where they are too much for one transaction they
/// go in halves.
fn append_all(log: &Log, messages: &[&Message<'_>]) -> Result<(), FederationError> {
    if messages.is_empty() {
        return Ok(());
    }
    match log.append(transaction(messages)) {
        Ok(_) => Ok(()),
        Err(AppendError::TooLarge { .. }) if messages.len() > 1 => {
            let (first, second) = messages.split_at(messages.len() / 2);
            append_all(log, first)?;
            append_all(log, second)
        }
        Err(error) => Err(error.into()),
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
    /// Whether the broker leaves out what is not wanted: then a message does not follow the one that was published before it.
    fn is_filtered(&self) -> bool {
        self.settings.aggregate_types.len() == 1
    }

    /// Whether events of this type are taken from others. What only a server itself writes never is.
    fn wants(&self, aggregate_type: &str) -> bool {
        let chosen = &self.settings.aggregate_types;
        let is_chosen = chosen.is_empty() || chosen.iter().any(|one| one == aggregate_type);
        is_chosen && !registry().is_internal(aggregate_type)
    }
}

fn note_presence(member: &Member, subject: &str, payload: &[u8]) {
    let log = subject.rsplit('.').next().unwrap_or_default();
    let Ok(log) = u128::from_str_radix(log, 16) else {
        return;
    };
    let text = String::from_utf8_lossy(payload);
    let (published, name) = text.split_once(' ').unwrap_or(("", &text));
    if log == member.log.log_id().as_u128() {
        return;
    }
    let mut standing = member.standing.lock();
    let depot = standing.depots.entry(log).or_default();
    depot.last_contact = Some(member.clock.now());
    depot.received.depot = name.to_owned();
    depot.published = depot.published.max(published.parse().unwrap_or(0));
}

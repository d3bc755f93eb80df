//! What came on a connection, on its way into the log, and what is asked for because it is missing.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::Message as Delivery;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::append::append;
use crate::broker::{Place, Session, refused};
use crate::judge::Refused;
use crate::own::OwnPart;
use crate::presence::Presence;
use crate::saved;
use crate::{FederationError, Member};

/// How often at most it is kept how far this came.
const SAVE_PAUSE: Duration = Duration::from_secs(1);
/// How often a log of which something is missing is asked for it. One that was asked for the same in vain is asked half as
/// often, at least every so often.
const ASK_PAUSE: Duration = Duration::from_secs(10);
const ASK_DOUBLINGS_MAX: u32 = 5;

/// What outlives a connection.
#[derive(Default)]
pub(super) struct Lasting {
    asked: Asked,
    pub(super) place: Place,
}

/// What each log was last asked for.
type Asked = BTreeMap<u128, Request>;

struct Request {
    at: Instant,
    from: u64,
    /// How often the same was asked for.
    times: u32,
}

/// What came on a connection, on its way into the log. While one batch is appended the next one is gathered.
pub(super) struct Intake<'a> {
    member: &'a Member,
    session: &'a Session,
    lasting: &'a mut Lasting,
    /// Messages that came.
    arrived: u64,
    appending: Option<Appending>,
    /// Until when nothing more is taken.
    pub(super) rested: Instant,
    saved_at: Instant,
    has_unsaved: bool,
}

/// What an intake waited for.
pub(super) enum Done {
    Appended(Result<Missing, JoinError>),
    Rested,
}

/// What is missing of which log.
pub(super) type Missing = Result<BTreeMap<u128, u64>, FederationError>;

/// A batch that is being appended.
struct Appending {
    task: JoinHandle<Missing>,
    began: Instant,
    events: usize,
    last: Arrived,
}

impl<'a> Intake<'a> {
    pub(super) fn new(member: &'a Member, session: &'a Session, lasting: &'a mut Lasting) -> Self {
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
    pub(super) fn is_before(&self, own: OwnPart) -> bool {
        let place = &self.lasting.place;
        self.appending.is_none() && own.is_worth_waiting(place.stream_made_at, place.acknowledged)
    }

    /// Begins to append what is new among these messages, once those before are.
    pub(super) async fn take(
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
    pub(super) async fn next_done(&mut self) -> Done {
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
    pub(super) async fn go_on(&mut self, done: Done) -> Result<(), FederationError> {
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

    /// Waits until nothing is being appended, and keeps how far this came.
    pub(super) async fn end(mut self) -> Result<(), FederationError> {
        self.finish().await?;
        match self.has_unsaved {
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
    pub(super) async fn hear(
        &mut self,
        there: &async_nats::Message,
    ) -> Result<(), FederationError> {
        match note_presence(self.member, there) {
            Some((log, from)) => ask(self.session, &mut self.lasting.asked, log, from).await,
            None => Ok(()),
        }
    }
}

/// A message that came, and its place in the stream.
#[derive(Clone)]
pub(super) struct Arrived {
    pub(super) sequence: u64,
    pub(super) delivery: Delivery,
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

/// Notes that a depot is there. Returns from which position on it is to be asked, when it has published more than came for so
/// long that it does not come by itself.
fn note_presence(member: &Member, there: &async_nats::Message) -> Option<(u128, u64)> {
    let log = there.subject.rsplit('.').next().unwrap_or_default();
    let log = u128::from_str_radix(log, 16).ok()?;
    if log == member.log.log_id().as_u128() {
        return None;
    }
    let (id, now) = (Uuid::from_u128(log), member.clock.now());
    let (key, headers) = (member.standing.key_of(log), there.headers.as_ref());
    let presence = Presence::read(id, key, headers, &there.payload, now);
    let mut standing = member.standing.lock();
    let Some(presence) = presence else {
        // Once: whoever says it may say it all day.
        if standing.presences_refused == 0 {
            tracing::warn!(log = %id, "another depot is said to be there, and did not sign that; it may be of an earlier release");
        }
        standing.presences_refused += 1;
        return None;
    };
    let depot = standing.depot(log, false)?;
    depot.call(presence.depot);
    depot.last_contact = Some(now);
    depot.hear_presence(presence.at, now);
    depot.published = depot.published.max(presence.published);
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

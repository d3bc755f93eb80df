//! How federation stands, for people and for alarms.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::{Position, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use crate::judge::{Refused, Taken};
use crate::sheet::PublicKey;

/// Logs that are known while no message that they signed is: whoever the broker lets in can name as many as he likes.
pub(crate) const DEPOTS_MAX: usize = 1_000;
/// How far apart the times between two presences may be, there and here: less than the time between two.
const PRESENCE_JITTER_MICROS: u64 = 3_000_000;
/// What is kept of what people call a depot. Settings hold less.
const NAME_BYTES_MAX: usize = 200;

/// How a depot stands in the federation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether the broker answers the loop that publishes, and the one that receives.
    pub publishes: bool,
    /// See [`publishes`](Standing::publishes).
    pub receives: bool,
    /// All up to here is published.
    pub published: Position,
    /// Why nothing is published, or was for a while.
    pub publish_error: Option<String>,
    /// Why nothing is received, or was for a while.
    pub receive_error: Option<String>,
    /// How often since this server started somebody said that a depot is there, and it was not signed by that depot.
    pub presences_refused: u64,
    /// The others.
    pub depots: Vec<DepotStanding>,
}

/// How another depot stands, seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepotStanding {
    /// Its log's id.
    pub log: Uuid,
    /// What people call it.
    pub depot: String,
    /// The place there of the last event that was received; all up to it bore the depot's signature.
    pub received: u64,
    /// The key that its messages are verified by; none before the first came.
    pub key: Option<PublicKey>,
    /// The message that holds up what follows.
    pub refused: Option<Refused>,
    /// Messages that an administrator has passed by, by their positions there.
    pub quarantined: Vec<u64>,
    /// The place there of the last event that it published, as it said last.
    pub published: u64,
    /// When it last was heard of, by the clock here.
    pub last_contact: Option<Timestamp>,
    /// When it last said itself that it is there, by the clock here, and as long after the time before as it says: what the
    /// stream keeps of it, and what somebody repeats, comes from whoever is gone, too.
    pub last_presence: Option<Timestamp>,
    /// Events appended since this server started.
    pub appended: u64,
    /// Events that came again since.
    pub repeated: u64,
    /// Its events whose ids were here already, as another log's.
    pub twice_recorded: Option<TwiceRecorded>,
}

/// Events that another depot recorded first, under ids that are here as events of a third one, or of this one. A log takes an
/// id once, so each keeps the event that it has: they do not agree about these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwiceRecorded {
    /// How many came since this server started.
    pub events: u64,
    /// The place of the first of them in that depot's log.
    pub position: u64,
    /// Its id.
    pub event_id: Uuid,
}

/// What was received of a log, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) depot: String,
    pub(crate) position: u64,
    pub(crate) key: Option<PublicKey>,
}

#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) publishes: bool,
    pub(crate) receives: bool,
    pub(crate) published: Position,
    pub(crate) publish_error: Option<String>,
    pub(crate) receive_error: Option<String>,
    pub(crate) presences_refused: u64,
    pub(crate) depots: BTreeMap<u128, Depot>,
}

#[derive(Debug, Default)]
pub(crate) struct Depot {
    /// What people call it.
    pub(crate) name: String,
    pub(crate) taken: Taken,
    /// When the last message was taken that follows.
    pub(crate) progressed: Option<Instant>,
    pub(crate) published: u64,
    pub(crate) last_contact: Option<Timestamp>,
    pub(crate) last_presence: Option<Timestamp>,
    /// Of the newest of its presences that was heard: when it was sent, by the clock there, and when it came.
    pub(crate) presence_heard: Option<(Timestamp, Timestamp)>,
    pub(crate) appended: u64,
    pub(crate) repeated: u64,
    pub(crate) twice_recorded: Option<TwiceRecorded>,
}

impl Inner {
    /// The depot of this log. Of one that has signed nothing that came here, none is made where there are many.
    pub(crate) fn depot(&mut self, log: u128, has_signed: bool) -> Option<&mut Depot> {
        let is_full = self.depots.len() >= DEPOTS_MAX;
        if is_full && !has_signed && !self.depots.contains_key(&log) {
            return None;
        }
        Some(self.depots.entry(log).or_default())
    }
}

impl Depot {
    /// Takes in a presence that was sent at `sent`, by the clock there, and came now. Whose clock is wrong is there all the
    /// same, so it is not its time that counts but that the times go on together.
    pub(crate) fn hear_presence(&mut self, sent: Timestamp, now: Timestamp) {
        let Some((sent_before, came_before)) = self.presence_heard else {
            self.presence_heard = Some((sent, now));
            return;
        };
        if sent <= sent_before {
            return;
        }
        self.presence_heard = Some((sent, now));
        let there = sent.micros() - sent_before.micros();
        let here = now.micros() - came_before.micros();
        if there.abs_diff(here) <= PRESENCE_JITTER_MICROS {
            self.last_presence = Some(now);
        }
    }

    /// Takes in what people call it.
    pub(crate) fn call(&mut self, name: &str) {
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        if self.name != name {
            self.name = name.to_owned();
        }
    }
}

impl Shared {
    pub(crate) fn new(received: BTreeMap<u128, Received>) -> Self {
        let known = |received: Received| Depot {
            name: received.depot,
            published: received.position,
            taken: Taken {
                position: received.position,
                key: received.key,
                ..Taken::default()
            },
            ..Depot::default()
        };
        let depots = received.into_iter().map(|(log, of)| (log, known(of)));
        Shared(Arc::new(Mutex::new(Inner {
            depots: depots.collect(),
            ..Inner::default()
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes by what that log has at this position.
    pub(crate) fn quarantine(&self, log: u128, position: u64) {
        let mut inner = self.lock();
        let taken = &mut inner.depots.entry(log).or_default().taken;
        taken.quarantined.insert(position);
        taken.settle();
    }

    /// Verifies that log's messages by this key from now on.
    pub(crate) fn trust(&self, log: u128, key: PublicKey) {
        let mut inner = self.lock();
        let taken = &mut inner.depots.entry(log).or_default().taken;
        taken.key = Some(key);
        taken.settle();
    }

    /// By what this log's messages are verified.
    pub(crate) fn key_of(&self, log: u128) -> Option<PublicKey> {
        let inner = self.lock();
        inner.depots.get(&log)?.taken.key
    }

    /// How far each log's events were taken.
    pub(crate) fn taken(&self) -> BTreeMap<u128, Taken> {
        let inner = self.lock();
        let depots = inner.depots.iter();
        depots
            .map(|(log, depot)| (*log, depot.taken.clone()))
            .collect()
    }

    /// What was received of each log.
    pub(crate) fn received(&self) -> BTreeMap<u128, Received> {
        let inner = self.lock();
        let depots = inner.depots.iter();
        let received = |depot: &Depot| Received {
            depot: depot.name.clone(),
            position: depot.taken.position,
            key: depot.taken.key,
        };
        depots.map(|(log, depot)| (*log, received(depot))).collect()
    }

    pub(crate) fn now(&self) -> Standing {
        let inner = self.lock();
        let depots = inner.depots.iter().map(|(log, depot)| DepotStanding {
            log: Uuid::from_u128(*log),
            depot: depot.name.clone(),
            received: depot.taken.position,
            key: depot.taken.key,
            refused: depot.taken.refused.clone(),
            quarantined: depot.taken.quarantined.iter().copied().collect(),
            published: depot.published,
            last_contact: depot.last_contact,
            last_presence: depot.last_presence,
            appended: depot.appended,
            repeated: depot.repeated,
            twice_recorded: depot.twice_recorded,
        });
        Standing {
            publishes: inner.publishes,
            receives: inner.receives,
            published: inner.published,
            publish_error: inner.publish_error.clone(),
            receive_error: inner.receive_error.clone(),
            presences_refused: inner.presences_refused,
            depots: depots.collect(),
        }
    }
}

#[cfg(test)]
mod tests;

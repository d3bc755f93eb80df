//! How federation stands, for people and for alarms.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::{Position, Timestamp};
use uuid::Uuid;

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
    /// The place there of the last event that was received.
    pub received: u64,
    /// The place there of the last event that it published, as it said last.
    pub published: u64,
    /// When it last was heard of, by the clock here.
    pub last_contact: Option<Timestamp>,
    /// Events appended since this server started.
    pub appended: u64,
    /// Events that came again since.
    pub repeated: u64,
}

/// What was received of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) depot: String,
    pub(crate) position: u64,
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
    pub(crate) depots: BTreeMap<u128, Depot>,
}

#[derive(Debug, Default)]
pub(crate) struct Depot {
    pub(crate) received: Received,
    pub(crate) published: u64,
    pub(crate) last_contact: Option<Timestamp>,
    pub(crate) appended: u64,
    pub(crate) repeated: u64,
}

impl Shared {
    pub(crate) fn new(received: BTreeMap<u128, Received>) -> Self {
        let known = |received: Received| Depot {
            published: received.position,
            received,
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

    /// What was received of each log.
    pub(crate) fn received(&self) -> BTreeMap<u128, Received> {
        let inner = self.lock();
        let depots = inner.depots.iter();
        depots
            .map(|(log, depot)| (*log, depot.received.clone()))
            .collect()
    }

    pub(crate) fn now(&self) -> Standing {
        let inner = self.lock();
        let depots = inner.depots.iter().map(|(log, depot)| DepotStanding {
            log: Uuid::from_u128(*log),
            depot: depot.received.depot.clone(),
            received: depot.received.position,
            published: depot.published,
            last_contact: depot.last_contact,
            appended: depot.appended,
            repeated: depot.repeated,
        });
        Standing {
            publishes: inner.publishes,
            receives: inner.receives,
            published: inner.published,
            publish_error: inner.publish_error.clone(),
            receive_error: inner.receive_error.clone(),
            depots: depots.collect(),
        }
    }
}

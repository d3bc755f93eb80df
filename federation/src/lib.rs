//! Events between depots, through a broker that runs beside them: NATS JetStream. Nothing here is a protocol of our own.
//!
//! Place on the data path: beside the server, on its log. [`Member::publish`] tails the log and hands each event that the
//! log recorded first to the broker; [`Member::receive`] takes what other logs recorded first, and appends it through the
//! ordinary append, with a tag that names its origin ([`fleet::Origin`]). A broker that is gone stops neither the log nor
//! its clients: both loops wait and go on where they were.
//!
//! Once and only once: the id of an event is the same in every log, and a log takes an id once. So messages may be lost
//! behind their acknowledgement, repeated, or sent anew from the beginning. Where two logs recorded one id, each keeps its own,
//! and it is told ([`TwiceRecorded`]).
//!
//! Trust: each message is signed by its depot ([`sheet`]), and what is not is refused ([`judge`]); so is that a depot is there
//! ([`presence`]).
//!
//! No loops: what carries an origin is not published.
//!
//! Beside clients: while they append, both loops take little at a time, at a moderate rate ([`pace`]).
//!
//! Agreement: folds order events by when they happened and by [`fleet::order`], which is the same in every log, so the
//! order in which logs take each other's events does not matter.

mod adopt;
mod broker;
mod few;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod judge;
mod message;
mod own;
mod pace;
mod presence;
mod publish;
mod receive;
mod retry;
mod saved;
pub mod sheet;
mod standing;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use storage::{AppendError, Clock, Log, Position, ReadError};
use tokio::sync::watch;

pub use adopt::{AdoptError, Adopted, adopt};
pub use broker::Broker;
pub use judge::Refused;
use own::OwnPart;
use pace::Pace;
use standing::Shared;
pub use standing::{DepotStanding, Standing, TwiceRecorded};

/// A depot that takes part: its log, and how to reach the broker.
#[derive(Clone, Debug)]
pub struct Member {
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    standing: Shared,
    pace: Pace,
    /// What the publisher tells the receiver that it need not look at.
    own: Arc<watch::Sender<OwnPart>>,
}

/// What an operator says of a depot that takes part.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What people call this depot.
    pub name: String,
    /// The broker.
    pub broker: Broker,
    /// The aggregate types that are taken from others; none: all.
    pub aggregate_types: Vec<String>,
    /// Where it keeps how far it came, and by what the others' messages are verified. What is lost there is sent anew.
    pub folder: PathBuf,
    /// What it signs its messages with.
    pub key: sheet::Key,
    /// Messages of others that are passed by: their logs, and their positions there.
    pub quarantined: Vec<(uuid::Uuid, u64)>,
}

/// Why federation does not go on for now. Each is tried again.
#[derive(Debug, thiserror::Error)]
pub enum FederationError {
    /// The broker cannot be reached, or refuses.
    #[error("the broker {doing}: {reason}")]
    Broker {
        /// What was asked of it.
        doing: &'static str,
        /// What it said.
        reason: String,
    },
    /// Another server publishes as this log.
    #[error(
        "another server publishes as log {log}: it has an event at position {position} that is not in this log. A disk was \
         copied, or this log is a backup from before that event. Stop one of them; to begin anew as another depot, start \
         with an empty data folder"
    )]
    Cloned {
        /// The log's id.
        log: uuid::Uuid,
        /// The other's event.
        position: u64,
    },
    /// An event is larger than what the broker takes.
    #[error(
        "the event at position {position} takes {bytes} bytes as a message, and the broker takes {most}: raise its \
         max_payload"
    )]
    TooLarge {
        /// The event.
        position: u64,
        /// Its message.
        bytes: usize,
        /// The broker's limit.
        most: usize,
    },
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The log does not take an event of another.
    #[error("the log does not take an event of another depot")]
    Append(#[from] AppendError),
    /// What is to be passed by holds nothing up.
    #[error(
        "that message holds nothing up, or may still be taken once it comes as it was sent; only what this log can never \
         take is passed by"
    )]
    NotRefused,
    /// How far it came cannot be kept.
    #[error("how far federation came cannot be kept in {path}")]
    Saved {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Member {
    /// A depot that takes part with this log once [`publish`](Member::publish) and [`receive`](Member::receive) run.
    ///
    /// # Errors
    /// [`FederationError::Saved`] when the folder cannot be made or read.
    pub fn new(
        log: Arc<Log>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Member, FederationError> {
        let received = saved::read_received(&settings.folder)?;
        let standing = Shared::new(received);
        for (log, position) in &settings.quarantined {
            standing.quarantine(log.as_u128(), *position);
        }
        Ok(Member {
            pace: Pace::new(Arc::clone(&log)),
            own: Arc::default(),
            log,
            clock,
            settings: Arc::new(settings),
            standing,
        })
    }

    /// Publishes what the log recorded first, until `stopping` turns true. `durable` follows the log.
    pub async fn publish(
        &self,
        durable: watch::Receiver<Position>,
        stopping: watch::Receiver<bool>,
    ) {
        publish::run(self, durable, stopping).await;
    }

    /// Appends what other logs recorded first, until `stopping` turns true.
    pub async fn receive(&self, stopping: watch::Receiver<bool>) {
        receive::run(self, stopping).await;
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.standing.now()
    }

    /// The key by which others verify what this depot publishes.
    pub fn public_key(&self) -> sheet::PublicKey {
        self.settings.key.public()
    }

    /// What people call the depot of this log, which may be this one; `None` when it was not heard of.
    pub fn name_of(&self, log: uuid::Uuid) -> Option<String> {
        if log == self.log.log_id() {
            return Some(self.settings.name.clone());
        }
        let standing = self.standing.lock();
        let depot = standing.depots.get(&log.as_u128())?;
        Some(depot.name.clone())
    }

    /// When the depot of this log last said that it is there, since this one started.
    pub fn last_presence(&self, log: uuid::Uuid) -> Option<storage::Timestamp> {
        let standing = self.standing.lock();
        standing.depots.get(&log.as_u128())?.last_presence
    }

    /// The logs of the other depots that people call so.
    pub fn logs_named(&self, depot: &str) -> Vec<uuid::Uuid> {
        let standing = self.standing.lock();
        let named = standing.depots.iter();
        let named = named.filter(|(_, other)| other.name == depot);
        named.map(|(log, _)| uuid::Uuid::from_u128(*log)).collect()
    }

    /// Passes a message of another depot by that holds up what follows it, and has that depot publish the rest anew.
    ///
    /// # Errors
    /// [`FederationError::NotRefused`] when this is not the message that holds it up, or it is no message that this log can
    /// never take; [`FederationError::Broker`] when the depot could not be asked: the message is passed by all the same.
    pub async fn pass_by(&self, log: uuid::Uuid, position: u64) -> Result<(), FederationError> {
        self.refused_at(log, position)?;
        self.standing.quarantine(log.as_u128(), position);
        self.ask_for_the_rest(log).await
    }

    /// The message of another depot at this position, if it holds up what follows and this log can never take it.
    ///
    /// # Errors
    /// [`FederationError::NotRefused`].
    pub fn refused_at(&self, log: uuid::Uuid, position: u64) -> Result<Refused, FederationError> {
        let standing = self.standing.lock();
        let depot = standing.depots.get(&log.as_u128());
        let refused = depot.and_then(|depot| depot.taken.refused.clone());
        refused
            .filter(|refused| refused.position == Some(position) && refused.other_key.is_none())
            .ok_or(FederationError::NotRefused)
    }

    /// Verifies another depot's messages by this key from now on, and has it publish the rest anew.
    ///
    /// # Errors
    /// [`FederationError::Saved`]; [`FederationError::Broker`] when the depot could not be asked: the key counts all the same.
    pub async fn trust(
        &self,
        log: uuid::Uuid,
        key: sheet::PublicKey,
    ) -> Result<(), FederationError> {
        self.standing.trust(log.as_u128(), key);
        saved::write_received(&self.settings.folder, &self.standing.received())?;
        self.ask_for_the_rest(log).await
    }

    async fn ask_for_the_rest(&self, log: uuid::Uuid) -> Result<(), FederationError> {
        let from = {
            let standing = self.standing.lock();
            let depot = standing.depots.get(&log.as_u128());
            depot.map_or(1, |depot| depot.taken.position + 1)
        };
        let session = self.settings.broker.connect(&self.settings.name).await?;
        session.ask_anew(Some(log), from).await
    }

    /// Has every depot that is connected publish its events anew, from the first: for a log that lost some. What is here
    /// already is not appended again.
    ///
    /// # Errors
    /// [`FederationError::Broker`].
    pub async fn resync(&self) -> Result<(), FederationError> {
        let session = self.settings.broker.connect(&self.settings.name).await?;
        session.ask_anew(None, 1).await
    }
}

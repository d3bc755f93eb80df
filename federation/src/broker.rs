//! The broker as this crate speaks to it: one stream for all depots, one subject for each log and aggregate type.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, ContextBuilder};
use async_nats::jetstream::stream::{self, LastRawMessageErrorKind, StorageType};
use async_nats::{Client, ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::FederationError;

/// Before the subjects of events: the log and the aggregate type follow.
const EVENTS: &str = "railfleet.events";
/// Before the subjects on which a log, or all (`all`), are asked to publish anew: the first position follows as text.
const ANEW: &str = "railfleet.anew";
/// Before the subjects on which depots say that they are there.
const PRESENCE: &str = "railfleet.presence";
/// Messages that wait for the broker's acknowledgement at most.
pub(crate) const UNACKNOWLEDGED_MAX: usize = 4_096;
/// How long the broker remembers ids by itself. Behind it, logs remember.
const DUPLICATES_WINDOW: Duration = Duration::from_secs(120);
/// How long the broker may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the broker waits for an acknowledgement before it sends an event again.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(60);
/// How often in a row the broker may fail to say how a place stands before it is made anew: a cluster that lost members may keep
/// one that none of them leads any more, which nobody answers for, ever.
const UNANSWERED_MAX: u32 = 2;
/// Events that the broker sends without an acknowledgement of any.
const SENT_AHEAD_MAX: i64 = 20_000;

/// How to reach the broker.
#[derive(Clone)]
pub struct Broker {
    /// `nats://HOST:PORT`, or `tls://…`; several of a cluster.
    pub servers: Vec<String>,
    /// The stream's name.
    pub stream: String,
    /// A file of credentials (`.creds`), as the broker's administrator gives it.
    pub credentials: Option<PathBuf>,
    /// Certificates of who signed the broker's, where the system does not know them.
    pub ca: Option<PathBuf>,
    /// How many servers of a cluster keep the stream.
    pub replicas: usize,
    /// How long the stream keeps events; zero: for ever.
    pub kept_for: Duration,
}

/// An address may hold a password.
impl std::fmt::Debug for Broker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Broker")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// How far a log has acknowledged what a stream holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// When the stream was made: another one counts anew.
    pub(crate) stream_made_at: i128,
    /// All up to here, in the stream's own count.
    pub(crate) acknowledged: u64,
    /// How often in a row the broker did not say how it stands.
    pub(crate) unanswered: u32,
}

/// A connection with the stream in place.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    pub(crate) stream: stream::Stream,
}

impl Broker {
    /// Makes sure that a depot of this name can take part: that the broker lets it in and gives the stream, which is made where
    /// there is none.
    ///
    /// # Errors
    /// [`FederationError::Broker`], with what it does not do and why.
    pub async fn check(&self, name: &str) -> Result<(), FederationError> {
        self.connect(name).await.map(|_| ())
    }

    /// Has the broker forget the place in the stream of a log that takes part no longer. None there is fine.
    ///
    /// # Errors
    /// [`FederationError::Broker`].
    pub async fn forget(&self, name: &str, log: Uuid) -> Result<(), FederationError> {
        const DOING: &str = "does not forget this depot's place";
        let session = self.connect(name).await?;
        match session.stream.consumer_info(place_of(log)).await {
            Ok(_) => {
                let deleted = session.stream.delete_consumer(&place_of(log)).await;
                deleted.map(|_| ()).map_err(refused(DOING))
            }
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Ok(()),
            Err(error) => Err(refused(DOING)(error)),
        }
    }

    /// Connects, and makes the stream where there is none.
    pub(crate) async fn connect(&self, name: &str) -> Result<Session, FederationError> {
        let mut options = ConnectOptions::new()
            .name(format!("railfleet {name}"))
            .connection_timeout(PATIENCE)
            .request_timeout(Some(PATIENCE));
        let servers = parse_servers(&self.servers)?;
        if let Some((name, password)) = account_in(&servers) {
            options = options.user_and_password(name, password);
        }
        if let Some(file) = &self.credentials {
            let known = options.credentials_file(file).await;
            options = known.map_err(|error| FederationError::Broker {
                doing: "is not asked: the file of credentials",
                reason: format!("{}: {error}", file.display()),
            })?;
        }
        if let Some(file) = &self.ca {
            // The client would say only that some file is missing.
            let readable = tokio::fs::File::open(file).await;
            readable.map_err(|error| FederationError::Broker {
                doing: "is not asked: the file of who signed its certificate",
                reason: format!("{}: {error}", file.display()),
            })?;
            options = options.add_root_certificates(file.clone());
        }
        let client = options
            .connect(servers)
            .await
            .map_err(refused("cannot be reached"))?;
        let jetstream = ContextBuilder::new()
            .timeout(PATIENCE)
            .ack_timeout(PATIENCE)
            .max_ack_inflight(UNACKNOWLEDGED_MAX)
            .build(client.clone());
        let stream = jetstream
            .get_or_create_stream(stream::Config {
                name: self.stream.clone(),
                subjects: vec![format!("{EVENTS}.>")],
                storage: StorageType::File,
                num_replicas: self.replicas,
                max_age: self.kept_for,
                duplicate_window: match self.kept_for.is_zero() {
                    true => DUPLICATES_WINDOW,
                    false => DUPLICATES_WINDOW.min(self.kept_for),
                },
                ..stream::Config::default()
            })
            .await
            .map_err(refused("does not give the stream"))?;
        Ok(Session {
            client,
            jetstream,
            stream,
        })
    }
}

/// The addresses, of which none is repeated in an error: one may hold a password.
fn parse_servers(texts: &[String]) -> Result<Vec<ServerAddr>, FederationError> {
    let parsed: Result<Vec<_>, _> = texts.iter().map(|text| text.parse()).collect();
    parsed.map_err(refused("is not asked: federation.servers is no address"))
}

/// Name and password, where they stand in an address. The client itself would leave them there.
fn account_in(servers: &[ServerAddr]) -> Option<(String, String)> {
    let server = servers.iter().find(|server| server.has_user_pass())?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((
        plain(server.username()?),
        plain(server.password().unwrap_or_default()),
    ))
}

impl Session {
    /// When the stream was made: another one than before has lost what the other held.
    pub(crate) async fn stream_made_at(&self) -> Result<i128, FederationError> {
        let info = self.stream.get_info().await;
        let info = info.map_err(refused("does not tell of the stream"))?;
        Ok(info.created.unix_timestamp_nanos())
    }

    /// The newest message of this log.
    pub(crate) async fn last_of(&self, log: Uuid) -> Result<Option<Vec<u8>>, FederationError> {
        let subject = format!("{EVENTS}.{}.>", log.simple());
        match self.stream.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => Ok(Some(message.payload.to_vec())),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(refused("does not say what it has of this log")(error)),
        }
    }

    /// The place in the stream that is this log's, for one who has nothing of it in hand: it begins behind what was
    /// acknowledged. What the broker had sent to the one before comes first, and in its order; kept, the place would send it
    /// last. `place` is what this process knows of it: a broker that lost a member may know less.
    pub(crate) async fn consumer(
        &self,
        log: Uuid,
        place: &mut Place,
    ) -> Result<PullConsumer, FederationError> {
        const DOING: &str = "does not give this depot's place in the stream";
        let stream = self.stream.get_info().await.map_err(refused(DOING))?;
        let made_at = stream.created.unix_timestamp_nanos();
        if place.stream_made_at != made_at {
            *place = Place {
                stream_made_at: made_at,
                ..Place::default()
            };
        }
        let name = place_of(log);
        match self.stream.consumer_info(&name).await {
            Ok(info) => {
                let deleted = self.stream.delete_consumer(&name).await;
                deleted.map_err(refused(DOING))?;
                place.acknowledged = place.acknowledged.max(info.ack_floor.stream_sequence);
            }
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {}
            Err(_) if place.unanswered >= UNANSWERED_MAX => {
                // What became of it shows when it is made anew.
                drop(self.stream.delete_consumer(&name).await);
            }
            Err(error) => {
                place.unanswered += 1;
                return Err(refused(DOING)(error));
            }
        }
        place.unanswered = 0;
        let deliver_policy = match place.acknowledged {
            0 => DeliverPolicy::All,
            // A stream that lost its end goes on before what was acknowledged.
            acknowledged => DeliverPolicy::ByStartSequence {
                start_sequence: acknowledged.min(stream.state.last_sequence) + 1,
            },
        };
        let consumer = self.stream.create_consumer(pull::Config {
            durable_name: Some(name),
            deliver_policy,
            // One for a batch: the receiver sees to it that nothing before it is missing.
            ack_policy: AckPolicy::All,
            ack_wait: ACKNOWLEDGED_WITHIN,
            max_ack_pending: SENT_AHEAD_MAX,
            // Whoever takes a few types chooses by itself: of what the broker left out nobody could tell that it was lost.
            filter_subject: format!("{EVENTS}.>"),
            ..pull::Config::default()
        });
        consumer.await.map_err(refused(DOING))
    }

    /// Asks a log, or all, to publish anew from this position on.
    pub(crate) async fn ask_anew(
        &self,
        log: Option<Uuid>,
        from: u64,
    ) -> Result<(), FederationError> {
        let whom = log.map_or("all".to_owned(), |log| log.simple().to_string());
        self.client
            .publish(format!("{ANEW}.{whom}"), from.to_string().into())
            .await
            .map_err(refused("does not pass on a request"))?;
        self.client
            .flush()
            .await
            .map_err(refused("does not pass on a request"))
    }
}

/// What a log's place in the stream is called.
fn place_of(log: Uuid) -> String {
    format!("depot-{}", log.simple())
}

/// The subjects on which this log is asked to publish anew.
pub(crate) fn anew_subjects(log: Uuid) -> [String; 2] {
    [format!("{ANEW}.{}", log.simple()), format!("{ANEW}.all")]
}

/// The subject on which a log says that it is there.
pub(crate) fn presence_subject(log: Uuid) -> String {
    format!("{PRESENCE}.{}", log.simple())
}

/// The subjects on which all logs say that they are there.
pub(crate) fn presence_subjects() -> String {
    format!("{PRESENCE}.*")
}

/// The log of whose events this is a subject.
pub(crate) fn log_of_subject(subject: &str) -> Option<u128> {
    let behind = subject.strip_prefix(EVENTS)?.strip_prefix('.')?;
    let (log, _) = behind.split_once('.')?;
    Uuid::try_parse(log).ok().map(|log| log.as_u128())
}

/// The subject of a log's events of this type.
pub(crate) fn event_subject(log: Uuid, aggregate_type: &str) -> String {
    format!("{EVENTS}.{}.{}", log.simple(), token(aggregate_type))
}

/// A type's name as one word of a subject: what a subject cannot hold stands as `=` and hexadecimal.
fn token(text: &str) -> String {
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => token.push(byte.into()),
            _ => token.push_str(&format!("={byte:02x}")),
        }
    }
    token
}

/// An error of the broker's, while it was doing this.
pub(crate) fn refused<E: std::fmt::Display>(
    doing: &'static str,
) -> impl FnOnce(E) -> FederationError {
    move |error| FederationError::Broker {
        doing,
        reason: error.to_string(),
    }
}

/// An error with what lies behind it, in one line.
pub(crate) fn told(error: &FederationError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(behind) = source {
        text.push_str(&format!(": {behind}"));
        source = behind.source();
    }
    text
}

//! The server without its socket: the state that handlers share, and the service that answers requests.
//!
//! [`AppState::open`] opens everything in the order in which a start needs it: the folder's lock, the keys of people, the log, the
//! key of tokens, the accounts, the read models (which catch up on their own). [`app`] puts the routes, the guard and the edge
//! around it, so that tests speak to it without a port.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use storage::{
    Clock, DirectoryLock, Limits, Log, LogOptions, OpenError, Position, ReadError, SystemClock,
};
use tokio::sync::{Mutex, Semaphore, watch};

use crate::archive;
use crate::audit::{CheckpointError, Checkpoints, SecurityLog};
use crate::auth::keys::{self, KeyError};
use crate::auth::{AccountError, Accounts};
use crate::command::Numbers;
use crate::config::Config;
use crate::figures::Figures;
use crate::http::Replies;
use crate::http::{self, App};
use crate::learn::Learning;
use crate::metrics::Metrics;
use crate::past::Past;
use crate::privacy::{self, KeyStore, Privacy};
use crate::projection::{ProjectionSettings, Projections};
use crate::sync::Sync;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder could not be made.
    #[error("cannot create the data folder {path}")]
    Folder {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The log could not be opened.
    #[error("cannot open the log in {path}")]
    Log {
        /// Its folder.
        path: String,
        /// Why.
        source: OpenError,
    },
    /// The archive cannot be used.
    #[error(transparent)]
    Archive(#[from] archive::ArchivePlaceError),
    /// The setting `lake.to` is no address of a place.
    #[error("lake.to cannot be used")]
    Lake(#[source] Box<::lake::LakeError>),
    /// There is no key to sign tokens with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The keys of people cannot be used.
    #[error(transparent)]
    People(#[from] privacy::StoreError),
    /// Who was erased could not be made sure of.
    #[error("cannot make sure of who was erased")]
    Erased(#[from] privacy::erase::EraseError),
    /// Checkpoints cannot be signed.
    #[error(transparent)]
    Checkpoints(#[from] CheckpointError),
    /// The accounts could not be read.
    #[error("cannot read the accounts")]
    Accounts(#[from] AccountError),
    /// How far federation came could not be read.
    #[error(transparent)]
    Federation(#[from] federation::FederationError),
    /// The devices could not be read.
    #[error("cannot read the devices")]
    Devices(#[from] ReadError),
}

impl StartError {
    /// Whether another process has the folder: it may be tried again.
    pub fn is_locked(&self) -> bool {
        matches!(
            self,
            StartError::Log {
                source: OpenError::Locked { .. },
                ..
            }
        )
    }
}

/// What handlers share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Shared>);

/// See [`AppState`].
#[derive(Debug)]
pub struct Shared {
    /// The settings.
    pub config: Config,
    /// The log: the only truth.
    pub log: Arc<Log>,
    /// What seals and opens personal fields.
    pub privacy: Arc<Privacy>,
    /// Who may come in.
    pub accounts: Arc<Accounts>,
    /// The read models.
    pub projections: Arc<Projections>,
    /// States of the past.
    pub past: Past,
    /// What key figures are taken from.
    pub figures: Arc<Figures>,
    /// Answers about figures that may be given again.
    pub replies: Replies,
    /// Signed roots of the log's tree.
    pub checkpoints: Checkpoints,
    /// What was refused.
    pub security: Arc<SecurityLog>,
    /// Tablets.
    pub sync: Sync,
    /// The other depots, where this one takes part.
    pub federation: Option<federation::Member>,
    /// To which depot each vehicle belongs.
    pub homes: Arc<crate::federation::Homes>,
    /// Predictors and what they learned.
    pub learning: Arc<Learning>,
    /// What Prometheus is told.
    pub metrics: Metrics,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The log's durable position as it rises.
    pub durable: watch::Receiver<Position>,
    /// Turns true when the server stops: event streams end then.
    pub stopping: watch::Sender<bool>,
    /// Reads of the log at a time.
    pub reads: Arc<Semaphore>,
    /// Event streams at a time.
    pub subscribers: Arc<Semaphore>,
    /// Numbers given to writes on their way.
    pub numbers: Numbers,
    /// Held by one of the writes that somebody else has overtaken.
    pub overtaken: Mutex<()>,
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl AppState {
    /// Opens everything in the data folder of `config`, on the machine's clock.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn open(config: Config) -> Result<Self, StartError> {
        AppState::open_at(config, Arc::new(SystemClock), ProjectionSettings::default())
    }

    /// Opens everything on another clock.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn open_at(
        config: Config,
        clock: Arc<dyn Clock>,
        projections: ProjectionSettings,
    ) -> Result<Self, StartError> {
        crate::lake::check(&config).map_err(|error| StartError::Lake(Box::new(error)))?;
        let (log, privacy) = open_log_and_keys(&config, clock.clone())?;
        privacy::erase::reconcile(&log, privacy.store(), &config.projections_folder())?;
        let log = Arc::new(log);
        let key = match &config.auth.signing_key {
            Some(key) => key.clone().into_bytes(),
            None => keys::load_or_create(&config.keys_folder())?,
        };
        let accounts = Arc::new(Accounts::open(
            log.clone(),
            clock.clone(),
            config.auth.clone(),
            &key,
        )?);
        let folder = config.sync_folder();
        let sync = Sync::open(log.clone(), clock.clone(), accounts.clone(), &key, &folder)?;
        let projections =
            Projections::start(log.clone(), &config.projections_folder(), projections);
        let checkpoints = Checkpoints::open(&log, &config.data, &config.keys_folder())?;
        let figures = Arc::new(Figures::new(config.analytics.time_zone));
        let federation = crate::federation::member(&config, &log, &clock, &checkpoints)?;
        let homes = Arc::new(match &federation {
            Some(_) => crate::federation::Homes::open(&config.federation_folder(), &log),
            None => crate::federation::Homes::default(),
        });
        let (publish, durable) = watch::channel(log.durable_position());
        log.on_durable(move |position| {
            publish.send_replace(position);
        });
        Ok(AppState(Arc::new(Shared {
            metrics: Metrics::new(
                &log,
                &projections,
                &figures,
                &clock,
                federation.as_ref().map(|member| (member, &homes)),
                &privacy,
                &config.data,
            ),
            figures,
            replies: Replies::default(),
            reads: Arc::new(Semaphore::new(config.http.reads_max)),
            subscribers: Arc::new(Semaphore::new(config.http.subscribers_max)),
            stopping: watch::Sender::new(false),
            numbers: Numbers::default(),
            overtaken: Mutex::const_new(()),
            past: Past::new(log.clone()),
            checkpoints,
            security: Arc::new(SecurityLog::new(log.clone(), clock.clone())),
            sync,
            federation,
            homes,
            learning: Arc::new(Learning::new(
                log.clone(),
                clock.clone(),
                config.models_folder(),
            )),
            config,
            log,
            privacy,
            accounts,
            projections,
            clock,
            durable,
        })))
    }

    /// Ends what runs beside requests: read models save where they are. Requests should be over by now.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
        self.security.flush(true);
        self.projections.stop();
        self.sync.engine.stop();
        self.homes.keep(&self.log);
    }
}

/// The log in the data folder of `config`.
///
/// # Errors
/// `Folder` and `Log`; the latter names the process that holds it.
pub fn open_log(config: &Config, clock: Arc<dyn Clock>) -> Result<Log, StartError> {
    Ok(open_log_and_keys(config, clock)?.0)
}

/// The log in the data folder of `config`, and the keys of people that it is sealed by. Whoever is refused has changed no key: the
/// folder's lock is taken first, and let go when something behind it fails.
///
/// # Errors
/// `Folder`, `Log`, `Key`, `People`.
pub fn open_log_and_keys(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<(Log, Arc<Privacy>), StartError> {
    create_folder(&config.data)?;
    let folder = config.log_folder();
    let cannot_open = |source| StartError::Log {
        path: folder.display().to_string(),
        source,
    };
    let lock = DirectoryLock::take(&folder).map_err(cannot_open)?;
    let store = KeyStore::open(&config.keys_folder(), &master_secret(config)?)?;
    let privacy = Arc::new(Privacy::new(store, clock.clone()));
    let options = LogOptions {
        limits: Limits {
            data_bytes_max: config.events.data_bytes_max,
            transaction_events_max: config.http.batch_events_max,
            transaction_bytes_max: Limits::default()
                .transaction_bytes_max
                .max(config.http.batch_bytes_max),
            ..Limits::default()
        },
        segment_bytes_max: config.events.segment_bytes_max,
        clock,
        tier: archive::options(config)?,
        veil: Some(privacy.clone()),
        ..LogOptions::default()
    };
    let log = Log::open_locked(lock, options).map_err(cannot_open)?;
    Ok((log, privacy))
}

/// What the keys of people are wrapped by: as configured, or a file that is made where there is none yet. It is not made beside
/// keys, which it would not open. For whoever holds the lock of the log's folder.
fn master_secret(config: &Config) -> Result<Vec<u8>, StartError> {
    if let Some(key) = &config.privacy.master_key {
        return Ok(key.clone().into_bytes());
    }
    let folder = config.keys_folder();
    let file = folder.join(privacy::MASTER_FILE_NAME);
    if matches!(file.try_exists(), Ok(false)) {
        KeyStore::refuse_without_master(&folder)?;
    }
    Ok(keys::load_or_create_named(
        &folder,
        privacy::MASTER_FILE_NAME,
    )?)
}

fn create_folder(path: &Path) -> Result<(), StartError> {
    keys::create_private_folder(path).map_err(|source| StartError::Folder {
        path: path.display().to_string(),
        source,
    })
}

/// The service that answers requests.
pub fn app(state: AppState) -> App {
    http::service(state)
}

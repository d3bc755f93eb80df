//! What an operator can set, and where the settings come from.
//!
//! Each option has a key (`http.page_limit_max`), which is its name in the TOML file and behind `--set`; its variable in
//! the environment is the key in capitals behind `RAILFLEET_` (`RAILFLEET_HTTP_PAGE_LIMIT_MAX`). Some have names of the
//! old system's guide beside it. Flags win over the environment, the environment over the file, the file over the
//! defaults. One table ([`OPTIONS`]) says all of this; the documentation is made from it ([`markdown`]).
//!
//! A key that does not exist is refused by name: a misspelled limit must not be a limit that is not there.

mod options;
pub mod rates;
mod sources;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use options::{OPTIONS, OptionSpec, markdown};
pub use rates::RatesConfig;
pub(crate) use sources::fault;
pub use sources::{ConfigError, Sources, unknown_variables};

/// The file that is read when `--config` names none.
pub const FILE_NAME: &str = "railfleet.toml";

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder. `docs/configuration.md` goes through what lies in it.
    pub data: PathBuf,
    /// Where to listen, `HOST:PORT`.
    pub listen: String,
    /// The listener and the limits of requests.
    pub http: HttpConfig,
    /// How often one may ask.
    pub rates: RatesConfig,
    /// Encrypted connections.
    pub tls: TlsConfig,
    /// Accounts and tokens.
    pub auth: AuthConfig,
    /// How personal data is kept.
    pub privacy: PrivacyConfig,
    /// What is written to standard error.
    pub logs: LogsConfig,
    /// The event log.
    pub events: EventsConfig,
    /// Backups on a schedule.
    pub backups: BackupsConfig,
    /// Tablets.
    pub sync: SyncConfig,
    /// Predictors.
    pub ml: MlConfig,
    /// Old segments in object storage.
    pub archive: ArchiveConfig,
    /// The log as Parquet.
    pub lake: LakeConfig,
    /// The other depots.
    pub federation: FederationConfig,
    /// Figures and dashboards.
    pub analytics: AnalyticsConfig,
}

/// The listener and the limits of requests.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct HttpConfig {
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    pub header_read_timeout: Duration,
    pub header_bytes_max: usize,
    pub body_read_timeout: Duration,
    pub body_bytes_max: usize,
    pub batch_bytes_max: usize,
    pub batch_events_max: usize,
    pub request_timeout: Duration,
    pub shutdown_timeout: Duration,
    pub page_limit_max: usize,
    pub count_max: u64,
    pub wait_default: Duration,
    pub wait_max: Duration,
    pub reads_max: usize,
    pub subscribers_max: usize,
    pub heartbeat: Duration,
    pub compression: bool,
    pub compression_bytes_min: u64,
    pub cors_origins: Vec<String>,
    pub access_log: bool,
}

/// Encrypted connections.
#[derive(Clone, Debug, Default)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct TlsConfig {
    pub enabled: bool,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub names: Vec<String>,
}

/// Accounts and tokens.
#[derive(Clone)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct AuthConfig {
    pub open_registration: bool,
    pub access_lifetime: Duration,
    pub refresh_lifetime: Duration,
    pub refresh_grace: Duration,
    pub issuer: String,
    pub signing_key: Option<String>,
    pub password_chars_min: usize,
    pub breached_passwords: Option<PathBuf>,
    pub lockout_failures: u32,
    pub argon2_memory_kib: u32,
    pub argon2_passes: u32,
    pub argon2_lanes: u32,
    pub login_attempts_free: u32,
    pub policy_keys: Vec<String>,
}

/// The key stays out of whatever prints a configuration.
impl std::fmt::Debug for AuthConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AuthConfig")
            .field("open_registration", &self.open_registration)
            .field("issuer", &self.issuer)
            .field("signing_key", &self.signing_key.as_ref().map(|_| "set"))
            .finish_non_exhaustive()
    }
}

/// How personal data is kept.
#[derive(Clone, Default)]
pub struct PrivacyConfig {
    /// The secret that wraps the keys of people; `None`: one is made in the folder of keys.
    pub master_key: Option<String>,
}

/// The key stays out of whatever prints a configuration.
impl std::fmt::Debug for PrivacyConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PrivacyConfig")
            .field("master_key", &self.master_key.as_ref().map(|_| "set"))
            .finish()
    }
}

/// What is written to standard error.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct LogsConfig {
    pub level: String,
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The event log.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct EventsConfig {
    pub retention_days: u32,
    pub data_bytes_max: usize,
    pub segment_bytes_max: u64,
    pub backups_path: Option<PathBuf>,
    pub scrub_bytes_per_minute: u64,
    pub checkpoint_interval: Duration,
}

/// Backups on a schedule.
#[derive(Clone, Debug, Default)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct BackupsConfig {
    pub interval: Duration,
    pub keep: usize,
}

/// Tablets.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct SyncConfig {
    pub enabled: bool,
    pub batch_size: usize,
    pub device_token_lifetime: Duration,
    pub offline_max: Duration,
    pub lease_grace: Duration,
    pub operations_per_day_max: u64,
    pub conflicts_open_max: usize,
}

/// Predictors.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct MlConfig {
    pub models_path: Option<PathBuf>,
    pub predictions_enabled: bool,
}

/// Old segments in object storage.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct ArchiveConfig {
    pub to: Option<String>,
    pub after_days: u32,
    pub interval: Duration,
    pub cache_bytes_max: u64,
    pub cache_path: Option<PathBuf>,
    pub scrub_reads: bool,
}

/// The log as Parquet.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct LakeConfig {
    pub to: Option<String>,
    pub interval: Duration,
}

/// The other depots, and the broker between them.
#[derive(Clone)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct FederationConfig {
    pub servers: Vec<String>,
    pub name: String,
    pub stream: String,
    pub credentials: Option<PathBuf>,
    pub ca: Option<PathBuf>,
    pub replicas: usize,
    pub kept_for: Duration,
    pub aggregate_types: Vec<String>,
}

/// An address may hold a password, which stays out of whatever prints a configuration.
impl std::fmt::Debug for FederationConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FederationConfig")
            .field("name", &self.name)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// Figures and dashboards.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is described in the table of options"
)]
pub struct AnalyticsConfig {
    pub cache_ttl: Duration,
    pub time_zone: chrono_tz::Tz,
}

impl Config {
    /// The defaults for this data folder.
    pub fn new(data: &Path) -> Self {
        let mut config = Config::unset(data);
        for option in OPTIONS {
            let result = (option.set)(&mut config, option.default);
            debug_assert!(result.is_ok(), "the default of {} is valid", option.key);
        }
        config
    }

    /// Where the event log lies.
    pub fn log_folder(&self) -> PathBuf {
        self.data.join("log")
    }

    /// Where the read models' checkpoints lie.
    pub fn projections_folder(&self) -> PathBuf {
        self.data.join("projections")
    }

    /// Where the state of tablets is saved.
    pub fn sync_folder(&self) -> PathBuf {
        self.data.join("sync")
    }

    /// Where it is kept how far federation came.
    pub fn federation_folder(&self) -> PathBuf {
        self.data.join("federation")
    }

    /// Where models' files lie, each named by its digest.
    pub fn models_folder(&self) -> PathBuf {
        let named = self.ml.models_path.clone();
        named.unwrap_or_else(|| self.data.join("models"))
    }

    /// Where what was fetched from the archive lies.
    pub fn fetched_folder(&self) -> PathBuf {
        let own = || self.data.join("fetched");
        self.archive.cache_path.clone().unwrap_or_else(own)
    }

    /// Where backups are put.
    pub fn backups_folder(&self) -> PathBuf {
        self.events
            .backups_path
            .clone()
            .unwrap_or_else(|| self.data.join("backups"))
    }

    /// Where keys lie.
    pub fn keys_folder(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// Every field at its type's zero, to be set by the table of options.
    fn unset(data: &Path) -> Self {
        Config {
            data: data.to_owned(),
            listen: String::new(),
            http: HttpConfig {
                connections_max: 0,
                connections_per_address_max: 0,
                header_read_timeout: Duration::ZERO,
                header_bytes_max: 0,
                body_read_timeout: Duration::ZERO,
                body_bytes_max: 0,
                batch_bytes_max: 0,
                batch_events_max: 0,
                request_timeout: Duration::ZERO,
                shutdown_timeout: Duration::ZERO,
                page_limit_max: 0,
                count_max: 0,
                wait_default: Duration::ZERO,
                wait_max: Duration::ZERO,
                reads_max: 0,
                subscribers_max: 0,
                heartbeat: Duration::ZERO,
                compression: false,
                compression_bytes_min: 0,
                cors_origins: Vec::new(),
                access_log: false,
            },
            rates: RatesConfig::default(),
            tls: TlsConfig::default(),
            auth: AuthConfig {
                open_registration: false,
                access_lifetime: Duration::ZERO,
                refresh_lifetime: Duration::ZERO,
                refresh_grace: Duration::ZERO,
                issuer: String::new(),
                signing_key: None,
                password_chars_min: 0,
                breached_passwords: None,
                lockout_failures: 0,
                argon2_memory_kib: 0,
                argon2_passes: 0,
                argon2_lanes: 0,
                login_attempts_free: 0,
                policy_keys: Vec::new(),
            },
            privacy: PrivacyConfig::default(),
            logs: LogsConfig {
                level: String::new(),
                format: LogFormat::Text,
            },
            events: EventsConfig {
                retention_days: 0,
                data_bytes_max: 0,
                segment_bytes_max: 0,
                backups_path: None,
                scrub_bytes_per_minute: 0,
                checkpoint_interval: Duration::ZERO,
            },
            backups: BackupsConfig::default(),
            sync: SyncConfig {
                enabled: false,
                batch_size: 0,
                device_token_lifetime: Duration::ZERO,
                offline_max: Duration::ZERO,
                lease_grace: Duration::ZERO,
                operations_per_day_max: 0,
                conflicts_open_max: 0,
            },
            ml: MlConfig {
                models_path: None,
                predictions_enabled: false,
            },
            archive: ArchiveConfig {
                to: None,
                after_days: 0,
                interval: Duration::ZERO,
                cache_bytes_max: 0,
                cache_path: None,
                scrub_reads: false,
            },
            lake: LakeConfig {
                to: None,
                interval: Duration::ZERO,
            },
            federation: FederationConfig {
                servers: Vec::new(),
                name: String::new(),
                stream: String::new(),
                credentials: None,
                ca: None,
                replicas: 1,
                kept_for: Duration::ZERO,
                aggregate_types: Vec::new(),
            },
            analytics: AnalyticsConfig {
                cache_ttl: Duration::ZERO,
                time_zone: chrono_tz::UTC,
            },
        }
    }
}

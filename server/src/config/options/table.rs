//! Every option, in the order in which they are documented.

use std::time::Duration;

use super::OptionSpec;
use super::text::{
    address, boolean, enabled, format, level, list, millis, name, number, origins, path,
    public_keys, seconds, signing_key,
};
use crate::config::rates::{Class, Profile};

/// Every option, in the order in which they are documented.
pub const OPTIONS: &[OptionSpec] = &[
    option!(
        "listen",
        "127.0.0.1:8000",
        "Where to listen, HOST:PORT. Loopback unless set otherwise.",
        |config, text| config.listen = address(text)?
    ),
    option!(
        "http.connections_max",
        "1024",
        "Connections at a time; one more is answered with 503 and closed. 1 to 100,000.",
        |config, text| config.http.connections_max = number(text, 1..=100_000)?
    ),
    option!(
        "http.connections_per_address_max",
        "1024",
        "Connections at a time from one address. 1 to 100,000.",
        |config, text| config.http.connections_per_address_max = number(text, 1..=100_000)?
    ),
    option!(
        "http.header_read_timeout_s",
        "10",
        "Seconds for a request's head to arrive, and for a kept connection to be used again. 1 to 600.",
        |config, text| config.http.header_read_timeout = seconds(text, 1..=600)?
    ),
    option!(
        "http.header_bytes_max",
        "32768",
        "Bytes of a request's head; a longer one is answered with 431. 8,192 to 1,048,576.",
        |config, text| config.http.header_bytes_max = number(text, 8_192..=1_048_576)?
    ),
    option!(
        "http.body_read_timeout_s",
        "30",
        "Seconds for a request's body to arrive. 1 to 3,600.",
        |config, text| config.http.body_read_timeout = seconds(text, 1..=3_600)?
    ),
    option!(
        "http.body_bytes_max",
        "2097152",
        "Bytes of a request's body. 1,024 to 67,108,864.",
        |config, text| config.http.body_bytes_max = number(text, 1_024..=67_108_864)?
    ),
    option!(
        "http.batch_bytes_max",
        "67108864",
        "Bytes of the body of a batch. 1,024 to 1,073,741,824.",
        |config, text| config.http.batch_bytes_max = number(text, 1_024..=1_073_741_824)?
    ),
    option!(
        "http.batch_events_max",
        "10000",
        "Events in a batch, which is one transaction. 1 to 10,000.",
        |config, text| config.http.batch_events_max = number(text, 1..=10_000)?
    ),
    option!(
        "http.request_timeout_s",
        "60",
        "Seconds until a request without an answer is given up with 503. 1 to 3,600.",
        |config, text| config.http.request_timeout = seconds(text, 1..=3_600)?
    ),
    option!(
        "http.shutdown_timeout_s",
        "20",
        "Seconds that open requests have to end when the server stops. 0 to 600.",
        |config, text| config.http.shutdown_timeout = seconds(text, 0..=600)?
    ),
    option!(
        "http.page_limit_max",
        "1000",
        "The highest `limit` of a page. 100 to 100,000.",
        |config, text| config.http.page_limit_max = number(text, 100..=100_000)?
    ),
    option!(
        "http.count_max",
        "1000000",
        "How far a `total` is counted before it is given as a lower bound. 1,000 to 1,000,000,000.",
        |config, text| config.http.count_max = number(text, 1_000..=1_000_000_000)?
    ),
    option!(
        "http.wait_ms_default",
        "5000",
        "Milliseconds that a read waits for its `min_position` when it names no `wait_ms`. 0 to 60,000.",
        |config, text| config.http.wait_default = millis(text, 0..=60_000)?
    ),
    option!(
        "http.wait_ms_max",
        "30000",
        "The longest `wait_ms` and the longest long poll. 0 to 300,000.",
        |config, text| config.http.wait_max = millis(text, 0..=300_000)?
    ),
    option!(
        "http.reads_max",
        "16",
        "Reads of the log at a time; more wait their turn. 1 to 512.",
        |config, text| config.http.reads_max = number(text, 1..=512)?
    ),
    option!(
        "http.subscribers_max",
        "512",
        "Open event streams at a time; one more is answered with 503. 0 to 100,000.",
        |config, text| config.http.subscribers_max = number(text, 0..=100_000)?
    ),
    option!(
        "http.heartbeat_s",
        "15",
        "Seconds of silence on an event stream before a heartbeat. 1 to 600.",
        |config, text| config.http.heartbeat = seconds(text, 1..=600)?
    ),
    option!(
        "http.compression",
        "true",
        "Whether answers are compressed (gzip, zstd) for clients that accept it.",
        |config, text| config.http.compression = boolean(text)?
    ),
    option!(
        "http.compression_bytes_min",
        "1024",
        "Answers of known length below this stay as they are. 0 to 65,535.",
        |config, text| config.http.compression_bytes_min = number(text, 0..=65_535)?
    ),
    option!("http.cors_origins", old ["CORS_ORIGINS", "BACKEND_CORS_ORIGINS"], "", "Origins whose pages may call the API, separated by commas, like `https://depot.example`. Empty: none.",
        |config, text| config.http.cors_origins = origins(text)?),
    option!(
        "http.access_log",
        "false",
        "Whether each request is a line in the log.",
        |config, text| config.http.access_log = boolean(text)?
    ),
    option!(
        "rates.profile",
        "default",
        "How often one account, tablet or address may ask, by class of request: `default` bounds logins and training, `documented` has the limits of the old system's documents, `careful` what nobody reaches before a screen, `off` none. docs/SECURITY.md lists them.",
        |config, text| config.rates.profile = Profile::parse(text)?
    ),
    option!(
        "rates.login",
        "",
        "Logins, refreshes, registrations and new passwords, by address where nobody is logged in: `100/min`, `5/s`, `60/h`, `off`. Empty: as the profile says.",
        |config, text| config.rates.set(Class::Login, text)?
    ),
    option!(
        "rates.read",
        "",
        "Reads of one record, by account. As above.",
        |config, text| config.rates.set(Class::Read, text)?
    ),
    option!(
        "rates.list",
        "",
        "Lists, histories, audit and time travel, by account. As above.",
        |config, text| config.rates.set(Class::List, text)?
    ),
    option!(
        "rates.write",
        "",
        "Writes, by account. As above.",
        |config, text| config.rates.set(Class::Write, text)?
    ),
    option!(
        "rates.events",
        "",
        "Everything under `/events`, by account. As above. With a rate, single events take the slower way through the router.",
        |config, text| config.rates.set(Class::Events, text)?
    ),
    option!(
        "rates.sync",
        "",
        "Everything under `/sync`, by tablet, or account. As above.",
        |config, text| config.rates.set(Class::Sync, text)?
    ),
    option!(
        "rates.analytics",
        "",
        "Figures, reports and exports, by account. As above.",
        |config, text| config.rates.set(Class::Analytics, text)?
    ),
    option!(
        "rates.prediction",
        "",
        "Predictions, by account. As above.",
        |config, text| config.rates.set(Class::Prediction, text)?
    ),
    option!(
        "rates.training",
        "",
        "Starting a training, by account. As above.",
        |config, text| config.rates.set(Class::Training, text)?
    ),
    option!(
        "tls.enabled",
        "false",
        "Whether connections are encrypted (https). Without a certificate of your own, one is made at the first start.",
        |config, text| config.tls.enabled = boolean(text)?
    ),
    option!(
        "tls.certificate",
        "",
        "A PEM file of the server's certificate and of those that signed it, in this order. A new one is taken within a minute. Empty: one is made and kept in `keys/tls.crt`.",
        |config, text| config.tls.certificate = path(text)
    ),
    option!(
        "tls.key",
        "",
        "A PEM file of its private key, which nobody else may read. Empty: `keys/tls.key`.",
        |config, text| config.tls.key = path(text)
    ),
    option!(
        "tls.names",
        "",
        "Names and addresses under which the server is reached, comma-separated, for the certificate that is made. This machine's name and loopback are always in it.",
        |config, text| config.tls.names = list(text)
    ),
    option!(
        "auth.open_registration",
        "false",
        "Whether anybody may register an account, with the role VIEWER.",
        |config, text| config.auth.open_registration = boolean(text)?
    ),
    option!(
        "auth.access_minutes",
        "30",
        "Minutes an access token lasts. 1 to 1,440.",
        |config, text| config.auth.access_lifetime = seconds(text, 1..=1_440)? * 60
    ),
    option!(
        "auth.refresh_days",
        "7",
        "Days a refresh token lasts. 1 to 365.",
        |config, text| config.auth.refresh_lifetime = seconds(text, 1..=365)? * 86_400
    ),
    option!(
        "auth.refresh_grace_seconds",
        "60",
        "Seconds for which a refresh token that was just exchanged gets the same successor again: its answer may have been lost on the way. After them it counts as copied and ends the session. 0, never, to 600.",
        |config, text| config.auth.refresh_grace = seconds(text, 0..=600)?
    ),
    option!(
        "auth.issuer",
        "railfleet",
        "The issuer and audience in tokens: tokens of one depot are not good at another that has another name.",
        |config, text| config.auth.issuer = name(text)?
    ),
    option!(
        "auth.signing_key",
        old["SECRET_KEY"],
        "",
        "The key that signs tokens, at least 32 bytes. Empty: one is made at first start and kept in `keys/jwt.key`.",
        |config, text| config.auth.signing_key = signing_key(text)?
    ),
    option!(
        "privacy.master_key",
        "",
        "The secret that wraps the keys of people, at least 32 bytes. Empty: one is made at first start and kept in `keys/master.key`.",
        |config, text| config.privacy.master_key = signing_key(text)?
    ),
    option!(
        "auth.password_chars_min",
        "15",
        "Fewest characters of a new password. 8 to 64. Below 15 characters a mix of letters, digits and others is asked for, as the old system did.",
        |config, text| config.auth.password_chars_min = number(text, 8..=64)?
    ),
    option!(
        "auth.breached_passwords",
        "",
        "A file of passwords that are known to thieves, none of which is taken: SHA-1 in hexadecimal, a line each, sorted, as Have I Been Pwned gives it. Empty: none.",
        |config, text| config.auth.breached_passwords = path(text)
    ),
    option!(
        "auth.argon2_memory_kib",
        "19456",
        "Memory of one password hash, in KiB. 8 to 1,048,576; below 19,456 only for tests.",
        |config, text| config.auth.argon2_memory_kib = number(text, 8..=1_048_576)?
    ),
    option!(
        "auth.argon2_passes",
        "2",
        "Passes of one password hash. 1 to 100.",
        |config, text| config.auth.argon2_passes = number(text, 1..=100)?
    ),
    option!(
        "auth.argon2_lanes",
        "1",
        "Lanes of one password hash. 1 to 16.",
        |config, text| config.auth.argon2_lanes = number(text, 1..=16)?
    ),
    option!(
        "auth.login_attempts_free",
        "5",
        "Wrong passwords, for an account or from an address, before the delays begin. 1 to 100.",
        |config, text| config.auth.login_attempts_free = number(text, 1..=100)?
    ),
    option!(
        "auth.lockout_failures",
        "100",
        "Wrong passwords in a row that lock an account until somebody sets a new one. 5 to 100.",
        |config, text| config.auth.lockout_failures = number(text, 5..=100)?
    ),
    option!(
        "auth.policy_keys",
        "",
        "Public keys, separated by commas: a policy must be signed by one of them to come into force. Each is 64 hexadecimal digits. Empty: any key will do.",
        |config, text| config.auth.policy_keys = public_keys(text)?
    ),
    option!(
        "logs.level",
        old["LOG_LEVEL"],
        "info",
        "What is logged: error, warn, info, debug, trace, or a filter like `info,server=debug`.",
        |config, text| config.logs.level = level(text)?
    ),
    option!(
        "logs.format",
        "text",
        "How it is logged: text or json.",
        |config, text| config.logs.format = format(text)?
    ),
    option!(
        "events.enabled",
        old["EVENT_STORE_ENABLED"],
        "true",
        "The old system could run without its event store. This one is its event log: only `true` is accepted.",
        |_config, text| enabled(text)?
    ),
    option!(
        "events.retention_days",
        old["EVENT_RETENTION_DAYS"],
        "0",
        "Days after which sealed segments move to the folder `archive` in the log's folder. 0: never. Up to 36,500.",
        |config, text| config.events.retention_days = number(text, 0..=36_500)?
    ),
    option!(
        "events.data_bytes_max",
        "1048576",
        "Bytes of an event's data. 1,024 to 16,777,216.",
        |config, text| config.events.data_bytes_max = number(text, 1_024..=16_777_216)?
    ),
    option!(
        "events.segment_bytes_max",
        "67108864",
        "Bytes of a segment of the log. 4,194,304 to 1,073,741,824.",
        |config, text| config.events.segment_bytes_max = number(text, 4_194_304..=1_073_741_824)?
    ),
    option!(
        "events.backups_path",
        "",
        "Where backups of the running server are put; another disk is the better place. Empty: `backups` in the data folder.",
        |config, text| config.events.backups_path = path(text)
    ),
    option!(
        "events.scrub_bytes_per_minute",
        "67108864",
        "Bytes of the log that are read again each minute in search of rot. 0: none. Up to 10,737,418,240.",
        |config, text| config.events.scrub_bytes_per_minute = number(text, 0..=10_737_418_240)?
    ),
    option!(
        "events.checkpoint_interval_s",
        "3600",
        "Seconds between signed checkpoints of the log, where it has grown. 0: only on demand; at most 604,800.",
        |config, text| config.events.checkpoint_interval = seconds(text, 0..=604_800)?
    ),
    option!(
        "backups.interval_h",
        "24",
        "Hours between backups that the running server takes by itself, verified after writing, into `events.backups_path`. 0: none; at most 8,760.",
        |config, text| {
            config.backups.interval = Duration::from_secs(number(text, 0..=8_760_u64)? * 3_600);
        }
    ),
    option!(
        "backups.keep",
        "14",
        "How many of them are kept. 1 to 10,000. Backups of another name are never put away.",
        |config, text| config.backups.keep = number(text, 1..=10_000)?
    ),
    option!(
        "sync.enabled",
        old["SYNC_ENABLED"],
        "true",
        "Whether tablets may register and sync.",
        |config, text| config.sync.enabled = boolean(text)?
    ),
    option!(
        "sync.batch_size",
        old["SYNC_BATCH_SIZE"],
        "100",
        "Entities in a page that a tablet pulls, where it asks for no number. 1 to 10,000.",
        |config, text| config.sync.batch_size = number(text, 1..=10_000)?
    ),
    option!(
        "sync.device_token_days",
        "90",
        "Days that a device's token lasts; it can be renewed before. 1 to 3,650.",
        |config, text| config.sync.device_token_lifetime = seconds(text, 1..=3_650)? * 86_400
    ),
    option!(
        "sync.offline_days_max",
        "45",
        "Days after which a tablet that was not heard of holds up compaction no longer. It may come back. 1 to 3,650.",
        |config, text| config.sync.offline_max = seconds(text, 1..=3_650)? * 86_400
    ),
    option!(
        "sync.lease_grace_days",
        "7",
        "Days after which parts that were given to a tablet go back, once it was revoked, its token has ended or it was not heard of for `sync.offline_days_max`. 0 to 3,650.",
        |config, text| config.sync.lease_grace = seconds(text, 0..=3_650)? * 86_400
    ),
    option!(
        "sync.operations_per_day_max",
        "50000",
        "New operations that a tablet may push in a day, refused ones included. More is answered by 429 and stays on the tablet. 1,000 to 10,000,000.",
        |config, text| config.sync.operations_per_day_max = number(text, 1_000..=10_000_000)?
    ),
    option!(
        "sync.conflicts_open_max",
        "500",
        "Open conflicts of one tablet beyond which a change that would open another one is held. 1 to 100,000.",
        |config, text| config.sync.conflicts_open_max = number(text, 1..=100_000)?
    ),
    option!(
        "ml.models_path",
        old["ML_MODELS_PATH"],
        "",
        "Where model files lie. Empty: `models` in the data folder.",
        |config, text| config.ml.models_path = path(text)
    ),
    option!(
        "ml.predictions_enabled",
        old["ML_ENABLE_PREDICTIONS"],
        "true",
        "Whether predictions are served. Off: they are answered with 503, training and models go on.",
        |config, text| config.ml.predictions_enabled = boolean(text)?
    ),
    option!(
        "archive.to",
        "",
        "Where old segments of the log are sent, and read from: `s3://bucket/prefix` or `file:///folder`. Keys for S3 come from the environment, as for the lake. Empty: nowhere. Once something was sent it has to stay.",
        |config, text| config.archive.to = (!text.is_empty()).then(|| text.to_owned())
    ),
    option!(
        "archive.after_days",
        "365",
        "Days after which sealed segments are sent. 0 to 36,500; 0: as soon as two newer ones are there.",
        |config, text| config.archive.after_days = number(text, 0..=36_500)?
    ),
    option!(
        "archive.interval_s",
        "3600",
        "Seconds between looks for segments that are old enough. 1 to 604,800.",
        |config, text| config.archive.interval = seconds(text, 1..=604_800)?
    ),
    option!(
        "archive.cache_bytes_max",
        "1073741824",
        "Bytes of segments that were fetched and are kept for the next question; the least recently used go first. 0 to 1,099,511,627,776; one segment is always kept.",
        |config, text| config.archive.cache_bytes_max = number(text, 0..=1_099_511_627_776)?
    ),
    option!(
        "archive.cache_path",
        "",
        "The folder of what was fetched; may be deleted. Empty: `fetched` in the data folder.",
        |config, text| config.archive.cache_path = path(text)
    ),
    option!(
        "archive.scrub_reads",
        "false",
        "Whether the scrub reads what lies in the archive byte for byte, at `events.scrub_bytes_per_minute`, instead of asking for its length.",
        |config, text| config.archive.scrub_reads = boolean(text)?
    ),
    option!(
        "lake.to",
        "",
        "Where the log is exported to as Parquet while the server runs: `file:///folder` or `s3://bucket/prefix`. Empty: nowhere.",
        |config, text| config.lake.to = (!text.is_empty()).then(|| text.to_owned())
    ),
    option!(
        "lake.interval_s",
        "3600",
        "Seconds between exports. 1 to 604,800.",
        |config, text| config.lake.interval = seconds(text, 1..=604_800)?
    ),
    option!(
        "federation.servers",
        "",
        "The NATS servers between the depots, `nats://host:4222` or `tls://…`, comma-separated. Empty: this depot is alone. Name and password of an account may stand in the address; better is `federation.credentials`.",
        |config, text| config.federation.servers = list(text)
    ),
    option!(
        "federation.name",
        "depot",
        "What people call this depot. 1 to 100 bytes.",
        |config, text| config.federation.name = name(text)?
    ),
    option!(
        "federation.stream",
        "RAILFLEET",
        "The JetStream stream that all depots share; it is made where there is none.",
        |config, text| config.federation.stream = name(text)?
    ),
    option!(
        "federation.credentials",
        "",
        "A file of NATS credentials (`.creds`). Empty: none.",
        |config, text| config.federation.credentials = path(text)
    ),
    option!(
        "federation.ca",
        "",
        "A PEM file of who signed the NATS servers' certificates. Empty: whom the system trusts.",
        |config, text| config.federation.ca = path(text)
    ),
    option!(
        "federation.replicas",
        "1",
        "How many servers of a NATS cluster keep the stream, when this depot makes it. 1 to 5.",
        |config, text| config.federation.replicas = number(text, 1..=5)?
    ),
    option!(
        "federation.kept_days",
        "30",
        "Days that the stream keeps events, when this depot makes it. What is older comes from the depots themselves when one needs it. 0 to 36,500; 0: for ever.",
        |config, text| {
            let days: u64 = number(text, 0..=36_500)?;
            config.federation.kept_for = Duration::from_secs(days * 86_400);
        }
    ),
    option!(
        "federation.aggregate_types",
        "",
        "The aggregate types to take from other depots, comma-separated. Empty: all.",
        |config, text| config.federation.aggregate_types = list(text)
    ),
    option!(
        "analytics.cache_ttl_s",
        old["ANALYTICS_CACHE_TTL"],
        "900",
        "Seconds that a computed figure may be served again while the log does not grow. 0 to 86,400; 0: each answer is made anew.",
        |config, text| config.analytics.cache_ttl = seconds(text, 0..=86_400)?
    ),
    option!(
        "analytics.time_zone",
        "UTC",
        "The depot's time zone, by its IANA name: where days, weeks and months of figures begin.",
        |config, text| {
            config.analytics.time_zone = text
                .parse()
                .map_err(|_| format!("there is no time zone {text:?}"))?
        }
    ),
];

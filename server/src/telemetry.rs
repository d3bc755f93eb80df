//! What the server says while it runs: lines on standard error, for people or as JSON.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{LogFormat, LogsConfig};

/// A module of the broker's client that logs addresses as they were set, with the account in them.
const TELLS_PASSWORDS: &str = "async_nats::connector";

/// Begins logging. Called once, at start; a second call changes nothing.
pub fn start(config: &LogsConfig) {
    // The level was checked when the settings were read.
    let filter: Targets = config.level.parse().unwrap_or_default();
    // At its most talkative it says the broker's password.
    let filter = filter.with_target(TELLS_PASSWORDS, LevelFilter::INFO);
    let layer = match config.format {
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(io::stderr)
            .boxed(),
        LogFormat::Text => fmt::layer()
            .with_ansi(false)
            .with_writer(io::stderr)
            .boxed(),
    };
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init();
}

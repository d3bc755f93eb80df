//! What the server says while it runs: lines on standard error, for people or as JSON.

use std::io;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{LogFormat, LogsConfig};

/// A module of the broker's client that logs addresses as they were set, with the account in them.
const TELLS_PASSWORDS: &str = "async_nats::connector";

/// Without what would say the broker's password; who asked for less than that is told no more than before.
fn hushed(filter: Targets) -> Targets {
    match filter.would_enable(TELLS_PASSWORDS, &Level::DEBUG) {
        true => filter.with_target(TELLS_PASSWORDS, LevelFilter::INFO),
        false => filter,
    }
}

/// Begins logging. Called once, at start; a second call changes nothing.
pub fn start(config: &LogsConfig) {
    // The level was checked when the settings were read.
    let filter: Targets = config.level.parse().unwrap_or_default();
    let filter = hushed(filter);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hushed_at_every_level_and_nothing_gets_louder() {
        for level in ["off", "error", "warn", "info", "debug", "trace"] {
            let asked: Targets = level.parse().unwrap();
            let filter = hushed(asked.clone());
            assert!(!filter.would_enable(TELLS_PASSWORDS, &Level::DEBUG));
            for shown in [Level::ERROR, Level::WARN, Level::INFO] {
                let before = asked.would_enable(TELLS_PASSWORDS, &shown);
                assert_eq!(filter.would_enable(TELLS_PASSWORDS, &shown), before);
            }
            for shown in [Level::INFO, Level::DEBUG, Level::TRACE] {
                let before = asked.would_enable("server", &shown);
                assert_eq!(filter.would_enable("server", &shown), before);
            }
        }
    }
}

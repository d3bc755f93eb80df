//! `railfleet serve`: opens the data folder, answers requests until told to stop, and closes everything in order.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, DataArgs, ListenArgs, environment, print};
use crate::app::{self, AppState, StartError};
use crate::config::{Config, unknown_variables};
use crate::tls::{Tls, TlsError};
use crate::{background, descriptors, listener, systemd, telemetry};

/// How long reads of the disk that are under way may hold up the end, once connections are closed.
const READS_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    listen: ListenArgs,
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder could not be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The address could not be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address as configured.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Connections cannot be encrypted as the settings ask.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives no threads or no signals.
    #[error("cannot set up the server")]
    System(#[source] io::Error),
    /// The task that takes connections panicked.
    #[error("the listener ended unexpectedly")]
    Listener(#[source] tokio::task::JoinError),
}

pub(super) fn run(args: ServeArgs) -> Result<ExitCode, CliError> {
    let config = args.listen.load(&args.data)?;
    begin_logging(&config);
    let scheme = if config.tls.enabled { "https" } else { "http" };
    serve(config, |address, _| {
        print(&format!("railfleet listens on {scheme}://{address}"))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Begins logging, and says which variables look like settings and are none.
pub(super) fn begin_logging(config: &Config) {
    telemetry::start(&config.logs);
    for name in unknown_variables(&environment()) {
        tracing::warn!(
            name,
            "an environment variable looks like a setting and is none"
        );
    }
}

/// Serves until a signal comes; `announce` is called once connections are taken.
pub(super) fn serve(
    config: Config,
    announce: impl FnOnce(SocketAddr, &AppState),
) -> Result<(), ServeError> {
    descriptors::raise(&config);
    let state = AppState::open(config)?;
    report_opening(&state);
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::System)?;
    let outcome = runtime.block_on(answer(&state, announce));
    // Tasks of connections that did not end in time are dropped here, and with them their hold on the log.
    runtime.shutdown_timeout(READS_PATIENCE);
    close(state);
    outcome
}

async fn answer(
    state: &AppState,
    announce: impl FnOnce(SocketAddr, &AppState),
) -> Result<(), ServeError> {
    // Before the announcement: whoever reads it may signal at once.
    let mut signals = Signals::register().map_err(ServeError::System)?;
    let (socket, bound) = bind(&state.config.listen).await?;
    background::start(state);
    let tls = Tls::open(&state.config)?;
    if let Some(tls) = &tls {
        tracing::info!(fingerprint = %tls.fingerprint(), "connections are encrypted");
        state.metrics.certificate_expires(tls.expires());
        let told = state.clone();
        let taken = move |tls: &Tls| told.metrics.certificate_expires(tls.expires());
        tokio::spawn(tls.clone().follow(state.stopping.subscribe(), taken));
    }
    let service = app::app(state.clone());
    let mut serving = tokio::spawn(listener::serve(socket, service, state.clone(), tls));
    tracing::info!(address = %bound, "the server answers");
    announce(bound, state);
    systemd::ready();
    tokio::spawn(systemd::keep_watchdog_quiet(state.stopping.subscribe()));
    tokio::select! {
        name = signals.next() => tracing::info!(signal = name, "stopping: no more connections are taken"),
        ended = &mut serving => return ended.map_err(ServeError::Listener),
    }
    systemd::stopping();
    state.stopping.send_replace(true);
    serving.await.map_err(ServeError::Listener)
}

/// The socket that systemd opened for this process, or one of our own.
async fn bind(address: &str) -> Result<(TcpListener, SocketAddr), ServeError> {
    let bound = async {
        let socket = match systemd::socket()? {
            Some(socket) => TcpListener::from_std(socket)?,
            None => TcpListener::bind(address).await?,
        };
        let address = socket.local_addr()?;
        Ok((socket, address))
    };
    bound.await.map_err(|source| ServeError::Listen {
        address: address.to_owned(),
        source,
    })
}

fn report_opening(state: &AppState) {
    let opened = state.log.opened();
    tracing::info!(
        data = %state.config.data.display(),
        events = state.log.durable_position().get(),
        segments = opened.segments,
        torn_bytes = opened.torn_bytes,
        "the log is open"
    );
    for range in &opened.damage {
        tracing::error!(%range, "the log is damaged: restore these events from a backup");
    }
}

/// Saves the read models, then closes the log, which takes back what it prepared and frees the folder.
fn close(state: AppState) {
    state.stop();
    let log = Arc::clone(&state.log);
    drop(state);
    match Arc::into_inner(log) {
        Some(log) => {
            log.close();
            tracing::info!("the log is closed");
        }
        // Nothing is lost: what was acknowledged is on the disk, and the next start makes up for the rest.
        None => tracing::warn!("the log is still being read; it ends with the process"),
    }
}

/// What asks a server to stop: service managers and containers send SIGTERM, a terminal SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn register() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

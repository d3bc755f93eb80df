//! The command line: one file a subcommand.
//!
//! What a command prints for its caller goes to standard output, everything else to standard error. A command ends with
//! 0 when it did what was asked, 1 when it could not, 2 when it was not called rightly; `verify` has more.

mod archive;
mod backup;
mod checkpoint;
mod completions;
mod demo;
mod doctor;
mod drill;
mod export;
mod federation;
mod import;
mod ingest;
mod lake;
mod learn;
mod man;
mod openapi;
mod restore;
mod serve;
mod token;
mod user;
mod verify;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use storage::{Clock, Log, SystemClock};

use crate::app::{StartError, open_log};
use crate::auth::keys::{self, KeyError};
use crate::auth::{AccountError, Accounts};
use crate::config::{Config, ConfigError, FILE_NAME, Sources};
use crate::ingest::MappingError;

/// What tells in a log's folder how far it was durable.
const WATERMARK: &str = "watermark";

/// The event log of a rail fleet: history, read models and time travel in one process.
#[derive(Debug, Parser)]
#[command(name = "railfleet", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API on a data folder.
    Serve(serve::ServeArgs),
    /// Fill a demo depot and serve it.
    Demo(demo::DemoArgs),
    /// Take a file of events, or standard input, into the log.
    Ingest(ingest::IngestArgs),
    /// Bring a Phase 2 PostgreSQL database over into the log, and hold every row against it.
    Import(import::ImportArgs),
    /// Write what the log holds now into an empty Phase 2 schema: the way back.
    Export(export::ExportArgs),
    /// The log as Parquet, for query engines.
    Lake(lake::LakeArgs),
    /// Send old segments of the log to object storage.
    Archive(archive::ArchiveArgs),
    /// Many depots, one fleet: join, leave, see how it stands.
    Federation(federation::FederationArgs),
    /// Learn from the log, backtest it, and deploy the model where it is better.
    Train(learn::TrainArgs),
    /// Predict with the deployed model: one vehicle, or the whole fleet ranked.
    Predict(learn::PredictArgs),
    /// Show what predictions would have been worth in the past.
    Backtest(learn::BacktestArgs),
    /// Administrate accounts on the machine itself.
    User(user::UserArgs),
    /// Print an access token for an account.
    Token(token::TokenArgs),
    /// Hold a log against itself, byte by byte, without changing it.
    Verify(verify::VerifyArgs),
    /// Sign what the log is: a note to keep elsewhere, which `verify --checkpoint` holds the log against.
    Checkpoint(checkpoint::CheckpointArgs),
    /// Copy the log to another folder.
    Backup(backup::BackupArgs),
    /// Make a data folder's log out of a backup.
    Restore(restore::RestoreArgs),
    /// Restore the newest backup into a folder that is thrown away, to see that it can be done and how long it takes.
    Drill(drill::DrillArgs),
    /// Look at a data folder and its machine, and say what should be done.
    Doctor(doctor::DoctorArgs),
    /// Print the API's description: OpenAPI, or a collection for Postman.
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApiArgs),
    /// Write the manual pages into a folder.
    Man(man::ManArgs),
    /// Print a shell's completions.
    Completions(completions::CompletionsArgs),
}

/// Where the data lies, and where settings come from.
#[derive(Clone, Debug, Args)]
pub struct DataArgs {
    /// The data folder.
    #[arg(long, value_name = "DIR", env = "RAILFLEET_DATA")]
    pub data: PathBuf,
    /// The settings' file, instead of `railfleet.toml` in the data folder.
    #[arg(long, value_name = "FILE", env = "RAILFLEET_CONFIG")]
    pub config: Option<PathBuf>,
    /// Set an option, for example `http.page_limit_max=200`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl DataArgs {
    /// Where the settings come from.
    pub fn sources(&self) -> Sources {
        Sources {
            data: self.data.clone(),
            file: self.config.clone(),
            environment: environment(),
            flags: self.set.clone(),
        }
    }

    /// The settings.
    ///
    /// # Errors
    /// `Config`.
    pub fn load(&self) -> Result<Config, CliError> {
        Ok(self.sources().load()?)
    }

    /// The settings' file, which need not be there.
    fn settings_file(&self) -> PathBuf {
        let usual = || self.data.join(FILE_NAME);
        self.config.clone().unwrap_or_else(usual)
    }
}

/// Where to listen, over what the settings say.
#[derive(Clone, Debug, Default, Args)]
pub struct ListenArgs {
    /// Where to listen.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "port")]
    pub listen: Option<String>,
    /// The port to listen on, at the host that is set (127.0.0.1 by default); 0 takes a free one.
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
}

impl ListenArgs {
    /// The settings of a server on this data folder.
    ///
    /// # Errors
    /// `Config`.
    pub fn load(&self, data: &DataArgs) -> Result<Config, CliError> {
        let mut sources = data.sources();
        if let Some(listen) = &self.listen {
            sources.flags.push(format!("listen={listen}"));
        }
        let mut config = sources.load()?;
        if let Some(port) = self.port {
            let host = config
                .listen
                .rsplit_once(':')
                .map_or("127.0.0.1", |(host, _)| host);
            config.listen = format!("{host}:{port}");
        }
        Ok(config)
    }
}

/// The environment, as far as it is text.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The settings are not acceptable.
    #[error("the settings are not acceptable")]
    Config(#[from] ConfigError),
    /// The data folder could not be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no signing key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Something about an account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A CSV file's mapping cannot be used.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// Something with a file or a socket.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The server ended otherwise than by being asked to.
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
    /// Something else, told whole.
    #[error("{0}")]
    Other(String),
}

impl CliError {
    /// A failure while doing something.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| CliError::Io { doing, source }
    }
}

/// Runs the command that `arguments` (the program's name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(refusal) => {
            // Help and version come this way too; a reader that is gone is no reason to say more.
            let _ = refusal.print();
            return ExitCode::from(u8::try_from(refusal.exit_code()).unwrap_or(1));
        }
    };
    let result = match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Ingest(args) => ingest::run(args),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Lake(args) => lake::run(args),
        Command::Archive(args) => archive::run(&args),
        Command::Federation(args) => federation::run(args),
        Command::Train(args) => learn::train(args),
        Command::Predict(args) => learn::predict(args),
        Command::Backtest(args) => learn::backtest(args),
        Command::User(args) => user::run(args),
        Command::Token(args) => token::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Checkpoint(args) => checkpoint::run(&args),
        Command::Backup(args) => backup::run(args),
        Command::Restore(args) => restore::run(args),
        Command::Drill(args) => drill::run(&args),
        Command::Doctor(args) => doctor::run(args),
        Command::OpenApi(args) => openapi::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Completions(args) => completions::run(args),
    };
    result.unwrap_or_else(|error| {
        say(&format!("railfleet: {}", chain(&error)));
        ExitCode::FAILURE
    })
}

/// An error with what caused it, as one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Writes a line to standard output. A reader that is gone is no fault of ours.
pub(crate) fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Writes a line to standard error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A runtime for commands that do one thing.
fn small_runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::io("cannot start the runtime"))
}

/// The log and the accounts of a data folder, without the rest of the server.
fn open_accounts(config: &Config) -> Result<(Arc<Log>, Accounts), CliError> {
    let clock = Arc::new(SystemClock);
    let log = Arc::new(open_log(config, clock.clone())?);
    let accounts = open_accounts_of(config, log.clone(), clock)?;
    Ok((log, accounts))
}

/// The accounts in a log that is open.
fn open_accounts_of(
    config: &Config,
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
) -> Result<Accounts, CliError> {
    let key = match &config.auth.signing_key {
        Some(key) => key.clone().into_bytes(),
        None => keys::load_or_create(&config.keys_folder())?,
    };
    Ok(Accounts::open(log, clock, config.auth.clone(), &key)?)
}

/// The log's folder, given either that or the data folder around it.
fn log_folder(folder: &Path) -> PathBuf {
    let inside = folder.join("log");
    if inside.is_dir() {
        inside
    } else {
        folder.to_owned()
    }
}

/// Whether this looks like a log's folder: one with a segment, or with what tells of segments that are gone.
fn holds_log(folder: &Path) -> bool {
    let is_ours = |name: &str| {
        let digits = name.strip_suffix(".log").unwrap_or_default();
        name == WATERMARK
            || (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name())
        .any(|name| name.to_str().is_some_and(is_ours))
}

/// For commands that have no use of a folder without a log, and should not make one where a name was mistyped.
fn require_log(config: &Config) -> Result<(), CliError> {
    if holds_log(&config.log_folder()) {
        return Ok(());
    }
    Err(CliError::Other(format!(
        "there is no log in {}",
        config.data.display()
    )))
}

#[cfg(test)]
mod tests;

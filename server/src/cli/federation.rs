//! `railfleet federation`: takes a depot into a federation and out of it, and asks a running server how it stands.

mod ask;
mod settings;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use federation::Broker;
use serde_json::{Value, json};
use storage::SystemClock;

use self::ask::Asking;
use self::settings::Settings;
use super::{CliError, DataArgs, chain, print, require_log, say, small_runtime};
use crate::app::open_log;
use crate::config::Config;
use crate::federation::broker;

#[derive(Debug, Args)]
pub(super) struct FederationArgs {
    #[command(subcommand)]
    command: FederationCommand,
}

#[derive(Debug, Subcommand)]
enum FederationCommand {
    /// Say how the running server stands with the other depots.
    ///
    /// It asks the server of the data folder, at the address that the settings name. An account is needed, WORKSHOP_MANAGER
    /// or above: a token in RAILFLEET_TOKEN (see `railfleet token`), or --user with the password on standard input.
    #[command(
        after_long_help = "Example:\n  railfleet federation status --data DIR --user anna --password-stdin < password"
    )]
    Status(StatusArgs),
    /// Take part from the next start on.
    ///
    /// Reaches the broker first, and has it give the stream: with wrong credentials, without JetStream or with more replicas
    /// than there are servers nothing is written. Then it writes the table [federation] of the settings' file; comments and
    /// other settings stay as they are.
    #[command(
        after_long_help = "Example:\n  railfleet federation join --data DIR --server tls://broker.example:4222 --name Nord --credentials nord.creds"
    )]
    Join(JoinArgs),
    /// Take part no longer, from now on: for a server that is stopped.
    ///
    /// Has the broker forget this depot's place in the stream, and takes out of the settings' file what `join` wrote. The
    /// events of others stay in the log, and those of this depot stay with the others.
    #[command(after_long_help = "Example:\n  railfleet federation leave --data DIR")]
    Leave(LeaveArgs),
    /// Have all depots publish their events anew, for a log that lost some. Nothing that is here is appended again.
    ///
    /// An account with the role SUPER_ADMIN is needed, as for `status`. The command ends when they are asked; `status` says
    /// how far it is.
    #[command(
        after_long_help = "Example:\n  RAILFLEET_TOKEN=… railfleet federation resync --data DIR"
    )]
    Resync(AskArgs),
    /// Say that another depot is gone for good, so that its vehicles may be taken over here; with --back, that it is not.
    ///
    /// An account with the role SUPER_ADMIN is needed, as for `status`. Who says it, and why, stands in the trail.
    #[command(
        after_long_help = "Example:\n  RAILFLEET_TOKEN=… railfleet federation gone West --reason 'the depot burnt down' --data DIR"
    )]
    Gone(GoneArgs),
}

#[derive(Debug, Args)]
struct GoneArgs {
    /// What people call it, or its log's id where several have the name.
    depot: String,
    /// Why.
    #[arg(long)]
    reason: String,
    /// It is not gone, or has come back.
    #[arg(long)]
    back: bool,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, Args)]
struct AskArgs {
    /// An access token.
    #[arg(long, env = "RAILFLEET_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Log in with this account instead.
    #[arg(long, requires = "password_stdin", conflicts_with = "token")]
    user: Option<String>,
    /// Read the password from standard input.
    #[arg(long, requires = "user")]
    password_stdin: bool,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct StatusArgs {
    /// Print it as JSON, as the server says it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, Args)]
struct JoinArgs {
    /// A server of the broker, nats://HOST:PORT or tls://HOST:PORT; once for each of a cluster.
    #[arg(long = "server", value_name = "URL", required = true)]
    servers: Vec<String>,
    /// What people call this depot.
    #[arg(long)]
    name: String,
    /// A file of NATS credentials (.creds).
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// A PEM file of who signed the broker's certificates.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct LeaveArgs {
    /// Leave although the broker cannot be reached. It keeps this depot's place until somebody deletes that.
    #[arg(long)]
    without_broker: bool,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: FederationArgs) -> Result<ExitCode, CliError> {
    match args.command {
        FederationCommand::Status(args) => status(&args),
        FederationCommand::Join(args) => join(&args),
        FederationCommand::Leave(args) => leave(&args),
        FederationCommand::Resync(args) => resync(&args),
        FederationCommand::Gone(args) => gone(&args),
    }
}

fn status(args: &StatusArgs) -> Result<ExitCode, CliError> {
    let standing = Asking::begin(&args.ask)?.get("/api/v1/federation")?;
    if args.json {
        print(&standing.to_string());
    } else {
        tell(&standing).iter().for_each(|line| print(line));
    }
    Ok(ExitCode::SUCCESS)
}

/// How a depot stands, in lines for people.
fn tell(standing: &Value) -> Vec<String> {
    let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
    let log = text(standing, "log_id");
    if standing["enabled"] != true {
        return vec![format!(
            "This depot (log {log}) takes part in no federation."
        )];
    }
    let direction = |what: &str, works: &str, error: &str| {
        let why = text(standing, error);
        match standing[works] == true {
            true => format!("{what}: yes"),
            false if why.is_empty() => format!("{what}: not yet"),
            false => format!("{what}: no, {why}"),
        }
    };
    let mut lines = vec![
        format!("{} (log {log})", text(standing, "name")),
        format!(
            "{}; up to position {}",
            direction("  publishes", "publishes", "publish_error"),
            standing["published_position"]
        ),
        direction("  receives", "receives", "receive_error"),
    ];
    for depot in standing["depots"].as_array().into_iter().flatten() {
        let heard = match depot["last_contact"].as_str() {
            Some(when) => format!("last heard of at {when}"),
            None => "not heard of since the start".to_owned(),
        };
        let gone = match depot["gone"]["since"].as_str() {
            Some(since) => format!(", said to be gone since {since}"),
            None => String::new(),
        };
        lines.push(format!(
            "  {}: {} of {} received, {heard}{gone} (log {})",
            text(depot, "name"),
            depot["received_position"],
            depot["published_position"],
            text(depot, "log_id")
        ));
    }
    lines
}

fn resync(args: &AskArgs) -> Result<ExitCode, CliError> {
    Asking::begin(args)?.post("/api/v1/federation/resync", &json!({}))?;
    say("all depots that are connected publish their events anew");
    Ok(ExitCode::SUCCESS)
}

fn gone(args: &GoneArgs) -> Result<ExitCode, CliError> {
    let asking = Asking::begin(&args.ask)?;
    let standing = asking.get("/api/v1/federation")?;
    let log = log_of(&standing, &args.depot).map_err(CliError::Other)?;
    let what = if args.back { "back" } else { "gone" };
    let path = format!("/api/v1/federation/depots/{log}/{what}");
    asking.post(&path, &json!({ "reason": args.reason }))?;
    say(&match args.back {
        true => format!(
            "{} is not gone; what was taken over meanwhile stays until it is handed over",
            args.depot
        ),
        false => format!(
            "{} is gone; its vehicles may be taken over here",
            args.depot
        ),
    });
    Ok(ExitCode::SUCCESS)
}

/// The log of the depot that people call so, or whose log's id that is.
fn log_of<'a>(standing: &'a Value, depot: &str) -> Result<&'a str, String> {
    let depots = standing["depots"].as_array();
    let named = depots.into_iter().flatten();
    let named = named.filter(|other| other["name"] == depot || other["log_id"] == depot);
    let logs: Vec<&str> = named.filter_map(|other| other["log_id"].as_str()).collect();
    match logs[..] {
        [log] => Ok(log),
        [] => Err(format!("no depot called {depot} was heard of")),
        _ => Err(format!(
            "several depots are called {depot}; name it by its log's id: {}",
            logs.join(", ")
        )),
    }
}

fn join(args: &JoinArgs) -> Result<ExitCode, CliError> {
    let mut sources = args.data.sources();
    let absolute = |file: &Option<PathBuf>| file.as_deref().map(absolute).transpose();
    let wanted = Settings {
        servers: args.servers.clone(),
        name: args.name.clone(),
        credentials: absolute(&args.credentials)?,
        ca: absolute(&args.ca)?,
    };
    // Checked as they would be at the next start.
    sources.flags.extend(wanted.flags());
    let config = sources.load()?;
    if !config.data.is_dir() {
        let folder = config.data.display();
        return Err(CliError::Other(format!("there is no data folder {folder}")));
    }
    let broker = broker(&config.federation);
    small_runtime()?
        .block_on(broker.check(&wanted.name))
        .map_err(|error| CliError::Other(chain(&error)))?;
    let file = args.data.settings_file();
    wanted.write(&file)?;
    let told = &args.data.load()?.federation;
    if told.servers != wanted.servers || told.name != wanted.name {
        say(
            "the command line or the environment says otherwise, and goes before the settings' file",
        );
        return Ok(ExitCode::FAILURE);
    }
    say(&format!(
        "{}: the broker gives the stream; the server takes part from its next start on",
        file.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn leave(args: &LeaveArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    if config.federation.servers.is_empty() {
        let why = "this depot takes part in no federation";
        return Err(CliError::Other(why.to_owned()));
    }
    require_log(&config)?;
    // A server that runs would take its place again.
    let log = open_log(&config, Arc::new(SystemClock))?;
    let id = log.log_id();
    log.close();
    let forgotten = small_runtime()?.block_on(forget(&config, id));
    match forgotten {
        Ok(()) => {}
        Err(error) if args.without_broker => {
            say(&format!(
                "the broker keeps the place depot-{}: {error}",
                id.simple()
            ));
        }
        Err(error) => {
            let why = format!("{error}; --without-broker leaves all the same");
            return Err(CliError::Other(why));
        }
    }
    let file = args.data.settings_file();
    Settings::remove(&file)?;
    if !args.data.load()?.federation.servers.is_empty() {
        say("the command line or the environment still names the broker");
        return Ok(ExitCode::FAILURE);
    }
    say(&format!(
        "{}: this depot takes part no longer",
        file.display()
    ));
    Ok(ExitCode::SUCCESS)
}

async fn forget(config: &Config, log: uuid::Uuid) -> Result<(), String> {
    let broker: Broker = broker(&config.federation);
    let forgotten = broker.forget(&config.federation.name, log).await;
    forgotten.map_err(|error| chain(&error))
}

/// A path that means the same wherever the server is started.
fn absolute(file: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(file).map_err(CliError::io(format!("cannot find {}", file.display())))
}

#[cfg(test)]
mod tests;

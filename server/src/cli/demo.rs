//! `railfleet demo`: a depot to look at. Fills a folder with the simulated history once, serves it, and says what to try.

mod depot;
mod fill;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fleet::policy::Role;
use storage::{Log, SystemClock, Timestamp};

use super::serve::{begin_logging, serve};
use super::{CliError, DataArgs, ListenArgs, ingest, open_accounts_of, print, say, small_runtime};
use crate::app::{AppState, open_log};
use crate::auth::{Accounts, NewAccount};
use crate::config::Config;
use crate::demo::{DEFAULT_SEED, Options};
use crate::ingest::{IngestOptions, Input, Mapping};
use crate::rfc3339;
use depot::{Depot, Plan};
use fill::DemoClock;

/// The demo's accounts, the first of which the token is for.
const ACCOUNTS: [(&str, Role); 3] = [
    ("admin", Role::SuperAdmin),
    ("planner", Role::WorkshopManager),
    ("technician", Role::Technician),
];
/// How long the printed token lasts: a day of looking around.
const TOKEN_LIFETIME: Duration = Duration::from_secs(86_400);
/// How long each read model may take to take in the history before lines to try are printed all the same.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(120);
/// The mapping of the real history.
const HISTORY_MAPPING: &str = "ttc-subway";

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// The demo's data folder; refused if it holds anything else.
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    data: PathBuf,
    /// Also take in the real incidents of a metro: the CSV file that the mapping ttc-subway is for.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The same seed gives the same depot.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Vehicles of the depot.
    #[arg(long, value_name = "N", default_value_t = Options::default().vehicles as u64,
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    vehicles: u64,
    /// Days of its history.
    #[arg(long, value_name = "N", default_value_t = Options::default().days,
          value_parser = clap::value_parser!(i64).range(1..=7_300))]
    days: i64,
    /// Fill the folder and end.
    #[arg(long)]
    no_serve: bool,
    /// The settings' file, instead of `railfleet.toml` in the data folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set an option, for example `http.page_limit_max=200`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    listen: ListenArgs,
}

pub(super) fn run(args: DemoArgs) -> Result<ExitCode, CliError> {
    let data = DataArgs {
        data: args.data.clone(),
        config: args.config.clone(),
        set: args.set.clone(),
    };
    let config = args.listen.load(&data)?;
    begin_logging(&config);
    let (depot, token) = prepare(&args, &config)?;
    introduce(&depot, &config);
    if args.no_serve {
        return Ok(ExitCode::SUCCESS);
    }
    serve(config, |address, state| {
        print(&format!("railfleet listens on http://{address}"));
        tokio::spawn(invite(address, depot, token, state.clone()));
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Fills the folder as far as it is not filled yet, and makes a token.
fn prepare(args: &DemoArgs, config: &Config) -> Result<(Depot, String), CliError> {
    let history = match &args.history {
        Some(path) => Some(history_options(path, config)?),
        None => None,
    };
    let plan = Plan::new(
        args.seed,
        Options {
            vehicles: usize::try_from(args.vehicles).unwrap_or(usize::MAX),
            days: args.days,
            ..Options::default()
        },
    );
    let mut depot = Depot::claim(config, plan)?;
    let clock = Arc::new(DemoClock::default());
    let log = Arc::new(open_log(config, clock.clone())?);
    if !depot.is_filled() {
        say("filling the demo depot, which is done once");
        let filled = fill::fill(&log, &clock, depot.plan())
            .map_err(|error| CliError::Other(format!("the demo cannot be filled: {error}")))?;
        depot.filled(config, filled)?;
    }
    if let Some(options) = history {
        ingest::take(&log, &options)?;
    }
    let token = provide_accounts(config, &log, &depot)?;
    if let Some(log) = Arc::into_inner(log) {
        log.close();
    }
    Ok((depot, token))
}

fn history_options(path: &Path, config: &Config) -> Result<IngestOptions, CliError> {
    let doing = format!("cannot read {}", path.display());
    std::fs::File::open(path).map_err(CliError::io(doing))?;
    let mut options = IngestOptions::new(Input::File(path.to_owned()));
    options.mapping = Some(Mapping::load(HISTORY_MAPPING)?);
    options.checkpoints = Some(ingest::checkpoints_folder(config));
    Ok(options)
}

/// Adds the accounts that are not there yet; a token for the first of them.
fn provide_accounts(config: &Config, log: &Arc<Log>, depot: &Depot) -> Result<String, CliError> {
    let mut config = config.clone();
    config.auth.access_lifetime = TOKEN_LIFETIME;
    let accounts: Accounts = open_accounts_of(&config, log.clone(), Arc::new(SystemClock))?;
    let runtime = small_runtime()?;
    for (name, role) in ACCOUNTS {
        if accounts.directory().find(name).is_some() {
            continue;
        }
        let new = NewAccount {
            username: name.to_owned(),
            email: format!("{name}@demo.example"),
            password: depot.password(name)?,
            role,
        };
        runtime.block_on(accounts.register_locally(new))?;
    }
    let (name, _) = ACCOUNTS[0];
    let account = accounts.directory().find(name).cloned();
    let account = account.ok_or_else(|| CliError::Other(format!("there is no account {name}")))?;
    Ok(accounts.local_token(&account)?)
}

fn introduce(depot: &Depot, config: &Config) {
    print(&format!(
        "{} vehicles over {} days, {} events, in {}",
        depot.plan().vehicles,
        depot.plan().days,
        depot.events(),
        config.data.display()
    ));
    for (name, role) in ACCOUNTS {
        let password = depot.password(name).unwrap_or_default();
        print(&format!("  {name:<10}  {password}  {role}"));
    }
}

/// Says what to try, once the read models have taken in the history: nobody should be shown an empty list first. Each line
/// can be pasted into a shell as it stands.
async fn invite(address: SocketAddr, depot: Depot, token: String, state: AppState) {
    let filled = state.log.durable_position();
    for projection in state.projections.status() {
        let name = projection.name;
        if !state
            .projections
            .reach(name, filled, CATCH_UP_PATIENCE)
            .await
        {
            tracing::warn!(projection = name, "still takes in the history");
        }
    }
    print(&format!("  browse http://{address}/docs, or try:\n"));
    print(&format!("export ADDRESS=http://{address}"));
    print(&format!("export TOKEN={token}\n"));
    for line in lines_to_try(depot.first_vehicle(), depot.middle()) {
        print(&line);
    }
}

/// A vehicle's history, its state then, who had most to do, what happened each day, and an event of one's own.
fn lines_to_try(vehicle: &str, then: Timestamp) -> [String; 5] {
    let get = |path: String| {
        format!("curl -sS -H \"Authorization: Bearer $TOKEN\" \"$ADDRESS/api/v1{path}\"")
    };
    let stream = format!("aggregate_type=Vehicle&aggregate_id={vehicle}");
    [
        get(format!("/events?{stream}&limit=5")),
        get(format!(
            "/time-travel/state-at?{stream}&at={}",
            rfc3339::to_string(then)
        )),
        get("/projections/current_state/data?aggregate_type=Vehicle&busiest=5".to_owned()),
        get("/projections/event_counts/data?event_type=VehicleIncidentReported".to_owned()),
        format!(
            "curl -sS -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d \
             '{{\"aggregate_type\":\"Vehicle\",\"aggregate_id\":\"{vehicle}\",\"event_type\":\"NoteAdded\",\
             \"data\":{{\"text\":\"seen today\"}}}}' \"$ADDRESS/api/v1/events\""
        ),
    ]
}

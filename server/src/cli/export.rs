//! `railfleet export`: what a data folder holds now, written into an empty Phase 2 schema. The way back.
//!
//! Ends as `railfleet import` does: with 0 when every row is there as the log says it, 10 when some are not, 1 when it could
//! not, 130 when it was interrupted. Unless it ends with 0 or 10, nothing was written.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use migrate_from_postgres::shape::Selection;
use migrate_from_postgres::source::Address;
use migrate_from_postgres::zone::Zone;
use migrate_from_postgres::{Progress, Wanted, export};
use storage::SystemClock;

use super::import::{Direction, Meter, PASSWORD_VARIABLE, REPORTS_FOLDER, stop_on_signals, tell};
use super::{CliError, DataArgs, require_log};
use crate::app::open_log;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The database, with the tables of Phase 2 and no rows in them: postgres://user@host:5432/name. The password may stand
    /// in PGPASSWORD.
    #[arg(
        long,
        value_name = "URL",
        env = "RAILFLEET_EXPORT_TO",
        hide_env_values = true
    )]
    to: String,
    /// The time zone that the old server's sessions will have: times that clients sent are written as its clocks show them.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    assume_timezone: Zone,
    /// Only these tables.
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    only: Vec<String>,
    /// Not these tables.
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    skip: Vec<String>,
    /// Write nothing where a report would have to mention anything, or a table is missing.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: ExportArgs) -> Result<ExitCode, CliError> {
    let password = std::env::var(PASSWORD_VARIABLE).ok();
    let address = Address::parse(&args.to, password.as_deref())
        .map_err(|error| CliError::Other(error.to_string()))?;
    let wanted = Wanted {
        address,
        selection: Selection {
            only: args.only,
            skip: args.skip,
        },
        zone: args.assume_timezone,
        strict: args.strict,
        events: false,
    };
    let config = args.data.load()?;
    require_log(&config)?;
    let stop = stop_on_signals()?;
    let log = open_log(&config, Arc::new(SystemClock))?;
    let mut meter = Meter::new();
    let mut watch = |progress: Progress| meter.show(progress);
    let outcome = export(&log, &wanted, &mut watch, &stop);
    meter.clear();
    log.close();
    tell(
        Direction::Out,
        outcome,
        Some(&config.data.join(REPORTS_FOLDER)),
    )
}

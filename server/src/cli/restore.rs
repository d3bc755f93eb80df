//! `railfleet restore`: a data folder's log out of a backup, whole or up to a position.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use storage::Position;

use super::{CliError, DataArgs, chain, log_folder, print};
use crate::auth::keys::create_private_folder;

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup's folder.
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// Up to this position; everything if absent.
    #[arg(long, value_name = "POSITION")]
    to_position: Option<u64>,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: RestoreArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    create_private_folder(&config.data).map_err(CliError::io(format!(
        "cannot create {}",
        config.data.display()
    )))?;
    let up_to = args.to_position.map(Position::new);
    let report = storage::restore(&log_folder(&args.from), &config.log_folder(), up_to)
        .map_err(|error| CliError::Other(chain(&error)))?;
    print(&format!(
        "restored to position {} in {} segments",
        report.position, report.segments
    ));
    Ok(ExitCode::SUCCESS)
}

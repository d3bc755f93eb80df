//! `railfleet backup`: a copy of the log that no server has open. A running server makes its own backups, on
//! `POST /api/v1/operations/backups`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use storage::SystemClock;

use super::{CliError, DataArgs, chain, print};
use crate::app::open_log;

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The folder to copy to; it must not exist, or be empty.
    #[arg(value_name = "TO")]
    to: PathBuf,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: BackupArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    if !config.log_folder().is_dir() {
        return Err(CliError::Other(format!(
            "there is no log in {}",
            config.data.display()
        )));
    }
    let log = open_log(&config, Arc::new(SystemClock))?;
    let report = log
        .backup(&args.to)
        .map_err(|error| CliError::Other(chain(&error)))?;
    print(&format!(
        "backed up to position {}: {} segments, of them {} linked, {} bytes copied",
        report.position, report.segments, report.linked, report.bytes_copied
    ));
    Ok(ExitCode::SUCCESS)
}

//! `railfleet backup`: a copy of a log that no server has open. A running server makes its own backups, on
//! `POST /api/v1/operations/backups`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use storage::SystemClock;

use super::{CliError, DataArgs, chain, print, require_log};
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
    require_log(&config)?;
    let log = open_log(&config, Arc::new(SystemClock))?;
    let report = log
        .backup(&args.to)
        .map_err(|error| CliError::Other(chain(&error)))?;
    log.close();
    print(&format!(
        "backed up to position {} into {}: {} segments, of them {} linked, {} bytes copied",
        report.position,
        args.to.display(),
        report.segments,
        report.linked,
        report.bytes_copied
    ));
    if report.archived > 0 {
        print(&format!(
            "{} of the segments lie in the archive, and are not in the copy: it needs the archive, and archive.to",
            report.archived
        ));
    }
    if report.linked > 0 {
        print("linked segments share the disk with the log: copy the folder to another disk");
    }
    Ok(ExitCode::SUCCESS)
}

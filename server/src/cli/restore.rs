//! `railfleet restore`: a data folder's log out of a backup, whole or up to a position, verified before it is called
//! restored. Read models are not part of a backup: the first start makes them from the log.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use storage::{Position, VerifyOptions};

use super::{CliError, DataArgs, chain, log_folder, print};
use crate::auth::keys::create_private_folder;

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup's folder, or a data folder that no server has open.
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// Up to this position, or the end of the last whole transaction before it; everything if absent.
    #[arg(long, value_name = "N")]
    position: Option<u64>,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: RestoreArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    let data = config.data.display();
    create_private_folder(&config.data).map_err(CliError::io(format!(
        "cannot create the data folder {data}"
    )))?;
    let (from, to) = (log_folder(&args.from), config.log_folder());
    let report = storage::restore(&from, &to, args.position.map(Position::new))
        .map_err(|error| CliError::Other(format!("nothing was restored: {}", chain(&error))))?;
    let verified = storage::verify(&to, &VerifyOptions::default()).map_err(|error| {
        CliError::Other(format!(
            "the restored log cannot be verified: {}",
            chain(&error)
        ))
    })?;
    if let Some(problem) = verified.problems.first() {
        return Err(CliError::Other(format!(
            "the restored log is damaged, restore another backup: {}: {}",
            problem.file, problem.what
        )));
    }
    print(&format!(
        "restored {} events up to position {} into {data}, and verified them",
        verified.events, report.position
    ));
    Ok(ExitCode::SUCCESS)
}

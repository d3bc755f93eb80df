//! `railfleet checkpoint`: a signed note of what a log is, from the machine itself. A running server gives one on
//! `GET /api/v1/audit/checkpoint`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use storage::SystemClock;

use super::{CliError, DataArgs, chain, print, require_log, say};
use crate::app::open_log;
use crate::audit::Checkpoints;

#[derive(Debug, Args)]
pub(super) struct CheckpointArgs {
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: &CheckpointArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    require_log(&config)?;
    let log = open_log(&config, Arc::new(SystemClock))?;
    let refused = |error| CliError::Other(chain(&error));
    let checkpoints =
        Checkpoints::open(&log, &config.data, &config.keys_folder()).map_err(refused)?;
    let signed = checkpoints.keep(&log).map_err(refused)?;
    log.close();
    print(signed.note.trim_end());
    say(&format!("the public key is {}", checkpoints.verifier()));
    Ok(ExitCode::SUCCESS)
}

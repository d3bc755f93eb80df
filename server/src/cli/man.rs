//! `railfleet man`: the manual pages, one a command, made from the same definition as `--help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use super::{Cli, CliError};

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder to write them into; it must exist.
    #[arg(value_name = "TO")]
    to: PathBuf,
}

pub(super) fn run(args: &ManArgs) -> Result<ExitCode, CliError> {
    clap_mangen::generate_to(Cli::command(), &args.to).map_err(CliError::io(format!(
        "cannot write the manual pages into {}",
        args.to.display()
    )))?;
    Ok(ExitCode::SUCCESS)
}

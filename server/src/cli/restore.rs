//! `railfleet restore`: a data folder's log out of a backup, whole or up to a position, verified before it is called
//! restored. Read models are not part of a backup: the first start makes them from the log.

mod new_depot;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use storage::{Position, VerifyError, VerifyOptions};

use super::{CliError, DataArgs, chain, log_folder, print};
use crate::archive;
use crate::auth::keys::create_private_folder;

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup's folder, or a data folder that no server has open.
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// Up to this position, or the end of the last whole transaction before it; everything if absent.
    #[arg(long, value_name = "N")]
    position: Option<u64>,
    /// Make another depot of it: a log with an id of its own, which has of the backup what happened to the fleet, each event
    /// with the depot that recorded it. Accounts and tablets are not taken along.
    #[arg(long)]
    as_new_depot: bool,
    /// The folder `keys` of the depot that the backup is of; without it nobody's personal fields could be taken along.
    #[arg(long, value_name = "DIR", requires = "as_new_depot")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: RestoreArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    if args.as_new_depot {
        let from = log_folder(&args.from);
        let position = args.position.map(Position::new);
        let adopted = new_depot::restore(&from, position, args.keys.as_deref(), &config)?;
        print(&format!(
            "a new depot in {} has {} events that {} depots recorded; {} of the other server itself were left behind. Make \
             accounts with railfleet user add. What the backup lacked of other depots comes by POST /federation/resync",
            config.data.display(),
            adopted.events,
            adopted.logs,
            adopted.left
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let data = config.data.display();
    create_private_folder(&config.data).map_err(CliError::io(format!(
        "cannot create the data folder {data}"
    )))?;
    let (from, to) = (log_folder(&args.from), config.log_folder());
    let tier = archive::options(&config).map_err(|error| CliError::Other(chain(&error)))?;
    let position = args.position.map(Position::new);
    let report = storage::restore_tiered(&from, &to, position, tier.as_ref())
        .map_err(|error| CliError::Other(format!("nothing was restored: {}", chain(&error))))?;
    let options = VerifyOptions {
        tier,
        ..VerifyOptions::default()
    };
    let verified = match storage::verify(&to, &options) {
        Ok(verified) => verified,
        // It is as good as its backup, and the depot wants to go on.
        Err(error @ VerifyError::Archived { .. }) => {
            print(&format!(
                "restored up to position {} into {data}; NOT verified, for {} of its segments lie in the archive: {}. Run `railfleet verify` once it can be reached",
                report.position,
                report.archived,
                chain(&error)
            ));
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => {
            return Err(CliError::Other(format!(
                "the restored log cannot be verified: {}",
                chain(&error)
            )));
        }
    };
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

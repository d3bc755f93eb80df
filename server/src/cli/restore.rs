//! `railfleet restore`: a data folder's log out of a backup, whole or up to a position, verified before it is called
//! restored. Read models are not part of a backup: the first start makes them from the log. Neither are the keys of people, and
//! those nothing makes again: what has to be done about them is said in the end.

mod new_depot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use storage::{DirectoryLock, Position, Timestamp, VerifyError, VerifyOptions};

use super::verify::lost_people;
use super::{CliError, DataArgs, chain, log_folder, print};
use crate::archive::{self, Scratch};
use crate::auth::keys::create_private_folder;
use crate::privacy::{lost, store};

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
    let from = log_folder(&args.from);
    // A log that is being written has an end that moves. A backup has no lock, or one that only those hold who read it as well.
    let _reading = DirectoryLock::take_if_there(&from).map_err(|error| {
        CliError::Other(format!(
            "nothing was restored from {}: {}; restore from a backup, or stop what has it open",
            args.from.display(),
            chain(&error)
        ))
    })?;
    if args.as_new_depot {
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
    let to = config.log_folder();
    // What a running server has fetched, and is fetching, lies in the folder that the settings name.
    let place = config.fetched_folder();
    let fetched = Scratch::of_restore(&config).map_err(CliError::io(format!(
        "cannot make a folder in {}",
        place.display()
    )))?;
    let tier = archive::options_in(&config, fetched.path())
        .map_err(|error| CliError::Other(chain(&error)))?;
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
            tell_keys(&config.keys_folder(), None);
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
    tell_keys(&config.keys_folder(), Some(&verified.covered));
    Ok(ExitCode::SUCCESS)
}

fn tell_keys(keys: &Path, covered: Option<&BTreeMap<Box<str>, Timestamp>>) {
    for line in about_keys(keys, covered) {
        print(&line);
    }
}

/// What has to be done about keys of people, which no backup of a log holds. `covered` has whose fields lie in the log, where
/// that is known.
fn about_keys(keys: &Path, covered: Option<&BTreeMap<Box<str>, Timestamp>>) -> Vec<String> {
    if covered.is_some_and(BTreeMap::is_empty) {
        return Vec::new();
    }
    let copy = format!(
        "copy the depot's folder keys to {} before the first start, which would make new ones",
        keys.display()
    );
    let mut lines = Vec::new();
    match covered.map(|covered| lost_people(keys, covered)) {
        Some(Ok(people)) if people.is_empty() => {}
        Some(Ok(people)) => lines.push(format!(
            "the keys of {} people whose fields lie in it are not there: {}; {copy}",
            people.len(),
            lost::named(&people)
        )),
        Some(Err(error)) => lines.push(format!("{}; {copy}", chain(&error))),
        None if keys.join(store::FILE_NAME).exists() => {}
        None => lines.push(format!("a backup has no keys of people: {copy}")),
    }
    lines.push(
        "who was erased after this backup stays so with the keys as they are now; where the keys are an old copy as well, erase them again, from your list of requests"
            .to_owned(),
    );
    lines
}

#[cfg(test)]
mod tests;

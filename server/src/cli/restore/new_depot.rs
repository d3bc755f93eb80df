//! A new depot out of another's backup: the backup is restored aside, opened with that depot's keys, and what it holds of the
//! fleet is appended to a log of the new depot's own, sealed by keys of its own.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use federation::{Adopted, adopt};
use storage::{Position, SystemClock, VerifyOptions};

use super::super::{CliError, chain};
use crate::app::{StartError, open_log_and_keys};
use crate::auth::keys::create_private_folder;
use crate::config::Config;
use crate::privacy::StoreError;

/// The folders within the data folder while it is being made.
const ASIDE: &str = "restoring-from";
const NEW: &str = "restoring-new";
/// What is said where the other depot's keys do not open.
const OTHER_MASTER: &str = "the master key does not open the keys that --keys names; set privacy.master_key to the one of the depot that \
                            they are of, or name a folder that has its master.key";
/// What is said where the file of keys is damaged at its beginning.
const FIRST_LINE: &str = "the first line of people.keys in the folder that --keys names is damaged; put the first line of a copy of the file in its place, \
                          or name the folder of a copy";

/// Makes a new depot in the data folder of `config`, which must have neither a log nor keys, from the log in `from`, up to a
/// position if there is one. `keys` is the other depot's folder of keys.
///
/// # Errors
/// Nothing is left behind then, but what a crash leaves in the two folders above, which the next try removes.
pub(super) fn restore(
    from: &Path,
    position: Option<Position>,
    keys: Option<&Path>,
    config: &Config,
) -> Result<Adopted, CliError> {
    let parts = [
        config.keys_folder(),
        config.federation_folder(),
        config.log_folder(),
    ];
    let [keys_folder, federation, log] = &parts;
    let mut there = [keys_folder, federation]
        .into_iter()
        .find(|part| part.exists());
    // What a start leaves that was refused is no log yet, and goes.
    let cannot_look = CliError::io(format!("cannot look at {}", log.display()));
    if there.is_none() && !storage::remove_unbegun(log).map_err(cannot_look)? {
        there = Some(log);
    }
    if let Some(there) = there {
        let text = "a new depot is made in a folder that has none yet, and there is";
        return Err(CliError::Other(format!("{text} {}", there.display())));
    }
    let (aside, new) = (config.data.join(ASIDE), config.data.join(NEW));
    let made = make(from, position, keys, &at(config, &aside), &at(config, &new));
    let moved = made.and_then(|adopted| {
        // The log comes last: what has none is no depot.
        let made = at(config, &new);
        let made = [
            made.keys_folder(),
            made.federation_folder(),
            made.log_folder(),
        ];
        for (from, to) in made.iter().zip(&parts) {
            let cannot = CliError::io(format!("cannot name {} as it is to be", to.display()));
            fs::rename(from, to).map_err(cannot)?;
        }
        Ok(adopted)
    });
    for folder in [&aside, &new] {
        // What cannot be removed is removed by the next try.
        let _ = fs::remove_dir_all(folder);
    }
    moved
}

fn make(
    from: &Path,
    position: Option<Position>,
    keys: Option<&Path>,
    aside: &Config,
    new: &Config,
) -> Result<Adopted, CliError> {
    for folder in [&aside.data, &new.data] {
        let cannot = CliError::io(format!("cannot make the folder {}", folder.display()));
        let made = match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => create_private_folder(folder),
        };
        made.map_err(cannot)?;
    }
    let other = |text: String| CliError::Other(format!("nothing was restored: {text}"));
    storage::restore(from, &aside.log_folder(), position).map_err(|error| other(chain(&error)))?;
    if let Some(keys) = keys {
        copy_keys(keys, &aside.keys_folder())?;
    }
    let open = |config: &Config| {
        open_log_and_keys(config, Arc::new(SystemClock)).map_err(|error| match error {
            StartError::People(
                StoreError::Unopened { .. }
                | StoreError::OpensAside { .. }
                | StoreError::NoMaster { .. },
            ) => other(OTHER_MASTER.to_owned()),
            StartError::People(StoreError::FirstLine { .. }) => other(FIRST_LINE.to_owned()),
            error => other(chain(&error)),
        })
    };
    let (old_log, old_keys) = open(aside)?;
    let (new_log, _) = open(new)?;
    let adopted = adopt(&old_log, &new_log, &new.federation_folder());
    let adopted = adopted.map_err(|error| other(chain(&error)))?;
    let lost = old_keys.store().lost().len();
    if lost > 0 {
        return Err(other(format!(
            "the backup holds personal fields of {lost} people that these keys do not open; give the folder keys of the \
             depot that it is of with --keys"
        )));
    }
    drop((old_log, new_log));
    let verified = storage::verify(&new.log_folder(), &VerifyOptions::default());
    let verified = verified.map_err(|error| other(chain(&error)))?;
    match verified.problems.first() {
        None => Ok(adopted),
        Some(problem) => Err(other(format!("{}: {}", problem.file, problem.what))),
    }
}

fn copy_keys(from: &Path, to: &Path) -> Result<(), CliError> {
    let copy = || {
        create_private_folder(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
        Ok(())
    };
    copy().map_err(CliError::io(format!(
        "cannot read the keys in {}",
        from.display()
    )))
}

/// The same settings for another data folder.
fn at(config: &Config, data: &Path) -> Config {
    Config {
        data: data.to_owned(),
        ..config.clone()
    }
}

#[cfg(test)]
mod tests;

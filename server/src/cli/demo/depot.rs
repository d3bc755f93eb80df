//! What a folder says of the demo in it: which one it is, whether it is whole, and the passwords it was given.
//!
//! The passwords stand there because a second run has to print them again; they are made for this folder and are good
//! nowhere else. The file is its owner's alone, like the folder.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use fleet::calendar::Date;
use serde::{Deserialize, Serialize};
use storage::Timestamp;

use super::super::{CliError, holds_log};
use super::ACCOUNTS;
use super::fill::Filled;
use crate::auth::keys::create_private_folder;
use crate::config::Config;
use crate::demo::Options;

/// The file's name in the data folder.
const FILE_NAME: &str = "demo.json";
/// Characters of passwords: none that is mistaken for another. Their number divides 256, so that all are as likely.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a password: 100 bits.
const PASSWORD_CHARS: usize = 20;

/// Which demo.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) vehicles: usize,
    pub(super) days: i64,
    /// The last day: year, month, day.
    end: (i64, i64, i64),
}

impl Plan {
    pub(super) fn new(seed: u64, options: Options) -> Self {
        let Date { year, month, day } = options.end;
        Plan {
            seed,
            vehicles: options.vehicles,
            days: options.days,
            end: (year, month, day),
        }
    }

    pub(super) fn options(&self) -> Options {
        let (year, month, day) = self.end;
        Options {
            vehicles: self.vehicles,
            days: self.days,
            end: Date { year, month, day },
        }
    }
}

/// A demo's folder.
#[derive(Serialize, Deserialize)]
pub(super) struct Depot {
    plan: Plan,
    /// What it was filled with; absent while that is not done.
    filled: Option<Filled>,
    passwords: BTreeMap<String, String>,
}

impl Depot {
    /// Takes the folder for this demo, or finds that it is this demo's already.
    ///
    /// # Errors
    /// When it holds something else, or cannot be written.
    pub(super) fn claim(config: &Config, plan: Plan) -> Result<Depot, CliError> {
        let path = path(config);
        let data = config.data.display();
        let depot = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Depot>(&bytes).map_err(|error| {
                CliError::Other(format!(
                    "{} says nothing of a demo: {error}",
                    path.display()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if holds_log(&config.log_folder()) {
                    return Err(CliError::Other(format!(
                        "{data} holds a log that is no demo's: name another folder with --data"
                    )));
                }
                let depot = Depot::new(plan.clone())?;
                depot.write(config)?;
                depot
            }
            Err(source) => {
                return Err(CliError::io(format!("cannot read {}", path.display()))(
                    source,
                ));
            }
        };
        if depot.plan != plan {
            let Plan {
                seed,
                vehicles,
                days,
                ..
            } = depot.plan;
            return Err(CliError::Other(format!(
                "{data} holds another demo (seed {seed}, {vehicles} vehicles, {days} days): ask for that one, or name \
                 another folder with --data"
            )));
        }
        Ok(depot)
    }

    fn new(plan: Plan) -> Result<Depot, CliError> {
        let mut passwords = BTreeMap::new();
        for (name, _) in ACCOUNTS {
            passwords.insert(name.to_owned(), new_password()?);
        }
        Ok(Depot {
            plan,
            filled: None,
            passwords,
        })
    }

    /// Remembers that the folder is filled.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(super) fn filled(&mut self, config: &Config, filled: Filled) -> Result<(), CliError> {
        self.filled = Some(filled);
        self.write(config)
    }

    pub(super) fn is_filled(&self) -> bool {
        self.filled.is_some()
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Events of the made-up history.
    pub(super) fn events(&self) -> u64 {
        self.filled.as_ref().map_or(0, |filled| filled.events)
    }

    /// The vehicle that the history begins with.
    pub(super) fn first_vehicle(&self) -> &str {
        self.filled
            .as_ref()
            .map_or("", |filled| &filled.first_vehicle)
    }

    /// Midnight in the middle of the history.
    pub(super) fn middle(&self) -> Timestamp {
        Timestamp::from_micros(self.filled.as_ref().map_or(0, |filled| filled.middle))
    }

    /// The password that the account of this name was given in the beginning.
    ///
    /// # Errors
    /// When the file has none.
    pub(super) fn password(&self, name: &str) -> Result<String, CliError> {
        let missing = || CliError::Other(format!("{FILE_NAME} has no password for {name}"));
        self.passwords.get(name).cloned().ok_or_else(missing)
    }

    /// Written under another name first: a crash leaves the old file or the new one.
    fn write(&self, config: &Config) -> Result<(), CliError> {
        let path = path(config);
        let written = (|| {
            create_private_folder(&config.data)?;
            let draft = path.with_extension("new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(&config.data)?.sync_all()
        })();
        written.map_err(CliError::io(format!("cannot write {}", path.display())))
    }
}

fn path(config: &Config) -> PathBuf {
    config.data.join(FILE_NAME)
}

fn new_password() -> Result<String, CliError> {
    let mut bytes = [0; PASSWORD_CHARS];
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::Other(format!("no random bytes for a password: {error}")))?;
    let letters = bytes.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    Ok(letters.iter().collect())
}

//! From flags, environment and file to a [`Config`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Value;

use super::options::{OPTIONS, OptionSpec};
use super::{Config, FILE_NAME};

/// Bytes of a configuration file; a larger one is something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is too large to be one.
    #[error("{path} is larger than a configuration can be")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is no TOML.
    #[error("{path} is no valid TOML: {fault}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where, and what; not what stands there, which may be a secret.
        fault: String,
    },
    /// There is no such option.
    #[error("{origin} sets {key:?}, which does not exist{}", suggestion.as_ref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default())]
    UnknownKey {
        /// Where it was set.
        origin: String,
        /// What was set.
        key: String,
        /// An option with a similar name.
        suggestion: Option<&'static str>,
    },
    /// The value is not allowed.
    #[error("{origin}: {key} {reason}")]
    Invalid {
        /// Where it was set.
        origin: String,
        /// The option.
        key: &'static str,
        /// What is allowed.
        reason: String,
    },
    /// A flag that is not `KEY=VALUE`.
    #[error("--set {given:?} is not KEY=VALUE")]
    Flag {
        /// What was given.
        given: String,
    },
}

/// Where settings may come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The data folder.
    pub data: PathBuf,
    /// The file, if one was named; otherwise [`FILE_NAME`] in the data folder is read if it exists.
    pub file: Option<PathBuf>,
    /// The environment, as (name, value).
    pub environment: Vec<(String, String)>,
    /// `KEY=VALUE` of the command line, the later ones winning.
    pub flags: Vec<String>,
}

impl Sources {
    /// The settings.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut config = Config::new(&self.data);
        for (option, text, origin) in self.settings()? {
            apply(&mut config, option, &text, &origin)?;
        }
        Ok(config)
    }

    /// Every setting that was made, weakest source first: option, text, origin.
    ///
    /// # Errors
    /// As [`Sources::load`], without the checks of values.
    pub fn settings(&self) -> Result<Vec<(&'static OptionSpec, String, String)>, ConfigError> {
        let mut settings = self.read_file()?;
        for option in OPTIONS {
            // Of one option's variables the new name is the stronger one.
            let names = option
                .old_names
                .iter()
                .map(|name| (*name).to_owned())
                .chain([option.variable()]);
            for name in names {
                if let Some((_, value)) = self.environment.iter().find(|(known, _)| *known == name)
                {
                    settings.push((
                        option,
                        value.clone(),
                        format!("environment variable {name}"),
                    ));
                }
            }
        }
        for given in &self.flags {
            let Some((key, value)) = given.split_once('=') else {
                return Err(ConfigError::Flag {
                    given: given.clone(),
                });
            };
            settings.push((
                find(key, "the command line")?,
                value.to_owned(),
                "the command line".to_owned(),
            ));
        }
        Ok(settings)
    }

    fn read_file(&self) -> Result<Vec<(&'static OptionSpec, String, String)>, ConfigError> {
        let path = match &self.file {
            Some(path) => path.clone(),
            None => self.data.join(FILE_NAME),
        };
        let Some(text) = read(&path, self.file.is_none())? else {
            return Ok(Vec::new());
        };
        let table = toml::from_str::<toml::Table>(&text).map_err(|error| ConfigError::Toml {
            path: path.clone(),
            fault: fault(&text, error.message(), error.span()),
        })?;
        let mut flat = BTreeMap::new();
        flatten("", Value::Table(table), &mut flat);
        let origin = path.display().to_string();
        flat.into_iter()
            .map(|(key, text)| Ok((find(&key, &origin)?, text, origin.clone())))
            .collect()
    }
}

/// What is wrong with a settings' file, and where. What the parsers print shows the line as well, and a key may stand there.
pub(crate) fn fault(text: &str, message: &str, span: Option<Range<usize>>) -> String {
    // Of a number that is too large for one it is said which.
    let what = match message.starts_with("invalid type: ") {
        true => "a value that no setting has",
        false => message,
    };
    let Some(before) = span.and_then(|span| text.get(..span.start)) else {
        return what.to_owned();
    };
    let line = before.matches('\n').count() + 1;
    let in_line = before.rsplit('\n').next().unwrap_or_default();
    let column = in_line.chars().count() + 1;
    format!("line {line}, column {column}: {what}")
}

/// Variables that look like ours and are none. They are reported and not refused: an environment is shared.
pub fn unknown_variables(environment: &[(String, String)]) -> Vec<&str> {
    let known = |name: &str| {
        matches!(name, "RAILFLEET_DATA" | "RAILFLEET_CONFIG")
            || OPTIONS.iter().any(|option| option.variable() == name)
    };
    environment
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with("RAILFLEET_") && !known(name))
        .collect()
}

fn read(path: &Path, optional: bool) -> Result<Option<String>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => Err(ConfigError::TooLarge {
            path: path.to_owned(),
        }),
        Ok(_) => std::fs::read_to_string(path).map(Some).map_err(unreadable),
        Err(error) if optional && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

/// Nested tables become keys with dots, lists become text with commas.
fn flatten(prefix: &str, value: Value, flat: &mut BTreeMap<String, String>) {
    let text = match value {
        Value::Table(table) => {
            for (key, value) in table {
                let key = if prefix.is_empty() {
                    key
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&key, value, flat);
            }
            return;
        }
        Value::Array(items) => {
            let items = items.into_iter().map(|item| match item {
                Value::String(text) => text,
                other => other.to_string(),
            });
            items.collect::<Vec<_>>().join(",")
        }
        Value::String(text) => text,
        other => other.to_string(),
    };
    flat.insert(prefix.to_owned(), text);
}

fn find(key: &str, origin: &str) -> Result<&'static OptionSpec, ConfigError> {
    OPTIONS
        .iter()
        .find(|option| option.key == key)
        .ok_or_else(|| ConfigError::UnknownKey {
            origin: origin.to_owned(),
            key: key.to_owned(),
            suggestion: nearest(key),
        })
}

fn apply(
    config: &mut Config,
    option: &'static OptionSpec,
    text: &str,
    origin: &str,
) -> Result<(), ConfigError> {
    (option.set)(config, text).map_err(|reason| ConfigError::Invalid {
        origin: origin.to_owned(),
        key: option.key,
        reason,
    })
}

/// The option whose name differs least, if it differs by at most three letters.
fn nearest(key: &str) -> Option<&'static str> {
    OPTIONS
        .iter()
        .map(|option| (edit_distance(key, option.key), option.key))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, key)| key)
}

/// Letters to insert, delete or replace to turn one word into the other. Wagner and Fischer 1974, one row at a time.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (done, letter) in left.chars().take(200).enumerate() {
        let mut diagonal = row[0];
        row[0] = done + 1;
        for (at, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

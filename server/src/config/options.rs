//! The table of options: name, old names, default, meaning, and how its text becomes a setting.

use std::fmt::Write as _;

use super::Config;

/// One option.
#[derive(Debug)]
pub struct OptionSpec {
    /// Its name in the file and behind `--set`.
    pub key: &'static str,
    /// Other variables of the environment that set it, from the old system's guide.
    pub old_names: &'static [&'static str],
    /// What it is when nobody sets it, as text.
    pub default: &'static str,
    /// What it does, its unit and range, in a sentence.
    pub about: &'static str,
    /// Checks the text and stores the value; the error says what is allowed.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
}

impl OptionSpec {
    /// Its variable in the environment.
    pub fn variable(&self) -> String {
        format!(
            "RAILFLEET_{}",
            self.key.to_ascii_uppercase().replace('.', "_")
        )
    }
}

macro_rules! option {
    ($key:literal $(, old [$($old:literal),+])?, $default:literal, $about:literal, |$config:ident, $text:ident| $set:expr) => {
        OptionSpec {
            key: $key,
            old_names: &[$($($old),+)?],
            default: $default,
            about: $about,
            set: |$config, $text| { $set; Ok(()) },
        }
    };
}

mod table;
mod text;

pub use table::OPTIONS;

/// The options as the table of `docs/configuration.md`.
pub fn markdown() -> String {
    let mut text = String::from("| key | variable | default | meaning |\n|---|---|---|---|\n");
    for option in OPTIONS {
        let mut variables = format!("`{}`", option.variable());
        for old in option.old_names {
            let _ = write!(variables, ", `{old}`");
        }
        let default = if option.default.is_empty() {
            "–".to_owned()
        } else {
            format!("`{}`", option.default)
        };
        let _ = writeln!(
            text,
            "| `{}` | {variables} | {default} | {} |",
            option.key, option.about
        );
    }
    text
}

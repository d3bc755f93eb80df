//! The table `[federation]` of the settings' file, written and taken out with everything else left as it is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::CliError;
use crate::config::fault;

const TABLE: &str = "federation";

/// What `join` writes.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) servers: Vec<String>,
    pub(super) name: String,
    pub(super) credentials: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
}

impl Settings {
    /// The same as they would stand on the command line.
    pub(super) fn flags(&self) -> Vec<String> {
        let path = |file: &Option<PathBuf>| {
            let file = file.as_deref().unwrap_or(Path::new(""));
            file.display().to_string()
        };
        vec![
            format!("federation.servers={}", self.servers.join(",")),
            format!("federation.name={}", self.name),
            format!("federation.credentials={}", path(&self.credentials)),
            format!("federation.ca={}", path(&self.ca)),
        ]
    }

    /// Writes them into this file, which need not be there.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is no TOML. It is whole either way.
    pub(super) fn write(&self, file: &Path) -> Result<(), CliError> {
        change(file, |table| {
            let servers: Array = self.servers.iter().map(String::as_str).collect();
            table["servers"] = value(servers);
            table["name"] = value(self.name.as_str());
            for (key, path) in [("credentials", &self.credentials), ("ca", &self.ca)] {
                match path {
                    Some(path) => table[key] = value(path.display().to_string()),
                    None => drop(table.remove(key)),
                }
            }
        })
    }

    /// Takes out what [`write`](Settings::write) wrote.
    ///
    /// # Errors
    /// As there.
    pub(super) fn remove(file: &Path) -> Result<(), CliError> {
        change(file, |table| {
            for key in ["servers", "name", "credentials", "ca"] {
                table.remove(key);
            }
        })
    }
}

fn change(file: &Path, edit: impl FnOnce(&mut Table)) -> Result<(), CliError> {
    let shown = file.display();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(CliError::io(format!("cannot read {shown}"))(source)),
    };
    let mut document = text.parse::<DocumentMut>().map_err(|error| {
        let what = fault(&text, error.message(), error.span());
        CliError::Other(format!("{shown} is no valid TOML: {what}"))
    })?;
    let table = document.entry(TABLE).or_insert(Item::Table(Table::new()));
    let Some(table) = table.as_table_mut() else {
        let why = format!("{shown}: write {TABLE} as a table, [{TABLE}], and try again");
        return Err(CliError::Other(why));
    };
    edit(table);
    if table.is_empty() {
        document.remove(TABLE);
    }
    replace(file, &document.to_string()).map_err(CliError::io(format!("cannot write {shown}")))
}

/// The file holds this text, or what it held: a crash leaves no half of it.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    // Of a try that a crash ended; its permissions are not to be taken over.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // It may hold a password.
    let mut written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    if let Ok(known) = fs::metadata(file) {
        written.set_permissions(known.permissions())?;
    }
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&new, file)
}

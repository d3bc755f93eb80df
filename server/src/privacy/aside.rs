//! Files of keys that were set aside: their master key is not at hand, and may be found again.
//!
//! Only an administrator sets one aside, by renaming it ([`StoreError::Unopened`] says when); releases of before did so by
//! themselves, which could leave the depot's own keys here ([`StoreError::OpensAside`]). Whose keys lie in it, and who was
//! erased, stands there in plain text. So whoever is erased loses the keys in these files too, and whoever was erased when such a
//! file was in use stays so.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::file::{overwrite, write_new};
use super::lines::{Line, read_lines};
use super::master::Master;
use super::store::{Erased, StoreError, failed};
use super::subject::Subject;

/// The name of the first of them; those behind it have `-2`, `-3` and so on at its end.
const NAME: &str = "people.keys.unopened";

/// The files in the folder of keys.
///
/// # Errors
/// When the folder cannot be listed.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(NAME) && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Whether this master secret opens the file.
pub fn is_opened_by(path: &Path, secret: &[u8]) -> bool {
    opens(path, &Master::new(secret))
}

/// The first of the files in the folder that this master key opens.
pub(super) fn opened_by(folder: &Path, master: &Master) -> Option<PathBuf> {
    let files = files(folder).unwrap_or_default();
    files.into_iter().find(|path| opens(path, master))
}

fn opens(path: &Path, master: &Master) -> bool {
    let bytes = fs::read(path).ok();
    let read = bytes.and_then(|bytes| read_lines(&bytes, master, path).ok());
    read.is_some_and(|read| read.index.is_some())
}

/// A name for the next: one that was set aside before is not to be written over.
pub fn free_name(folder: &Path) -> PathBuf {
    let mut free = folder.join(NAME);
    let mut number = 2;
    while free.exists() {
        free = folder.join(format!("{NAME}-{number}"));
        number += 1;
    }
    free
}

/// Who was erased, as these files say.
pub(super) fn erased(folder: &Path) -> Result<Vec<(Subject, Erased)>, StoreError> {
    let mut found = Vec::new();
    for path in files(folder).map_err(failed("list", folder))? {
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if let Ok(Line::Erased { subject, erased }) = serde_json::from_slice(line)
                && let Some(of) = Subject::parse(&subject)
            {
                found.push((of, erased));
            }
        }
    }
    Ok(found)
}

/// Takes the keys of whoever is erased out of these files. On return they are gone from the disk as far as the file system lets
/// that be known.
///
/// # Errors
/// `LeftAside` for the first file that cannot be read, or written anew; they are gone from the others.
pub(super) fn forget(
    folder: &Path,
    is_erased: impl Fn(&Subject) -> bool,
) -> Result<(), StoreError> {
    let mut outcome = Ok(());
    for path in files(folder).map_err(left("list", folder))? {
        outcome = outcome.and(forget_in(&path, &is_erased));
    }
    outcome
}

fn forget_in(path: &Path, is_erased: impl Fn(&Subject) -> bool) -> Result<(), StoreError> {
    let bytes = fs::read(path).map_err(left("read", path))?;
    let Some(kept) = without(&bytes, is_erased) else {
        return Ok(());
    };
    // One that may not be written is put out of its place all the same.
    let old = OpenOptions::new().read(true).write(true).open(path);
    write_new(path, &kept).map_err(left("write", path))?;
    if let Err(error) = old.and_then(overwrite) {
        tracing::warn!(%error, path = %path.display(), "what a file of keys held before could not be overwritten");
    }
    Ok(())
}

fn left(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.display().to_string();
    move |source| StoreError::LeftAside {
        doing,
        path,
        source,
    }
}

/// A file without these people's keys; `None`: it has none of them.
fn without(bytes: &[u8], is_erased: impl Fn(&Subject) -> bool) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_gone = match serde_json::from_slice(line) {
            Ok(Line::Key { subject, .. }) => {
                Subject::parse(&subject).is_some_and(|of| is_erased(&of))
            }
            _ => false,
        };
        if !is_gone {
            kept.extend_from_slice(line);
        }
    }
    (kept.len() < bytes.len()).then_some(kept)
}

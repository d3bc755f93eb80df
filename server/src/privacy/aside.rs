//! Files of keys that were set aside: their master key is not at hand, and may be found again.
//!
//! Only an administrator sets one aside, by renaming it ([`StoreError::Unopened`] says when). Whose keys lie in it, and who was
//! erased, stands there in plain text. So whoever is erased loses the keys in these files too, and whoever was erased when such a
//! file was in use stays so.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::file::{overwrite, write_new};
use super::lines::Line;
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

/// A name for the next: one that was set aside before is not to be written over.
pub(super) fn free_name(folder: &Path) -> PathBuf {
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
pub(super) fn forget(
    folder: &Path,
    is_erased: impl Fn(&Subject) -> bool,
) -> Result<(), StoreError> {
    for path in files(folder).map_err(failed("list", folder))? {
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        let Some(kept) = without(&bytes, &is_erased) else {
            continue;
        };
        let old = OpenOptions::new().read(true).write(true).open(&path);
        let old = old.map_err(failed("open", &path))?;
        write_new(&path, &kept).map_err(failed("write", &path))?;
        if let Err(error) = overwrite(old) {
            tracing::warn!(%error, path = %path.display(), "what a file of keys held before could not be overwritten");
        }
    }
    Ok(())
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

//! The keys of people: a small file beside the log, wrapped by a master key, which erasing somebody really shortens.
//!
//! One JSON record a line. A `key` is appended, and on the disk, before the first event that is sealed by it. An `erased`
//! takes the place of somebody's keys: the file is written anew without them, and the old one is overwritten before it goes.
//! Whoever is erased stays so: no key is made for them again.
//!
//! The file is not part of a backup of the log, on purpose: a backup that held the keys would bring erased people back. Copy
//! it by itself, to where old copies are destroyed. A store that is lost is begun anew; what was sealed under the lost keys
//! shows as such, and all else goes on. A store that the master key does not open is left as it is, and whoever wanted it is
//! refused: a second one begun for a mistake in the settings would take new keys, and one of the two could not be read again.
//! Whose master key is lost for good sets the store aside by hand ([`aside`]), and begins anew.
//!
//! Opening changes files, so it is for whoever holds the lock of the log's folder ([`storage::DirectoryLock`]).

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::{Deserialize, Serialize};
use storage::Timestamp;
use thiserror::Error;

use super::aside;
use super::field::{KEY_BYTES, PersonKey, keyed_hash, random};
use super::file::{append_line, overwrite, write_new};
use super::lines::{FORMAT, Line, Person, Read, lines_of, read_lines, text_of};
use super::lost::Looked;
use super::master::Master;
use super::subject::Subject;
use crate::auth::keys;
use crate::rfc3339;

/// The file's name in the folder of keys.
pub const FILE_NAME: &str = "people.keys";
/// The file that says that what was derived from an erased person's data may still lie about.
const PURGE_NAME: &str = "people.purge";
/// The file that says that keys may be lost, and that whose they are has not been looked for.
const SEARCH_NAME: &str = "people.lost";
/// Bytes of the file; a person is about 250.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Persons with a lost key that are remembered.
const LOST_MAX: usize = 10_000;
/// What to do where the master key is not the right one.
const GIVE_MASTER: &str = "give the one that it was made under (privacy.master_key, or the file keys/master.key), or put the copy of keys/ back";
/// What comes of setting the file aside.
const WHAT_THEN: &str = "what was sealed under its keys cannot be read until it is back under its master key, and all else is served";

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file system refuses.
    #[error("cannot {doing} the keys of people, {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is of a later version of the program.
    #[error("{path} is of format {format}, this program reads up to {FORMAT}")]
    Format {
        /// The file.
        path: String,
        /// Its format.
        format: u16,
    },
    /// The master key does not open the file. Nothing was changed.
    #[error(
        "the master key does not open {path}, or the file is damaged: {GIVE_MASTER}; only where that cannot be done, rename the file to {aside} and start again: {WHAT_THEN}"
    )]
    Unopened {
        /// The file.
        path: String,
        /// A name under which it can be set aside.
        aside: String,
    },
    /// The master key does not open the file, and opens one that was set aside. Nothing was changed.
    #[error(
        "the master key does not open {path}, and {opened} is the file that it opens: if it is the right key, rename {path} to {aside}, and {opened} to {FILE_NAME}, while nothing runs, and start again: what was sealed under the keys of the one cannot be read until that is back under its own master key; if not, give the one that {path} was made under"
    )]
    OpensAside {
        /// The file.
        path: String,
        /// The one that was set aside.
        opened: String,
        /// A name under which the first can be set aside.
        aside: String,
    },
    /// The master key opens people's keys in the file, but not the line that comes first. Nothing was changed.
    #[error(
        "the master key is the right one, and the first line of {path} is damaged: put the first line of a copy of the file in its place, for that of any copy will do, and start again; only where there is no copy, rename the file to {aside} and start again: {WHAT_THEN}"
    )]
    FirstLine {
        /// The file.
        path: String,
        /// A name under which it can be set aside.
        aside: String,
    },
    /// There is a file, and no master key. None was made: it would not open the file.
    #[error(
        "there is no master key for {path}: {GIVE_MASTER}; only where that cannot be done, rename the file to {aside} and start again: {WHAT_THEN}"
    )]
    NoMaster {
        /// The file.
        path: String,
        /// A name under which it can be set aside.
        aside: String,
    },
    /// Somebody is erased, and a file that was set aside may still hold keys of theirs.
    #[error(
        "keys of an erased person may be left in a file that was set aside: cannot {doing} {path}; see that the server's account can read and replace it, or remove it, and erase them again"
    )]
    LeftAside {
        /// What was being done.
        doing: &'static str,
        /// The file, or the folder of all.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The machine has no randomness to give.
    #[error("no random bytes for a key: {0}")]
    Random(getrandom::Error),
}

/// That somebody was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// When, RFC 3339.
    pub erased_at: String,
    /// Who had it done, the account's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What can be said of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectStatus {
    /// There is a key, made at this time.
    Known(String),
    /// They were erased.
    Erased(Erased),
    /// Events are sealed by a key that is not here.
    Lost,
}

/// By what a value of somebody is sealed or opened.
#[derive(Clone, Debug)]
pub(super) enum KeyOf {
    Key(Arc<PersonKey>),
    Erased,
    Lost,
}

/// The keys of people. Shared by all threads.
#[derive(Debug)]
pub struct KeyStore {
    path: PathBuf,
    master: Master,
    index: [u8; 32],
    people: RwLock<HashMap<Subject, Person>>,
    file: Mutex<File>,
    lost: Mutex<BTreeMap<Subject, u64>>,
    /// Whether the store was begun though the log was there already.
    pub begun_anew: bool,
}

impl KeyStore {
    /// The store in `folder`, under this master secret; begun there if there is none, with who is erased in files that were set
    /// aside. For whoever holds the lock of the log's folder: files are written.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(folder: &Path, secret: &[u8]) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let master = Master::new(secret);
        keys::create_private_folder(folder).map_err(failed("make a folder for", &path))?;
        let read = match File::open(&path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(FILE_BYTES_MAX)
                    .read_to_end(&mut bytes)
                    .map_err(failed("read", &path))?;
                Some(read_lines(&bytes, &master, &path)?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("open", &path)(error)),
        };
        let begun_anew = read.is_none();
        let mut is_doubtful = begun_anew;
        let (index, people, keeps) = match read {
            Some(Read {
                index: Some(index),
                people,
                whole,
                bad,
            }) => {
                is_doubtful |= bad > 0;
                if bad > 0 {
                    tracing::error!(lines = bad, path = %path.display(), "keys of people are damaged: restore the file from its backup");
                }
                (index, people, Some(whole))
            }
            Some(read) => return Err(unopened(&path, folder, &master, &read)),
            None => {
                let erased = aside::erased(folder)?.into_iter();
                let people = erased.map(|(of, erased)| (of, Person::Erased(erased)));
                let index = random().map_err(StoreError::Random)?;
                (index, people.collect(), None)
            }
        };
        let file = match keeps {
            Some(whole) => {
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .open(&path)
                    .map_err(failed("open", &path))?;
                // A line that a crash tore was of no key that an event is sealed by.
                file.set_len(whole).map_err(failed("shorten", &path))?;
                file
            }
            None => write_new(&path, &lines_of(&master, &index, &people)?)
                .map_err(failed("write", &path))?,
        };
        if is_doubtful {
            mark_for_search(&path);
        }
        // Also of who was erased by a release that did not look there.
        let is_erased = |of: &Subject| matches!(people.get(of), Some(Person::Erased(_)));
        if let Err(error) = aside::forget(folder, is_erased) {
            tell_left(&error);
        }
        Ok(KeyStore {
            path,
            master,
            index,
            people: RwLock::new(people),
            file: Mutex::new(file),
            lost: Mutex::default(),
            begun_anew,
        })
    }

    /// Refuses where there is a file and no master key to open it: one that is made now is not its own.
    ///
    /// # Errors
    /// [`StoreError::NoMaster`], or that it cannot be told.
    pub fn refuse_without_master(folder: &Path) -> Result<(), StoreError> {
        let path = folder.join(FILE_NAME);
        if !path.try_exists().map_err(failed("look for", &path))? {
            return Ok(());
        }
        Err(StoreError::NoMaster {
            path: path.display().to_string(),
            aside: aside::free_name(folder).display().to_string(),
        })
    }

    /// The hash of a text that only this store can make, 32 hexadecimal digits: for tags that must not hold plain text.
    pub fn hash(&self, kind: &str, text: &str) -> String {
        let hash = keyed_hash(&self.index, &[kind.as_bytes(), text.as_bytes()]);
        hash[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The key that seals somebody's fields, made and on the disk if there was none.
    pub(super) fn key_to_seal(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<KeyOf, StoreError> {
        if let Some(key) = newest(&self.people(), subject) {
            return Ok(key);
        }
        let mut people = self.people_mut();
        if let Some(key) = newest(&people, subject) {
            return Ok(key);
        }
        let key = Arc::new(PersonKey::new(
            random::<KEY_BYTES>().map_err(StoreError::Random)?,
        ));
        let made_at = rfc3339::to_string(now);
        let name = subject.to_string();
        let line = text_of(&Line::Key {
            key: self.master.wrap(&name, key.bytes())?,
            subject: name,
            made_at: made_at.clone(),
        });
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            append_line(&mut file, &line).map_err(failed("write", &self.path))?;
        }
        match people.get_mut(subject) {
            Some(Person::Keys(keys)) => keys.push((key.clone(), made_at)),
            _ => {
                people.insert(subject.clone(), Person::Keys(vec![(key.clone(), made_at)]));
            }
        }
        Ok(KeyOf::Key(key))
    }

    /// The key of this name that opens somebody's fields.
    pub(super) fn key_to_open(&self, subject: &Subject, key_id: &str) -> KeyOf {
        let found = match self.people().get(subject) {
            Some(Person::Erased(_)) => return KeyOf::Erased,
            Some(Person::Keys(keys)) => keys
                .iter()
                .find(|(key, _)| key.id == key_id)
                .map(|(key, _)| key.clone()),
            None => None,
        };
        found.map_or_else(
            || {
                self.note_lost(subject);
                KeyOf::Lost
            },
            KeyOf::Key,
        )
    }

    fn note_lost(&self, subject: &Subject) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.len() >= LOST_MAX && !lost.contains_key(subject) {
            return;
        }
        if lost.is_empty() {
            mark_for_search(&self.path);
        }
        let times = lost.entry(subject.clone()).or_default();
        if *times == 0 {
            tracing::error!(%subject, "the key of this person is lost: their fields cannot be read");
        }
        *times += 1;
    }

    /// Destroys somebody's keys, for ever. On return they are gone from the disk as far as the file system lets that be
    /// known, also from files that were set aside, and [`KeyStore::needs_purge`] until [`KeyStore::purged`]. Repeating it changes
    /// nothing.
    ///
    /// # Errors
    /// `LeftAside` where only a file that was set aside cannot be read or written: they are erased, and repeating it, or the next
    /// start, tries that file again. When another file cannot be written they are not erased.
    pub fn erase(&self, subject: &Subject, erased: Erased) -> Result<Erased, StoreError> {
        let mut people = self.people_mut();
        let folder = self.path.parent().unwrap_or(Path::new(""));
        if let Some(Person::Erased(earlier)) = people.get(subject) {
            aside::forget(folder, |of| of == subject)?;
            return Ok(earlier.clone());
        }
        let marker = self.path.with_file_name(PURGE_NAME);
        write_new(&marker, subject.to_string().as_bytes()).map_err(failed("mark", &marker))?;
        let before = people.insert(subject.clone(), Person::Erased(erased.clone()));
        let written = lines_of(&self.master, &self.index, &people)
            .and_then(|text| write_new(&self.path, &text).map_err(failed("write", &self.path)));
        match written {
            Ok(file) => {
                let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                let old = std::mem::replace(&mut *held, file);
                if let Err(error) = overwrite(old) {
                    tracing::warn!(%error, "the old file of keys could not be overwritten");
                }
                // Behind it: such a file may be root's, and no reason to keep the keys that open everything.
                aside::forget(folder, |of| of == subject)?;
                Ok(erased)
            }
            Err(error) => {
                match before {
                    Some(person) => people.insert(subject.clone(), person),
                    None => people.remove(subject),
                };
                Err(error)
            }
        }
    }

    /// Whether somebody was erased and what was derived from their data has not been removed since.
    pub fn needs_purge(&self) -> bool {
        self.purge_due().is_some()
    }

    /// What [`KeyStore::purged`] is to be called with once everything that was derived until now is gone; `None`: nothing is due.
    pub fn purge_due(&self) -> Option<Vec<u8>> {
        fs::read(self.path.with_file_name(PURGE_NAME)).ok()
    }

    /// What was derived from erased people's data until `due` was asked for is gone. If somebody else was erased since, a purge
    /// stays due.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn purged(&self, due: &[u8]) -> io::Result<()> {
        // Under the lock of erasures, so that none begins between the look and the removal.
        let _people = self.people();
        if self.purge_due().is_none_or(|now| now != due) {
            return Ok(());
        }
        fs::remove_file(self.path.with_file_name(PURGE_NAME))
    }

    /// What is known of somebody; `None`: nothing of them was ever sealed here.
    pub fn status(&self, subject: &Subject) -> Option<SubjectStatus> {
        match self.people().get(subject) {
            Some(Person::Erased(erased)) => Some(SubjectStatus::Erased(erased.clone())),
            Some(Person::Keys(keys)) => Some(SubjectStatus::Known(
                keys.last().map_or_else(String::new, |(_, at)| at.clone()),
            )),
            None => {
                let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
                lost.contains_key(subject).then_some(SubjectStatus::Lost)
            }
        }
    }

    /// Everybody who was erased.
    pub fn erased(&self) -> Vec<(Subject, Erased)> {
        let people = self.people();
        let mut erased: Vec<_> = people
            .iter()
            .filter_map(|(subject, person)| match person {
                Person::Erased(erased) => Some((subject.clone(), erased.clone())),
                Person::Keys(_) => None,
            })
            .collect();
        erased.sort_by(|left, right| left.0.cmp(&right.0));
        erased
    }

    /// How many people have a key.
    pub fn people_count(&self) -> usize {
        let people = self.people();
        people
            .values()
            .filter(|person| matches!(person, Person::Keys(_)))
            .count()
    }

    /// Those whose fields were read and could not be opened, and how often; the first 10,000.
    pub fn lost(&self) -> Vec<(Subject, u64)> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.iter()
            .map(|(subject, times)| (subject.clone(), *times))
            .collect()
    }

    /// Whether keys may be lost and the log has not been searched for whose, in this run or an earlier one.
    pub fn needs_search(&self) -> bool {
        self.path.with_file_name(SEARCH_NAME).exists()
    }

    /// Every event of the log was read, so whose keys are lost is known. Unless some are, the next start need not search.
    pub(super) fn searched(&self) {
        if self.lost_count() == 0 {
            let _ = fs::remove_file(self.path.with_file_name(SEARCH_NAME));
        }
    }

    /// How many people's keys are known to be lost.
    pub fn lost_count(&self) -> usize {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.len()
    }

    /// What stands in the file in `folder`; `None` when there is none. Nothing is changed. Without a secret every key that
    /// stands there counts.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn look(folder: &Path, secret: Option<&[u8]>) -> Result<Option<Looked>, StoreError> {
        let path = folder.join(FILE_NAME);
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(file) => file
                .take(FILE_BYTES_MAX)
                .read_to_end(&mut bytes)
                .map_err(failed("read", &path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        let master = secret.map(Master::new);
        let mut looked = Looked::default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if line.last() == Some(&b'\n') {
                looked.note(line, master.as_ref());
            }
        }
        Ok(Some(looked))
    }

    /// Has keys written into another file from now on, as if the disk had become one that takes nothing. Gives the one of before.
    #[cfg(test)]
    pub(super) fn write_into(&self, file: File) -> File {
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut held, file)
    }

    fn people(&self) -> RwLockReadGuard<'_, HashMap<Subject, Person>> {
        self.people.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn people_mut(&self) -> RwLockWriteGuard<'_, HashMap<Subject, Person>> {
        self.people.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn newest(people: &HashMap<Subject, Person>, subject: &Subject) -> Option<KeyOf> {
    match people.get(subject)? {
        Person::Erased(_) => Some(KeyOf::Erased),
        Person::Keys(keys) => keys.last().map(|(key, _)| KeyOf::Key(key.clone())),
    }
}

/// Why a file that was read cannot be used: its first line is missing, or does not unwrap.
fn unopened(path: &Path, folder: &Path, master: &Master, read: &Read) -> StoreError {
    let aside = aside::free_name(folder).display().to_string();
    let path = path.display().to_string();
    let mut people = read.people.values();
    if people.any(|person| matches!(person, Person::Keys(_))) {
        return StoreError::FirstLine { path, aside };
    }
    match aside::opened_by(folder, master) {
        Some(opened) => StoreError::OpensAside {
            path,
            opened: opened.display().to_string(),
            aside,
        },
        None => StoreError::Unopened { path, aside },
    }
}

/// Says that a file that was set aside could not be rid of keys. That stops no start, and nobody else's erasure.
pub(super) fn tell_left(error: &StoreError) {
    tracing::error!(
        error = crate::cli::chain(error),
        "keys of erased people may be left; the next start tries again"
    );
}

pub(super) fn failed(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.display().to_string();
    move |source| StoreError::Io {
        doing,
        path,
        source,
    }
}

/// Notes that whose keys are lost is to be looked for. Where that cannot be written, only those are known who are asked about.
fn mark_for_search(path: &Path) {
    let marker = path.with_file_name(SEARCH_NAME);
    if !marker.exists()
        && let Err(error) = write_new(&marker, b"")
    {
        tracing::warn!(%error, path = %marker.display(), "that keys may be lost could not be noted");
    }
}

//! Whose keys are lost: who stands in the log as covered, and has no key that their events were sealed by.
//!
//! A server finds out by reading: what cannot be opened is noted in the [`KeyStore`]. That would name only those whom somebody
//! asked about, so where keys may be lost the log is read once as a whole, beside everything else ([`search`]). Who does not
//! serve (`railfleet doctor`, `verify`) holds the tags of the log against the file of keys ([`Looked`]).

use std::collections::{BTreeMap, HashMap};

use storage::{Log, ReadError, ReadRequest, Timestamp};

use super::field::KEY_BYTES;
use super::lines::Line;
use super::master::Master;
use super::store::KeyStore;
use super::subject::Subject;
use crate::rfc3339;

/// People who are named in a sentence; of the others it is said how many they are.
const NAMED_MAX: usize = 5;

/// What stands in the file of keys.
#[derive(Debug, Default)]
pub struct Looked {
    /// Whether the master key opens the file; without one, whether it is a file of keys at all.
    pub opens: bool,
    /// Lines that are damaged, or whose key does not unwrap.
    pub bad: u64,
    /// Since when there is a key, by person; `None`: they were erased.
    people: HashMap<Subject, Option<Timestamp>>,
}

impl Looked {
    /// Takes in a whole line.
    pub(super) fn note(&mut self, line: &[u8], master: Option<&Master>) {
        match serde_json::from_slice(line) {
            Ok(Line::Store { index, .. }) => {
                self.opens =
                    master.is_none_or(|master| master.unwrap::<32>("index", &index).is_some());
            }
            Ok(Line::Key {
                subject,
                key,
                made_at,
            }) => match (Subject::parse(&subject), rfc3339::parse(&made_at)) {
                (Some(of), Ok(made_at))
                    if master.is_none_or(|master| {
                        master.unwrap::<KEY_BYTES>(&subject, &key).is_some()
                    }) =>
                {
                    let since = self.people.entry(of).or_insert(Some(made_at));
                    *since = since.map(|since| since.min(made_at));
                }
                _ => self.bad += 1,
            },
            Ok(Line::Erased { subject, .. }) => match Subject::parse(&subject) {
                Some(of) => {
                    self.people.insert(of, None);
                }
                None => self.bad += 1,
            },
            Err(_) => self.bad += 1,
        }
    }

    /// Whether the file does not open, though the master key is the right one: keys of people in it unwrap, and its first line does not.
    pub fn lacks_first_line(&self) -> bool {
        !self.opens && self.people.values().any(Option::is_some)
    }

    /// Those of the people in the log whose fields this file does not open: `covered` has each with the time at which the
    /// first of their events was recorded. A key that was made later is not the one that sealed it.
    pub fn lost(&self, covered: &BTreeMap<Box<str>, Timestamp>) -> Vec<Subject> {
        let people = covered
            .iter()
            .filter_map(|(text, first)| Some((Subject::parse(text)?, first)));
        people
            .filter(|(of, first)| match self.people.get(of) {
                Some(Some(since)) => since > first,
                Some(None) => false,
                None => true,
            })
            .map(|(of, _)| of)
            .collect()
    }
}

/// Reads the whole log where keys may be lost, so that the store knows whose are. Says how many.
///
/// # Errors
/// When a segment cannot be read; what was found until then is known.
pub fn search(log: &Log, store: &KeyStore) -> Result<usize, ReadError> {
    if store.needs_search() {
        let mut reader = log.read(&ReadRequest::default())?;
        while let Some(event) = reader.next() {
            match event {
                // Reading opened what is sealed, or noted that it cannot be.
                Ok(_) | Err(ReadError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        store.searched();
    }
    Ok(store.lost_count())
}

/// Names some of them: `Staff:1, User:2 and 7 more`.
pub fn named(people: &[Subject]) -> String {
    let first: Vec<String> = people
        .iter()
        .take(NAMED_MAX)
        .map(Subject::to_string)
        .collect();
    match people.len().saturating_sub(NAMED_MAX) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// What to do about lost keys, as a sentence.
pub const WHAT_TO_DO: &str = "put the copy of `keys/people.keys` back, with the master key that it was made under, and start again; where there is no copy, \
                              what was sealed under these keys cannot be read by anybody, and all else is served";

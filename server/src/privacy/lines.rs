//! The lines of the file of keys: one JSON record each. Pure.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::field::PersonKey;
use super::master::Master;
use super::store::{Erased, StoreError};
use super::subject::Subject;

/// The number of the file's layout.
pub(super) const FORMAT: u16 = 1;

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(super) enum Line {
    /// The first one. `index` is the key of hashes in tags, wrapped; that it unwraps shows that the master key is the right one.
    Store { format: u16, index: String },
    Key {
        subject: String,
        key: String,
        made_at: String,
    },
    Erased {
        subject: String,
        #[serde(flatten)]
        erased: Erased,
    },
}

/// What is known of somebody.
#[derive(Debug)]
pub(super) enum Person {
    /// Oldest first; the last one seals. More than one only where a lost store was found again.
    Keys(Vec<(Arc<PersonKey>, String)>),
    Erased(Erased),
}

/// What a file held.
#[derive(Default)]
pub(super) struct Read {
    pub(super) index: Option<[u8; 32]>,
    pub(super) people: HashMap<Subject, Person>,
    /// Bytes of whole lines.
    pub(super) whole: u64,
    /// Lines that could not be understood, or whose key does not unwrap.
    pub(super) bad: u64,
}

/// A line as it is written.
pub(super) fn text_of(line: &Line) -> String {
    let mut text = serde_json::to_string(line).expect("a record of texts always encodes");
    text.push('\n');
    text
}

/// The whole file.
pub(super) fn lines_of(
    master: &Master,
    index: &[u8; 32],
    people: &HashMap<Subject, Person>,
) -> Result<Vec<u8>, StoreError> {
    let mut text = text_of(&Line::Store {
        format: FORMAT,
        index: master.wrap("index", index)?,
    });
    let mut ordered: Vec<_> = people.iter().collect();
    ordered.sort_by(|left, right| left.0.cmp(right.0));
    for (subject, person) in ordered {
        let subject = subject.to_string();
        match person {
            Person::Erased(erased) => text.push_str(&text_of(&Line::Erased {
                subject,
                erased: erased.clone(),
            })),
            Person::Keys(keys) => {
                for (key, made_at) in keys {
                    text.push_str(&text_of(&Line::Key {
                        key: master.wrap(&subject, key.bytes())?,
                        subject: subject.clone(),
                        made_at: made_at.clone(),
                    }));
                }
            }
        }
    }
    Ok(text.into_bytes())
}

/// What stands in a file, but for a last line that a crash tore.
pub(super) fn read_lines(bytes: &[u8], master: &Master, path: &Path) -> Result<Read, StoreError> {
    let mut read = Read::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.last() != Some(&b'\n') {
            break;
        }
        read.whole += line.len() as u64;
        match serde_json::from_slice(line) {
            Ok(Line::Store { format, .. }) if format > FORMAT => {
                let path = path.display().to_string();
                return Err(StoreError::Format { path, format });
            }
            Ok(Line::Store { index, .. }) => read.index = master.unwrap("index", &index),
            Ok(Line::Key {
                subject,
                key,
                made_at,
            }) => match (Subject::parse(&subject), master.unwrap(&subject, &key)) {
                (Some(of), Some(key)) => {
                    let key = (Arc::new(PersonKey::new(key)), made_at);
                    match read
                        .people
                        .entry(of)
                        .or_insert_with(|| Person::Keys(Vec::new()))
                    {
                        Person::Keys(keys) => keys.push(key),
                        Person::Erased(_) => {}
                    }
                }
                _ => read.bad += 1,
            },
            Ok(Line::Erased { subject, erased }) => match Subject::parse(&subject) {
                Some(of) => {
                    read.people.insert(of, Person::Erased(erased));
                }
                None => read.bad += 1,
            },
            Err(_) => read.bad += 1,
        }
    }
    Ok(read)
}

//! The log's veil: personal fields are sealed where events enter, and opened where they leave.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::{
    AppendError, Clock, EventRef, NewEvent, Payload, QueryItem, StreamName, Transaction, Uncovered,
    Veil,
};

use super::field::{self, ERASED, KEY_LOST, Place};
use super::splice::{Member, members, replaced};
use super::store::{KeyOf, KeyStore, StoreError};
use super::subject::{CONTACT, METADATA_FIELDS, Subject, owner_of_data, personal_fields};
use crate::envelope;
use crate::json::Kind;

/// How tags begin behind which a person's name or address stands: a keyed hash takes its place.
const NAMING_PREFIXES: &[&str] = &["username:", "email:"];
/// What leads a hash in a tag: no username may hold it, so that none passes for one.
const HASHED: &str = "#";

/// What seals and opens personal fields. Shared by all threads.
#[derive(Debug)]
pub struct Privacy {
    store: KeyStore,
    clock: Arc<dyn Clock>,
    /// Held by the one task that removes what was derived from erased data.
    purging: Mutex<()>,
}

/// An event whose personal fields are being sealed.
struct Sealing<'a> {
    privacy: &'a Privacy,
    /// Tells events apart.
    salt: [u8; 16],
    subjects: Vec<Subject>,
}

impl Privacy {
    /// Seals by the keys in `store`.
    pub fn new(store: KeyStore, clock: Arc<dyn Clock>) -> Self {
        Privacy {
            store,
            clock,
            purging: Mutex::default(),
        }
    }

    /// The turn of removing what was derived from erased data.
    pub(super) fn purging(&self) -> MutexGuard<'_, ()> {
        self.purging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys.
    pub fn store(&self) -> &KeyStore {
        &self.store
    }

    /// The tag as it lies in the log: without a person's name or address.
    pub fn tag(&self, tag: &str) -> Option<Box<str>> {
        let prefix = NAMING_PREFIXES
            .iter()
            .find(|prefix| tag.starts_with(**prefix))?;
        let text = &tag[prefix.len()..];
        let hashed = text
            .strip_prefix(HASHED)
            .is_some_and(|hash| hash.len() == 32);
        (!hashed).then(|| format!("{prefix}{HASHED}{}", self.store.hash(prefix, text)).into())
    }

    /// The subject of whom only this address is known.
    pub fn contact(&self, address: &str) -> Subject {
        Subject::new(CONTACT, self.store.hash(CONTACT, &address.to_lowercase()))
    }

    /// The event as it is to lie in the log; `None`: as it is.
    fn seal(&self, stream: &StreamName, event: &NewEvent) -> Result<Option<NewEvent>, AppendError> {
        let personal = personal_fields(&stream.aggregate_type, &event.event_type);
        let has_metadata = holds_personal_metadata(&event.metadata);
        let names_somebody = event
            .tags
            .iter()
            .any(|tag| NAMING_PREFIXES.iter().any(|prefix| tag.starts_with(prefix)));
        if personal.is_none() && !has_metadata && !names_somebody {
            return Ok(None);
        }
        let mut sealed = event.clone();
        for tag in &mut sealed.tags {
            if let Some(hashed) = self.tag(tag) {
                *tag = hashed;
            }
        }
        let mut sealing = Sealing {
            privacy: self,
            salt: match event.id {
                Some(id) => *id.as_bytes(),
                None => field::random().map_err(unavailable)?,
            },
            subjects: Vec::new(),
        };
        let writer = envelope::user_id(event.tags.iter().map(|tag| &**tag));
        if let Some(fields) = personal
            && let Some(members) = members(&event.data)
        {
            let owner = owner_of_data(&stream.aggregate_type, &stream.aggregate_id, writer);
            let chosen = members
                .into_iter()
                .filter(|member| fields.contains(&&*member.name));
            sealed.data = sealing.members("data", &event.data, chosen, owner)?;
        }
        if has_metadata && let Some(members) = members(&event.metadata) {
            let owner = writer.map(Subject::user);
            let chosen = members
                .into_iter()
                .filter(|member| METADATA_FIELDS.contains(&&*member.name));
            sealed.metadata = sealing.members("metadata", &event.metadata, chosen, owner)?;
        }
        sealed
            .tags
            .extend(sealing.subjects.iter().map(Subject::tag));
        Ok(Some(sealed))
    }

    /// A text with its sealed values opened; `None`: it has none. `subjects` are those that its event's tags name, in order.
    fn open(&self, part: &'static str, text: &[u8], subjects: &[Subject]) -> Option<Vec<u8>> {
        memchr::memmem::find(text, field::SEALED_PREFIX.as_bytes())?;
        let mut values = Vec::new();
        for member in members(text)? {
            let value = &text[member.value.clone()];
            let Some(sealed) = field::parse(value) else {
                continue;
            };
            let Some(subject) = subjects.get(sealed.tag) else {
                continue;
            };
            let place = Place {
                subject: &subject.to_string(),
                part,
                field: &member.name,
            };
            let opened = match self.store.key_to_open(subject, sealed.key_id) {
                KeyOf::Key(key) => match key.open(place, sealed) {
                    Some(value) => value,
                    // It only looks like a sealed value: it is what the writer sent.
                    None => continue,
                },
                KeyOf::Erased => ERASED.as_bytes().to_vec(),
                KeyOf::Lost => KEY_LOST.as_bytes().to_vec(),
            };
            values.push((member.value, opened));
        }
        Some(replaced(text, &values))
    }
}

impl Sealing<'_> {
    /// The text with these members sealed for `owner`; for whom their address belongs to where nobody is named.
    fn members(
        &mut self,
        part: &'static str,
        text: &[u8],
        chosen: impl Iterator<Item = Member>,
        owner: Option<Subject>,
    ) -> Result<Vec<u8>, AppendError> {
        let store = &self.privacy.store;
        let now = self.privacy.clock.now();
        let mut values = Vec::new();
        for member in chosen {
            let value = &text[member.value.clone()];
            // Nothing is said, so nothing is to be hidden.
            if member.kind == Kind::Null || value == b"\"\"" {
                continue;
            }
            let subject = match &owner {
                Some(owner) => owner.clone(),
                None => {
                    let plain = serde_json::from_slice::<String>(value);
                    self.privacy.contact(plain.as_deref().unwrap_or("unknown"))
                }
            };
            // As the tag names them, from which they are known again.
            let subject = Subject::of_tag(&subject.tag()).unwrap_or(subject);
            let sealed = match store.key_to_seal(&subject, now).map_err(without_key)? {
                KeyOf::Key(key) => {
                    let number = self.number_of(&subject);
                    let place = Place {
                        subject: &subject.to_string(),
                        part,
                        field: &member.name,
                    };
                    key.seal(place, number, &self.salt, value)
                }
                // Nothing of an erased person enters the log again.
                KeyOf::Erased | KeyOf::Lost => ERASED.to_owned(),
            };
            values.push((member.value, sealed.into_bytes()));
        }
        Ok(replaced(text, &values))
    }

    fn number_of(&mut self, subject: &Subject) -> usize {
        if let Some(number) = self.subjects.iter().position(|known| known == subject) {
            return number;
        }
        self.subjects.push(subject.clone());
        self.subjects.len() - 1
    }
}

impl Veil for Privacy {
    fn cover(&self, transaction: &Transaction) -> Result<Option<Transaction>, AppendError> {
        let mut covered: Option<Transaction> = None;
        for (at, write) in transaction.writes.iter().enumerate() {
            for (index, event) in write.events.iter().enumerate() {
                if let Some(sealed) = self.seal(&write.stream, event)? {
                    let whole = covered.get_or_insert_with(|| transaction.clone());
                    whole.writes[at].events[index] = sealed;
                }
            }
        }
        let names_somebody = |item: &QueryItem| item.tags.iter().any(|tag| self.tag(tag).is_some());
        if let Some(condition) = &transaction.condition
            && condition.query.items.iter().any(names_somebody)
        {
            let whole = covered.get_or_insert_with(|| transaction.clone());
            if let Some(condition) = &mut whole.condition {
                // Logs from before tags were hashed hold the plain ones: those are looked for, too.
                let hashed: Vec<QueryItem> = condition
                    .query
                    .items
                    .iter()
                    .filter(|item| names_somebody(item))
                    .map(|item| QueryItem {
                        tags: item
                            .tags
                            .iter()
                            .map(|tag| self.tag(tag).unwrap_or_else(|| tag.clone()))
                            .collect(),
                        ..item.clone()
                    })
                    .collect();
                condition.query.items.extend(hashed);
            }
        }
        Ok(covered)
    }

    fn uncover(&self, event: &EventRef<'_>) -> Option<Uncovered> {
        let subjects: Vec<Subject> = event.tags().filter_map(Subject::of_tag).collect();
        let data = self.open("data", event.data(), &subjects);
        let metadata = self.open("metadata", event.metadata(), &subjects);
        if data.is_none() && metadata.is_none() {
            return None;
        }
        Some(Uncovered {
            data: data.unwrap_or_else(|| event.data().to_vec()),
            metadata: metadata.unwrap_or_else(|| event.metadata().to_vec()),
        })
    }

    fn says_the_same(&self, _: &StreamName, stored: &Payload<'_>, given: &Payload<'_>) -> bool {
        let opened = |payload: &Payload<'_>| {
            let subjects: Vec<Subject> = payload
                .tags
                .iter()
                .filter_map(|tag| Subject::of_tag(tag))
                .collect();
            self.open("data", payload.data, &subjects)
                .unwrap_or_else(|| payload.data.to_vec())
        };
        opened(stored) == opened(given)
    }
}

/// Whether a member of the metadata is about a person. A look for the names in its text, so that events without any pay
/// next to nothing.
fn holds_personal_metadata(metadata: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [b"\"user_email\"", b"\"ip_address\"", b"\"user_agent\""];
    metadata.len() > 2
        && NAMES
            .iter()
            .any(|name| memchr::memmem::find(metadata, name).is_some())
}

/// A key that was made is on the disk before an event needs it: where there is no room for the key, there is none for the event.
fn without_key(error: StoreError) -> AppendError {
    match &error {
        StoreError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
            AppendError::DiskFull
        }
        _ => unavailable(error),
    }
}

fn unavailable(error: impl std::error::Error) -> AppendError {
    let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
    AppendError::Unavailable {
        reason: format!(
            "personal fields cannot be sealed: {error}{}",
            cause.unwrap_or_default()
        ),
    }
}

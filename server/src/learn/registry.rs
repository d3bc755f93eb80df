//! The registry of models: a fold of the Model aggregate's events, and the folder with their files.
//!
//! A model's file is named by its digest and written once, before the event that names it; so an event never names a file
//! that is not whole. Of each kind at most one model is deployed (the champion); the newest that was trained after it
//! and not set aside is the challenger.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fleet::model::{AGGREGATE_TYPE, event};
use serde_json::{Map, Value, json};
use storage::{
    Condition, ExpectedVersion, Log, NewEvent, Position, Query, ReadError, ReadRequest, StreamName,
    StreamWrite, Timestamp, Transaction, Version,
};

use super::artifact::digest;

/// Most bytes of a model's file.
pub(crate) const FILE_BYTES_MAX: usize = 64 << 20;

/// One model as its events tell.
#[derive(Clone, Debug)]
pub(crate) struct ModelEntry {
    pub(crate) id: String,
    /// What its events set, by name.
    pub(crate) facts: Map<String, Value>,
    pub(crate) version: Version,
    /// When it was registered, trained and last deployed, in microseconds.
    pub(crate) created_at: i64,
    pub(crate) trained_at: Option<i64>,
    pub(crate) deployed_at: Option<i64>,
}

impl ModelEntry {
    /// A fact that is text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.facts
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// `training`, `trained`, `deployed`, `archived` or `failed`.
    pub(crate) fn status(&self) -> &str {
        self.text("status")
    }
}

/// The fold.
#[derive(Debug, Default)]
pub(crate) struct Models {
    position: Position,
    entries: BTreeMap<String, ModelEntry>,
}

impl Models {
    /// Takes in what the log has beyond where it stands.
    pub(crate) fn catch_up(&mut self, log: &Log) -> Result<(), ReadError> {
        let to = log.durable_position();
        if self.position >= to {
            return Ok(());
        }
        let request = ReadRequest {
            query: Query::aggregate_types([AGGREGATE_TYPE]),
            from: self.position.next(),
            to,
            ..ReadRequest::default()
        };
        let mut reader = log.read(&request)?;
        while let Some(event) = reader.next() {
            let event = match event {
                Ok(event) => event,
                Err(ReadError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let id = event.stream().aggregate_id;
            let at = event.occurred_at().micros();
            let entry = self
                .entries
                .entry(id.to_owned())
                .or_insert_with(|| ModelEntry {
                    id: id.to_owned(),
                    facts: Map::new(),
                    version: Version::NONE,
                    created_at: at,
                    trained_at: None,
                    deployed_at: None,
                });
            entry.version = event.version();
            if let Ok(data) = serde_json::from_slice::<Map<String, Value>>(event.data()) {
                entry.facts.extend(data);
            }
            let status = match event.event_type() {
                event::MODEL_REGISTERED => "training",
                event::MODEL_TRAINED => "trained",
                event::MODEL_DEPLOYED => "deployed",
                event::MODEL_ARCHIVED => "archived",
                event::MODEL_FAILED => "failed",
                _ => continue,
            };
            match status {
                "trained" => entry.trained_at = Some(at),
                "deployed" => entry.deployed_at = Some(at),
                _ => {}
            }
            entry.facts.insert("status".to_owned(), Value::from(status));
        }
        self.position = to;
        Ok(())
    }

    pub(crate) fn get(&self, id: &str) -> Option<&ModelEntry> {
        self.entries.get(id)
    }

    /// Newest first.
    pub(crate) fn list(&self) -> Vec<&ModelEntry> {
        let mut all: Vec<&ModelEntry> = self.entries.values().collect();
        all.sort_by(|left, right| {
            right
                .created_at
                .cmp(&left.created_at)
                .then(left.id.cmp(&right.id))
        });
        all
    }

    /// The model that answers for a kind.
    pub(crate) fn champion(&self, name: &str) -> Option<&ModelEntry> {
        let deployed = self.deployed(name);
        deployed.max_by_key(|entry| entry.deployed_at)
    }

    /// The deployed of a kind: one, unless a log is of a version that let two be deployed at once.
    fn deployed(&self, name: &str) -> impl Iterator<Item = &ModelEntry> {
        let all = self.entries.values();
        all.filter(move |entry| entry.text("model_name") == name && entry.status() == "deployed")
    }

    /// The model that is tried beside the champion.
    pub(crate) fn challenger(&self, name: &str) -> Option<&ModelEntry> {
        let champion = self.champion(name)?;
        let trained = self.entries.values().filter(|entry| {
            entry.text("model_name") == name
                && entry.status() == "trained"
                && entry.trained_at > champion.trained_at
        });
        trained.max_by_key(|entry| entry.trained_at)
    }

    /// The champion before this model, to go back to.
    pub(crate) fn predecessor(&self, model: &ModelEntry) -> Option<&ModelEntry> {
        let name = model.text("model_name");
        let earlier = self.entries.values().filter(|entry| {
            entry.id != model.id
                && entry.text("model_name") == name
                && entry.deployed_at.is_some()
                && entry.status() != "failed"
        });
        earlier.max_by_key(|entry| entry.deployed_at)
    }

    /// The number of the next version of a kind.
    pub(crate) fn next_version(&self, name: &str) -> usize {
        1 + self
            .entries
            .values()
            .filter(|entry| entry.text("model_name") == name)
            .count()
    }

    /// Writes that go through only if nobody told anything of any model meanwhile.
    pub(crate) fn transaction(&self, writes: Vec<StreamWrite>) -> Transaction {
        Transaction {
            writes,
            condition: Some(Condition {
                query: Query::aggregate_types([AGGREGATE_TYPE]),
                after: self.position,
            }),
        }
    }
}

/// An event of a model that only goes through if nobody else wrote to it meanwhile.
pub(crate) fn write(
    id: &str,
    version: Version,
    event_type: &str,
    data: Value,
    by: Option<&str>,
) -> StreamWrite {
    let mut event = NewEvent::new(event_type, data.to_string());
    event.metadata = json!({ "source": "learning", "user_id": by })
        .to_string()
        .into_bytes();
    if let Some(user) = by {
        crate::envelope::tags::attribute(&mut event, user);
    }
    StreamWrite {
        stream: StreamName::new(AGGREGATE_TYPE, id),
        expected: ExpectedVersion::Exact(version),
        events: vec![event],
    }
}

/// The writes that put `model` in the place of its kind's champion.
pub(crate) fn deployment(
    models: &Models,
    model: &ModelEntry,
    reason: &str,
    by: Option<&str>,
) -> Transaction {
    let mut writes = Vec::new();
    for other in models.deployed(model.text("model_name")) {
        if other.id == model.id {
            continue;
        }
        writes.push(write(
            &other.id,
            other.version,
            event::MODEL_ARCHIVED,
            json!({ "reason": reason }),
            by,
        ));
    }
    writes.push(write(
        &model.id,
        model.version,
        event::MODEL_DEPLOYED,
        json!({}),
        by,
    ));
    models.transaction(writes)
}

/// Where a file of this digest lies.
pub(crate) fn file_of(folder: &Path, digest: &str) -> Option<PathBuf> {
    let plain = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| folder.join(format!("{digest}.model")))
}

/// Writes a model's file whole or not at all; returns its digest. A file that is there already is left as it is, unless it has
/// rotted.
///
/// # Errors
/// What the system says, a full disk among it.
pub(crate) fn store(folder: &Path, file: &[u8]) -> std::io::Result<String> {
    let name = digest(file);
    crate::auth::keys::create_private_folder(folder)?;
    let Some(path) = file_of(folder, &name) else {
        return Err(std::io::Error::other("a digest has 64 digits"));
    };
    if std::fs::read(&path).is_ok_and(|known| known == file) {
        return Ok(name);
    }
    // A name of its own: another that writes the same file would cut this one short, or take it away.
    let partial = folder.join(format!("{name}-{}.partial", uuid::Uuid::now_v7()));
    let written = std::fs::File::create(&partial).and_then(|mut made| {
        made.write_all(file)?;
        made.sync_all()
    });
    if let Err(error) = written.and_then(|()| std::fs::rename(&partial, &path)) {
        // What was written is of no use; that it cannot be removed changes nothing about the first error.
        let _ = std::fs::remove_file(&partial);
        return Err(error);
    }
    std::fs::File::open(folder)?.sync_all()?;
    Ok(name)
}

/// How old a file must be that is taken for one that a kill left: another server that shares the folder may be writing its own.
const LEFT_MICROS: i64 = 3_600 * 1_000_000;

/// Removes what stores left that were killed amid their writing. What cannot be removed stays: it is in nobody's way.
pub(crate) fn remove_left(folder: &Path, now: Timestamp) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        if !name.to_str().is_some_and(is_partial) {
            continue;
        }
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let Ok(Ok(since)) = modified.map(|at| at.duration_since(UNIX_EPOCH)) else {
            continue;
        };
        let written = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        if now.micros().saturating_sub(written) > LEFT_MICROS
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!(%error, file = %entry.path().display(), "a half-written model stays");
        }
    }
}

/// Whether [`store`] gives a file that is not whole such a name.
fn is_partial(name: &str) -> bool {
    let parts = name
        .strip_suffix(".partial")
        .and_then(|name| name.split_once('-'));
    parts.is_some_and(|(digest, id)| {
        file_of(Path::new(""), digest).is_some() && uuid::Uuid::try_parse(id).is_ok()
    })
}

//! Erasing somebody: the key goes, and with it everything that was derived while there was one.
//!
//! The order matters, so that a crash at any line leaves nobody half erased: first the log says so ([`SUBJECT_ERASED`], under
//! an id that follows from the subject), then the key is destroyed, with a mark beside it that purging is due, then caches,
//! snapshots and checkpoints go, then the mark. [`reconcile`] does at a start what is left of that, and repeats the erasures
//! that the log or the key store knows and the other does not: whichever of the two was restored from an old copy.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fleet::erasure::AGGREGATE_TYPE;
use fleet::erasure::event::{ERASURE_REQUESTED, SUBJECT_ERASED};
use fleet::{Origin, user};
use serde_json::{Map, Value, json};
use storage::{
    AppendError, ExpectedVersion, Log, NewEvent, Position, Query, ReadError, ReadRequest, Receipt,
    StreamName, Timestamp, Transaction,
};
use thiserror::Error;
use uuid::Uuid;

use super::store::{Erased, KeyStore, StoreError, SubjectStatus, tell_left};
use super::subject::Subject;
use crate::app::AppState;
use crate::envelope::{USER_PREFIX, tag};
use crate::projection::Projections;
use crate::rfc3339;

/// The namespace of the ids of erasures.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f3c_6b0e_94a7_5d5e_9d0b_6f1f_77b4_2c11);
/// How long an erasure waits for the read models to be folded anew. They are, also when nobody waits any more.
const WAIT_MAX: Duration = Duration::from_secs(50);
/// How long folding them anew may take before it is given up until the next start.
const REFOLD_LIMIT: Duration = Duration::from_secs(6 * 3_600);

/// Why somebody was not erased, or not wholly.
#[derive(Debug, Error)]
pub enum EraseError {
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The key store could not be written. `LeftAside`: they are erased, and a file that was set aside may still hold keys of theirs.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was derived could not be removed. The key is gone; a start tries again.
    #[error("the key is destroyed, but what was derived from the person's data cannot be removed")]
    Purge(#[from] std::io::Error),
}

/// That somebody is to be erased.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who.
    pub subject: Subject,
    /// Who has it done, the account's id.
    pub by: Option<String>,
    /// Why, for the trail.
    pub reason: Option<String>,
    /// When they asked for it.
    pub requested_at: Option<Timestamp>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Done {
    /// When and by whom; of the first time, where it was done before.
    pub erased: Erased,
    /// Whether nothing derived is left in answers and files. Otherwise read models are still being folded anew.
    pub purged: bool,
}

/// Notes that somebody asked to be erased, to be done later. On return it is in the log.
///
/// # Errors
/// Those of the log.
pub fn request(log: &Log, request: &Request) -> Result<Receipt, AppendError> {
    let data = json!({
        "subject": request.subject.to_string(),
        "requested_at": request.requested_at.map(rfc3339::to_string),
    });
    log.append(transaction(ERASURE_REQUESTED, request, data))
}

/// Erases somebody. Blocks, up to a minute while read models are folded anew; after that they are folded all the same.
///
/// # Errors
/// See [`EraseError`].
pub fn erase(state: &AppState, request: &Request) -> Result<Done, EraseError> {
    let store = state.privacy.store();
    let erased = match store.status(&request.subject) {
        // What an earlier try left in a file that was set aside goes now.
        Some(SubjectStatus::Erased(earlier)) => store.erase(&request.subject, earlier),
        _ => {
            let now = rfc3339::to_string(state.clock.now());
            let erased = Erased {
                erased_at: now.clone(),
                by: request.by.clone(),
                reason: request.reason.clone(),
            };
            let data = json!({
                "subject": request.subject.to_string(),
                "requested_at": request.requested_at.map(rfc3339::to_string),
                "erased_at": now,
            });
            match state.log.append(transaction(SUBJECT_ERASED, request, data)) {
                // Said before, and the key came back with an old copy of the store.
                Ok(_) | Err(AppendError::IdReused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            store.erase(&request.subject, erased)
        }
    };
    let erased = match erased {
        Err(error) if !matches!(error, StoreError::LeftAside { .. }) => return Err(error.into()),
        // They are erased, so what was derived goes all the same.
        erased => erased,
    };
    let purged = purge(state)?;
    Ok(Done {
        erased: erased?,
        purged,
    })
}

/// Erases somebody of whom the log tells. Keys that a file that was set aside may still hold are told of, and stop neither a start nor
/// another's erasure.
fn erase_as_told(store: &KeyStore, subject: &Subject, erased: Erased) -> Result<(), StoreError> {
    match store.erase(subject, erased) {
        Err(error @ StoreError::LeftAside { .. }) => tell_left(&error),
        outcome => drop(outcome?),
    }
    Ok(())
}

/// Has what was derived while there was a key removed, one such task at a time. False: it goes on, and takes longer than is
/// waited for.
fn purge(state: &AppState) -> Result<bool, EraseError> {
    if !state.privacy.store().needs_purge() {
        return Ok(true);
    }
    let (done, purged) = mpsc::channel();
    let task = state.clone();
    thread::Builder::new()
        .name("purge".to_owned())
        .spawn(move || {
            let _turn = task.privacy.purging();
            let outcome = purge_now(&task);
            if let Err(error) = &outcome {
                tracing::error!(%error, "what was derived from erased data is not removed yet");
            }
            // Nobody listens when it took too long.
            let _ = done.send(outcome);
        })?;
    match purged.recv_timeout(WAIT_MAX) {
        Ok(outcome) => outcome,
        Err(_) => Ok(false),
    }
}

fn purge_now(state: &AppState) -> Result<bool, EraseError> {
    let store = state.privacy.store();
    // Whoever had the turn before may have done it.
    let Some(due) = store.purge_due() else {
        return Ok(true);
    };
    state.past.forget()?;
    state.figures.forget();
    state.replies.forget();
    state.accounts.refold()?;
    if !state.projections.forget(REFOLD_LIMIT) {
        return Ok(false);
    }
    store.purged(&due)?;
    Ok(true)
}

fn transaction(event_type: &str, request: &Request, mut data: Value) -> Transaction {
    if let Some(reason) = &request.reason {
        data["reason"] = json!(reason);
    }
    let subject = request.subject.to_string();
    let mut event = NewEvent::new(event_type, data.to_string());
    if event_type == SUBJECT_ERASED {
        event.id = Some(id_of(&subject));
    }
    event
        .tags
        .extend(request.by.as_deref().map(|by| tag(USER_PREFIX, by)));
    let stream = StreamName::new(AGGREGATE_TYPE, subject);
    Transaction::single(stream, ExpectedVersion::Any, event)
}

/// The id of the event that says that this subject was erased.
fn id_of(subject: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, subject.as_bytes())
}

/// Brings log, key store and what is derived together, before anything is served.
///
/// # Errors
/// See [`EraseError`].
pub fn reconcile(
    log: &Log,
    store: &KeyStore,
    projections_folder: &std::path::Path,
) -> Result<(), EraseError> {
    for (subject, erased) in erasures(log, Position::FIRST)? {
        if !matches!(store.status(&subject), Some(SubjectStatus::Erased(_))) {
            tracing::warn!(%subject, "the log says that they were erased, and there is a key: it is destroyed");
            erase_as_told(store, &subject, erased)?;
        }
    }
    for (subject, erased) in store.erased() {
        let text = subject.to_string();
        if log.position_of(id_of(&text))?.is_none() {
            tracing::warn!(%subject, "was erased after the backup that this log was restored from: the log is told again");
            let request = Request {
                subject,
                by: erased.by,
                reason: erased.reason,
                requested_at: None,
            };
            let data = json!({ "subject": text, "erased_at": erased.erased_at });
            log.append(transaction(SUBJECT_ERASED, &request, data))?;
        }
    }
    if let Some(due) = store.purge_due() {
        Projections::forget_saved(projections_folder)?;
        log.snapshots().clear()?;
        store.purged(&due)?;
    }
    Ok(())
}

/// Erases those of whom other depots told since `from`. Returns up to where that is done.
///
/// # Errors
/// See [`EraseError`]; what was done is done, and may be begun anew.
pub fn erase_told(state: &AppState, from: Position) -> Result<Position, EraseError> {
    let to = state.log.durable_position();
    let store = state.privacy.store();
    for (subject, erased) in erasures(&state.log, from)? {
        if !matches!(store.status(&subject), Some(SubjectStatus::Erased(_))) {
            tracing::info!(%subject, "was erased at another depot, and is erased here");
            erase_as_told(store, &subject, erased)?;
        }
    }
    purge(state)?;
    Ok(to)
}

/// Everybody whose erasure the log tells of, from this position on. An account of this depot is not erased because another
/// depot says so: it may be the last that can set things right.
fn erasures(log: &Log, from: Position) -> Result<Vec<(Subject, Erased)>, ReadError> {
    let mut found = Vec::new();
    let mut reader = log.read(&ReadRequest {
        query: Query::aggregate_types([AGGREGATE_TYPE]),
        from,
        ..ReadRequest::default()
    })?;
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) if event.event_type() == SUBJECT_ERASED => event,
            Ok(_) | Err(ReadError::Damaged { .. }) => continue,
            Err(error) => return Err(error),
        };
        let Some(subject) = Subject::parse(event.stream().aggregate_id) else {
            continue;
        };
        let is_account = || {
            let account = StreamName::new(subject.kind(), subject.id());
            subject.kind() == user::AGGREGATE_TYPE && log.stream(&account).is_some()
        };
        if Origin::of(event.tags()).is_some() && is_account() {
            tracing::warn!(%subject, "was erased at another depot, and has an account here: it is left");
            continue;
        }
        let data: Map<String, Value> = serde_json::from_slice(event.data()).unwrap_or_default();
        let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
        let erased = Erased {
            erased_at: text("erased_at").unwrap_or_else(|| rfc3339::to_string(event.recorded_at())),
            by: crate::envelope::user_id(event.tags()).map(str::to_owned),
            reason: text("reason"),
        };
        found.push((subject, erased));
    }
    Ok(found)
}

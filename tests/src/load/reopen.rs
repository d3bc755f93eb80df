//! The second opinion on a folder: opens the log for good, as the server would, and holds it against what was acknowledged.
//!
//! `verify` only reads. This one asks it first, lets the log recover, reads all of it back, appends, so that "appending
//! continues" is part of every fault test's answer, and asks it again. Exit codes are those of `railfleet verify`.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};
use storage::{
    ExpectedVersion, Log, NewEvent, Position, ReadRequest, StreamName, Timestamp, Transaction,
    VerifyError, VerifyOptions, Version,
};
use uuid::Uuid;

use super::{AGGREGATE_TYPE, EVENT_TYPE, is_genuine};

/// What a log that was opened again holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reopened {
    /// How many events could be read.
    pub events: u64,
    /// SHA-256 over every event's position, id, stream, type and data, in order.
    pub digest: [u8; 32],
    /// Acknowledged, and not there.
    pub missing: Vec<Uuid>,
    /// Everything else that is not as it must be, a sentence each.
    pub problems: Vec<String>,
}

impl Reopened {
    /// 0 when all is well, 10 when an acknowledged event is missing, 20 when something is damaged.
    pub fn exit_code(&self) -> u8 {
        match (self.problems.is_empty(), self.missing.is_empty()) {
            (true, true) => 0,
            (true, false) => 10,
            (false, _) => 20,
        }
    }
}

/// Verifies the log in `folder`, opens it, reads it, appends one event to show that it goes on, and verifies it again.
///
/// `segment_bytes` as the log was written with. Only events of the load are held against their ids.
pub fn reopen(folder: &Path, acknowledged: &[Uuid], segment_bytes: u64) -> Reopened {
    let mut found = Reopened::default();
    let verified = verify(folder, acknowledged, &mut found);
    let log = match Log::open(folder, super::embedded::options(segment_bytes)) {
        Ok(log) => log,
        Err(error) => {
            found.problems.push(format!("does not open: {error:?}"));
            return found;
        }
    };
    for damage in log.health().damage {
        found
            .problems
            .push(format!("opened with damage: {damage:?}"));
    }
    let places = read_all(&log, &mut found);
    for id in acknowledged {
        match (log.position_of(*id), places.get(id)) {
            (Ok(Some(position)), Some(place)) if position == *place => {}
            (Ok(None), None) => found.missing.push(*id),
            (answer, place) => found.problems.push(format!(
                "{id} is found at {answer:?} by its id, and at {place:?} by reading"
            )),
        }
    }
    if verified != found.events {
        found.problems.push(format!(
            "verified {verified} events and then read {}",
            found.events
        ));
    }
    append_one(&log, &mut found);
    log.close();
    let verified = verify(folder, acknowledged, &mut found);
    if verified != found.events + 1 {
        found.problems.push(format!(
            "verified {verified} events after {} and one more",
            found.events
        ));
    }
    found.missing.sort_unstable();
    found.missing.dedup();
    found
}

/// What `verify` says of the folder as it lies there. Returns how many events it found; a folder where no log was begun
/// yet has none.
fn verify(folder: &Path, acknowledged: &[Uuid], found: &mut Reopened) -> u64 {
    let options = VerifyOptions {
        acknowledged: acknowledged.to_vec(),
        ..VerifyOptions::default()
    };
    match storage::verify(folder, &options) {
        Ok(report) => {
            found.missing.extend(report.missing);
            found.problems.extend(
                report
                    .problems
                    .iter()
                    .map(|problem| format!("verify: {}: {}", problem.file, problem.what)),
            );
            report.events
        }
        Err(VerifyError::NoLog) => {
            found.missing.extend(acknowledged);
            0
        }
        Err(error) => {
            found.problems.push(format!("does not verify: {error:?}"));
            0
        }
    }
}

/// Reads every event in order. Returns where each lies.
fn read_all(log: &Log, found: &mut Reopened) -> BTreeMap<Uuid, Position> {
    let mut places = BTreeMap::new();
    let mut versions: BTreeMap<StreamName, Version> = BTreeMap::new();
    let (mut last, mut recorded_last) = (Position::START, Timestamp::MIN);
    let mut digest = Sha256::new();
    let mut reader = match log.read(&ReadRequest::default()) {
        Ok(reader) => reader,
        Err(error) => {
            found.problems.push(format!("cannot be read: {error}"));
            return places;
        }
    };
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                found.problems.push(error.to_string());
                continue;
            }
        };
        let position = event.position();
        let mut wrong = |what: &str| {
            found
                .problems
                .push(format!("the event at {position} {what}"))
        };
        if position != last.next() {
            wrong("does not follow the one before it");
        }
        if event.recorded_at() <= recorded_last {
            wrong("was recorded no later than the one before it");
        }
        let version = versions.entry(event.stream().to_name()).or_default();
        if version.next() != Some(event.version()) {
            wrong("has not its stream's next version");
        }
        *version = event.version();
        if event.event_type() == EVENT_TYPE && !is_genuine(event.id(), event.data()) {
            wrong("is not as it was appended");
        }
        if places.insert(event.id(), position).is_some() {
            wrong("has the id of an earlier one");
        }
        (last, recorded_last) = (position, event.recorded_at());
        found.events += 1;
        digest.update(position.get().to_be_bytes());
        digest.update(event.id().as_bytes());
        digest.update(event.stream().to_string());
        digest.update(event.event_type());
        digest.update(event.data());
    }
    if last != log.durable_position() {
        found.problems.push(format!(
            "reading ends at {last}, the log says {}",
            log.durable_position()
        ));
    }
    found.digest = digest.finalize().into();
    places
}

fn append_one(log: &Log, found: &mut Reopened) {
    let before = log.durable_position();
    let id = Uuid::new_v4();
    let event = NewEvent::new(EVENT_TYPE, super::data_of(id, 300)).with_id(id);
    let stream = StreamName::new(AGGREGATE_TYPE, "reopened");
    match log.append(Transaction::single(stream, ExpectedVersion::Any, event)) {
        Ok(receipt) if receipt.last_position() == before.next() => {}
        answer => found
            .problems
            .push(format!("appending behind {before} is answered {answer:?}")),
    }
}

#[cfg(test)]
mod tests;

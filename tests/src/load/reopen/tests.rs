//! The second opinion is worth nothing unless it notices: each rule is broken once here.

use super::*;
use crate::load::Herald;
use crate::load::embedded::{EmbeddedLoad, Ended, run};

const SEGMENT_BYTES: u64 = 64 << 10;

fn filled(folder: &Path) -> Vec<Uuid> {
    let load = EmbeddedLoad {
        folder: folder.to_owned(),
        events: 300,
        batch: 1,
        bytes: 300,
        streams: 7,
        segment_bytes: SEGMENT_BYTES,
        seed: 1,
    };
    let mut said = Vec::new();
    let mut herald = Herald::new(&mut said, None).unwrap();
    assert_eq!(run(&load, &mut herald).unwrap(), Ended::Complete);
    let said = String::from_utf8(said).unwrap();
    let ids: Vec<Uuid> = said
        .lines()
        .map(|line| line.strip_prefix("ACK ").unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids.len(), 300);
    ids
}

#[test]
fn a_sound_log_passes_and_has_one_event_more_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let ids = filled(folder.path());
    let first = reopen(folder.path(), &ids, SEGMENT_BYTES);
    assert_eq!((first.exit_code(), first.events), (0, 300), "{first:?}");
    let second = reopen(folder.path(), &ids, SEGMENT_BYTES);
    assert_eq!((second.exit_code(), second.events), (0, 301), "{second:?}");
    assert_ne!(first.digest, second.digest);
}

#[test]
fn an_event_that_was_acknowledged_elsewhere_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut ids = filled(folder.path());
    ids.push(Uuid::new_v4());
    let found = reopen(folder.path(), &ids, SEGMENT_BYTES);
    assert_eq!((found.exit_code(), &found.missing[..]), (10, &ids[300..]));
}

#[test]
fn a_flipped_byte_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let ids = filled(folder.path());
    let segment = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .min()
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&segment, bytes).unwrap();
    let found = reopen(folder.path(), &ids, SEGMENT_BYTES);
    assert_eq!(found.exit_code(), 20, "{found:?}");
}

#[test]
fn an_event_that_is_not_what_was_appended_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), crate::load::embedded::options(SEGMENT_BYTES)).unwrap();
    let forged = NewEvent::new(EVENT_TYPE, super::super::data_of(Uuid::new_v4(), 300));
    let stream = StreamName::new(AGGREGATE_TYPE, "forged");
    log.append(Transaction::single(stream, ExpectedVersion::Any, forged))
        .unwrap();
    log.close();
    let found = reopen(folder.path(), &[], SEGMENT_BYTES);
    assert_eq!(found.exit_code(), 20, "{found:?}");
}

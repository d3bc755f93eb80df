//! Damage done while the log is in use: found, said, and the rest goes on.

use std::os::unix::fs::FileExt;

use super::support::*;
use crate::*;

/// A round over all segments; what each step found.
fn round(log: &Log) -> Vec<DamagedRange> {
    let mut cursor = ScrubCursor::default();
    let mut found = Vec::new();
    let segments = log.stats().segments;
    for at in 1..=segments {
        let progress = log.scrub(&mut cursor).unwrap();
        assert_eq!(progress.segment, SegmentId::new(at));
        assert_eq!(progress.left, segments - at);
        assert!(progress.bytes >= 128);
        if progress.left == 0 {
            assert_eq!(progress.next, log.durable_position().next());
        }
        found.extend(progress.damage);
    }
    assert_eq!(cursor, ScrubCursor::default(), "the next round begins");
    found
}

fn log_in(folder: &std::path::Path) -> Log {
    let log = Log::open(folder, small()).unwrap();
    for number in 0..60 {
        log.append(one("a", "T", &format!("{number}"))).unwrap();
    }
    log.settle();
    log
}

fn flip(folder: &std::path::Path, name: &str, offset: usize) {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.join(name))
        .unwrap();
    let (mut byte, offset) = ([0], offset as u64);
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

#[test]
fn a_sound_log_is_found_sound_while_it_is_written() {
    let log = open(&memory(), &small());
    std::thread::scope(|scope| {
        scope.spawn(|| (0..300).for_each(|_| drop(log.append(one("a", "T", "x")).unwrap())));
        let mut cursor = ScrubCursor::default();
        for _ in 0..60 {
            assert_eq!(log.scrub(&mut cursor).unwrap().damage, []);
        }
    });
    assert_eq!(round(&log), []);
    assert_eq!(log.health().damage, []);
}

#[test]
fn a_flip_made_while_open_is_found_and_the_rest_serves() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(folder.path());
    assert_eq!(round(&log), []);
    // In a sealed segment, and in the one being written.
    let lost = [20, 60];
    for position in lost {
        let (name, offset) = event_place(&log, position);
        flip(folder.path(), &name, offset + 58);
    }
    let found = round(&log);
    let positions: Vec<_> = found.iter().filter_map(|range| range.positions).collect();
    let expected = lost.map(|at| (Position::new(at), Position::new(at)));
    assert_eq!(positions, expected);
    assert_eq!(log.health().damage, found);
    assert_eq!(round(&log), found);
    assert_eq!(log.health().damage, found, "said once");

    let mut reader = log.read(&ReadRequest::default()).unwrap();
    let mut refused = Vec::new();
    let mut read = 0;
    while let Some(event) = reader.next() {
        match event {
            Ok(_) => read += 1,
            Err(ReadError::Damaged { first, .. }) => refused.push(first.get()),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((read, refused), (58, lost.to_vec()));
    assert_eq!(log.health().state, LogState::Writable);
    log.append(one("a", "T", "on")).unwrap();
}

#[test]
fn a_cut_made_while_closed_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_in(folder.path());
    let (name, offset) = event_place(&log, 20);
    log.close();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(folder.path().join(&name))
        .unwrap();
    file.set_len(offset as u64).unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    assert_eq!(
        log.opened().damage,
        [],
        "sealed segments are not read at open"
    );
    let found = round(&log);
    let first = found[0].positions.unwrap().0;
    assert!(first <= Position::new(20), "{first}");
    assert_eq!(log.durable_position(), Position::new(60));
}

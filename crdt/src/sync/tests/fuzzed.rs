//! The corpus of the fuzz targets and mutations of it, without a fuzzer.

use fuzz_replay::replay;

use super::*;
use crate::clock::VectorClock;
use crate::fuzzing;
use crate::json::stamp_to_text;

/// Frames of tablets that know a vehicle and a work order.
#[test]
fn frame_corpus() {
    let seeds: Vec<Vec<u8>> = (0..12).map(|seed| random_frame(seed).2).collect();
    let read = |bytes: &Vec<u8>| {
        let basis = random_frame(0).1.basis();
        Frame::decode(bytes, &basis, &fuzzing::Everything).is_ok()
    };
    assert!(
        seeds.iter().filter(|seed| read(seed)).count() >= 6,
        "the target reads honest frames"
    );
    replay("frame", &seeds, fuzzing::frame);
}

/// Pages and answers that tablets were sent.
#[test]
fn page_corpus() {
    let mut seeds = Vec::new();
    for seed in 0..6 {
        let (mut depot, tablet, bytes) = random_frame(seed);
        let (_, answer) = push(&mut depot, &tablet, &bytes).unwrap();
        seeds.push(to_bytes(&answer));
        seeds.push(pull(&mut depot, &mut Tablet::new(tablet.device(), &TABLES)));
    }
    assert!(
        seeds
            .iter()
            .any(|seed| Page::decode(seed, &fuzzing::Everything).is_ok())
    );
    replay("page", &seeds, fuzzing::page);
}

#[test]
fn checkpoint_corpus() {
    let mut seeds = vec![Depot::new(&TABLES, 16).save()];
    for seed in 0..6 {
        let (mut depot, tablet, bytes) = random_frame(seed);
        push(&mut depot, &tablet, &bytes).unwrap();
        seeds.push(depot.save());
    }
    replay("checkpoint", &seeds, fuzzing::checkpoint);
}

#[test]
fn cursor_corpus() {
    let mut seeds = vec![
        to_bytes(&Cursor::at(LogPosition::new(300))),
        to_bytes(&Cursor {
            complete: LogPosition::new(1 << 40),
            reached: LogPosition::new((1 << 40) + 5),
        }),
        to_bytes(&Stamp::new(NOW_MS, 7)),
        to_bytes(&VectorClock::<DeviceId>::default()),
    ];
    for seed in 0..4 {
        let (mut depot, tablet, bytes) = random_frame(seed);
        push(&mut depot, &tablet, &bytes).unwrap();
        for handle in depot.store().live() {
            seeds.push(depot.store().get(handle).unwrap().to_packed());
        }
    }
    replay("cursor", &seeds, fuzzing::cursor);
}

#[test]
fn clock_corpus() {
    let times = [
        "2026-11-29T19:13:57.123456789Z",
        "2026-03-29T02:30:00+02:00",
        "2026-11-29 19:13:57.5",
        "1970-01-01",
    ];
    let mut seeds: Vec<Vec<u8>> = times.iter().map(|time| time.as_bytes().to_vec()).collect();
    seeds.push(stamp_to_text(Stamp::new(NOW_MS, 65_535)).into_bytes());
    let steps = [
        (2, NOW_MS),
        (0, Stamp::new(NOW_MS + 9, 65_535).bits()),
        (2, NOW_MS),
        (1, u64::MAX - 5),
        (2, 7),
    ];
    seeds.push(
        steps
            .iter()
            .flat_map(|(kind, number): &(u8, u64)| [&[*kind], &number.to_le_bytes()[..]].concat())
            .collect(),
    );
    replay("clock", &seeds, fuzzing::clock);
}

//! Events that rot in the log and are whole again: what a lake lacks is counted, and is there once it can be read.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt as _;

use super::*;
use crate::Gap;

const SPAN: u64 = 5;

/// Ten events in two whole spans. The fourth is its stream's only one.
fn ten() -> Depot {
    let depot = Depot::new();
    for number in 1..=10 {
        tell(&depot, number);
    }
    depot
}

fn tell(depot: &Depot, number: u64) {
    let id = match number {
        4 => "alone",
        _ => "many",
    };
    let mark = mark(number);
    depot.append_data("Unheard", id, "Told", &json!({mark: true}));
}

/// What only this event says.
fn mark(number: u64) -> String {
    format!("told_{number:02}")
}

fn segment(folder: &Path) -> PathBuf {
    folder.join("log/000000000001.log")
}

/// Where in the log of this depot an event lies.
fn place(folder: &Path, number: u64) -> u64 {
    let (bytes, mark) = (fs::read(segment(folder)).unwrap(), mark(number));
    let found = bytes
        .windows(mark.len())
        .position(|part| part == mark.as_bytes());
    found.unwrap() as u64
}

/// Flips a bit of the log, which may be open, or flips it back.
fn flip(folder: &Path, at: u64) {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(segment(folder))
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1;
    file.write_all_at(&byte, at).unwrap();
}

/// What the states say.
fn told(depot: &Depot) -> BTreeSet<String> {
    let manifest = depot.manifest();
    let mut told = BTreeSet::new();
    for file in manifest.state_files(None) {
        let batch = depot.read(&file.path);
        for row in 0..batch.num_rows() {
            let rest = text(&batch, "rest", row).unwrap();
            let rest: BTreeMap<String, serde_json::Value> = serde_json::from_str(rest).unwrap();
            told.extend(rest.into_keys());
        }
    }
    told
}

fn marks(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<String> {
    numbers.into_iter().map(mark).collect()
}

#[test]
fn states_that_lack_what_rotted_in_a_whole_span_are_counted_and_written_anew() {
    let depot = ten();
    let first = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((first.events, first.unreadable), (10, 0));
    let folder = depot.folder.path();
    let places = [3, 4].map(|number| place(folder, number));
    places.iter().for_each(|at| flip(folder, *at));
    tell(&depot, 11);
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.events, report.unreadable), (1, 2));
    assert_eq!(depot.manifest().gaps, [Gap { from: 3, to: 4 }]);
    assert_eq!(
        told(&depot),
        marks((1..=11).filter(|n| ![3, 4].contains(n)))
    );
    assert_eq!(depot.events().len(), 11, "files of events are from before");

    // As long as it is damaged, nothing is written for it.
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.files, report.unreadable), (0, 2));

    flip(folder, places[0]);
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.events, report.unreadable), (0, 1));
    assert_eq!(depot.manifest().gaps, [Gap { from: 4, to: 4 }]);
    flip(folder, places[1]);
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.events, report.states, report.unreadable), (0, 2, 0));
    assert!(depot.manifest().gaps.is_empty());
    assert_eq!(told(&depot), marks(1..=11));
    assert_eq!(depot.events().len(), 11);
    assert_eq!(depot.files(), depot.named());
}

#[test]
fn a_whole_span_that_lacks_an_event_is_written_anew_once_it_can_be_read() {
    let depot = ten();
    let folder = depot.folder.path();
    let at = place(folder, 3);
    flip(folder, at);
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.events, report.unreadable), (9, 1));
    tell(&depot, 11);
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.events, report.unreadable), (1, 1));
    let mut manifest = depot.manifest();
    assert_eq!(manifest.events[0].unreadable, 1);
    assert_eq!(manifest.gaps, [Gap { from: 3, to: 3 }]);

    // Older versions kept the count alone.
    manifest.gaps.clear();
    let text = serde_json::to_vec(&manifest).unwrap();
    fs::write(depot.lake.join(MANIFEST_NAME), text).unwrap();
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.files, report.unreadable), (0, 1));

    flip(folder, at);
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.events, report.unreadable), (5, 0));
    let after = depot.manifest();
    assert_eq!(after.events[0].unreadable, 0);
    let old = &manifest.events[0].files[0].path;
    assert!(after.replaced.iter().any(|file| file.path == *old));
    assert_eq!(depot.events().len(), 11);
    assert_eq!(told(&depot), marks(1..=11));
    assert_eq!(depot.files(), depot.named());
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.files, report.unreadable), (0, 0), "once");
}

#[test]
fn an_event_is_missed_though_nobody_knows_any_more_whose_it_was() {
    let depot = ten();
    depot.export_at(0, SPAN, &[]).unwrap();
    // It rots while nobody has the log open: the next start knows nothing of it but its position.
    let Depot { folder, log, lake } = depot;
    log.close();
    flip(folder.path(), place(folder.path(), 4));
    let log = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
    let depot = Depot { folder, log, lake };
    tell(&depot, 11);
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.events, report.unreadable), (1, 1));
    assert_eq!(depot.manifest().gaps, [Gap { from: 4, to: 4 }]);
    assert_eq!(told(&depot), marks((1..=11).filter(|&n| n != 4)));
    assert_eq!(depot.events().len(), 11, "files of events are from before");
    let report = depot.export_at(0, SPAN, &[]).unwrap();
    assert_eq!((report.files, report.unreadable), (0, 1));
}

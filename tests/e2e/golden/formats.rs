//! The format numbers in the code: each that lies in a data folder has a golden folder, each other one says where it lies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use harness::process::must;
use harness::skip::workspace;

use super::{Unpacked, committed};

/// Numbers of what lies in the golden folders, by file and constant.
const ON_DISK: [&str; 16] = [
    "crdt/src/sync/page_codec.rs FORMAT",
    "crdt/src/sync/saved.rs FORMAT",
    "ml/src/frame.rs FORMAT_NUMBER",
    "server/src/past/cache.rs FORMAT",
    "server/src/privacy/lines.rs FORMAT",
    "server/src/projection/catalog.rs FORMAT",
    "server/src/projection/checkpoint.rs HEADING_FORMAT",
    "server/src/projection/event_counts.rs FORMAT",
    "server/src/sync/checkpoint.rs FORMAT",
    "storage/src/header.rs SEGMENT_FORMAT",
    "storage/src/index/file.rs INDEX_FORMAT",
    "storage/src/merkle/nodes.rs NODES_FORMAT",
    "storage/src/snapshot/layout.rs FORMAT",
    "storage/src/state.rs FORMAT",
    "storage/src/tier/stub.rs STUB_FORMAT",
    "storage/src/watermark.rs FORMAT",
];

/// Numbers of what lies elsewhere, and where.
const ELSEWHERE: [(&str, &str); 7] = [
    ("crdt/src/sync/frame.rs FORMAT", "between tablet and server"),
    ("federation/src/message.rs FORMAT", "between depots"),
    (
        "federation/src/sheet.rs FORMAT",
        "made again from the broker's stream",
    ),
    ("lake/src/features.rs FORMAT", "in a lake"),
    ("lake/src/manifest.rs FORMAT", "in a lake"),
    (
        "server/src/federation/homes/saved.rs FORMAT",
        "of a depot that takes part with others; made again",
    ),
    (
        "server/src/ingest/checkpoint.rs FORMAT",
        "how far a file was taken; made again",
    ),
];

/// The format numbers in the product's source: `FILE CONSTANT` to the number.
fn in_the_code() -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for part in ["storage", "crdt", "ml", "server", "federation", "lake"] {
        let source = workspace().join(part).join("src");
        let mut folders = vec![source];
        while let Some(folder) = folders.pop() {
            for entry in must("listing sources", fs::read_dir(&folder)) {
                let path = must("listing sources", entry).path();
                let is_test = path.file_stem().is_some_and(|name| name == "tests");
                if is_test {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    read(&path, &mut found);
                }
            }
        }
    }
    found
}

fn read(path: &Path, found: &mut BTreeMap<String, u32>) {
    let text = must("reading a source", fs::read_to_string(path));
    let file = path.strip_prefix(workspace()).expect("in the workspace");
    for line in text.lines() {
        let Some((_, declared)) = line.split_once("const ") else {
            continue;
        };
        let Some((name, rest)) = declared.split_once(": u") else {
            continue;
        };
        let Some((_, value)) = rest.split_once(" = ") else {
            continue;
        };
        let is_format = name.split('_').any(|word| word == "FORMAT") && !name.ends_with("OLDEST");
        if let (true, Ok(value)) = (is_format, value.trim_end_matches(';').parse()) {
            found.insert(format!("{} {name}", file.display()), value);
        }
    }
}

/// The numbers of this program that lie in a data folder.
pub(super) fn on_disk() -> BTreeMap<String, u32> {
    let mut numbers = in_the_code();
    numbers.retain(|name, _| ON_DISK.contains(&name.as_str()));
    numbers
}

#[test]
fn every_format_number_has_a_golden_folder() {
    let code = in_the_code();
    let elsewhere = ELSEWHERE.iter().map(|(name, _)| (*name).to_owned());
    let known: BTreeSet<String> = ON_DISK
        .iter()
        .map(|name| (*name).to_owned())
        .chain(elsewhere)
        .collect();
    let found: BTreeSet<String> = code.keys().cloned().collect();
    assert_eq!(
        found, known,
        "say of each format number whether it lies in a data folder"
    );
    let made: Vec<BTreeMap<String, u32>> = committed()
        .iter()
        .map(|(_, packed)| {
            let told = Unpacked::of(packed).told;
            serde_json::from_value(told["formats"].clone()).expect("numbers by name")
        })
        .collect();
    for (name, number) in on_disk() {
        assert!(
            made.iter().any(|folder| folder.get(&name) == Some(&number)),
            "{name} is {number}, and no golden folder has it: RAILFLEET_WRITE_GOLDEN=1 makes one"
        );
    }
}

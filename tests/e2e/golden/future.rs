//! A folder of a later program: refused in a sentence that names the file, and not touched.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::process::must;
use harness::skip;

use super::{Unpacked, committed, digests};

/// The number that no program has yet.
const LATER: u32 = 4_000;

/// Puts the number in, and a checksum that agrees, over all before it and what is covered `behind`: only that tells a later
/// program's file from a damaged one.
fn raise(bytes: &mut [u8], crc_at: usize, behind: std::ops::Range<usize>) {
    bytes[8..12].copy_from_slice(&LATER.to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..crc_at]);
    crc.update(&bytes[behind]);
    bytes[crc_at..crc_at + 4].copy_from_slice(&crc.finalize().to_le_bytes());
}

fn raise_in_segment(bytes: &mut [u8]) {
    raise(bytes, 124, 0..0);
}

fn raise_in_watermark(bytes: &mut [u8]) {
    raise(bytes, 92, 0..0);
    let slot = &mut bytes[4_096..];
    raise(slot, 92, 0..0);
}

fn raise_in_stub(bytes: &mut [u8]) {
    raise(bytes, 12, 16..272);
}

fn raise_in_people(bytes: &mut Vec<u8>) {
    let text = String::from_utf8(std::mem::take(bytes)).expect("text");
    *bytes = text
        .replacen("\"format\":1", &format!("\"format\":{LATER}"), 1)
        .into_bytes();
}

/// The first file of the log with this ending.
fn of_log(data: &Path, ending: &str) -> std::path::PathBuf {
    let entries = must("listing", fs::read_dir(data.join("log")));
    let mut found: Vec<_> = entries
        .map(|entry| must("listing", entry).path())
        .filter(|path| path.extension().is_some_and(|end| end == ending))
        .collect();
    found.sort();
    found.swap_remove(0)
}

#[test]
fn a_folder_of_a_later_program_is_refused_and_not_touched() {
    if !skip::programs(
        "a_folder_of_a_later_program_is_refused_and_not_touched",
        &["tar"],
    ) {
        return;
    }
    let (_, packed) = committed().pop().expect("a golden folder");
    type Raise = fn(&mut Vec<u8>);
    let kinds: [(&str, Raise); 4] = [
        ("log", |bytes| raise_in_segment(bytes)),
        ("watermark", |bytes| raise_in_watermark(bytes)),
        ("stub", |bytes| raise_in_stub(bytes)),
        ("people.keys", raise_in_people),
    ];
    for (kind, raise) in kinds {
        let golden = Unpacked::of(&packed);
        let data = golden.folder.path();
        let file = match kind {
            "watermark" => data.join("log/watermark"),
            "people.keys" => data.join("keys/people.keys"),
            ending => of_log(data, ending),
        };
        let mut bytes = must("reading", fs::read(&file));
        raise(&mut bytes);
        must("writing", fs::write(&file, bytes));
        let before = digests(data);

        let environment = [("RAILFLEET_ARCHIVE_TO", golden.archive.clone().into())];
        let mut server = golden.folder.launch(&[], &environment);
        let ended = server.process().wait(Duration::from_secs(60));
        let said = server.process().output();
        assert_eq!(
            ended.and_then(|status| status.code()),
            Some(1),
            "{kind}: {said}"
        );
        assert!(said.contains(&format!("format {LATER}")), "{kind}: {said}");
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let named = said.contains(name) || said.contains("segment 0");
        assert!(named, "{kind}: the file is not named: {said}");
        assert_eq!(digests(data), before, "{kind}: the folder was touched");
    }
}

//! What lies in a folder, for whoever looks whether something may not be there.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::process::must;

/// How a zstd frame begins (RFC 8878 §3.1.1).
const ZSTD_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// Everything below a folder that is not a folder.
///
/// # Panics
/// When it cannot be listed.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in must("listing", fs::read_dir(folder)) {
        let path = must("listing", entry).path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The bytes of a file, and behind them what its zstd frames hold: the pages of read models are compressed.
///
/// # Panics
/// When it cannot be read.
pub fn unpacked(file: &Path) -> Vec<u8> {
    let mut bytes = must("reading", fs::read(file));
    let windows = bytes.windows(ZSTD_MAGIC.len()).enumerate();
    let frames: Vec<usize> = windows
        .filter_map(|(at, window)| (window == ZSTD_MAGIC).then_some(at))
        .collect();
    for at in frames {
        let mut frame = Vec::new();
        let decoder = must(
            "decoding",
            zstd::stream::read::Decoder::with_buffer(&bytes[at..]),
        );
        // What looks like a frame and is none ends where that shows.
        let _ = decoder.single_frame().read_to_end(&mut frame);
        bytes.extend(frame);
    }
    bytes
}

/// The files below a folder that hold a text, packed or not.
///
/// # Panics
/// When one cannot be read.
pub fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = files(folder);
    found.retain(|file| {
        unpacked(file)
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    });
    found
}

//! A list of passwords that thieves know, on this machine's disk, in the form in which Have I Been Pwned gives it: a line
//! each of SHA-1 in hexadecimal, sorted, with or without a count behind a colon.
//!
//! The list may have tens of gigabytes: it is searched by halves, in the file.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use sha1::Digest as _;

#[cfg(test)]
mod tests;

/// Digits of a digest.
const DIGITS: usize = 40;
/// Longer than any line: what is read at once.
const BUFFER_BYTES: usize = 512;

/// What stands in the list for `password`: 40 capital hexadecimal digits.
pub(crate) fn digest(password: &str) -> String {
    let digest = sha1::Sha1::digest(password.as_bytes());
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Whether `digest` stands in the list. Blocks on the disk.
///
/// # Errors
/// When the file cannot be read, or is no such list.
pub(super) fn holds(list: &Path, digest: &str) -> io::Result<bool> {
    let file = File::open(list)?;
    let bytes = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    // The line that is looked for begins in `low..high`, if it is there.
    let (mut low, mut high) = (0, bytes);
    while low < high {
        let middle = low + (high - low) / 2;
        let Some((begin, found)) = first_line_from(&mut reader, middle)? else {
            high = middle;
            continue;
        };
        match found.as_str().cmp(digest) {
            std::cmp::Ordering::Equal => return Ok(true),
            std::cmp::Ordering::Less => low = begin + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(false)
}

/// The first line that begins at `from` or behind it: where it begins, and its digest.
fn first_line_from(reader: &mut BufReader<File>, from: u64) -> io::Result<Option<(u64, String)>> {
    let mut line = Vec::new();
    let mut begin = 0;
    if from > 0 {
        // A line begins at `from` when the byte before it ends one.
        reader.seek(SeekFrom::Start(from - 1))?;
        begin = from - 1 + reader.read_until(b'\n', &mut line)? as u64;
        line.clear();
    } else {
        reader.rewind()?;
    }
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let digest = line
        .get(..DIGITS)
        .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let digest = digest.ok_or_else(|| {
        let place = format!("the line at byte {begin} does not begin with a SHA-1 in hexadecimal");
        io::Error::new(io::ErrorKind::InvalidData, place)
    })?;
    let text = String::from_utf8_lossy(digest).to_ascii_uppercase();
    Ok(Some((begin, text)))
}

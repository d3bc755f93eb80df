//! The files of a snapshot store: their names, reading their headers, reading a state, removing them.

use std::io;
use std::sync::Arc;

use uuid::Uuid;

use super::index::{Index, Place, SnapshotFile};
use super::layout::{self, Found, HEADER_BYTES_MAX, Header, Unreadable};
use crate::position::Position;
use crate::repo::{Repo, RepoFile};

/// The name of the file of this number.
pub(super) fn name_of(number: u32) -> String {
    format!("snapshots-{number:04}.dat")
}

/// The number of a file of this name; `None` for a name that was not made by [`name_of`].
fn number_of(name: &str) -> Option<u32> {
    let number = name
        .strip_prefix("snapshots-")?
        .strip_suffix(".dat")?
        .parse()
        .ok()?;
    (name_of(number) == name).then_some(number)
}

/// Reads the headers of all files. Cuts the newest one behind its last whole snapshot, so that it can go on there.
///
/// # Errors
/// When the folder cannot be listed. A file that cannot be read is passed over.
pub(super) fn read_index(repo: &dyn Repo, log_id: Uuid) -> io::Result<Index> {
    let mut index = Index::default();
    let names = repo.list()?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
    // By number and not by name: 10,000 comes after 9,999.
    numbers.sort_unstable();
    let newest = numbers.last().copied();
    for number in numbers {
        let Ok(file) = repo.open(&name_of(number)) else {
            index.add_unused(number);
            index.counted.damaged += 1;
            continue;
        };
        let end = read_headers(&mut index, number, &file, log_id);
        let goes_on = Some(number) == newest && may_go_on(&*file, end);
        if end != Ended::Whole {
            index.counted.damaged += 1;
        }
        if goes_on {
            index.continue_tail();
        } else if end != Ended::Whole {
            index.distrust_file(number);
        }
    }
    Ok(index)
}

/// Why the snapshots of a file ended where they did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// With the file.
    Whole,
    /// At bytes that are no snapshot, at this offset.
    Torn(u64),
    /// At something that must not be touched: of another program, or not to be read.
    Unknown,
}

fn may_go_on(file: &dyn RepoFile, end: Ended) -> bool {
    match end {
        Ended::Whole => true,
        // Nothing behind the cut is in the index, so no reader can be there.
        Ended::Torn(offset) => file.set_len(offset).is_ok(),
        Ended::Unknown => false,
    }
}

/// Adds the file and the snapshots of this log that it holds.
fn read_headers(index: &mut Index, number: u32, file: &Arc<dyn RepoFile>, log_id: Uuid) -> Ended {
    let empty = SnapshotFile {
        file: Arc::clone(file),
        length: 0,
        position_max: Position::START,
    };
    index.add_file(number, empty);
    let Ok(length) = file.len() else {
        return Ended::Unknown;
    };
    let mut buffer = vec![0; HEADER_BYTES_MAX];
    let mut offset = 0;
    while offset < length {
        let found = match read_header(&**file, offset, length, &mut buffer) {
            Ok(Ok(found)) => found,
            Ok(Err(Unreadable::Damaged)) => return Ended::Torn(offset),
            Ok(Err(Unreadable::Foreign)) | Err(_) => return Ended::Unknown,
        };
        // The state may have been torn off; a header that is whole says so by the file's length.
        if length - offset < found.bytes() {
            return Ended::Torn(offset);
        }
        let place = Place {
            file: number,
            offset,
            bytes: found.bytes(),
        };
        if found.header.log_id == log_id {
            index.add(
                &found.header.stream,
                found.header.version,
                found.header.position,
                place,
            );
        }
        offset += found.bytes();
        index.lengthen_file(number, offset);
    }
    Ended::Whole
}

fn read_header(
    file: &dyn RepoFile,
    offset: u64,
    length: u64,
    buffer: &mut [u8],
) -> io::Result<Result<Found, Unreadable>> {
    let wanted =
        usize::try_from(length - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
    let buffer = &mut buffer[..wanted];
    file.read_at(buffer, offset)?;
    Ok(layout::decode_header(buffer))
}

/// The state at `place`, if it is whole and the one that `expected` names.
pub(super) fn read_state(file: &dyn RepoFile, place: Place, expected: &Header) -> Option<Vec<u8>> {
    // The place was taken from a sound header or written by this process, so its length is bounded.
    let mut bytes = vec![0; usize::try_from(place.bytes).ok()?];
    file.read_at(&mut bytes, place.offset).ok()?;
    let found = layout::decode_header(&bytes).ok()?;
    if &found.header != expected
        || found.bytes() != place.bytes
        || !found.is_of(&bytes[found.header_bytes..])
    {
        return None;
    }
    bytes.drain(..found.header_bytes);
    Some(bytes)
}

/// What in the snapshots' files is not as it was written: the file, and the offset behind which nothing of it is used.
pub(super) fn faults(repo: &dyn Repo, log_id: Uuid) -> io::Result<Vec<(String, u64)>> {
    let mut faults = Vec::new();
    for name in repo.list()? {
        if number_of(&name).is_none() {
            continue;
        }
        let file = repo.open(&name)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
        file.read_at(&mut bytes, 0)?;
        let mut rest = bytes.as_slice();
        while let Ok(found) = layout::decode_header(rest)
            && let Some(state) =
                rest.get(found.header_bytes..found.header_bytes + found.state_bytes)
            && found.is_of(state)
            && found.header.log_id == log_id
        {
            rest = &rest[found.header_bytes + found.state_bytes..];
        }
        if !rest.is_empty() {
            faults.push((name, (bytes.len() - rest.len()) as u64));
        }
    }
    Ok(faults)
}

/// Removes the files that are not used any more. They may come back after a power cut, until the folder is synced.
pub(super) fn remove_unused(repo: &dyn Repo, index: &mut Index) -> io::Result<()> {
    for number in index.unused() {
        match repo.remove(&name_of(number)) {
            // Somebody was tidying up, which is as good.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        index.removed(number);
    }
    Ok(())
}

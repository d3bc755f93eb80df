//! What a view shows, and what a map costs.

use std::io::Write;
use std::os::unix::fs::FileExt;

use super::*;

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn a_view_shows_exactly_what_was_asked_for() {
    let mapped = MappedFile::new(file_of(b"railfleet"));
    assert_eq!(mapped.view(4, 0).unwrap().as_slice(), b"rail");
    assert_eq!(mapped.view(9, 0).unwrap().as_slice(), b"railfleet");
    assert_eq!(mapped.view(0, 0).unwrap().as_slice(), b"");
    assert_eq!(mapped.view(0, 1 << 20).unwrap().as_slice(), b"");
}

#[test]
fn a_view_of_an_empty_file_is_empty() {
    let mapped = MappedFile::new(file_of(b""));
    assert_eq!(mapped.view(0, 4_096).unwrap().as_slice(), b"");
}

#[test]
fn a_file_that_is_too_short_is_refused_before_it_is_touched() {
    let mapped = MappedFile::new(file_of(b"rail"));
    assert_eq!(
        mapped.view(5, 100).unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof
    );
    mapped.view(4, 100).unwrap();
    assert_eq!(
        mapped.view(5, 100).unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof,
        "a map that is long enough does not stand in for the file's length"
    );
}

#[test]
fn a_length_beyond_the_address_space_is_refused() {
    let mapped = MappedFile::new(file_of(b"rail"));
    assert_eq!(
        mapped.view(1, u64::MAX).unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
}

#[test]
fn a_growing_file_is_mapped_once() {
    let mapped = MappedFile::new(file_of(b""));
    let mut expected = Vec::new();
    let mut address = None;
    for round in 0..64_u8 {
        let piece = vec![round; 1_000];
        mapped
            .file()
            .write_all_at(&piece, expected.len() as u64)
            .unwrap();
        expected.extend_from_slice(&piece);

        let view = mapped.view(expected.len() as u64, 1 << 20).unwrap();
        assert_eq!(
            view.as_slice(),
            expected,
            "what was written through the file is seen through the map"
        );
        let here = view.as_slice().as_ptr();
        assert_eq!(
            *address.get_or_insert(here),
            here,
            "the reserve made a second map needless"
        );
    }
}

#[test]
fn a_map_that_became_too_short_is_replaced_and_older_views_stay() {
    let mapped = MappedFile::new(file_of(&[1; 5_000]));
    let early = mapped.view(5_000, 0).unwrap();
    mapped.file().write_all_at(&[2; 100_000], 5_000).unwrap();
    let late = mapped.view(105_000, 0).unwrap();
    assert_eq!(early.as_slice(), [1; 5_000]);
    assert_eq!(late.as_slice()[..5_000], [1; 5_000]);
    assert_eq!(late.as_slice()[5_000..], [2; 100_000]);
}

#[test]
fn a_view_outlives_the_file() {
    let mapped = MappedFile::new(file_of(b"railfleet"));
    let view = mapped.view(9, 0).unwrap();
    drop(mapped);
    assert_eq!(view.as_slice(), b"railfleet");
}

#[test]
fn views_are_taken_and_read_by_many_threads_at_once() {
    let mapped = MappedFile::new(file_of(&[7; 10_000]));
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let mapped = &mapped;
            scope.spawn(move || {
                for round in 0..500 {
                    let length = 1 + (thread * 2_503 + round * 19) % 10_000;
                    let view = mapped.view(length, 0).unwrap();
                    assert!(view.as_slice().iter().all(|byte| *byte == 7));
                    assert_eq!(view.as_slice().len() as u64, length);
                }
            });
        }
    });
}

impl Scratch {
    /// One whose file takes `rooms` times what gets a place at once, as on a disk that is full then.
    pub(crate) fn that_refuses_after(rooms: usize) -> Scratch {
        let named = tempfile::NamedTempFile::new().unwrap();
        let mut scratch = Scratch::new(named.reopen().unwrap()).unwrap();
        let length = rooms * Self::PREPARE_BYTES;
        scratch.file.write_all_at(&vec![0; length], 0).unwrap();
        scratch.prepared = Mutex::new(length);
        scratch.file = File::open(named.path()).unwrap();
        scratch
    }
}

#[test]
fn a_scratch_shows_what_was_put_into_it() {
    let scratch = Scratch::new(tempfile::tempfile().unwrap()).unwrap();
    let long = vec![7; 3 * Scratch::PREPARE_BYTES];
    let at = [b"ab".as_slice(), b"", b"c", &long, b"d"].map(|bytes| scratch.push(bytes).unwrap());
    assert_eq!(scratch.get(at[0], 2), Some(b"ab".as_slice()));
    assert_eq!(scratch.get(at[1], 0), Some(b"".as_slice()));
    assert_eq!(scratch.get(at[2], 1), Some(b"c".as_slice()));
    assert_eq!(scratch.get(at[3], long.len()), Some(&*long));
    assert_eq!(scratch.get(at[4], 1), Some(b"d".as_slice()));
    assert_eq!(scratch.get(at[4], 2), None, "beyond what was written");
    assert_eq!(scratch.get(u32::MAX, 1), None);
    assert_eq!(scratch.get(0, usize::MAX), None);
}

#[test]
fn a_scratch_that_refuses_keeps_what_it_has() {
    let scratch = Scratch::that_refuses_after(1);
    let at = scratch.push(b"kept").unwrap();
    let too_long = vec![1; Scratch::PREPARE_BYTES];
    assert!(scratch.push(&too_long).is_err());
    let behind = scratch.push(b"more").unwrap();
    assert_eq!(scratch.get(at, 4), Some(b"kept".as_slice()));
    assert_eq!(scratch.get(behind, 4), Some(b"more".as_slice()));
}

//! An index file damaged anywhere answers rightly or says that it is damaged; none makes the program panic.

use super::*;

/// As docs/format.md draws the file.
const FIXED_BYTES: usize = 104;
const SECTION_ENTRY_BYTES: usize = 16;
const SECTIONS: usize = 9;
const HEADER_BYTES: usize = FIXED_BYTES + SECTIONS * SECTION_ENTRY_BYTES;

/// Twelve events of every kind, one of them lost.
fn some_events() -> Vec<Listed> {
    (0..12_u8)
        .map(|number| {
            (number != 4).then(|| Sample {
                stream: u32::from(number % 4) * 1_000,
                event_type: u16::from(number % 3),
                occurred_at: i64::from(number % 5),
                tags: vec![number % 2, 3],
                id: u128::from(number) * 0x1_0000_0001,
            })
        })
        .collect()
}

#[test]
fn every_flipped_bit_is_refused_where_it_matters() {
    let events = some_events();
    let whole = encode(&memory_index(&events), &identity());
    let mut refusals = 0;
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        match file_index(bytes) {
            Err(IndexDamaged) => refusals += 1,
            Ok(index) => {
                assert!(at >= HEADER_BYTES, "byte {at} of the header");
                refusals += usize::from(check(&index, &events).is_none());
            }
        }
    }
    // The names are read by nobody but an open that lacks them.
    assert_eq!(refusals, whole.len() - b"names".len());
}

#[test]
fn damaged_names_are_refused() {
    let mut bytes = encode(&memory_index(&some_events()), &identity());
    let open = |bytes: &[u8]| IndexFile::open(Arc::new(Bytes(bytes.to_vec())), &identity());
    assert_eq!(open(&bytes).unwrap().names(), Ok(&b"names"[..]));
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(open(&bytes).unwrap().names(), Err(IndexDamaged));
}

#[test]
fn every_other_length_is_refused() {
    let whole = encode(&memory_index(&some_events()), &identity());
    for length in 0..whole.len() {
        assert!(
            file_index(whole[..length].to_vec()).is_err(),
            "cut at {length}"
        );
    }
    assert!(file_index([&whole[..], &[0]].concat()).is_err());
}

#[test]
fn an_ordinal_beyond_the_segment_is_refused() {
    let index = file_index(encode(&memory_index(&some_events()), &identity())).unwrap();
    assert_eq!(index.offset(12), Err(IndexDamaged));
    assert_eq!(index.offset(u32::MAX), Err(IndexDamaged));
}

/// Another format number is not an error but an index to be made again.
#[test]
fn another_format_is_not_read() {
    let mut bytes = encode(&memory_index(&some_events()), &identity());
    bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
    reseal(&mut bytes);
    assert!(file_index(bytes).is_err());
}

/// Makes all checksums agree with what the bytes are now.
fn reseal(bytes: &mut [u8]) {
    let mut from = HEADER_BYTES;
    for section in 0..SECTIONS {
        let entry = FIXED_BYTES + section * SECTION_ENTRY_BYTES;
        let length = u32::from_le_bytes(bytes[entry + 8..entry + 12].try_into().unwrap());
        let to = from + length as usize;
        let crc = crc32fast::hash(&bytes[from..to]);
        bytes[entry + 12..entry + 16].copy_from_slice(&crc.to_le_bytes());
        from = to;
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..12]);
    crc.update(&bytes[16..HEADER_BYTES]);
    let crc = crc.finalize();
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
}

/// Asks everything, and takes any answer.
fn ask(index: &SegmentIndex) {
    let mut ordinals = Vec::new();
    for number in [0, 1, 11, 12, 1_000, 2_000, u32::MAX] {
        let _ = index.offset(number);
        let _ = index.stream_span(number);
        let _ = index.list(Key::Stream(number), 0, u32::MAX, &mut ordinals);
    }
    for number in [0, 1, 3, u16::MAX] {
        let _ = index.list(Key::EventType(number), 0, u32::MAX, &mut ordinals);
        let _ = index.list(Key::AggregateType(number), 0, u32::MAX, &mut ordinals);
    }
    let _ = index.list(Key::Tag(tag_hash("tag:1")), 0, u32::MAX, &mut ordinals);
    let _ = index.find_id(Uuid::from_u128(0x1_0000_0001), &mut ordinals);
    let _ = (
        index.count(),
        index.occurred_bounds(),
        index.occurred_order(),
    );
}

proptest! {
    /// What the checksums cannot catch, because they agree, is still no reason to panic.
    #[test]
    fn hostile_sections_under_sound_checksums_are_survived(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut bytes = encode(&memory_index(&some_events()), &identity());
        for (at, byte) in edits {
            let at = HEADER_BYTES + at.index(bytes.len() - HEADER_BYTES);
            bytes[at] = byte;
        }
        reseal(&mut bytes);
        ask(&file_index(bytes).unwrap());
    }

    #[test]
    fn arbitrary_bytes_are_no_index(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(file_index(bytes).is_err());
    }
}

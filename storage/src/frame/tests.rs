//! A frame comes back whole or not at all.

use proptest::prelude::*;

use super::*;
use crate::repo::{MemoryRepo, Repo as _};

const KIND: u16 = 0x0102;
const FORMAT: u16 = 3;

/// The frame of `header` fields and payload with a checksum that agrees, whatever the fields say.
fn sound_frame(header: [u8; CHECKED_BYTES], payload: &[u8]) -> Vec<u8> {
    let checksum = checksum_of(&header, payload).to_le_bytes();
    [&header[..], &checksum, payload].concat()
}

fn header_of(frame: &[u8]) -> [u8; CHECKED_BYTES] {
    *frame.first_chunk().unwrap()
}

#[test]
fn the_layout_is_the_one_that_is_drawn() {
    let frame = encode(KIND, FORMAT, b"rail");
    let mut expected =
        b"RFFRAME\x1A\x02\x01\x03\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00".to_vec();
    let checksum = crc32fast::hash(&[&expected[..], b"rail"].concat());
    expected.extend_from_slice(&checksum.to_le_bytes());
    expected.extend_from_slice(b"rail");
    assert_eq!(frame, expected);
}

#[test]
fn what_follows_a_frame_is_left_alone() {
    let mut bytes = encode(KIND, FORMAT, b"rail");
    let first = bytes.len();
    bytes.extend_from_slice(&encode(KIND, FORMAT, b""));
    bytes.extend_from_slice(b"noise");
    assert_eq!(decode(&bytes, KIND, FORMAT), Ok((&b"rail"[..], first)));
    assert_eq!(
        decode(&bytes[first..], KIND, FORMAT),
        Ok((&b""[..], HEADER_BYTES))
    );
    assert_eq!(
        decode(&bytes[first + HEADER_BYTES..], KIND, FORMAT),
        Err(FrameError::Short { actual: 5 })
    );
}

#[test]
fn every_truncation_is_refused() {
    let frame = encode(KIND, FORMAT, b"railfleet");
    for length in 0..frame.len() {
        let expected = match length.checked_sub(HEADER_BYTES) {
            None => FrameError::Short { actual: length },
            Some(available) => FrameError::Length {
                declared: 9,
                available,
            },
        };
        assert_eq!(decode(&frame[..length], KIND, FORMAT), Err(expected));
    }
}

#[test]
fn every_bit_flip_is_refused() {
    for payload in [&b""[..], b"r", b"railfleet railfleet railfleet"] {
        let frame = encode(KIND, FORMAT, payload);
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Behind the frame stands more, as in a file of many: a longer length must not find its bytes there.
            flipped.extend_from_slice(&frame);
            decode(&flipped, KIND, FORMAT).expect_err("a flipped bit");
        }
    }
}

#[test]
fn each_rule_has_its_refusal() {
    let frame = encode(KIND, FORMAT, b"rail");
    let with = |at: usize, byte: u8| {
        let mut header = header_of(&frame);
        header[at] = byte;
        decode(&sound_frame(header, b"rail"), KIND, FORMAT)
            .map(|(payload, used)| (payload.to_vec(), used))
    };
    assert_eq!(
        with(0, b'R').unwrap().0,
        b"rail",
        "the frame itself is sound"
    );
    assert_eq!(with(0, b'X'), Err(FrameError::Magic));
    assert_eq!(
        with(8, 9),
        Err(FrameError::Kind {
            expected: KIND,
            actual: 0x0109
        })
    );
    assert_eq!(
        with(10, 9),
        Err(FrameError::Format {
            expected: FORMAT,
            actual: 9
        })
    );
    assert_eq!(with(15, 1), Err(FrameError::Reserved));
    assert_eq!(
        with(16, 5),
        Err(FrameError::Length {
            declared: 5,
            available: 4
        })
    );
    assert_eq!(with(16, 3), Err(FrameError::Checksum));
    assert_eq!(
        with(23, 0xFF).unwrap_err(),
        FrameError::Length {
            declared: 0xFF << 56 | 4,
            available: 4
        }
    );
}

#[test]
fn damage_is_named_before_kind_and_format() {
    let mut frame = encode(KIND, FORMAT, b"rail");
    *frame.last_mut().unwrap() ^= 1;
    assert_eq!(
        decode(&frame, KIND + 1, FORMAT + 1),
        Err(FrameError::Checksum)
    );
}

#[test]
fn a_frame_written_in_pieces_is_the_one_that_is_encoded() {
    let piece: Vec<u8> = (0..=250).cycle().take(300_001).collect();
    for pieces in [0, 1, 3, 4, 9] {
        let repo = MemoryRepo::new();
        let file = repo.create("frame").unwrap();
        let mut writer = FrameWriter::new(&*file);
        for _ in 0..pieces {
            writer.put(&piece).unwrap();
            writer.put(b"").unwrap();
        }
        let length = writer.finish(KIND, FORMAT).unwrap();
        let whole = encode(KIND, FORMAT, &piece.repeat(pieces));
        assert_eq!(length, whole.len() as u64);
        assert!(repo.bytes("frame") == whole, "{pieces} pieces");
    }
}

proptest! {
    #[test]
    fn a_payload_comes_back(kind: u16, format: u16, payload: Vec<u8>) {
        let frame = encode(kind, format, &payload);
        prop_assert_eq!(decode(&frame, kind, format), Ok((&payload[..], frame.len())));
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes: Vec<u8>, magic: bool) {
        let bytes = if magic { [&MAGIC[..], &bytes].concat() } else { bytes };
        prop_assert!(decode(&bytes, KIND, FORMAT).is_err());
    }
}

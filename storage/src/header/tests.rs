//! A segment's first bytes, whole and damaged.

use super::*;

fn a_header() -> SegmentHeader {
    SegmentHeader {
        log_id: Uuid::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677),
        segment: SegmentId::new(5),
        first_position: Position::new(1_000),
        created_at: Timestamp::from_micros(-1),
        chain: [7; 32],
    }
}

#[test]
fn a_header_comes_out_as_it_went_in() {
    let bytes = a_header().encode();
    assert_eq!(SegmentHeader::decode(&bytes), Ok(a_header()));
    assert_eq!(&bytes[..12], b"RFSEGMNT\x01\0\0\0");
    assert_eq!(bytes[88..124], [0; 36], "what is not used is zero");
}

#[test]
fn every_flipped_bit_is_noticed() {
    for at in 0..SEGMENT_HEADER_BYTES {
        for bit in 0..8 {
            let mut bytes = a_header().encode();
            bytes[at] ^= 1 << bit;
            assert_eq!(
                SegmentHeader::decode(&bytes),
                Err(HeaderFault::Damaged),
                "byte {at}, bit {bit}"
            );
        }
    }
}

#[test]
fn short_and_unwritten_are_told_apart() {
    let bytes = a_header().encode();
    for length in 0..SEGMENT_HEADER_BYTES {
        assert_eq!(
            SegmentHeader::decode(&bytes[..length]),
            Err(HeaderFault::Short)
        );
    }
    assert_eq!(
        SegmentHeader::decode(&[0; SEGMENT_HEADER_BYTES]),
        Err(HeaderFault::Unwritten)
    );
}

/// A sound header that says another number was written by another program, not damaged.
#[test]
fn another_format_is_named() {
    let mut bytes = a_header().encode();
    bytes[8..12].copy_from_slice(&9_u32.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..CRC_OFFSET]);
    bytes[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Format(9)));
    bytes[0] = b'X';
    let crc = crc32fast::hash(&bytes[..CRC_OFFSET]);
    bytes[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Damaged));
}

#[test]
fn the_place_is_what_the_header_says() {
    let place = a_header().place();
    assert_eq!(place.seed, a_header().seed());
    assert_eq!(place.first_position, Position::new(1_000));
    assert_eq!(place.chain, [7; 32]);
}

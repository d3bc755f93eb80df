//! The primitive encodings: one spelling each, and no panic.

use super::*;

#[track_caller]
fn check_varint(number: u64, bytes: &[u8]) {
    let mut writer = Writer::new();
    writer.varint(number);
    assert_eq!(writer.as_bytes(), bytes);
    let mut reader = Reader::new(bytes);
    assert_eq!(reader.varint(), Ok(number));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn varints_are_shortest_leb128() {
    check_varint(0, &[0]);
    check_varint(127, &[127]);
    check_varint(128, &[128, 1]);
    check_varint(300, &[172, 2]);
    check_varint(u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
}

#[track_caller]
fn check_refused(bytes: &[u8], error: DecodeError) {
    assert_eq!(Reader::new(bytes).varint(), Err(error));
}

#[test]
fn overlong_and_oversized_varints_are_refused() {
    check_refused(&[128, 0], DecodeError::OverlongNumber);
    check_refused(&[255, 128, 0], DecodeError::OverlongNumber);
    check_refused(
        &[255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
        DecodeError::OverlongNumber,
    );
    check_refused(
        &[255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        DecodeError::OverlongNumber,
    );
    check_refused(&[128], DecodeError::UnexpectedEnd);
}

#[test]
fn signed_numbers_survive() {
    for number in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
        let mut writer = Writer::new();
        writer.signed(number);
        assert_eq!(Reader::new(writer.as_bytes()).signed(), Ok(number));
    }
}

#[test]
fn a_count_beyond_the_input_is_refused_before_anything_is_allocated() {
    let mut writer = Writer::new();
    writer.varint(u64::MAX);
    assert_eq!(
        Reader::new(writer.as_bytes()).count(1),
        Err(DecodeError::UnexpectedEnd)
    );
    assert_eq!(
        Reader::new(&[3, 0, 0]).count(1),
        Err(DecodeError::UnexpectedEnd)
    );
    assert_eq!(Reader::new(&[2, 0, 0]).count(1), Ok(2));
}

#[test]
fn inputs_beyond_the_limit_are_refused() {
    let bytes = vec![0; INPUT_BYTES_MAX + 1];
    let refused = from_bytes::<crate::Value>(&bytes);
    assert_eq!(
        refused,
        Err(DecodeError::TooLarge {
            what: "input",
            limit: INPUT_BYTES_MAX
        })
    );
}

use super::*;

/// A `numeric` from its parts: digits in base 10,000, the weight of the first, the sign, the scale.
#[track_caller]
fn check(digits: &[u16], weight: i16, sign: u16, scale: u16, expected: &str) {
    let count = u16::try_from(digits.len()).unwrap();
    let header = [count, weight.cast_unsigned(), sign, scale];
    let bytes: Vec<u8> = header
        .iter()
        .chain(digits)
        .flat_map(|part| part.to_be_bytes())
        .collect();
    let mut out = Vec::new();
    let is_number = numeric(&bytes, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    assert_eq!(is_number, Some(!expected.contains(['N', 'I'])));
    for length in 0..bytes.len() {
        assert_eq!(
            numeric(&bytes[..length], &mut Vec::new()),
            None,
            "cut at {length}"
        );
    }
}

#[test]
fn numerics_keep_their_scale() {
    check(&[], 0, 0, 0, "0");
    check(&[], 0, 0, 2, "0.00");
    check(&[6275], 0, 0, 2, "6275.00");
    check(&[1, 2345, 6700], 1, 0, 2, "12345.67");
    check(&[1], 2, 0, 0, "100000000");
    check(&[1, 0, 5], 2, 0x4000, 1, "-100000005.0");
    check(&[5], -1, 0, 4, "0.0005");
    check(&[1], -2, 0, 8, "0.00000001");
    check(&[1], -2, 0, 9, "0.000000010");
    check(&[9999, 9999], 0, 0x4000, 4, "-9999.9999");
}

#[test]
fn numerics_that_are_none_say_so() {
    check(&[], 0, 0xC000, 0, "NaN");
    check(&[], 0, 0xD000, 0, "Infinity");
    check(&[], 0, 0xF000, 0, "-Infinity");
}

#[test]
fn nonsense_is_no_numeric() {
    let garbled: &[&[u16]] = &[
        &[1, 0, 0, 0, 10_000],
        &[1, 0, 0x1234, 0, 1],
        &[2, 0, 0, 0, 1],
    ];
    for parts in garbled {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_be_bytes()).collect();
        assert_eq!(numeric(&bytes, &mut Vec::new()), None, "{parts:?}");
    }
}

#[test]
fn times_count_from_1970() {
    assert_eq!(
        timestamp(&0_i64.to_be_bytes()),
        Some(Moment::At(946_684_800_000_000))
    );
    assert_eq!(timestamp(&i64::MAX.to_be_bytes()), Some(Moment::Infinity));
    assert_eq!(
        timestamp(&i64::MIN.to_be_bytes()),
        Some(Moment::NegativeInfinity)
    );
    assert_eq!(
        timestamp(&(i64::MAX - 1).to_be_bytes()),
        None,
        "beyond what fits"
    );
    assert_eq!(
        date(&1_i32.to_be_bytes()),
        Some(Moment::At(946_771_200_000_000))
    );
    assert_eq!(date(&i32::MAX.to_be_bytes()), Some(Moment::Infinity));
}

#[test]
fn wrong_lengths_are_no_values() {
    assert_eq!(
        (
            integer(b"abc"),
            float(b"abc"),
            boolean(&[2]),
            timestamp(b"")
        ),
        (None, None, None, None)
    );
    assert_eq!(
        (jsonb(b""), jsonb(b"\x02{}"), jsonb(b"\x01{}")),
        (None, None, Some(&b"{}"[..]))
    );
}

//! Ascending lists of ordinals as bytes: the count, then the distance from each to the next, each as a LEB128 varint.

/// Appends `value` as a varint.
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
pub(super) fn write_varint(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Reads a varint from the front of `bytes`; `None` when they end within it or it does not fit.
pub(super) fn read_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u32::from(byte & 0x7f);
        value |= part
            .checked_shl(shift)
            .filter(|shifted| shifted >> shift == part)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Appends a list. `ordinals` ascend strictly.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a segment holds fewer than 2^32 events"
)]
pub(super) fn write_list(bytes: &mut Vec<u8>, ordinals: &[u32]) {
    write_varint(bytes, ordinals.len() as u32);
    let mut before = 0;
    for &ordinal in ordinals {
        write_varint(bytes, ordinal - before);
        before = ordinal;
    }
}

/// Appends those of the list at the front of `bytes` that lie in `from..=to` to `ordinals`; `None` when it is no list.
pub(super) fn read_list(
    mut bytes: &[u8],
    from: u32,
    to: u32,
    ordinals: &mut Vec<u32>,
) -> Option<()> {
    let count = read_varint(&mut bytes)?;
    let mut ordinal = 0_u32;
    for _ in 0..count {
        ordinal = ordinal.checked_add(read_varint(&mut bytes)?)?;
        if ordinal > to {
            break;
        }
        if ordinal >= from {
            ordinals.push(ordinal);
        }
    }
    Some(())
}

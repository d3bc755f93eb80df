//! Values as PostgreSQL's binary format spells them. Pure: bytes in, values out.
//!
//! Source: the `*_send` functions of PostgreSQL (`src/backend/utils/adt`), unchanged since version 7.4 but for the
//! infinities of `numeric`, which came with version 14.

use fleet::calendar::DAY;

/// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL's times begin.
const EPOCH_MICROS: i64 = 946_684_800 * 1_000_000;
/// Digits of `numeric` come in fours.
const NUMERIC_BASE: u16 = 10_000;
/// Most digits that are written out, on either side of the point: PostgreSQL's own bound for a declared scale is 1,000,
/// for values 131,072 before and 16,383 behind the point.
const NUMERIC_GROUPS_MAX: i32 = 32_768;

/// A moment, or one of PostgreSQL's two that are none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Microseconds since 1970-01-01T00:00:00, of UTC or of nobody's clock in particular, as the column's type says.
    At(i64),
    /// Later than all others.
    Infinity,
    /// Earlier than all others.
    NegativeInfinity,
}

/// A whole number of 2, 4 or 8 bytes.
pub fn integer(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        2 => Some(i64::from(i16::from_be_bytes(bytes.try_into().ok()?))),
        4 => Some(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
        8 => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

/// A floating-point number of 4 or 8 bytes.
pub fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        4 => Some(f64::from(f32::from_be_bytes(bytes.try_into().ok()?))),
        8 => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

/// `true` or `false`.
pub fn boolean(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// A time, with or without time zone.
pub fn timestamp(bytes: &[u8]) -> Option<Moment> {
    Some(match i64::from_be_bytes(bytes.try_into().ok()?) {
        i64::MAX => Moment::Infinity,
        i64::MIN => Moment::NegativeInfinity,
        micros => Moment::At(micros.checked_add(EPOCH_MICROS)?),
    })
}

/// A date: its first microsecond.
pub fn date(bytes: &[u8]) -> Option<Moment> {
    Some(match i32::from_be_bytes(bytes.try_into().ok()?) {
        i32::MAX => Moment::Infinity,
        i32::MIN => Moment::NegativeInfinity,
        days => Moment::At(i64::from(days) * DAY + EPOCH_MICROS),
    })
}

/// The text of a `jsonb`.
pub fn jsonb(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.split_first() {
        Some((1, text)) => Some(text),
        _ => None,
    }
}

/// Writes a `numeric` with its stored scale, `6275.00`, as PostgreSQL's own text form does; `NaN`, `Infinity` or
/// `-Infinity` where it is none.
///
/// Returns whether it is a number; `None`, with nothing written, when the bytes are no `numeric`.
pub fn numeric(bytes: &[u8], out: &mut Vec<u8>) -> Option<bool> {
    let (header, digits) = bytes.split_at_checked(8)?;
    let field = |at: usize| Some(u16::from_be_bytes([*header.get(at)?, *header.get(at + 1)?]));
    let (count, weight, sign, scale) = (field(0)?, field(2)?, field(4)?, field(6)?);
    let weight = i32::from(weight.cast_signed());
    if digits.len() != usize::from(count) * 2 || weight >= NUMERIC_GROUPS_MAX {
        return None;
    }
    let special = match sign {
        0xC000 => "NaN",
        0xD000 => "Infinity",
        0xF000 => "-Infinity",
        0x0000 | 0x4000 => "",
        _ => return None,
    };
    if !special.is_empty() {
        out.extend_from_slice(special.as_bytes());
        return Some(false);
    }
    if digits
        .chunks_exact(2)
        .any(|pair| u16::from_be_bytes([pair[0], pair[1]]) >= NUMERIC_BASE)
    {
        return None;
    }
    let group = |at: i32| -> u16 {
        let index = usize::try_from(at).unwrap_or(usize::MAX);
        let pair = digits.chunks_exact(2).nth(index);
        pair.map_or(0, |pair| u16::from_be_bytes([pair[0], pair[1]]))
    };
    if sign == 0x4000 {
        out.push(b'-');
    }
    put_whole(weight, &group, out);
    put_fraction(weight, usize::from(scale), &group, out);
    Some(true)
}

fn put_whole(weight: i32, group: &dyn Fn(i32) -> u16, out: &mut Vec<u8>) {
    if weight < 0 {
        return out.push(b'0');
    }
    let first = out.len();
    for at in 0..=weight {
        let digits = four_digits(group(at));
        let leading = out.len() == first;
        let skipped = match leading {
            true => digits.iter().take_while(|digit| **digit == b'0').count(),
            false => 0,
        };
        out.extend_from_slice(&digits[skipped..]);
    }
    if out.len() == first {
        out.push(b'0');
    }
}

fn put_fraction(weight: i32, scale: usize, group: &dyn Fn(i32) -> u16, out: &mut Vec<u8>) {
    if scale == 0 {
        return;
    }
    out.push(b'.');
    let end = out.len() + scale;
    let mut at = weight + 1;
    while out.len() < end {
        // Before the first group there are zeros: 0.00001 begins with an absent group.
        let digits = four_digits(if at < 0 { 0 } else { group(at) });
        let room = (end - out.len()).min(4);
        out.extend_from_slice(&digits[..room]);
        at += 1;
    }
}

fn four_digits(group: u16) -> [u8; 4] {
    let digit = |divisor: u16| b'0' + u8::try_from(group / divisor % 10).unwrap_or(0);
    [digit(1_000), digit(100), digit(10), digit(1)]
}

#[cfg(test)]
mod tests;

//! Texts at rest. Numbers, times and plain names take four or six bits a sign instead of eight: most of what a fleet
//! writes is made of few signs.
//!
//! `varint(signs << 2 | class)`, then the signs: class 0 as UTF-8, 1 six bits each, 2 four bits each, highest bit first,
//! the last byte filled up with zeros. A text is of the highest class that fits it and saves a byte.

use crate::wire::{DecodeError, Reader, Writer};

const PLAIN: u8 = 0;
const NAMES: u8 = 1;
const TIMES: u8 = 2;

/// The signs of [`NAMES`], by their codes.
const NAME_SIGNS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ- ";
/// The signs of [`TIMES`].
const TIME_SIGNS: &[u8; 16] = b"0123456789-:.TZ+";

/// A byte's codes.
#[derive(Clone, Copy)]
struct Sign {
    /// Bit [`NAMES`] and bit [`TIMES`], where it is one of their signs.
    fits: u8,
    name: u8,
    time: u8,
}

const SIGNS: [Sign; 256] = signs();

#[expect(
    clippy::cast_possible_truncation,
    reason = "there are 64 codes at most"
)]
const fn signs() -> [Sign; 256] {
    let none = Sign {
        fits: 0,
        name: 0,
        time: 0,
    };
    let mut signs = [none; 256];
    let mut code = 0;
    while code < NAME_SIGNS.len() {
        let sign = &mut signs[NAME_SIGNS[code] as usize];
        sign.fits |= NAMES;
        sign.name = code as u8;
        code += 1;
    }
    code = 0;
    while code < TIME_SIGNS.len() {
        let sign = &mut signs[TIME_SIGNS[code] as usize];
        sign.fits |= TIMES;
        sign.time = code as u8;
        code += 1;
    }
    signs
}

fn sign(byte: u8) -> Sign {
    SIGNS[usize::from(byte)]
}

/// The class that a text has to be of.
fn class_of(text: &[u8]) -> u8 {
    let all = NAMES | TIMES;
    let fits = text.iter().fold(all, |fits, byte| fits & sign(*byte).fits);
    match text.len() {
        2.. if fits & TIMES != 0 => TIMES,
        4.. if fits & NAMES != 0 => NAMES,
        _ => PLAIN,
    }
}

/// Appends a text.
pub(super) fn encode(text: &str, writer: &mut Writer) {
    let text = text.as_bytes();
    let class = class_of(text);
    writer.varint(((text.len() as u64) << 2) | u64::from(class));
    match class {
        TIMES => pack::<4>(text.iter().map(|byte| sign(*byte).time), writer),
        NAMES => pack::<6>(text.iter().map(|byte| sign(*byte).name), writer),
        _ => writer.raw(text),
    }
}

/// Reads what [`encode`] wrote, of at most `limit` bytes.
pub(super) fn decode(reader: &mut Reader<'_>, limit: usize) -> Result<Box<str>, DecodeError> {
    let head = reader.varint()?;
    let length = usize::try_from(head >> 2).unwrap_or(usize::MAX);
    if length > limit {
        return Err(DecodeError::TooLarge {
            what: "text",
            limit,
        });
    }
    let class = (head & 3) as u8;
    let text = match class {
        PLAIN => reader.raw(length)?.to_vec(),
        NAMES => unpack::<6>(length, NAME_SIGNS, reader)?,
        TIMES => unpack::<4>(length, TIME_SIGNS, reader)?,
        _ => {
            return Err(DecodeError::UnknownTag {
                what: "text",
                found: class.into(),
            });
        }
    };
    if class_of(&text) != class {
        return Err(DecodeError::NotCanonical { what: "text" });
    }
    let text = String::from_utf8(text).map_err(|_| DecodeError::NotUtf8)?;
    Ok(text.into_boxed_str())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lowest eight bits are taken on purpose"
)]
fn pack<const BITS: u32>(codes: impl Iterator<Item = u8>, writer: &mut Writer) {
    let (mut held, mut bits) = (0_u32, 0);
    for code in codes {
        held = (held << BITS) | u32::from(code);
        bits += BITS;
        if bits >= 8 {
            bits -= 8;
            writer.byte((held >> bits) as u8);
        }
    }
    if bits > 0 {
        writer.byte((held << (8 - bits)) as u8);
    }
}

fn unpack<const BITS: u32>(
    length: usize,
    signs: &[u8],
    reader: &mut Reader<'_>,
) -> Result<Vec<u8>, DecodeError> {
    let mut packed = reader.raw((length * BITS as usize).div_ceil(8))?.iter();
    let mut text = Vec::with_capacity(length);
    let (mut held, mut bits) = (0_u32, 0);
    for _ in 0..length {
        if bits < BITS {
            held = (held << 8) | u32::from(*packed.next().ok_or(DecodeError::UnexpectedEnd)?);
            bits += 8;
        }
        bits -= BITS;
        let code = (held >> bits) & ((1 << BITS) - 1);
        text.push(*signs.get(code as usize).ok_or(DecodeError::UnexpectedEnd)?);
    }
    if held & ((1 << bits) - 1) != 0 {
        return Err(DecodeError::NotCanonical { what: "text" });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(text: &str) -> Vec<u8> {
        let mut writer = Writer::new();
        encode(text, &mut writer);
        writer.into_bytes()
    }

    #[track_caller]
    fn check(text: &str, bytes: usize) {
        let encoded = encoded(text);
        assert_eq!(encoded.len(), bytes, "{text:?}");
        let mut reader = Reader::new(&encoded);
        assert_eq!(decode(&mut reader, 100).as_deref(), Ok(text));
        assert!(reader.is_at_end());
        let refused = decode(
            &mut Reader::new(&encoded),
            text.len().wrapping_sub(1).min(99),
        );
        assert!(refused.is_err() || text.is_empty());
    }

    #[test]
    fn texts_of_few_signs_take_fewer_bits() {
        check("", 1);
        check("7", 2);
        check("in_progress", 12);
        check("Z9a", 4);
        check("WO-2026-0001", 10);
        check("2026-11-29T12:40:59.123Z", 13);
        check("0f8fad5b-d9cb-469f-a165-70867728950e", 29);
        check("Bremsbeläge geprüft", 22);
    }

    proptest! {
        #[test]
        fn one_text_has_one_encoding(text in "\\PC{0,24}|[0-9a-z]{0,24}|[0-9:.TZ+-]{0,24}", at: usize, by in 1..=255_u8) {
            let bytes = encoded(&text);
            prop_assert_eq!(decode(&mut Reader::new(&bytes), 100), Ok(text.into_boxed_str()));
            let mut damaged = bytes.clone();
            let at = at % damaged.len();
            damaged[at] = damaged[at].wrapping_add(by);
            let mut reader = Reader::new(&damaged);
            if let Ok(other) = decode(&mut reader, 100) {
                let read = damaged.len() - reader.rest().len();
                prop_assert_eq!(encoded(&other), &damaged[..read]);
            }
        }
    }
}

//! Until when a certificate is good: the one field of X.509 that the server reads itself (RFC 5280 §4.1.2.5).
//!
//! What it passes over on the way is not checked: rustls did that when it took the certificate.

use chrono::NaiveDateTime;
use storage::Timestamp;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, the version: absent in certificates of the first one.
const VERSION: u8 = 0xa0;
/// What stands between the version and the validity: serial number, signature algorithm, issuer.
const FIELDS_BEFORE: usize = 3;

/// When the certificate, in DER, ends. `None` where it is no certificate.
pub(super) fn expires(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = read(der, SEQUENCE)?;
    let (mut fields, _) = read(certificate, SEQUENCE)?;
    if let Some((_, rest)) = read(fields, VERSION) {
        fields = rest;
    }
    for _ in 0..FIELDS_BEFORE {
        (_, _, fields) = element(fields)?;
    }
    let (validity, _) = read(fields, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    moment(tag, std::str::from_utf8(time).ok()?)
}

/// The years of a `UTCTime` are those from 1950 to 2049.
fn moment(tag: u8, text: &str) -> Option<Timestamp> {
    let full = match tag {
        GENERALIZED_TIME => text.to_owned(),
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        _ => return None,
    };
    let time = NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%SZ").ok()?;
    Some(Timestamp::from_micros(time.and_utc().timestamp_micros()))
}

/// The content of an element that must have this tag, and what comes behind it.
fn read(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(input)?;
    (found == tag).then_some((content, rest))
}

/// An element's tag and content, and what comes behind it (X.690 §8.1.3).
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits.iter().try_fold(0_usize, |length, &digit| {
                Some(length.checked_mul(256)? + usize::from(digit))
            })?;
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests;

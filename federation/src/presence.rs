//! What a depot says every few seconds: that it is there, how far it has published, and what people call it.
//!
//! It is signed by the key that signs the depot's messages, so nobody else says it of a depot whose key is known here, and with
//! the time, so that what was said once and is repeated says nothing new. Time and signature stand in a header: servers of an
//! earlier release, which sign nothing, read the text alone.

use async_nats::HeaderMap;
use storage::{Position, Timestamp};
use uuid::Uuid;

use crate::sheet::{self, Key, PublicKey};

/// The header: when it was said, in microseconds since 1970, and the signature in hexadecimal.
const HEADER: &str = "Railfleet-Signed";
/// What is signed begins with this, so that the signature says nothing about anything else.
const CONTEXT: &[u8] = b"railfleet federation presence 1\n";
/// What the text may take.
const BYTES_MAX: usize = 1_000;
/// How far the clocks of two depots may be apart, and for how long what was said can be repeated.
const APART_MAX_US: u64 = 24 * 3_600 * 1_000_000;

/// That a depot is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Presence<'a> {
    /// The place of the last event that it has published.
    pub(crate) published: u64,
    /// What people call it.
    pub(crate) depot: &'a str,
    /// When it said so: by its own clock where that is signed, and never later than it was heard.
    pub(crate) at: Timestamp,
}

/// What the depot of this log says now.
pub(crate) fn write(
    key: &Key,
    log: Uuid,
    published: Position,
    depot: &str,
    now: Timestamp,
) -> (HeaderMap, String) {
    let text = format!("{} {depot}", published.get());
    let signature = key.sign(&signed(log, now, text.as_bytes()));
    let mut headers = HeaderMap::new();
    let value = format!("{} {}", now.micros(), sheet::hex(&signature));
    headers.insert(HEADER, value);
    (headers, text)
}

impl<'a> Presence<'a> {
    /// What was heard now in the name of this log; `None` where it is not what that depot said. Of a depot whose key is not
    /// known yet anybody may say it.
    pub(crate) fn read(
        log: Uuid,
        key: Option<PublicKey>,
        headers: Option<&HeaderMap>,
        text: &'a [u8],
        now: Timestamp,
    ) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let at = match key {
            Some(key) => said_at(log, key, headers?, text, now)?,
            None => now,
        };
        let (published, depot) = std::str::from_utf8(text).ok()?.split_once(' ')?;
        Some(Presence {
            published: published.parse().ok()?,
            depot,
            at: at.min(now),
        })
    }
}

/// When this was said, if it was signed by this key, and lately.
fn said_at(
    log: Uuid,
    key: PublicKey,
    headers: &HeaderMap,
    text: &[u8],
    now: Timestamp,
) -> Option<Timestamp> {
    let (at, signature) = headers.get(HEADER)?.as_str().split_once(' ')?;
    let at = Timestamp::from_micros(at.parse().ok()?);
    let signature = sheet::of_hex(signature)?;
    let is_recent = at.micros().abs_diff(now.micros()) <= APART_MAX_US;
    (is_recent && sheet::is_signed(key, &signed(log, at, text), &signature)).then_some(at)
}

fn signed(log: Uuid, at: Timestamp, text: &[u8]) -> Vec<u8> {
    [CONTEXT, log.as_bytes(), &at.micros().to_le_bytes(), text].concat()
}

#[cfg(test)]
mod tests;

//! One encrypted value: AES-256-GCM under the person's key, written as a JSON string.
//!
//! `"sealed:1:N:KEYID:BASE64"`: `N` says which of the event's `covered:` tags names the person, `KEYID` which of their keys,
//! and the rest is nonce, ciphertext and authentication tag. What is encrypted is the value's JSON text as it was sent.
//!
//! The nonce is derived (HMAC-SHA-256 under a second key of the person's, as in RFC 8452's idea of a synthetic one) from the
//! event's id, the field and the text: the same event sent again becomes the same bytes and so is recognised, and two
//! different texts never share a nonce. The field's name and the person are authenticated with it, so that a sealed value
//! moved elsewhere does not open.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// What is shown of a value whose key was destroyed, as JSON text.
pub const ERASED: &str = "\"[erased]\"";
/// What is shown of a value whose key is not in the store, as JSON text.
pub const KEY_LOST: &str = "\"[key lost]\"";

/// How a sealed value begins.
pub(super) const SEALED_PREFIX: &str = "\"sealed:1:";
/// Bytes of a person's key: one half encrypts, the other makes nonces.
pub(super) const KEY_BYTES: usize = 64;
const NONCE_BYTES: usize = 12;

type HmacSha256 = Hmac<Sha256>;

/// HMAC-SHA-256 over parts of whatever lengths, each led by its own.
pub(super) fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        HmacSha256::new_from_slice(key).expect("HMAC takes a key of any length (RFC 2104 §2)");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// So many random bytes.
pub(super) fn random<const COUNT: usize>() -> Result<[u8; COUNT], getrandom::Error> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// One key of one person.
pub(super) struct PersonKey {
    /// Its name in sealed values: 8 hexadecimal digits of its hash.
    pub(super) id: String,
    bytes: [u8; KEY_BYTES],
    cipher: Aes256Gcm,
}

/// The key stays out of whatever prints it.
impl std::fmt::Debug for PersonKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PersonKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Which value of which event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The person, as they are written.
    pub(super) subject: &'a str,
    /// `data` or `metadata`.
    pub(super) part: &'static str,
    /// The member's name.
    pub(super) field: &'a str,
}

/// A sealed value in parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sealed<'a> {
    /// Which of the event's tags names the person.
    pub(super) tag: usize,
    pub(super) key_id: &'a str,
    text: &'a str,
}

impl PersonKey {
    pub(super) fn new(bytes: [u8; KEY_BYTES]) -> Self {
        let digest = keyed_hash(b"railfleet key id", &[&bytes]);
        let id = digest[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let key: [u8; 32] = bytes[..32].try_into().expect("half of a key has 32 bytes");
        PersonKey {
            id,
            cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(key)),
            bytes,
        }
    }

    /// The key itself, to be wrapped.
    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// Seals a value's JSON text. `event` tells events apart: its id, or random bytes where it has none yet.
    pub(super) fn seal(&self, place: Place<'_>, tag: usize, event: &[u8], value: &[u8]) -> String {
        let hash = keyed_hash(
            &self.bytes[32..],
            &[event, place.part.as_bytes(), place.field.as_bytes(), value],
        );
        let nonce: [u8; NONCE_BYTES] = hash[..NONCE_BYTES].try_into().expect("a hash has 32 bytes");
        let payload = Payload {
            msg: value,
            aad: &associated(place),
        };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .expect("AES-GCM takes up to 64 GiB, an event is smaller");
        let text = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        format!("{SEALED_PREFIX}{tag}:{}:{text}\"", self.id)
    }

    /// The value's JSON text; `None` when it was not sealed by this key in this place.
    pub(super) fn open(&self, place: Place<'_>, sealed: Sealed<'_>) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed.text).ok()?;
        let (nonce, msg) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let aad = &associated(place);
        self.cipher
            .decrypt(&Nonce::from(*nonce), Payload { msg, aad })
            .ok()
    }
}

fn associated(place: Place<'_>) -> Vec<u8> {
    let parts = [place.subject, place.part, place.field];
    let mut bytes = Vec::with_capacity(96);
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// Takes a JSON value apart that may be sealed.
pub(super) fn parse(value: &[u8]) -> Option<Sealed<'_>> {
    let text = std::str::from_utf8(value).ok()?;
    let text = text.strip_prefix(SEALED_PREFIX)?.strip_suffix('"')?;
    let mut parts = text.split(':');
    let sealed = Sealed {
        tag: parts.next()?.parse().ok()?,
        key_id: parts.next()?,
        text: parts.next()?,
    };
    parts.next().is_none().then_some(sealed)
}

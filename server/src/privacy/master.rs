//! The master key: what the keys of people are wrapped by.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::field::{keyed_hash, random};
use super::store::StoreError;

const NONCE_BYTES: usize = 12;

/// See the module.
pub(super) struct Master(Aes256Gcm);

impl std::fmt::Debug for Master {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Master")
    }
}

impl Master {
    /// The master key made of this secret.
    pub(super) fn new(secret: &[u8]) -> Self {
        let key = keyed_hash(b"railfleet master key", &[secret]);
        Master(Aes256Gcm::new(&Key::<Aes256Gcm>::from(key)))
    }

    /// The key in `name`'s name, to be written.
    pub(super) fn wrap(&self, name: &str, key: &[u8]) -> Result<String, StoreError> {
        let nonce: [u8; NONCE_BYTES] = random().map_err(StoreError::Random)?;
        let payload = Payload {
            msg: key,
            aad: name.as_bytes(),
        };
        let wrapped = self
            .0
            .encrypt(&Nonce::from(nonce), payload)
            .expect("AES-GCM takes up to 64 GiB, a key is smaller");
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &wrapped].concat()))
    }

    /// The key that was wrapped; `None`: not by this master key, or not in this name.
    pub(super) fn unwrap<const COUNT: usize>(&self, name: &str, text: &str) -> Option<[u8; COUNT]> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, msg) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let aad = name.as_bytes();
        let key = self.0.decrypt(&Nonce::from(*nonce), Payload { msg, aad });
        key.ok()?.try_into().ok()
    }
}

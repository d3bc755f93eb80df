//! Device tokens: 256 random bits behind a prefix. The log holds their SHA-256, which is enough to know one again and
//! too little to make one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// What every device token begins with, so that none is taken for a person's.
pub const PREFIX: &str = "rfd_";
/// Random bytes of a token.
const SECRET_BYTES: usize = 32;

/// The SHA-256 of a token.
pub type TokenHash = [u8; 32];

/// A new token.
///
/// # Errors
/// When the machine gives no random bytes.
pub fn generate() -> Result<String, getrandom::Error> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)))
}

/// Whether this bearer token claims to be a device's.
pub fn is_device_token(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// What the log holds of a token.
pub fn hash_of(token: &str) -> TokenHash {
    Sha256::digest(token).into()
}

/// A hash as 64 hexadecimal digits.
pub fn hash_text(hash: &TokenHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hash of 64 hexadecimal digits.
pub fn hash_from_text(text: &str) -> Option<TokenHash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_their_hashes_are_known_again() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert!(is_device_token(&one) && one != two && one.len() == 47);
        let hash = hash_of(&one);
        assert_eq!(hash_from_text(&hash_text(&hash)), Some(hash));
        for wrong in ["", "zz", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(hash_from_text(wrong), None, "{wrong}");
        }
    }
}

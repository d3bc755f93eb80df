//! Policy bundles: the text that is hashed and signed, and the one that is in force.
//!
//! A bundle is a JSON document with its SHA-256 under `_hash`, as text with sorted keys and without blanks, and an Ed25519
//! signature over just these bytes. The form is the old system's (Python's `json.dumps` with sorted keys, ASCII alone), so
//! its hashes hold here and ours hold there. Pure but for [`generate`] and [`in_force`].

use std::fmt::Write as _;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use fleet::policy::FieldRules;
use fleet::policy_bundle::{self, InForce};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::app::AppState;
use crate::http::problem::Problem;
use crate::projection::Ask;

#[cfg(test)]
mod tests;

/// The member that holds the hash.
const HASH: &str = "_hash";
/// What the old system's own policy called it.
const OLD_HASH: &str = "hash";

/// Why a bundle is not taken for what it says.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BundleError {
    /// The text is no JSON object.
    #[error("the document is no JSON object")]
    Form,
    /// The hash is not that of the document.
    #[error("SHA-256 hash mismatch")]
    Hash,
    /// Nobody signed it.
    #[error("it is not signed")]
    Unsigned,
    /// The key is no Ed25519 key.
    #[error("the public key is none of Ed25519")]
    Key,
    /// The signature is not one of this text by this key.
    #[error("Ed25519 signature verification failed")]
    Forged,
    /// The signature is good, but its key is none of `auth.policy_keys`.
    #[error("the key that signed it is none of auth.policy_keys")]
    Untrusted,
}

/// A document as it is to be signed, and its hash in hexadecimal. A hash that it brings is made anew.
pub fn seal(mut document: Map<String, Value>) -> (String, String) {
    document.remove(HASH);
    document.remove(OLD_HASH);
    let sha256 = hash_of(&document);
    document.insert(HASH.to_owned(), sha256.as_str().into());
    (canonical(&document), sha256)
}

/// The document in a sealed text.
///
/// # Errors
/// `Form`, `Hash`.
pub fn open(text: &str) -> Result<Map<String, Value>, BundleError> {
    let document: Map<String, Value> = serde_json::from_str(text).map_err(|_| BundleError::Form)?;
    let mut bare = document.clone();
    let told = bare.remove(HASH);
    if told.as_ref().and_then(Value::as_str) != Some(hash_of(&bare).as_str()) {
        return Err(BundleError::Hash);
    }
    Ok(document)
}

/// The signature of a text, and the public key of the secret; both hexadecimal.
pub fn sign(text: &str, secret: &[u8; 32]) -> (String, String) {
    let key = SigningKey::from_bytes(secret);
    let signature = key.sign(text.as_bytes()).to_bytes();
    (to_hex(&signature), to_hex(key.verifying_key().as_bytes()))
}

/// Holds a signature against a text.
///
/// # Errors
/// `Key`, `Forged`.
pub fn verify(text: &str, signature: &str, public_key: &str) -> Result<(), BundleError> {
    let key = of_hex::<32>(public_key).ok_or(BundleError::Key)?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| BundleError::Key)?;
    let signature = of_hex::<64>(signature).ok_or(BundleError::Forged)?;
    key.verify_strict(text.as_bytes(), &Signature::from_bytes(&signature))
        .map_err(|_| BundleError::Forged)
}

/// Whether what this key signs may come into force: where `auth.policy_keys` names keys, only what one of them signs.
pub fn is_trusted(state: &AppState, public_key: &str) -> bool {
    let keys = &state.config.auth.policy_keys;
    keys.is_empty() || keys.iter().any(|key| key.eq_ignore_ascii_case(public_key))
}

/// A new key: the secret and the public one, both hexadecimal.
///
/// # Errors
/// When the system gives no random bytes.
pub fn generate() -> Result<(String, String), getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let key = SigningKey::from_bytes(&secret);
    Ok((to_hex(&secret), to_hex(key.verifying_key().as_bytes())))
}

/// The rules of a bundle, its hash, its signature and its key having been checked.
///
/// # Errors
/// `Bundle` for what was changed or signed by a stranger, `Rules` for what is no field policy.
pub fn rules_of(state: &AppState, bundle: &InForce) -> Result<FieldRules, BundleRefusal> {
    verify(&bundle.text, &bundle.signature, &bundle.public_key)?;
    if !is_trusted(state, &bundle.public_key) {
        return Err(BundleError::Untrusted.into());
    }
    Ok(FieldRules::parse(&open(&bundle.text)?)?)
}

/// Why a bundle cannot be in force.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BundleRefusal {
    /// It is not what it says.
    #[error("Policy verification failed: {0}")]
    Bundle(#[from] BundleError),
    /// It is, but no field policy.
    #[error("the policy is no field policy: {0}")]
    Rules(#[from] fleet::policy::BadRules),
}

/// The signed field policy that is in force, checked anew; `None` where none is, and the built-in one holds alone.
///
/// # Errors
/// `internal` when what is in force does not verify (any more): nothing is taken under rules that nobody vouches for.
pub fn in_force(state: &AppState) -> Result<Option<FieldRules>, Problem> {
    let ask = Ask {
        aggregate_type: policy_bundle::AGGREGATE_TYPE,
        filters: vec![("is_active", "true".to_owned())],
        limit: 1,
        ..Ask::default()
    };
    let page = state.projections.catalog().page(&ask)?.value;
    let entry = page.entries.first();
    let Some(bundle) = entry.and_then(|entry| policy_bundle::in_force(&entry.folded)) else {
        return Ok(None);
    };
    match rules_of(state, &bundle) {
        Ok(rules) => Ok(Some(rules)),
        Err(refusal) => Err(Problem::internal(&refusal)),
    }
}

fn hash_of(document: &Map<String, Value>) -> String {
    to_hex(&Sha256::digest(canonical(document).as_bytes()))
}

/// The text of a document: keys sorted, no blanks, ASCII alone.
fn canonical(document: &Map<String, Value>) -> String {
    let mut text = String::new();
    put_object(document, &mut text);
    text
}

fn put_object(object: &Map<String, Value>, text: &mut String) {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_by(|left, right| left.0.cmp(right.0));
    text.push('{');
    for (index, (name, value)) in members.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        put_text(name, text);
        text.push(':');
        put(value, text);
    }
    text.push('}');
}

fn put(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => put_object(object, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                put(item, text);
            }
            text.push(']');
        }
        Value::String(string) => put_text(string, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

fn put_text(string: &str, text: &mut String) {
    text.push('"');
    for letter in string.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

/// Bytes as hexadecimal digits, in lower case.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// So many bytes of hexadecimal digits, in either case; `None` where it is anything else.
pub fn of_hex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let digits = digits.filter(|digits| digits.len() == 2 * BYTES)?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    bytes.try_into().ok()
}

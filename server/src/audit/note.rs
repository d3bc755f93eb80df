//! Checkpoints as signed notes: text that a person can read, copy and keep, and that a program can check.
//!
//! The forms are C2SP's: signed-note (`https://c2sp.org/signed-note`) around tlog-checkpoint
//! (`https://c2sp.org/tlog-checkpoint`), with Ed25519. Pure: no files, no clock.
//!
//! ```text
//! railfleet.log/5c2f…            the origin: which log
//! 158319                          events in the tree
//! 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=     its root
//!
//! — railfleet.log/5c2f… qyPN3q…   who signs, four bytes that tell the key, the signature
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use storage::TreeHash;

/// What a signature line begins with: an em dash and a blank.
const SIGNATURE_PREFIX: &str = "\u{2014} ";
/// The number of Ed25519 among the note's algorithms.
const ED25519: u8 = 1;
/// Bytes that tell a key.
const KEY_ID_BYTES: usize = 4;
/// Bytes of a file of notes that are read: those at its end.
pub const NOTES_BYTES_MAX: u64 = 64 << 20;

/// Why a note is not taken for what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no signed note.
    #[error("it is no signed note: {0}")]
    Form(&'static str),
    /// The key's text is no key.
    #[error("it is no public key of the form NAME+ID+KEY: {0}")]
    Key(&'static str),
    /// No signature by the key that was asked for.
    #[error("it carries no signature by {name}")]
    Unsigned {
        /// The key's name.
        name: String,
    },
    /// The signature is not one of this text.
    #[error("the signature by {name} does not fit the text: one of them was changed")]
    Forged {
        /// The key's name.
        name: String,
    },
}

/// What a log's tree was at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Events in the tree.
    pub size: u64,
    /// Its root.
    pub root: TreeHash,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64.encode(self.root.0);
        write!(formatter, "{}\n{}\n{root}\n", self.origin, self.size)
    }
}

impl Checkpoint {
    /// The checkpoint in a note's text. Lines behind the third are extensions and passed over.
    ///
    /// # Errors
    /// `Form`.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.lines();
        let origin = lines.next().filter(|origin| !origin.is_empty());
        let origin = origin.ok_or(NoteError::Form("it names no log"))?;
        let size = lines
            .next()
            .filter(|size| *size == "0" || !size.starts_with(['0', '+']));
        let size = size.and_then(|size| size.parse().ok());
        let root = lines.next().and_then(|root| BASE64.decode(root).ok());
        let root = root.and_then(|root| <[u8; 32]>::try_from(root).ok());
        Ok(Checkpoint {
            origin: origin.to_owned(),
            size: size.ok_or(NoteError::Form("its second line is no number of events"))?,
            root: TreeHash(root.ok_or(NoteError::Form("its third line is no hash"))?),
        })
    }
}

/// Signs notes.
pub struct Signer {
    key: SigningKey,
    verifier: Verifier,
}

/// The key stays out of whatever prints a signer.
impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Signer")
            .field(&self.verifier.name)
            .finish()
    }
}

impl Signer {
    /// The signer of this name, which holds no blank and no `+`, with this secret.
    pub fn new(name: &str, secret: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(secret);
        let verifier = Verifier::new(name, key.verifying_key());
        Signer { key, verifier }
    }

    /// What it signs with.
    pub fn secret(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Who can check what this one signs.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The note of `text`, which ends with a line break.
    pub fn sign(&self, text: &str) -> String {
        let mut signature = self.verifier.id.to_vec();
        signature.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        let signature = BASE64.encode(signature);
        format!(
            "{text}\n{SIGNATURE_PREFIX}{} {signature}\n",
            self.verifier.name
        )
    }
}

/// Checks notes. As text it is the public key to hand out: `NAME+ID+KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; KEY_ID_BYTES],
    key: VerifyingKey,
}

impl fmt::Display for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id);
        let key = BASE64.encode(typed(&self.key));
        write!(formatter, "{}+{id:08x}+{key}", self.name)
    }
}

fn typed(key: &VerifyingKey) -> Vec<u8> {
    let mut typed = vec![ED25519];
    typed.extend_from_slice(key.as_bytes());
    typed
}

impl Verifier {
    fn new(name: &str, key: VerifyingKey) -> Self {
        let hasher = Sha256::new().chain_update(name).chain_update([b'\n']);
        let digest: [u8; 32] = hasher.chain_update(typed(&key)).finalize().into();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Verifier {
            name: name.to_owned(),
            id,
            key,
        }
    }

    /// The public key in `NAME+ID+KEY`.
    ///
    /// # Errors
    /// `Key`.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("it has not three parts"));
        };
        let key = BASE64
            .decode(key)
            .map_err(|_| NoteError::Key("the key is no base64"))?;
        let key = key
            .strip_prefix(&[ED25519])
            .and_then(|key| <&[u8; 32]>::try_from(key).ok());
        let key = key.ok_or(NoteError::Key("the key is none of Ed25519"))?;
        let key = VerifyingKey::from_bytes(key);
        let key = key.map_err(|_| NoteError::Key("the key is no point of the curve"))?;
        let verifier = Verifier::new(name, key);
        if name.is_empty() || id != format!("{:08x}", u32::from_be_bytes(verifier.id)) {
            return Err(NoteError::Key("its id is not that of its name and key"));
        }
        Ok(verifier)
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of a note that this key has signed.
    ///
    /// # Errors
    /// `Form`, `Unsigned`, `Forged`.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Form(
            "no empty line stands in front of its signatures",
        ))?;
        let text = note.get(..=text.len()).unwrap_or_default();
        for line in signatures.lines() {
            let line = line.strip_prefix(SIGNATURE_PREFIX);
            let parts = line.and_then(|line| line.split_once(' '));
            let (name, signature) = parts.ok_or(NoteError::Form("a signature line is none"))?;
            let bytes = BASE64.decode(signature);
            let bytes = bytes.map_err(|_| NoteError::Form("a signature is no base64"))?;
            let (id, signature) = bytes
                .split_at_checked(KEY_ID_BYTES)
                .ok_or(NoteError::Form("a signature is too short"))?;
            if name != self.name || id != self.id {
                continue;
            }
            let signature = Signature::from_slice(signature);
            let signature =
                signature.map_err(|_| NoteError::Form("a signature has no 64 bytes"))?;
            let verified = self.key.verify_strict(text.as_bytes(), &signature);
            return verified.map(|()| text).map_err(|_| NoteError::Forged {
                name: self.name.clone(),
            });
        }
        Err(NoteError::Unsigned {
            name: self.name.clone(),
        })
    }
}

/// The notes in a file that holds one behind the other.
pub fn split_notes(file: &str) -> Vec<&str> {
    let mut notes = Vec::new();
    let (mut start, mut at, mut signed) = (0, 0, false);
    for line in file.split_inclusive('\n') {
        let is_signature = line.starts_with(SIGNATURE_PREFIX);
        if signed && !is_signature {
            notes.extend(file.get(start..at));
            start = at;
            signed = false;
        }
        at += line.len();
        signed |= is_signature;
        if !signed
            && file
                .get(start..at)
                .is_some_and(|begun| begun.trim().is_empty())
        {
            // Empty lines between two notes.
            start = at;
        }
    }
    notes.extend(file.get(start..at).filter(|rest| !rest.trim().is_empty()));
    notes
}

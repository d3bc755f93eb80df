//! What shows that a message is its depot's: signatures over sheets of messages, and the path of each to its sheet's.
//!
//! Messages that are published together are laid on *sheets* of at most [`MESSAGES_MAX`]. The root of the Merkle tree over a
//! sheet's messages is signed by the key with which the depot signs its log's checkpoints, and each message carries the
//! signature and its path to the root. So each can be verified by itself, whatever else arrives, in whatever order and
//! through whatever filter; and a sheet costs one signature.
//!
//! A message that was changed, or that somebody else made, carries no such path. One that was dropped or exchanged with
//! another is missed by the next, which says (under its signature) which one was published before it.

use std::fmt;

use bincode::config::{self, Config};
use bincode::{BorrowDecode, Encode};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::few::Few;

/// The layout of a signed message, its first byte.
const FORMAT: u8 = 2;
/// Messages on a sheet.
const MESSAGES_MAX: usize = 64;
/// Hashes of the longest path: of a sheet as large as one can say it is.
const PATH_MAX: usize = u8::BITS as usize;
/// What is signed begins with this, so that the signature says nothing about anything else.
const CONTEXT: &[u8] = b"railfleet federation sheet 1\n";
/// What a message may take when it is read: an event of the largest size, with room.
const BYTES_MAX: usize = 33 << 20;
/// What stands around a message at most: the key, the signature, the longest path, and small numbers.
const ENVELOPE_BYTES_MAX: usize = 32 + 64 + 32 * PATH_MAX + 16;

/// A depot's public key.
pub type PublicKey = [u8; 32];
type Hash = [u8; 32];

/// The key by which a depot signs what it publishes.
#[derive(Clone)]
pub struct Key(SigningKey);

/// The secret stays out of whatever prints a key.
impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Key").finish_non_exhaustive()
    }
}

impl Key {
    /// The key with this secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Key(SigningKey::from_bytes(secret))
    }

    /// What others verify by.
    pub fn public(&self) -> PublicKey {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a text, which begins with what it is about.
    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.0.sign(text).to_bytes()
    }
}

/// Whether this key signed this text.
pub(crate) fn is_signed(key: PublicKey, text: &[u8], signature: &[u8; 64]) -> bool {
    let signature = Signature::from_bytes(signature);
    VerifyingKey::from_bytes(&key).is_ok_and(|key| key.verify_strict(text, &signature).is_ok())
}

/// A public key in hexadecimal.
pub fn key_text(key: PublicKey) -> String {
    hex(&key)
}

/// The public key that reads like this; `None` when it is none.
pub fn key_of_text(text: &str) -> Option<PublicKey> {
    of_hex(text)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that read like this; `None` when it is not so many.
pub(crate) fn of_hex<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    let digits = text.as_bytes();
    if digits.len() != 2 * LENGTH {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// A message as it stands in the stream.
#[derive(PartialEq, Eq, Debug, Encode, BorrowDecode)]
pub(crate) struct Signed<'a> {
    pub(crate) key: PublicKey,
    signature: [u8; 64],
    /// Messages on the sheet, and which of them this is.
    size: u8,
    index: u8,
    /// The hashes beside the way to the root, from the message up.
    path: Few<Hash, PATH_MAX>,
    pub(crate) message: &'a [u8],
}

/// What is known of a log's sheets from the messages before.
#[derive(Debug, Default)]
pub(crate) struct KnownSheets {
    /// The root of the last one that was found to be signed, so that its other messages need no look at the signature.
    signed: Option<(PublicKey, Hash)>,
    /// What was hashed last on the way to a root, a node for each step.
    way: Vec<Node>,
}

/// A node of a sheet's tree, and what it was hashed from. Messages that follow each other share most of their way up, and the
/// same two hashes need not be hashed again.
#[derive(Debug)]
struct Node {
    left: Hash,
    right: Hash,
    hash: Hash,
}

/// Lays the messages of a log on sheets, and signs those. In the order in which they are given.
pub(crate) fn sign(key: &Key, log: Uuid, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut signed = Vec::with_capacity(messages.len());
    let public = key.public();
    for sheet in messages.chunks(MESSAGES_MAX) {
        let levels = levels(sheet.iter().map(|message| leaf(message)).collect());
        let size = byte(sheet.len());
        let root = levels.last().and_then(|level| level.first());
        let root = root.expect("a chunk has a message");
        let signature = key.sign(&text(log, size, root));
        for (index, message) in sheet.iter().enumerate() {
            let one = Signed {
                key: public,
                signature,
                size,
                index: byte(index),
                path: Few(path(&levels, index)),
                message,
            };
            let mut bytes = Vec::with_capacity(ENVELOPE_BYTES_MAX + message.len());
            bytes.push(FORMAT);
            let written = bincode::encode_into_std_write(&one, &mut bytes, layout());
            written.expect("memory takes what is written to it");
            signed.push(bytes);
        }
    }
    signed
}

impl<'a> Signed<'a> {
    /// # Errors
    /// What is wrong with the bytes.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let (format, payload) = bytes.split_first().ok_or("it is empty")?;
        if *format != FORMAT {
            return Err("it has a format that this server does not know");
        }
        match bincode::borrow_decode_from_slice(payload, layout()) {
            Ok((signed, used)) if used == payload.len() => Ok(signed),
            Ok(_) => Err("it is longer than it says"),
            Err(_) => Err("it is damaged"),
        }
    }

    /// Whether the key that it names signed it for this log, of whose sheets so much is known.
    pub(crate) fn is_genuine(&self, log: Uuid, known: &mut KnownSheets) -> bool {
        let Some(root) = self.root(&mut known.way) else {
            return false;
        };
        if known.signed == Some((self.key, root)) {
            return true;
        }
        let is_genuine = is_signed(self.key, &text(log, self.size, &root), &self.signature);
        if is_genuine {
            known.signed = Some((self.key, root));
        }
        is_genuine
    }

    /// The root that its path leads to; `None` when the path is not one of a sheet of this size. The same whatever `way`
    /// holds: a node is taken from there only if it was hashed from these very two.
    fn root(&self, way: &mut Vec<Node>) -> Option<Hash> {
        let (mut index, mut size) = (usize::from(self.index), usize::from(self.size));
        if index >= size {
            return None;
        }
        let mut hash = leaf(self.message);
        let mut path = self.path.0.iter().enumerate();
        while size > 1 {
            if index ^ 1 < size {
                let (step, beside) = path.next()?;
                hash = match index % 2 {
                    0 => node_on(way, step, hash, *beside),
                    _ => node_on(way, step, *beside, hash),
                };
            }
            (index, size) = (index / 2, size.div_ceil(2));
        }
        path.next().is_none().then_some(hash)
    }
}

/// The node over these two, which is on the way from now on.
fn node_on(way: &mut Vec<Node>, step: usize, left: Hash, right: Hash) -> Hash {
    let known = way.get(step);
    if let Some(known) = known.filter(|known| known.left == left && known.right == right) {
        return known.hash;
    }
    let hash = node(&left, &right);
    let made = Node { left, right, hash };
    match way.get_mut(step) {
        Some(known) => *known = made,
        None => way.push(made),
    }
    hash
}

fn text(log: Uuid, size: u8, root: &Hash) -> Vec<u8> {
    [CONTEXT, log.as_bytes(), &[size], root].concat()
}

/// The levels of a sheet's tree, from its leaves to its root. Who has nobody beside it goes up as it is.
fn levels(leaves: Vec<Hash>) -> Vec<Vec<Hash>> {
    let mut levels = vec![leaves];
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        let above = level.chunks(2).map(|pair| match pair {
            [left, right] => node(left, right),
            alone => alone[0],
        });
        let above = above.collect();
        levels.push(above);
    }
    levels
}

fn path(levels: &[Vec<Hash>], mut index: usize) -> Vec<Hash> {
    let mut path = Vec::with_capacity(levels.len());
    for level in levels {
        path.extend(level.get(index ^ 1).filter(|_| level.len() > 1));
        index /= 2;
    }
    path
}

/// Leaves and nodes are hashed apart, so that neither passes for the other (RFC 9162, section 2.1).
fn leaf(message: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(message)
        .finalize()
        .into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let hasher = Sha256::new().chain_update([1]);
    hasher
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).expect("a sheet holds few messages")
}

fn layout() -> impl Config {
    config::standard().with_limit::<BYTES_MAX>()
}

#[cfg(test)]
mod tests;

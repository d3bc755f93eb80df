//! Signing what the log's tree is, and keeping what was signed.
//!
//! A checkpoint that was signed is a promise: every later one must continue it. So before anything is signed, the tree is
//! held against the last note that was kept; a log that does not continue it is not signed for, and says so.
//!
//! The notes lie in one file beside the log, one behind the other. They are of no use where only the server has them:
//! who wants to hold the server to its word keeps copies elsewhere.
//!
//! What is signed is not always kept: whoever may read may ask for a checkpoint, and the file must not grow with the asking.
//! A note that was handed out and not kept holds the log to its word wherever it lies; the server holds it to those in the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::{Log, Position, Timestamp, TreeError};

use super::note::{Checkpoint, NOTES_BYTES_MAX, NoteError, Signer, Verifier, split_notes};
use crate::auth::keys::{self, KeyError};

/// The secret in the folder of keys.
const KEY_FILE: &str = "checkpoint.key";
/// The public key beside it.
pub const PUBLIC_KEY_FILE: &str = "checkpoint.pub";
/// The notes, in the data folder.
pub const NOTES_FILE: &str = "checkpoints.txt";
/// Microseconds between two notes that are kept because somebody asked: ten minutes. A note takes about 250 bytes, so that
/// somebody who asks without end fills [`NOTES_BYTES_MAX`] in five years.
const ASKED_APART: i64 = 10 * 60 * 1_000_000;

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The log is not a continuation of what was signed before.
    #[error(
        "the log does not continue the checkpoint of its first {size} events: it was changed, or the notes are of another log"
    )]
    Forked {
        /// Events in the checkpoint that it does not continue.
        size: u64,
    },
    /// See [`TreeError`].
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The secret could not be read or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file system refuses.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// A checkpoint and its note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// The note.
    pub note: String,
}

/// What was kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// The checkpoints, the oldest first.
    pub signed: Vec<Signed>,
    /// Notes that are no checkpoint signed by this server: edited, cut by a crash, or of another key.
    pub unopened: Vec<(String, NoteError)>,
    /// Bytes of older notes that were not read, in a file of more than [`NOTES_BYTES_MAX`].
    pub older_bytes: u64,
}

/// Signs and keeps checkpoints of one log.
#[derive(Debug)]
pub struct Checkpoints {
    signer: Signer,
    file: PathBuf,
    known: Mutex<Known>,
}

/// What is known of the file.
#[derive(Debug, Default)]
struct Known {
    /// The last note that was kept.
    last: Option<Signed>,
    /// When one was last kept because somebody asked, since the start.
    asked_at: Option<Timestamp>,
}

impl Known {
    /// Whether a note that somebody asks for is kept. A clock that was set back keeps nobody waiting.
    fn keeps_what_is_asked(&self, now: Timestamp) -> bool {
        self.asked_at.is_none_or(|at| {
            let since = now.micros().saturating_sub(at.micros());
            !(0..ASKED_APART).contains(&since)
        })
    }
}

impl Checkpoints {
    /// The checkpoints of `log` in the data folder `data`. The secret is made at the first call, in `keys`, with the public
    /// key beside it. Of a file of notes beyond [`NOTES_BYTES_MAX`] the end is read.
    ///
    /// # Errors
    /// `Key`, `Io`.
    pub fn open(log: &Log, data: &Path, keys: &Path) -> Result<Self, CheckpointError> {
        let secret = keys::load_or_create_named(keys, KEY_FILE)?;
        let mut seed = [0; 32];
        seed.copy_from_slice(&secret[..32]);
        let signer = Signer::new(&origin_of(log), &seed);
        write_public_key(&keys.join(PUBLIC_KEY_FILE), signer.verifier())?;
        let file = data.join(NOTES_FILE);
        let last = last_note(&file, signer.verifier())?;
        Ok(Checkpoints {
            signer,
            file,
            known: Mutex::new(Known {
                last,
                asked_at: None,
            }),
        })
    }

    /// The same key, to sign what is published to other depots.
    pub fn federation_key(&self) -> federation::sheet::Key {
        federation::sheet::Key::new(&self.signer.secret())
    }

    /// The public key.
    pub fn verifier(&self) -> &Verifier {
        self.signer.verifier()
    }

    /// The last checkpoint that was kept.
    pub fn last(&self) -> Option<Signed> {
        self.lock().last.clone()
    }

    /// Signs the tree of the first `size` events, and does not keep it.
    ///
    /// # Errors
    /// `Forked`, `Tree`.
    pub fn sign(&self, log: &Log, size: Position) -> Result<Signed, CheckpointError> {
        if let Some(last) = self.last() {
            let promised = Position::new(last.checkpoint.size);
            if promised > log.durable_position() || log.tree_root(promised)? != last.checkpoint.root
            {
                return Err(CheckpointError::Forked {
                    size: promised.get(),
                });
            }
        }
        let checkpoint = Checkpoint {
            origin: self.verifier().name().to_owned(),
            size: size.get(),
            root: log.tree_root(size)?,
        };
        let note = self.signer.sign(&checkpoint.to_string());
        Ok(Signed { checkpoint, note })
    }

    /// Signs the tree of all that is durable, and keeps the note, unless the last one says the same.
    ///
    /// # Errors
    /// `Forked`, `Tree`, `Io`.
    pub fn keep(&self, log: &Log) -> Result<Signed, CheckpointError> {
        let signed = self.sign(log, log.durable_position())?;
        self.keep_last(&mut self.lock(), &signed)?;
        Ok(signed)
    }

    /// The same for somebody who asks, at this time: the note is kept if none was for ten minutes.
    ///
    /// # Errors
    /// `Forked`, `Tree`, `Io`.
    pub fn sign_on_demand(&self, log: &Log, now: Timestamp) -> Result<Signed, CheckpointError> {
        let signed = self.sign(log, log.durable_position())?;
        let mut known = self.lock();
        if known.keeps_what_is_asked(now) && self.keep_last(&mut known, &signed)? {
            known.asked_at = Some(now);
        }
        Ok(signed)
    }

    /// Keeps a note, unless it says no more than the last. Whether it was kept.
    fn keep_last(&self, known: &mut Known, signed: &Signed) -> Result<bool, CheckpointError> {
        let size = known.last.as_ref().map_or(0, |last| last.checkpoint.size);
        if signed.checkpoint.size <= size {
            return Ok(false);
        }
        append(&self.file, &signed.note)?;
        known.last = Some(signed.clone());
        Ok(true)
    }

    /// The notes that were kept; of a file beyond [`NOTES_BYTES_MAX`] the newest.
    ///
    /// # Errors
    /// `Io`.
    pub fn kept(&self) -> Result<Kept, CheckpointError> {
        let tail = read_tail(&self.file, NOTES_BYTES_MAX)?;
        let mut kept = Kept {
            older_bytes: tail.older_bytes,
            ..Kept::default()
        };
        for note in tail.notes() {
            match opened(note, self.verifier()) {
                Ok(signed) => kept.signed.push(signed),
                Err(error) => kept.unopened.push((note.to_owned(), error)),
            }
        }
        Ok(kept)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What checkpoints of a log are called.
fn origin_of(log: &Log) -> String {
    format!("railfleet.log/{}", log.log_id())
}

/// The checkpoint in a note that `verifier` has signed.
///
/// # Errors
/// See [`NoteError`].
pub fn opened(note: &str, verifier: &Verifier) -> Result<Signed, NoteError> {
    Ok(Signed {
        checkpoint: Checkpoint::parse(verifier.open(note)?)?,
        note: note.to_owned(),
    })
}

/// The last note that can be used: one that a crash has cut is passed over.
fn last_note(file: &Path, verifier: &Verifier) -> Result<Option<Signed>, CheckpointError> {
    let tail = read_tail(file, NOTES_BYTES_MAX)?;
    if tail.older_bytes > 0 {
        tracing::warn!(
            file = %file.display(),
            older_bytes = tail.older_bytes,
            "the file of kept checkpoints is so long that only its end is read: while the server is down, its beginning can be moved elsewhere"
        );
    }
    for note in tail.notes().into_iter().rev() {
        match opened(note, verifier) {
            Ok(signed) => return Ok(Some(signed)),
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "a kept checkpoint cannot be used");
            }
        }
    }
    Ok(None)
}

/// The end of a file of notes.
#[derive(Debug, Default)]
pub(super) struct Tail {
    text: String,
    /// Bytes in front of it.
    pub(super) older_bytes: u64,
}

impl Tail {
    /// The notes that lie in it as a whole, the oldest first.
    pub(super) fn notes(&self) -> Vec<&str> {
        let mut notes = split_notes(&self.text);
        if self.older_bytes > 0 && !notes.is_empty() {
            // It may have begun in front.
            notes.remove(0);
        }
        notes
    }
}

/// The last `bytes_max` bytes of a file of notes; nothing when there is no file.
pub(super) fn read_tail(file: &Path, bytes_max: u64) -> Result<Tail, CheckpointError> {
    let read = File::open(file).and_then(|mut opened| {
        let older_bytes = opened.metadata()?.len().saturating_sub(bytes_max);
        opened.seek(SeekFrom::Start(older_bytes))?;
        let mut bytes = Vec::new();
        opened.take(bytes_max).read_to_end(&mut bytes)?;
        // A note that has rotted, or that the tail cuts, need not be text: it cannot be opened, which is all that there is to tell.
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        Ok(Tail { text, older_bytes })
    });
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tail::default()),
        read => read.map_err(io_error("read", file)),
    }
}

/// Writes a note behind the others. On return it is on the disk.
fn append(file: &Path, note: &str) -> Result<(), CheckpointError> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(file).map_err(io_error("open", file))?;
    // Notes are apart by an empty line, also behind one that a crash has cut.
    opened
        .write_all(format!("{note}\n").as_bytes())
        .and_then(|()| opened.sync_data())
        .map_err(io_error("write", file))
}

fn write_public_key(file: &Path, verifier: &Verifier) -> Result<(), CheckpointError> {
    let text = format!("{verifier}\n");
    if fs::read_to_string(file).is_ok_and(|known| known == text) {
        return Ok(());
    }
    fs::write(file, text)
        .and_then(|()| File::open(file)?.sync_all())
        .map_err(io_error("write", file))
}

fn io_error(doing: &'static str, file: &Path) -> impl Fn(io::Error) -> CheckpointError + use<> {
    let path = file.display().to_string();
    move |source| CheckpointError::Io {
        doing,
        path: path.clone(),
        source,
    }
}

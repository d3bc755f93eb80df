//! Signing what the log's tree is, and keeping what was signed.
//!
//! A checkpoint that was signed is a promise: every later one must continue it. So before anything is signed, the tree is
//! held against the last note that was kept; a log that does not continue it is not signed for, and says so.
//!
//! The notes lie in one file beside the log, one behind the other. They are of no use where only the server has them:
//! who wants to hold the server to its word keeps copies elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::{Log, Position, TreeError};

use super::note::{Checkpoint, NOTES_BYTES_MAX, NoteError, Signer, Verifier, split_notes};
use crate::auth::keys::{self, KeyError};

/// The secret in the folder of keys.
const KEY_FILE: &str = "checkpoint.key";
/// The public key beside it.
pub const PUBLIC_KEY_FILE: &str = "checkpoint.pub";
/// The notes, in the data folder.
pub const NOTES_FILE: &str = "checkpoints.txt";

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
}

/// Signs and keeps checkpoints of one log.
#[derive(Debug)]
pub struct Checkpoints {
    signer: Signer,
    file: PathBuf,
    /// The last that was kept.
    last: Mutex<Option<Signed>>,
}

impl Checkpoints {
    /// The checkpoints of `log` in the data folder `data`. The secret is made at the first call, in `keys`, with the public
    /// key beside it.
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
            last: Mutex::new(last),
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
        self.lock().clone()
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
        let mut last = self.lock();
        let known = last.as_ref().map_or(0, |last| last.checkpoint.size);
        if signed.checkpoint.size > known {
            append(&self.file, &signed.note)?;
            *last = Some(signed.clone());
        }
        Ok(signed)
    }

    /// The notes that were kept.
    ///
    /// # Errors
    /// `Io`.
    pub fn kept(&self) -> Result<Kept, CheckpointError> {
        let text = read(&self.file)?;
        let mut kept = Kept::default();
        for note in split_notes(&text) {
            match opened(note, self.verifier()) {
                Ok(signed) => kept.signed.push(signed),
                Err(error) => kept.unopened.push((note.to_owned(), error)),
            }
        }
        Ok(kept)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Signed>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
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
    let text = read(file)?;
    for note in split_notes(&text).into_iter().rev() {
        match opened(note, verifier) {
            Ok(signed) => return Ok(Some(signed)),
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "a kept checkpoint cannot be used");
            }
        }
    }
    Ok(None)
}

/// The file's text; none when there is no file.
fn read(file: &Path) -> Result<String, CheckpointError> {
    let length = fs::metadata(file).map_or(0, |metadata| metadata.len());
    if length > NOTES_BYTES_MAX as u64 {
        let error = io::Error::other("it is larger than the notes of a lifetime");
        return Err(io_error("read", file)(error));
    }
    match fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(io_error("read", file)(error)),
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

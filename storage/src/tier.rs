//! Sealed segments that lie elsewhere: in object storage, or wherever a [`Tier`] keeps them.
//!
//! Place on the data path: below a segment's bytes. A segment that was sent away (`send`) leaves a *stub* behind: what
//! opening, appending and finding need of it, its index beside it, and whole events of the types that a start reads. Its
//! bytes are fetched when somebody reads history, into a folder of bounded size (`cache`), and mapped like any other segment;
//! one that is evicted stays mapped for whoever is reading it. This crate speaks to no network: a [`Tier`] does.
//!
//! Nothing is believed of what comes back before its length and its SHA-256 are those in the stub.

mod cache;
mod send;
mod stub;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use cache::Cache;
pub(crate) use stub::{Stub, StubFault, stub_file};

use crate::repo::{Repo, View};

/// Where segments are kept that are not on this machine's disk. Its methods block; they are never called by the writer.
pub trait Tier: Send + Sync + fmt::Debug {
    /// What messages call it, such as `s3://bucket/depot-1`.
    fn place(&self) -> String;

    /// Puts an object there, whole or not at all, in place of any of that name.
    ///
    /// # Errors
    /// `AlreadyExists` or `PermissionDenied` when the place answers and refuses, as one does that lets nothing be replaced: what it has
    /// under that name is read then. Any other kind when it does not answer, after whatever it repeats itself.
    fn put(&self, object: &str, bytes: Arc<dyn View>) -> io::Result<()>;

    /// Bytes of an object; `None` when there is none of that name.
    ///
    /// # Errors
    /// When the place refuses or does not answer, after whatever it repeats itself.
    fn length(&self, object: &str) -> io::Result<Option<u64>>;

    /// Gives the bytes of an object to `take`, in order, and ends early with the error of `take`.
    ///
    /// # Errors
    /// `NotFound` when there is none of that name; as for [`length`](Tier::length).
    fn fetch(&self, object: &str, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>;
}

/// How a log uses a [`Tier`].
#[derive(Clone, Debug)]
pub struct TierOptions {
    /// Where segments are sent to and fetched from.
    pub tier: Arc<dyn Tier>,
    /// The folder of what was fetched. Whatever lies there is checked before it is used, and may be deleted.
    pub fetched: Arc<dyn Repo>,
    /// Bytes that the folder holds at most; one segment may be there however large it is.
    pub fetched_bytes_max: u64,
    /// Aggregate types whose events stay here whole when their segment is sent away: those that a start reads.
    pub kept_types: Vec<Box<str>>,
}

/// Why the bytes of an archived segment cannot be had now.
#[derive(Debug, thiserror::Error)]
pub enum ArchivedError {
    /// The log was opened without a tier.
    #[error("it lies in an archive, and no archive is configured: say where it is")]
    NotConfigured,
    /// The place refuses, or does not answer.
    #[error("it lies in {place} as {object}, which cannot be reached")]
    Unreachable {
        /// The place.
        place: String,
        /// The object.
        object: String,
        /// What the place said.
        source: io::Error,
    },
    /// The object is gone.
    #[error("{place} has no {object}: bring it back there, or restore a backup")]
    Missing {
        /// The place.
        place: String,
        /// The object.
        object: String,
    },
    /// The object is not what was sent there, however often it is asked for.
    #[error(
        "{object} in {place} is not what was sent there ({what}): bring it back, or restore a backup"
    )]
    Altered {
        /// The place.
        place: String,
        /// The object.
        object: String,
        /// What differs.
        what: String,
    },
    /// What was fetched cannot be written to the folder of what was fetched.
    #[error("it cannot be written to the folder of what was fetched from the archive")]
    Disk(#[source] io::Error),
    /// Too many others wait for segments that are being fetched.
    #[error("too many reads wait for the archive")]
    Busy,
    /// It is not here, and whoever asks does not wait; it is being fetched.
    #[error("it lies in the archive, and is being fetched")]
    NotHere,
}

impl From<ArchivedError> for io::Error {
    fn from(error: ArchivedError) -> Self {
        io::Error::other(error)
    }
}

/// What was fetched since the log was opened, and what lies away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TierStats {
    /// Segments that lie away.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Times that a segment was asked for and lay in the folder.
    pub hits: u64,
    /// Times that it had to be fetched.
    pub misses: u64,
    /// Times that it could not be.
    pub failures: u64,
    /// Bytes that were fetched.
    pub bytes_fetched: u64,
    /// Bytes that lie in the folder.
    pub bytes_held: u64,
    /// Segments that were removed from the folder to make room.
    pub evictions: u64,
}

/// A segment that lies away.
#[derive(Debug)]
pub(crate) struct Away {
    pub(crate) stub: Stub,
    cache: Option<Arc<Cache>>,
    /// Whether a thread of its own fetches it.
    is_coming: AtomicBool,
}

impl Away {
    pub(crate) fn new(stub: Stub, cache: Option<Arc<Cache>>) -> Self {
        Away {
            stub,
            cache,
            is_coming: AtomicBool::new(false),
        }
    }

    /// Its bytes, fetched where they are not here. Blocks.
    pub(crate) fn view(&self) -> Result<Arc<dyn View>, ArchivedError> {
        self.cache()?.view(&self.stub)
    }

    /// Its bytes, if they are here. If not, a thread begins to fetch them, so that whoever tries again finds them.
    pub(crate) fn view_at_hand(self: &Arc<Self>) -> Result<Arc<dyn View>, ArchivedError> {
        if let Some(view) = self.cache()?.at_hand(&self.stub) {
            return Ok(view);
        }
        if !self.is_coming.swap(true, Ordering::AcqRel) {
            let coming = Coming(self.clone());
            let thread = std::thread::Builder::new().name("log-fetch".to_owned());
            // Where no thread can be started whoever tries again does so.
            let _ = thread.spawn(move || coming.fetch());
        }
        Err(ArchivedError::NotHere)
    }

    /// Whether the object is there in its length. Fetches nothing.
    pub(crate) fn look(&self) -> Result<(), ArchivedError> {
        self.cache()?.look(&self.stub)
    }

    /// Whether the object is there byte for byte. Reads all of it where it lies, and keeps nothing.
    pub(crate) fn read_back(&self) -> Result<(), ArchivedError> {
        self.cache()?.read_back(&self.stub)
    }

    fn cache(&self) -> Result<&Cache, ArchivedError> {
        self.cache.as_deref().ok_or(ArchivedError::NotConfigured)
    }
}

/// That a thread fetches a segment, until it ends, however that comes: else nobody would ever fetch it for the writer again.
struct Coming(Arc<Away>);

impl Coming {
    fn fetch(self) {
        // Whoever reads it is told what is wrong.
        let _ = self.0.view();
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.is_coming.store(false, Ordering::Release);
    }
}

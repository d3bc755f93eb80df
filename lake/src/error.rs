//! Why an export did not come about. What was exported before stays as it was.

use std::error::Error as _;

use object_store::client::{HttpError, HttpErrorKind};
use uuid::Uuid;

/// What is behind an error of a place, as far as it can be told from what the place said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// 401 or 403, or a folder's permissions.
    #[error(
        "the place refuses; for a bucket check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that this key may list, \
         read, write and delete there, for a folder its permissions"
    )]
    Refused,
    /// 404 where something is written or listed.
    #[error("there is no such bucket or folder; make it, or correct the address")]
    NoSuchPlace,
    /// No connection came about.
    #[error("the place cannot be reached; check AWS_ENDPOINT, AWS_REGION and the network")]
    Unreached,
    /// An answer took too long.
    #[error("the place did not answer in time, however often it was asked")]
    Silent,
    /// A connection ended in the middle, each time.
    #[error("the connection broke off, however often it was made anew")]
    BrokenOff,
    /// 5xx, each time.
    #[error("the place has trouble of its own; try again later")]
    Trouble,
    /// Anything else: the cause says more.
    #[error("the place did not do it")]
    Other,
}

impl Why {
    pub(crate) fn of(error: &object_store::Error) -> Self {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        if matches!(error, PermissionDenied { .. } | Unauthenticated { .. }) {
            return Why::Refused;
        }
        if matches!(error, NotFound { .. }) {
            return Why::NoSuchPlace;
        }
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(http) = error.downcast_ref::<HttpError>() {
                return match http.kind() {
                    HttpErrorKind::Connect => Why::Unreached,
                    HttpErrorKind::Timeout => Why::Silent,
                    HttpErrorKind::Request | HttpErrorKind::Interrupted | HttpErrorKind::Decode => {
                        Why::BrokenOff
                    }
                    _ => Why::Other,
                };
            }
            if let Some(file) = error.downcast_ref::<std::io::Error>()
                && file.kind() == std::io::ErrorKind::PermissionDenied
            {
                return Why::Refused;
            }
            cause = error.source();
        }
        // The status of what is not about one object is told in words alone.
        let said = error.to_string();
        if said.contains("status code: 5") {
            Why::Trouble
        } else if said.contains("status code: 404") {
            Why::NoSuchPlace
        } else {
            Why::Other
        }
    }
}

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The place's address cannot be used.
    #[error("{url} is no place to export to: {reason}; give file:///folder or s3://bucket/prefix")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing says which keys a bucket is asked with.
    #[error("{url} cannot be asked: {missing}")]
    Keys {
        /// The bucket.
        url: String,
        /// What is missing.
        missing: &'static str,
    },
    /// The place refuses, or does not answer.
    #[error("cannot {doing} {path}: {why}")]
    Store {
        /// What was being done: `write`, `read`.
        doing: &'static str,
        /// The object.
        path: String,
        /// What is behind it, and what to do.
        why: Why,
        /// What the place said.
        source: object_store::Error,
    },
    /// The folder cannot be made, or is not there.
    #[error("cannot use the folder {path}")]
    Folder {
        /// The folder.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The manifest that lies there cannot be understood.
    #[error(
        "{path} cannot be understood: {reason}. Export to an empty place, or restore that file"
    )]
    Manifest {
        /// The object.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Training rows are not there, or not as they must be.
    #[error("cannot learn from {path}: {reason}")]
    Features {
        /// The manifest or the file.
        path: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The place holds the export of another log.
    #[error(
        "{place} holds the export of log {theirs}, and this is log {ours}: give each log a place of its own"
    )]
    OtherLog {
        /// The place.
        place: String,
        /// The log that is there.
        theirs: Uuid,
        /// The log to export.
        ours: Uuid,
    },
    /// The place holds more of this log than the log does.
    #[error(
        "{place} was exported up to position {theirs}, and the log ends at {ours}: it was restored to an earlier \
         moment. Export to an empty place"
    )]
    Ahead {
        /// The place.
        place: String,
        /// How far the export goes.
        theirs: u64,
        /// How far the log goes.
        ours: u64,
    },
    /// The place holds another past than the log.
    #[error(
        "{place} holds another event than the log at position {position}: the log was restored to an earlier moment, and has \
         gone on since. Export to an empty place"
    )]
    Forked {
        /// The place.
        place: String,
        /// A position whose event is another one.
        position: u64,
    },
    /// Nothing was exported to the place, and files of somebody else lie where an export would put its own.
    #[error(
        "{place} has no manifest.json, and {path} there is no file of an export: somebody else uses that folder, and nothing \
         was touched. Export to an empty place, for example to {place}/lake"
    )]
    Foreign {
        /// The place.
        place: String,
        /// One of those files.
        path: String,
    },
    /// A segment of the log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] storage::ReadError),
    /// The columns could not be written.
    #[error("a Parquet file cannot be made")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The columns do not fit together.
    #[error("columns cannot be put together")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// No thread could be started.
    #[error("no thread can be started")]
    Runtime(#[source] std::io::Error),
    /// It was asked to stop.
    #[error("stopped, as asked; what was exported before stays as it was")]
    Stopped,
}

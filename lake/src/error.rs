//! Why an export did not come about. What was exported before stays as it was.

use uuid::Uuid;

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
    /// The place refuses, or does not answer.
    #[error("cannot {doing} {path}")]
    Store {
        /// What was being done: `write`, `read`.
        doing: &'static str,
        /// The object.
        path: String,
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

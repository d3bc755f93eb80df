//! Why a question has no answer.

use std::io;

/// What can go wrong while measuring.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Something the question needs is not on this machine: it is skipped, and the table says so.
    #[error("{what} is missing: {remedy}")]
    Missing {
        /// What.
        what: String,
        /// How to get it.
        remedy: String,
    },
    /// A peer or a child process did not do what it was started for.
    #[error("{0}")]
    Peer(String),
    /// The log refused an append.
    #[error("an append was refused")]
    Append(#[from] storage::AppendError),
    /// The log cannot be opened.
    #[error("the log cannot be opened")]
    Open(#[from] storage::OpenError),
    /// An event cannot be read.
    #[error("an event cannot be read")]
    Read(#[from] storage::ReadError),
    /// The operating system refused.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// What it said.
        source: io::Error,
    },
    /// An answer is not the JSON that was expected.
    #[error("an answer is not the JSON that was expected")]
    Json(#[from] serde_json::Error),
}

/// Says what was being done when the operating system refused.
pub(crate) fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> BenchError {
    move |source| BenchError::Io {
        doing: what.into(),
        source,
    }
}

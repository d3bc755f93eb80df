//! Why an import, a verification or an export ended early. Whatever it was, the same command goes on where it ended.

use std::io;

use storage::ReadError;

use crate::append::StoreError;
use crate::finding::{Sample, Treatment};
use crate::shape::ShapeError;
use crate::source::SourceError;

/// Why it ended early.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The database cannot be reached, or ended the connection.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database is not one that is brought over.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The log did not take the events.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[source] ReadError),
    /// Somebody asked for it.
    #[error("it was asked to stop")]
    Stopped,
    /// Something that a report would have to mention, and `--strict`.
    #[error("{table}, row {key}{column}: {met}; without --strict: {done}")]
    Strict {
        /// The table.
        table: &'static str,
        /// The row.
        key: String,
        /// The column, with a comma before it, or nothing.
        column: String,
        /// What was met.
        met: &'static str,
        /// What would be done about it.
        done: &'static str,
    },
    /// Rows that cannot be told apart.
    #[error(
        "{table} has several rows with the same {column} ({sample}), so that they cannot be told apart; --skip {table} leaves it out"
    )]
    RowsAlike {
        /// The table.
        table: &'static str,
        /// The column that should tell them apart.
        column: &'static str,
        /// A value that several have.
        sample: String,
    },
    /// An export goes into an empty schema alone.
    #[error(
        "{table} in {place} holds rows already; an export goes into an empty schema: name another database, or --skip {table}"
    )]
    NotEmpty {
        /// The table.
        table: &'static str,
        /// The database.
        place: String,
    },
    /// A thread could not be started.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    /// A report could not be written.
    #[error("the report cannot be written to {path}")]
    Report {
        /// Where.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl ImportError {
    pub(crate) fn strict(table: &'static str, treatment: Treatment, sample: &Sample) -> Self {
        ImportError::Strict {
            table,
            key: sample.key.clone(),
            column: sample
                .column
                .as_ref()
                .map_or_else(String::new, |column| format!(", {column}")),
            met: treatment.met(),
            done: treatment.done(),
        }
    }
}

//! What can go wrong with a PostgreSQL server, each as a sentence that says what to do.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

use super::address::{Address, AddressError};
use super::tls::TlsError;

/// Why nothing, or nothing more, can be read from or written to a database.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum SourceError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(
        "no PostgreSQL answers at {place}: {why}; is it running, and may this machine reach it?"
    )]
    Unreachable { place: String, why: String },
    #[error(
        "PostgreSQL at {place} refuses {user}: the password is wrong or missing ({why}); give it in the address or in PGPASSWORD"
    )]
    WrongPassword {
        place: String,
        user: String,
        why: String,
    },
    #[error("PostgreSQL at {place} has no database {database}")]
    NoDatabase { place: String, database: String },
    #[error("PostgreSQL at {place} takes no more connections ({why}); {needed} are needed")]
    TooManyConnections {
        place: String,
        why: String,
        needed: usize,
    },
    #[error("the account {user} may not read {what}; GRANT SELECT ON {what} TO {user} lets it")]
    Privilege { user: String, what: String },
    #[error("the connection to PostgreSQL was lost while {doing}: {why}")]
    Lost { doing: String, why: String },
    #[error("PostgreSQL refused while {doing}: {why}")]
    Statement { doing: String, why: String },
    #[error("PostgreSQL sent what cannot be understood while {doing}: {why}")]
    Garbled { doing: String, why: String },
}

impl SourceError {
    /// Whether the same command may succeed later without anybody changing anything: the server went away.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            SourceError::Lost { .. }
                | SourceError::Unreachable { .. }
                | SourceError::TooManyConnections { .. }
        )
    }
}

/// What a failed connect means.
pub(super) fn connecting(
    address: &Address,
    needed: usize,
    error: &tokio_postgres::Error,
) -> SourceError {
    let place = address.place();
    let why = words(error);
    match error.code() {
        Some(code)
            if *code == SqlState::INVALID_PASSWORD
                || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            SourceError::WrongPassword {
                place,
                user: address.user().to_owned(),
                why,
            }
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => SourceError::NoDatabase {
            place,
            database: address.database().to_owned(),
        },
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            SourceError::TooManyConnections { place, why, needed }
        }
        Some(_) => SourceError::Unreachable { place, why },
        // The library finds out itself that it has no password to answer with.
        None if why.contains("password missing") => SourceError::WrongPassword {
            place,
            user: address.user().to_owned(),
            why,
        },
        None => SourceError::Unreachable { place, why },
    }
}

/// What a failed statement means.
pub(crate) fn doing(doing: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> SourceError {
    let doing = doing.into();
    move |error| {
        let why = words(&error);
        match error.code() {
            None => SourceError::Lost { doing, why },
            Some(code) if is_gone(code) => SourceError::Lost { doing, why },
            Some(_) => SourceError::Statement { doing, why },
        }
    }
}

/// Whether the server ended the session rather than refused the statement.
fn is_gone(code: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_SESSION_TIMEOUT,
        SqlState::CONNECTION_FAILURE,
        SqlState::CONNECTION_EXCEPTION,
    ]
    .contains(code)
}

/// The innermost cause, which says most, in PostgreSQL's own words where they are its.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    if let Some(answer) = error.as_db_error() {
        return answer.message().to_owned();
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    words
}

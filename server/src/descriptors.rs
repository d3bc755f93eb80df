//! Open files: every connection is one, and what a process may have at a time often begins at 1,024.
//!
//! That is the soft limit. It is low for the sake of old programs that cannot count further, and any process may raise it
//! to the hard one, which is what the administrator means.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Files that are open beside connections: segments and their indexes, read models, threads' own.
const BESIDE_CONNECTIONS: u64 = 512;

/// Takes as many open files as this process may have, and says in the log where that is too few for the settings.
pub(crate) fn raise(config: &Config) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let (limit, wanted) = (self::limit(), wanted(config));
    if limit < wanted {
        tracing::warn!(
            limit,
            wanted,
            "too few files may be open for http.connections_max; raise the hard limit (LimitNOFILE= of the unit, `ulimit -Hn`)"
        );
    }
}

/// Files that this process may have open at a time.
pub(crate) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Files that a server which has raised its limit may have open.
pub(crate) fn reachable() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// How many a server with these settings may need.
pub(crate) fn wanted(config: &Config) -> u64 {
    config.http.connections_max as u64 + BESIDE_CONNECTIONS
}

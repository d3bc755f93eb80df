//! The database that is read: connections, all of one moment, and their rows.
//!
//! Every session is read-only and sees the same snapshot, so that tables read one after the other, and side by side, are of
//! one instant while the old system goes on writing. Nothing here knows what the tables mean.

mod address;
mod copy;
mod error;
mod tls;
pub mod value;

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, SimpleQueryRow};

pub use address::{Address, AddressError, Trust};
pub use copy::RowStream;
pub use error::SourceError;
pub(crate) use error::doing;
pub use tls::TlsError;

/// Sessions at a time: one that holds the snapshot, and one for each table that is read beside another.
pub const SESSIONS_MAX: usize = 4;
/// Memory that the server may use to sort a table, in its own spelling.
const SORT_MEMORY: &str = "64MB";
/// How long a session's good-bye may take.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

/// What every session is told first. A server's own time limits must not end a long read, and a policy that hides rows
/// must be an error rather than fewer rows.
const SESSION: &str = "SET TIME ZONE 'UTC'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
     SET lock_timeout = '30s'; SET row_security = off; SET search_path = pg_catalog; SET extra_float_digits = 3; \
     SET bytea_output = 'hex'; SET IntervalStyle = 'iso_8601'; SET DateStyle = 'ISO, YMD'";
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A database as of one moment.
#[derive(Debug)]
pub struct Source {
    address: Address,
    holder: Session,
    snapshot: String,
    facts: ServerFacts,
    idle: Vec<Session>,
}

/// A connection, and the task that drives it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    driver: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl Session {
    /// Says good-bye, so that the server does not log that its client vanished.
    pub(crate) async fn close(self) {
        drop(self.client);
        let _ = tokio::time::timeout(CLOSE_WAIT, self.driver).await;
    }
}

/// What the server says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ServerFacts {
    /// Its version, `15.18`.
    pub version: String,
    /// The database's name.
    pub database: String,
    /// The account that reads.
    pub user: String,
    /// The time zone that sessions begin with unless they say otherwise.
    pub time_zone: String,
    /// Time zones set for single accounts or databases, `role/database: zone`.
    pub time_zones_set: Vec<String>,
    /// How text is encoded.
    pub encoding: String,
    /// When the snapshot was taken, RFC 3339 UTC.
    pub snapshot_at: String,
    /// The oldest transaction that had not ended then: whatever changes later carries at least this number.
    pub snapshot_xmin: i64,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
}

impl Source {
    /// Connects and takes a snapshot, which lasts as long as this does.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn open(address: &Address) -> Result<Self, SourceError> {
        let holder = connect(address).await?;
        let beginning = "SELECT current_setting('TimeZone')";
        let time_zone = text(
            &one_row(&holder.client, beginning, "asking for the time zone").await?,
            0,
        );
        prepare(&holder.client, BEGIN).await?;
        let row = one_row(&holder.client, FACTS, "taking a snapshot").await?;
        let facts = ServerFacts {
            time_zone,
            version: text(&row, 0),
            database: text(&row, 1),
            user: text(&row, 2),
            encoding: text(&row, 3),
            snapshot_at: text(&row, 4),
            snapshot_xmin: text(&row, 5).parse().unwrap_or(0),
            encrypted: text(&row, 6) == "t",
            time_zones_set: settings_of_time_zones(&holder.client).await,
        };
        Ok(Source {
            address: address.clone(),
            snapshot: text(&row, 7),
            holder,
            facts,
            idle: Vec::new(),
        })
    }

    /// What the server says about itself.
    pub fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// All rows that a statement gives, as text. For catalogues and counts, not for tables.
    ///
    /// # Errors
    /// `Statement` and `Lost`.
    pub async fn query(
        &self,
        statement: &str,
        what: &str,
    ) -> Result<Vec<Vec<Option<String>>>, SourceError> {
        rows(&self.holder.client, statement, what).await
    }

    /// Starts to read the rows of `query`, a `SELECT`, on a session of their own.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub async fn copy(&mut self, query: &str, what: &str) -> Result<Rows, SourceError> {
        let session = match self.idle.pop() {
            Some(session) => session,
            None => self.session().await?,
        };
        let statement = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let stream = RowStream::start(&session.client, &statement, what).await?;
        Ok(Rows { stream, session })
    }

    /// Takes back the session of rows that were read to their end.
    pub fn reuse(&mut self, rows: Rows) {
        if self.idle.len() + 1 < SESSIONS_MAX {
            self.idle.push(rows.session);
        }
    }

    /// One more session on the same snapshot.
    async fn session(&self) -> Result<Session, SourceError> {
        let session = connect(&self.address).await?;
        let snapshot = &self.snapshot;
        let statements = format!(
            "SET work_mem = '{SORT_MEMORY}'; {BEGIN}; SET TRANSACTION SNAPSHOT '{snapshot}'"
        );
        match prepare(&session.client, &statements).await {
            Ok(()) => Ok(session),
            // A snapshot is gone when the session that holds it is.
            Err(error) if self.holder.client.is_closed() => Err(SourceError::Lost {
                doing: "opening another session on the snapshot".to_owned(),
                why: error.to_string(),
            }),
            Err(error) => Err(error),
        }
    }

    /// Ends all sessions, and with them the snapshot.
    pub async fn close(self) {
        for session in self.idle {
            session.close().await;
        }
        self.holder.close().await;
    }
}

/// Rows, and the session that they come from.
#[derive(Debug)]
pub struct Rows {
    stream: RowStream,
    session: Session,
}

impl std::ops::Deref for Rows {
    type Target = RowStream;

    fn deref(&self) -> &RowStream {
        &self.stream
    }
}

impl std::ops::DerefMut for Rows {
    fn deref_mut(&mut self) -> &mut RowStream {
        &mut self.stream
    }
}

const FACTS: &str = "SELECT current_setting('server_version'), current_database(), current_user, \
     current_setting('server_encoding'), \
     to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), \
     txid_snapshot_xmin(txid_current_snapshot()), \
     coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), \
     pg_export_snapshot()";

/// Zones that accounts or this database were given; nothing where the catalogue may not be read.
async fn settings_of_time_zones(client: &Client) -> Vec<String> {
    let statement = "SELECT coalesce(r.rolname, '*') || '/' || coalesce(d.datname, '*') || ': ' || substr(c, 10) \
         FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c \
         LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase \
         WHERE lower(c) LIKE 'timezone=%' AND (s.setdatabase = 0 OR d.datname = current_database()) ORDER BY 1";
    let found = rows(client, statement, "asking for time zones").await;
    found
        .unwrap_or_default()
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect()
}

/// Opens a connection and has it driven in the background of the present runtime.
pub(crate) async fn connect(address: &Address) -> Result<Session, SourceError> {
    let refused = |error| error::connecting(address, SESSIONS_MAX, &error);
    if address.config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = address.config.connect(NoTls).await.map_err(refused)?;
        let driver = tokio::spawn(connection);
        return Ok(Session { client, driver });
    }
    let tls = tls::connector(&address.trust)?;
    let (client, connection) = address.config.connect(tls).await.map_err(refused)?;
    let driver = tokio::spawn(connection);
    Ok(Session { client, driver })
}

/// Settings and the beginning of a transaction, in this order and apart: a transaction's isolation is set before
/// anything is asked.
async fn prepare(client: &Client, beginning: &str) -> Result<(), SourceError> {
    for statements in [SESSION, beginning] {
        let done = client.batch_execute(statements).await;
        done.map_err(doing("beginning to read"))?;
    }
    Ok(())
}

/// Runs something with connections to its end, on this thread.
pub(crate) fn blocking<T>(
    work: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(SourceError::Lost {
            doing: "beginning to connect".to_owned(),
            why: error.to_string(),
        }),
    }
}

async fn one_row(
    client: &Client,
    statement: &str,
    what: &str,
) -> Result<SimpleQueryRow, SourceError> {
    let messages = client.simple_query(statement).await.map_err(doing(what))?;
    let row = messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    row.ok_or_else(|| SourceError::Garbled {
        doing: what.to_owned(),
        why: "it answers without a row".to_owned(),
    })
}

/// All rows of a statement, as text.
pub(crate) async fn rows(
    client: &Client,
    statement: &str,
    what: &str,
) -> Result<Vec<Vec<Option<String>>>, SourceError> {
    let messages = client.simple_query(statement).await.map_err(doing(what))?;
    let mut rows = Vec::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            rows.push(
                (0..row.len())
                    .map(|at| row.get(at).map(str::to_owned))
                    .collect(),
            );
        }
    }
    Ok(rows)
}

fn text(row: &SimpleQueryRow, at: usize) -> String {
    row.get(at).unwrap_or_default().to_owned()
}

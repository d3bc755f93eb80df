//! Where a database is and how it is reached, read from a `postgres://` address.
//!
//! `sslmode` and `sslrootcert` mean what they mean to `psql`, save that `verify-full` needs an `sslrootcert`. A password is never
//! shown again: [`Address`] prints without it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// How long the first answer of a server is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may say nothing before it is asked whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// What the server's list of sessions calls us.
const APPLICATION_NAME: &str = "railfleet import";

/// Where a database is, and how it is reached.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    pub(super) trust: Trust,
}

/// Whose certificate is believed, once the connection is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's: protects from listeners, not from somebody who stands in for the server.
    Anybody,
    /// One signed by a certificate of this PEM file, for the host's name.
    SignedBy(PathBuf),
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It begins otherwise.
    #[error(
        "the address begins with neither postgres:// nor postgresql://; it looks like postgres://user@host:5432/database"
    )]
    Scheme,
    /// It cannot be read.
    #[error("the address cannot be read: {0}")]
    Unreadable(String),
    /// It names no host.
    #[error("the address names no host; it looks like postgres://user@host:5432/database")]
    NoHost,
    /// Its `sslmode` is not one.
    #[error("sslmode={0} is not known: disable, prefer, require and verify-full are")]
    SslMode(String),
    /// Nothing to verify against.
    #[error("sslmode=verify-full needs sslrootcert=FILE, the certificates (PEM) to believe")]
    NoRoots,
}

impl Address {
    /// Reads an address. `password` is used where it names none.
    ///
    /// # Errors
    /// See [`AddressError`]; none of them repeats the password.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Self, AddressError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(AddressError::Scheme);
        }
        let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut passed_on = form_urlencoded::Serializer::new(String::new());
        let (mut mode, mut roots) = ("prefer".to_owned(), None);
        for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
            match &*name {
                "sslmode" => mode = value.into_owned(),
                "sslrootcert" => roots = Some(PathBuf::from(&*value)),
                _ => {
                    passed_on.append_pair(&name, &value);
                }
            }
        }
        // `+` stands for a blank in a form, not in an address.
        let rest = passed_on.finish().replace('+', "%20");
        let text = match rest.is_empty() {
            true => base.to_owned(),
            false => format!("{base}?{rest}"),
        };
        let mut config: Config = text.parse().map_err(unreadable)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(AddressError::NoHost);
        }
        if let (None, Some(password)) = (config.get_password(), password) {
            config.password(password);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config
            .keepalives_idle(KEEPALIVE_IDLE)
            .application_name(APPLICATION_NAME);
        let (ssl_mode, trust) = encryption(&mode, roots)?;
        config.ssl_mode(ssl_mode);
        Ok(Address { config, trust })
    }

    /// Whose certificate is believed.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The account that is logged in as; PostgreSQL itself chooses one where none is named.
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or("the default user")
    }

    /// The database's name; by default that of the account.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_else(|| self.user())
    }

    /// Host and port, or the socket's folder.
    pub fn place(&self) -> String {
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        match (
            self.config.get_hosts().first(),
            self.config.get_hostaddrs().first(),
        ) {
            (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
            (Some(Host::Unix(folder)), _) => format!("{}:{port}", folder.display()),
            (None, Some(address)) => format!("{address}:{port}"),
            (None, None) => format!("?:{port}"),
        }
    }
}

/// The address without its password.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "postgres://{}@{}/{}",
            self.user(),
            self.place(),
            self.database()
        )
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self}, {:?})", self.trust)
    }
}

fn encryption(mode: &str, roots: Option<PathBuf>) -> Result<(SslMode, Trust), AddressError> {
    // As with libpq, a file of certificates turns `require` into a check of them.
    let trust = |roots: Option<PathBuf>| roots.map_or(Trust::Anybody, Trust::SignedBy);
    match mode {
        "disable" => Ok((SslMode::Disable, Trust::Anybody)),
        "prefer" | "allow" => Ok((SslMode::Prefer, Trust::Anybody)),
        "require" => Ok((SslMode::Require, trust(roots))),
        "verify-full" if roots.is_none() => Err(AddressError::NoRoots),
        "verify-full" => Ok((SslMode::Require, trust(roots))),
        other => Err(AddressError::SslMode(other.to_owned())),
    }
}

/// The parser's own words name the option, never its value.
fn unreadable(error: tokio_postgres::Error) -> AddressError {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    AddressError::Unreadable(cause.unwrap_or_else(|| error.to_string()))
}

#[cfg(test)]
mod tests;

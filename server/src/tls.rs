//! TLS: the server's certificate, from files of its own or made at the first start.
//!
//! The files are looked at again each minute, so that a renewed certificate needs no restart. One that cannot be used
//! leaves the old one in place and is told in the log.

mod made;
#[cfg(test)]
mod tests;
mod validity;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use storage::Timestamp;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::auth::keys::{self, KeyError};
use crate::config::Config;

/// The name of a certificate that was made here, in the folder of keys.
pub const CERTIFICATE_FILE: &str = "tls.crt";
/// The name of its private key.
pub const KEY_FILE: &str = "tls.key";
/// How often the files are looked at.
const LOOK_PAUSE: Duration = Duration::from_secs(60);
/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// What a client is told that speaks plain HTTP to this port.
const PLAIN: &str = concat!(
    "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: close\r\ncontent-length: 125\r\n\r\n",
    "{\"type\":\"urn:railfleet:problem:bad-request\",\"title\":\"Bad request\",\"status\":400,",
    "\"detail\":\"this port speaks TLS: use https://\"}"
);

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of the two options is set and the other is not.
    #[error(
        "tls.certificate and tls.key belong together: set both, or none to have a certificate made"
    )]
    OneAlone,
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path} holds no {what} in PEM form")]
    Nothing {
        /// The file.
        path: String,
        /// What was looked for.
        what: &'static str,
    },
    /// The certificate and the key do not make a pair, or are of a kind that TLS does not know.
    #[error("{certificate} and {key} cannot be used together: {reason}")]
    Pair {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// What rustls says.
        reason: rustls::Error,
    },
    /// The private key is open to everybody, or cannot be kept.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No certificate could be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// No TLS could be set up.
    #[error("cannot set up TLS")]
    Setup(#[from] rustls::Error),
}

/// What connections are encrypted with. Cheap to share.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Arc<Current>,
    acceptor: Acceptor,
}

/// `TlsAcceptor` has no `Debug`.
struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Acceptor")
    }
}

/// The certificate in use.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(current.clone())
    }
}

impl Tls {
    /// What `config` asks for: `None` where TLS is off. A certificate is made where none is named.
    ///
    /// # Errors
    /// See [`TlsError`]; nothing is served then.
    pub fn open(config: &Config) -> Result<Option<Arc<Tls>>, TlsError> {
        if !config.tls.enabled {
            return Ok(None);
        }
        let (certificate, key) = files(config)?;
        if config.tls.certificate.is_none() && !certificate.exists() {
            made::make(config, &certificate, &key)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pair = read_pair(&certificate, &key, &provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair))));
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Arc::new(Tls {
            certificate,
            key,
            current,
            acceptor: Acceptor(TlsAcceptor::from(Arc::new(server))),
        })))
    }

    /// SHA-256 of the certificate in use, as browsers show it.
    pub fn fingerprint(&self) -> String {
        let current = self
            .current
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        current.cert.first().map(fingerprint).unwrap_or_default()
    }

    /// When the certificate in use ends, or the first of those that signed it.
    pub fn expires(&self) -> Option<Timestamp> {
        let current = self
            .current
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        ends(&current)
    }

    /// When the certificate that `config` asks for ends, without making one: `None` where TLS is off, or where the first
    /// start will make one.
    ///
    /// # Errors
    /// See [`TlsError`]: what would keep the server from starting.
    pub fn look(config: &Config) -> Result<Option<Timestamp>, TlsError> {
        if !config.tls.enabled {
            return Ok(None);
        }
        let (certificate, key) = files(config)?;
        if config.tls.certificate.is_none() && !certificate.exists() {
            return Ok(None);
        }
        let provider = rustls::crypto::ring::default_provider();
        Ok(ends(&read_pair(&certificate, &key, &provider)?))
    }

    /// The handshake on a new connection. Who speaks plain HTTP is told so.
    ///
    /// # Errors
    /// When the other side speaks no TLS, or the connection ends.
    pub(crate) async fn accept(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            // Read first: closing a socket with unread bytes would take the answer back.
            let mut request = [0; 4_096];
            let _ = stream.try_read(&mut request);
            stream.write_all(PLAIN.as_bytes()).await?;
            stream.shutdown().await?;
            return Err(io::Error::other("plain HTTP where TLS is spoken"));
        }
        self.acceptor.0.accept(stream).await
    }

    /// Takes the certificate anew whenever its files change, until the server stops, and tells `taken` of it.
    pub(crate) async fn follow(
        self: Arc<Self>,
        mut stopping: watch::Receiver<bool>,
        taken: impl Fn(&Tls),
    ) {
        let mut seen = self.changed_at();
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = tokio::time::sleep(LOOK_PAUSE) => {}
            }
            let now = self.changed_at();
            if now == seen {
                continue;
            }
            match self.reload() {
                Ok(()) => {
                    seen = now;
                    taken(&self);
                    tracing::info!(fingerprint = %self.fingerprint(), "the certificate was taken anew");
                }
                // Tried again: whoever renews writes two files, one after the other.
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(
                        error,
                        "the certificate changed and cannot be used; the old one stays"
                    );
                }
            }
        }
    }

    fn reload(&self) -> Result<(), TlsError> {
        let provider = rustls::crypto::ring::default_provider();
        let pair = read_pair(&self.certificate, &self.key, &provider)?;
        *self
            .current
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        Ok(())
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key]
            .map(|path| fs::metadata(path).and_then(|found| found.modified()).ok())
    }
}

/// When the first of a chain's certificates ends.
fn ends(pair: &CertifiedKey) -> Option<Timestamp> {
    pair.cert
        .iter()
        .filter_map(|certificate| validity::expires(certificate))
        .min()
}

/// Where the certificate and its key lie.
fn files(config: &Config) -> Result<(PathBuf, PathBuf), TlsError> {
    match (&config.tls.certificate, &config.tls.key) {
        (Some(certificate), Some(key)) => Ok((certificate.clone(), key.clone())),
        (None, None) => {
            let keys = config.keys_folder();
            Ok((keys.join(CERTIFICATE_FILE), keys.join(KEY_FILE)))
        }
        _ => Err(TlsError::OneAlone),
    }
}

/// Reads a chain of certificates and the private key of its first one.
fn read_pair(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let nothing = |path: &Path, what| TlsError::Nothing {
        path: path.display().to_string(),
        what,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|_| nothing(certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(nothing(certificate, "certificate"));
    }
    keys::refuse_open(key)?;
    let secret =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| nothing(key, "private key"))?;
    CertifiedKey::from_der(chain, secret, provider).map_err(|reason| TlsError::Pair {
        certificate: certificate.display().to_string(),
        key: key.display().to_string(),
        reason,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read {
        path: path.display().to_string(),
        source,
    })
}

/// `AB:CD:…` of SHA-256.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(certificate);
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

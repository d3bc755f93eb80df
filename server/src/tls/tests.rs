use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;

use super::*;

fn config(folder: &Path) -> Config {
    let mut config = Config::new(folder);
    config.tls.enabled = true;
    config.tls.names = vec!["depot.example".to_owned()];
    config
}

fn open(config: &Config) -> Arc<Tls> {
    Tls::open(config).unwrap().unwrap()
}

/// A client that trusts this certificate and no other.
fn client(certificate: &Path) -> TlsConnector {
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(certificate).unwrap() {
        trusted.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// What a client that trusts `certificate` reads from `tls` under `name`.
async fn greeted(tls: Arc<Tls>, certificate: &Path, name: &'static str) -> io::Result<String> {
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?;
    let server = tokio::spawn(async move {
        let (stream, _) = socket.accept().await?;
        let mut stream = tls.accept(stream).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await
    });
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let mut stream = client(certificate).connect(name, stream).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    server.await.map_err(io::Error::other)??;
    Ok(text)
}

#[tokio::test]
async fn a_certificate_is_made_once_for_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let tls = open(&config);
    let key = config.keys_folder().join(KEY_FILE);
    assert_eq!(
        fs::metadata(key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(open(&config).fingerprint(), tls.fingerprint());
    assert_eq!(tls.fingerprint().len(), 32 * 3 - 1);

    let certificate = config.keys_folder().join(CERTIFICATE_FILE);
    for name in ["depot.example", "localhost", "127.0.0.1", "::1"] {
        let read = greeted(tls.clone(), &certificate, name).await.unwrap();
        assert_eq!(read, "hello", "{name}");
    }
    let stranger = greeted(tls, &certificate, "elsewhere.example").await;
    assert!(stranger.is_err(), "the certificate is for nobody else");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let (ours, theirs) = (config(&first), config(&second));
    let tls = open(&ours);
    let (before, renewed) = (tls.fingerprint(), open(&theirs).fingerprint());

    let [certificate, key] = [CERTIFICATE_FILE, KEY_FILE].map(|name| ours.keys_folder().join(name));
    fs::copy(theirs.keys_folder().join(CERTIFICATE_FILE), &certificate).unwrap();
    let half = tls.reload().unwrap_err();
    assert!(matches!(half, TlsError::Pair { .. }), "{half}");
    assert_eq!(
        tls.fingerprint(),
        before,
        "half of a renewal changes nothing"
    );

    fs::copy(theirs.keys_folder().join(KEY_FILE), &key).unwrap();
    tls.reload().unwrap();
    assert_eq!(tls.fingerprint(), renewed);
    assert_eq!(
        greeted(tls.clone(), &certificate, "localhost")
            .await
            .unwrap(),
        "hello"
    );

    fs::write(&certificate, "nothing of the kind").unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(
        error.ends_with("tls.crt holds no certificate in PEM form"),
        "{error}"
    );
    assert_eq!(tls.fingerprint(), renewed);
}

#[test]
fn what_cannot_be_used_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    open(&config);
    let key = config.keys_folder().join(KEY_FILE);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o604)).unwrap();
    let error = Tls::open(&config).unwrap_err().to_string();
    assert!(
        error.contains("can be read by everybody (mode 604)"),
        "{error}"
    );

    config.tls.certificate = Some(config.keys_folder().join(CERTIFICATE_FILE));
    let error = Tls::open(&config).unwrap_err().to_string();
    assert!(
        error.starts_with("tls.certificate and tls.key belong together"),
        "{error}"
    );
    config.tls.key = Some(folder.path().join("none.pem"));
    let error = Tls::open(&config).unwrap_err().to_string();
    assert!(error.contains("none.pem"), "{error}");

    config.tls.enabled = false;
    assert!(Tls::open(&config).unwrap().is_none());
}

#[tokio::test]
async fn plain_http_is_told_where_to_go() {
    let folder = tempfile::tempdir().unwrap();
    let tls = open(&config(folder.path()));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let server =
        tokio::spawn(async move { tls.accept(socket.accept().await.unwrap().0).await.is_err() });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{answer}"
    );
    assert!(body.contains("use https://"), "{answer}");
    assert!(server.await.unwrap());
}

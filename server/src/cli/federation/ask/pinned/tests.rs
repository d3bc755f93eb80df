//! Who is believed, by handshakes over a socket.

use std::path::Path;

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::tls::Tls;

/// Settings of a server that makes its certificate itself.
fn config(folder: &Path) -> Config {
    let mut config = Config::new(folder);
    config.tls.enabled = true;
    config
}

/// What a command with the settings `asking` has against a server with the settings `serving`.
async fn refusal(asking: &Config, serving: &Config) -> Option<String> {
    let tls = Tls::open(serving).unwrap().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = socket.accept().await.unwrap();
        // It fails where it is not believed.
        tls.accept(stream).await.is_ok()
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::from(address.ip());
    let tried = connector(asking).unwrap().connect(name, stream).await;
    let told = tried.err().map(|error| error.to_string());
    server.await.unwrap();
    told
}

#[tokio::test]
async fn the_certificate_in_the_file_is_believed_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| config(&folder.path().join(name)));
    assert_eq!(refusal(&ours, &ours).await, None);
    assert_eq!(refusal(&theirs, &theirs).await, None);
    let told = refusal(&ours, &theirs).await.unwrap_or_default();
    assert!(
        told.contains("another certificate than") && told.contains("ours/keys/tls.crt"),
        "{told}"
    );

    let mut named = ours.clone();
    named.tls.certificate = Some(theirs.keys_folder().join(CERTIFICATE_FILE));
    assert_eq!(refusal(&named, &theirs).await, None);
    assert!(refusal(&named, &ours).await.is_some());
}

#[test]
fn a_certificate_that_cannot_be_read_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    let told = |config: &Config| connector(config).err().map(|error| error.to_string());
    let said = told(&config).unwrap_or_default();
    assert!(
        said.starts_with("cannot read the server's certificate"),
        "{said}"
    );
    let file = folder.path().join("railfleet.pem");
    fs::write(&file, "nothing of the kind").unwrap();
    config.tls.certificate = Some(file);
    let said = told(&config).unwrap_or_default();
    assert!(said.ends_with("holds no certificate in PEM form"), "{said}");
}

//! Encrypted connections, through curl.

use std::net::TcpStream;
use std::process::Command;

use harness::process::{must, run, wait_for};
use harness::server::{COMMAND_LIMIT, DataFolder, START_LIMIT, Server};

use crate::event;

/// curl against the server's own certificate.
fn curl(folder: &DataFolder, arguments: &[&str]) -> (bool, String) {
    let certificate = folder.path().join("keys/tls.crt");
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-i", "--max-time", "30", "--cacert"])
        .arg(certificate)
        .args(arguments);
    let (status, output) = run(&mut command, COMMAND_LIMIT);
    (status.success(), output)
}

/// A token of the test's account, made beside the server, which takes no plain login.
fn token(folder: &DataFolder) -> String {
    let mut token = folder.command(&["token", "fault-tester", "--data"]);
    let (status, token) = run(token.arg(folder.path()), COMMAND_LIMIT);
    assert!(status.success(), "{token}");
    token.trim().to_owned()
}

/// A server that makes its certificate itself, and speaks TLS.
fn serve(folder: &DataFolder) -> Server {
    let server = folder.launch(&["--set", "tls.enabled=true"], &[]);
    wait_for("the certificate is made", START_LIMIT, || {
        let made = folder.path().join("keys/tls.crt").exists();
        (made && TcpStream::connect(("127.0.0.1", server.port())).is_ok()).then_some(())
    });
    server
}

#[test]
fn a_server_without_a_certificate_makes_one_and_speaks_tls_alone() {
    let folder = DataFolder::new();
    let token = token(&folder);
    let server = serve(&folder);
    let address = format!("https://localhost:{}", server.port());
    let (well, answer) = curl(&folder, &[&format!("{address}/health")]);
    assert!(well && answer.starts_with("HTTP/1.1 200"), "{answer}");
    for header in [
        "strict-transport-security: max-age=31536000",
        "x-content-type-options: nosniff",
    ] {
        assert!(answer.to_lowercase().contains(header), "{answer}");
    }

    // Writes go the same way, and a kept connection serves more than one.
    let authorization = format!("Authorization: Bearer {token}");
    let body = event("Crane", "1", 1);
    let events = format!("{address}/api/v1/events");
    let post = [
        "-H",
        &authorization,
        "-H",
        "Content-Type: application/json",
        "-d",
        &body,
    ];
    let twice: Vec<&str> = post.iter().copied().chain([&*events, &*events]).collect();
    let (well, answer) = curl(&folder, &twice);
    assert!(
        well && answer.matches("HTTP/1.1 201").count() == 2,
        "{answer}"
    );

    let (well, answer) = curl(
        &folder,
        &[&format!("http://localhost:{}/health", server.port())],
    );
    assert!(
        well && answer.starts_with("HTTP/1.1 400") && answer.contains("use https://"),
        "{answer}"
    );
    let (well, answer) = curl(&folder, &["--tls-max", "1.1", &format!("{address}/health")]);
    assert!(!well, "old versions are refused: {answer}");
    server.stop();
}

#[test]
fn a_command_asks_by_tls_where_the_settings_say_so() {
    let folder = DataFolder::new();
    let token = token(&folder);
    let server = serve(&folder);
    let at = format!("listen=127.0.0.1:{}", server.port());
    let status = |encrypted: &str| {
        let encrypted = format!("tls.enabled={encrypted}");
        let mut command = folder.command(&["federation", "status"]);
        command
            .args(["--set", &at, "--set", &encrypted, "--data"])
            .arg(folder.path())
            .env("RAILFLEET_TOKEN", &token);
        let (status, said) = run(&mut command, COMMAND_LIMIT);
        (status.success(), said)
    };
    let (well, said) = status("true");
    assert!(
        well && said.contains("takes part in no federation"),
        "{said}"
    );
    let (well, said) = status("false");
    assert!(!well && said.contains("use https://"), "{said}");

    // Whoever shows another certificate than the one in the file is not told the token.
    let certificate = folder.path().join("keys/tls.crt");
    let stranger = DataFolder::new();
    let other = serve(&stranger);
    must(
        "copying a certificate",
        std::fs::copy(stranger.path().join("keys/tls.crt"), &certificate),
    );
    let (well, said) = status("true");
    assert!(!well && said.contains("another certificate"), "{said}");
    other.stop();
    server.stop();
}

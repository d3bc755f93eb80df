//! `railfleet serve`: who is answered, who is shown out, and how it ends.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{PASSWORD, Server, add_user, read_answer, run};

fn folder() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    (home, data)
}

fn logged_in(server: &Server, name: &str) -> String {
    let body = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
    let json = "content-type: application/json\r\n";
    let answer = server.ask("POST", "/api/v1/auth/login", json, &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    format!("authorization: Bearer {token}\r\n")
}

const EVENT: &str =
    r#"{"aggregate_type":"Crane","aggregate_id":"7","event_type":"CraneLifted","data":{"kg":5}}"#;

#[test]
fn an_account_from_the_command_line_logs_in_and_writes() {
    let (_home, data) = folder();
    add_user(&data, "anna", "DISPATCHER");
    let server = Server::start(&data, &[]);
    let headers = logged_in(&server, "anna") + "content-type: application/json\r\n";
    let answer = server.ask("POST", "/api/v1/events", &headers, EVENT);
    assert_eq!(answer.status, 201, "{answer:?}");
    let position = answer.json()["position"].as_u64().unwrap();
    assert!(position > 1, "the account came before");
    let answer = server.ask("POST", "/api/v1/events", "", EVENT);
    assert_eq!(answer.status, 401);
    server.stop();
}

#[test]
fn a_token_from_the_command_line_is_good() {
    let (_home, data) = folder();
    add_user(&data, "anna", "VIEWER");
    let token = crate::harness::succeed(&["token", "anna", "--data", data.to_str().unwrap()]);
    let server = Server::start(&data, &[]);
    let header = format!("authorization: Bearer {}\r\n", token.trim());
    let answer = server.ask("GET", "/api/v1/auth/me", &header, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["username"], "anna");
    server.stop();
}

#[test]
fn a_connection_is_used_again() {
    let (_home, data) = folder();
    let server = Server::start(&data, &[]);
    let mut stream = server.connect();
    for _ in 0..3 {
        stream
            .write_all(b"GET /ready HTTP/1.1\r\nhost: test\r\n\r\n")
            .unwrap();
        assert_eq!(read_answer(&mut stream).status, 200);
    }
    server.stop();
}

#[test]
fn a_head_that_does_not_arrive_is_given_up() {
    let (_home, data) = folder();
    let server = Server::start(&data, &["--set", "http.header_read_timeout_s=1"]);
    let began = Instant::now();
    let mut stream = server.connect();
    stream.write_all(b"GET /ready HTTP/1.1\r\nho").unwrap();
    let mut rest = Vec::new();
    // Closed, whether with a word or without one.
    let _ = stream.read_to_end(&mut rest);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(900), "after {took:?} already");
    assert!(took < Duration::from_secs(30), "only after {took:?}");
    assert!(!rest.starts_with(b"HTTP/1.1 2"), "half a head was answered");
    server.stop();
}

#[test]
fn garbage_is_told_so_and_shown_out() {
    let (_home, data) = folder();
    let server = Server::start(&data, &[]);
    let mut stream = server.connect();
    // A good request first: what follows it on the connection is read with the same care.
    stream
        .write_all(b"GET /ready HTTP/1.1\r\nhost: test\r\n\r\n\x16\x03\x01 nonsense\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut stream).status, 200);
    assert_eq!(read_answer(&mut stream).status, 400);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "the connection goes on");
    server.stop();
}

#[test]
fn a_head_beyond_its_limit_is_refused() {
    let (_home, data) = folder();
    let server = Server::start(&data, &["--set", "http.header_bytes_max=8192"]);
    let long = format!("x-long: {}\r\n", "a".repeat(9_000));
    let answer = server.ask("GET", "/ready", &long, "");
    assert_eq!(answer.status, 431);
    let fitting = format!("x-long: {}\r\n", "a".repeat(4_000));
    assert_eq!(server.ask("GET", "/ready", &fitting, "").status, 200);
    server.stop();
}

#[test]
fn connections_beyond_their_number_are_told_to_come_back() {
    let (_home, data) = folder();
    let server = Server::start(&data, &["--set", "http.connections_max=1"]);
    let mut first = server.connect();
    first
        .write_all(b"GET /ready HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut first).status, 200);
    let answer = read_answer(&mut server.connect());
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after"), "{}", answer.head);
    drop(first);
    server.stop();
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let (home, data) = folder();
    add_user(&data, "anna", "DISPATCHER");
    let mut server = Server::start(&data, &[]);
    let headers = logged_in(&server, "anna");
    let mut stream = server.connect();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: test\r\n{headers}content-type: application/json\r\nexpect: \
         100-continue\r\ncontent-length: {}\r\n\r\n",
        EVENT.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // By now the handler reads the body, so the request is under way.
    assert_eq!(read_interim(&mut stream), "HTTP/1.1 100 Continue\r\n\r\n");
    let idle = server.connect();
    server.signal(Signal::TERM);
    wait_until_refused(&server);
    stream.write_all(EVENT.as_bytes()).unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    drop(idle);
    let status = server.wait();
    assert!(status.success(), "it ended with {status}");
    let acks = home.path().join("acks");
    std::fs::write(&acks, answer.json()["id"].as_str().unwrap()).unwrap();
    let (data, acks) = (data.to_str().unwrap(), acks.to_str().unwrap());
    let verified = run(&["verify", data, "--acks", acks]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

fn read_interim(stream: &mut std::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// The listener closes once the signal is taken.
fn wait_until_refused(server: &Server) {
    let began = Instant::now();
    while std::net::TcpStream::connect(&server.address).is_ok() {
        assert!(
            began.elapsed() < crate::harness::PATIENCE,
            "connections are still taken"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_event_stream_ends_with_the_server() {
    let (_home, data) = folder();
    add_user(&data, "anna", "DISPATCHER");
    let mut server = Server::start(&data, &[]);
    let headers = logged_in(&server, "anna");
    let mut stream = server.connect();
    let request = format!(
        "GET /api/v1/events/stream HTTP/1.1\r\nhost: test\r\naccept: text/event-stream\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let head = read_interim(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let began = Instant::now();
    server.signal(Signal::INT);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let status = server.wait();
    assert!(status.success(), "it ended with {status}");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "it took {took:?}");
}

#[test]
fn a_folder_in_use_is_refused_by_name() {
    let (_home, data) = folder();
    let server = Server::start(&data, &[]);
    let data = data.to_str().unwrap();
    let owner = format!("process {}", server.id());
    for arguments in [
        vec!["serve", "--data", data, "--port", "0"],
        vec!["verify", data],
        vec!["backup", "--data", data, "/nonexistent/backup"],
        vec!["token", "anna", "--data", data],
    ] {
        let ended = run(&arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(&owner), "{arguments:?}: {ended:?}");
        assert_eq!(ended.err.matches("in use by").count(), 1, "{ended:?}");
    }
    server.stop();
}

#[test]
fn a_port_in_use_is_told() {
    let (_home, data) = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(&[
        "serve",
        "--data",
        data.to_str().unwrap(),
        "--listen",
        &address,
    ]);
    assert_eq!(ended.code, Some(1));
    let wanted = format!("railfleet: cannot listen on {address}: ");
    assert!(ended.err.contains(&wanted), "{}", ended.err);
}

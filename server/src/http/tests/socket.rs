//! One real socket: what only shows there.

use std::time::Duration;

use fleet::policy::Role;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::harness::TestServer;
use crate::app::app;
use crate::config::Config;
use crate::listener;

/// A server on a port of its own.
pub(super) struct Socket {
    pub(super) server: TestServer,
    port: u16,
    pub(super) serving: JoinHandle<()>,
}

impl Socket {
    pub(super) async fn open(change: impl FnOnce(&mut Config)) -> Self {
        let server = TestServer::start_with(change);
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let serving = tokio::spawn(listener::serve(
            socket,
            app(server.state.clone()),
            server.state.clone(),
            None,
        ));
        Socket {
            server,
            port,
            serving,
        }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }
}

/// Reads until `end` stands in what came, or the connection is closed.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut piece))
            .await
            .expect("an answer in time");
        let length = read.unwrap_or(0);
        text.extend_from_slice(&piece[..length]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        if length == 0 || so_far.contains(end) {
            return so_far;
        }
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let socket = Socket::open(|_| {}).await;
    let token = socket.server.token(Role::Technician).await;
    let mut stream = socket.connect().await;
    for number in 0..3 {
        let body = json!({"aggregate_type": "Crane", "aggregate_id": "1", "event_type": "CraneLifted", "data": {"n": number}}).to_string();
        let head = format!(
            "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        let answer = read_until(&mut stream, "\"metadata\"").await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        assert!(
            answer.contains(&format!("\"version\":{}", number + 1)),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_slow_head_is_given_up() {
    let socket =
        Socket::open(|config| config.http.header_read_timeout = Duration::from_millis(200)).await;
    for start in [
        "",
        "GET /health HTT",
        "GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ",
    ] {
        let mut stream = socket.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let began = std::time::Instant::now();
        read_until(&mut stream, "no such text").await;
        assert!(began.elapsed() < Duration::from_secs(5), "{start:?}");
    }
}

#[tokio::test]
async fn a_slow_body_is_given_up_with_a_problem() {
    let socket =
        Socket::open(|config| config.http.body_read_timeout = Duration::from_millis(200)).await;
    let token = socket.server.token(Role::Technician).await;
    let mut stream = socket.connect().await;
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "body-timeout").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let socket = Socket::open(|_| {}).await;
    let mut stream = socket.connect().await;
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let line = format!("x-more: {}\r\n", "y".repeat(1_000));
    for _ in 0..200 {
        if stream.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let socket = Socket::open(|config| config.http.connections_max = 2).await;
    let mut first = socket.connect().await;
    let mut second = socket.connect().await;
    for stream in [&mut first, &mut second] {
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        assert!(
            read_until(stream, "\"status\":\"ok\"")
                .await
                .starts_with("HTTP/1.1 200")
        );
    }
    let mut third = socket.connect().await;
    let answer = read_until(&mut third, "connections").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"),
        "{answer}"
    );
    drop(first);
    for _ in 0..100 {
        let mut next = socket.connect().await;
        let _ = next
            .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            .await;
        if read_until(&mut next, "\"log\"")
            .await
            .starts_with("HTTP/1.1 200")
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place that was given back is not given out again");
}

#[tokio::test]
async fn a_live_stream_goes_on_where_it_broke_off() {
    let socket = Socket::open(|_| {}).await;
    let token = socket.server.token(Role::Technician).await;
    let mut last = 0;
    for round in 0..3 {
        let mut stream = socket.connect().await;
        let head = format!(
            "GET /api/v1/events/stream?from_position=1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nlast-event-id: {last}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let event = socket
            .server
            .append(&token, "1", "CraneLifted", json!({"n": round}))
            .await;
        let seen = read_until(&mut stream, &format!("\"n\":{round}")).await;
        assert_eq!(
            seen.matches("data: {").count(),
            1,
            "only the new one: {seen}"
        );
        last = event["position"].as_u64().unwrap();
    }
}

#[tokio::test]
async fn stopping_ends_streams_and_idle_connections_and_answers_what_is_asked() {
    let socket =
        Socket::open(|config| config.http.shutdown_timeout = Duration::from_secs(10)).await;
    let token = socket.server.token(Role::Viewer).await;
    let mut live = socket.connect().await;
    let head = format!(
        "GET /api/v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    live.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut live, ": connected").await;
    let mut idle = socket.connect().await;
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut idle, "\"log\"").await;
    let mut polling = socket.connect().await;
    let head = format!(
        "GET /api/v1/events/stream?wait=20 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    polling.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = std::time::Instant::now();
    socket.server.state.stopping.send_replace(true);
    assert!(
        read_until(&mut polling, "next_position")
            .await
            .contains("HTTP/1.1 200")
    );
    assert!(
        !read_until(&mut live, "no such text")
            .await
            .contains("HTTP/1.1")
    );
    read_until(&mut idle, "no such text").await;
    socket.serving.await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert!(
        TcpStream::connect(("127.0.0.1", socket.port))
            .await
            .is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn nonsense_is_refused_and_the_next_client_is_served() {
    let socket = Socket::open(|_| {}).await;
    for nonsense in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        " / \r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    ] {
        let mut stream = socket.connect().await;
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = read_until(&mut stream, "no such text").await;
        assert!(
            answer.is_empty()
                || answer.starts_with("HTTP/1.1 4")
                || answer.starts_with("HTTP/1.1 505"),
            "{nonsense:?}: {answer}"
        );
    }
    let mut stream = socket.connect().await;
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(
        read_until(&mut stream, "\"log\"")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

//! The writers' lane over a real socket: nobody can tell it from the router, but by the time it takes.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::policy::Role;
use serde_json::{Value, json};
use storage::{ExpectedVersion, NewEvent, StreamName, Transaction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::socket::Socket;
use crate::projection::CATALOG;

/// An answer as it came over a connection.
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// Reads one answer; what follows it stays in the socket.
async fn read_answer(stream: &mut TcpStream) -> Answer {
    let read = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let (line, rest) = head.split_once("\r\n").unwrap();
        let headers: BTreeMap<String, String> = rest
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        Answer {
            status: line[9..12].parse().unwrap(),
            headers,
            body: serde_json::from_slice(&body).unwrap(),
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .expect("an answer in time")
}

fn post(token: &str, headers: &[(&str, &str)], body: &Value) -> String {
    let body = body.to_string();
    let mut text = "POST /api/v1/events HTTP/1.1\r\nhost: x\r\n".to_owned();
    if !token.is_empty() {
        text += &format!("authorization: Bearer {token}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text + &format!("content-length: {}\r\n\r\n{body}", body.len())
}

fn event(id: &str, kg: u32) -> Value {
    json!({"aggregate_type": "Crane", "aggregate_id": id, "event_type": "CraneLifted", "data": {"kg": kg}})
}

async fn ask(stream: &mut TcpStream, text: &str) -> Answer {
    stream.write_all(text.as_bytes()).await.unwrap();
    read_answer(stream).await
}

/// What is the same in two answers to the same question.
fn outline(answer: &Answer) -> (u16, Vec<String>, Vec<String>) {
    let mut names: Vec<String> = answer.headers.keys().cloned().collect();
    // The router may compress and says so; a lane does not.
    names.retain(|name| name != "vary");
    let members = answer.body.as_object().unwrap().keys().cloned().collect();
    (answer.status, names, members)
}

/// A page of another origin is answered by the router, so the header tells which way a request goes.
const ROUTED: (&str, &str) = ("origin", "https://depot.example");

/// Token, further headers, body, expected status.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, Value, u16);

#[tokio::test]
async fn both_ways_answer_alike() {
    let socket = Socket::open(|config| config.http.body_bytes_max = 1_024).await;
    let technician = socket.server.token(Role::Technician).await;
    let viewer = socket.server.token(Role::Viewer).await;
    let good = event("1", 1);
    let with = |member: &str, value: Value| {
        let mut event = event("1", 1);
        event[member] = value;
        event
    };
    let cases: Vec<Case<'_>> = vec![
        (&technician, vec![], good.clone(), 201),
        (
            &technician,
            vec![("prefer", "return=minimal")],
            good.clone(),
            201,
        ),
        (
            &technician,
            vec![("content-type", "application/json")],
            good.clone(),
            201,
        ),
        (
            &technician,
            vec![("x-request-id", "mine")],
            good.clone(),
            201,
        ),
        (&technician, vec![("if-match", "*")], good.clone(), 201),
        (&technician, vec![("if-match", "\"99\"")], good.clone(), 412),
        (&technician, vec![("if-none-match", "*")], good.clone(), 412),
        (&technician, vec![("if-match", "x")], good.clone(), 400),
        (
            &technician,
            vec![],
            with("expected_version", json!(99)),
            409,
        ),
        (&technician, vec![], with("tags", json!(["a"])), 201),
        (
            &technician,
            vec![],
            with("occurred_at", json!("99999-01-01")),
            422,
        ),
        (
            &technician,
            vec![],
            with("occurred_at", json!("2024-01-01")),
            422,
        ),
        (
            &technician,
            vec![],
            with("data", json!({"text": "x".repeat(2_000)})),
            413,
        ),
        (
            &technician,
            vec![("content-type", "text/plain")],
            good.clone(),
            415,
        ),
        (
            &technician,
            vec![("idempotency-key", "")],
            good.clone(),
            400,
        ),
        (&technician, vec![], json!([]), 422),
        (&viewer, vec![], good.clone(), 403),
        ("garbage", vec![], good.clone(), 401),
        ("", vec![], good.clone(), 401),
    ];
    for (token, headers, body, status) in cases {
        let case = format!("{headers:?} {body}");
        let (mut short, mut long) = (socket.connect().await, socket.connect().await);
        let short = ask(&mut short, &post(token, &headers, &body)).await;
        let headers: Vec<_> = headers.into_iter().chain([ROUTED]).collect();
        let long = ask(&mut long, &post(token, &headers, &body)).await;
        assert_eq!(short.status, status, "{case}: {}", short.body);
        assert_eq!(outline(&short), outline(&long), "{case}");
        assert_eq!(
            short.headers["content-type"], long.headers["content-type"],
            "{case}"
        );
        if headers.contains(&("x-request-id", "mine")) {
            assert_eq!(short.headers["x-request-id"], "mine");
        }
    }
    let text = String::from_utf8(socket.server.get("/metrics", "").await.body).unwrap();
    let counted = "railfleet_http_answers_total{method=\"POST\",route=\"/api/v1/events\",status=\"2xx\"} 12\n";
    assert!(text.contains(counted), "both ways are one route: {text}");
}

/// A repeated write is answered as the first was, whichever way either took.
#[tokio::test]
async fn a_repeated_write_is_found_from_either_way() {
    let socket = Socket::open(|_| {}).await;
    let token = socket.server.token(Role::Technician).await;
    let (mut short, mut long) = (socket.connect().await, socket.connect().await);
    let key = ("idempotency-key", "once");
    let first = ask(&mut short, &post(&token, &[key], &event("1", 1))).await;
    for stream in [&mut short, &mut long] {
        let again = ask(stream, &post(&token, &[key, ROUTED], &event("1", 1))).await;
        assert_eq!((first.status, again.status), (201, 200));
        assert_eq!(first.body, again.body);
        assert_eq!(first.headers["etag"], again.headers["etag"]);
    }
}

#[tokio::test]
async fn a_connection_that_asks_for_something_else_goes_on_elsewhere() {
    let socket = Socket::open(|_| {}).await;
    let token = socket.server.token(Role::Technician).await;
    let mut stream = socket.connect().await;
    let write = |kg| post(&token, &[], &event("1", kg));
    let read = format!(
        "GET /api/v1/events/Crane/1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    // All at once: each is answered in its turn.
    let text = [write(1), write(2), read, write(3)].concat();
    stream.write_all(text.as_bytes()).await.unwrap();
    for version in [1, 2] {
        let answer = read_answer(&mut stream).await;
        assert_eq!(
            (answer.status, &answer.body["version"]),
            (201, &json!(version))
        );
    }
    let listed = read_answer(&mut stream).await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    assert_eq!(listed.body.to_string().matches("CraneLifted").count(), 2);
    assert_eq!(read_answer(&mut stream).await.body["version"], 3);
}

/// An event for the present key of a vehicle whose id is another began a second one.
#[tokio::test]
async fn what_goes_astray_is_refused_here_as_well() {
    let socket = Socket::open(|_| {}).await;
    let server = &socket.server;
    let token = server.token(Role::FleetManager).await;
    let told = |id: &str, what: &str, data: Value| json!({"aggregate_type": "Vehicle", "aggregate_id": id, "event_type": what, "data": data});
    let mut stream = socket.connect().await;
    let begun = told("OLD", "VehicleCreated", json!({"asset_id": "OLD"}));
    let begun = ask(&mut stream, &post(&token, &[], &begun)).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    // As an importer tells it.
    let renamed = NewEvent::new("VehicleUpdated", r#"{"asset_id":"NEW"}"#);
    let renamed = Transaction::single(
        StreamName::new("Vehicle", "OLD"),
        ExpectedVersion::Any,
        renamed,
    );
    let position = server.state.log.append(renamed).unwrap().last_position();
    let patience = Duration::from_secs(10);
    let reached = server.state.projections.reach(CATALOG, position, patience);
    assert!(reached.await);
    let mut stream = socket.connect().await;
    for (id, status) in [("OTHER", 201), ("NEW", 409), ("OLD", 201)] {
        let seen = told(id, "VehicleSeen", json!({}));
        let answer = ask(&mut stream, &post(&token, &[], &seen)).await;
        assert_eq!(answer.status, status, "{id}: {}", answer.body);
        if status == 409 {
            assert_eq!(answer.body["code"], "key_taken");
        }
    }
}

#[tokio::test]
async fn a_body_may_come_later_and_in_pieces() {
    let socket = Socket::open(|_| {}).await;
    let token = socket.server.token(Role::Technician).await;
    let mut stream = socket.connect().await;
    let body = event("1", 1);
    let large = json!({"text": "x".repeat(300_000)});
    for (body, version) in [
        (body, 1),
        (
            json!({"aggregate_type": "Crane", "aggregate_id": "1", "event_type": "CraneLifted", "data": large}),
            2,
        ),
    ] {
        let text = post(&token, &[], &body);
        let body_at = text.find("\r\n\r\n").unwrap() + 4;
        for piece in [
            &text[..body_at],
            &text[body_at..body_at + 9],
            &text[body_at + 9..],
        ] {
            stream.write_all(piece.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let answer = read_answer(&mut stream).await;
        assert_eq!(
            (answer.status, &answer.body["version"]),
            (201, &json!(version))
        );
    }
}

/// The log's writer is held up: the request is given up in time, and the event is in the log all the same.
#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up() {
    let socket = Socket::open(|config| config.http.request_timeout = Duration::from_secs(2)).await;
    let token = socket.server.token(Role::Technician).await;
    let mut stream = socket.connect().await;
    // Held up until its sender is dropped.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    socket.server.state.log.on_durable(move |_| {
        let _ = released.lock().unwrap().recv();
    });
    let late = ask(&mut stream, &post(&token, &[], &event("1", 1))).await;
    assert_eq!(late.status, 503);
    assert_eq!(late.body["type"], "urn:railfleet:problem:timeout");
    assert_eq!(
        late.body["request_id"],
        late.headers["x-request-id"].as_str()
    );
    drop(release);
    let next = ask(&mut stream, &post(&token, &[], &event("1", 2))).await;
    assert_eq!((next.status, &next.body["version"]), (201, &json!(2)));
}

/// The log's thread answers a write that is alone, the lane those that are not: each gets its own answer, once.
#[tokio::test]
async fn writes_at_once_and_alone_get_their_own_answers() {
    let socket = Socket::open(|_| {}).await;
    let token = socket.server.token(Role::Technician).await;
    socket.server.state.log.on_durable(|_| {
        std::thread::sleep(Duration::from_millis(20));
    });
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(socket.connect().await);
    }
    let mut versions = [0; 8];
    for at_once in [8, 1, 3, 1] {
        for (number, stream) in streams.iter_mut().enumerate().take(at_once) {
            let text = post(&token, &[], &event(&number.to_string(), 7));
            stream.write_all(text.as_bytes()).await.unwrap();
        }
        for (number, stream) in streams.iter_mut().enumerate().take(at_once) {
            let answer = read_answer(stream).await;
            assert_eq!(answer.status, 201, "{}", answer.body);
            assert_eq!(answer.body["aggregate_id"], number.to_string());
            versions[number] += 1;
            assert_eq!(answer.body["version"], versions[number]);
        }
    }
}

#[tokio::test]
async fn stopping_answers_what_is_asked_and_ends_what_is_idle() {
    let socket = Socket::open(|_| {}).await;
    let token = socket.server.token(Role::Technician).await;
    let (mut idle, mut busy) = (socket.connect().await, socket.connect().await);
    ask(&mut idle, &post(&token, &[], &event("1", 1))).await;
    let stopping = socket.server.state.stopping.clone();
    socket.server.state.log.on_durable(move |_| {
        stopping.send_replace(true);
        std::thread::sleep(Duration::from_millis(100));
    });
    let last = ask(&mut busy, &post(&token, &[], &event("1", 2))).await;
    assert_eq!(last.status, 201);
    assert_eq!(last.headers["connection"], "close");
    for mut stream in [idle, busy] {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it is closed");
    }
    socket.serving.await.unwrap();
}

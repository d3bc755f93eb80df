//! The client against answers written by hand, so that a failing end-to-end test is the server's fault.

use std::net::TcpListener;
use std::thread;

use super::*;

/// Answers each connection with these bytes after one request head, then closes it.
fn answering(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while !read_line(&mut stream).unwrap_or_default().is_empty() {}
            let _ = stream.get_mut().write_all(answer);
        }
    });
    port
}

#[track_caller]
fn check(answer: &'static [u8], body: &str) {
    let got = Client::new(answering(answer)).get("/").unwrap();
    assert_eq!((got.status, got.text().as_str()), (200, body));
}

#[test]
fn a_body_ends_by_length_by_chunk_or_with_the_connection() {
    check(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
        "hello",
    );
    check(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n",
        "hello",
    );
    check(b"HTTP/1.1 200 OK\r\n\r\nhello", "hello");
}

#[test]
fn a_body_that_breaks_off_is_an_error() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"nonsense\r\n\r\n",
    ] {
        let port = answering(answer);
        assert!(Client::new(port).get("/").is_err());
    }
}

#[test]
fn events_are_told_from_comments_and_resumed_by_id() {
    let port = answering(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: here\n\nid: 7\nevent: x\ndata: a\ndata: b\n\ndata:c\n\n",
    );
    let mut stream = Client::new(port).listen("/", &[]).unwrap();
    let within = Duration::from_secs(5);
    let first = stream.next(within).unwrap().unwrap();
    assert_eq!(
        (first.id.as_deref(), first.data.as_str()),
        (Some("7"), "a\nb")
    );
    assert_eq!(first.event.as_deref(), Some("x"));
    assert_eq!(stream.next(within).unwrap().unwrap().data, "c");
    assert_eq!(stream.next(within).unwrap(), None);
}

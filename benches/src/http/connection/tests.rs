use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use super::*;

/// Answers two requests with `answers`, each sent in pieces of `piece` bytes, and compares what the client makes of them.
#[track_caller]
fn check(answers: [&'static str; 2], piece: usize, expected: [(u16, &str); 2]) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_nodelay(true).unwrap();
        for answer in answers {
            let mut request = [0; 4];
            socket.read_exact(&mut request).unwrap();
            for piece in answer.as_bytes().chunks(piece) {
                socket.write_all(piece).unwrap();
            }
        }
    });
    let mut connection = Connection::open(address).unwrap();
    for (status, body) in expected {
        let answer = connection.exchange(b"ping").unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.body(), body.as_bytes());
    }
    server.join().unwrap();
}

#[test]
fn answers_are_read_whole_however_they_arrive() {
    let sized = "HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\nfirst";
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n";
    let expected = [(201, "first"), (200, "second")];
    for piece in [1, 7, 1_000] {
        check([sized, chunked], piece, expected);
    }
    check([chunked, sized], 3, [(200, "second"), (201, "first")]);
}

#[test]
fn a_connection_that_ends_early_is_an_error() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut")
            .unwrap();
    });
    let mut connection = Connection::open(address).unwrap();
    let error = connection.exchange(b"").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    server.join().unwrap();
}

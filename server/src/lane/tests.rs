//! What a lane takes and what it leaves, and its mailbox.

use std::future::Future as _;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::direct::Reply;
use super::head::{Bounds, read};
use super::*;

const BOUNDS: Bounds = Bounds {
    head_bytes_max: 1_000,
    body_bytes_max: 100,
};

fn request(lines: &str) -> String {
    format!("POST /api/v1/events HTTP/1.1\r\nhost: x\r\n{lines}\r\n{{}}")
}

#[track_caller]
fn left(text: &str) {
    let head = read(text.as_bytes(), BOUNDS);
    assert!(head.is_none(), "{text}: {head:?}");
}

#[test]
fn a_plain_write_is_taken() {
    let text = request(
        "Authorization: bearer abc\r\nContent-Length: 2\r\ncontent-type: application/json; charset=utf-8\r\nIf-Match: \"7\"\r\nidempotency-key: k\r\nprefer: return=minimal\r\nx-request-id: r-1\r\nconnection: Keep-Alive\r\nuser-agent: x\r\n",
    );
    let head = read(text.as_bytes(), BOUNDS).unwrap();
    assert_eq!(&text[head.body_at..head.end], "{}");
    assert_eq!(head.token, "abc");
    assert_eq!(head.request_id, Some(&b"r-1"[..]));
    assert_eq!(head.wishes.if_match, Some(&b"\"7\""[..]));
    assert_eq!(head.wishes.if_none_match, None);
    assert_eq!(head.wishes.idempotency_key, Some(&b"k"[..]));
    assert_eq!(head.wishes.prefer, Some(&b"return=minimal"[..]));
}

#[test]
fn the_body_need_not_have_come_yet() {
    let text = request("authorization: Bearer abc\r\ncontent-length: 90\r\n");
    let head = read(text.as_bytes(), BOUNDS).unwrap();
    assert!(head.end > text.len());
}

#[test]
fn an_id_that_may_not_stand_in_a_log_is_not_taken_over() {
    let text = request("authorization: Bearer a\r\ncontent-length: 2\r\nx-request-id: a b\r\n");
    assert_eq!(read(text.as_bytes(), BOUNDS).unwrap().request_id, None);
}

#[test]
fn whatever_is_not_plain_is_left_to_the_router() {
    const GOOD: &str = "authorization: Bearer a\r\ncontent-length: 2\r\n";
    assert!(read(request(GOOD).as_bytes(), BOUNDS).is_some());
    for more in [
        "transfer-encoding: chunked\r\n",
        "expect: 100-continue\r\n",
        "connection: close\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\n",
        "origin: https://depot.example\r\n",
        "content-length: 2\r\n",
        "authorization: Bearer a\r\n",
        "prefer: a\r\nprefer: b\r\n",
        "content-type: text/plain\r\n",
        "content-type: a\r\n",
        "bad header\r\n",
    ] {
        left(&request(&format!("{GOOD}{more}")));
    }
    left(&request("content-length: 2\r\n"));
    left(&request("authorization: Basic a\r\ncontent-length: 2\r\n"));
    left(&request("authorization: Bearer a\r\n"));
    for length in ["", "+2", "-2", "2 2", "0x2", "101", "99999999999999999999"] {
        left(&request(&format!(
            "authorization: Bearer a\r\ncontent-length: {length}\r\n"
        )));
    }
    let lines = "x-more: y\r\n".repeat(40);
    left(&request(&format!("{GOOD}{lines}")));
    left(&request(&format!(
        "{GOOD}x-long: {}\r\n",
        "y".repeat(1_000)
    )));
    let good = request(GOOD);
    left(&good.replace("POST", "GET"));
    left(&good.replace("events HTTP", "events/ HTTP"));
    left(&good.replace("events HTTP", "events?a=1 HTTP"));
    left(&good.replace("events HTTP", "events/batch HTTP"));
    left(&good.replace("HTTP/1.1", "HTTP/1.0"));
    left("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}

#[test]
fn a_head_in_pieces_is_left_to_the_router() {
    let text = request("authorization: Bearer a\r\ncontent-length: 2\r\n");
    let body_at = read(text.as_bytes(), BOUNDS).unwrap().body_at;
    for end in 0..body_at {
        left(&text[..end]);
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn many_answers_wake_a_lane_once() {
    let (mailbox, wakes) = (Mailbox::default(), Arc::new(Wakes::default()));
    let waker = Waker::from(wakes.clone());
    let mut context = Context::from_waker(&waker);
    let mut delivery = std::pin::pin!(mailbox.deliver());
    assert!(delivery.as_mut().poll(&mut context).is_pending());
    for round in 1..=2 {
        let mut receivers: Vec<oneshot::Receiver<Reply>> = Vec::new();
        for number in 0..50 {
            let (to, receiver) = oneshot::channel();
            let refused = (Default::default(), Err(storage::AppendError::Busy));
            mailbox.put(to, Reply::Answered(refused));
            // Every other connection is gone when its answer comes.
            if number % 2 == 0 {
                receivers.push(receiver);
            }
        }
        assert_eq!(wakes.0.load(Ordering::Relaxed), round);
        assert!(delivery.as_mut().poll(&mut context).is_pending());
        for mut receiver in receivers {
            let reply = receiver.try_recv().unwrap();
            assert!(
                matches!(reply, Reply::Answered((_, Err(storage::AppendError::Busy)))),
                "{reply:?}"
            );
        }
    }
}

use serde_json::Value;

use super::*;

fn body(request: &[u8]) -> Value {
    let text = std::str::from_utf8(request).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.ends_with(&format!("content-length: {}", body.len())));
    serde_json::from_str(body).unwrap()
}

#[test]
fn the_number_stands_in_the_data() {
    let mut post = PostEvent::new("/api/v1/events", Some("token"), 7);
    for number in [1, 99, u64::MAX] {
        let posted = body(post.numbered(number));
        assert_eq!(posted["aggregate_id"], "unit-000007");
        assert_eq!(posted["data"]["reading"], format!("{number:020}"));
    }
}

#[test]
fn a_request_without_a_body_says_nothing_of_one() {
    let request = build("GET", "/x", None, b"");
    assert_eq!(request, b"GET /x HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
}

use super::*;

#[track_caller]
fn check(text: &str, expected: Result<Option<Head>, Malformed>) {
    assert_eq!(head(text.as_bytes()), expected);
}

#[test]
fn a_head_says_where_the_body_ends() {
    let text = "HTTP/1.1 201 Created\r\nServer: x\r\ncontent-LENGTH: 17\r\n\r\n{\"position\":";
    let expected = Head {
        status: 201,
        bytes: text.find('{').unwrap(),
        body: Body::Length(17),
    };
    check(text, Ok(Some(expected)));
    let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let expected = Head {
        status: 200,
        bytes: text.len(),
        body: Body::Chunked,
    };
    check(text, Ok(Some(expected)));
    let text = "HTTP/1.1 204 No Content\r\n\r\n";
    let expected = Head {
        status: 204,
        bytes: text.len(),
        body: Body::Length(0),
    };
    check(text, Ok(Some(expected)));
}

#[test]
fn a_head_that_has_not_come_whole_is_waited_for() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n";
    for end in 0..text.len() {
        check(&text[..end], Ok(None));
    }
}

#[test]
fn what_does_not_say_where_it_ends_is_refused() {
    check("HTTP/1.1 200 OK\r\n\r\n", Err(Malformed));
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        Err(Malformed),
    );
    check("SSH-2.0-x\r\n\r\n", Err(Malformed));
}

#[test]
fn a_chunk_begins_with_its_length() {
    assert_eq!(chunk(b"1f;x=1\r\nabc"), Ok(Some((31, 8))));
    assert_eq!(chunk(b"0\r\n\r\n"), Ok(Some((0, 3))));
    assert_eq!(chunk(b"1f"), Ok(None));
    assert_eq!(chunk(b"zz\r\n"), Err(Malformed));
}

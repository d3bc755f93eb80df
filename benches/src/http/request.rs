//! Requests, built before they are timed.

use crate::event::{self, EventMaker};

/// A request as bytes. `token` is sent as a bearer; `body` is JSON.
pub fn build(method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let authorization = token.map_or_else(String::new, |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    let content = if body.is_empty() {
        String::new()
    } else {
        format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        )
    };
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{authorization}{content}\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A request that posts one event, and can be made to post another by changing the number in it.
#[derive(Clone, Debug)]
pub struct PostEvent {
    bytes: Vec<u8>,
    number_at: usize,
}

impl PostEvent {
    /// Posts events of stream `stream` to `path`.
    pub fn new(path: &str, token: Option<&str>, stream: u64) -> Self {
        let data = EventMaker::new().data(0);
        let body = event_json(stream, &data);
        let bytes = build("POST", path, token, &body);
        // The data stands last, before the closing brace.
        let data_at = bytes.len() - data.len() - 1;
        let number_at = data_at + EventMaker::new().number_at();
        PostEvent { bytes, number_at }
    }

    /// The request that posts the event with this number.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        event::write_number(&mut self.bytes[self.number_at..], number);
        &self.bytes
    }
}

fn event_json(stream: u64, data: &[u8]) -> Vec<u8> {
    let name = event::stream(stream);
    let mut body = format!(
        r#"{{"aggregate_type":"{}","aggregate_id":"{}","event_type":"{}","data":"#,
        name.aggregate_type,
        name.aggregate_id,
        event::EVENT_TYPE
    )
    .into_bytes();
    body.extend_from_slice(data);
    body.push(b'}');
    body
}

#[cfg(test)]
mod tests;

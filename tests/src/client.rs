//! A small blocking HTTP/1.1 client over one kept-alive connection: enough to say exactly what goes over the wire.
//!
//! It follows RFC 9112 for what our server sends: bodies with a length, in chunks, or up to the end of the connection.

mod body;
mod events;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use body::{Body, Framing};
pub use events::{EventStream, ServerSentEvent};

/// How long one read or write of a socket may take, if nothing else was said.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a head, and of a body, that are read at most.
const HEAD_BYTES_MAX: u64 = 256 << 10;
const BODY_BYTES_MAX: u64 = 512 << 20;

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    token: Option<String>,
    patience: Duration,
    connection: Option<BufReader<TcpStream>>,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, chunks put together.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of the server on this port of the loopback.
    pub fn new(port: u16) -> Self {
        Client {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            token: None,
            patience: PATIENCE,
            connection: None,
        }
    }

    /// The same client, showing this access token.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The same client, giving up on a silent server after this time.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The token it shows.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A `GET`.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.request("GET", path, &[], b"")
    }

    /// A `POST` of this JSON text.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub fn post(&mut self, path: &str, json: &str) -> io::Result<Answer> {
        let headers = [("Content-Type", "application/json")];
        self.request("POST", path, &headers, json.as_bytes())
    }

    /// Sends a request over the open connection, or a new one, and reads the answer whole. Nothing is sent twice.
    ///
    /// # Errors
    /// When the connection cannot be made, breaks, falls silent, or the answer is no HTTP.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut connection = self.send(method, path, headers, body)?;
        let (status, headers) = read_head(&mut connection)?;
        let framing = Framing::of(method, status, &headers)?;
        let keep = framing.ends_by_itself() && !says_close(&headers);
        let mut body = Body::new(connection, framing);
        let mut bytes = Vec::new();
        if body.by_ref().take(BODY_BYTES_MAX).read_to_end(&mut bytes)? as u64 == BODY_BYTES_MAX {
            return Err(io::Error::other("the body does not end"));
        }
        if keep {
            self.connection = Some(body.into_inner());
        }
        Ok(Answer {
            status,
            headers,
            body: bytes,
        })
    }

    /// Asks for server-sent events, over a connection of their own.
    ///
    /// # Errors
    /// As [`Client::request`]; also when the server answers anything but 200.
    pub fn listen(&self, path: &str, headers: &[(&str, &str)]) -> io::Result<EventStream> {
        let mut asking = Client {
            connection: None,
            token: self.token.clone(),
            ..*self
        };
        let mut all = vec![("Accept", "text/event-stream")];
        all.extend_from_slice(headers);
        let mut connection = asking.send("GET", path, &all, b"")?;
        let (status, headers) = read_head(&mut connection)?;
        let framing = Framing::of("GET", status, &headers)?;
        let mut body = Body::new(connection, framing);
        if status != 200 {
            let mut text = String::new();
            body.by_ref().take(4_096).read_to_string(&mut text)?;
            return Err(io::Error::other(format!("answered {status}: {text}")));
        }
        Ok(EventStream::new(body))
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<BufReader<TcpStream>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(token) = &self.token {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method != "GET" {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        connection.get_mut().write_all(&bytes)?;
        Ok(connection)
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.address, self.patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        Ok(BufReader::new(stream))
    }
}

impl Answer {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none: the test fails here, and shows the body.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!(
                "{} with a body that is no JSON ({error}): {}",
                self.status,
                self.text()
            ),
        }
    }

    /// The same answer, known to have this status.
    ///
    /// # Panics
    /// When it has another: the test fails here, and shows the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "answered {}: {}",
            self.status,
            self.text()
        );
        self
    }
}

/// Reads a status line and headers.
fn read_head(connection: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let mut head = connection.take(HEAD_BYTES_MAX);
    let first = read_line(&mut head)?;
    let status = first
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no status line: {first:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut head)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| io::Error::other(format!("no header: {line:?}")))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Reads up to a line end, which is left off.
fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 || !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(candidate, _)| candidate == name)?;
    Some(value)
}

fn says_close(headers: &[(String, String)]) -> bool {
    find(headers, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

#[cfg(test)]
mod tests;

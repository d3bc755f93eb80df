//! One keep-alive connection, one request at a time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::answer::{self, Body, Head, Malformed};

/// After this long without a byte the server is taken for dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const READ_BYTES: usize = 256 << 10;

/// See the module.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    received: Vec<u8>,
    used: usize,
}

/// An answer, borrowed until the next request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects to `address`.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE_MAX))?;
        Ok(Connection {
            socket,
            received: Vec::new(),
            used: 0,
        })
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// What the operating system says, or `InvalidData` for what is no answer.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.socket.write_all(request)?;
        self.received.drain(..self.used);
        self.used = 0;
        let head = self.head()?;
        self.used = head.bytes;
        let body = match head.body {
            Body::Length(length) => self.take(length)?.to_vec(),
            Body::Chunked => self.chunks()?,
        };
        Ok(Answer {
            status: head.status,
            body,
        })
    }

    fn head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(head) = answer::head(&self.received).map_err(malformed)? {
                return Ok(head);
            }
            self.receive()?;
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let (length, data_at) = loop {
                match answer::chunk(&self.received[self.used..]).map_err(malformed)? {
                    Some(found) => break found,
                    None => self.receive()?,
                }
            };
            self.used += data_at;
            body.extend_from_slice(self.take(length)?);
            // The line's end behind the data, and the empty line behind the last chunk.
            self.take(2)?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    /// The next `length` bytes, waited for.
    fn take(&mut self, length: usize) -> io::Result<&[u8]> {
        let from = self.used;
        self.used += length;
        while self.received.len() < self.used {
            self.receive()?;
        }
        Ok(&self.received[from..self.used])
    }

    fn receive(&mut self) -> io::Result<()> {
        let before = self.received.len();
        self.received.resize(before + READ_BYTES, 0);
        let read = self.socket.read(&mut self.received[before..]);
        let count = *read.as_ref().unwrap_or(&0);
        self.received.truncate(before + count);
        match read? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn malformed(Malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is malformed")
}

//! One keep-alive connection, one request at a time.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::answer::{self, Body, Head, Malformed};

/// After this long without a byte the server is taken for dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// What is made room for at least before each read.
const READ_BYTES: usize = 256 << 10;

/// See the module.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    /// Received bytes, and behind them room for more; it never shrinks, so that no byte is cleared twice.
    buffer: Vec<u8>,
    received: usize,
    /// How far the answer that was read last goes.
    used: usize,
}

/// An answer, borrowed until the next request.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    framed: &'a [u8],
    framing: Body,
}

impl<'a> Answer<'a> {
    /// The body. Chunks are joined only here, so that who just waits for the end does not pay for it.
    pub fn body(&self) -> Cow<'a, [u8]> {
        match self.framing {
            Body::Length(_) => Cow::Borrowed(self.framed),
            Body::Chunked => Cow::Owned(join_chunks(self.framed)),
        }
    }
}

fn join_chunks(framed: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(framed.len());
    let mut rest = framed;
    while let Ok(Some((length, data_at))) = answer::chunk(rest)
        && let Some(data) = rest.get(data_at..data_at + length)
    {
        body.extend_from_slice(data);
        rest = rest.get(data_at + length + 2..).unwrap_or(&[]);
    }
    body
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
            buffer: Vec::new(),
            received: 0,
            used: 0,
        })
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// What the operating system says, or `InvalidData` for what is no answer.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.socket.write_all(request)?;
        self.buffer.copy_within(self.used..self.received, 0);
        self.received -= self.used;
        self.used = 0;
        let head = self.head()?;
        self.used = head.bytes;
        match head.body {
            Body::Length(length) => self.pass(length)?,
            Body::Chunked => self.pass_chunks()?,
        }
        Ok(Answer {
            status: head.status,
            framed: &self.buffer[head.bytes..self.used],
            framing: head.body,
        })
    }

    fn head(&mut self) -> io::Result<Head> {
        loop {
            let received = &self.buffer[..self.received];
            if let Some(head) = answer::head(received).map_err(malformed)? {
                return Ok(head);
            }
            self.receive()?;
        }
    }

    fn pass_chunks(&mut self) -> io::Result<()> {
        loop {
            let received = &self.buffer[self.used..self.received];
            let Some((length, data_at)) = answer::chunk(received).map_err(malformed)? else {
                self.receive()?;
                continue;
            };
            // The line's end behind the data, and the empty line behind the last chunk.
            self.pass(data_at + length + 2)?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Waits for the next `length` bytes and goes on behind them.
    fn pass(&mut self, length: usize) -> io::Result<()> {
        self.used += length;
        while self.received < self.used {
            self.receive()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        if self.buffer.len() < self.received + READ_BYTES {
            self.buffer.resize((self.received + READ_BYTES) * 2, 0);
        }
        match self.socket.read(&mut self.buffer[self.received..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.received += count;
                Ok(())
            }
        }
    }
}

fn malformed(Malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is malformed")
}

#[cfg(test)]
mod tests;

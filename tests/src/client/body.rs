//! Where a body ends: by its length, by its last chunk, or with the connection (RFC 9112, section 6.3).

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;

use super::{find, read_line};

/// How a body's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// So many bytes of the present chunk are left; at 0 the next chunk's size follows, unless it is the first.
    Chunks { left: u64, first: bool },
    /// The last chunk has been read.
    Ended,
    /// The connection's end is the body's.
    UntilClose,
}

impl Framing {
    pub(super) fn of(
        method: &str,
        status: u16,
        headers: &[(String, String)],
    ) -> io::Result<Framing> {
        if method == "HEAD" || status == 204 || status == 304 {
            return Ok(Framing::Length(0));
        }
        if find(headers, "transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            return Ok(Framing::Chunks {
                left: 0,
                first: true,
            });
        }
        match find(headers, "content-length") {
            Some(length) => length
                .parse()
                .map(Framing::Length)
                .map_err(|_| io::Error::other(format!("a body of {length:?} bytes"))),
            None => Ok(Framing::UntilClose),
        }
    }

    pub(super) fn ends_by_itself(self) -> bool {
        self != Framing::UntilClose
    }
}

/// A body being read from a connection.
#[derive(Debug)]
pub(super) struct Body {
    connection: BufReader<TcpStream>,
    framing: Framing,
}

impl Body {
    pub(super) fn new(connection: BufReader<TcpStream>, framing: Framing) -> Self {
        Body {
            connection,
            framing,
        }
    }

    /// The connection behind it, for limits and for the next request.
    pub(super) fn connection(&self) -> &TcpStream {
        self.connection.get_ref()
    }

    pub(super) fn into_inner(self) -> BufReader<TcpStream> {
        self.connection
    }

    /// Reads the size line of the next chunk.
    fn next_chunk(&mut self, first: bool) -> io::Result<()> {
        if !first && !read_line(&mut self.connection)?.is_empty() {
            return Err(io::Error::other("a chunk is longer than it said"));
        }
        let line = read_line(&mut self.connection)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let left = u64::from_str_radix(size, 16)
            .map_err(|_| io::Error::other(format!("a chunk of {size:?} bytes")))?;
        if left > 0 {
            self.framing = Framing::Chunks { left, first: false };
            return Ok(());
        }
        while !read_line(&mut self.connection)?.is_empty() {}
        self.framing = Framing::Ended;
        Ok(())
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Framing::Chunks { left: 0, first } = self.framing {
            self.next_chunk(first)?;
        }
        let left = match self.framing {
            Framing::Length(left) | Framing::Chunks { left, .. } => left,
            Framing::Ended => 0,
            Framing::UntilClose => u64::MAX,
        };
        if left == 0 || into.is_empty() {
            return Ok(0);
        }
        let available = self.connection.fill_buf()?;
        let most = available.len().min(into.len());
        let count = most.min(usize::try_from(left).unwrap_or(usize::MAX));
        into[..count].copy_from_slice(&available[..count]);
        self.connection.consume(count);
        match &mut self.framing {
            Framing::UntilClose | Framing::Ended => {}
            Framing::Length(_) | Framing::Chunks { .. } if count == 0 => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Framing::Length(left) | Framing::Chunks { left, .. } => *left -= count as u64,
        }
        Ok(count)
    }
}

//! The rows of a `COPY … TO STDOUT (FORMAT binary)`, one at a time, in constant memory.
//!
//! The server sends whole rows in messages of their own, but nothing promises that: a row that is cut is put together.
//! Layout: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

use std::fmt;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_core::Stream as _;
use tokio_postgres::{Client, CopyOutStream};

use super::error::{SourceError, doing};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
const HEADER_BYTES: usize = SIGNATURE.len() + 8;
/// Fields are found at 32-bit places within a row: PostgreSQL's own limit is 1 GiB a value.
const ROW_BYTES_MAX: usize = u32::MAX as usize;

/// Rows as they come, the present one readable until the next is asked for.
pub struct RowStream {
    copy: Pin<Box<CopyOutStream>>,
    what: String,
    pending: Bytes,
    began: bool,
    row: Bytes,
    fields: Vec<Field>,
    bytes_read: u64,
}

impl fmt::Debug for RowStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RowStream")
            .field("what", &self.what)
            .field("bytes_read", &self.bytes_read)
            .finish_non_exhaustive()
    }
}

/// Where a field lies in its row; `None` is null.
type Field = Option<Range<u32>>;

/// A row that is cut.
#[derive(Debug, PartialEq, Eq)]
enum Cut {
    /// More bytes are needed.
    More,
    /// It is no row.
    Garbled(&'static str),
}

impl RowStream {
    /// Starts `statement` on `client`, which must have nothing else to do until the last row came.
    ///
    /// # Errors
    /// `Statement` and `Lost`.
    pub(super) async fn start(
        client: &Client,
        statement: &str,
        what: &str,
    ) -> Result<Self, SourceError> {
        let stream = client.copy_out(statement).await;
        Ok(RowStream {
            copy: Box::pin(stream.map_err(doing(what))?),
            what: what.to_owned(),
            pending: Bytes::new(),
            began: false,
            row: Bytes::new(),
            fields: Vec::new(),
            bytes_read: 0,
        })
    }

    /// Goes on to the next row; `false` behind the last one.
    ///
    /// # Errors
    /// `Lost` when the server went away, `Garbled` when what it sent is no row.
    pub async fn advance(&mut self) -> Result<bool, SourceError> {
        if !self.began {
            self.begin().await?;
        }
        loop {
            match cut_row(&self.pending, &mut self.fields) {
                Ok(Some(length)) => {
                    self.row = self.pending.split_to(length);
                    return Ok(true);
                }
                Ok(None) => {
                    self.row = Bytes::new();
                    self.fields.clear();
                    // Until the server says that it is done, a failure may still come.
                    while self.receive().await? {}
                    return Ok(false);
                }
                Err(Cut::More) => {
                    if !self.receive().await? {
                        return Err(self.garbled("it ends within a row"));
                    }
                }
                Err(Cut::Garbled(why)) => return Err(self.garbled(why)),
            }
        }
    }

    /// A field of the present row; `None` is null, and what lies beyond the row's last field.
    pub fn field(&self, index: usize) -> Option<&[u8]> {
        let place = self.fields.get(index)?.as_ref()?;
        self.row.get(place.start as usize..place.end as usize)
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    async fn begin(&mut self) -> Result<(), SourceError> {
        while self.pending.len() < HEADER_BYTES {
            if !self.receive().await? {
                return Err(self.garbled("it ends within its header"));
            }
        }
        if !self.pending.starts_with(SIGNATURE) {
            return Err(self.garbled("it begins otherwise than a binary copy"));
        }
        self.pending.advance(SIGNATURE.len());
        let flags = self.pending.get_u32();
        let extension = self.pending.get_u32() as usize;
        if flags != 0 || extension != 0 {
            return Err(self.garbled("it has flags that are not known"));
        }
        self.began = true;
        Ok(())
    }

    /// Takes the next message in; `false` when the server is done.
    async fn receive(&mut self) -> Result<bool, SourceError> {
        let message = poll_fn(|context| self.copy.as_mut().poll_next(context)).await;
        match message {
            None => Ok(false),
            Some(Err(error)) => Err(doing(self.what.as_str())(error)),
            Some(Ok(bytes)) => {
                self.bytes_read += bytes.len() as u64;
                if self.pending.is_empty() {
                    self.pending = bytes;
                } else {
                    let mut joined = BytesMut::with_capacity(self.pending.len() + bytes.len());
                    joined.extend_from_slice(&self.pending);
                    joined.extend_from_slice(&bytes);
                    self.pending = joined.freeze();
                }
                Ok(true)
            }
        }
    }

    fn garbled(&self, why: &str) -> SourceError {
        SourceError::Garbled {
            doing: self.what.clone(),
            why: why.to_owned(),
        }
    }
}

/// Finds the fields of the row that `bytes` begin with, and its length. `None` at the end of all rows.
fn cut_row(bytes: &[u8], fields: &mut Vec<Field>) -> Result<Option<usize>, Cut> {
    fields.clear();
    let (count, _) = bytes.split_first_chunk::<2>().ok_or(Cut::More)?;
    let Ok(count) = usize::try_from(i16::from_be_bytes(*count)) else {
        return Ok(None);
    };
    let mut at = 2;
    for _ in 0..count {
        let length = bytes.get(at..at + 4).ok_or(Cut::More)?;
        let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        at += 4;
        if length == -1 {
            fields.push(None);
            continue;
        }
        let length = usize::try_from(length).map_err(|_| Cut::Garbled("a field has no length"))?;
        let end = at + length;
        if end > ROW_BYTES_MAX {
            return Err(Cut::Garbled("a row is too long"));
        }
        if bytes.len() < end {
            return Err(Cut::More);
        }
        fields.push(Some(place(at)..place(end)));
        at = end;
    }
    Ok(Some(at))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rows are bounded by ROW_BYTES_MAX"
)]
fn place(at: usize) -> u32 {
    at as u32
}

#[cfg(test)]
mod tests;

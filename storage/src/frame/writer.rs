//! A frame that is written piece by piece, for payloads that should not be in memory as a whole.

use std::io;

use super::{HEADER_BYTES, put_header};
use crate::repo::RepoFile;

/// Bytes that are written together.
const CHUNK_BYTES: usize = 1 << 20;

/// Writes one frame to a file, from its beginning. What is there is no frame before [`finish`](FrameWriter::finish).
pub(crate) struct FrameWriter<'a> {
    file: &'a dyn RepoFile,
    /// What is not yet written; begins with room for the header while nothing is.
    waiting: Vec<u8>,
    /// Bytes of the file that are written, or left for the header.
    written: u64,
    /// Over what is written of the payload.
    hasher: crc32fast::Hasher,
}

impl<'a> FrameWriter<'a> {
    pub(crate) fn new(file: &'a dyn RepoFile) -> Self {
        FrameWriter {
            file,
            waiting: vec![0; HEADER_BYTES],
            written: 0,
            hasher: crc32fast::Hasher::new(),
        }
    }

    /// Adds to the payload.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() < CHUNK_BYTES {
            return Ok(());
        }
        self.hash_waiting();
        self.file.write_at(&self.waiting, self.written)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Writes the rest and the header. Returns the frame's length in bytes.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn finish(mut self, kind: u16, format: u16) -> io::Result<u64> {
        self.hash_waiting();
        let length = self.written + self.waiting.len() as u64;
        let mut header = Vec::with_capacity(HEADER_BYTES);
        let payload = length - HEADER_BYTES as u64;
        put_header(kind, format, payload, &self.hasher, &mut header);
        if self.written == 0 {
            self.waiting[..HEADER_BYTES].copy_from_slice(&header);
            self.file.write_at(&self.waiting, 0)?;
        } else {
            self.file.write_at(&self.waiting, self.written)?;
            self.file.write_at(&header, 0)?;
        }
        Ok(length)
    }

    fn hash_waiting(&mut self) {
        let header = if self.written == 0 { HEADER_BYTES } else { 0 };
        self.hasher.update(&self.waiting[header..]);
    }
}

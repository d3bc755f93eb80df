//! `raw`: what the disk itself can do. The same bytes written into a zero-filled file and `fdatasync`ed, one at a time.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::sample::Sample;
use crate::setting::Setting;

/// Bytes of the zero-filled file in a real and in a tiny run; behind its end the writing begins again at its start.
const FILE_BYTES: u64 = 64 << 20;
const FILE_BYTES_TINY: u64 = 2 << 20;
const ZERO_STEP: usize = 1 << 20;

/// A zero-filled file and what is written into it again and again.
#[derive(Debug)]
pub struct Raw {
    file: File,
    file_bytes: u64,
    piece: Vec<u8>,
    at: u64,
}

impl Raw {
    /// Prepares the file in `folder`; each write will be of `piece_bytes` bytes.
    ///
    /// # Errors
    /// What the file system says.
    pub fn prepare(setting: &Setting, folder: &Path, piece_bytes: usize) -> io::Result<Self> {
        let file_bytes = setting.pick(FILE_BYTES_TINY, FILE_BYTES);
        fs::create_dir_all(folder)?;
        let path = folder.join("raw");
        let file = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(path)?;
        let zeros = vec![0; ZERO_STEP];
        for step in 0..file_bytes / ZERO_STEP as u64 {
            file.write_all_at(&zeros, step * ZERO_STEP as u64)?;
        }
        file.sync_all()?;
        Ok(Raw {
            file,
            file_bytes,
            piece: vec![0x5a; piece_bytes],
            at: 0,
        })
    }

    /// Writes and syncs `count` pieces, one at a time.
    ///
    /// # Errors
    /// What the file system says.
    pub fn sample(&mut self, count: usize) -> io::Result<Sample> {
        Sample::of(count, || self.write_one())
    }

    fn write_one(&mut self) -> io::Result<()> {
        if self.at + self.piece.len() as u64 > self.file_bytes {
            self.at = 0;
        }
        self.file.write_all_at(&self.piece, self.at)?;
        self.at += self.piece.len() as u64;
        self.file.sync_data()
    }
}

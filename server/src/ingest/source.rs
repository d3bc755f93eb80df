//! The bytes of the input: from a file or standard input, decompressed, counted and summed up.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes taken from the input at a time.
const READ_BYTES: usize = 64 << 10;

/// Where input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// How bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// How much of the input was read, as it lies on the disk; shared with whoever shows progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumed {
    bytes: Arc<AtomicU64>,
}

impl Consumed {
    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// The decompressed input. Knows the checksum of everything up to a point that its reader has passed.
pub(super) struct Source {
    inner: Box<dyn Read + Send>,
    checksum: crc32fast::Hasher,
    /// Bytes in `checksum`.
    summed: u64,
    /// Bytes handed out behind those.
    pending: Vec<u8>,
}

impl Source {
    /// Opens the input. What it is packed with is told by its first bytes; a name that promises otherwise is an error.
    ///
    /// # Errors
    /// Those of the file system; `InvalidData` when the file is not what its name says.
    pub(super) fn open(input: &Input, consumed: &Consumed) -> io::Result<Source> {
        consumed.bytes.store(0, Ordering::Relaxed);
        let bytes = Arc::clone(&consumed.bytes);
        let inner: Box<dyn Read + Send> = match input {
            Input::Stdin => Box::new(Counting {
                inner: io::stdin(),
                bytes,
            }),
            Input::File(path) => Box::new(Counting {
                inner: File::open(path)?,
                bytes,
            }),
        };
        let promised = match input {
            Input::File(path) => promised_by(path),
            Input::Stdin => None,
        };
        Source::unpack(inner, promised)
    }

    pub(super) fn unpack(
        mut packed: Box<dyn Read + Send>,
        promised: Option<Packing>,
    ) -> io::Result<Source> {
        let mut first = Vec::with_capacity(4);
        packed.by_ref().take(4).read_to_end(&mut first)?;
        let packing = told_by(&first);
        if promised.is_some_and(|promised| promised != packing) && !first.is_empty() {
            let text = format!("its name promises {promised:?} but its content is {packing:?}");
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                text.to_lowercase(),
            ));
        }
        let whole = io::Cursor::new(first).chain(packed);
        let inner: Box<dyn Read + Send> = match packing {
            Packing::Plain => Box::new(whole),
            // A gzip file may have several members one after the other.
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(whole)),
            Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(whole)?),
        };
        Ok(Source {
            inner,
            checksum: crc32fast::Hasher::new(),
            summed: 0,
            pending: Vec::new(),
        })
    }

    /// The CRC32 of the first `offset` bytes, which must have been read; offsets must not fall.
    pub(super) fn checksum_at(&mut self, offset: u64) -> u32 {
        let more = usize::try_from(offset.saturating_sub(self.summed)).unwrap_or(usize::MAX);
        let more = more.min(self.pending.len());
        self.checksum.update(&self.pending[..more]);
        self.pending.drain(..more);
        self.summed += more as u64;
        self.checksum.clone().finalize()
    }

    /// Passes over the first `offset` bytes and returns their CRC32; `None` when there are fewer.
    ///
    /// # Errors
    /// Those of the input.
    pub(super) fn pass_over(&mut self, offset: u64) -> io::Result<Option<u32>> {
        let mut buffer = vec![0; READ_BYTES];
        while self.summed < offset {
            let wanted = usize::try_from(offset - self.summed)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let read = self.read(&mut buffer[..wanted])?;
            if read == 0 {
                return Ok(None);
            }
            let reached = self.summed + read as u64;
            self.checksum_at(reached);
        }
        Ok(Some(self.checksum.clone().finalize()))
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.pending.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

/// Counts what passes.
struct Counting<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// RFC 1952 §2.3.1 and RFC 8878 §3.1.1.
fn told_by(first: &[u8]) -> Packing {
    match first {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
        _ => Packing::Plain,
    }
}

fn promised_by(path: &Path) -> Option<Packing> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "gz" => Some(Packing::Gzip),
        "zst" => Some(Packing::Zstd),
        _ => None,
    }
}

//! Reading files through memory maps, and fetching what they show ahead of its turn: the only `unsafe` of this crate.
//!
//! Place on the data path: below [`FsRepo`](crate::repo::FsRepo), above the page cache. Readers of segments and
//! index files borrow their bytes from here, so an event goes from the page cache to the response without a copy.
//!
//! A map of a file is sound only while nobody rewrites or cuts away what it shows. What this module relies upon:
//!
//! - **One owner.** Only the process that holds the folder's lock file writes to the files in it.
//! - **Nothing shrinks below what was shown.** `RepoFile::set_len` never cuts below a published length, and
//!   `Repo::create` makes a new file instead of emptying one that a map may still show.
//! - **Nothing shown is rewritten.** The log only appends: a byte below a viewed length keeps its value.
//!
//! What it adds itself: a view never reaches beyond the end that the file had when it was taken. The map may be
//! longer than the file (a segment that grows is mapped once), but the part behind the view is never touched: it
//! has an address and no slice.
//!
//! A [`Scratch`] is written through its map: this process's own file without a name, whose bytes are shown only when they
//! are written for good.
//!
//! Root can break the first rule with an editor. A file cut short from outside ends the process with SIGBUS; a file
//! rewritten from outside is caught by the checksums above, or was read before the change.

#![expect(
    unsafe_code,
    reason = "a map cannot be read, nor memory fetched ahead, without it; this is the one module that may"
)]

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::{MmapOptions, MmapRaw};

#[cfg(test)]
mod tests;

/// An open file with at most one map of it that lasts.
#[derive(Debug)]
pub(crate) struct MappedFile {
    file: File,
    /// The newest map. Older, shorter ones live as long as the views that hold them.
    map: Mutex<Option<Arc<MmapRaw>>>,
}

/// The first bytes of a mapped file, readable for as long as this value lives, even after the file is removed.
#[derive(Debug)]
pub(crate) struct MappedBytes {
    /// `None` for zero bytes: nothing is mapped for them.
    map: Option<Arc<MmapRaw>>,
    length: usize,
}

impl MappedFile {
    /// Takes over an open file; maps nothing yet.
    pub(crate) fn new(file: File) -> MappedFile {
        MappedFile {
            file,
            map: Mutex::new(None),
        }
    }

    /// The file, for everything but mapped reads.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The file's first `length` bytes.
    ///
    /// Costs one `fstat` when the map that is there is long enough; else maps `reserve` bytes (`length`, if that is
    /// more), address space that may lie beyond the file's end and costs no memory.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file is shorter than `length`; `InvalidInput` when a length is no `usize`; those of
    /// `fstat` and `mmap`.
    pub(crate) fn view(&self, length: u64, reserve: u64) -> io::Result<MappedBytes> {
        let file_length = self.file.metadata()?.len();
        if file_length < length {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{length} bytes wanted of a file of {file_length}"),
            ));
        }
        let capacity = address_length(length.max(reserve))?;
        let length = address_length(length)?;
        if length == 0 {
            return Ok(MappedBytes { map: None, length });
        }

        // A panic cannot leave the option half written, so a poisoned lock is as good as any.
        let mut current = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let map = match current.as_ref() {
            Some(map) if map.len() >= length => Arc::clone(map),
            _ => {
                let map = Arc::new(
                    MmapOptions::new()
                        .len(capacity)
                        .map_raw_read_only(&self.file)?,
                );
                *current = Some(Arc::clone(&map));
                map
            }
        };
        assert!(length <= map.len(), "a view never reaches beyond its map");
        Ok(MappedBytes {
            map: Some(map),
            length,
        })
    }
}

impl MappedBytes {
    /// The bytes: exactly as many as the view was taken of.
    pub(crate) fn as_slice(&self) -> &[u8] {
        let Some(map) = &self.map else { return &[] };
        debug_assert!(self.length <= map.len(), "checked when the view was taken");
        // SAFETY: `map` is a live, readable mapping of at least `length` bytes, kept by the `Arc` for as long as the
        // slice is borrowed from `self`; `MappedFile::view` checked both that and that the file was at least `length`
        // bytes long. That the file is not cut below `length` afterwards, and that none of these bytes is written
        // again, is upheld by the users of `RepoFile` (the rules at the top of this file) and, against other
        // processes, by the folder's lock file.
        unsafe { std::slice::from_raw_parts(map.as_ptr(), self.length) }
    }
}

/// Bytes that are appended to and read in place, in a file instead of in memory: the system may use their memory for
/// something else, and reads them from the disk when they are asked for again. Nothing of it outlives the process.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    map: MmapRaw,
    /// Bytes that are written for good, and may be read.
    written: AtomicUsize,
    /// Bytes of the file that have a place on the disk. Held while writing.
    prepared: Mutex<usize>,
}

impl Scratch {
    /// What is put into it begins at multiples of this.
    const ALIGN: usize = 8;
    /// How long it may become; address space, which costs nothing.
    const BYTES_MAX: usize = 1 << 34;
    /// Bytes that get a place on the disk at once. A write through a map into a place that a full disk cannot give would
    /// end the process; a write of zeros to the file is refused in good order.
    const PREPARE_BYTES: usize = 1 << 18;

    /// Takes over an empty file that nobody else writes to.
    ///
    /// # Errors
    /// Those of `mmap`.
    pub(crate) fn new(file: File) -> io::Result<Scratch> {
        let map = MmapOptions::new().len(Self::BYTES_MAX).map_raw(&file)?;
        Ok(Scratch {
            file,
            map,
            written: AtomicUsize::new(0),
            prepared: Mutex::new(0),
        })
    }

    /// Keeps `bytes`, and says where.
    ///
    /// # Errors
    /// `FileTooLarge` when it has become as long as it may; those of the file system, `StorageFull` among them. Nothing is
    /// kept then.
    pub(crate) fn push(&self, bytes: &[u8]) -> io::Result<u32> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self
            .written
            .load(Ordering::Relaxed)
            .next_multiple_of(Self::ALIGN);
        let to = from + bytes.len();
        let at = u32::try_from(from / Self::ALIGN);
        let (true, Ok(at)) = (to <= Self::BYTES_MAX, at) else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        while *prepared < to {
            let zeros = [0; Self::PREPARE_BYTES];
            self.file.write_all_at(&zeros, *prepared as u64)?;
            *prepared += Self::PREPARE_BYTES;
        }
        // SAFETY: `from..to` is within the map, and within the file, which is never cut. No slice shows any of it: slices
        // end at `written`, which is not beyond `from`. Nobody else writes: the lock is held, and the file has no name.
        unsafe {
            let target = self.map.as_mut_ptr().add(from);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
        self.written.store(to, Ordering::Release);
        Ok(at)
    }

    /// The `length` bytes that were kept at `at`; `None` when there are not so many.
    pub(crate) fn get(&self, at: u32, length: usize) -> Option<&[u8]> {
        let from = (at as usize).checked_mul(Self::ALIGN)?;
        if from.checked_add(length)? > self.written.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: the bytes are within the map and below `written`: they were written before it was raised, which the load
        // saw, and are not written again.
        Some(unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(from), length) })
    }
}

/// Asks the processor to fetch what lies at `offset`, if that is within `bytes`, and does not wait for it. Nothing on
/// processors that this program does not know how to ask.
#[inline]
pub(crate) fn prefetch(bytes: &[u8], offset: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(byte) = bytes.get(offset) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program could see and faults at no address; this one is that of a
        // byte that may be read. It is part of SSE, which every x86-64 processor has.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(byte).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, offset);
}

/// A length as the address space counts it.
fn address_length(length: u64) -> io::Result<usize> {
    // `isize::MAX` is the bound of any slice; more than that on a 32-bit machine is refused here, not in the kernel.
    match usize::try_from(length) {
        Ok(length) if isize::try_from(length).is_ok() => Ok(length),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{length} bytes do not fit the address space"),
        )),
    }
}

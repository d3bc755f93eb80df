//! The rows of a read model: numbered in the order in which they first appeared, saved page by page.
//!
//! Every read model is rows plus indexes derived from them. Rows are numbered densely and never removed (a deleted
//! aggregate is a row that says so), so a number is a stable cursor, and the same log always gives the same numbers.
//! A page is a fixed count of neighbouring rows: what one checkpoint value holds. Changing a row marks its page, and a
//! checkpoint writes marked pages only.
//!
//! A page's payload is the length of its encoded rows (four bytes, little-endian) and these bytes, packed by zstd: rows of
//! one kind repeat their keys, and packed they take a fifth of the store's disk and memory.

use bincode::{Decode, Encode};
use storage::frame;
use thiserror::Error;
use zstd::bulk::{Compressor, Decompressor};

use super::checkpoint::PAGE_KIND;

/// Bytes that one page may take when decoded: a bound on what a hostile length can make the decoder allocate.
pub(super) const PAGE_BYTES_MAX: usize = 256 << 20;

/// The least that zstd does: packing must cost little, and most of what there is to win is won by it.
const PACKING_LEVEL: i32 = 1;

/// The encoding of everything in a checkpoint. Lengths are checked against the limit before anything is allocated.
pub(super) fn encoding() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<PAGE_BYTES_MAX>()
}

/// A row's number: dense, the first row is 0.
pub(super) type RowNumber = u32;

/// Rows with the pages that changed since the last checkpoint.
#[derive(Debug)]
pub(super) struct Rows<R> {
    rows: Vec<R>,
    rows_per_page: usize,
    /// One a page: whether it changed since it was last encoded.
    changed: Vec<bool>,
    /// One a page: the CRC32 of its frame as last encoded.
    page_checksums: Vec<u32>,
}

/// Pages ready to be saved: page number and framed bytes.
pub(super) type EncodedPages = Vec<(u32, Vec<u8>)>;

/// Why saved pages were not taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum PageError {
    /// A page's frame does not hold what it says.
    #[error("page {page} is damaged: {reason}")]
    Damaged { page: usize, reason: String },
    /// A row cannot be unpacked.
    #[error("row {number} cannot be unpacked")]
    Unsound { number: usize },
    /// The pages hold another number of rows than was said beside them.
    #[error("{found} rows instead of {expected}")]
    RowCount { expected: usize, found: usize },
}

impl<R> Rows<R> {
    /// No rows; `rows_per_page` of them will share a page.
    pub(super) fn new(rows_per_page: usize) -> Self {
        assert!(rows_per_page > 0, "a page holds rows");
        Rows {
            rows: Vec::new(),
            rows_per_page,
            changed: Vec::new(),
            page_checksums: Vec::new(),
        }
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All rows in order of their numbers.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &R> {
        self.rows.iter()
    }

    /// The row of this number, if there is one.
    pub(super) fn get(&self, number: RowNumber) -> Option<&R> {
        self.rows.get(number as usize)
    }

    /// The row of this number, to be changed: its page will be saved again.
    pub(super) fn get_mut(&mut self, number: RowNumber) -> Option<&mut R> {
        let row = self.rows.get_mut(number as usize)?;
        if let Some(changed) = self.changed.get_mut(number as usize / self.rows_per_page) {
            *changed = true;
        }
        Some(row)
    }

    /// The row of this number, to be changed in what is not saved of it.
    pub(super) fn get_unmarked_mut(&mut self, number: RowNumber) -> Option<&mut R> {
        self.rows.get_mut(number as usize)
    }

    /// The numbers of all rows, in order.
    pub(super) fn numbers(&self) -> std::ops::Range<RowNumber> {
        0..RowNumber::try_from(self.rows.len()).unwrap_or(RowNumber::MAX)
    }

    /// Adds a row and returns its number.
    ///
    /// # Panics
    /// If there are 2^32 rows already: a row takes hundreds of bytes, memory ends before.
    pub(super) fn push(&mut self, row: R) -> RowNumber {
        let number = RowNumber::try_from(self.rows.len())
            .expect("rows fit into memory, their numbers into 32 bits");
        self.rows.push(row);
        let page = number as usize / self.rows_per_page;
        if page == self.changed.len() {
            self.changed.push(true);
            self.page_checksums.push(0);
        }
        self.changed[page] = true;
        number
    }

    /// Has every page saved again: what is beside the log is not to be built upon.
    pub(super) fn mark_all_changed(&mut self) {
        self.changed.fill(true);
    }

    /// One a page, in order: what the checkpoint's own checksum is made from. Those of changed pages are out of date.
    pub(super) fn page_checksums(&self) -> &[u32] {
        &self.page_checksums
    }
}

impl<R: Encode + Decode<()>> Rows<R> {
    /// The changed pages as they are to be saved. [`note_saved`](Rows::note_saved) follows.
    pub(super) fn encode_changed(&self, format: u16) -> EncodedPages {
        let pages = self
            .rows
            .chunks(self.rows_per_page)
            .zip(&self.changed)
            .zip(0_u32..);
        let changed = pages.filter(|((_, changed), _)| **changed);
        // One for all pages: it keeps the memory that it works in.
        let mut packer =
            Compressor::new(PACKING_LEVEL).expect("memory for packing a page is at hand");
        let encoded = changed.map(|((rows, _), page)| {
            let payload = pack(rows, &mut packer);
            (page, frame::encode(PAGE_KIND, format, &payload))
        });
        encoded.collect()
    }

    /// These pages, which have these [checksums](checksums_of_pages), were encoded and nothing was changed since: they need not
    /// be saved again.
    pub(super) fn note_saved(&mut self, pages: &EncodedPages, checksums: &[u32]) {
        for ((page, _), checksum) in pages.iter().zip(checksums) {
            self.page_checksums[*page as usize] = *checksum;
            self.changed[*page as usize] = false;
        }
    }

    /// The rows that `pages` (in order, without gaps) hold.
    ///
    /// # Errors
    /// [`PageError`] when a page is not exactly what [`encode_changed`](Rows::encode_changed) made.
    pub(super) fn decode(
        pages: &[Vec<u8>],
        rows_per_page: usize,
        format: u16,
        row_count: usize,
    ) -> Result<Self, PageError> {
        let mut all = Rows::new(rows_per_page);
        let mut unpacker = Decompressor::new().expect("memory for unpacking a page is at hand");
        for (page, framed) in pages.iter().enumerate() {
            let damaged = |reason: String| PageError::Damaged { page, reason };
            let (payload, consumed) = frame::decode(framed, PAGE_KIND, format)
                .map_err(|error| damaged(error.to_string()))?;
            if consumed != framed.len() {
                return Err(damaged("bytes behind its frame".to_owned()));
            }
            let rows: Vec<R> = unpack(payload, &mut unpacker).map_err(damaged)?;
            let full = rows.len() == rows_per_page || (page + 1 == pages.len() && !rows.is_empty());
            if !full || rows.len() > rows_per_page {
                return Err(damaged(format!("{} rows", rows.len())));
            }
            all.rows.extend(rows);
            all.changed.push(false);
            all.page_checksums.push(crc32fast::hash(framed));
        }
        if all.rows.len() != row_count {
            return Err(PageError::RowCount {
                expected: row_count,
                found: all.rows.len(),
            });
        }
        Ok(all)
    }
}

/// The CRC32 of each page, in their order.
pub(super) fn checksums_of_pages(pages: &EncodedPages) -> Vec<u32> {
    let framed = pages.iter().map(|(_, framed)| framed);
    framed.map(|framed| crc32fast::hash(framed)).collect()
}

fn pack<R: Encode>(rows: &[R], packer: &mut Compressor<'_>) -> Vec<u8> {
    let encoded = bincode::encode_to_vec(rows, encoding()).expect("rows in memory always encode");
    let length = u32::try_from(encoded.len()).expect("a page is smaller than 4 GiB");
    let mut payload = length.to_le_bytes().to_vec();
    let packed = packer.compress(&encoded);
    payload.extend_from_slice(&packed.expect("memory for packing a page is at hand"));
    payload
}

/// What was packed, or what is wrong with it. The payload's checksum has been verified; its lengths are limited all the
/// same, because nothing here may be trusted to have been written by this program.
fn unpack<R: Decode<()>>(
    payload: &[u8],
    unpacker: &mut Decompressor<'_>,
) -> Result<Vec<R>, String> {
    let Some((length, packed)) = payload.split_first_chunk() else {
        return Err("no length".to_owned());
    };
    let length = u32::from_le_bytes(*length) as usize;
    if length > PAGE_BYTES_MAX {
        return Err(format!("{length} bytes in a page"));
    }
    let encoded = unpacker.decompress(packed, length);
    let encoded = encoded.map_err(|error| error.to_string())?;
    let (rows, read): (Vec<R>, usize) =
        bincode::decode_from_slice(&encoded, encoding()).map_err(|error| error.to_string())?;
    if encoded.len() != length || read != length {
        return Err("bytes behind its rows".to_owned());
    }
    Ok(rows)
}

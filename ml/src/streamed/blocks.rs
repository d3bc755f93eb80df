//! Where things lie in the working file: blocks of rows, and in each block one thing behind the other.

use super::Spill;
use crate::hazard::HazardError;
use crate::histogram::SUM_BLOCK_ROWS;

/// Rows of a block.
pub(super) const BLOCK_ROWS: usize = 1 << 15;
const _: () = assert!(
    BLOCK_ROWS.is_multiple_of(SUM_BLOCK_ROWS),
    "units are summed over the same pieces as in memory"
);
/// Bytes of a row beside its bins.
const STATE_BYTES: usize = 4 + 4 + 8 + 8 + 2;

/// A table in blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    start: u64,
    pub(super) rows: usize,
    lanes: usize,
}

impl Blocks {
    /// So many rows with so many bytes of bins each, from `start` on.
    pub(super) fn at(start: u64, rows: usize, lanes: usize) -> Self {
        Self { start, rows, lanes }
    }

    pub(super) fn count(&self) -> usize {
        self.rows.div_ceil(BLOCK_ROWS)
    }

    /// First row of a block.
    pub(super) fn first(block: usize) -> usize {
        block * BLOCK_ROWS
    }

    pub(super) fn rows_in(&self, block: usize) -> usize {
        (self.rows - Self::first(block)).min(BLOCK_ROWS)
    }

    /// Just behind it.
    pub(super) fn end(&self) -> u64 {
        self.place(self.count(), 0)
    }

    fn place(&self, block: usize, bytes_a_row: usize) -> u64 {
        let bytes = block * BLOCK_ROWS * (self.lanes + STATE_BYTES) + bytes_a_row * BLOCK_ROWS;
        self.start + bytes as u64
    }

    /// One byte a row: the bins of a lane.
    pub(super) fn lane(&self, block: usize, lane: usize) -> u64 {
        self.place(block, lane)
    }

    pub(super) fn labels(&self, block: usize) -> u64 {
        self.place(block, self.lanes)
    }

    pub(super) fn weights(&self, block: usize) -> u64 {
        self.place(block, self.lanes + 4)
    }

    pub(super) fn scores(&self, block: usize) -> u64 {
        self.place(block, self.lanes + 8)
    }

    /// Eight bytes a row: gradient and hessian as they were computed, then packed.
    pub(super) fn words(&self, block: usize) -> u64 {
        self.place(block, self.lanes + 16)
    }

    /// Two bytes a row: the leaf of the tree that grows.
    pub(super) fn leaves(&self, block: usize) -> u64 {
        self.place(block, self.lanes + 24)
    }
}

/// The working file, read and written as numbers.
pub(super) struct Store<'run> {
    spill: &'run mut dyn Spill,
    bytes: Vec<u8>,
}

macro_rules! numbers {
    ($read:ident, $write:ident, $number:ty) => {
        /// Reads so many numbers into `into`, which is overwritten.
        pub(super) fn $read(
            &mut self,
            offset: u64,
            count: usize,
            into: &mut Vec<$number>,
        ) -> Result<(), HazardError> {
            const BYTES: usize = size_of::<$number>();
            self.bytes.resize(count * BYTES, 0);
            let read = self.spill.read_at(offset, &mut self.bytes);
            read.map_err(|error| HazardError::Spill(error.to_string()))?;
            let (numbers, _) = self.bytes.as_chunks::<BYTES>();
            into.clear();
            into.extend(numbers.iter().map(|bytes| <$number>::from_le_bytes(*bytes)));
            Ok(())
        }

        pub(super) fn $write(
            &mut self,
            offset: u64,
            numbers: &[$number],
        ) -> Result<(), HazardError> {
            self.bytes.clear();
            let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
            self.bytes.extend(bytes);
            let written = self.spill.write_at(offset, &self.bytes);
            written.map_err(|error| HazardError::Spill(error.to_string()))
        }
    };
}

impl<'run> Store<'run> {
    pub(super) fn new(spill: &'run mut dyn Spill) -> Self {
        Self {
            spill,
            bytes: Vec::new(),
        }
    }

    numbers!(read_f32s, write_f32s, f32);
    numbers!(read_f64s, write_f64s, f64);
    numbers!(read_i64s, write_i64s, i64);
    numbers!(read_u16s, write_u16s, u16);

    /// Reads so many bytes into `into`, which is overwritten.
    pub(super) fn read_bytes(
        &mut self,
        offset: u64,
        count: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), HazardError> {
        into.resize(count, 0);
        let read = self.spill.read_at(offset, into);
        read.map_err(|error| HazardError::Spill(error.to_string()))
    }

    pub(super) fn write_bytes(&mut self, offset: u64, bytes: &[u8]) -> Result<(), HazardError> {
        let written = self.spill.write_at(offset, bytes);
        written.map_err(|error| HazardError::Spill(error.to_string()))
    }
}

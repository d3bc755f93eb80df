//! CSV: a header, and rows that a [`mapping`](super::mapping) turns into events.
//!
//! Rows are numbered, not lines: a quoted field may hold line ends. Without such fields and without empty lines the number
//! is the line's. No later run begins behind a last row that has no line end: it may be half of one.

use std::collections::HashSet;
use std::io;

use csv::{ByteRecord, ReaderBuilder, StringRecord};
use storage::{Log, StreamName};

use super::mapping::{BoundMapping, Mapping};
use super::run::{IngestError, Record, RecordSource};
use super::source::Source;
use crate::envelope::Envelope;

/// Bytes that a row may have, line ends in quoted fields included.
pub(super) const ROW_BYTES_MAX: u64 = 2 << 20;

/// See the module.
pub(super) struct RowReader<'a> {
    reader: csv::Reader<RowGuard>,
    mapping: BoundMapping,
    log: &'a Log,
    /// Streams that events of this run go to, so that none begins twice before its first event is in the log.
    begun: HashSet<StreamName>,
    /// Of the last row that was read; the header is 1.
    number: u64,
    /// Bytes in front of what `reader` was given.
    bytes_before: u64,
}

/// The names of the columns: the first row of `source`.
///
/// # Errors
/// Those of the input; `InvalidData` when there is no header.
pub(super) fn header_of(source: Source, mapping: &Mapping) -> io::Result<Vec<String>> {
    read_header(&mut csv_reader(source, mapping))
}

impl<'a> RowReader<'a> {
    /// Reads from the beginning of `source`, where the header stands.
    ///
    /// # Errors
    /// [`IngestError::Input`], [`IngestError::Mapping`].
    pub(super) fn from_header(
        source: Source,
        mapping: &Mapping,
        log: &'a Log,
        source_name: &str,
    ) -> Result<Self, IngestError> {
        let mut reader = csv_reader(source, mapping);
        let header = read_header(&mut reader).map_err(IngestError::Input)?;
        let mapping = mapping.bind(&header, source_name)?;
        Ok(RowReader {
            reader,
            mapping,
            log,
            begun: HashSet::new(),
            number: 1,
            bytes_before: 0,
        })
    }

    /// Reads behind the row `number`, which ends at `offset`, where `source` stands.
    ///
    /// # Errors
    /// [`IngestError::Mapping`].
    pub(super) fn resume(
        source: Source,
        header: &[String],
        mapping: &Mapping,
        log: &'a Log,
        source_name: &str,
        (number, offset): (u64, u64),
    ) -> Result<Self, IngestError> {
        let reader = csv_reader(source, mapping);
        let mapping = mapping.bind(header, source_name)?;
        Ok(RowReader {
            reader,
            mapping,
            log,
            begun: HashSet::new(),
            number,
            bytes_before: offset,
        })
    }

    fn events_of(&mut self, row: ByteRecord) -> Result<Vec<Envelope>, String> {
        let row = StringRecord::from_byte_record(row)
            .map_err(|error| format!("column {}: invalid UTF-8", error.utf8_error().field() + 1))?;
        let (log, begun) = (self.log, &self.begun);
        let begins = |stream: &StreamName| !begun.contains(stream) && log.stream(stream).is_none();
        let events = self.mapping.events_of(&row, self.number, begins)?;
        for event in &events {
            if !self.begun.contains(&event.stream) {
                self.begun.insert(event.stream.clone());
            }
        }
        Ok(events)
    }
}

impl RecordSource for RowReader<'_> {
    fn next(&mut self) -> io::Result<Option<Record>> {
        let mut row = ByteRecord::new();
        let reached = self.reader.position().byte();
        self.reader.get_mut().allowed = reached + ROW_BYTES_MAX;
        if !self
            .reader
            .read_byte_record(&mut row)
            .map_err(io::Error::from)?
        {
            return Ok(None);
        }
        self.number += 1;
        let end = self.bytes_before + self.reader.position().byte();
        Ok(Some(Record {
            line: self.number,
            end,
            is_whole: !self.reader.get_ref().is_at_end,
            events: self.events_of(row),
        }))
    }

    fn checksum_at(&mut self, offset: u64) -> u32 {
        self.reader.get_mut().source.checksum_at(offset)
    }
}

pub(super) fn read_header(reader: &mut csv::Reader<RowGuard>) -> io::Result<Vec<String>> {
    let mut row = ByteRecord::new();
    if !reader.read_byte_record(&mut row).map_err(io::Error::from)? {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file is empty",
        ));
    }
    let names = row.iter().map(|name| String::from_utf8_lossy(name));
    Ok(names
        .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
        .collect())
}

pub(super) fn csv_reader(source: Source, mapping: &Mapping) -> csv::Reader<RowGuard> {
    let guard = RowGuard {
        source,
        read: 0,
        allowed: ROW_BYTES_MAX,
        is_at_end: false,
    };
    // Rows of another width are read, so that they can be reported with their line.
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(mapping.delimiter())
        .from_reader(guard)
}

/// Ends the input where a row does not end: a quote that is never closed must not be read into memory to the last byte.
pub(super) struct RowGuard {
    source: Source,
    read: u64,
    allowed: u64,
    /// Whether the end of the input was met, which is so while a row is read only where no line end ends it.
    is_at_end: bool,
}

impl io::Read for RowGuard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read > self.allowed {
            let text = format!("a row is longer than {ROW_BYTES_MAX} bytes: is a quote left open?");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let read = self.source.read(buffer)?;
        self.read += read as u64;
        self.is_at_end = read == 0;
        Ok(read)
    }
}

//! JSON Lines: each line an event, as `POST /events` takes it or as a CloudEvent.
//!
//! A last line without its end is taken like any other, but may still be growing, and so may the file: no later run begins
//! behind it. Begun there, the end that the line gets later would be an empty line of its own, and what follows would get
//! other numbers, so other ids, than in a run from the beginning.

use std::io::{self, BufRead, BufReader};

use storage::TAGS_MAX;

use crate::envelope::{Envelope, parse_event, user_id};
use crate::json::Scanner;

use super::run::{Record, RecordSource};
use super::source::Source;
use super::{cloud_event, identity};

/// Marks an event of a file that names who caused it, as all do that come over HTTP. No client can send it: free tags carry
/// a prefix.
pub(crate) const FROM_FILE_TAG: &str = "from:file";
/// Bytes that a line may have: what the body of `POST /events` may.
pub(super) const LINE_BYTES_MAX: usize = 2 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// See the module.
pub(super) struct LineReader {
    reader: BufReader<Source>,
    source_name: String,
    /// Of the last line that was read; first is 1.
    number: u64,
    /// Behind the last line that was read.
    offset: u64,
    line: Vec<u8>,
    /// Whether the line has its end.
    is_whole: bool,
}

/// What was found in the place of a line.
#[derive(PartialEq, Eq)]
enum Cut {
    Line,
    TooLong,
    End,
}

impl LineReader {
    /// Reads what follows the first `number` lines, which end at `offset`; `source` stands there.
    pub(super) fn new(source: Source, source_name: String, number: u64, offset: u64) -> Self {
        LineReader {
            reader: BufReader::with_capacity(64 << 10, source),
            source_name,
            number,
            offset,
            line: Vec::new(),
            is_whole: true,
        }
    }

    /// Brings the next line, without its end, into `self.line`.
    fn cut(&mut self) -> io::Result<Cut> {
        self.line.clear();
        let mut length = 0_u64;
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            if self.line.len() <= LINE_BYTES_MAX {
                self.line.extend_from_slice(&buffer[..end.unwrap_or(taken)]);
            }
            let at_end = buffer.is_empty();
            self.reader.consume(taken);
            length += taken as u64;
            if end.is_some() || at_end {
                self.is_whole = end.is_some();
                break;
            }
        }
        if length == 0 {
            return Ok(Cut::End);
        }
        self.number += 1;
        self.offset += length;
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
            self.line.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(if self.line.len() > LINE_BYTES_MAX {
            Cut::TooLong
        } else {
            Cut::Line
        })
    }
}

impl RecordSource for LineReader {
    fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            let events = match self.cut()? {
                Cut::End => return Ok(None),
                Cut::TooLong => Err(format!("longer than {LINE_BYTES_MAX} bytes")),
                Cut::Line if self.line.iter().all(u8::is_ascii_whitespace) => continue,
                Cut::Line => {
                    event_of(&self.line, &self.source_name, self.number).map(|event| vec![event])
                }
            };
            return Ok(Some(Record {
                line: self.number,
                end: self.offset,
                is_whole: self.is_whole,
                events,
            }));
        }
    }

    fn checksum_at(&mut self, offset: u64) -> u32 {
        self.reader.get_mut().checksum_at(offset)
    }
}

/// The event of a line, with an id.
fn event_of(line: &[u8], source_name: &str, number: u64) -> Result<Envelope, String> {
    let mut envelope = if is_cloud_event(line) {
        cloud_event::event_of(line)?
    } else {
        parse_event(line).map_err(|refused| refused.to_string())?
    };
    if envelope.event.id.is_none() {
        envelope.event.id = Some(identity::of_record(source_name, number, 0, line));
    }
    let tags = &mut envelope.event.tags;
    if user_id(tags.iter().map(|tag| &**tag)).is_some() && tags.len() < TAGS_MAX {
        tags.push(FROM_FILE_TAG.into());
    }
    Ok(envelope)
}

/// Whether the line is an object with a `specversion`, which a CloudEvent must have and an event must not.
fn is_cloud_event(line: &[u8]) -> bool {
    const NAME: &str = "specversion";
    if !line
        .windows(NAME.len())
        .any(|window| window == NAME.as_bytes())
    {
        return false;
    }
    let mut found = false;
    let Ok(mut scanner) = Scanner::new(line) else {
        return false;
    };
    let scanned = scanner.object(|scanner, key| {
        found |= key == NAME;
        scanner.skip()
    });
    found && scanned.is_ok()
}

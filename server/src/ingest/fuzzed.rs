//! Both readers over bytes in memory, for [`crate::fuzzing`].

use std::io::Cursor;
use std::sync::OnceLock;

use csv::{ByteRecord, StringRecord};

use super::lines::LineReader;
use super::mapping::Mapping;
use super::rows::{csv_reader, read_header};
use super::run::RecordSource as _;
use super::source::Source;
use crate::envelope::Envelope;

/// Gives each event that lines and rows make of `bytes`. Packed input is passed by: it may be any multiple of its length.
pub(crate) fn fuzz(bytes: &[u8], taken: &mut dyn FnMut(&Envelope)) {
    let is_packed =
        bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let open = || Source::unpack(Box::new(Cursor::new(bytes.to_vec())), None).ok();
    if is_packed {
        return;
    }
    if let Some(source) = open() {
        let mut lines = LineReader::new(source, "fuzz".to_owned(), 0, 0);
        let (mut line, mut end) = (0, 0);
        while let Ok(Some(record)) = lines.next() {
            assert!(record.line > line && record.end > end && record.end <= bytes.len() as u64);
            (line, end) = (record.line, record.end);
            record.events.iter().flatten().for_each(&mut *taken);
            lines.checksum_at(end);
        }
    }
    static MAPPING: OnceLock<Option<Mapping>> = OnceLock::new();
    let mapping = MAPPING.get_or_init(|| Mapping::load("ttc-subway").ok());
    if let (Some(source), Some(mapping)) = (open(), mapping) {
        let mut rows = csv_reader(source, mapping);
        let Ok(bound) = read_header(&mut rows).map(|header| mapping.bind(&header, "fuzz")) else {
            return;
        };
        let Ok(bound) = bound else { return };
        let (mut row, mut number) = (ByteRecord::new(), 1);
        while let Ok(true) = rows.read_byte_record(&mut row) {
            number += 1;
            let Ok(row) = StringRecord::from_byte_record(row.clone()) else {
                continue;
            };
            let events = bound.events_of(&row, number, |_| true);
            events.iter().flatten().for_each(&mut *taken);
        }
    }
}

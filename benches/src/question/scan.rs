//! Reading the whole log from the page cache on one core, every record's checksum checked, against the rate at which
//! the same bytes can be checksummed at all.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use storage::{Log, LogOptions, ReadRequest};

use crate::BenchError;
use crate::error::doing;
use crate::event::DATA_BYTES;
use crate::fill::{self, Fill};
use crate::row::{Bar, Row};
use crate::sample::per_second;
use crate::setting::Setting;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let folder = scratch.join("log");
    let rounds = setting.pick(1, 7);
    let events = setting.pick(3_000, 1_000_000);
    let log = Log::open(&folder, LogOptions::default())?;
    let filling = Fill {
        events,
        streams: setting.pick(100, 10_000),
        events_per_transaction: 1_000,
    };
    fill::fill(&log, 0, &filling)?;
    log.close();
    let log = Log::open(&folder, LogOptions::default())?;
    let bytes = segments(&folder)?;
    let record_bytes = bytes.len() / usize::try_from(events).unwrap_or(1);
    // Once before it counts, so that every page is mapped.
    scan(&log, events)?;
    let (mut rates, mut crc_rates) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        let pieces = bytes.chunks_exact(record_bytes);
        let count = pieces.len() as u64;
        for piece in pieces {
            black_box(crc32fast::hash(piece));
        }
        crc_rates.push(per_second(count, began.elapsed()));
        let began = Instant::now();
        scan(&log, events)?;
        rates.push(per_second(events, began.elapsed()));
    }
    Ok(vec![
        Row::new("scan of the whole log, one core", "events/s", rates)
            .against("CRC32 alone", &crc_rates)
            .bar(Bar::AtLeast(9e6))
            .bar(Bar::RatioAtLeast(0.5))
            .note(format!(
                "{events} events, {} MB in segments, from the page cache",
                bytes.len() / 1_000_000
            )),
    ])
}

fn scan(log: &Log, expected: u64) -> Result<(), BenchError> {
    let mut reader = log.read(&ReadRequest::default())?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(event) = reader.next() {
        count += 1;
        bytes += event?.data().len();
    }
    assert_eq!(count, expected, "a scan gives every event");
    assert_eq!(bytes as u64, expected * DATA_BYTES as u64);
    Ok(())
}

/// The bytes of all segments.
fn segments(folder: &Path) -> Result<Vec<u8>, BenchError> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).map_err(doing("listing the log's folder"))? {
        let path = entry.map_err(doing("listing the log's folder"))?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let mut read = fs::read(&path).map_err(doing("reading a segment"))?;
            bytes.append(&mut read);
        }
    }
    Ok(bytes)
}

//! How many bytes of disk the log takes for each byte of payload, all its files counted.

use storage::{Log, LogOptions};

use crate::BenchError;
use crate::error::doing;
use crate::event::DATA_BYTES;
use crate::fill::{self, Fill};
use crate::row::{Bar, Row};
use crate::scratch::folder_bytes;
use crate::setting::Setting;

#[expect(clippy::cast_precision_loss, reason = "bytes in a ratio")]
pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let folder = scratch.join("log");
    let events = setting.pick(3_000, 1_000_000);
    let filling = Fill {
        events,
        streams: setting.pick(100, 10_000),
        events_per_transaction: 1_000,
    };
    let payload = (events * DATA_BYTES as u64) as f64;
    let measure = || folder_bytes(&folder).map_err(doing("measuring the log's folder"));
    let log = Log::open(&folder, LogOptions::default())?;
    fill::fill(&log, 0, &filling)?;
    log.settle();
    let (_, open_occupied) = measure()?;
    log.close();
    let (length, occupied) = measure()?;
    let size = format!(
        "{events} events of {DATA_BYTES} bytes in {} streams, written 1,000 a group: {:.0} MB of payload",
        filling.streams,
        payload / 1e6
    );
    Ok(vec![
        Row::new(
            "disk, all files, per payload byte, closed",
            "",
            vec![occupied as f64 / payload],
        )
        .bar(Bar::AtMost(1.3))
        .note(size),
        Row::new(
            "disk, lengths of all files per payload byte, closed",
            "",
            vec![length as f64 / payload],
        ),
        Row::new(
            "disk, all files, per payload byte, while open",
            "",
            vec![open_occupied as f64 / payload],
        )
        .bar(Bar::AtMost(1.3))
        .note("with the space prepared for what comes next"),
    ])
}

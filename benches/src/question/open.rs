//! Opening a log of 10 million events in 100,000 streams, in a fresh process: after a clean stop, and after `kill -9`
//! while it was appended to. How long, and how much memory.

use storage::{Log, LogOptions};

use crate::BenchError;
use crate::child::{self, Opened};
use crate::error::doing;
use crate::fill::{self, Fill};
use crate::row::{Bar, Row};
use crate::scratch::free_bytes;
use crate::setting::Setting;

/// Bytes that an event takes on disk at most, and what is left free beside the log.
const BYTES_PER_EVENT: u64 = 450;
const BYTES_KEPT_FREE: u64 = 5_000_000_000;
/// A log's segments are at most this many events long; the kills are spread over one.
const SEGMENT_EVENTS: u64 = 185_000;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let folder = scratch.join("log");
    let rounds = setting.pick(1, 7);
    let filling = Fill {
        events: setting.pick(3_000, 10_000_000),
        streams: setting.pick(100, 100_000),
        events_per_transaction: 1_000,
    };
    let wanted = filling.events * BYTES_PER_EVENT + setting.pick(0, BYTES_KEPT_FREE);
    let free = free_bytes(scratch.path()).map_err(doing("asking for free space"))?;
    if free < wanted {
        return Err(BenchError::Missing {
            what: format!("space on the disk: {free} bytes are free"),
            remedy: format!("free {wanted} bytes"),
        });
    }
    let log = Log::open(&folder, LogOptions::default())?;
    fill::fill(&log, 0, &filling)?;
    log.close();

    let mut clean = Vec::new();
    for _ in 0..rounds {
        clean.push(child::open(&setting.program, &folder)?);
    }
    let mut killed = Vec::new();
    for round in 1..=rounds {
        let step = setting.pick(200, SEGMENT_EVENTS) * round / rounds;
        let acknowledged = child::append_until_killed(&setting.program, &folder, step)?;
        let opened = child::open(&setting.program, &folder)?;
        if opened.events < acknowledged {
            return Err(BenchError::Peer(format!(
                "{acknowledged} events were acknowledged before the kill, {} are there after it",
                opened.events
            )));
        }
        killed.push(opened);
    }
    let size = format!(
        "{} events, {} streams, page cache warm",
        filling.events, filling.streams
    );
    Ok(rows(&clean, &killed, &size))
}

fn rows(clean: &[Opened], killed: &[Opened], size: &str) -> Vec<Row> {
    let each = |opened: &[Opened], what: fn(&Opened) -> f64| opened.iter().map(what).collect();
    let worst = |opened: &[Opened], what: fn(&Opened) -> f64| {
        vec![opened.iter().map(what).fold(0.0, f64::max)]
    };
    vec![
        Row::new("open 10 million events after a clean stop", "ms", each(clean, |o| o.open_ms))
            .bar(Bar::AtMost(150.0))
            .note(size),
        Row::new("open 10 million events after kill -9, median", "ms", each(killed, |o| o.open_ms))
            .bar(Bar::AtMost(150.0))
            .note("killed while appending, at points spread over a segment; nothing acknowledged was lost"),
        Row::new("open 10 million events after kill -9, worst", "ms", worst(killed, |o| o.open_ms))
            .bar(Bar::AtMost(150.0)),
        Row::new("first append after that open", "ms", each(killed, |o| o.first_append_ms)),
        Row::new("resident after a clean open", "MB", each(clean, |o| o.resident_mb))
            .bar(Bar::AtMost(250.0))
            .note("VmRSS of a fresh process, mapped files included"),
        Row::new("resident after a clean open, peak", "MB", each(clean, |o| o.resident_peak_mb)),
        Row::new("resident after a clean open, without files", "MB", each(clean, |o| o.anonymous_mb)),
        Row::new("resident after kill -9, worst", "MB", worst(killed, |o| o.resident_mb))
            .bar(Bar::AtMost(250.0)),
    ]
}

//! The log as Parquet: how many events a second are exported, and into how many bytes each.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use lake::{Export, SPAN_EVENTS, Target, export, read_manifest};
use storage::{Log, LogOptions, Timestamp};

use crate::BenchError;
use crate::depot::Depot;
use crate::row::{Bar, Row};
use crate::sample::per_second;
use crate::setting::Setting;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let depot = Depot {
        vehicles: setting.pick(20, 2_000),
        events_per_vehicle: setting.pick(10, 400),
        orders: setting.pick(50, 200_000),
        days: 0,
    };
    let rounds = setting.pick(1, 3);
    let scratch = setting.scratch()?;
    let log = Log::open(&scratch.join("log"), LogOptions::default())?;
    depot.fill(&log)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut rates, mut bytes) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let place = scratch.join(&format!("lake-{round}"));
        let target = Target::open(&format!("file://{}", place.display())).map_err(failed)?;
        let began = Instant::now();
        let report = export(&Export {
            log: &log,
            target: &target,
            is_erased: &|_| false,
            now: Timestamp::from_micros(0),
            threads,
            span_events: SPAN_EVENTS,
            stop: &AtomicBool::new(false),
        })
        .map_err(failed)?;
        rates.push(per_second(report.events, began.elapsed()));
        let manifest = read_manifest(&target).map_err(failed)?;
        let files = manifest
            .as_ref()
            .into_iter()
            .flat_map(|manifest| manifest.event_files(None));
        let all: u64 = files.map(|file| file.bytes).sum();
        bytes.push(all as f64 / report.events as f64);
    }
    log.close();
    let note = format!(
        "{} events, states and manifest included in the time, {threads} threads",
        depot.events()
    );
    Ok(vec![
        Row::new("export as Parquet", "events/s", rates)
            .bar(Bar::AtLeast(500_000.0))
            .note(note),
        Row::new("bytes of Parquet an event", "bytes", bytes).bar(Bar::AtMost(60.0)),
    ])
}

fn failed(error: impl std::error::Error) -> BenchError {
    BenchError::Peer(format!("the export failed: {error}"))
}

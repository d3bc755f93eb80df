//! How often the device flushes its cache for each acknowledged group, counted by the kernel and by the log.

use std::thread;
use std::time::Duration;

use storage::{ExpectedVersion, Log, LogOptions, Transaction};

use super::many_writers::append_from_many;
use crate::BenchError;
use crate::error::doing;
use crate::event::{self, EventMaker};
use crate::process::device_flushes;
use crate::row::{Bar, Row};
use crate::scratch::Scratch;
use crate::setting::Setting;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let scratch = setting.scratch()?;
    let rounds = setting.pick(1, 9);
    let appends = setting.pick(5, 1_000);
    let lasting = setting.pick(Duration::from_millis(20), Duration::from_millis(400));
    let log = Log::open(&scratch.join("log"), LogOptions::default())?;
    let maker = EventMaker::new();
    // What preparing the first segments flushes is over before it counts.
    append_from_many(&log, lasting)?;
    log.settle();
    let (mut one, mut many, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        // The watermark of the round before is written while nothing is appended.
        thread::sleep(LogOptions::default().watermark_idle * 2);
        let before = Counted::now(&scratch, &log)?;
        for number in 0..appends {
            let event = maker.event(number);
            log.append(Transaction::single(
                event::stream(1),
                ExpectedVersion::Any,
                event,
            ))?;
        }
        let after = Counted::now(&scratch, &log)?;
        one.push(after.flushes_per_group(&before));
        own.push(after.syncs_per_group(&before));
        thread::sleep(LogOptions::default().watermark_idle * 2);
        let before = Counted::now(&scratch, &log)?;
        append_from_many(&log, lasting)?;
        many.push(Counted::now(&scratch, &log)?.flushes_per_group(&before));
    }
    Ok(vec![
        Row::new("device flushes per group, one writer", "", one)
            .bar(Bar::Within(1.0, 0.02))
            .note("counted by the kernel for the whole disk, so whatever else syncs there is counted too; median of the rounds"),
        Row::new("device flushes per group, 64 writers", "", many).bar(Bar::Within(1.0, 0.02)),
        Row::new("syncs per group, as the log counts them", "", own).bar(Bar::Within(1.0, 0.02)),
    ])
}

struct Counted {
    flushes: u64,
    groups: u64,
    syncs: u64,
}

impl Counted {
    fn now(scratch: &Scratch, log: &Log) -> Result<Self, BenchError> {
        let flushes = device_flushes(scratch.path())
            .map_err(doing("reading /proc/diskstats"))?
            .ok_or_else(|| BenchError::Missing {
                what: "a count of flushes in /proc/diskstats".to_owned(),
                remedy: "use a disk that is a device of its own, and Linux 5.5 or newer".to_owned(),
            })?;
        let stats = log.stats();
        Ok(Counted {
            flushes,
            groups: stats.groups,
            syncs: stats.syncs,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio of small counts")]
    fn flushes_per_group(&self, before: &Counted) -> f64 {
        (self.flushes - before.flushes) as f64 / (self.groups - before.groups).max(1) as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio of small counts")]
    fn syncs_per_group(&self, before: &Counted) -> f64 {
        (self.syncs - before.syncs) as f64 / (self.groups - before.groups).max(1) as f64
    }
}

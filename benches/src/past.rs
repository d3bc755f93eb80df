//! A log as large as a depot's past: the events of many vehicles over a year, and one aggregate with very many of its own.
//!
//! Filling it takes longer than most questions, so it is filled once a run ([`Setting::past`]) and serves all of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fleet::calendar::DAY;
use storage::{
    ExpectedVersion, Log, LogOptions, NewEvent, StreamName, StreamWrite, Timestamp, Transaction,
};

use crate::BenchError;
use crate::error::doing;
use crate::event::{self, EventMaker};
use crate::scratch::{Scratch, free_bytes};
use crate::setting::Setting;

/// Who did every hundredth event.
pub const INSPECTOR: &str = "inspector";
/// Days that the events are spread over, from the beginning of 2025.
pub const DAYS: u64 = 365;
/// 2025-01-01T00:00:00Z.
const NEW_YEAR: i64 = 1_735_689_600_000_000;
/// Of the aggregate with very many events, one in this many was told up to [`LATE_DAYS_MAX`] days late.
const LATE_EVERY: u64 = 20;
const LATE_DAYS_MAX: u64 = 7;
/// Bytes that an event takes on disk at most.
const BYTES_PER_EVENT: u64 = 450;
/// Events of a transaction.
const EVENTS_AT_ONCE: usize = 1_000;

/// The filled log, in a folder of its own.
#[derive(Debug)]
pub struct Past {
    scratch: Scratch,
    /// Vehicles that take turns.
    pub vehicles: u64,
    /// Their events.
    pub events: u64,
    /// Events of one vehicle more.
    pub long: u64,
    /// How long filling took.
    pub took: Duration,
}

impl Past {
    /// Fills a log of so many events.
    ///
    /// # Errors
    /// [`BenchError::Missing`] where the disk has no room; those of the log.
    pub fn fill(setting: &Setting) -> Result<Self, BenchError> {
        let events = setting.events();
        let scratch = setting.scratch()?;
        let mut past = Past {
            scratch,
            vehicles: (events / 10_000).clamp(20, 1_000),
            events,
            long: (events / 4).clamp(500, 100_000),
            took: Duration::ZERO,
        };
        let wanted = (past.events + past.long) * BYTES_PER_EVENT;
        let free = free_bytes(past.scratch.path()).map_err(doing("asking for free space"))?;
        if free < wanted {
            return Err(BenchError::Missing {
                what: format!("space on the disk: {free} bytes are free"),
                remedy: format!("free {wanted} bytes"),
            });
        }
        let began = Instant::now();
        let log = Log::open(&past.log(), LogOptions::default())?;
        past.append_all(&log)?;
        log.close();
        past.took = began.elapsed();
        Ok(past)
    }

    /// The data folder that the log lies in.
    pub fn data(&self) -> PathBuf {
        self.scratch.join("data")
    }

    /// The log's folder.
    pub fn log(&self) -> PathBuf {
        self.data().join("log")
    }

    /// The id of the vehicle with this number; `vehicles` is the one that has very many events.
    pub fn vehicle(&self, number: u64) -> String {
        event::stream(number).aggregate_id.to_string()
    }

    /// The size, in words.
    pub fn described(&self) -> String {
        format!(
            "{} events of {} vehicles in the log, {} of one more, one in {LATE_EVERY} of these late; filled in {:.0} s",
            self.events,
            self.vehicles,
            self.long,
            self.took.as_secs_f64()
        )
    }

    /// The vehicles' events in turns, then those of the one that has very many.
    fn append_all(&self, log: &Log) -> Result<(), BenchError> {
        let maker = EventMaker::new();
        let names: Vec<StreamName> = (0..=self.vehicles).map(event::stream).collect();
        let mut writes = Vec::with_capacity(EVENTS_AT_ONCE);
        for number in 0..self.events {
            let stream = &names[index(number % self.vehicles)];
            let mut event = match number < self.vehicles {
                // A vehicle begins with its creation, or the fleet would not have it.
                true => created(stream),
                false => maker.event(number),
            };
            event.occurred_at = Some(time_of(number, self.events, 0));
            push(log, &mut writes, stream, inspected(event, number))?;
        }
        let stream = &names[index(self.vehicles)];
        for number in 0..self.long {
            let late_days = match number % LATE_EVERY {
                0 => number / LATE_EVERY % LATE_DAYS_MAX,
                _ => 0,
            };
            let mut event = maker.event(number);
            event.occurred_at = Some(time_of(number, self.long, late_days));
            push(log, &mut writes, stream, inspected(event, number))?;
        }
        flush(log, &mut writes)
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn created(stream: &StreamName) -> NewEvent {
    let id = &stream.aggregate_id;
    let data = format!(r#"{{"asset_id":"{id}","status":"available"}}"#);
    NewEvent::new("VehicleCreated", data)
}

fn inspected(event: NewEvent, number: u64) -> NewEvent {
    match number % 100 {
        0 => event.with_tag(format!("user:{INSPECTOR}")),
        _ => event,
    }
}

/// When the event with this number, of so many, happened.
fn time_of(number: u64, of: u64, late_days: u64) -> Timestamp {
    let days = i64::try_from(DAYS).unwrap_or(0);
    let step = DAY * days / i64::try_from(of.max(1)).unwrap_or(1);
    let signed = |number: u64| i64::try_from(number).unwrap_or(0);
    Timestamp::from_micros(NEW_YEAR + signed(number) * step - signed(late_days) * DAY)
}

fn push(
    log: &Log,
    writes: &mut Vec<StreamWrite>,
    stream: &StreamName,
    event: NewEvent,
) -> Result<(), BenchError> {
    match writes.last_mut() {
        Some(write) if write.stream == *stream => write.events.push(event),
        _ => writes.push(StreamWrite {
            stream: stream.clone(),
            expected: ExpectedVersion::Any,
            events: vec![event],
        }),
    }
    let waiting: usize = match writes.as_slice() {
        [only] => only.events.len(),
        _ => writes.len(),
    };
    if waiting >= EVENTS_AT_ONCE {
        flush(log, writes)?;
    }
    Ok(())
}

fn flush(log: &Log, writes: &mut Vec<StreamWrite>) -> Result<(), BenchError> {
    if writes.is_empty() {
        return Ok(());
    }
    log.append(Transaction {
        writes: std::mem::replace(writes, Vec::with_capacity(EVENTS_AT_ONCE)),
        condition: None,
    })?;
    Ok(())
}

//! The `bench` program as a child: a fresh process whose opening is measured, or one that appends until it is killed.
//!
//! A child answers in lines of JSON on its standard output.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use migrate_from_postgres::shape::Selection;
use migrate_from_postgres::source::Address;
use migrate_from_postgres::zone::Zone;
use migrate_from_postgres::{Progress, Wanted, import as import_into};
use serde_json::{Value, json};
use storage::{ExpectedVersion, Log, LogOptions, Transaction};

use crate::event::{self, EventMaker};
use crate::fill::{self, Fill};
use crate::process;
use crate::{BenchError, error::doing};

/// The first argument that makes the program a child.
pub const ARGUMENT: &str = "child";

/// How a fresh process found a log.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Milliseconds from asking for the log to having it.
    pub open_ms: f64,
    /// Milliseconds from there to the first event acknowledged.
    pub first_append_ms: f64,
    /// Memory when the log had just been opened.
    pub resident_mb: f64,
    /// The most memory until then.
    pub resident_peak_mb: f64,
    /// Memory that is no file.
    pub anonymous_mb: f64,
    /// Events found.
    pub events: u64,
}

/// Has a fresh process open the log in `folder`, append one event and close it.
///
/// # Errors
/// [`BenchError::Peer`] when the process fails.
pub fn open(program: &Path, folder: &Path) -> Result<Opened, BenchError> {
    let output = Command::new(program)
        .args([ARGUMENT, "open"])
        .arg(folder)
        .stderr(Stdio::inherit())
        .output()
        .map_err(doing(format!("starting {}", program.display())))?;
    if !output.status.success() {
        return Err(BenchError::Peer(format!(
            "the process that should open the log ended with {}",
            output.status
        )));
    }
    let said: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| said[name].as_f64().unwrap_or(f64::NAN);
    Ok(Opened {
        open_ms: number("open_ms"),
        first_append_ms: number("first_append_ms"),
        resident_mb: number("resident_mb"),
        resident_peak_mb: number("resident_peak_mb"),
        anonymous_mb: number("anonymous_mb"),
        events: said["events"].as_u64().unwrap_or(0),
    })
}

/// How a fresh process brought a database over.
#[derive(Clone, Copy, Debug)]
pub struct Imported {
    /// Milliseconds until every row was in the log, durably.
    pub import_ms: f64,
    /// Milliseconds until every row had been held against it.
    pub verify_ms: f64,
    /// Rows read.
    pub rows: u64,
    /// Events appended.
    pub events: u64,
    /// Rows that did not agree.
    pub mismatches: u64,
    /// The most memory, mapped files included.
    pub resident_peak_mb: f64,
    /// The most memory that is no file.
    pub anonymous_peak_mb: f64,
}

impl Imported {
    /// Rows a second, where all of them took so long.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn rate(&self, took_ms: f64) -> f64 {
        self.rows as f64 * 1_000.0 / took_ms.max(0.001)
    }
}

/// Has a fresh process bring the Phase 2 database at `url` over into a log in `folder`.
///
/// # Errors
/// [`BenchError::Peer`] when the process fails.
pub fn import(program: &Path, folder: &Path, url: &str) -> Result<Imported, BenchError> {
    let output = Command::new(program)
        .args([ARGUMENT, "import"])
        .arg(folder)
        .arg(url)
        .stderr(Stdio::inherit())
        .output()
        .map_err(doing(format!("starting {}", program.display())))?;
    if !output.status.success() {
        return Err(BenchError::Peer(format!(
            "the process that should import ended with {}",
            output.status
        )));
    }
    let said: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| said[name].as_f64().unwrap_or(f64::NAN);
    let count = |name: &str| said[name].as_u64().unwrap_or(0);
    Ok(Imported {
        import_ms: number("import_ms"),
        verify_ms: number("verify_ms"),
        rows: count("rows"),
        events: count("events"),
        mismatches: count("mismatches"),
        resident_peak_mb: number("resident_peak_mb"),
        anonymous_peak_mb: number("anonymous_peak_mb"),
    })
}

/// Has another process append to the log in `folder` until `events` are acknowledged, and kills it while it goes on.
/// Returns the events acknowledged in all.
///
/// # Errors
/// [`BenchError::Peer`] when the process ends by itself.
pub fn append_until_killed(program: &Path, folder: &Path, events: u64) -> Result<u64, BenchError> {
    let mut child = Command::new(program)
        .args([ARGUMENT, "append"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(doing(format!("starting {}", program.display())))?;
    let acknowledged = read_until(&mut child, events);
    // SIGKILL: nothing in the process runs any more.
    child.kill().map_err(doing("killing the process"))?;
    child.wait().map_err(doing("waiting for the process"))?;
    acknowledged
}

fn read_until(child: &mut Child, events: u64) -> Result<u64, BenchError> {
    let stdout = child.stdout.take().ok_or_else(|| {
        BenchError::Peer("the process that should append has no output".to_owned())
    })?;
    let mut first = None;
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(doing("reading what the process acknowledged"))?;
        let acknowledged: u64 = line.parse().unwrap_or(0);
        let first = *first.get_or_insert(acknowledged);
        if acknowledged - first >= events {
            return Ok(acknowledged);
        }
    }
    Err(BenchError::Peer(
        "the process that should append ended by itself".to_owned(),
    ))
}

/// What the child does: `open FOLDER`, `append FOLDER` or `import FOLDER URL`.
///
/// # Errors
/// [`BenchError`] when it cannot.
pub fn run(arguments: &[String]) -> Result<(), BenchError> {
    match arguments {
        [what, folder] if what == "open" => run_open(Path::new(folder)),
        [what, folder] if what == "append" => run_append(Path::new(folder)),
        [what, folder, url] if what == "import" => run_import(Path::new(folder), url),
        _ => Err(BenchError::Peer(
            "a child is asked to open, to append or to import, in a folder".to_owned(),
        )),
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory in megabytes")]
fn run_import(folder: &Path, url: &str) -> Result<(), BenchError> {
    let peer = |error: &dyn std::error::Error| BenchError::Peer(error.to_string());
    // As `railfleet import` does.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let log = Log::open(folder, LogOptions::default())?;
    let wanted = Wanted {
        address: Address::parse(url, None).map_err(|error| peer(&error))?,
        selection: Selection::default(),
        zone: Zone::Utc,
        strict: false,
        events: false,
    };
    let mut anonymous_peak_kb = 0;
    let mut watch = |_: Progress| {
        let memory = process::memory("self").unwrap_or_default();
        anonymous_peak_kb = memory.anonymous_kb.max(anonymous_peak_kb);
    };
    let outcome = import_into(&log, &wanted, &mut watch, &AtomicBool::new(false));
    let report = outcome.map_err(|error| peer(&error))?;
    let peak = process::memory("self").map_err(doing("reading /proc/self/status"))?;
    log.close();
    let said = json!({
        "import_ms": report.import_ms,
        "verify_ms": report.verify_ms,
        "rows": report.totals.rows,
        "events": report.totals.events,
        "mismatches": report.totals.mismatches,
        "resident_peak_mb": peak.resident_peak_kb as f64 / 1_024.0,
        "anonymous_peak_mb": anonymous_peak_kb as f64 / 1_024.0,
    });
    writeln!(std::io::stdout(), "{said}").map_err(doing("answering"))
}

#[expect(clippy::cast_precision_loss, reason = "memory in megabytes")]
fn run_open(folder: &Path) -> Result<(), BenchError> {
    let began = Instant::now();
    let log = Log::open(folder, LogOptions::default())?;
    let opened = began.elapsed();
    let memory = process::memory("self").map_err(doing("reading /proc/self/status"))?;
    let events = log.durable_position().get();
    let event = EventMaker::new().event(events);
    let stream = event::stream(events);
    let began = Instant::now();
    log.append(Transaction::single(stream, ExpectedVersion::Any, event))?;
    let appended = began.elapsed();
    log.close();
    let megabytes = |kb: u64| kb as f64 / 1e3 * 1.024;
    let said = json!({
        "open_ms": opened.as_secs_f64() * 1e3,
        "first_append_ms": appended.as_secs_f64() * 1e3,
        "resident_mb": megabytes(memory.resident_kb),
        "resident_peak_mb": megabytes(memory.resident_peak_kb),
        "anonymous_mb": megabytes(memory.anonymous_kb),
        "events": events,
    });
    writeln!(std::io::stdout(), "{said}").map_err(doing("answering"))
}

/// Appends for ever, a hundred events a time, and says after each how many the log holds.
fn run_append(folder: &Path) -> Result<(), BenchError> {
    let log = Log::open(folder, LogOptions::default())?;
    let batch = Fill {
        events: 100,
        streams: 1_000,
        events_per_transaction: 100,
    };
    let mut stdout = std::io::stdout();
    loop {
        let events = log.durable_position().get();
        writeln!(stdout, "{events}").map_err(doing("answering"))?;
        fill::fill(&log, events, &batch)?;
    }
}

//! One export: what is new, on several threads, then the manifest, then what nobody needs any more.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use fleet::calendar;
use hashbrown::HashSet;
use storage::{Log, Position, ReadError, ReadRequest, Timestamp};

use crate::damage::{add_lost, count, joined, look_again};
use crate::error::LakeError;
use crate::events::export_range;
use crate::manifest::{FORMAT, FileEntry, Gap, MANIFEST_NAME, Manifest, Replaced, Span};
use crate::plan::{Range, plan};
use crate::states::{self, Part};
use crate::strays;
use crate::table::Table;
use crate::target::Target;

/// How long a file that was replaced stays: whoever began to read it is done by then.
const REPLACED_KEPT_MICROS: i64 = 3_600_000_000;

/// What to export, and how.
#[expect(missing_debug_implementations, reason = "what it borrows has none")]
pub struct Export<'a> {
    /// The log, open.
    pub log: &'a Log,
    /// Where to.
    pub target: &'a Target,
    /// Whether the person `Staff:…` was erased before the export began: files that hold something of them are written anew. It
    /// must answer the same for as long as the export runs: whoever is erased meanwhile was perhaps read already, and so is noted
    /// as readable, for the next export to see to.
    pub is_erased: &'a (dyn Fn(&str) -> bool + Sync),
    /// The time now.
    pub now: Timestamp,
    /// How many threads read and pack.
    pub threads: usize,
    /// Events of a whole span of files; [`SPAN_EVENTS`](crate::SPAN_EVENTS).
    pub span_events: u64,
    /// Set by whoever wants it to stop.
    pub stop: &'a AtomicBool,
}

/// What an export came to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Report {
    /// The position that the place holds now.
    pub position: u64,
    /// Events in files that were written.
    pub events: u64,
    /// States in files that were written.
    pub states: u64,
    /// Files that were written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Spans that were written anew because somebody in them was erased.
    pub erased_spans: u64,
    /// Events that cannot be read. States lack them, and so do files of events, unless these hold them from before.
    pub unreadable: u64,
}

/// Brings a place up to where the log is durable. Nothing is written where there is nothing new.
///
/// # Errors
/// See [`LakeError`]. The place then holds what it held before; files that were written go with the next export.
pub fn export(export: &Export<'_>) -> Result<Report, LakeError> {
    let before = manifest_to_continue(export)?;
    let durable = export.log.durable_position();
    // Also where nothing is new: what was to go at once may have been kept by a place that refused.
    strays::remove(export.target, &before)?;
    let is_forgotten = |span: &Span| span.people.iter().any(|person| (export.is_erased)(person));
    let done: Vec<Range> = before.events.iter().map(Span::range).collect();
    let (kept, mut wanted) = plan(&done, durable.get(), export.span_events.max(1));
    let mut looked = look_again(export.log, &before, kept)?;
    let (mut anew, mut erased_spans) = (Vec::new(), 0);
    for span in &before.events[..kept] {
        let is_forgotten = is_forgotten(span);
        erased_spans += u64::from(is_forgotten);
        if is_forgotten || looked.mended.contains(&span.range()) {
            anew.push(span.range());
        }
    }
    let mut report = Report {
        position: durable.get(),
        erased_spans,
        ..Report::default()
    };
    if wanted.is_empty() && anew.is_empty() && !looked.states_mended {
        report.unreadable = count(&joined(&looked.gaps));
        release(export, &before)?;
        return Ok(report);
    }
    add_lost(export.log, durable, &mut looked.gaps)?;
    let sink = Sink {
        target: export.target,
        stop: export.stop,
        generation: before.generation + 1,
        gaps: Mutex::new(looked.gaps),
    };
    wanted.extend(&anew);
    let (spans, states) = write_files(export, &wanted, durable, &sink)?;

    let mut after = Manifest {
        format: FORMAT,
        log_id: before.log_id,
        generation: sink.generation,
        position: durable.get(),
        exported_at: calendar::format_time(export.now.micros()),
        events: before.events[..kept]
            .iter()
            .filter(|span| !anew.contains(&span.range()))
            .cloned()
            .collect(),
        states,
        replaced: Vec::new(),
        gaps: sink.gaps(),
    };
    for file in spans.iter().flat_map(|span| &span.files) {
        report.events += file.rows;
        report.files += 1;
        report.bytes += file.bytes;
    }
    for file in &after.states {
        report.states += file.rows;
        report.files += 1;
        report.bytes += file.bytes;
    }
    after.events.extend(spans);
    after.events.sort_by_key(|span| span.from);
    after
        .states
        .sort_by(|left, right| left.path.cmp(&right.path));
    report.unreadable = count(&after.gaps);
    // Also where the span was written anew anyway: its old files must not linger.
    let forgets = before.events.iter().any(is_forgotten);
    let gone = retire(&before, &mut after, export.now.micros(), forgets);
    publish(export.target, &after, &gone)?;
    Ok(report)
}

/// Lets files go that were replaced long enough ago, where nothing else is new.
fn release(export: &Export<'_>, before: &Manifest) -> Result<(), LakeError> {
    let mut after = Manifest {
        replaced: Vec::new(),
        ..before.clone()
    };
    let gone = retire(before, &mut after, export.now.micros(), false);
    if gone.is_empty() {
        return Ok(());
    }
    publish(export.target, &after, &gone)
}

/// Makes a manifest that of the place, and then takes away what it does not name any more.
fn publish(target: &Target, manifest: &Manifest, gone: &[String]) -> Result<(), LakeError> {
    let bytes = serde_json::to_vec_pretty(manifest).map_err(|error| LakeError::Manifest {
        path: MANIFEST_NAME.to_owned(),
        reason: error.to_string(),
    })?;
    target.put(MANIFEST_NAME, bytes.into())?;
    for path in gone {
        target.delete(path)?;
    }
    Ok(())
}

/// What one thread does at a time.
enum Work {
    /// The files of a range of events.
    Range(Range),
    /// The files of some states.
    Part(Part),
}

/// What has come of it.
enum Written {
    Span(Span),
    States(Vec<FileEntry>),
}

/// Writes the files of these ranges, and those of all states as of `position`.
///
/// Both in one go: ranges are few, and the last of them may take as long as several others. Whoever finds none left begins
/// with states instead of waiting for it.
fn write_files(
    export: &Export<'_>,
    ranges: &[Range],
    position: Position,
    sink: &Sink<'_>,
) -> Result<(Vec<Span>, Vec<FileEntry>), LakeError> {
    let parts = states::parts(export.log, export.threads)?;
    let ranges = ranges.iter().copied().map(Work::Range);
    let work: Vec<Work> = ranges.chain(parts.into_iter().map(Work::Part)).collect();
    let written = in_parallel(export.threads, &work, |work| match work {
        Work::Range(range) => {
            export_range(export.log, *range, export.is_erased, sink).map(Written::Span)
        }
        Work::Part(part) => {
            states::export_part(export.log, part, position, sink).map(Written::States)
        }
    })?;
    let (mut spans, mut states) = (Vec::new(), Vec::new());
    for written in written {
        match written {
            Written::Span(span) => spans.push(span),
            Written::States(files) => states.extend(files),
        }
    }
    Ok((spans, states))
}

/// What a place holds; `None`: nothing was exported there.
///
/// # Errors
/// `Store` and `Manifest`.
pub fn read_manifest(target: &Target) -> Result<Option<Manifest>, LakeError> {
    let Some(bytes) = target.get(MANIFEST_NAME)? else {
        return Ok(None);
    };
    let manifest = Manifest::parse(&bytes).map_err(|reason| LakeError::Manifest {
        path: format!("{}/{MANIFEST_NAME}", target.url()),
        reason,
    })?;
    Ok(Some(manifest))
}

fn manifest_to_continue(export: &Export<'_>) -> Result<Manifest, LakeError> {
    let place = export.target.url();
    let ours = export.log.log_id();
    let Some(manifest) = read_manifest(export.target)? else {
        return Ok(Manifest::empty(ours));
    };
    if manifest.log_id != ours {
        return Err(LakeError::OtherLog {
            place: place.to_owned(),
            theirs: manifest.log_id,
            ours,
        });
    }
    let durable = export.log.durable_position().get();
    if manifest.position > durable {
        return Err(LakeError::Ahead {
            place: place.to_owned(),
            theirs: manifest.position,
            ours: durable,
        });
    }
    if let Some(position) = parting(export.log, &manifest)? {
        return Err(LakeError::Forked {
            place: place.to_owned(),
            position,
        });
    }
    Ok(manifest)
}

/// A position at which the export holds another event than the log, if the two have gone apart. Then the last event of the export
/// is another one, or, where that cannot be read, the last one of a span before.
fn parting(log: &Log, manifest: &Manifest) -> Result<Option<u64>, LakeError> {
    for span in manifest.events.iter().rev() {
        let Some(exported) = span.last_id else {
            continue;
        };
        let mut reader = log.read(&ReadRequest::at(Position::new(span.to)))?;
        match reader.next() {
            Some(Ok(event)) => return Ok((event.id() != exported).then_some(span.to)),
            Some(Err(ReadError::Damaged { .. })) | None => {}
            Some(Err(error)) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Notes in the new manifest which files it replaced, and gives those that go now.
fn retire(before: &Manifest, after: &mut Manifest, now: i64, at_once: bool) -> Vec<String> {
    let live: HashSet<String> = after.paths().map(str::to_owned).collect();
    let replaced = before.event_files(None).chain(before.state_files(None));
    let replaced = replaced
        .filter(|file| !live.contains(&file.path))
        .map(|file| Replaced {
            path: file.path.clone(),
            at: now,
        });
    let mut gone = Vec::new();
    for file in before.replaced.iter().cloned().chain(replaced) {
        if at_once || now - file.at >= REPLACED_KEPT_MICROS {
            gone.push(file.path);
        } else {
            after.replaced.push(file);
        }
    }
    gone
}

/// Where files are written to, whether to go on, and what they lack.
pub(crate) struct Sink<'a> {
    target: &'a Target,
    stop: &'a AtomicBool,
    generation: u64,
    gaps: Mutex<BTreeSet<Gap>>,
}

impl Sink<'_> {
    /// Writes a table's rows as `folder/name` with this export's number, so that no file is ever changed.
    pub(crate) fn write(
        &self,
        folder: &str,
        name: &str,
        aggregate_type: &str,
        table: Table,
    ) -> Result<FileEntry, LakeError> {
        let rows = table.rows() as u64;
        let file: Bytes = table.into_parquet()?;
        let path = format!("{folder}/{name}.{}.parquet", self.generation);
        let bytes = file.len() as u64;
        self.target.put(&path, file)?;
        Ok(FileEntry {
            path,
            aggregate_type: aggregate_type.to_owned(),
            rows,
            bytes,
        })
    }

    /// Notes what could not be read.
    pub(crate) fn lacks(&self, gap: Gap) {
        if gap.positions() > 0 {
            let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
            gaps.insert(gap);
        }
    }

    /// All that was noted.
    fn gaps(&self) -> Vec<Gap> {
        joined(&self.gaps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses to go on once it was asked to stop.
    pub(crate) fn check(&self) -> Result<(), LakeError> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(LakeError::Stopped),
            false => Ok(()),
        }
    }
}

/// Does the work on each item, on several threads, and gives the results in the order of the items.
fn in_parallel<I: Sync, T: Send>(
    threads: usize,
    items: &[I],
    work: impl Fn(&I) -> Result<T, LakeError> + Sync,
) -> Result<Vec<T>, LakeError> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<T>>> = Mutex::new(items.iter().map(|_| None).collect());
    let run = || -> Result<(), LakeError> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return Ok(());
            };
            let result = work(item);
            if result.is_err() {
                // The others need not begin what will not be used.
                next.store(items.len(), Ordering::Relaxed);
            }
            let result = result?;
            results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(run)).collect();
        let mut outcome = run();
        for other in others {
            let joined = other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome = outcome.and(joined);
        }
        outcome
    })?;
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(results.into_iter().flatten().collect())
}

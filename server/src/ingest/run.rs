//! A run: reads records, batches their events, hands the batches to the thread that appends, and keeps count.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use storage::{AppendError, Log, Position};
use thiserror::Error;

use super::appender::{Appended, Halt, Lined, append_in_order};
use super::checkpoint::{CheckpointFile, Reached};
use super::lines::LineReader;
use super::mapping::{Mapping, MappingError};
use super::rows::{RowReader, header_of};
use super::source::{Consumed, Input, Source};
use crate::envelope::Envelope;

/// Payload bytes in a transaction, above which it is closed.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Batches read ahead of the one that is being appended.
const BATCHES_AHEAD: usize = 2;
/// How often the checkpoint is written.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// Bad lines kept in the summary; further ones are only counted.
const BAD_LINES_LISTED_MAX: usize = 1_000;

/// What to do about a line that is no event, or one that the log refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadLines {
    /// End there. Everything before it is in the log, nothing behind it.
    #[default]
    Stop,
    /// Report it and go on.
    Skip,
}

/// A line that did not become an event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, the first being 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What to take in, and how.
#[derive(Debug)]
pub struct IngestOptions {
    /// Where from.
    pub input: Input,
    /// Rows of a CSV file by this mapping; without one, JSON Lines.
    pub mapping: Option<Mapping>,
    /// Set where two inputs have equal lines at equal numbers that are not the same events. Part of derived ids.
    pub source_name: String,
    /// About lines that cannot be taken.
    pub bad_lines: BadLines,
    /// Events in a transaction; at least 1, at most what the log's limits allow. Default 1,000.
    pub batch_events: usize,
    /// Where checkpoints are kept; without it, and for standard input, there are none.
    pub checkpoints: Option<PathBuf>,
    /// End after so many batches, as if interrupted.
    pub batches_max: Option<u64>,
}

impl IngestOptions {
    /// All of a file or of standard input, stopping at a bad line.
    pub fn new(input: Input) -> Self {
        IngestOptions {
            input,
            mapping: None,
            source_name: String::new(),
            bad_lines: BadLines::Stop,
            batch_events: 1_000,
            checkpoints: None,
            batches_max: None,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The line behind which it began, by a checkpoint; 0 at the beginning.
    pub resumed_behind_line: u64,
    /// Events read.
    pub events: u64,
    /// Those among them that are new in the log.
    pub appended: u64,
    /// Those among them that the log had already.
    pub duplicates: u64,
    /// Lines that could not be taken.
    pub bad: u64,
    /// The first of them.
    pub bad_lines: Vec<BadLine>,
    /// The last position that an event of this run has.
    pub last_position: Position,
    /// How long it took.
    pub took: Duration,
}

/// A run that is under way.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes read of the input as it lies on the disk.
    pub bytes: u64,
    /// Events taken.
    pub events: u64,
    /// Lines that could not be taken.
    pub bad: u64,
}

/// Why a run ended early. What was appended stays, and the next run goes on from there.
#[derive(Debug, Error)]
pub enum IngestError {
    /// The input cannot be read.
    #[error("the input cannot be read")]
    Input(#[source] io::Error),
    /// The mapping does not fit.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A line cannot be taken, and bad lines are not skipped.
    #[error("line {}: {}", .0.line, .0.reason)]
    BadLine(BadLine),
    /// The log does not accept events.
    #[error("the log does not accept events")]
    Log(#[source] AppendError),
    /// The checkpoint's folder cannot be used.
    #[error("the checkpoint cannot be kept")]
    Checkpoint(#[source] io::Error),
}

/// A run that ended early.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct Stopped {
    /// Why.
    #[source]
    pub error: IngestError,
    /// What was done up to then.
    pub summary: Summary,
}

/// A record of the input: what stands on a line, or in a row of several.
pub(super) struct Record {
    /// The line that it begins on; the first is 1.
    pub(super) line: u64,
    /// How many decompressed bytes lie up to its end.
    pub(super) end: u64,
    /// Whether a line end ends it. Only the input's last may lack one: then it may still be growing.
    pub(super) is_whole: bool,
    /// Its events, or what is wrong with it.
    pub(super) events: Result<Vec<Envelope>, String>,
}

/// Something that gives records in order.
pub(super) trait RecordSource {
    /// The next record; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Record>>;

    /// The CRC32 of the first `offset` bytes: up to the end of the last record at most.
    fn checksum_at(&mut self, offset: u64) -> u32;
}

/// Records to be appended together.
struct Batch {
    events: Vec<Lined>,
    bad: Vec<BadLine>,
    /// Behind its last whole record: where a later run may begin.
    end: Option<BatchEnd>,
}

/// A line, and how many bytes lie up to its end, with their CRC32.
struct BatchEnd {
    line: u64,
    offset: u64,
    checksum: u32,
}

/// Takes the input into the log. `watch` is called after each batch.
///
/// Events with an id of their own keep it; others get one derived from the input, so that a repeated or continued run adds
/// only what is missing. Each record's events are in one transaction, and records are appended in the order of the input.
///
/// # Errors
/// [`Stopped`].
pub fn ingest(
    log: &Log,
    options: &IngestOptions,
    mut watch: impl FnMut(Progress) + Send,
) -> Result<Summary, Box<Stopped>> {
    let started = Instant::now();
    let consumed = Consumed::default();
    let opened = open(log, options, &consumed);
    let (mut records, checkpoint, resumed) = opened.map_err(|error| {
        Box::new(Stopped {
            error,
            summary: Summary::default(),
        })
    })?;
    let (sender, receiver) = sync_channel(BATCHES_AHEAD);
    let mut taker = Taker {
        log,
        policy: options.bad_lines,
        checkpoint,
        written_at: started,
        last: None,
        summary: Summary {
            resumed_behind_line: resumed,
            ..Summary::default()
        },
    };
    let (read, taken) = thread::scope(|scope| {
        let taker = &mut taker;
        let taken = scope.spawn(|| {
            let report = |summary: &Summary| {
                watch(Progress {
                    bytes: consumed.bytes(),
                    events: summary.events,
                    bad: summary.bad,
                });
            };
            // Owned here: when this thread ends, the reader's next send fails and it ends as well.
            let batches = receiver;
            taker.take_all(&batches, report)
        });
        let read = read_all(&mut *records, options, &sender);
        drop(sender);
        (read, taken.join())
    });
    taker.summary.took = started.elapsed();
    let taken = taken.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    // What went wrong while appending lies further up in the input than what went wrong while reading.
    match taken.and(read.map_err(IngestError::Input)) {
        Ok(()) => Ok(taker.summary),
        Err(error) => Err(Box::new(Stopped {
            error,
            summary: taker.summary,
        })),
    }
}

type Opened<'a> = (Box<dyn RecordSource + 'a>, Option<CheckpointFile>, u64);

/// Opens the input where the last run ended, if that is known and still true.
fn open<'a>(
    log: &'a Log,
    options: &IngestOptions,
    consumed: &Consumed,
) -> Result<Opened<'a>, IngestError> {
    let mapping_text = options.mapping.as_ref().map_or("", Mapping::text);
    let checkpoint = match (&options.checkpoints, &options.input) {
        (Some(folder), Input::File(path)) => Some(
            CheckpointFile::of(folder, path, mapping_text, &options.source_name)
                .map_err(IngestError::Checkpoint)?,
        ),
        _ => None,
    };
    let mut source = Source::open(&options.input, consumed).map_err(IngestError::Input)?;
    let mut start = (0, 0);
    if let Some(saved) = checkpoint.as_ref().and_then(|file| file.read(log)) {
        if source.pass_over(saved.offset).map_err(IngestError::Input)? == Some(saved.checksum) {
            start = (saved.line, saved.offset);
        } else {
            tracing::info!(
                "the input begins otherwise than last time, it is read from the beginning"
            );
            source = Source::open(&options.input, consumed).map_err(IngestError::Input)?;
        }
    }
    let name = &options.source_name;
    let records: Box<dyn RecordSource + 'a> = match &options.mapping {
        None => Box::new(LineReader::new(source, name.clone(), start.0, start.1)),
        Some(mapping) if start == (0, 0) => {
            Box::new(RowReader::from_header(source, mapping, log, name)?)
        }
        Some(mapping) => {
            let beginning =
                Source::open(&options.input, &Consumed::default()).map_err(IngestError::Input)?;
            let header = header_of(beginning, mapping).map_err(IngestError::Input)?;
            Box::new(RowReader::resume(
                source, &header, mapping, log, name, start,
            )?)
        }
    };
    Ok((records, checkpoint, start.0))
}

/// Reads to the end, or until nobody takes batches any more.
fn read_all(
    records: &mut dyn RecordSource,
    options: &IngestOptions,
    batches: &SyncSender<Batch>,
) -> io::Result<()> {
    for _ in 0..options.batches_max.unwrap_or(u64::MAX) {
        let (batch, behind) = read_batch(records, options);
        let is_empty = batch.events.is_empty() && batch.bad.is_empty();
        if !is_empty && batches.send(batch).is_err() {
            return Ok(());
        }
        match behind {
            Behind::More => {}
            Behind::Nothing => return Ok(()),
            Behind::Failure(error) => return Err(error),
        }
    }
    Ok(())
}

/// What follows a batch.
enum Behind {
    More,
    Nothing,
    Failure(io::Error),
}

fn read_batch(records: &mut dyn RecordSource, options: &IngestOptions) -> (Batch, Behind) {
    let mut batch = Batch {
        events: Vec::new(),
        bad: Vec::new(),
        end: None,
    };
    let mut whole = None;
    let mut behind = Behind::More;
    let mut bytes = 0;
    while matches!(behind, Behind::More)
        && batch.events.len() < options.batch_events
        && bytes < BATCH_BYTES_MAX
    {
        match records.next() {
            Err(error) => behind = Behind::Failure(error),
            Ok(None) => behind = Behind::Nothing,
            Ok(Some(Record {
                line,
                end,
                is_whole,
                events,
            })) => {
                if is_whole {
                    whole = Some((line, end));
                }
                match events {
                    Ok(events) => {
                        bytes += events
                            .iter()
                            .map(|event| event.event.data.len())
                            .sum::<usize>();
                        batch
                            .events
                            .extend(events.into_iter().map(|event| (line, event)));
                    }
                    Err(reason) => {
                        batch.bad.push(BadLine { line, reason });
                        if options.bad_lines == BadLines::Stop {
                            behind = Behind::Nothing;
                        }
                    }
                }
            }
        }
    }
    batch.end = whole.map(|(line, offset)| BatchEnd {
        line,
        offset,
        checksum: records.checksum_at(offset),
    });
    (batch, behind)
}

/// The side that appends.
struct Taker<'a> {
    log: &'a Log,
    policy: BadLines,
    checkpoint: Option<CheckpointFile>,
    written_at: Instant,
    last: Option<Reached>,
    summary: Summary,
}

impl Taker<'_> {
    fn take_all(
        &mut self,
        batches: &Receiver<Batch>,
        mut watch: impl FnMut(&Summary),
    ) -> Result<(), IngestError> {
        let mut outcome = Ok(());
        while outcome.is_ok()
            && let Ok(batch) = batches.recv()
        {
            outcome = self.take(batch);
            watch(&self.summary);
        }
        self.write_checkpoint();
        outcome
    }

    fn take(&mut self, batch: Batch) -> Result<(), IngestError> {
        let mut appended = Appended::default();
        let halted = append_in_order(self.log, &batch.events, self.policy, &mut appended);
        self.summary.events += batch.events.len() as u64;
        self.summary.appended += appended.new;
        self.summary.duplicates += appended.duplicates;
        if let Some((_, position)) = appended.last {
            self.summary.last_position = self.summary.last_position.max(position);
        }
        let mut bad = appended.refused;
        match halted {
            Ok(()) => bad.extend(batch.bad),
            // What is behind the refused line was not looked at.
            Err(Halt::Refused) => {}
            Err(Halt::Unavailable(error)) => return Err(IngestError::Log(error)),
        }
        bad.sort_by_key(|bad| bad.line);
        let first_bad = bad.first().cloned();
        self.summary.bad += bad.len() as u64;
        let free = BAD_LINES_LISTED_MAX.saturating_sub(self.summary.bad_lines.len());
        self.summary.bad_lines.extend(bad.into_iter().take(free));
        if let Some(first_bad) = first_bad.filter(|_| self.policy == BadLines::Stop) {
            // The line is not behind us: the next run, with the line mended, begins before it.
            return Err(IngestError::BadLine(first_bad));
        }
        if let (Some((event_id, event_position)), Some(end)) = (appended.last, batch.end) {
            self.last = Some(Reached {
                line: end.line,
                offset: end.offset,
                checksum: end.checksum,
                event_id,
                event_position,
            });
        }
        if self.written_at.elapsed() >= CHECKPOINT_INTERVAL {
            self.write_checkpoint();
        }
        Ok(())
    }

    fn write_checkpoint(&mut self) {
        self.written_at = Instant::now();
        if let (Some(file), Some(reached)) = (&self.checkpoint, self.last.take())
            && let Err(error) = file.write(self.log.log_id(), &reached)
        {
            // The next run reads more than it needs to; nothing else depends on it.
            tracing::warn!(%error, "the checkpoint was not written");
        }
    }
}

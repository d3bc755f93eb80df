//! `railfleet ingest`: a file of events, or standard input, into the log of a data folder that no server has open.
//!
//! It may be ended and begun again: a second run goes on where the first one was, and adds nothing twice.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use storage::{Log, SystemClock};

use super::{CliError, DataArgs, chain, print, say};
use crate::app::open_log;
use crate::config::Config;
use crate::ingest::{
    BadLines, IngestError, IngestOptions, Input, Mapping, Progress, Summary, ingest,
};

/// The folder of checkpoints in the data folder.
const CHECKPOINTS_FOLDER: &str = "ingest";
/// Bad lines that are shown one by one.
const BAD_LINES_SHOWN_MAX: usize = 20;
/// How often the progress is drawn while nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// How often a line is written where nothing can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct IngestArgs {
    /// JSON Lines of events or CloudEvents, or with --map a CSV file; .gz and .zst too; - is standard input.
    #[arg(value_name = "FILE|-")]
    input: PathBuf,
    /// Make events of a CSV file's rows by this mapping: `ttc-subway`, or a file that docs/ingest.md describes.
    #[arg(long, value_name = "NAME|FILE")]
    map: Option<String>,
    /// Tells inputs apart whose equal lines are different events.
    #[arg(long, value_name = "NAME", default_value = "")]
    source: String,
    /// End at the first line that cannot be taken; what stands before it stays. This is the default.
    #[arg(long, conflicts_with = "skip_bad")]
    strict: bool,
    /// Report lines that cannot be taken, and go on behind them.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: IngestArgs) -> Result<ExitCode, CliError> {
    let config = args.data.load()?;
    let mut options = IngestOptions::new(if args.input == Path::new("-") {
        Input::Stdin
    } else {
        Input::File(args.input.clone())
    });
    // Before the log is opened: a mistyped name should not leave a data folder behind.
    options.mapping = args.map.as_deref().map(Mapping::load).transpose()?;
    if let Input::File(path) = &options.input {
        let doing = format!("cannot read {}", path.display());
        std::fs::File::open(path).map_err(CliError::io(doing))?;
    }
    options.source_name = args.source;
    options.bad_lines = match args.skip_bad {
        true => BadLines::Skip,
        false => BadLines::Stop,
    };
    options.batch_events = options.batch_events.min(config.http.batch_events_max);
    options.checkpoints = Some(checkpoints_folder(&config));
    let log = open_log(&config, Arc::new(SystemClock))?;
    let outcome = take(&log, &options);
    log.close();
    outcome.map(|_| ExitCode::SUCCESS)
}

/// Where the data folder remembers how far each input was taken.
pub(super) fn checkpoints_folder(config: &Config) -> PathBuf {
    config.data.join(CHECKPOINTS_FOLDER)
}

/// Takes an input into the log, shows the progress, and says in the end what it came to.
pub(super) fn take(log: &Log, options: &IngestOptions) -> Result<Summary, CliError> {
    let mut meter = Meter::new(&options.input);
    let outcome = ingest(log, options, |progress| meter.show(progress));
    meter.bar.finish_and_clear();
    let (summary, failure) = match outcome {
        Ok(summary) => (summary, None),
        Err(stopped) => (stopped.summary, Some(stopped.error)),
    };
    summarize(&summary).iter().for_each(|line| print(line));
    report_bad_lines(&summary);
    match failure {
        None => Ok(summary),
        Some(IngestError::BadLine(bad)) => Err(CliError::Other(format!(
            "the input was taken up to line {}, which cannot be: mend it and run it again, or pass over such lines with --skip-bad",
            bad.line
        ))),
        Some(error) => Err(CliError::Other(format!(
            "the input was not taken whole, run it again to go on: {}",
            chain(&error)
        ))),
    }
}

/// Shows how far a run is: a bar on a terminal, now and then a line elsewhere.
struct Meter {
    bar: ProgressBar,
    /// Bytes of the input on the disk, where that is known.
    length: Option<u64>,
    started: Instant,
    /// When the last line was written; `None` on a terminal.
    line_at: Option<Instant>,
}

impl Meter {
    fn new(input: &Input) -> Self {
        let length = match input {
            Input::File(path) => std::fs::metadata(path).ok().map(|found| found.len()),
            Input::Stdin => None,
        };
        let started = Instant::now();
        if !io::stderr().is_terminal() {
            let bar = ProgressBar::hidden();
            return Meter {
                bar,
                length,
                started,
                line_at: Some(started),
            };
        }
        let (bar, template) = match length {
            Some(length) => (
                ProgressBar::new(length),
                "{wide_bar} {percent} %  {msg}  {eta} left",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner} {msg}  {elapsed_precise}",
            ),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Meter {
            bar,
            length,
            started,
            line_at: None,
        }
    }

    fn show(&mut self, progress: Progress) {
        let seconds = self.started.elapsed().as_secs_f64();
        let text = describe(progress, seconds);
        match self.line_at {
            None => {
                self.bar.set_position(progress.bytes);
                self.bar.set_message(text);
            }
            Some(line_at) if line_at.elapsed() >= LINE_INTERVAL => {
                self.line_at = Some(Instant::now());
                say(&format!(
                    "{}{text}",
                    share(progress.bytes, self.length, seconds)
                ));
            }
            Some(_) => {}
        }
    }
}

/// `120000 events, 24000/s, 3 bad lines`
fn describe(progress: Progress, seconds: f64) -> String {
    let rate = progress.events as f64 / seconds.max(0.001);
    let bad = match progress.bad {
        0 => String::new(),
        bad => format!(", {bad} bad lines"),
    };
    format!("{} events, {rate:.0}/s{bad}", progress.events)
}

/// `43 %, 12 s left: `, or nothing where the length is not known.
fn share(bytes: u64, length: Option<u64>, seconds: f64) -> String {
    match length.filter(|length| *length > 0 && bytes > 0) {
        None => String::new(),
        Some(length) => {
            let done = (bytes as f64 / length as f64).min(1.0);
            format!(
                "{:.0} %, {:.0} s left: ",
                done * 100.0,
                seconds / done - seconds
            )
        }
    }
}

fn summarize(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    if summary.resumed_behind_line > 0 {
        lines.push(format!(
            "went on behind line {}, where an earlier run ended",
            summary.resumed_behind_line
        ));
    }
    lines.push(format!(
        "{} events read, {} appended, {} already there, {} bad lines",
        summary.events, summary.appended, summary.duplicates, summary.bad
    ));
    let seconds = summary.took.as_secs_f64();
    lines.push(format!(
        "took {seconds:.1} s ({:.0} events/s); the last event is at position {}",
        summary.events as f64 / seconds.max(0.001),
        summary.last_position
    ));
    lines
}

fn report_bad_lines(summary: &Summary) {
    for bad in summary.bad_lines.iter().take(BAD_LINES_SHOWN_MAX) {
        say(&format!("line {}: {}", bad.line, bad.reason));
    }
    let shown = summary.bad_lines.len().min(BAD_LINES_SHOWN_MAX) as u64;
    if summary.bad > shown {
        say(&format!("and {} more bad lines", summary.bad - shown));
    }
}

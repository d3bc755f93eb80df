//! `railfleet import`: a Phase 2 PostgreSQL database into the log of a data folder that no server has open.
//!
//! It may be ended at any moment and begun again: what is in the log is passed over. Afterwards every row is read once more
//! and held against what the log says of it; the report lies beside the log and in it.
//!
//! `--follow` keeps up with a database that goes on changing, until it is cut over ([`following`]).
//!
//! Ends with 0 when every row is in the log as the database says it; 10 when some are not; 1 when it could not; 130 when it
//! was interrupted.

mod following;
mod hidden;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use migrate_from_postgres::follow::cut_over;
use migrate_from_postgres::report::Report;
use migrate_from_postgres::shape::Selection;
use migrate_from_postgres::source::Address;
use migrate_from_postgres::zone::Zone;
use migrate_from_postgres::{ImportError, Progress, Step, Wanted, dry_run, import, verify};
use storage::{Clock as _, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

use self::following::Note;
use super::{CliError, DataArgs, chain, print, say};
use crate::app::open_log;
use crate::rfc3339;

/// Some rows are not in the log as the database says them.
const MISMATCHES: u8 = 10;
/// It was interrupted.
const INTERRUPTED: u8 = 130;
/// The folder of reports in the data folder.
pub(super) const REPORTS_FOLDER: &str = "import";
/// How often a line is written where nothing can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Where the password comes from when the address names none.
pub(super) const PASSWORD_VARIABLE: &str = "PGPASSWORD";

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The database: postgres://user@host:5432/name. The password may stand in PGPASSWORD.
    #[arg(
        long,
        value_name = "URL",
        env = "RAILFLEET_IMPORT_FROM",
        hide_env_values = true
    )]
    from: String,
    /// Read everything, say what would come of it, and write nothing.
    #[arg(long, group = "way")]
    dry_run: bool,
    /// Hold every row against the log as it was when the last import ended; import nothing.
    #[arg(long, group = "way")]
    verify_only: bool,
    /// Keep up with what changes there, until SIGUSR1 or `--cut-over` ends it with a last look at everything.
    #[arg(long, group = "way")]
    follow: bool,
    /// How many seconds lie between two looks of `--follow`.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    every: u64,
    /// Look at everything a last time and note in the log that the old database is followed no more. Where `--follow` has
    /// the data folder, that is asked to do so, and waited for.
    #[arg(long, group = "way")]
    cut_over: bool,
    /// The time zone that the old server's sessions had: clients' times without a zone are understood in it.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    assume_timezone: Zone,
    /// Only these tables.
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    only: Vec<String>,
    /// Not these tables.
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    skip: Vec<String>,
    /// Take the old system's own event store, the table `events`, over as it is, before all rows.
    #[arg(long)]
    with_events: bool,
    /// End at the first thing that a report would have to mention, and at missing tables.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    data: DataArgs,
}

pub(super) fn run(args: ImportArgs) -> Result<ExitCode, CliError> {
    let password = std::env::var(PASSWORD_VARIABLE).ok();
    let address = Address::parse(&args.from, password.as_deref())
        .map_err(|error| CliError::Other(error.to_string()))?;
    let wanted = Wanted {
        address,
        selection: Selection {
            only: args.only,
            skip: args.skip,
        },
        zone: args.assume_timezone,
        strict: args.strict,
        events: args.with_events,
    };
    // A large page counts as a whole once any of it is touched: with them an import takes half as much memory again.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let stop = stop_on_signals()?;
    let mut meter = Meter::new();
    let mut watch = |progress: Progress| meter.show(progress);
    if args.dry_run {
        let outcome = dry_run(&wanted, &mut watch, &stop);
        meter.clear();
        return tell(Direction::In, outcome, None);
    }
    let config = args.data.load()?;
    let reports = config.data.join(REPORTS_FOLDER);
    let log = match open_log(&config, Arc::new(SystemClock)) {
        Ok(log) => log,
        Err(error) if error.is_locked() && args.cut_over => match following::note(&reports) {
            Note::Held => return following::cut_over(&config, &wanted, &reports, &stop),
            Note::LeftOver => return Err(following::left_over(&reports, &error)),
            Note::None => return Err(error.into()),
        },
        Err(error) => return Err(error.into()),
    };
    let outcome = match () {
        () if args.verify_only => verify(&log, &wanted, &mut watch, &stop),
        () if args.cut_over => cut_over(&log, &wanted, &mut watch, &stop),
        () if args.follow => {
            let interval = Duration::from_secs(args.every);
            following::run(&log, &wanted, &reports, interval, &mut watch, &stop)?
        }
        () => import(&log, &wanted, &mut watch, &stop),
    };
    meter.clear();
    log.close();
    tell(Direction::In, outcome, Some(&reports))
}

/// Which way rows go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    In,
    Out,
}

impl Direction {
    fn noun(self) -> &'static str {
        match self {
            Direction::In => "import",
            Direction::Out => "export",
        }
    }

    fn what_stays(self) -> &'static str {
        match self {
            Direction::In => {
                "nothing that was imported is lost, the same command goes on from there"
            }
            Direction::Out => "nothing was written there",
        }
    }
}

/// Says what came of it, and writes the report where there is a place for it.
pub(super) fn tell(
    direction: Direction,
    outcome: Result<Report, ImportError>,
    folder: Option<&Path>,
) -> Result<ExitCode, CliError> {
    let mut report = match outcome {
        Ok(report) => report,
        Err(ImportError::Stopped) => {
            say(&format!(
                "railfleet: interrupted; {}",
                direction.what_stays()
            ));
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Err(error) => {
            return Err(CliError::Other(format!(
                "the {} did not come to its end: {}; {}",
                direction.noun(),
                chain(&error),
                direction.what_stays()
            )));
        }
    };
    summarize(&report).iter().for_each(|line| print(line));
    if let Some(folder) = folder {
        hidden::hide_personal(&mut report);
        let path = write(&report, folder)?;
        print(&format!("report: {}", path.display()));
    }
    Ok(match report.agrees() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(MISMATCHES),
    })
}

/// Writes the report as JSON and as HTML; the path of the latter.
fn write(report: &Report, folder: &Path) -> Result<PathBuf, CliError> {
    let doing = || CliError::io(format!("cannot write the report to {}", folder.display()));
    std::fs::create_dir_all(folder).map_err(doing())?;
    let time = rfc3339::to_string(SystemClock.now())
        .replace(':', "")
        .replace('.', "-");
    let stem = format!("{time}-{}", report.kind.replace(' ', "-"));
    let page = folder.join(format!("{stem}.html"));
    std::fs::write(folder.join(format!("{stem}.json")), report.to_json()).map_err(doing())?;
    std::fs::write(&page, report.to_html()).map_err(doing())?;
    Ok(page)
}

fn summarize(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for table in &report.tables {
        let totals = &table.totals;
        if totals.rows > 0 {
            lines.push(format!(
                "{:<22} {:>9} rows  {:>9} events  {:>6} warnings  {:>6} mismatches",
                table.table, totals.rows, totals.events, totals.warnings, totals.mismatches
            ));
        }
        for finding in &table.findings {
            lines.push(format!(
                "  {}: {} × {}: {}",
                table.table, finding.count, finding.met, finding.done
            ));
        }
        if totals.deleted > 0 {
            lines.push(format!(
                "  {}: {} rows are in the log and no more in the database",
                table.table, totals.deleted
            ));
        }
    }
    let totals = &report.totals;
    lines.push(format!(
        "{} rows, {} events, {} of them new in the log, {} warnings, {} mismatches",
        totals.rows, totals.events, totals.appended, totals.warnings, totals.mismatches
    ));
    let said = match (report.kind, report.agrees()) {
        ("export", true) => "every row is in the database as the log says it",
        ("export", false) => "some rows are not in the database as the log says them",
        (_, true) => "every row is in the log as the database says it",
        (_, false) => "some rows are not in the log as the database says them",
    };
    lines.push(said.to_owned());
    match (report.kind, report.agrees()) {
        ("cut over", true) => {
            lines.push("cut over: the old database is followed no more".to_owned())
        }
        ("cut over", false) => {
            lines.push("not cut over: see to what differs, and ask again".to_owned())
        }
        _ => {}
    }
    if report.kind == "dry run" {
        lines.push("this was a dry run: nothing was written".to_owned());
    }
    lines
}

/// A flag that turns true when the process is asked to end. Asked twice, it ends at once, which loses nothing either.
pub(super) fn stop_on_signals() -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let runtime = super::small_runtime()?;
    let doing = || CliError::io("cannot wait for signals");
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(doing())?;
        (interrupt, signal(SignalKind::terminate()).map_err(doing())?)
    };
    let waiting = move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if flag.swap(true, Ordering::Relaxed) {
                    std::process::exit(i32::from(INTERRUPTED));
                }
                say("stopping behind what is being written; once more ends at once");
            }
        });
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(waiting)
        .map_err(doing())?;
    Ok(stop)
}

/// Shows how far it is: a bar for the table and one over all on a terminal, now and then a line elsewhere.
pub(super) struct Meter {
    bars: Option<(MultiProgress, ProgressBar, ProgressBar)>,
    line_at: Instant,
}

impl Meter {
    pub(super) fn new() -> Self {
        let bars = io::stderr().is_terminal().then(|| {
            let bars = MultiProgress::new();
            let bar = |template| {
                let bar = bars.add(ProgressBar::new(0));
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar
            };
            let table = bar("{msg:32} {wide_bar} {pos}/{len}");
            let all = bar("{msg:32} {wide_bar} {percent} %  {eta} left");
            (bars, table, all)
        });
        Meter {
            bars,
            line_at: Instant::now(),
        }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        let step = match progress.step {
            Step::Import => "importing",
            Step::Verify => "verifying",
            Step::Export => "exporting",
        };
        if let Some((_, table, all)) = &self.bars {
            table.set_length(progress.table_rows.1);
            table.set_position(progress.table_rows.0);
            table.set_message(format!("{step} {}", progress.table));
            all.set_length(progress.rows.1);
            all.set_position(progress.rows.0);
            all.set_message("all tables");
        } else if self.line_at.elapsed() >= LINE_INTERVAL {
            self.line_at = Instant::now();
            let (rows, all) = progress.rows;
            say(&format!(
                "{step} {}: {rows} of {all} rows, {} events",
                progress.table, progress.events
            ));
        }
    }

    pub(super) fn clear(&self) {
        if let Some((bars, ..)) = &self.bars {
            let _ = bars.clear();
        }
    }
}

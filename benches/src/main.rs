//! `bench`: asks all questions, or those named, and prints one table.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use benches::machine::Machine;
use benches::question::{self, Question};
use benches::row::{Row, Verdict};
use benches::setting::{Setting, Size};
use benches::{BenchError, child, report};

/// Bounds of `--events`.
const EVENTS_MIN: u64 = 1_000;
const EVENTS_MAX: u64 = 100_000_000;

/// The program's own: what it does in process is measured as the server does it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
bench [--tiny] [--list] [--json FILE] [--events N] [NAME…]

Asks every question, or those named, and prints one table: what was measured, against its limit or a peer measured in
the same run, and whether the bar is held.

  --list        names the questions
  --tiny        asks at sizes of seconds; the numbers mean nothing
  --json FILE   where the JSON goes (default out/bench.json)
  --events N    events of the log that http-history and proofs ask (default 10,000,000)

A question that fails is a row of the table, too; the others are asked all the same. Ends with 0, 1 when a question
failed, 2 when it was not called rightly.
";

struct Arguments {
    size: Size,
    json: PathBuf,
    events: Option<u64>,
    questions: Vec<&'static Question>,
}

enum Asked {
    Run(Arguments),
    Print(String),
}

fn main() -> ExitCode {
    // As the server does: a thousand clients' threads would wait for the zeroing of two megabytes for each of their first pages.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == child::ARGUMENT
    {
        return finish(child::run(rest));
    }
    match parse(&arguments) {
        Ok(Asked::Run(arguments)) => match run(&arguments) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => finish(Err(error)),
        },
        Ok(Asked::Print(text)) => finish(say(&text)),
        Err(problem) => {
            let _ = writeln!(io::stderr(), "{problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Result<Asked, String> {
    let mut parsed = Arguments {
        size: Size::Real,
        json: PathBuf::from("out/bench.json"),
        events: None,
        questions: Vec::new(),
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match &**argument {
            "--help" | "-h" => return Ok(Asked::Print(USAGE.to_owned())),
            "--list" => return Ok(Asked::Print(list())),
            "--tiny" => parsed.size = Size::Tiny,
            "--json" => {
                parsed.json = arguments
                    .next()
                    .map(PathBuf::from)
                    .ok_or("--json wants a file")?;
            }
            "--events" => {
                let count = arguments.next().and_then(|text| text.parse().ok());
                let count = count.filter(|count| (EVENTS_MIN..=EVENTS_MAX).contains(count));
                let wanted = || format!("--events wants a number, {EVENTS_MIN} to {EVENTS_MAX}");
                parsed.events = Some(count.ok_or_else(wanted)?);
            }
            name => {
                let found = question::ALL.iter().find(|question| question.name == name);
                parsed
                    .questions
                    .push(found.ok_or_else(|| format!("there is no question {name:?}"))?);
            }
        }
    }
    if parsed.questions.is_empty() {
        parsed.questions = question::ALL.iter().collect();
    }
    Ok(Asked::Run(parsed))
}

fn list() -> String {
    question::ALL
        .iter()
        .map(|question| format!("{:<14} {}\n", question.name, question.asks))
        .collect()
}

/// Asks, and says whether every question had an answer.
fn run(arguments: &Arguments) -> Result<bool, BenchError> {
    let program = std::env::current_exe().map_err(reading("the program's path"))?;
    let folder = build_folder(&program).join("bench-data");
    std::fs::create_dir_all(&folder).map_err(reading("the folder for bench data"))?;
    let machine = Machine::here(&folder);
    let setting = Setting::new(arguments.size, folder, program).with_events(arguments.events);
    say(&format!("machine: {}\n", machine.line()))?;
    let mut rows: Vec<Row> = Vec::new();
    for question in &arguments.questions {
        let _ = writeln!(io::stderr(), "{}: {}", question.name, question.asks);
        match (question.ask)(&setting) {
            Ok(answer) => rows.extend(answer),
            Err(error @ BenchError::Missing { .. }) => {
                let _ = writeln!(io::stderr(), "SKIPPED {}: {error}", question.name);
                rows.push(Row::skipped(question.name, error.to_string()));
            }
            Err(error) => {
                let _ = writeln!(io::stderr(), "FAILED {}: {}", question.name, chain(&error));
                rows.push(Row::failed(question.name, chain(&error)));
            }
        }
    }
    say(&format!(
        "\n{}\n{}\n",
        report::table(&rows),
        report::notes(&rows)
    ))?;
    say(&format!("{}\n", count(&rows)))?;
    write_json(&arguments.json, &machine, &rows)?;
    Ok(!rows.iter().any(has_failed))
}

fn has_failed(row: &Row) -> bool {
    matches!(row.verdict(), Verdict::Failed(_))
}

fn count(rows: &[Row]) -> String {
    let of =
        |wanted: fn(&Verdict) -> bool| rows.iter().filter(|row| wanted(&row.verdict())).count();
    format!(
        "{} bars held, {} missed, {} questions skipped, {} failed",
        of(|verdict| *verdict == Verdict::Held),
        of(|verdict| *verdict == Verdict::Missed),
        of(|verdict| matches!(verdict, Verdict::Skipped(_))),
        of(|verdict| matches!(verdict, Verdict::Failed(_)))
    )
}

fn write_json(path: &Path, machine: &Machine, rows: &[Row]) -> Result<(), BenchError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(reading("the folder for the JSON"))?;
    }
    let text = format!("{:#}\n", report::json(machine, rows));
    std::fs::write(path, text).map_err(reading("the JSON"))
}

/// The folder that cargo builds in: the program lies in `release/` or `debug/` there.
fn build_folder(program: &Path) -> &Path {
    program
        .parent()
        .and_then(Path::parent)
        .unwrap_or_else(|| Path::new("."))
}

fn say(text: &str) -> Result<(), BenchError> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(reading("the output"))
}

fn reading(what: &'static str) -> impl Fn(io::Error) -> BenchError {
    move |source| BenchError::Io {
        doing: what.to_owned(),
        source,
    }
}

fn finish(result: Result<(), BenchError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, on one line.
fn chain(error: &BenchError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.replace('\n', " ")
}

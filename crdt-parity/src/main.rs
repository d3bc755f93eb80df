//! `crdt-parity`: runs every workload, prints the goals and the peers, and writes `crdt-parity.json`.

#![expect(
    clippy::print_stderr,
    reason = "a bench tells its failures and its progress on the error stream"
)]

use crdt_parity::figures::Figures;
use crdt_parity::goals::{Goal, goals};
use crdt_parity::peer::{Automerge, CrdtsLww, CrdtsMap, Loro, Ours, OursLast, YrsEach, YrsOne};
use crdt_parity::report;
use crdt_parity::workload::many::Many;
use crdt_parity::workload::sets::Sets;
use crdt_parity::workload::single::Single;
use crdt_parity::workload::{Turn, counters, memory, offline};
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "crdt-parity [--rounds N] [--out FOLDER]

  --rounds N     how often everybody takes a turn (default 7)
  --out FOLDER   where crdt-parity.json goes (default out)
";

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Ok((rounds, out)) => match run(rounds, &out) {
            Ok(missed) => ExitCode::from(u8::from(missed > 0)),
            Err(error) => {
                eprintln!("crdt-parity: {error}");
                ExitCode::from(3)
            }
        },
    }
}

fn parse(mut given: impl Iterator<Item = String>) -> Result<(usize, PathBuf), String> {
    let (mut rounds, mut out) = (7, PathBuf::from("out"));
    while let Some(argument) = given.next() {
        let value = given.next();
        let value = value.ok_or_else(|| format!("{argument} wants a value"))?;
        match argument.as_str() {
            "--rounds" => rounds = value.parse().map_err(|_| "--rounds wants a number")?,
            "--out" => out = value.into(),
            other => return Err(format!("{other:?} is not known")),
        }
    }
    Ok((rounds, out))
}

/// Measures everything; answers how many bars were missed.
fn run(rounds: usize, out: &Path) -> Result<usize, Box<dyn Error>> {
    let counting = count_memory()?;
    let mut figures = Figures::default();
    counters::measure(&mut figures);
    offline::measure(&mut figures);
    let mut turns = turns(&mut figures);
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        turns.iter_mut().for_each(|turn| turn.round(&mut figures));
    }
    let counted = counting.wait_with_output()?;
    let counted: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&counted.stdout)?;
    for (peer, bytes) in counted {
        figures.add(&peer, memory::ENTITY, bytes.as_f64().unwrap_or(f64::NAN));
    }

    let outcome = |goal: Goal| goal.outcome(&figures);
    let outcomes: Vec<_> = goals().into_iter().filter_map(outcome).collect();
    let mut text = report::table(&outcomes);
    for workload in ["S: ", "C: ", "memory", "set", "counter"] {
        text.push('\n');
        text.push_str(&report::peers(&figures, workload));
    }
    std::io::stdout().write_all(text.as_bytes())?;
    std::fs::create_dir_all(out)?;
    let json = report::json(&outcomes, &figures);
    std::fs::write(
        out.join("crdt-parity.json"),
        serde_json::to_string_pretty(&json)?,
    )?;
    let missed = outcomes.iter().filter(|found| found.held == Some(false));
    Ok(missed.count())
}

/// Everybody, each workload's peers side by side.
fn turns(figures: &mut Figures) -> Vec<Box<dyn Turn>> {
    vec![
        Box::new(Single::<Ours>::new(figures)),
        Box::new(Single::<YrsOne>::new(figures)),
        Box::new(Single::<CrdtsMap>::new(figures)),
        Box::new(Single::<CrdtsLww>::new(figures)),
        Box::new(Single::<OursLast>::new(figures)),
        Box::new(Single::<Automerge>::new(figures)),
        Box::new(Single::<Loro>::new(figures)),
        Box::new(Sets::new(figures)),
        Box::new(Many::<Ours>::new(figures)),
        Box::new(Many::<OursLast>::new(figures)),
        Box::new(Many::<YrsOne>::new(figures)),
        Box::new(Many::<YrsEach>::new(figures)),
        Box::new(Many::<CrdtsMap>::new(figures)),
        Box::new(Many::<CrdtsLww>::new(figures)),
        Box::new(Many::<Automerge>::new(figures)),
        Box::new(Many::<Loro>::new(figures)),
    ]
}

/// Begins the program that counts memory, beside this one.
fn count_memory() -> std::io::Result<std::process::Child> {
    let program = std::env::current_exe()?.with_file_name("crdt-parity-memory");
    Command::new(program).stdout(Stdio::piped()).spawn()
}
